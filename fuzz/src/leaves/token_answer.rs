//! Answers of a token endpoint. The first line holds two digits (rules, status) and the value of
//! `Retry-After`; the body follows.

use std::sync::LazyLock;

use grantkeep_oauth::Params;
use grantkeep_oauth::answer::{
    BODY_BYTES_MAX, ExpiresUnit, Failure, ProviderError, RETRY_AFTER_S_MAX, Response, Rules,
    Tokens, read,
};

use super::{NOW_MS, assert_message, chosen, line};

/// No lifetime is believed beyond ten years.
const LIFETIME_MS_MAX: i64 = 10 * 365 * 24 * 3_600 * 1_000;
pub(super) const STATUSES: [u16; 8] = [200, 201, 302, 400, 401, 429, 500, 503];

static ERRORS: LazyLock<Params> =
    LazyLock::new(|| Params::from([("10006".to_owned(), "invalid_grant".to_owned())]));

/// The standard; nested; loose; with errors of its own.
pub(super) fn rules() -> [Rules<'static>; 4] {
    let nested = Rules {
        access_token: "authed_user.access_token",
        refresh_token: "authed_user.refresh_token",
        token_type: "authed_user.token_type",
        scope: "authed_user.scope",
        expires_in: "data.0.expires",
        expires_unit: ExpiresUnit::EpochMilliseconds,
        scope_separator: ",",
        ..Rules::default()
    };
    let loose = Rules {
        expires_unit: ExpiresUnit::EpochSeconds,
        lifetime_s: Some(u64::MAX),
        token_type_any: true,
        ..Rules::default()
    };
    let errors = Rules {
        error: "err.no",
        errors: &ERRORS,
        expires_unit: ExpiresUnit::Milliseconds,
        lifetime_s: Some(3_600),
        ..Rules::default()
    };
    [Rules::default(), nested, loose, errors]
}

/// The rules and the answer that the bytes stand for.
pub(super) fn answer(data: &[u8]) -> (Rules<'static>, Response<'_>) {
    let (first, body) = line(data);
    let retry_after = first.get(2..).and_then(|it| std::str::from_utf8(it).ok());
    let status = *chosen(first.get(1), &STATUSES);
    let rules = *chosen(first.first(), &rules());
    (rules, Response { status, retry_after: retry_after.filter(|it| !it.is_empty()), body })
}

pub fn run(data: &[u8]) {
    let (rules, response) = answer(data);
    match read(&rules, &response, NOW_MS) {
        Ok(tokens) => assert_tokens(&rules, &response, &tokens),
        Err(failure) => assert_failure(&response, &failure),
    }
}

fn assert_tokens(rules: &Rules, response: &Response, tokens: &Tokens) {
    assert!((200..300).contains(&response.status) && response.body.len() <= BODY_BYTES_MAX);
    let secrets = [Some(&tokens.access_token), tokens.refresh_token.as_ref()];
    for secret in secrets.into_iter().flatten() {
        assert!(!secret.is_empty() && secret.expose().trim() == secret.expose());
    }
    let end = tokens.expires_at_ms;
    assert!(end.is_none_or(|it| (NOW_MS..=NOW_MS + LIFETIME_MS_MAX).contains(&it)), "{end:?}");
    assert!(end.is_some() || rules.lifetime_s.is_none());
    let scopes = tokens.scopes.clone().unwrap_or_default();
    let whole = |it: &String| !it.is_empty() && !it.contains([',', ' ', '\t', '\n']);
    assert!(scopes.iter().all(whole), "{scopes:?}");
    let bearer = |it: &String| it.trim().eq_ignore_ascii_case("bearer");
    assert!(rules.token_type_any || tokens.token_type.as_ref().is_none_or(bearer));
}

pub(super) fn assert_failure(response: &Response, failure: &Failure) {
    let not_now = matches!(response.status, 429 | 500..);
    match failure {
        Failure::Grant(error) | Failure::Client(error) | Failure::Refused(error) => {
            assert!(!not_now, "given up for {}", response.status);
            assert_error(error);
        }
        Failure::Transient { error, retry_after_s, .. } => {
            error.iter().for_each(assert_error);
            assert!(retry_after_s.is_none_or(|it| it <= RETRY_AFTER_S_MAX));
        }
        Failure::Malformed(_) => assert!(!not_now),
    }
}

fn assert_error(error: &ProviderError) {
    assert_message(&error.code, 64);
    error.description.iter().for_each(|it| assert_message(it, 256));
}
