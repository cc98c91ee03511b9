//! Ending a grant at the server (RFC 7009), or in the server's own way.

use zeroize::Zeroizing;

use crate::answer::{self, Failure, Response, Rules};
use crate::authorize::joined;
use crate::encode::form_pairs;
use crate::request::{Method, Params, Request, RequestError};
use crate::token::{BodyFormat, Client, add_headers, authenticate, credentials_in_body, set_body};
use crate::{Secret, endpoint};

/// Where the token stands in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a form, as the standard says.
    Form,
    Json,
    /// Against the advice of RFC 6749 §2.3.1; some servers know nothing else.
    Query,
    /// Already in the URL, put there by [`crate::template::fill_url`].
    Url,
    /// In `Authorization: Bearer`.
    Bearer,
}

/// Which token it is; sent as `token_type_hint` (RFC 7009 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Access,
    Refresh,
}

/// How a server wants to be asked. With [`Place::Form`], `POST` and `token`: RFC 7009.
#[derive(Debug, Clone, Copy)]
pub struct Revoke<'a> {
    pub method: Method,
    /// Filled: no `${...}` in it.
    pub url: &'a str,
    pub place: Place,
    /// The parameter's name in a form, JSON body or query.
    pub param: &'a str,
    /// `None`: no hint is sent.
    pub hint: Option<Kind>,
    pub params: &'a Params,
    pub headers: &'a Params,
    /// `None`: the token alone is enough.
    pub client: Option<Client<'a>>,
    pub allow_loopback_http: bool,
}

impl Revoke<'_> {
    /// The request that ends `token`.
    pub fn request(&self, token: &Secret) -> Result<Request, RequestError> {
        endpoint::check(self.url, self.allow_loopback_http)?;
        let mut pairs = Vec::new();
        if matches!(self.place, Place::Form | Place::Json | Place::Query) {
            pairs.push((self.param, token.expose()));
            pairs.extend(self.hint.map(|it| ("token_type_hint", it.as_str())));
        }
        if let Some(client) = &self.client {
            pairs.extend(credentials_in_body(client)?);
        }
        for (name, value) in self.params {
            if pairs.iter().any(|(it, _)| it == name) {
                return Err(RequestError::Reserved(name.clone()));
            }
            pairs.push((name, value));
        }
        let mut request = Request {
            method: self.method,
            url: Zeroizing::new(self.url.to_owned()),
            headers: Vec::new(),
            body: None,
        };
        self.authorize(&mut request, token)?;
        add_headers(&mut request, self.headers)?;
        match self.place {
            Place::Query => request.url = Zeroizing::new(joined(self.url, &form_pairs(pairs))),
            Place::Json => set_body(&mut request, BodyFormat::Json, pairs)?,
            Place::Url | Place::Bearer if pairs.is_empty() => {}
            Place::Form | Place::Url | Place::Bearer => {
                set_body(&mut request, BodyFormat::Form, pairs)?;
            }
        }
        Ok(request)
    }

    fn authorize(&self, request: &mut Request, token: &Secret) -> Result<(), RequestError> {
        if let Some(client) = &self.client {
            authenticate(request, client)?;
        }
        if self.place == Place::Bearer {
            if request.header("authorization").is_some() {
                return Err(RequestError::TwoAuthentications);
            }
            let value = Zeroizing::new(format!("Bearer {}", token.expose()));
            request.add_header("authorization", &value)?;
        }
        Ok(())
    }
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access_token",
            Self::Refresh => "refresh_token",
        }
    }
}

