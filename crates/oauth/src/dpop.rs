//! Tokens that are of use only to who holds a key (RFC 9449).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::answer::{self, Response, Rules};
use crate::challenge::{self, Challenge};
use crate::endpoint::{self, EndpointError};
use crate::jws::{self, Signing, Stamp};
use crate::request::{Request, RequestError};
use crate::{Secret, answer::Failure};

/// The header with a proof, and the one with which a server hands out its nonce.
pub const HEADER: &str = "dpop";
pub const NONCE_HEADER: &str = "dpop-nonce";
/// What a server says that wants its nonce in the proof (RFC 9449 §8).
const USE_NONCE: &str = "use_dpop_nonce";
const TYP: &str = "dpop+jwt";
/// A longer nonce is not believed. Characters.
const NONCE_CHARS_MAX: usize = 1_024;

/// A proof for one request: a new one for each, also when it is sent again (RFC 9449 §4.2).
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    pub signing: Signing<'a>,
    pub stamp: Stamp<'a>,
    /// The last one that this server handed out (RFC 9449 §8, §9).
    pub nonce: Option<&'a str>,
    /// The token with which an API is called; `None` at the token endpoint.
    pub access_token: Option<&'a Secret>,
    pub allow_loopback_http: bool,
}

impl Proof<'_> {
    /// The value of [`HEADER`] for a request with this method to this address, which may have a
    /// query (RFC 9449 §4.2).
    pub fn jwt(&self, method: &str, url: &str) -> Result<Secret, RequestError> {
        let ath = self.access_token.map(|it| hash(it).into());
        let claims = jws::claims([
            ("jti", Some(self.stamp.jti.into())),
            ("htm", Some(method.into())),
            ("htu", Some(target(url, self.allow_loopback_http)?.into())),
            ("iat", Some(self.stamp.now_s.into())),
            ("ath", ath),
            ("nonce", self.nonce.map(Into::into)),
        ]);
        let jwk = Value::Object(self.signing.key.public_jwk()?);
        let header: Map<String, Value> = [("jwk".to_owned(), jwk)].into_iter().collect();
        Ok(Signing { header: Some(&header), ..self.signing }.jwt(Some(TYP), &claims)?)
    }

    /// Puts the proof on a request, in the place of an older one. With an access token, that goes
    /// on too, as `Authorization: DPoP` (RFC 9449 §7.1).
    pub fn put_on(&self, request: &mut Request) -> Result<(), RequestError> {
        let jwt = self.jwt(request.method.as_str(), &request.url)?;
        request.headers.retain(|(name, _)| name != HEADER);
        if let Some(token) = self.access_token {
            if request.header("authorization").is_some_and(|it| !it.starts_with("DPoP ")) {
                return Err(RequestError::TwoAuthentications);
            }
            request.headers.retain(|(name, _)| name != "authorization");
            request.add_header("authorization", authorization(token).expose())?;
        }
        request.add_header(HEADER, jwt.expose())
    }
}

/// The value of `Authorization` beside a proof (RFC 9449 §7.1).
pub fn authorization(access_token: &Secret) -> Secret {
    Secret::from(Zeroizing::new(format!("DPoP {}", access_token.expose())))
}

/// `ath` (RFC 9449 §4.2).
fn hash(access_token: &Secret) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, access_token.expose().as_bytes()))
}

/// `htu`: without query and fragment, in the form in which the address is really asked.
fn target(url: &str, allow_loopback_http: bool) -> Result<String, EndpointError> {
    let bare = url.split('#').next().unwrap_or_default();
    let mut url = endpoint::check(bare, allow_loopback_http)?;
    url.set_query(None);
    Ok(url.into())
}

/// The nonce that came with any answer, to be kept for this server (RFC 9449 §8.2). `None` if it
/// is none.
pub fn nonce(header: Option<&str>) -> Option<&str> {
    let fits = |it: u8| it.is_ascii_graphic() && it != b'"' && it != b'\\';
    header
        .map(str::trim)
        .filter(|it| (1..=NONCE_CHARS_MAX).contains(&it.len()) && it.bytes().all(fits))
}

/// The nonce with which a refused token request is to be sent again, once (RFC 9449 §8).
pub fn retry_token<'a>(response: &Response, header: Option<&'a str>) -> Option<&'a str> {
    let Failure::Refused(error) = answer::failure_in(&Rules::default(), response, 0)? else {
        return None;
    };
    nonce(header).filter(|_| error.code == USE_NONCE)
}

