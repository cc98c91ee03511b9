//! Requests as signed objects (RFC 9101).

use serde_json::{Map, Value};

use crate::Secret;
use crate::authorize::{Authorize, AuthorizeError, RESOURCE};
use crate::jws::{Signing, Stamp};
use crate::request::RequestError;

/// How long an object is good. Seconds: the user is sent there at once.
pub const OBJECT_LIFE_S: i64 = 300;
/// So that it is an object and no other JWT (RFC 9101 §10.8).
const TYP: &str = "oauth-authz-req+jwt";

/// How an object is signed, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct RequestObject<'a> {
    pub signing: Signing<'a>,
    /// The issuer identifier of the server (RFC 9101 §4).
    pub audience: &'a str,
    pub stamp: Stamp<'a>,
}

impl Authorize<'_> {
    /// The whole request as one signed object. A parameter that repeats becomes a list.
    pub fn object(&self, how: &RequestObject) -> Result<Secret, RequestError> {
        let mut claims = Map::new();
        for (name, value) in self.pairs()? {
            let value = Value::from(&*value);
            match claims.get_mut(name) {
                None => {
                    claims.insert(name.to_owned(), value);
                }
                Some(Value::Array(all)) if name == RESOURCE => all.push(value),
                Some(first) if name == RESOURCE => *first = Value::Array(vec![first.take(), value]),
                Some(_) => return Err(RequestError::Reserved(name.to_owned())),
            }
        }
        let now_s = how.stamp.now_s;
        for (name, value) in [
            ("iss", Value::from(self.client_id)),
            ("aud", how.audience.into()),
            ("jti", how.stamp.jti.into()),
            ("iat", now_s.into()),
            ("nbf", now_s.into()),
            ("exp", (now_s + OBJECT_LIFE_S).into()),
        ] {
            if claims.insert(name.to_owned(), value).is_some() {
                return Err(RequestError::Reserved(name.to_owned()));
            }
        }
        Ok(how.signing.jwt(Some(TYP), &claims)?)
    }

    /// The address with an object by value: the client's id and the object, and nothing beside it
    /// that a server might believe (RFC 9101 §5, §6.3).
    pub fn object_url(&self, object: &Secret) -> Result<String, AuthorizeError> {
        self.reference(("request", object.expose()))
    }
}
