//! Users who sign in on another device (RFC 8628).

use std::time::Duration;

use crate::answer::{self, Failure, Malformed, Response, Rules, Tokens};
use crate::encode::cleaned;
use crate::request::{Request, RequestError};
use crate::token::{Client, Endpoint, request};
use crate::{Secret, endpoint};

pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long to wait between polls if the server does not say, and by how much longer it makes us
/// wait each time (RFC 8628 §3.2, §3.5). Seconds.
pub const INTERVAL_S: u64 = 5;
pub const SLOWER_S: u64 = 5;
/// A server cannot make us wait longer than this between polls. Seconds.
pub const INTERVAL_S_MAX: u64 = 300;
/// A flow lives this long if the server does not say, though it must, and no longer than the other.
/// Seconds.
const LIFE_S: i64 = 600;
const LIFE_S_MAX: i64 = 24 * 3_600;
/// Characters of a code that a person can be asked to type.
const USER_CODE_CHARS_MAX: usize = 64;

/// A flow that has begun. Show the user the code and the address.
#[derive(Debug)]
pub struct Started {
    pub device_code: Secret,
    /// Printable. To be shown as text and compared by the user (RFC 8628 §5.4).
    pub user_code: String,
    /// `https`, so that it may be shown as a link.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code. Show the code beside it (RFC 8628 §3.3.1).
    pub verification_uri_complete: Option<String>,
    /// Milliseconds since 1970.
    pub expires_at_ms: i64,
    /// Seconds between the end of one poll and the begin of the next.
    pub interval_s: u64,
}

/// The request that begins a flow (RFC 8628 §3.1). Nothing is sent for an empty scope.
pub fn start(endpoint: &Endpoint, client: &Client, scope: &str) -> Result<Request, RequestError> {
    let id = ("client_id", client.id);
    let scope = (!scope.is_empty()).then_some(("scope", scope));
    request(endpoint, Some(client), [id].into_iter().chain(scope).collect())
}

/// Reads the answer to [`start`] (RFC 8628 §3.2).
pub fn read_start(
    rules: &Rules,
    response: &Response,
    now_ms: i64,
    allow_loopback_http: bool,
) -> Result<Started, Failure> {
    let members = answer::members(rules, response, now_ms)?;
    let missing = |name| Failure::Malformed(Malformed::Missing(name));
    let link = |name: &str| {
        members.text(name).filter(|it| endpoint::check(it, allow_loopback_http).is_ok())
    };
    let user_code = members.text("user_code").map(|it| it.trim().to_owned());
    let shown = |it: &String| !it.is_empty() && cleaned(it, USER_CODE_CHARS_MAX) == *it;
    let expires_at_ms = answer::expires_at_ms(&members, "expires_in", now_ms);
    let most = now_ms.saturating_add(LIFE_S_MAX * 1_000);
    let interval_s = members.text("interval").and_then(|it| it.parse::<f64>().ok());
    Ok(Started {
        device_code: answer::secret(&members, "device_code").ok_or(missing("device_code"))?,
        user_code: user_code.filter(shown).ok_or(missing("user_code"))?,
        // The other spelling is of before the standard, and still in use.
        verification_uri: link("verification_uri")
            .or_else(|| link("verification_url"))
            .ok_or(missing("verification_uri"))?,
        verification_uri_complete: link("verification_uri_complete")
            .or_else(|| link("verification_url_complete")),
        expires_at_ms: expires_at_ms.unwrap_or(now_ms.saturating_add(LIFE_S * 1_000)).min(most),
        interval_s: interval_s.map_or(INTERVAL_S, whole_seconds),
    })
}

/// A number that is none, or less than nothing, is as good as not said.
fn whole_seconds(interval_s: f64) -> u64 {
    let told = Duration::try_from_secs_f64(interval_s.ceil()).map(|it| it.as_secs());
    told.unwrap_or(INTERVAL_S).clamp(1, INTERVAL_S_MAX)
}

/// The request that asks whether the user has signed in (RFC 8628 §3.4).
pub fn poll(
    endpoint: &Endpoint,
    client: &Client,
    device_code: &Secret,
) -> Result<Request, RequestError> {
    let code = ("device_code", device_code.expose());
    request(endpoint, Some(client), vec![("grant_type", GRANT_TYPE), code])
}

/// What a poll says (RFC 8628 §3.5).
#[derive(Debug)]
pub enum Polled {
    Granted(Box<Tokens>),
    /// Ask again after so many seconds.
    Pending {
        interval_s: u64,
    },
    /// The user was too slow: begin anew.
    Expired,
    /// The user said no.
    Denied,
    /// [`Failure::Transient`] may be asked again, more and more seldom; any other is the end.
    Failed(Failure),
}

