//! The steps after a connection: each is done for real, and looked at.

use grantkeep_catalog::{ClientAuth, Flow, Verify};
use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use grantkeep_vault::Secret;

use super::facts::{self, Facts};
use super::record::Record;
use super::witness::{Note, fits};
use super::{Trail, Trial, USER};
use crate::apps::protocol::Values;
use crate::embedded::{Ask, Reply, Result, send};

/// Where the answer to a deletion says what became of the grant.
const REVOCATION: &str = "x-grantkeep-revocation";

/// One step, and how it ended.
#[derive(Clone, serde::Serialize)]
pub struct Step {
    pub name: &'static str,
    pub outcome: Outcome,
    /// What was seen, or what failed. No value of the account.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    /// The app's file has nothing to do there.
    Skipped,
    Failed,
}

type Done = std::result::Result<(Outcome, String), String>;

/// One walk through the steps.
pub struct Walk<'a> {
    trial: &'a Trial,
    account: String,
    tell: &'a mut dyn FnMut(&Step),
    steps: Vec<Step>,
    facts: Facts,
    /// The code to give advice for, of the first step that failed.
    code: Option<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn begin(trial: &'a Trial, account: &str, tell: &'a mut dyn FnMut(&Step)) -> Self {
        let facts = Facts::default();
        Self { trial, account: account.to_owned(), tell, steps: Vec::new(), facts, code: None }
    }

    /// All but the revocation.
    pub async fn all(&mut self) {
        let seen = self.exchanged();
        self.end("token answer", "exchange_unseen", seen);
        let named = self.named().await;
        self.end("name and identity", "identity_unread", named);
        let verified = self.verified();
        self.end("verify request", "verify_failed", verified);
        let called = self.called().await;
        self.end("a call through the proxy", "call_failed", called);
        let refreshed = self.refreshed().await;
        let again = matches!(refreshed, Ok((Outcome::Ok, _)));
        self.end("refresh", "refresh_failed", refreshed);
        let called = if again { self.called().await } else { Ok(skipped("nothing was refreshed")) };
        self.end("a call with the new token", "call_failed", called);
    }

    /// Deletes the account, and has the grant revoked at the app.
    pub async fn revoke(&mut self) {
        let revoked = self.revoked().await;
        self.end("revocation", "revocation_failed", revoked);
    }

    pub fn finish(self, today: &str) -> (Record, Option<Trail>) {
        let trail = self.code.as_deref().map(|code| self.trial.trail(code));
        (Record::of(&self.trial.found, &self.facts, self.steps, today), trail)
    }

    fn end(&mut self, name: &'static str, code: &str, done: Done) {
        let (outcome, detail) = match done {
            Ok(done) => done,
            Err(why) => (Outcome::Failed, why),
        };
        if outcome == Outcome::Failed && self.code.is_none() {
            self.code = Some(code.to_owned());
        }
        let step = Step { name, outcome, detail };
        (self.tell)(&step);
        self.steps.push(step);
    }

    fn notes(&self, since: usize, template: &str) -> Vec<Note> {
        let notes = self.trial.witness.since(since);
        notes.into_iter().filter(|it| fits(template, &it.place)).collect()
    }

    fn exchanged(&mut self) -> Done {
        let Some(urls) = facts::token_urls(&self.trial.found) else {
            return Ok(skipped("the app gives no token"));
        };
        let mut notes = urls.iter().flat_map(|url| self.notes(0, url));
        let Some(note) = notes.rfind(Note::is_good) else {
            return Err("no answer with tokens was seen".to_owned());
        };
        self.facts.token_answer(&self.trial.found, &note);
        let count = note.members.iter().filter(|it| !it.0.contains('.')).count();
        let refresh = if self.facts.refresh_token.is_some() { "with" } else { "without" };
        let life = self.facts.expires_in.map_or("no end told".to_owned(), |it| format!("{it} s"));
        Ok((Outcome::Ok, format!("{count} members, {refresh} a refresh token, {life}")))
    }

    async fn named(&mut self) -> Done {
        let account = self.account_view().await?;
        let trial = self.trial;
        let scopes = |name: &str| account[name].as_array().map_or(0, Vec::len);
        self.facts.scopes = Some((scopes("authorized_scopes"), scopes("missing_scopes")));
        let Some(identity) = &trial.found.identity else {
            return Ok(skipped("the app's file names nobody"));
        };
        let note = facts::identity_url(&trial.found)
            .and_then(|url| self.notes(0, url).into_iter().rfind(Note::is_good));
        self.facts.identity(identity, note.as_ref());
        if account["name"].as_str().is_none_or(str::is_empty) {
            return Err("the account has no name".to_owned());
        }
        Ok((Outcome::Ok, "the account has a name".to_owned()))
    }

    async fn account_view(&self) -> std::result::Result<Value, String> {
        let path = format!("/accounts/{}", self.account);
        self.trial.get(&path).await.map_err(|it| it.to_string())
    }

    fn verified(&mut self) -> Done {
        let Some(verify) = &self.trial.found.verify else {
            return Ok(skipped("the app's file has none"));
        };
        let Some(note) = self.notes(0, &verify.url).pop() else {
            return Ok(skipped("it was not asked while connecting"));
        };
        let status = note.status;
        let good = verify.expect.status.contains(&status);
        self.facts.say("verify.expect.status", &verify.expect.status, good, status);
        if good { Ok((Outcome::Ok, format!("{status}"))) } else { Err(format!("{status}")) }
    }

    /// Sends the request that proves a credential through the proxy, as a product would send one.
    async fn called(&mut self) -> Done {
        let found = &self.trial.found;
        let Some(proxy) = &found.proxy else { return Ok(skipped("the app's file has no proxy")) };
        let request = found.verify.as_ref();
        let request = request.or_else(|| found.identity.as_ref()?.request.as_ref());
        let (reply, expected) = if let Some(request) = request {
            let url = self.filled(&request.url).await?;
            (self.call(request, &url).await, request.expect.status.clone())
        } else {
            let plain = plain_request(&proxy.base_url);
            (self.call(&plain, "/").await, Vec::new())
        };
        let reply = reply.map_err(|it| it.to_string())?;
        if let Some(code) = reply.headers.get("x-grantkeep-error") {
            let code = code.to_str().unwrap_or_default().to_owned();
            let said = reply.json().ok().and_then(|it| it["error"].as_str().map(str::to_owned));
            return Err(said.unwrap_or(code));
        }
        let status = reply.status.as_u16();
        let good = if expected.is_empty() { status != 401 } else { expected.contains(&status) };
        self.facts.say("proxy.base_url", &proxy.base_url, good, status);
        if good { Ok((Outcome::Ok, format!("{status}"))) } else { Err(format!("{status}")) }
    }

    /// An address of the app's file with the account's own values.
    async fn filled(&self, template: &str) -> std::result::Result<String, String> {
        let path = format!("/accounts/{}?include_credentials=true", self.account);
        let account = self.trial.get(&path).await.map_err(|it| it.to_string())?;
        let empty = serde_json::Map::new();
        let credentials = account["credentials"].as_object().unwrap_or(&empty);
        let texts = credentials.iter().filter_map(|(name, it)| Some((name.clone(), it.as_str()?)));
        let fields: BTreeMap<String, Secret> =
            texts.map(|(name, text)| (name, Secret::new(text))).collect();
        let mut values = Values::of(&self.trial.found, &fields);
        values.access_token = fields.get("oauth_access_token");
        values.url(&self.trial.running.app, template).map_err(|it| it.to_string())
    }

    async fn call(&self, request: &Verify, target: &str) -> Result<Reply> {
        let trial = self.trial;
        let url = trial.url(&format!("/proxy?account_id={}&external_user_id={USER}", self.account));
        let method: Method = request.method.as_str().parse().unwrap_or(Method::GET);
        let body = request.body.clone().unwrap_or_default();
        let mut ask = Ask { method, url: &url, headers: Vec::new(), body };
        if request.body.is_some() {
            ask = ask.with("content-type", "application/json");
        }
        let own = trial.found.proxy.as_ref().map(|it| &it.headers);
        let names: Vec<(String, &String)> = request
            .headers
            .iter()
            .filter(|(name, it)| {
                let set =
                    own.is_some_and(|own| own.keys().any(|key| key.eq_ignore_ascii_case(name)));
                !set && !it.contains("${")
            })
            .map(|(name, it)| (format!("x-pd-proxy-{name}"), it))
            .collect();
        for (name, text) in &names {
            ask = ask.with(name, text.as_str());
        }
        send(&trial.http, trial.signed(ask.with("x-grantkeep-target", target))).await
    }

    async fn refreshed(&mut self) -> Done {
        let found = &self.trial.found;
        let Some(url) = facts::refresh_url(found) else {
            return Ok(skipped("there is nothing to refresh"));
        };
        let code_flow =
            found.oauth2().is_some_and(|it| it.flow.redirects() || it.flow == Flow::DeviceCode);
        if code_flow && self.facts.refresh_token.is_none() {
            return Ok(skipped("the app gave no refresh token"));
        }
        let before = self.trial.witness.count();
        let path = format!("/accounts/{}/refresh", self.account);
        let done = self.trial.post(&path, &json!({})).await;
        let note = self.notes(before, url).pop();
        done.map_err(|it| it.to_string())?;
        let Some(note) = note else { return Err("no request for a token was seen".to_owned()) };
        self.facts.refresh_answer(found, &note);
        let rotated = match (code_flow, self.facts.rotated) {
            (false, _) => "asked again with what was entered",
            (_, Some(true)) => "a new refresh token came",
            _ => "the refresh token stays",
        };
        Ok((Outcome::Ok, rotated.to_owned()))
    }

    async fn revoked(&mut self) -> Done {
        let trial = self.trial;
        let url = trial.url(&format!("/accounts/{}", self.account));
        let reply = send(&trial.http, trial.signed(Ask::delete(&url))).await;
        let reply = reply.and_then(|it| it.success("the account was deleted"));
        let reply = reply.map_err(|it| it.to_string())?;
        let said = reply.headers.get(REVOCATION).and_then(|it| it.to_str().ok());
        let said = said.unwrap_or("unsupported").to_owned();
        let revocation = trial.found.oauth2().and_then(|it| it.revocation.as_ref());
        if let Some(it) = revocation {
            let status = self.notes(0, &it.url).pop().map(|it| it.status);
            let seen = format!("{said}, status {}", status.unwrap_or_default());
            self.facts.say("oauth2.revocation.url", &it.url, said == "revoked", seen);
        }
        self.facts.revocation = Some(said.clone());
        match said.as_str() {
            "revoked" => Ok((Outcome::Ok, said)),
            "unsupported" => {
                Ok(skipped("the app's file has no revocation; the account is deleted"))
            }
            _ => Err(said),
        }
    }
}

fn skipped(why: &str) -> (Outcome, String) {
    (Outcome::Skipped, why.to_owned())
}

fn plain_request(url: &str) -> Verify {
    Verify {
        method: grantkeep_catalog::Method::Get,
        url: url.to_owned(),
        body: None,
        headers: BTreeMap::new(),
        expect: grantkeep_catalog::Expect::default(),
    }
}

impl Trial {
    /// Whether everything is asked here, and no page of the app is needed.
    pub fn asks_fields_only(&self) -> bool {
        self.found.wire_auth_type() != "oauth"
    }

    /// Whether the client must have a key that it was given, not one that is made here.
    pub fn needs_key(&self) -> bool {
        self.found
            .oauth2()
            .is_some_and(|it| it.flow == Flow::Installation || it.client_auth == ClientAuth::Tls)
    }
}
