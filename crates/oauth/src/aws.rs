//! Requests that are signed as AWS wants them: Signature Version 4, in `Authorization`.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use percent_encoding::percent_decode_str;
use time::OffsetDateTime;
use url::Url;
use zeroize::Zeroizing;

use crate::encode::strict_bytes;
use crate::request::RequestError;
use crate::{Secret, endpoint};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const CONTENT_HASH: &str = "x-amz-content-sha256";
const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";
/// Set here, or changed on the way by whoever passes the request on.
const NEVER_SIGNED: [&str; 10] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-amz-date",
    "x-amz-security-token",
    "x-amzn-trace-id",
];

/// Whose key signs, and for which part of the cloud.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    pub access_key_id: &'a str,
    pub secret_access_key: &'a Secret,
    /// Of temporary credentials.
    pub session_token: Option<&'a Secret>,
    /// `us-east-1`
    pub region: &'a str,
    /// `execute-api`, `s3`
    pub service: &'a str,
    /// Encode the path once more before it is signed, and take several `/` for one. All but S3.
    pub double_encode: bool,
    /// Send the hash of the body in a header of its own, as S3 wants it.
    pub content_header: bool,
    /// Seconds since 1970; may be fifteen minutes off.
    pub now_s: i64,
    pub allow_loopback_http: bool,
}

/// The body, as far as it is signed.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    Bytes(&'a [u8]),
    /// The hash of a body that is sent as it comes, as 64 hexadecimal digits.
    Sha256(&'a str),
    /// Not at all, where the service allows it. Over TLS only.
    Unsigned,
}

/// What is signed. Of `headers` all that are given are, but for those that change on the way.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub payload: Payload<'a>,
}

impl Signer<'_> {
    /// The headers to be put on the request, by lower-case name. `Host` must be sent as in the URL.
    pub fn sign(&self, target: &Target) -> Result<Vec<(&'static str, Secret)>, RequestError> {
        let url = endpoint::check(target.url, self.allow_loopback_http)?;
        let (day, moment) = self.date()?;
        let content = hash_of(target.payload);
        let mut added = vec![(DATE, Secret::new(moment.as_str()))];
        added.extend(self.session_token.map(|it| (TOKEN, Secret::new(it.expose()))));
        if self.content_header || matches!(target.payload, Payload::Unsigned) {
            added.push((CONTENT_HASH, Secret::new(content.as_str())));
        }
        let headers = canonical_headers(&url, target.headers, &added);
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let request = self.canonical_request(target.method, &url, &headers, (&names, &content));
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let hash = hex(digest(&SHA256, request.as_bytes()).as_ref());
        let text = format!("{ALGORITHM}\n{moment}\n{scope}\n{hash}");
        let signature = hex(hmac::sign(&self.key(&day), text.as_bytes()).as_ref());
        let id = self.access_key_id;
        let value = format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        added.push(("authorization", Secret::new(value)));
        Ok(added)
    }

    /// `20150830` and `20150830T123600Z`.
    fn date(&self) -> Result<(String, String), RequestError> {
        let now = OffsetDateTime::from_unix_timestamp(self.now_s);
        let now = now.map_err(|_| RequestError::HeaderValue(DATE.to_owned()))?;
        let day = format!("{:04}{:02}{:02}", now.year(), u8::from(now.month()), now.day());
        let moment = format!("{day}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second());
        Ok((day, moment))
    }

    /// A key for one day, region and service.
    fn key(&self, day: &str) -> hmac::Key {
        let text = Zeroizing::new(format!("AWS4{}", self.secret_access_key.expose()));
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        for part in [day, self.region, self.service, "aws4_request"] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        key
    }

    fn canonical_request(
        &self,
        method: &str,
        url: &Url,
        headers: &[(String, Zeroizing<String>)],
        (names, content): (&str, &str),
    ) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(1_024));
        let (path, query) = (self.path(url), query(url));
        out.extend([method, "\n", &path, "\n", &query, "\n"]);
        for (name, value) in headers {
            out.extend([name, ":", value, "\n"]);
        }
        out.extend(["\n", names, "\n", content]);
        out
    }

    /// As the service finds it in what is sent, encoded; or what it means, encoded once.
    fn path(&self, url: &Url) -> String {
        if !self.double_encode {
            let decoded: Vec<u8> = percent_decode_str(url.path()).collect();
            return slashes(&decoded);
        }
        let mut path = url.path().to_owned();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        slashes(path.as_bytes())
    }
}

fn slashes(path: &[u8]) -> String {
    strict_bytes(path).replace("%2F", "/")
}

/// Sorted as bytes by name and value, after encoding. A `+` is a space, which is how forms write it
/// and services read it; a plus is `%2B`.
fn query(url: &Url) -> Zeroizing<String> {
    let encoded = |text: &str| {
        let text = Zeroizing::new(text.replace('+', " "));
        strict_bytes(&percent_decode_str(&text).collect::<Vec<u8>>())
    };
    let parts = url.query().unwrap_or_default().split('&').filter(|it| !it.is_empty());
    let mut pairs: Vec<(String, String)> = parts
        .map(|it| it.split_once('=').unwrap_or((it, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort();
    let mut out = Zeroizing::new(String::new());
    for (at, (name, value)) in pairs.iter().enumerate() {
        out.extend([if at == 0 { "" } else { "&" }, name, "=", value]);
    }
    out
}

/// By name in order; the values of one name joined, with outer and double white space gone.
fn canonical_headers(
    url: &Url,
    given: &[(&str, &str)],
    added: &[(&str, Secret)],
) -> Vec<(String, Zeroizing<String>)> {
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    let host = format!("{}{port}", url.host_str().unwrap_or_default());
    let mut all = vec![("host".to_owned(), host.as_str())];
    all.extend(added.iter().map(|(name, value)| ((*name).to_owned(), value.expose())));
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        let ours = NEVER_SIGNED.contains(&name.as_str()) || added.iter().any(|it| it.0 == name);
        if !ours {
            all.push((name, value));
        }
    }
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let mut joined: Vec<(String, Zeroizing<String>)> = Vec::new();
    for (name, value) in all {
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        let value = Zeroizing::new(words.join(" "));
        match joined.last_mut() {
            Some(last) if last.0 == name => last.1.extend([",", &value]),
            _ => joined.push((name, value)),
        }
    }
    joined
}

fn hash_of(payload: Payload) -> String {
    match payload {
        Payload::Bytes(bytes) => hex(digest(&SHA256, bytes).as_ref()),
        Payload::Sha256(hash) => hash.to_ascii_lowercase(),
        Payload::Unsigned => UNSIGNED.to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from(b"0123456789abcdef"[usize::from(it & 15)]);
    bytes.iter().flat_map(|it| [digit(it >> 4), digit(*it)]).collect()
}

#[cfg(test)]
mod tests;
