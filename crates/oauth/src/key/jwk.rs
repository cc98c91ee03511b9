//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{KeyError, Pair, der};
use crate::answer::Members;

/// The numbers of an RSA key in the order of PKCS#1 (RFC 8017 §A.1.2).
const RSA: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
/// Bytes of one coordinate.
const P256_BYTES: usize = 32;
const P384_BYTES: usize = 48;
/// What begins a point that is not compressed (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

pub(super) fn read(text: &str) -> Result<(Pair, Option<String>), KeyError> {
    let members: Value = serde_json::from_str(text).map_err(|_| KeyError::NotKey)?;
    let members = Members::new(members);
    let kty = members.text("kty").ok_or(KeyError::Member("kty"))?;
    let crv = members.text("crv").unwrap_or_default();
    if members.get("d").is_none() {
        let public = ["RSA", "EC", "OKP"].contains(&kty.as_str());
        return Err(if public { KeyError::Public } else { KeyError::Unsupported });
    }
    let pair = match (kty.as_str(), crv.as_str()) {
        ("RSA", _) => rsa(&members)?,
        ("EC", "P-256") => Pair::P256(point(&members, P256_BYTES)?),
        ("EC", "P-384") => Pair::P384(point(&members, P384_BYTES)?),
        ("OKP", "Ed25519") => {
            let (seed, public) = (number(&members, "d")?, number(&members, "x")?);
            let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public);
            Pair::Ed25519(pair.map_err(|_| KeyError::Unsupported)?)
        }
        _ => return Err(KeyError::Unsupported),
    };
    Ok((pair, members.text("kid")))
}

fn rsa(members: &Members) -> Result<Pair, KeyError> {
    // More than two primes are of no use to anybody, and not understood here.
    if members.get("oth").is_some() {
        return Err(KeyError::Unsupported);
    }
    let numbers = RSA.map(|name| number(members, name));
    let mut all: Vec<&[u8]> = vec![&[]];
    for number in &numbers {
        all.push(number.as_ref().map_err(|it| *it)?);
    }
    let pair = RsaKeyPair::from_der(&der::integers(&all));
    pair.map(Pair::Rsa).map_err(|_| KeyError::Unsupported)
}

fn point(members: &Members, bytes: usize) -> Result<EcdsaKeyPair, KeyError> {
    let [d, x, y] = ["d", "x", "y"].map(|name| number(members, name));
    let (d, x, y) = (d?, x?, y?);
    // Of full length always (RFC 7518 §6.2.1.2).
    if [&d, &x, &y].iter().any(|it| it.len() != bytes) {
        return Err(KeyError::Unsupported);
    }
    let public = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
    let curve = if bytes == P256_BYTES {
        &ECDSA_P256_SHA256_FIXED_SIGNING
    } else {
        &ECDSA_P384_SHA384_FIXED_SIGNING
    };
    let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, &d, &public);
    pair.map_err(|_| KeyError::Unsupported)
}

fn number(members: &Members, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = members.get(name).and_then(Value::as_str).ok_or(KeyError::Member(name))?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Member(name))?;
    Ok(Zeroizing::new(bytes))
}

/// The required members of the public half, and no other.
pub(super) fn public(pair: &Pair) -> Result<Map<String, Value>, KeyError> {
    let encoded = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let members = match pair {
        Pair::Rsa(it) => match der::read(it.public_key().as_ref())?.as_slice() {
            [n, e] => vec![("kty", "RSA".to_owned()), ("n", encoded(n)), ("e", encoded(e))],
            _ => return Err(KeyError::Unsupported),
        },
        Pair::P256(it) => curve("P-256", it.public_key().as_ref(), P256_BYTES)?,
        Pair::P384(it) => curve("P-384", it.public_key().as_ref(), P384_BYTES)?,
        Pair::Ed25519(it) => {
            let x = encoded(it.public_key().as_ref());
            vec![("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", x)]
        }
    };
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
}

/// The point of a P-256 key as one text of bytes (SEC 1 §2.3.3).
pub(super) fn uncompressed(x: &[u8], y: &[u8]) -> Result<Vec<u8>, KeyError> {
    // Of full length always (RFC 7518 §6.2.1.2).
    if x.len() != P256_BYTES || y.len() != P256_BYTES {
        return Err(KeyError::Unsupported);
    }
    Ok([&[UNCOMPRESSED], x, y].concat())
}

/// The members of the public half of a P-256 key, from its point.
pub(super) fn members_of_p256(point: &[u8]) -> Result<Map<String, Value>, KeyError> {
    let members = curve("P-256", point, P256_BYTES)?;
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
}

fn curve(name: &str, public: &[u8], bytes: usize) -> Result<Vec<(&'static str, String)>, KeyError> {
    let point = public.strip_prefix(&[UNCOMPRESSED]).filter(|it| it.len() == 2 * bytes);
    let (x, y) = point.ok_or(KeyError::Unsupported)?.split_at(bytes);
    let encoded = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let kty = ("kty", "EC".to_owned());
    Ok(vec![kty, ("crv", name.to_owned()), ("x", encoded(x)), ("y", encoded(y))])
}
