//! OAuth 1.0a (RFC 5849), seen from the provider's side.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::exchange::{Answer, Call, form_encoded};
use crate::faults::Active;
use crate::grants::{RequestToken, Visit};
use crate::pages;
use crate::provider::Provider;
use crate::secrets;

/// A signature older or newer than this is refused (RFC 5849 section 3.3).
const CLOCK_SKEW_S: u64 = 600;

/// Section 3.6: everything but letters, digits, `-`, `.`, `_` and `~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What a request says about its signature, and everything the signature covers.
pub(crate) struct Signed {
    /// Protocol parameters, from wherever they came.
    protocol: Vec<(String, String)>,
    /// All parameters under the signature.
    covered: Vec<(String, String)>,
}

impl Signed {
    /// Section 3.4.1.3.1: the query, the header, and a form body.
    pub(crate) fn read(call: &Call) -> Self {
        let mut all: Vec<(String, String)> = call.query().pairs().to_vec();
        if let Some(header) = call.authorization("oauth") {
            all.extend(header_parameters(header));
        }
        let media_type = call.header(CONTENT_TYPE.as_str()).split(';').next().unwrap_or("").trim();
        if media_type == "application/x-www-form-urlencoded" {
            all.extend(call.form().pairs().iter().cloned());
        }
        let protocol = all.iter().filter(|(it, _)| it.starts_with("oauth_")).cloned().collect();
        all.retain(|(name, _)| name != "oauth_signature" && name != "realm");
        Self { protocol, covered: all }
    }

    /// The value; empty when missing or sent twice.
    pub(crate) fn get(&self, name: &str) -> &str {
        let mut found = self.protocol.iter().filter(|(it, _)| it == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => value,
            _ => "",
        }
    }

    /// Section 3.4.1.3.2.
    fn normalized(&self) -> String {
        let mut pairs: Vec<_> =
            self.covered.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
        pairs.sort();
        let joined: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        joined.join("&")
    }
}

fn header_parameters(header: &str) -> Vec<(String, String)> {
    header
        .split(',')
        .filter_map(|it| it.trim().split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value.trim_matches('"'))))
        .filter(|(name, _)| name != "realm")
        .collect()
}

/// Section 3.4.1.1, with the address this server is known under.
fn base_string(base_url: &str, call: &Call, signed: &Signed) -> String {
    let address = format!("{base_url}{}", call.path);
    let method = call.method.as_str().to_ascii_uppercase();
    format!("{method}&{}&{}", encoded(&address), encoded(&signed.normalized()))
}

/// Whether the signature was made with these secrets, the client's and the token's (section 3.4).
pub(crate) fn is_signature(
    method: &str,
    (base_url, call): (&str, &Call),
    signed: &Signed,
    (client_secret, token_secret): (&str, &str),
) -> bool {
    let key = format!("{}&{}", encoded(client_secret), encoded(token_secret));
    let sent = signed.get("oauth_signature");
    let algorithm = match method {
        "PLAINTEXT" => return secrets::same(&key, sent),
        "HMAC-SHA256" => hmac::HMAC_SHA256,
        _ => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    };
    let key = hmac::Key::new(algorithm, key.as_bytes());
    let base = base_string(base_url, call, signed);
    STANDARD.decode(sent).is_ok_and(|it| hmac::verify(&key, base.as_bytes(), &it).is_ok())
}

/// Checks signature, time and nonce. `None` is a 401.
fn check(provider: &Provider, call: &Call, signed: &Signed, token_secret: &str) -> Option<()> {
    let client_id = signed.get("oauth_consumer_key");
    let secret = provider.books().clients.get(client_id).map(|it| it.secret.clone())?;
    let version = signed.get("oauth_version");
    if signed.get("oauth_signature_method") != "HMAC-SHA1" || !["", "1.0"].contains(&version) {
        return None;
    }
    let right =
        is_signature("HMAC-SHA1", (&provider.base_url, call), signed, (&secret, token_secret));
    right.then_some(())?;
    let sent_s: u64 = signed.get("oauth_timestamp").parse().ok()?;
    if provider.clock.real_s().abs_diff(sent_s) > CLOCK_SKEW_S {
        return None;
    }
    let nonce = signed.get("oauth_nonce");
    let used = format!("{client_id} {} {sent_s} {nonce}", signed.get("oauth_token"));
    (!nonce.is_empty() && provider.books().nonces.insert(used)).then_some(())
}

fn refuse(provider: &Provider) -> Answer {
    provider.books().counters.bad_signature += 1;
    let body = form_encoded(&[("oauth_problem", "signature_invalid")]);
    Answer::new(StatusCode::UNAUTHORIZED, "application/x-www-form-urlencoded", body)
        .with("www-authenticate", &format!("OAuth realm=\"{}\"", provider.brand.name))
}

fn form_answer(pairs: &[(&str, &str)]) -> Answer {
    Answer::new(StatusCode::OK, "application/x-www-form-urlencoded", form_encoded(pairs))
}

fn is_oauth1(provider: &Provider) -> bool {
    matches!(provider.brand.kind, crate::brands::Kind::OAuth1)
}

