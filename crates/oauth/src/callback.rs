//! What comes back in the browser: the query of the callback (RFC 6749 §4.1.2, RFC 5849 §2.2).

use std::collections::BTreeMap;

use crate::Secret;
use crate::encode::cleaned;

/// A query longer than this is not looked at. Bytes.
const QUERY_BYTES_MAX: usize = 32 * 1024;
/// A code or verifier longer than this is refused. Characters.
const CODE_CHARS_MAX: usize = 8_192;
/// A state or issuer longer than this is refused. Characters.
const VALUE_CHARS_MAX: usize = 2_048;
/// What is kept of a message from the server. Characters.
const MESSAGE_CHARS_MAX: usize = 256;

const CODE: &str = "code";
const ERROR: &str = "error";
const TOKEN: &str = "oauth_token";
const VERIFIER: &str = "oauth_verifier";
const DENIED: &str = "denied";
const STATE: &str = "state";
const ISS: &str = "iss";
const DESCRIPTION: &str = "error_description";
const URI: &str = "error_uri";
const KNOWN: [&str; 9] = [CODE, ERROR, TOKEN, VERIFIER, DENIED, STATE, ISS, DESCRIPTION, URI];

/// A callback in order. Check the state and the issuer before anything of it is used or shown.
#[derive(Debug)]
pub struct Callback {
    pub outcome: Outcome,
    pub state: Option<Secret>,
    /// The issuer identifier (RFC 9207); see [`check_issuer`].
    pub iss: Option<String>,
    /// All other parameters that came once: `realmId` at Intuit. They come from a browser.
    pub others: BTreeMap<String, String>,
}

#[derive(Debug)]
pub enum Outcome {
    /// To be exchanged for tokens.
    Code(Secret),
    /// The same in OAuth 1.0a; `token` must be the request token of the flow.
    Verifier { token: Secret, verifier: Secret },
    /// The server or the user said no.
    Denied(Denied),
}

/// Why it was refused, as text: at most 256 printable characters each. Never to be shown as HTML
/// or as a link, and not at all if the issuer is wrong (RFC 9207 §2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// `access_denied` if the user said no.
    pub error: String,
    pub description: Option<String>,
}

/// A callback that no server in order sends. Holds names of parameters, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    #[error("the callback is too long")]
    TooLong,
    #[error("`{0}` came more than once")]
    Repeated(&'static str),
    #[error("the callback says both yes and no")]
    Mixed,
    #[error("the callback has neither a code nor an error")]
    Missing,
    #[error("`{0}` is empty, too long, or has characters that it cannot have")]
    Unusable(&'static str),
}

/// Reads the raw query, without its `?`.
///
/// Anything doubtful is an error and not a guess: a parameter sent twice (RFC 6749 §3.1), a code
/// together with an error, a code with characters that no server sends.
pub fn parse(query: &str) -> Result<Callback, CallbackError> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(CallbackError::TooLong);
    }
    let (mut known, others) = sorted(query)?;
    let outcome = outcome(&mut known)?;
    let state = known.remove(STATE).map(|it| usable(STATE, it, VALUE_CHARS_MAX)).transpose()?;
    let iss = known.remove(ISS).map(|it| usable(ISS, it, VALUE_CHARS_MAX)).transpose()?;
    Ok(Callback { outcome, state: state.map(Secret::new), iss, others })
}

type Pairs = BTreeMap<String, String>;

/// Parameters with a meaning here, and all others. Of others that repeat none is kept: which one
/// was meant cannot be known.
fn sorted(query: &str) -> Result<(Pairs, Pairs), CallbackError> {
    let (mut known, mut others, mut repeated) = (Pairs::new(), Pairs::new(), Vec::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
        if let Some(meant) = KNOWN.iter().find(|it| **it == name) {
            if known.insert(name, value).is_some() {
                return Err(CallbackError::Repeated(meant));
            }
        } else if let Some(first) = others.insert(name.clone(), value) {
            drop(first);
            repeated.push(name);
        }
    }
    others.retain(|name, _| !repeated.contains(name));
    Ok((known, others))
}

