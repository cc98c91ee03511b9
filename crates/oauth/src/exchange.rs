//! One token for another (RFC 8693).

use crate::Secret;
use crate::answer::{self, Failure, Malformed, Response, Rules, Tokens};
use crate::request::{Request, RequestError};
use crate::token::{Client, Endpoint, request};

pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// Kinds of token (RFC 8693 §3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
/// `token_type` of what is no access token (RFC 8693 §2.2.1).
const NOT_APPLICABLE: &str = "N_A";

/// What is given and what is wanted for it. `resource` is in the endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    pub subject_token: &'a Secret,
    pub subject_token_type: &'a str,
    /// Who acts for the subject: the token and its type.
    pub actor: Option<(&'a Secret, &'a str)>,
    pub requested_token_type: Option<&'a str>,
    /// Each is sent by itself.
    pub audiences: &'a [&'a str],
    /// Nothing is sent for an empty text.
    pub scope: &'a str,
}

/// The request (RFC 8693 §2.1).
pub fn ask(
    endpoint: &Endpoint,
    client: Option<&Client>,
    it: &Exchange,
) -> Result<Request, RequestError> {
    let mut pairs = vec![
        ("grant_type", GRANT_TYPE),
        ("subject_token", it.subject_token.expose()),
        ("subject_token_type", it.subject_token_type),
    ];
    if let Some((token, kind)) = it.actor {
        pairs.extend([("actor_token", token.expose()), ("actor_token_type", kind)]);
    }
    pairs.extend(it.requested_token_type.map(|it| ("requested_token_type", it)));
    pairs.extend(it.audiences.iter().map(|it| ("audience", *it)));
    pairs.extend((!it.scope.is_empty()).then_some(("scope", it.scope)));
    request(endpoint, client, pairs)
}

/// What the server gave.
#[derive(Debug)]
pub struct Exchanged {
    /// `access_token` is the token, whatever its kind.
    pub tokens: Tokens,
    /// [`ACCESS_TOKEN`] and so on. Some servers leave it out, though they must not.
    pub issued_token_type: Option<String>,
    /// It is for another exchange or a login, and no access token.
    pub not_for_apis: bool,
}

/// Reads the answer (RFC 8693 §2.2).
pub fn read(rules: &Rules, response: &Response, now_ms: i64) -> Result<Exchanged, Failure> {
    let any = Rules { token_type_any: true, ..*rules };
    let tokens = answer::read(&any, response, now_ms)?;
    let kind = tokens.token_type.as_deref().unwrap_or_default().trim();
    let not_for_apis = kind.eq_ignore_ascii_case(NOT_APPLICABLE);
    let bearer = kind.is_empty() || kind.eq_ignore_ascii_case("bearer");
    let dpop = rules.dpop && kind.eq_ignore_ascii_case("dpop");
    if !(not_for_apis || bearer || dpop || rules.token_type_any) {
        return Err(Failure::Malformed(Malformed::TokenType));
    }
    let issued_token_type = tokens.members.text("issued_token_type");
    Ok(Exchanged { tokens, issued_token_type, not_for_apis })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Params;
    use crate::token::{BodyFormat, ClientAuth};

    static NONE: Params = Params::new();

    fn answer(body: &str) -> Result<Exchanged, Failure> {
        let response = Response { status: 200, retry_after: None, body: body.as_bytes() };
        read(&Rules::default(), &response, 0)
    }

    /// The request of RFC 8693 §2.3, with what the others of its examples add.
    #[test]
    fn everything_that_can_be_said() {
        let endpoint = Endpoint {
            url: "https://as.example.com/as/token.oauth2",
            format: BodyFormat::Form,
            params: &NONE,
            headers: &NONE,
            param_names: &NONE,
            resources: &["https://backend.example.com/api"],
            allow_loopback_http: false,
        };
        let (subject, actor) =
            (Secret::new("accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC"), Secret::new("a"));
        let it = Exchange {
            subject_token: &subject,
            subject_token_type: ACCESS_TOKEN,
            actor: Some((&actor, JWT)),
            requested_token_type: Some(ID_TOKEN),
            audiences: &["one", "two"],
            scope: "read",
        };
        let client = Client { id: "c", secret: None, auth: ClientAuth::None };
        let request = ask(&endpoint, Some(&client), &it).unwrap();
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3A";
        let expected = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
            &subject_token=accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC\
            &subject_token_type={kind}access_token&actor_token=a&actor_token_type={kind}jwt\
            &requested_token_type={kind}id_token&audience=one&audience=two&scope=read\
            &resource=https%3A%2F%2Fbackend.example.com%2Fapi&client_id=c"
        );
        assert_eq!(request.body.unwrap().expose(), expected);
    }

    #[test]
    fn answers_say_what_was_issued() {
        let it = answer(
            r#"{"access_token":"t","token_type":"Bearer","expires_in":60,
            "issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#,
        );
        let it = it.unwrap();
        assert_eq!(it.issued_token_type.as_deref(), Some(ACCESS_TOKEN));
        assert_eq!((it.tokens.expires_at_ms, it.not_for_apis), (Some(60_000), false));
        let it = answer(r#"{"access_token":"t","token_type":"N_A"}"#).unwrap();
        assert!(it.not_for_apis && it.issued_token_type.is_none());
        for kind in ["mac", "DPoP"] {
            let body = format!(r#"{{"access_token":"t","token_type":"{kind}"}}"#);
            let error = answer(&body).unwrap_err();
            assert_eq!(error, Failure::Malformed(Malformed::TokenType));
        }
    }
}
