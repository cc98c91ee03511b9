//! Keys that an app swaps for a token of a session, each in its own way. An app's file describes
//! the request with templates; where things lie in the answer is said by [`Rules`].

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::Secret;
use crate::answer::{self, BODY_BYTES_MAX, Failure, Malformed, Members, Response, Rules, Tokens};
use crate::authorize::joined;
use crate::encode::form_pairs;
use crate::request::{Method, Params, Request, RequestError};
use crate::template::{Lookup, fill_json, fill_text, fill_url};
use crate::token::{BodyFormat, add_headers, set_body};

/// Characters of a token that comes in a header or as a whole body.
const TOKEN_CHARS_MAX: usize = 16_384;

/// The request. Every text in it is a template of [`crate::template`].
#[derive(Debug, Clone, Copy)]
pub struct Swap<'a> {
    pub method: Method,
    pub url: &'a str,
    pub query: &'a Params,
    pub headers: &'a Params,
    pub body: Body<'a>,
    /// User name and password of `Authorization: Basic`, not encoded any further (RFC 7617 §2).
    pub basic: Option<(&'a str, &'a str)>,
    pub allow_loopback_http: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    None,
    Form(&'a Params),
    /// Any value; its texts are filled wherever they stand.
    Json(&'a Value),
}

impl Swap<'_> {
    /// The request, filled. A value changes neither where it goes nor the form of its body.
    pub fn request(&self, lookup: &Lookup) -> Result<Request, RequestError> {
        let url = fill_url(self.url, lookup, self.allow_loopback_http)?;
        let query = filled(self.query, lookup)?;
        let mut request = Request {
            method: self.method,
            url: Zeroizing::new(joined(&url, &form_pairs(borrowed(&query)))),
            headers: Vec::new(),
            body: None,
        };
        if let Some((user, password)) = self.basic {
            let (user, password) = (fill_text(user, lookup)?, fill_text(password, lookup)?);
            // Nobody could tell any more where the name ends.
            if user.expose().contains(':') {
                return Err(RequestError::HeaderValue("authorization".to_owned()));
            }
            let pair = Zeroizing::new(format!("{}:{}", user.expose(), password.expose()));
            let value = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(&*pair)));
            request.add_header("authorization", &value)?;
        }
        self.add_headers(&mut request, lookup)?;
        match self.body {
            Body::None if self.method == Method::Get => {}
            // Some servers answer 411 to a POST without a length.
            Body::None => request.body = Some(Secret::new("")),
            Body::Form(params) => {
                let params = filled(params, lookup)?;
                set_body(&mut request, BodyFormat::Form, borrowed(&params))?;
            }
            Body::Json(template) => {
                let value = fill_json(template, lookup)?;
                request.headers.retain(|(name, _)| name != "content-type");
                request.add_header("content-type", "application/json")?;
                let text = Zeroizing::new(value.value().to_string());
                request.body = Some(Secret::from(text));
            }
        }
        Ok(request)
    }

    fn add_headers(&self, request: &mut Request, lookup: &Lookup) -> Result<(), RequestError> {
        for (name, value) in filled(self.headers, lookup)? {
            let again = request.header("authorization").is_some();
            if again && name.eq_ignore_ascii_case("authorization") {
                return Err(RequestError::TwoAuthentications);
            }
            request.add_header(name, value.expose())?;
        }
        add_headers(request, &Params::new())
    }
}

fn filled<'a>(
    templates: &'a Params,
    lookup: &Lookup,
) -> Result<Vec<(&'a str, Secret)>, RequestError> {
    let pairs = templates.iter();
    pairs.map(|(name, it)| Ok((name.as_str(), fill_text(it, lookup)?))).collect()
}

fn borrowed<'a>(pairs: &'a [(&'a str, Secret)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    pairs.iter().map(|(name, value)| (*name, value.expose()))
}

/// Reads a token that lies in the body. How long it lives: `rules.expires_in`, or
/// `rules.lifetime_s` where the answer does not say.
pub fn read(rules: &Rules, response: &Response, now_ms: i64) -> Result<Tokens, Failure> {
    answer::read(&Rules { token_type_any: true, ..*rules }, response, now_ms)
}

/// Reads a token that came in a header, given its value.
pub fn read_header(
    rules: &Rules,
    response: &Response,
    value: Option<&str>,
    now_ms: i64,
) -> Result<Tokens, Failure> {
    // The body need not be readable then, but if it says no, then no it is.
    let success = (200..300).contains(&response.status);
    match answer::failure_in(rules, response, now_ms) {
        None => {}
        Some(Failure::Transient { error: None, .. }) if success => {}
        Some(failure) => return Err(failure),
    }
    bare(rules, value.unwrap_or_default(), now_ms)
}

/// Reads a token that is the whole body, bare or as a JSON text.
pub fn read_text(rules: &Rules, response: &Response, now_ms: i64) -> Result<Tokens, Failure> {
    if !(200..300).contains(&response.status) {
        let failure = answer::failure_in(rules, response, now_ms);
        return Err(failure.unwrap_or(Failure::Malformed(Malformed::NoAccessToken)));
    }
    if response.body.len() > BODY_BYTES_MAX {
        return Err(Failure::Malformed(Malformed::TooLarge));
    }
    let text = std::str::from_utf8(response.body).unwrap_or_default().trim();
    let quoted = text.starts_with('"').then(|| serde_json::from_str::<String>(text).ok());
    let quoted = quoted.map(|it| Zeroizing::new(it.unwrap_or_default()));
    bare(rules, quoted.as_ref().map_or(text, |it| it.as_str()), now_ms)
}

fn bare(rules: &Rules, token: &str, now_ms: i64) -> Result<Tokens, Failure> {
    let token = token.trim();
    let fits = token.len() <= TOKEN_CHARS_MAX && token.bytes().all(|it| it.is_ascii_graphic());
    // A page or an object is no token, whatever the status says.
    if !fits || token.is_empty() || token.starts_with(['<', '{', '[']) {
        return Err(Failure::Malformed(Malformed::NoAccessToken));
    }
    Ok(Tokens {
        access_token: Secret::new(token),
        refresh_token: None,
        expires_at_ms: answer::lifetime_end_ms(rules, now_ms),
        scopes: None,
        token_type: None,
        id_token: None,
        members: Members::new(json!({})),
    })
}

#[cfg(test)]
mod tests;
