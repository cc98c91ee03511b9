//! `POST /v1/oauth/token`: client credentials for an access token (RFC 6749 section 4.4).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grantkeep_oauth::assertion::CLIENT_ASSERTION_TYPE;
use grantkeep_oauth::prove;
use grantkeep_vault::Secret;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{ACCESS_TOKEN_LIFE_S, Proof, Refusal, exchange, expose, in_query};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::ids::ClientId;
use crate::query::Query;

/// What went wrong, by the names of RFC 6749 section 5.2.
#[derive(Debug)]
struct Wrong {
    status: StatusCode,
    code: &'static str,
    text: &'static str,
    /// Whether the client tried HTTP Basic, which must be answered with a challenge.
    basic: bool,
}

impl Wrong {
    fn new(code: &'static str, text: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, text, basic: false }
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let body = TokenError { error: self.code, error_description: self.text };
        let mut response = (self.status, Json(body)).into_response();
        no_store(response.headers_mut());
        if self.basic {
            let challenge = HeaderValue::from_static("Basic realm=\"grantkeep\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// RFC 6749 section 5.2.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(crate) struct TokenError {
    /// What happened in one word of the standard.
    #[schema(example = "invalid_client")]
    error: &'static str,
    error_description: &'static str,
}

/// RFC 6749 section 5.1.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = AccessToken)]
pub(crate) struct TokenAnswer<'a> {
    access_token: &'a str,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    expires_in: i64,
    /// Seconds since 1970.
    created_at: i64,
    /// Space-separated.
    scope: String,
}

/// The words of a request, for the document; the parameters are read by [`Form`].
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the words of the document")]
pub(crate) struct TokenRequest {
    #[schema(pattern = "^client_credentials$", example = "client_credentials")]
    grant_type: String,
    /// Unless the client authenticates by HTTP Basic, or an assertion says it.
    client_id: Option<String>,
    /// Unless the client authenticates by HTTP Basic or with an assertion.
    client_secret: Option<String>,
    /// Sent beside `client_assertion`.
    #[schema(example = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")]
    client_assertion_type: Option<String>,
    /// A JWT that the client signed with its own key, for this request alone (RFC 7523).
    client_assertion: Option<String>,
    /// Space-separated; all that the client may do when absent.
    scope: Option<String>,
}

fn no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// The parameters of a token request, from a form or from JSON.
#[derive(Default)]
struct Form(Vec<(String, String)>);

impl Form {
    fn one(&self, name: &'static str) -> Result<Option<&str>, Wrong> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        let first = values.next();
        if values.next().is_some() {
            return Err(Wrong::new("invalid_request", "A parameter is given twice."));
        }
        Ok(first.map(String::as_str).filter(|value| !value.is_empty()))
    }
}

/// Trades what proves a client for an access token that lives an hour.
///
/// Takes JSON or a form. The client authenticates in one way of three: by its secret in the body,
/// by its secret with HTTP Basic, or, where it has a key, by an assertion that the key signed
/// (`private_key_jwt`, RFC 7523): ES256 or RS256, `iss` and `sub` the client's id, `aud` the public
/// origin of this server, `exp` at most an hour ahead, and a `jti` that is taken once.
#[utoipa::path(post, path = "/v1/oauth/token", tag = "Authentication",
    request_body(content((TokenRequest = "application/json"),
        (TokenRequest = "application/x-www-form-urlencoded"))),
    responses((status = 200, body = TokenAnswer),
        (status = 400, description = "RFC 6749 section 5.2", body = TokenError),
        (status = 401, description = "Unknown client or wrong secret", body = TokenError),
        (status = 415, description = "Neither JSON nor a form", body = TokenError),
        (status = 429, description = "Too many wrong credentials came from this address")),
    security(()))]
pub(crate) async fn token(
    State(app): State<Arc<App>>,
    origin: Origin,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match answer(&app, &uri, &headers, &body, &origin).await {
        Ok(response) => response,
        Err(wrong) => wrong.into_response(),
    }
}

