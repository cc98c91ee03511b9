//! Signature Version 4 of AWS, seen from the server's side.

use aws_lc_rs::{digest, hmac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::asked::{Asked, Doubts};
use super::file::Pairs;
use super::{Twin, fill};
use crate::secrets;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Judges the signature; gives the headers that belong to it, as they must be.
pub(super) fn check(twin: &Twin, asked: &Asked, values: &Pairs, doubts: &mut Doubts) -> Pairs {
    let text = |key: &str| {
        let template = twin.file.text_or(&format!("proxy.aws4.{key}"), "").to_owned();
        fill::text(&template, values).unwrap_or_default()
    };
    let host = twin.file.text_or("proxy.base_url", "").split('/').nth(2).unwrap_or_default();
    let label = |nth: usize| host.split('.').nth(nth).unwrap_or_default();
    let or_label = |key: &str, nth| {
        Some(text(key))
            .filter(|it| !it.is_empty())
            .unwrap_or_else(|| fill::text(label(nth), values).unwrap_or_default())
    };
    let (service, region) = (or_label("service", 0), or_label("region", 1));
    let sent = asked.header("authorization").unwrap_or_default().to_owned();
    let part = |name: &str| {
        let parts = sent.split([' ', ',']);
        let mut found = parts.filter_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        found.next().unwrap_or_default().to_owned()
    };
    let date = asked.header("x-amz-date").unwrap_or_default().to_owned();
    let day = date.get(..8).unwrap_or_default().to_owned();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let credential = format!("{}/{scope}", text("access_key_id"));
    doubts.unless(sent.starts_with("AWS4-HMAC-SHA256 "), "not signed as AWS wants it");
    doubts.same("the credential", Some(&credential), Some(&part("Credential")));
    let names = part("SignedHeaders");
    let listed: Vec<&str> = names.split(';').collect();
    for name in ["host", "x-amz-date"] {
        doubts.unless(listed.contains(&name), format!("{name} is not under the signature"));
    }
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        secrets::hash(&canonical(asked, &listed, &service))
    );
    let first = format!("AWS4{}", text("secret_access_key")).into_bytes();
    let key = [day.as_str(), &region, &service, "aws4_request"]
        .iter()
        .fold(first, |key, it| mac(&key, it));
    let right = secrets::hex(&mac(&key, &to_sign));
    doubts.same("the signature", Some(&right), Some(&part("Signature")));
    let mut headers =
        Pairs::from([("authorization".to_owned(), sent), ("x-amz-date".to_owned(), date)]);
    let token = text("session_token");
    if !token.is_empty() {
        headers.insert("x-amz-security-token".to_owned(), token);
    }
    if let Some(hash) = asked.header("x-amz-content-sha256") {
        headers.insert("x-amz-content-sha256".to_owned(), hash.to_owned());
    }
    headers
}

fn canonical(asked: &Asked, listed: &[&str], service: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    // Each segment as it was sent, encoded once more, but for the one service that takes it as is.
    let once = |it: &str| if service == "s3" { it.to_owned() } else { encoded(it) };
    let path: Vec<String> = asked.call.path.split('/').map(once).collect();
    let pairs = asked.query.iter();
    let mut query: Vec<String> =
        pairs.map(|(name, it)| format!("{}={}", encoded(name), encoded(it))).collect();
    query.sort();
    let value = |name: &&str| {
        let value = asked.header(name).unwrap_or_default();
        format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let headers: String = listed.iter().map(value).collect();
    let hash = secrets::hex(digest::digest(&digest::SHA256, asked.body).as_ref());
    let (method, path) = (asked.method.as_str(), path.join("/"));
    format!("{method}\n{path}\n{}\n{headers}\n{}\n{hash}", query.join("&"), listed.join(";"))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}