fn outcome(known: &mut Pairs) -> Result<Outcome, CallbackError> {
    let [code, error, denied, verifier] =
        [CODE, ERROR, DENIED, VERIFIER].map(|name| known.remove(name));
    let token = known.remove(TOKEN);
    match (code, error, denied, verifier) {
        (Some(code), None, None, None) => {
            usable(CODE, code, CODE_CHARS_MAX).map(|it| Outcome::Code(Secret::new(it)))
        }
        (None, Some(error), None, None) => {
            let error = cleaned(&error, MESSAGE_CHARS_MAX);
            if error.is_empty() {
                return Err(CallbackError::Unusable(ERROR));
            }
            let description = known.get(DESCRIPTION).map(|it| cleaned(it, MESSAGE_CHARS_MAX));
            let description = description.filter(|it| !it.is_empty());
            Ok(Outcome::Denied(Denied { error, description }))
        }
        // Not in RFC 5849; what servers send when the user says no.
        (None, None, Some(_), None) => {
            Ok(Outcome::Denied(Denied { error: "access_denied".to_owned(), description: None }))
        }
        (None, None, None, Some(verifier)) => {
            let verifier = usable(VERIFIER, verifier, CODE_CHARS_MAX)?;
            let token = usable(TOKEN, token.unwrap_or_default(), CODE_CHARS_MAX)?;
            Ok(Outcome::Verifier { token: Secret::new(token), verifier: Secret::new(verifier) })
        }
        (None, None, None, None) => Err(CallbackError::Missing),
        _ => Err(CallbackError::Mixed),
    }
}

/// RFC 6749 Appendix A allows all visible characters; no server uses those that mean something in
/// HTML, and a replaced byte (invalid UTF-8) is not ASCII.
fn usable(name: &'static str, value: String, chars_max: usize) -> Result<String, CallbackError> {
    let odd = |it: u8| !it.is_ascii_graphic() || matches!(it, b'<' | b'>' | b'"');
    if value.is_empty() || value.len() > chars_max || value.bytes().any(odd) {
        return Err(CallbackError::Unusable(name));
    }
    Ok(value)
}

/// The answer may come from another server than was asked: stop, and show nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    #[error("the server must name itself in its answer and did not")]
    Missing,
    #[error("the answer is from another issuer than was asked")]
    Differs,
}

