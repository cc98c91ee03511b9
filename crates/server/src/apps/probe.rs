//! Asking an app whether credentials work, and whose they are.

use std::collections::BTreeMap;
use std::time::Duration;

use grantkeep_catalog::{Expect, Identity, IdentityFrom, LearnedFrom, Verify};
use grantkeep_oauth::aws::{Payload, Target};
use grantkeep_oauth::request::Params;
use grantkeep_oauth::{self as oauth, Secret};
use grantkeep_vault::Secret as Stored;
use serde_json::Value;
use zeroize::Zeroizing;

use super::protocol::{self, Answered, Unaskable, Values};
use super::{aws4, bound};
use crate::app::App;
use crate::egress::{Egress, EgressError};

/// How long one question may take: a person waits.
const QUESTION: Duration = Duration::from_secs(10);
/// Characters of a name or subject that are kept.
const TEXT_CHARS_MAX: usize = 250;
/// Begins the path of what is a field of the account, and stands in no answer.
const OF_FIELD: &str = "field:";

/// Makes the `Authorization` of a request that must be signed (RFC 5849), from its method and
/// address.
pub type Sign<'a> = dyn Fn(oauth::Method, &str) -> Option<Secret> + Send + Sync + 'a;

/// Whom to ask, and with what.
pub struct Probe<'a> {
    pub app: &'a App,
    pub values: &'a Values<'a>,
    /// For OAuth 1.0a.
    pub sign: Option<&'a Sign<'a>>,
    /// The key that the access token is bound to, if it is (RFC 9449).
    pub proof_key: Option<&'a Stored>,
    /// By which connections; see [`protocol::api_egress`].
    pub egress: &'a Egress,
}

/// What an app says of an account.
#[derive(Debug, Default)]
pub struct Known {
    pub name: Option<String>,
    /// Never changes for this account and belongs to no other.
    pub subject: Option<String>,
    /// Fields of the account that stood in the answers.
    pub learned: Vec<(String, String)>,
}

