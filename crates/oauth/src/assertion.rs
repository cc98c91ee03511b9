//! Clients that prove themselves with a JWT (RFC 7523 §2.2, `OpenID` Connect Core §9).

use serde_json::{Map, Value};

use crate::Secret;
use crate::jws::{self, Signing, Stamp};
use crate::key::KeyError;

/// Sent beside the assertion (RFC 7523 §2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good. Seconds; long enough for clocks that differ, never above 300.
pub const LIFE_S: i64 = 120;

/// A proof for one request, to be put into [`crate::token::ClientAuth::Assertion`]. Make a new one
/// for each request: its `jti` may be used once (RFC 7523 §3).
#[derive(Debug, Clone, Copy)]
pub struct ClientAssertion<'a> {
    pub client_id: &'a str,
    /// The issuer of the server, or its token endpoint where it wants that (RFC 7523 §3, 3.).
    pub audience: &'a str,
    pub stamp: Stamp<'a>,
}

impl ClientAssertion<'_> {
    /// `private_key_jwt`.
    pub fn by_key(&self, signing: &Signing) -> Result<Secret, KeyError> {
        signing.jwt(Some("JWT"), &self.claims())
    }

    /// `client_secret_jwt`, with HS256.
    pub fn by_secret(&self, client_secret: &Secret) -> Secret {
        let claims = Value::Object(self.claims()).to_string();
        jws::by_secret(client_secret, r#"{"alg":"HS256","typ":"JWT"}"#, &claims)
    }

    fn claims(&self) -> Map<String, Value> {
        jws::claims([
            ("iss", Some(self.client_id.into())),
            ("sub", Some(self.client_id.into())),
            ("aud", Some(self.audience.into())),
            ("jti", Some(self.stamp.jti.into())),
            ("iat", Some(self.stamp.now_s.into())),
            ("exp", Some((self.stamp.now_s + LIFE_S).into())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Wanted;
    use crate::jws::tests::read;
    use crate::key::samples;
    use crate::request::{Method, Params};
    use crate::revoke::{Place, Revoke};
    use crate::token::{BodyFormat, Client, ClientAuth, Endpoint};
    use crate::{device, grant, introspect, token};

    #[test]
    fn an_assertion_says_who_to_whom_and_for_how_long() {
        let stamp = Stamp { jti: "j1", now_s: 1_700_000_000 };
        let audience = "https://as.example";
        let it = ClientAssertion { client_id: "c", audience, stamp };
        let key = samples::p256().with_kid("k1");
        let (header, claims) = read(&key, it.by_key(&Signing::with(&key)).unwrap().expose());
        let expected = serde_json::json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
        assert_eq!(header, expected);
        let expected = serde_json::json!({
            "iss": "c", "sub": "c", "aud": audience, "jti": "j1",
            "iat": 1_700_000_000, "exp": 1_700_000_120,
        });
        assert_eq!(claims, expected);
        const { assert!(LIFE_S <= 300) };
    }

    #[test]
    fn an_assertion_goes_wherever_a_client_proves_itself() {
        let (jwt, token, none) = (Secret::new("a.b.c"), Secret::new("t"), Params::new());
        let client = Client { id: "c", secret: None, auth: ClientAuth::Assertion(&jwt) };
        let endpoint = Endpoint {
            url: "https://as.example/x",
            format: BodyFormat::Form,
            params: &none,
            headers: &none,
            param_names: &none,
            resources: &[],
            allow_loopback_http: false,
        };
        let revoke = Revoke {
            method: Method::Post,
            url: "https://as.example/x",
            place: Place::Form,
            param: "token",
            hint: None,
            params: &none,
            headers: &none,
            client: Some(client),
            allow_loopback_http: false,
        };
        for request in [
            grant::client_credentials(&endpoint, &client, &Wanted::default()),
            token::refresh(&endpoint, &client, &token),
            device::start(&endpoint, &client, "s"),
            device::poll(&endpoint, &client, &token),
            introspect::ask(&endpoint, &client, &token, None),
            revoke.request(&token),
        ] {
            let body = request.unwrap().body.unwrap();
            let pairs = url::form_urlencoded::parse(body.expose().as_bytes());
            let proofs: Vec<_> = pairs.filter(|(name, _)| name.starts_with("client_")).collect();
            let expected = [
                ("client_id".into(), "c".into()),
                ("client_assertion_type".into(), CLIENT_ASSERTION_TYPE.into()),
                ("client_assertion".into(), "a.b.c".into()),
            ];
            assert_eq!(proofs, expected);
        }
    }

    #[test]
    fn a_secret_signs_the_same_claims() {
        let stamp = Stamp { jti: "j1", now_s: 1 };
        let it = ClientAssertion { client_id: "c", audience: "a", stamp };
        let jwt = it.by_secret(&Secret::new("s"));
        let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"s");
        let expected = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        let signature = crate::jws::tests::decoded(signature);
        assert_eq!(signature, expected.as_ref());
    }
}