/// Compares the issuer of the answer with the recorded one, character by character without any
/// normalisation (RFC 9207 §2.4). `required`: the server's metadata says that it always sends it.
pub fn check_issuer(
    given: Option<&str>,
    recorded: Option<&str>,
    required: bool,
) -> Result<(), IssuerError> {
    match (given, recorded) {
        (None, _) if required => Err(IssuerError::Missing),
        (Some(given), Some(recorded)) if given != recorded => Err(IssuerError::Differs),
        // Required, and nothing to compare with: that cannot be called a match.
        (Some(_), None) if required => Err(IssuerError::Differs),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(query: &str) -> CallbackError {
        parse(query).unwrap_err()
    }

    fn denied(query: &str) -> Denied {
        match parse(query).unwrap().outcome {
            Outcome::Denied(denied) => denied,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_code_with_its_state() {
        let it = parse("code=4%2F0AX%2B-_.~&state=s%201x".replace("%20", "").as_str()).unwrap();
        assert!(matches!(&it.outcome, Outcome::Code(code) if code.expose() == "4/0AX+-_.~"));
        assert_eq!(it.state.unwrap().expose(), "s1x");
        assert_eq!(it.iss, None);
    }

    #[test]
    fn f_07_doubtful_callbacks_are_refused() {
        for (query, expected) in [
            ("", CallbackError::Missing),
            ("state=s", CallbackError::Missing),
            ("code=", CallbackError::Unusable("code")),
            ("code=a&code=a", CallbackError::Repeated("code")),
            ("code=a&state=s&state=s", CallbackError::Repeated("state")),
            ("code=a&iss=i&iss=i", CallbackError::Repeated("iss")),
            ("code=a&%63ode=b", CallbackError::Repeated("code")),
            ("error=a&error=a", CallbackError::Repeated("error")),
            ("code=a&error=access_denied", CallbackError::Mixed),
            ("code=&error=access_denied", CallbackError::Mixed),
            ("code=a&oauth_token=t&oauth_verifier=v", CallbackError::Mixed),
            ("oauth_token=t&oauth_verifier=v&denied=t", CallbackError::Mixed),
            ("error=", CallbackError::Unusable("error")),
            ("code=<script>", CallbackError::Unusable("code")),
            ("code=%22%3E", CallbackError::Unusable("code")),
            ("code=a%00", CallbackError::Unusable("code")),
            ("code=a%0d%0ab", CallbackError::Unusable("code")),
            ("code=a+b", CallbackError::Unusable("code")),
            ("code=%ff", CallbackError::Unusable("code")),
            ("code=a&state=", CallbackError::Unusable("state")),
            ("code=a&iss=%0a", CallbackError::Unusable("iss")),
            ("oauth_verifier=v", CallbackError::Unusable("oauth_token")),
            ("oauth_token=t&oauth_verifier=", CallbackError::Unusable("oauth_verifier")),
            ("#access_token=a", CallbackError::Missing),
        ] {
            assert_eq!(error(query), expected, "{query}");
        }
        let of = |name: &str, length: usize| format!("{name}={}", "a".repeat(length));
        assert_eq!(error(&of("code", 100_000)), CallbackError::TooLong);
        assert_eq!(error(&of("code", CODE_CHARS_MAX + 1)), CallbackError::Unusable("code"));
        assert!(parse(&of("code", CODE_CHARS_MAX)).is_ok());
        assert_eq!(error(&of("code=a&state", 3_000)), CallbackError::Unusable("state"));
    }

    #[test]
    fn f_08_messages_are_short_text() {
        let query = "error=access_denied&error_description=<img+src=x>%0d%0a%E2%80%AEno&state=s";
        let it = denied(query);
        assert_eq!(it.error, "access_denied");
        assert_eq!(it.description.unwrap(), "<img src=x> no");
        let long = denied(&format!("error={}", "a+".repeat(3_000)));
        assert_eq!(long.error.chars().count(), 256);
        assert_eq!(denied("error=x&error_description=").description, None);
    }

    #[test]
    fn f_19_a_verifier_and_a_refusal_of_oauth_1() {
        let it = parse("oauth_token=hh5s93j4hdidpola&oauth_verifier=hfdp7dh39dks9884").unwrap();
        let Outcome::Verifier { token, verifier } = it.outcome else { panic!() };
        assert_eq!((token.expose(), verifier.expose()), ("hh5s93j4hdidpola", "hfdp7dh39dks9884"));
        assert_eq!(denied("denied=hh5s93j4hdidpola").error, "access_denied");
    }

    #[test]
    fn other_parameters_are_kept_unless_they_repeat() {
        let it = parse("code=a&realmId=123&x=1&x=2&x=3&session_state=y").unwrap();
        let names: Vec<_> = it.others.keys().map(String::as_str).collect();
        assert_eq!(names, ["realmId", "session_state"]);
    }

    #[test]
    fn b_05_the_issuer_is_compared_as_it_is_written() {
        let us = Some("https://as.example");
        assert_eq!(check_issuer(us, us, true), Ok(()));
        assert_eq!(check_issuer(us, us, false), Ok(()));
        assert_eq!(check_issuer(None, us, false), Ok(()));
        assert_eq!(check_issuer(None, us, true), Err(IssuerError::Missing));
        assert_eq!(check_issuer(None, None, true), Err(IssuerError::Missing));
        assert_eq!(check_issuer(us, None, true), Err(IssuerError::Differs));
        assert_eq!(check_issuer(us, None, false), Ok(()));
        for other in [
            "https://as.example/",
            "https://AS.example",
            "https://as.example:443",
            "https://as%2eexample",
            "http://as.example",
            "https://as.example ",
            "",
        ] {
            assert_eq!(check_issuer(Some(other), us, false), Err(IssuerError::Differs), "{other}");
        }
    }

    #[test]
    fn no_code_is_shown_by_debug() {
        let it = parse("code=s3cr3t&state=st4te").unwrap();
        let shown = format!("{it:?}");
        assert!(!shown.contains("s3cr3t") && !shown.contains("st4te"), "{shown}");
    }

    proptest! {
        #[test]
        fn f_07_parsing_never_panics(
            query in "((code|error|state|iss|x)=)?\\PC{0,40}(&code=\\PC{0,9})?"
        ) {
            let _ = parse(&query);
        }

        #[test]
        fn codes_come_back_as_sent(code in "[!-~&&[^<>\"]]{1,80}", state in "[a-zA-Z0-9_-]{43}") {
            let pairs = [("code", &*code), ("state", &*state)];
            let it = parse(&crate::encode::form_pairs(pairs)).unwrap();
            prop_assert!(matches!(&it.outcome, Outcome::Code(it) if it.expose() == code));
            let returned = it.state.unwrap();
            prop_assert_eq!(returned.expose(), state);
        }
    }
}
