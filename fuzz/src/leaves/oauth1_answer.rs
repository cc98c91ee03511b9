//! Answers of an OAuth 1.0a server. The first line holds a digit for the status; the body follows.

use grantkeep_oauth::answer::Response;
use grantkeep_oauth::one::{OneError, Token, read_access_token, read_request_token};

use super::token_answer::STATUSES;
use super::{assert_message, chosen, line};

pub fn run(data: &[u8]) {
    let (first, body) = line(data);
    let status = *chosen(first.first(), &STATUSES);
    let response = Response { status, retry_after: None, body };
    let access = read_access_token(&response);
    let request = read_request_token(&response);
    let success = (200..300).contains(&status);
    match &access {
        Ok(token) => assert_token(success, token),
        Err(OneError::Refused { message, .. }) => assert_message(message, 256),
        Err(OneError::Transient { .. }) => assert!(!success),
        Err(_) => assert!(status < 429),
    }
    if let Ok(token) = &request {
        assert_token(success && access.is_ok(), token);
        let text = String::from_utf8_lossy(body);
        assert!(text.contains("confirmed") || text.contains('%'), "nothing was confirmed");
    }
}

fn assert_token(fine: bool, token: &Token) {
    assert!(fine && !token.token.is_empty() && !token.secret.is_empty());
    assert!(!["oauth_token", "oauth_token_secret"].iter().any(|it| token.others.contains_key(*it)));
}
