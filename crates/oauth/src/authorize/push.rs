//! Requests that are pushed to the server instead of through the browser (RFC 9126).

use crate::Secret;
use crate::answer::{self, Failure, Malformed, Response, Rules};
use crate::authorize::{Authorize, AuthorizeError, joined};
use crate::encode::form_pairs;
use crate::endpoint;
use crate::request::{Params, Request, RequestError};
use crate::token::{Client, Endpoint, request};

/// Characters of a reference that is believed.
const REQUEST_URI_CHARS_MAX: usize = 2_048;

static NONE: Params = Params::new();

/// Where the server keeps a pushed request. Good for one use (RFC 9126 §4).
#[derive(Debug)]
pub struct Pushed {
    pub request_uri: String,
    /// Milliseconds since 1970. `None`: the server does not say, though it must.
    pub expires_at_ms: Option<i64>,
}

impl Authorize<'_> {
    /// The request that pushes this one (RFC 9126 §2.1). The client proves itself as it does at
    /// the token endpoint. Of `endpoint` the resources are not used, they are in here.
    pub fn push(&self, endpoint: &Endpoint, client: &Client) -> Result<Request, RequestError> {
        let pairs = self.pairs()?;
        send(endpoint, client, pairs.iter().map(|(name, value)| (*name, &**value)).collect())
    }

    /// The same with a signed object in it (RFC 9126 §3): nothing else is pushed beside.
    pub fn push_object(
        &self,
        endpoint: &Endpoint,
        client: &Client,
        object: &Secret,
    ) -> Result<Request, RequestError> {
        self.pairs()?;
        let id = (self.named("client_id"), self.client_id);
        let endpoint = Endpoint { params: &NONE, ..*endpoint };
        send(&endpoint, client, vec![id, ("request", object.expose())])
    }

    /// The address to which the browser is sent for a pushed request: with the client's id and the
    /// reference, and nothing else (RFC 9126 §4).
    pub fn pushed_url(&self, pushed: &Pushed) -> Result<String, AuthorizeError> {
        self.reference(("request_uri", &pushed.request_uri))
    }

    pub(super) fn reference(&self, by: (&str, &str)) -> Result<String, AuthorizeError> {
        let endpoint = endpoint::check(self.endpoint, self.allow_loopback_http)?;
        self.check_params(&endpoint)?;
        let id = (self.named("client_id"), self.client_id);
        Ok(joined(self.endpoint, &form_pairs([id, by])))
    }
}

fn send<'a>(
    endpoint: &Endpoint<'a>,
    client: &Client<'a>,
    pairs: Vec<(&'a str, &'a str)>,
) -> Result<Request, RequestError> {
    // What holds for the browser's request holds here: nothing replaces what is asked.
    let replaced = |name: &&String| pairs.iter().any(|(it, _)| it == name);
    if let Some(name) = endpoint.params.keys().find(replaced) {
        return Err(RequestError::Reserved(name.clone()));
    }
    request(&Endpoint { resources: &[], ..*endpoint }, Some(client), pairs)
}

/// Reads the answer to a push (RFC 9126 §2.2).
pub fn read_push(rules: &Rules, response: &Response, now_ms: i64) -> Result<Pushed, Failure> {
    let members = answer::members(rules, response, now_ms)?;
    let visible = |it: &String| it.bytes().all(|it| it.is_ascii_graphic());
    let fits = |it: &String| (1..=REQUEST_URI_CHARS_MAX).contains(&it.len()) && visible(it);
    let request_uri = members.text("request_uri").filter(fits);
    Ok(Pushed {
        request_uri: request_uri.ok_or(Failure::Malformed(Malformed::Missing("request_uri")))?,
        expires_at_ms: answer::expires_at_ms(&members, "expires_in", now_ms),
    })
}
