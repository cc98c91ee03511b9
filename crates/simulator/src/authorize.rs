//! The authorization endpoint of OAuth 2: what it refuses, and how the answer gets back.

use url::Url;

use crate::discovery;
use crate::exchange::{Answer, Call, Params};
use crate::faults::{Active, Fault};
use crate::grants::Visit;
use crate::oauth1;
use crate::pages;
use crate::provider::Provider;

/// An S256 challenge is 32 bytes in base64url (RFC 7636 section 4.2).
const CHALLENGE_CHARS: usize = 43;

/// `GET /authorize`. Errors about the client or the redirect URI stay here, as RFC 6749 section
/// 4.1.2.1 asks; all others travel to the redirect URI.
pub(crate) fn authorize(provider: &Provider, call: &Call, _: &Active) -> Answer {
    if provider.oauth2().is_none() {
        return oauth1::authorize(provider, call);
    }
    let query = call.query();
    if query.any_twice() {
        let text = "The address has a parameter twice. The app that sent you must mend this.";
        return pages::problem(provider, call, "This link is not right", text);
    }
    discovery::learn_client(provider, query.get("client_id"), query.get("redirect_uri"));
    let registered =
        provider.books().clients.get(query.get("client_id")).map(|it| it.redirect_uris.clone());
    let Some(registered) = registered else {
        let text = "No app with this client id is registered here.";
        return pages::problem(provider, call, "We do not know this app", text);
    };
    let redirect_uri = query.get("redirect_uri");
    if !registered.iter().any(|it| it == redirect_uri) {
        let text = "The app wants the answer at an address that it has not registered.";
        return pages::problem(provider, call, "This return address is not registered", text);
    }
    match refusal(provider, &query) {
        Some((error, text)) => {
            let answer = [("error", error), ("error_description", text)];
            let back = Back { redirect_uri, state: query.get("state") };
            send_back(provider, call, &back, (&answer, &Active::none()))
        }
        None => pages::next_page(provider, call, visit(provider, call, &query)),
    }
}

fn refusal(provider: &Provider, query: &Params) -> Option<(&'static str, &'static str)> {
    let (challenge, method) = (query.get("code_challenge"), query.get("code_challenge_method"));
    let sound = challenge.len() == CHALLENGE_CHARS
        && challenge.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    if query.get("response_type") != "code" {
        Some(("unsupported_response_type", "Only response_type=code is known here."))
    } else if challenge.is_empty() {
        Some(("invalid_request", "PKCE is required: code_challenge is missing."))
    } else if method != "S256" {
        Some(("invalid_request", "PKCE is required with code_challenge_method=S256."))
    } else if !sound {
        Some(("invalid_request", "code_challenge is not a SHA-256 in base64url."))
    } else if !scopes(provider, query).iter().all(|it| knows_scope(provider, it)) {
        Some(("invalid_scope", "A scope is not known here."))
    } else {
        None
    }
}

fn knows_scope(provider: &Provider, name: &str) -> bool {
    provider.brand.scopes.iter().any(|it| it.name == name)
}

/// The scopes asked for; those to see the profile when none was named.
fn scopes(provider: &Provider, query: &Params) -> Vec<String> {
    let separator = provider.oauth2().map_or(" ", |it| it.scope_separator);
    let mut scopes: Vec<String> = query
        .get("scope")
        .split(separator)
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() {
        scopes.push(provider.brand.profile_scope().to_owned());
    }
    scopes
}

fn visit(provider: &Provider, call: &Call, query: &Params) -> Visit {
    Visit {
        client_id: query.get("client_id").to_owned(),
        redirect_uri: query.get("redirect_uri").to_owned(),
        state: query.get("state").to_owned(),
        scopes: scopes(provider, query),
        challenge: query.get("code_challenge").to_owned(),
        resource: query.get("resource").to_owned(),
        request_token: None,
        user: None,
        workspace: call.workspace().map(str::to_owned),
        created_ms: provider.clock.now_ms(),
    }
}

struct Back<'a> {
    redirect_uri: &'a str,
    state: &'a str,
}

/// What follows the person's decision: a code, or `access_denied`.
pub(crate) fn finish(
    provider: &Provider,
    call: &Call,
    (visit, allowed): (Visit, bool),
    faults: &Active,
) -> Answer {
    if visit.request_token.is_some() {
        return oauth1::finish(provider, &visit, allowed);
    }
    let now_ms = provider.clock.now_ms();
    let (uri, state) = (visit.redirect_uri.clone(), visit.state.clone());
    let back = Back { redirect_uri: &uri, state: &state };
    let mut books = provider.books();
    if allowed {
        books.counters.consented += 1;
        let code = books.issue_code(visit, now_ms);
        send_back(provider, call, &back, (&[("code", &code)], faults))
    } else {
        books.counters.denied += 1;
        let text = "The person did not allow this.";
        let answer = [("error", "access_denied"), ("error_description", text)];
        send_back(provider, call, &back, (&answer, faults))
    }
}

fn send_back(
    provider: &Provider,
    call: &Call,
    back: &Back,
    (answer, faults): (&[(&str, &str)], &Active),
) -> Answer {
    let Ok(mut url) = Url::parse(back.redirect_uri) else {
        return Answer::not_found();
    };
    {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(answer);
        if !back.state.is_empty() {
            query.append_pair("state", back.state);
        }
        if faults.has(&Fault::WrongIss) {
            query.append_pair("iss", "https://somebody-else.example");
        } else if provider.oauth2().is_some_and(|it| it.sends_iss) && !faults.has(&Fault::NoIss) {
            query.append_pair("iss", &provider.issuer(call));
        }
    }
    Answer::see_other(url.as_str())
}
