//! Apps that are installed at a place instead of granted by a user: the app signs for itself, and
//! gets a token for each place where it is installed.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::answer::{self, ExpiresUnit, Failure, Response, Rules, Tokens};
use crate::jws::{self, Signing};
use crate::request::{Method, Params, Request, RequestError};
use crate::token::add_headers;
use crate::{Secret, endpoint};

/// Seconds for which an app's own proof is good, and by which it is dated back, because the clock
/// of the server may be behind. Together within the ten minutes that are accepted at most.
pub const LIFE_S: i64 = 480;
pub const BACK_S: i64 = 60;

/// The proof of the app itself. `app_id` is the app's number or the id of its OAuth client.
pub fn app_jwt(app_id: &str, signing: &Signing, now_s: i64) -> Result<Secret, RequestError> {
    let claims = jws::claims([
        ("iss", Some(app_id.into())),
        ("iat", Some((now_s - BACK_S).into())),
        ("exp", Some((now_s + LIFE_S).into())),
    ]);
    Ok(signing.jwt(Some("JWT"), &claims)?)
}

/// The request for a token of one installation.
#[derive(Debug, Clone, Copy)]
pub struct Installation<'a> {
    /// Filled by [`crate::template::fill_url`], since the installation's id comes from a browser.
    pub url: &'a str,
    pub headers: &'a Params,
    /// To ask for less than was granted: places and permissions.
    pub body: Option<&'a Value>,
    pub allow_loopback_http: bool,
}

impl Installation<'_> {
    pub fn request(&self, app_jwt: &Secret) -> Result<Request, RequestError> {
        endpoint::check(self.url, self.allow_loopback_http)?;
        let mut request = Request {
            method: Method::Post,
            url: Zeroizing::new(self.url.to_owned()),
            headers: Vec::new(),
            // Some servers answer 411 to a POST without a length.
            body: Some(Secret::new("")),
        };
        let bearer = Zeroizing::new(format!("Bearer {}", app_jwt.expose()));
        request.add_header("authorization", &bearer)?;
        add_headers(&mut request, self.headers)?;
        if let Some(body) = self.body {
            request.add_header("content-type", "application/json")?;
            request.body = Some(Secret::new(body.to_string()));
        }
        Ok(request)
    }
}

/// Reads the answer: `token`, and `expires_at` as a date. There is no refresh token: ask again.
///
/// # Errors
/// [`Failure::Grant`] if the installation is gone, [`Failure::Client`] if the app's key is refused.
pub fn read(response: &Response, now_ms: i64) -> Result<Tokens, Failure> {
    let rules = Rules {
        access_token: "token",
        expires_in: "expires_at",
        expires_unit: ExpiresUnit::EpochSeconds,
        token_type_any: true,
        ..Rules::default()
    };
    // Such servers have no codes: the status is all that they say.
    answer::read(&rules, response, now_ms).map_err(|failure| match failure {
        Failure::Refused(it) if it.status == 401 => Failure::Client(it),
        Failure::Refused(it) if matches!(it.status, 404 | 410) => Failure::Grant(it),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::samples;

    const NOW_MS: i64 = 1_700_000_000_000;

    #[test]
    fn an_app_signs_for_itself_for_ten_minutes_at_most() {
        let key = samples::rsa();
        let jwt = app_jwt("12345", &Signing::with(&key), 1_700_000_000).unwrap();
        let (header, claims) = jws::tests::read(&key, jwt.expose());
        assert_eq!(header, json!({"alg": "RS256", "typ": "JWT"}));
        let expected = json!({"iss": "12345", "iat": 1_699_999_940, "exp": 1_700_000_480});
        assert_eq!(claims, expected);
        const { assert!(LIFE_S + BACK_S <= 600) };
    }

    #[test]
    fn the_request_for_an_installation() {
        let headers = [("Accept".to_owned(), "application/vnd.github+json".to_owned())];
        let headers = Params::from(headers);
        let it = Installation {
            url: "https://api.example/app/installations/7/access_tokens",
            headers: &headers,
            body: None,
            allow_loopback_http: false,
        };
        let jwt = Secret::new("a.b.c");
        let request = it.request(&jwt).unwrap();
        assert_eq!(request.header("authorization"), Some("Bearer a.b.c"));
        assert_eq!(request.header("accept"), Some("application/vnd.github+json"));
        assert_eq!(request.body.unwrap().expose(), "");
        let body = json!({"permissions": {"issues": "read"}});
        let request = Installation { body: Some(&body), ..it }.request(&jwt).unwrap();
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.body.unwrap().expose(), r#"{"permissions":{"issues":"read"}}"#);
        let plain = Installation { url: "http://api.example/", ..it };
        assert!(plain.request(&jwt).is_err());
    }

    #[test]
    fn answers_for_an_installation() {
        let said = |status, body: &'static str| {
            read(&Response { status, retry_after: None, body: body.as_bytes() }, NOW_MS)
        };
        let body = r#"{"token":"ghs_x","expires_at":"2023-11-14T23:13:20Z",
            "permissions":{"issues":"write"},"repository_selection":"all"}"#;
        let it = said(201, body).unwrap();
        assert_eq!(
            (it.access_token.expose(), it.expires_at_ms),
            ("ghs_x", Some(NOW_MS + 3_600_000))
        );
        assert_eq!(it.members.text("permissions.issues").as_deref(), Some("write"));
        let no = r#"{"message":"Not Found","documentation_url":"https://docs.example"}"#;
        assert!(matches!(said(404, no), Err(Failure::Grant(_))));
        assert!(matches!(said(401, no), Err(Failure::Client(_))));
        assert!(matches!(said(403, no), Err(Failure::Refused(_))));
        assert!(matches!(said(500, no), Err(Failure::Transient { .. })));
    }
}