/// Why an app did not say yes.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// It answered, and not as it does to good credentials.
    #[error("the app does not accept the credentials (status {0})")]
    Refused(u16),
    /// It is not able to answer now: nothing is known of the credentials.
    #[error("the app cannot answer now (status {0})")]
    Unavailable(u16),
    #[error(transparent)]
    NoAnswer(#[from] EgressError),
    #[error(transparent)]
    Unaskable(#[from] Unaskable),
}

impl Probe<'_> {
    /// Sends the app's verify request. `None`: the app has none.
    pub async fn verify(&self) -> Result<Option<Value>, Doubt> {
        match &self.values.found.verify {
            Some(request) => self.ask(request).await.map(Some),
            None => Ok(None),
        }
    }

    /// Who it is, as far as the app tells. `verified` is what [`Probe::verify`] gave; `said` reads
    /// the token answer.
    ///
    /// A failure leaves things unknown and is logged; it must not cost a grant that was given
    /// already.
    pub async fn identify(
        &self,
        verified: Option<Value>,
        said: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Known {
        let found = self.values.found;
        let from = found.identity.as_ref().map(|it| it.from);
        let asked_twice = from == Some(IdentityFrom::Verify)
            || found.learned.values().any(|it| it.from == LearnedFrom::Verify);
        let verified = match verified {
            None if asked_twice => self.answered(self.verify().await),
            given => given,
        };
        let own = match found.identity.as_ref().and_then(|it| it.request.as_ref()) {
            Some(request) => self.answered(self.ask(request).await.map(Some)),
            None => None,
        };
        let answer = match from {
            Some(IdentityFrom::Verify) => verified.as_ref(),
            _ => own.as_ref(),
        };
        let mut known =
            Known { learned: self.learned(verified.as_ref(), answer), ..Known::default() };
        if let Some(identity) = &found.identity {
            let learned = &known.learned;
            let field = |name: &str| {
                let learnt = learned.iter().find(|it| it.0 == name).map(|it| it.1.clone());
                learnt.or_else(|| self.values.get(name).map(str::to_owned))
            };
            let at = |path: &str| match identity.from {
                _ if path.starts_with(OF_FIELD) => field(&path[OF_FIELD.len()..]),
                IdentityFrom::TokenAnswer => said(path),
                IdentityFrom::Fields => self.values.get(path).map(str::to_owned),
                IdentityFrom::Verify | IdentityFrom::Request => {
                    answer.and_then(|it| text(it, path))
                }
            };
            (known.name, known.subject) = read(identity, &at);
        }
        known
    }

    fn answered(&self, answer: Result<Option<Value>, Doubt>) -> Option<Value> {
        answer.unwrap_or_else(|why| {
            let app = &self.values.found.slug;
            tracing::warn!(%app, %why, "an app did not say whose account it is");
            None
        })
    }

    fn learned(&self, verified: Option<&Value>, identity: Option<&Value>) -> Vec<(String, String)> {
        let mut learned = Vec::new();
        for (name, rule) in &self.values.found.learned {
            let answer = match rule.from {
                LearnedFrom::Verify => verified,
                LearnedFrom::Identity => identity,
                LearnedFrom::TokenAnswer | LearnedFrom::Callback | LearnedFrom::Field => None,
            };
            let Some(value) = answer.and_then(|it| text(it, &rule.path)) else { continue };
            // It comes from outside, and may come to stand in a host.
            if rule.host.as_ref().is_none_or(|it| it.check(&value).is_ok()) {
                learned.push((name.clone(), value));
            }
        }
        learned
    }

    async fn ask(&self, it: &Verify) -> Result<Value, Doubt> {
        let answered = self.answer(it).await?;
        let (status, expect) = (answered.status, &it.expect);
        if matches!(status, 408 | 425 | 429 | 500..) && !expect.status.contains(&status) {
            return Err(Doubt::Unavailable(status));
        }
        let body = serde_json::from_slice(&answered.body).unwrap_or(Value::Null);
        if meets(expect, status, &body) { Ok(body) } else { Err(Doubt::Refused(status)) }
    }

    /// With a proof where the token is bound; once more where the server wants its nonce in it.
    async fn answer(&self, it: &Verify) -> Result<Answered, Doubt> {
        let bound = self.proof_key.zip(self.values.access_token);
        let Some(bound) = bound else {
            return Ok(protocol::send_by(self.egress, self.request(it)?, QUESTION).await?);
        };
        let answered = self.proved(it, bound).await?;
        if bound::wants_nonce(answered.status, &answered.headers) {
            self.proved(it, bound).await
        } else {
            Ok(answered)
        }
    }

    async fn proved(&self, it: &Verify, bound: (&Stored, &Stored)) -> Result<Answered, Doubt> {
        let mut request = self.request(it)?;
        let url = request.url.clone();
        let proof = bound::prove_call(self.app, (request.method.as_str(), &url), bound).await?;
        request.headers.retain(|(name, _)| name != "authorization");
        request.headers.extend(proof);
        let answered = protocol::send_by(self.egress, request, QUESTION).await?;
        bound::learn_nonce(self.app, &url, &answered.headers).await;
        Ok(answered)
    }

    /// The app's request, signed as the proxy signs: its own headers come last and replace those of
    /// the same name.
    fn request(&self, it: &Verify) -> Result<oauth::Request, Unaskable> {
        let values = self.values;
        let empty = BTreeMap::new();
        let proxy = values.found.proxy.as_ref();
        let mut url = Zeroizing::new(values.url(self.app, &it.url)?);
        for (name, template) in proxy.map_or(&empty, |it| &it.query) {
            let Some(value) = values.given(template)? else { continue };
            let pair = url::form_urlencoded::Serializer::new(String::new())
                .append_pair(name, value.expose())
                .finish();
            let glue = if url.contains('?') { '&' } else { '?' };
            url.push(glue);
            url.push_str(&pair);
        }
        let mut headers: BTreeMap<String, Secret> = BTreeMap::new();
        let parts: [&Params; 3] = [
            proxy.map_or(&empty, |it| &it.default_headers),
            proxy.map_or(&empty, |it| &it.headers),
            &it.headers,
        ];
        for (name, template) in parts.into_iter().flatten() {
            if let Some(value) = values.given(template)? {
                headers.insert(name.to_ascii_lowercase(), value);
            }
        }
        let method = protocol::method(it.method);
        if let Some(signature) = self.sign.and_then(|sign| sign(method, &url)) {
            headers.insert("authorization".to_owned(), signature);
        }
        headers.entry("accept".to_owned()).or_insert_with(|| Secret::new("application/json"));
        headers.entry("user-agent".to_owned()).or_insert_with(|| Secret::new("Grantkeep"));
        let body = it.body.as_ref().map(|it| values.text(it)).transpose()?;
        if body.is_some() {
            let json = || Secret::new("application/json");
            headers.entry("content-type".to_owned()).or_insert_with(json);
        }
        if let Some(aws4) = proxy.and_then(|it| it.aws4.as_ref()) {
            let plain: Vec<_> = headers.iter().map(|(it, text)| (&**it, text.expose())).collect();
            let bytes = body.as_ref().map_or(&b""[..], |it| it.expose().as_bytes());
            let payload = Payload::Bytes(bytes);
            let target = Target { method: method.as_str(), url: &url, headers: &plain, payload };
            let signed = aws4::sign(self.app, (values, aws4), &target)?;
            headers.extend(signed.into_iter().map(|(name, it)| (name.to_owned(), it)));
        }
        Ok(oauth::Request { method, url, headers: headers.into_iter().collect(), body })
    }
}

fn meets(expect: &Expect, status: u16, body: &Value) -> bool {
    let truthy = expect.truthy.as_deref();
    let present = expect.present.as_deref();
    expect.status.contains(&status)
        && truthy.is_none_or(|path| at(body, path) == Some(&Value::Bool(true)))
        && present.is_none_or(|path| at(body, path).is_some_and(|it| !it.is_null()))
}

/// Name and subject.
fn read(
    identity: &Identity,
    at: &dyn Fn(&str) -> Option<String>,
) -> (Option<String>, Option<String>) {
    let clean = |text: String| {
        let visible: String =
            text.chars().filter(|it| !it.is_control()).take(TEXT_CHARS_MAX).collect();
        Some(visible.trim().to_owned()).filter(|it| !it.is_empty())
    };
    let name = identity.name.iter().find_map(|path| at(path).and_then(clean));
    let parts: Option<Vec<String>> =
        identity.subject.iter().map(|path| at(path).filter(|it| !it.is_empty())).collect();
    (name, parts.filter(|it| !it.is_empty()).map(|it| it.join(":")))
}

/// The value at a dotted path, with numbers for places in lists.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| match value {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

fn text(value: &Value, path: &str) -> Option<String> {
    match at(value, path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_met_and_read_by_paths() {
        let body = json!({"ok": true, "data": {"viewer": [{"id": 7, "name": "Ada\n"}]}});
        let expect = |truthy: Option<&str>, present: Option<&str>| Expect {
            status: vec![200],
            truthy: truthy.map(str::to_owned),
            present: present.map(str::to_owned),
        };
        assert!(meets(&expect(Some("ok"), Some("data.viewer.0.id")), 200, &body));
        assert!(!meets(&expect(None, None), 401, &body));
        assert!(!meets(&expect(Some("data"), None), 200, &body));
        assert!(!meets(&expect(None, Some("errors")), 200, &body));
        let identity = Identity {
            from: IdentityFrom::Verify,
            request: None,
            name: vec!["missing".into(), "data.viewer.0.name".into()],
            subject: vec!["data.viewer.0.id".into(), "ok".into()],
        };
        let (name, subject) = read(&identity, &|path| text(&body, path));
        assert_eq!(name.as_deref(), Some("Ada"));
        // A part of the subject is missing (a truth value is no part), so there is none.
        assert_eq!(subject, None);
    }
}