async fn answer(
    app: &Arc<App>,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    origin: &Origin,
) -> Result<Response, Wrong> {
    let query = Query::parse(uri.query().unwrap_or_default());
    if in_query(&query) {
        return Ok(in_url(app, &query, origin).await);
    }
    let form = read(headers, body)?;
    match form.one("grant_type")? {
        Some("client_credentials") => {}
        Some(_) => {
            let text = "Only client_credentials is supported.";
            return Err(Wrong::new("unsupported_grant_type", text));
        }
        None => return Err(Wrong::new("invalid_request", "`grant_type` is missing.")),
    }
    let (id, proof) = proof(headers, &form)?;
    let issued = match exchange(app, &id, &proof, form.one("scope")?).await {
        Ok(issued) => issued,
        Err(Refusal::InvalidScope) => {
            return Err(Wrong::new("invalid_scope", "The client does not have this scope."));
        }
        Err(Refusal::Failed(error)) => return Ok(error.into_response()),
        Err(refusal) => {
            if let Err(limited) = app.attempts.failed(origin.ip) {
                return Ok(limited.into_response());
            }
            if let Some(client) = ClientId::parse(&id) {
                let event = Event::new("access_token.create", &Actor::Client(client), origin);
                app.audit.note(event.outcome("refused"));
            }
            let by_basic = basic(headers).is_ok_and(|it| it.is_some());
            return Err(unauthenticated(&refusal, &proof, by_basic));
        }
    };
    let event = Event::new("access_token.create", &Actor::Client(issued.client), origin);
    if let Err(error) = app.audit.record(event).await {
        return Ok(error.into_response());
    }
    let mut response = Json(TokenAnswer {
        access_token: issued.token.expose(),
        token_type: "Bearer",
        expires_in: ACCESS_TOKEN_LIFE_S,
        created_at: app.clock.now_ms() / 1_000,
        scope: issued.scopes.to_string(),
    })
    .into_response();
    no_store(response.headers_mut());
    Ok(response)
}

/// Who the client says that it is, and what shall prove it: in one way, not in two.
fn proof(headers: &HeaderMap, form: &Form) -> Result<(String, Proof), Wrong> {
    let invalid = |text| Wrong::new("invalid_request", text);
    let id = form.one("client_id")?;
    let (kind, assertion) = (form.one("client_assertion_type")?, form.one("client_assertion")?);
    match (basic(headers)?, form.one("client_secret")?, assertion) {
        (Some((id, secret)), None, None) => Ok((id, Proof::Secret(secret))),
        (None, Some(secret), None) => {
            let id = id.ok_or_else(|| invalid("`client_id` is missing."))?;
            Ok((id.to_owned(), Proof::Secret(Secret::new(secret))))
        }
        (None, None, Some(_)) if kind != Some(CLIENT_ASSERTION_TYPE) => Err(invalid(
            "`client_assertion_type` must be \
             urn:ietf:params:oauth:client-assertion-type:jwt-bearer.",
        )),
        (None, None, Some(assertion)) => {
            let said = id.map(str::to_owned).or_else(|| prove::subject(assertion));
            let id = said.ok_or_else(|| invalid("`client_id` is missing."))?;
            Ok((id, Proof::Assertion(assertion.to_owned())))
        }
        (None, None, None) => {
            Err(invalid("`client_secret` is missing, or `client_assertion` in its place."))
        }
        _ => Err(invalid("Authenticate in one way, not in two.")),
    }
}

/// What a client is told that was not let in. Only who holds its key hears more.
fn unauthenticated(refusal: &Refusal, proof: &Proof, basic: bool) -> Wrong {
    let text = match (refusal, proof) {
        (Refusal::Assertion(why), _) => *why,
        (_, Proof::Secret(_)) => "The client is unknown or the secret is wrong.",
        (_, Proof::Assertion(_)) => {
            "The client is unknown, or the assertion was not signed with a key of its own: check \
             `kid`, `alg` (ES256 or RS256) and `typ`."
        }
    };
    Wrong { status: StatusCode::UNAUTHORIZED, code: "invalid_client", text, basic }
}

