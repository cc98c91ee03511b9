//! Tokens without a browser (RFC 6749 §4.3, §4.4, RFC 7523 §2.1). Answers are read by
//! [`crate::answer::read`].

use crate::Secret;
use crate::request::{Request, RequestError};
use crate::token::{Client, Endpoint, request};

/// `grant_type` of an assertion (RFC 7523 §2.1).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What tokens are wanted for, besides `endpoint.resources`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Joined as the server wants them; nothing is sent for an empty text.
    pub scope: &'a str,
    /// Not of any standard for these grants; some servers cannot do without.
    pub audience: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn add_to(&self, pairs: &mut Vec<(&'a str, &'a str)>) {
        pairs.extend((!self.scope.is_empty()).then_some(("scope", self.scope)));
        pairs.extend(self.audience.map(|it| ("audience", it)));
    }
}

/// The client's own token (RFC 6749 §4.4.2). The answer has no refresh token: ask again.
pub fn client_credentials(
    endpoint: &Endpoint,
    client: &Client,
    wanted: &Wanted,
) -> Result<Request, RequestError> {
    let mut pairs = vec![("grant_type", "client_credentials")];
    wanted.add_to(&mut pairs);
    request(endpoint, Some(client), pairs)
}

/// A token for an assertion, made by [`crate::bearer::Claims`] (RFC 7523 §2.1). Most servers know
/// the client by the assertion alone.
pub fn jwt_bearer(
    endpoint: &Endpoint,
    client: Option<&Client>,
    assertion: &Secret,
    wanted: &Wanted,
) -> Result<Request, RequestError> {
    let mut pairs = vec![("grant_type", JWT_BEARER), ("assertion", assertion.expose())];
    wanted.add_to(&mut pairs);
    request(endpoint, client, pairs)
}

/// A token for a user's password (RFC 6749 §4.3.2), which RFC 9700 §2.4 forbids: only where an app
/// has no other way in, and its file says so. The password is needed for this one request.
pub fn legacy_password(
    endpoint: &Endpoint,
    client: Option<&Client>,
    (username, password): (&str, &Secret),
    wanted: &Wanted,
) -> Result<Request, RequestError> {
    let user = [("username", username), ("password", password.expose())];
    let mut pairs = vec![("grant_type", "password")];
    pairs.extend(user);
    wanted.add_to(&mut pairs);
    request(endpoint, client, pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Params;
    use crate::token::{BodyFormat, ClientAuth};

    static NONE: Params = Params::new();

    fn endpoint() -> Endpoint<'static> {
        Endpoint {
            url: "https://as.example/token",
            format: BodyFormat::Form,
            params: &NONE,
            headers: &NONE,
            param_names: &NONE,
            resources: &["https://api.example"],
            allow_loopback_http: false,
        }
    }

    fn body(request: &Request) -> &str {
        request.body.as_ref().unwrap().expose()
    }

    #[test]
    fn client_credentials_with_all_that_can_be_wanted() {
        let secret = Secret::new("s");
        let client = Client { id: "c", secret: Some(&secret), auth: ClientAuth::Post };
        let wanted = Wanted { scope: "a b", audience: Some("https://x.example") };
        let request = client_credentials(&endpoint(), &client, &wanted).unwrap();
        let expected = "grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fx.example\
            &resource=https%3A%2F%2Fapi.example&client_id=c&client_secret=s";
        assert_eq!(body(&request), expected);
        let plain = Endpoint { resources: &[], ..endpoint() };
        let request = client_credentials(&plain, &client, &Wanted::default()).unwrap();
        assert_eq!(body(&request), "grant_type=client_credentials&client_id=c&client_secret=s");
    }

    #[test]
    fn an_assertion_needs_no_client() {
        let plain = Endpoint { resources: &[], ..endpoint() };
        let assertion = Secret::new("a.b.c");
        let request = jwt_bearer(&plain, None, &assertion, &Wanted::default()).unwrap();
        let expected =
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c";
        assert_eq!(body(&request), expected);
        assert_eq!(request.header("authorization"), None);
        let client = Client { id: "c", secret: None, auth: ClientAuth::None };
        let request = jwt_bearer(&plain, Some(&client), &assertion, &Wanted::default()).unwrap();
        assert_eq!(body(&request), format!("{expected}&client_id=c"));
    }

    #[test]
    fn f_09_a_password_where_there_is_no_other_way() {
        let plain = Endpoint { resources: &[], ..endpoint() };
        let user = ("johndoe", &Secret::new("A3ddj3w"));
        let request = legacy_password(&plain, None, user, &Wanted::default()).unwrap();
        // RFC 6749 §4.3.2.
        assert_eq!(body(&request), "grant_type=password&username=johndoe&password=A3ddj3w");
    }
}