/// Reads the answer to [`poll`], which was sent with `interval_s`.
pub fn read_poll(rules: &Rules, response: &Response, now_ms: i64, interval_s: u64) -> Polled {
    let failure = match answer::read(rules, response, now_ms) {
        Ok(tokens) => return Polled::Granted(Box::new(tokens)),
        Err(failure) => failure,
    };
    let slower_s = (interval_s + SLOWER_S).min(INTERVAL_S_MAX);
    match &failure {
        Failure::Grant(it) | Failure::Refused(it) | Failure::Transient { error: Some(it), .. } => {
            let code = rules.errors.get(&it.code).unwrap_or(&it.code);
            match code.as_str() {
                "authorization_pending" => Polled::Pending { interval_s },
                "slow_down" => Polled::Pending { interval_s: slower_s },
                "expired_token" => Polled::Expired,
                "access_denied" => Polled::Denied,
                _ => Polled::Failed(failure),
            }
        }
        _ => Polled::Failed(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Params;
    use crate::token::{BodyFormat, ClientAuth};

    const NOW_MS: i64 = 1_700_000_000_000;
    static NONE: Params = Params::new();

    fn response(status: u16, body: &str) -> Response<'_> {
        Response { status, retry_after: None, body: body.as_bytes() }
    }

    fn started(body: &str) -> Result<Started, Failure> {
        read_start(&Rules::default(), &response(200, body), NOW_MS, false)
    }

    #[test]
    fn the_requests_of_rfc_8628() {
        let endpoint = Endpoint {
            url: "https://server.example.com/device_authorization",
            format: BodyFormat::Form,
            params: &NONE,
            headers: &NONE,
            param_names: &NONE,
            resources: &[],
            allow_loopback_http: false,
        };
        let client = Client { id: "1406020730", secret: None, auth: ClientAuth::None };
        let request = start(&endpoint, &client, "example_scope").unwrap();
        // §3.1
        assert_eq!(request.body.unwrap().expose(), "client_id=1406020730&scope=example_scope");
        let code = Secret::new("GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS");
        let request = poll(&endpoint, &client, &code).unwrap();
        // §3.4
        let expected = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
            &device_code=GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS&client_id=1406020730";
        assert_eq!(request.body.unwrap().expose(), expected);
        let secret = Secret::new("s");
        let client = Client { id: "c", secret: Some(&secret), auth: ClientAuth::Basic };
        let request = start(&endpoint, &client, "").unwrap();
        assert!(request.header("authorization").is_some());
        assert_eq!(request.body.unwrap().expose(), "client_id=c");
    }

    #[test]
    fn the_answer_of_rfc_8628_section_3_2() {
        let body = r#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
            "user_code":"WDJB-MJHT","verification_uri":"https://example.com/device",
            "verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT",
            "expires_in":1800,"interval":5}"#;
        let it = started(body).unwrap();
        assert_eq!(it.device_code.expose(), "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS");
        assert_eq!(it.user_code, "WDJB-MJHT");
        assert_eq!(it.verification_uri, "https://example.com/device");
        let complete = "https://example.com/device?user_code=WDJB-MJHT";
        assert_eq!(it.verification_uri_complete.as_deref(), Some(complete));
        assert_eq!((it.expires_at_ms, it.interval_s), (NOW_MS + 1_800_000, 5));
        assert!(!format!("{it:?}").contains("GmRh"));
    }

    #[test]
    fn what_is_shown_to_a_user_is_fit_to_be_shown() {
        let with = |code: &str, uri: &str, more: &str| {
            let body = serde_json::json!({"device_code": "d", "user_code": code});
            let body = body.to_string().replace('}', "");
            started(&format!("{body},\"verification_uri\":\"{uri}\"{more}}}"))
        };
        let it = with("A", "https://x.example/", r#","interval":1e9,"expires_in":1e18"#).unwrap();
        assert_eq!(it.interval_s, INTERVAL_S_MAX);
        assert_eq!(it.expires_at_ms, NOW_MS + LIFE_S_MAX * 1_000);
        let it = with("A", "https://x.example/", r#","interval":-3"#).unwrap();
        assert_eq!((it.interval_s, it.expires_at_ms), (INTERVAL_S, NOW_MS + LIFE_S * 1_000));
        for uri in ["javascript:alert(1)", "http://x.example/", "https://u:p@x.example/", ""] {
            let error = with("A", uri, "").unwrap_err();
            assert_eq!(error, Failure::Malformed(Malformed::Missing("verification_uri")), "{uri}");
        }
        for code in ["", "a\u{202e}b", "a\nb", &"A".repeat(65)] {
            let error = with(code, "https://x.example/", "").unwrap_err();
            assert_eq!(error, Failure::Malformed(Malformed::Missing("user_code")), "{code}");
        }
    }

    #[test]
    fn every_answer_to_a_poll() {
        let polled =
            |status, body| read_poll(&Rules::default(), &response(status, body), NOW_MS, 5);
        assert!(matches!(polled(200, r#"{"access_token":"t"}"#), Polled::Granted(_)));
        let error = |code: &str| polled(400, format!(r#"{{"error":"{code}"}}"#).leak());
        assert!(matches!(error("authorization_pending"), Polled::Pending { interval_s: 5 }));
        assert!(matches!(error("slow_down"), Polled::Pending { interval_s: 10 }));
        assert!(matches!(error("expired_token"), Polled::Expired));
        assert!(matches!(error("access_denied"), Polled::Denied));
        assert!(matches!(error("invalid_grant"), Polled::Failed(Failure::Grant(_))));
        assert!(matches!(error("invalid_client"), Polled::Failed(Failure::Client(_))));
        assert!(matches!(polled(502, "<html>"), Polled::Failed(Failure::Transient { .. })));
        // Some say so with a status that means it.
        let body = r#"{"error":"slow_down"}"#;
        assert!(matches!(polled(429, body), Polled::Pending { interval_s: 10 }));
    }
}
