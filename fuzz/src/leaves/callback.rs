//! The query with which an app sends the browser back.

use grantkeep_oauth::callback::{Outcome, check_issuer, parse};

use super::assert_message;

/// Parameters with a meaning: none may come twice, none may hide among the others.
const KNOWN: [&str; 7] =
    ["code", "error", "oauth_token", "oauth_verifier", "denied", "state", "iss"];
/// Of these one comes, and one only.
const OUTCOMES: [&str; 4] = ["code", "error", "denied", "oauth_verifier"];

pub fn run(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let Ok(read) = parse(query) else { return };
    let sent = |name: &str| {
        url::form_urlencoded::parse(query.as_bytes()).filter(|(it, _)| it == name).count()
    };
    for name in KNOWN {
        assert!(sent(name) <= 1, "{name} came twice");
        assert!(!read.others.contains_key(name), "{name} among the others");
    }
    assert_eq!(OUTCOMES.iter().map(|name| sent(name)).sum::<usize>(), 1, "both yes and no");
    match &read.outcome {
        Outcome::Code(code) => {
            assert_eq!(sent("code"), 1);
            assert_visible(code.expose());
        }
        Outcome::Verifier { token, verifier } => {
            assert_eq!(sent("oauth_verifier"), 1);
            assert_visible(token.expose());
            assert_visible(verifier.expose());
        }
        Outcome::Denied(denied) => {
            assert!(!denied.error.is_empty());
            assert_message(&denied.error, 256);
            denied.description.iter().for_each(|it| assert_message(it, 256));
        }
    }
    read.state.iter().for_each(|it| assert_visible(it.expose()));
    read.iss.iter().for_each(|it| assert_visible(it));
    let asked = "https://as.example";
    let agrees = check_issuer(read.iss.as_deref(), Some(asked), true).is_ok();
    assert_eq!(agrees, read.iss.as_deref() == Some(asked), "the issuer");
}

/// Characters of RFC 6749 Appendix A, and none that means something in HTML.
fn assert_visible(text: &str) {
    assert!(!text.is_empty());
    assert!(text.bytes().all(|it| it.is_ascii_graphic() && !b"<>\"".contains(&it)), "{text:?}");
}