/// `POST /request_token` (section 2.1). The callback must be registered, letter by letter.
pub(crate) fn request_token(provider: &Provider, call: &Call, _: &Active) -> Answer {
    if !is_oauth1(provider) {
        return Answer::not_found();
    }
    let signed = Signed::read(call);
    if check(provider, call, &signed, "").is_none() {
        return refuse(provider);
    }
    let (client_id, callback) = (signed.get("oauth_consumer_key"), signed.get("oauth_callback"));
    let mut books = provider.books();
    let registered = books
        .clients
        .get(client_id)
        .is_some_and(|it| it.redirect_uris.iter().any(|it| it == callback));
    if !registered {
        let body = form_encoded(&[("oauth_problem", "callback_not_registered")]);
        let form = "application/x-www-form-urlencoded";
        return Answer::new(StatusCode::BAD_REQUEST, form, body);
    }
    let (token, secret) = (secrets::fresh("sort_"), secrets::fresh(""));
    let row = RequestToken {
        secret: secret.clone(),
        client_id: client_id.to_owned(),
        callback: callback.to_owned(),
        verifier: None,
        user: None,
    };
    books.request_tokens.insert(secrets::hash(&token), row);
    form_answer(&[
        ("oauth_token", &token),
        ("oauth_token_secret", &secret),
        ("oauth_callback_confirmed", "true"),
    ])
}

/// `GET /authorize?oauth_token=` (section 2.2).
pub(crate) fn authorize(provider: &Provider, call: &Call) -> Answer {
    let query = call.query();
    let token = secrets::hash(query.get("oauth_token"));
    let found = provider
        .books()
        .request_tokens
        .get(&token)
        .filter(|it| it.verifier.is_none())
        .map(|it| (it.client_id.clone(), it.callback.clone()));
    let Some((client_id, callback)) = found else {
        let text = "It was used already, or never given out. Go back to the app and start again.";
        return pages::problem(provider, call, "This request is not known", text);
    };
    let visit = Visit {
        client_id,
        redirect_uri: callback,
        state: query.get("oauth_token").to_owned(),
        scopes: provider.brand.scopes.iter().map(|it| it.name.to_owned()).collect(),
        challenge: String::new(),
        resource: String::new(),
        request_token: Some(token),
        user: None,
        workspace: call.workspace().map(str::to_owned),
        created_ms: provider.clock.now_ms(),
    };
    pages::next_page(provider, call, visit)
}

/// Back to the callback with a verifier, or with `denied` as several providers do it.
pub(crate) fn finish(provider: &Provider, visit: &Visit, allowed: bool) -> Answer {
    let Ok(mut url) = Url::parse(&visit.redirect_uri) else { return Answer::not_found() };
    let mut books = provider.books();
    let hash = visit.request_token.clone().unwrap_or_default();
    if allowed {
        let verifier = secrets::fresh("");
        books.counters.consented += 1;
        if let Some(token) = books.request_tokens.get_mut(&hash) {
            token.verifier = Some(verifier.clone());
            token.user.clone_from(&visit.user);
        }
        let answer = [("oauth_token", &visit.state), ("oauth_verifier", &verifier)];
        url.query_pairs_mut().extend_pairs(answer);
    } else {
        books.counters.denied += 1;
        books.request_tokens.remove(&hash);
        url.query_pairs_mut().append_pair("denied", &visit.state);
    }
    Answer::see_other(url.as_str())
}

/// `POST /access_token` (section 2.3). The temporary credential works once.
pub(crate) fn access_token(provider: &Provider, call: &Call, _: &Active) -> Answer {
    if !is_oauth1(provider) {
        return Answer::not_found();
    }
    let signed = Signed::read(call);
    let hash = secrets::hash(signed.get("oauth_token"));
    let secret = provider.books().request_tokens.get(&hash).map(|it| it.secret.clone());
    let valid = secret.and_then(|it| check(provider, call, &signed, &it));
    if valid.is_none() {
        return refuse(provider);
    }
    let now_ms = provider.clock.now_ms();
    let mut books = provider.books();
    let Some(request) = books.request_tokens.remove(&hash) else { return Answer::not_found() };
    let expected = request.verifier.unwrap_or_default();
    let matches = !expected.is_empty()
        && secrets::same(&expected, signed.get("oauth_verifier"))
        && request.client_id == signed.get("oauth_consumer_key");
    if !matches {
        drop(books);
        return refuse(provider);
    }
    let visit = Visit {
        client_id: request.client_id,
        redirect_uri: request.callback,
        state: String::new(),
        scopes: provider.brand.scopes.iter().map(|it| it.name.to_owned()).collect(),
        challenge: String::new(),
        resource: String::new(),
        request_token: None,
        user: request.user,
        workspace: call.workspace().map(str::to_owned),
        created_ms: now_ms,
    };
    let grant = books.open_grant(&visit, now_ms);
    let (token, secret) = books.issue_signed(&grant);
    let user = visit.user.unwrap_or_default();
    form_answer(&[
        ("oauth_token", &token),
        ("oauth_token_secret", &secret),
        ("user_id", &format!("U-{user}")),
        ("screen_name", &user),
    ])
}

/// Whose token signed this API request.
pub(crate) fn signed_by(provider: &Provider, call: &Call) -> Option<String> {
    let signed = Signed::read(call);
    let token = signed.get("oauth_token");
    let hash = secrets::hash(token);
    let secret = provider.books().access.get(&hash).map(|it| it.secret.clone())?;
    if check(provider, call, &signed, &secret).is_none() {
        provider.books().counters.bad_signature += 1;
        return None;
    }
    let now_ms = provider.clock.now_ms();
    let mut books = provider.books();
    let grant = books.use_access(token, now_ms)?;
    let own = grant.client_id == signed.get("oauth_consumer_key");
    own.then(|| grant.user.clone())
}