/// Reads the answer to a revocation. `Ok`: the token is of no use any more, be it ended now or
/// before (RFC 7009 §2.2).
///
/// # Errors
/// [`Failure::Transient`] may be tried again; after any other the grant may live on at the server.
pub fn read(rules: &Rules, response: &Response, now_ms: i64) -> Result<(), Failure> {
    // Some answer with an empty body, some with a page: the status alone counts then.
    let success = (200..300).contains(&response.status);
    match answer::failure_in(rules, response, now_ms) {
        None | Some(Failure::Grant(_)) => Ok(()),
        Some(Failure::Transient { error: None, .. }) if success => Ok(()),
        Some(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::ClientAuth;

    static NONE: Params = Params::new();

    fn standard(client: Option<Client<'_>>) -> Revoke<'_> {
        Revoke {
            method: Method::Post,
            url: "https://as.example/revoke",
            place: Place::Form,
            param: "token",
            hint: Some(Kind::Refresh),
            params: &NONE,
            headers: &NONE,
            client,
            allow_loopback_http: false,
        }
    }

    fn body(request: &Request) -> Option<&str> {
        request.body.as_ref().map(Secret::expose)
    }

    #[test]
    fn t_10_the_example_of_rfc_7009_section_2_1() {
        let secret = Secret::new("gX1fBat3bV");
        let client = Client { id: "s6BhdRkqt3", secret: Some(&secret), auth: ClientAuth::Basic };
        let request = standard(Some(client)).request(&Secret::new("45ghiukldjahdnhzdauz")).unwrap();
        assert_eq!(
            body(&request),
            Some("token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token")
        );
        assert_eq!(request.header("authorization"), Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
        let kind = "application/x-www-form-urlencoded";
        assert_eq!(request.header("content-type"), Some(kind));
    }

    #[test]
    fn t_10_the_token_goes_where_the_server_wants_it() {
        let token = Secret::new("a/b");
        let plain = Revoke { hint: None, ..standard(None) };
        let json = Revoke { place: Place::Json, param: "access_token", ..plain };
        assert_eq!(body(&json.request(&token).unwrap()), Some(r#"{"access_token":"a/b"}"#));
        let query = Revoke { place: Place::Query, method: Method::Get, ..plain };
        let request = query.request(&token).unwrap();
        assert_eq!(&*request.url, "https://as.example/revoke?token=a%2Fb");
        assert!(request.body.is_none() && request.method == Method::Get);
        let bearer = Revoke { place: Place::Bearer, method: Method::Delete, ..plain };
        let request = bearer.request(&token).unwrap();
        assert_eq!(request.header("authorization"), Some("Bearer a/b"));
        assert!(request.body.is_none() && request.method.as_str() == "DELETE");
        let url = Revoke { place: Place::Url, url: "https://as.example/t/a%2Fb", ..plain };
        let request = url.request(&token).unwrap();
        assert_eq!(&*request.url, "https://as.example/t/a%2Fb");
        assert!(!format!("{request:?}").contains("a%2Fb"));
    }

    #[test]
    fn t_10_what_contradicts_itself_is_refused() {
        let (token, secret) = (Secret::new("t"), Secret::new("s"));
        let client = Client { id: "i", secret: Some(&secret), auth: ClientAuth::Basic };
        let both = Revoke { place: Place::Bearer, ..standard(Some(client)) };
        assert_eq!(both.request(&token).unwrap_err(), RequestError::TwoAuthentications);
        let params = Params::from([("token".to_owned(), "x".to_owned())]);
        let twice = Revoke { params: &params, ..standard(None) };
        assert!(twice.request(&token).is_err());
        let plain = Revoke { url: "http://as.example/revoke", ..standard(None) };
        assert!(plain.request(&token).is_err());
        let broken = Revoke { place: Place::Bearer, ..standard(None) };
        assert!(broken.request(&Secret::new("a\r\nb")).is_err());
    }

    #[test]
    fn t_10_answers() {
        let read = |status, body: &str| {
            let it = Response { status, retry_after: None, body: body.as_bytes() };
            read(&Rules::default(), &it, 0)
        };
        for (status, body) in [
            (200, ""),
            (204, ""),
            (200, "<html></html>"),
            (200, r#"{"ok":true,"revoked":true}"#),
            (400, r#"{"error":"invalid_token"}"#),
            (200, r#"{"ok":false,"error":"token_revoked"}"#),
        ] {
            assert_eq!(read(status, body), Ok(()), "{status} {body}");
        }
        assert!(matches!(read(503, ""), Err(Failure::Transient { .. })));
        assert!(matches!(read(400, "no"), Err(Failure::Transient { .. })));
        assert!(matches!(read(401, r#"{"error":"invalid_client"}"#), Err(Failure::Client(_))));
        let unsupported = read(400, r#"{"error":"unsupported_token_type"}"#);
        assert!(matches!(unsupported, Err(Failure::Refused(_))));
        assert!(matches!(read(302, ""), Err(Failure::Malformed(_))));
        assert!(read(200, r#"{"ok":false}"#).is_err());
    }
}