/// The same for a request to an API (RFC 9449 §9).
pub fn retry_call<'a>(
    status: u16,
    www_authenticate: &[&str],
    header: Option<&'a str>,
) -> Option<&'a str> {
    let asks = |it: &Challenge| it.scheme == "dpop" && it.error().as_deref() == Some(USE_NONCE);
    let asked = challenge::read(www_authenticate.iter().copied()).iter().any(asks);
    nonce(header).filter(|_| status == 401 && asked)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::samples;
    use crate::request::{Method, Params};
    use crate::token::{BodyFormat, Client, ClientAuth, Endpoint, refresh};

    const STAMP: Stamp<'static> = Stamp { jti: "-BwC3ESc6acc2lTc", now_s: 1_562_262_616 };
    static NONE: Params = Params::new();

    fn request() -> Request {
        let endpoint = Endpoint {
            url: "https://server.example.com/token?v=1",
            format: BodyFormat::Form,
            params: &NONE,
            headers: &NONE,
            param_names: &NONE,
            resources: &[],
            allow_loopback_http: false,
        };
        let client = Client { id: "c", secret: None, auth: ClientAuth::None };
        refresh(&endpoint, &client, &Secret::new("r")).unwrap()
    }

    fn proof(key: &crate::key::SigningKey) -> Proof<'_> {
        let signing = Signing::with(key);
        Proof { signing, stamp: STAMP, nonce: None, access_token: None, allow_loopback_http: false }
    }

    /// The claims of RFC 9449 §4.2, with a key of ours.
    #[test]
    fn d_07_a_proof_for_the_token_endpoint() {
        let key = samples::p256();
        let mut request = request();
        proof(&key).put_on(&mut request).unwrap();
        let (header, claims) = jws::tests::read(&key, request.header(HEADER).unwrap());
        let jwk = key.public_jwk().unwrap();
        assert_eq!(header, json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}));
        let expected = json!({
            "jti": "-BwC3ESc6acc2lTc", "htm": "POST",
            "htu": "https://server.example.com/token", "iat": 1_562_262_616,
        });
        assert_eq!(claims, expected);
        assert_eq!(request.header("authorization"), None);
        let again = Proof { nonce: Some("n1"), ..proof(&key) };
        again.put_on(&mut request).unwrap();
        let (_, claims) = jws::tests::read(&key, request.header(HEADER).unwrap());
        assert_eq!(claims["nonce"], "n1");
        assert_eq!(request.headers.iter().filter(|(name, _)| name == HEADER).count(), 1);
    }

    /// The token and its hash of RFC 9449 §7.1.
    #[test]
    fn d_07_a_proof_for_an_api_names_the_token() {
        let token = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
        let key = samples::ed25519();
        let it = Proof { access_token: Some(&token), ..proof(&key) };
        let url = "https://API.example.org:443/a/../res%20x?q=1#f";
        let jwt = it.jwt("PATCH", url).unwrap();
        let (_, claims) = jws::tests::read(&key, jwt.expose());
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
        assert_eq!(claims["htm"], "PATCH");
        assert_eq!(claims["htu"], "https://api.example.org/res%20x");
        let mut request = request();
        it.put_on(&mut request).unwrap();
        let expected = "DPoP Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        assert_eq!(request.header("authorization"), Some(expected));
        it.put_on(&mut request).unwrap();
        request.headers.retain(|(name, _)| name != "authorization");
        request.add_header("authorization", "Bearer x").unwrap();
        assert_eq!(it.put_on(&mut request), Err(RequestError::TwoAuthentications));
        assert_eq!(request.method, Method::Post);
        assert!(it.jwt("GET", "http://api.example.org/").is_err());
    }

    /// RFC 9449 §8, §9.
    #[test]
    fn d_07_a_nonce_is_taken_where_it_is_asked_for() {
        let said =
            |body: &'static str| Response { status: 400, retry_after: None, body: body.as_bytes() };
        let asks = said(r#"{"error":"use_dpop_nonce","error_description":"x"}"#);
        assert_eq!(
            retry_token(&asks, Some("eyJ7S_zG.eyJH0-Z.HX4w-7v")),
            Some("eyJ7S_zG.eyJH0-Z.HX4w-7v")
        );
        assert_eq!(retry_token(&asks, None), None);
        assert_eq!(retry_token(&said(r#"{"error":"invalid_grant"}"#), Some("n")), None);
        assert_eq!(retry_token(&Response { status: 200, ..said("{}") }, Some("n")), None);
        let header = ["Bearer", "DPoP error=\"use_dpop_nonce\", error_description=\"x\""];
        assert_eq!(retry_call(401, &header, Some("n")), Some("n"));
        assert_eq!(retry_call(403, &header, Some("n")), None);
        assert_eq!(retry_call(401, &header[..1], Some("n")), None);
        for bad in ["", "a b", "a\"b", "a\\b", "é", &"x".repeat(NONCE_CHARS_MAX + 1)] {
            assert_eq!(nonce(Some(bad)), None, "{bad}");
        }
    }
}
