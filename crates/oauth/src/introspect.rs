//! Asking the server about a token (RFC 7662).

use crate::Secret;
use crate::answer::{self, Failure, Malformed, Members, Response, Rules};
use crate::request::{Request, RequestError};
use crate::revoke::Kind;
use crate::token::{Client, Endpoint, request};

/// The request (RFC 7662 §2.1).
pub fn ask(
    endpoint: &Endpoint,
    client: &Client,
    token: &Secret,
    hint: Option<Kind>,
) -> Result<Request, RequestError> {
    let mut pairs = vec![("token", token.expose())];
    pairs.extend(hint.map(|it| ("token_type_hint", it.as_str())));
    request(endpoint, Some(client), pairs)
}

/// What the server knows of a token.
#[derive(Debug)]
pub struct Known {
    /// `false`: ended, unknown, or not for this client to ask about.
    pub active: bool,
    pub scopes: Vec<String>,
    /// Seconds since 1970.
    pub expires_s: Option<i64>,
    pub members: Members,
}

/// Reads the answer (RFC 7662 §2.2).
pub fn read(rules: &Rules, response: &Response, now_ms: i64) -> Result<Known, Failure> {
    let members = answer::members(rules, response, now_ms)?;
    let active = members.get("active").and_then(serde_json::Value::as_bool);
    let scope = members.text("scope").unwrap_or_default();
    Ok(Known {
        active: active.ok_or(Failure::Malformed(Malformed::Missing("active")))?,
        scopes: scope.split_whitespace().map(str::to_owned).collect(),
        expires_s: members.get("exp").and_then(serde_json::Value::as_i64),
        members,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Params;
    use crate::token::{BodyFormat, ClientAuth};

    static NONE: Params = Params::new();

    #[test]
    fn the_request_of_rfc_7662_section_2_1() {
        let endpoint = Endpoint {
            url: "https://server.example.com/introspect",
            format: BodyFormat::Form,
            params: &NONE,
            headers: &NONE,
            param_names: &NONE,
            resources: &[],
            allow_loopback_http: false,
        };
        let (token, secret) = (Secret::new("mF_9.B5f-4.1JqM"), Secret::new("gX1fBat3bV"));
        let client = Client { id: "s6BhdRkqt3", secret: Some(&secret), auth: ClientAuth::Basic };
        let request = ask(&endpoint, &client, &token, Some(Kind::Access)).unwrap();
        let expected = "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW";
        assert_eq!(request.header("authorization"), Some(expected));
        let body = "token=mF_9.B5f-4.1JqM&token_type_hint=access_token";
        assert_eq!(request.body.unwrap().expose(), body);
    }

    #[test]
    fn answers() {
        let known = |body: &str| {
            let response = Response { status: 200, retry_after: None, body: body.as_bytes() };
            read(&Rules::default(), &response, 0)
        };
        let it = known(r#"{"active":true,"scope":"read write","exp":1419356238}"#).unwrap();
        assert!(it.active);
        assert_eq!((it.scopes.len(), it.expires_s), (2, Some(1_419_356_238)));
        assert!(!known(r#"{"active":false}"#).unwrap().active);
        for body in ["{}", r#"{"active":"true"}"#] {
            let error = known(body).unwrap_err();
            assert_eq!(error, Failure::Malformed(Malformed::Missing("active")));
        }
    }
}