/// The answer to a secret in the URL. A good one is marked, for the operator to revoke.
async fn in_url(app: &Arc<App>, query: &Query, origin: &Origin) -> Response {
    if let Err(limited) = app.attempts.failed(origin.ip) {
        return limited.into_response();
    }
    if let Err(failed) = expose(app, query, origin).await {
        return failed.into_response();
    }
    let text = "Send the secret in the body. Rotate this one.";
    Wrong::new("invalid_request", text).into_response()
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Form, Wrong> {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/x-www-form-urlencoded" => {
            Ok(Form(url::form_urlencoded::parse(body).into_owned().collect()))
        }
        "application/json" => {
            let bad = || Wrong::new("invalid_request", "The body is not a JSON object of strings.");
            let Pairs(pairs) = serde_json::from_slice(body).map_err(|_| bad())?;
            Ok(Form(pairs))
        }
        _ => Err(Wrong {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ..Wrong::new("invalid_request", "Send application/json or a form.")
        }),
    }
}

/// A JSON object with its duplicates kept, so that they can be refused as in a form.
struct Pairs(Vec<(String, String)>);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(
                self,
                mut map: M,
            ) -> Result<Pairs, M::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if let Value::String(value) = value {
                        pairs.push((name, value));
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// Client id and secret of HTTP Basic, form-decoded as RFC 6749 section 2.3.1 wants.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, Wrong> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let bad = || Wrong::new("invalid_request", "The Authorization header cannot be read.");
    let text = value.to_str().map_err(|_| bad())?;
    let Some((scheme, encoded)) = text.split_once(' ') else { return Err(bad()) };
    if !scheme.eq_ignore_ascii_case("basic") {
        // Some clients send an old bearer along; it authenticates nobody here.
        return Ok(None);
    }
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    let (id, secret) = text.split_once(':').ok_or_else(bad)?;
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    Ok(Some((decode(id), Secret::new(decode(secret)))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(kind: &str, authorization: &[u8]) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).ok()?);
        headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(authorization).ok()?);
        Some(headers)
    }

    proptest! {
        #[test]
        fn reading_a_token_request_never_panics(
            body: Vec<u8>, authorization in "(basic |BASIC  ?)?[ -~]{0,40}", form: bool,
        ) {
            let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
            let headers = headers(kind, authorization.as_bytes()).unwrap();
            if let Ok(form) = read(&headers, &body) {
                let _ = (form.one("client_id"), form.one("scope"));
            }
            if let Ok(Some((id, _))) = basic(&headers) {
                prop_assert!(authorization.len() > id.len());
            }
        }

        /// Both forms say the same, and what comes twice is refused in both.
        #[test]
        fn rows_5_to_7_a_form_and_json_are_read_alike(id in "\\PC{1,20}", secret in "\\PC{1,20}") {
            let pairs = [("client_id", &id), ("client_secret", &secret)];
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let json = serde_json::json!({ "client_id": id, "client_secret": secret }).to_string();
            let twice = format!("{form}&client_id=x");
            let json_twice = format!("{{\"client_id\":\"x\",{}", &json[1..]);
            let read = |kind: &str, body: &str| {
                read(&headers(kind, b"").unwrap(), body.as_bytes()).unwrap()
            };
            let kinds = ["application/x-www-form-urlencoded", "application/json; charset=utf-8"];
            for (kind, body, again) in [(kinds[0], &form, &twice), (kinds[1], &json, &json_twice)] {
                let form = read(kind, body);
                prop_assert_eq!(form.one("client_id").unwrap(), Some(&*id));
                prop_assert_eq!(form.one("client_secret").unwrap(), Some(&*secret));
                prop_assert!(read(kind, again).one("client_id").is_err());
            }
        }

        #[test]
        fn basic_comes_back(id in "\\PC{0,20}", secret in "\\PC{0,20}") {
            let form = |text: &str| {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
            };
            let pair = STANDARD.encode(format!("{}:{}", form(&id), form(&secret)));
            let headers = headers("", format!("Basic {pair}").as_bytes()).unwrap();
            let (read_id, read_secret) = basic(&headers).unwrap().unwrap();
            prop_assert_eq!(read_id, id);
            prop_assert_eq!(read_secret.expose(), secret);
        }
    }
}
