use proptest::prelude::*;
use url::Url;

use super::*;

static NONE: Params = Params::new();

/// The client of RFC 5849 §1.2.
fn signer<'a>(secret: &'a Secret, nonce: &'a str, timestamp_s: i64) -> Signer<'a> {
    Signer {
        consumer_key: "dpf43f3p2l4k3l03",
        consumer_secret: secret,
        method: SignatureMethod::HmacSha1,
        realm: Some("Photos"),
        nonce,
        timestamp_s,
        allow_loopback_http: false,
    }
}

fn token(token: &str, secret: &str) -> Token {
    Token { token: Secret::new(token), secret: Secret::new(secret), others: Params::new() }
}

fn consumer_secret() -> Secret {
    Secret::new("kd94hf93k423kf44")
}

fn sign(base: &str, token_secret: &str) -> String {
    let signed = SignatureMethod::HmacSha1.sign(base, "kd94hf93k423kf44", token_secret);
    signed.unwrap().to_string()
}

fn base(method: Method, url: &str, params: &[(&str, &str)]) -> String {
    base_string(method, &Url::parse(url).unwrap(), params).to_string()
}

fn response(status: u16, body: &str) -> Response<'_> {
    Response { status, retry_after: None, body: body.as_bytes() }
}

/// Every rule at once: repeated names, empty values, encoded and double-encoded characters.
#[test]
fn f_19_the_base_string_of_rfc_5849_section_3_4_1() {
    let url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b";
    let params = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
        ("c2", ""),
        ("a3", "2 q"),
    ];
    let expected = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q\
        %26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2\
        %26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1\
        %26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";
    assert_eq!(base(Method::Post, url, &params), expected);
}

/// §3.4.1.2: the port counts only if it is not the scheme's own; the query does not.
#[test]
fn f_19_the_address_of_the_base_string() {
    let start = |url| base(Method::Get, url, &[]);
    let one = "GET&http%3A%2F%2Fexample.com%2Fr%2520v%2FX&id%3D123";
    assert_eq!(start("http://EXAMPLE.COM:80/r%20v/X?id=123"), one);
    let other = "GET&https%3A%2F%2Fwww.example.net%3A8080%2F&q%3D1";
    assert_eq!(start("https://www.example.net:8080/?q=1"), other);
    assert_eq!(start("https://www.example.net"), "GET&https%3A%2F%2Fwww.example.net%2F&");
}

/// The three signatures of §1.2, which leave out the optional `oauth_version`.
#[test]
fn f_19_the_signatures_of_rfc_5849_section_1_2() {
    let mut params = vec![
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131200"),
        ("oauth_nonce", "wIjqoS"),
        ("oauth_callback", "http://printer.example.com/ready"),
    ];
    let initiate = base(Method::Post, "https://photos.example.net/initiate", &params);
    assert_eq!(sign(&initiate, ""), "74KNZJeDHnMBp0EMJ9ZHt/XKycU=");

    params.truncate(2);
    let of_token = [
        ("oauth_token", "hh5s93j4hdidpola"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "walatlh"),
        ("oauth_verifier", "hfdp7dh39dks9884"),
    ];
    let all = [&params[..], &of_token].concat();
    let exchange = base(Method::Post, "https://photos.example.net/token", &all);
    assert_eq!(sign(&exchange, "hdhd0244k9j7ao03"), "gKgrFCywp7rO0OXSjdot/IHF7IU=");

    let of_use = [
        ("oauth_token", "nnch734d00sl2jdk"),
        ("oauth_timestamp", "137131202"),
        ("oauth_nonce", "chapoH"),
    ];
    let all = [&params[..], &of_use].concat();
    let url = "http://photos.example.net/photos?file=vacation.jpg&size=original";
    let signature = sign(&base(Method::Get, url, &all), "pfkkdhi9sl3r4s00");
    assert_eq!(signature, "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
}

/// §3.4.4's form of the key; HMAC-SHA256 checked with Python's `hmac`.
#[test]
fn f_19_the_other_methods() {
    let plain = SignatureMethod::Plaintext.sign("ignored", "a&b c", "d%");
    assert_eq!(&*plain.unwrap(), "a%26b%20c&d%25");
    let sha256 = SignatureMethod::HmacSha256.sign("GET&x&y", "kd94hf93k423kf44", "");
    assert_eq!(&*sha256.unwrap(), "PEJ6mlfuyC7FMsp08Q3eveIEyv+Y4CApmuAROGZJk9U=");
}

#[test]
fn f_19_a_request_for_a_request_token() {
    let secret = consumer_secret();
    let signer = signer(&secret, "wIjqoS", 137_131_200);
    let callback = "http://printer.example.com/ready";
    let request = signer.request_token("https://photos.example.net/initiate", callback).unwrap();
    assert_eq!(
        (request.method, &**request.url),
        (Method::Post, "https://photos.example.net/initiate")
    );
    let header = request.header("authorization").unwrap();
    assert!(header.starts_with(
        "OAuth realm=\"Photos\", oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_nonce=\"wIjqoS\", \
        oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"137131200\", \
        oauth_callback=\"http%3A%2F%2Fprinter.example.com%2Fready\", oauth_version=\"1.0\", \
        oauth_signature=\""
    ));
    assert!(!format!("{request:?} {signer:?}").contains("kd94hf93k423kf44"));
}

/// What the header says must be exactly what was signed, body and query included.
#[test]
fn f_19_any_request_is_signed_with_its_query_and_form() {
    let secret = consumer_secret();
    let signer = Signer { realm: None, ..signer(&secret, "n", 1) };
    let access = token("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00");
    let url = "https://api.example.net/x?b=2%202&a=1";
    let form = [("status", "Hello Ladies + Gentlemen, a signed OAuth request!")];
    let target = Target { method: Method::Put, url, form: &form };
    let header = signer.authorization(&target, Some(&access)).unwrap();
    let mut pairs = header_pairs(header.expose());
    let signature = pairs.pop().unwrap();
    assert_eq!(signature.0, "oauth_signature");
    let borrowed = pairs.iter().map(|(name, value)| (&**name, &**value));
    let all: Vec<_> = borrowed.chain(form).collect();
    assert_eq!(sign(&base(Method::Put, url, &all), "pfkkdhi9sl3r4s00"), signature.1);
    assert!(all.contains(&("oauth_token", "nnch734d00sl2jdk")));
    // One changed value anywhere gives another signature.
    let other = Target { form: &[("status", "Bye")], ..target };
    let other = header_pairs(signer.authorization(&other, Some(&access)).unwrap().expose());
    assert_ne!(other.last(), Some(&signature));
}

fn header_pairs(header: &str) -> Vec<(String, String)> {
    let pair = |it: &str| {
        let (name, value) = it.split_once('=').unwrap();
        let value = percent_encoding::percent_decode_str(value.trim_matches('"'));
        (name.to_owned(), value.decode_utf8().unwrap().into_owned())
    };
    header.strip_prefix("OAuth ").unwrap().split(", ").map(pair).collect()
}

#[test]
fn f_19_a_realm_is_quoted_and_cannot_break_out() {
    let secret = consumer_secret();
    let signer = Signer { realm: Some("a\"b\\c"), ..signer(&secret, "n", 1) };
    let target = Target { method: Method::Get, url: "https://a.example/", form: &[] };
    let header = signer.authorization(&target, None).unwrap();
    assert!(header.expose().starts_with(r#"OAuth realm="a\"b\\c", oauth_consumer_key="#));
    let broken = Signer { realm: Some("a\r\nb"), ..signer };
    assert!(broken.request_token("https://a.example/", "x").is_err());
}

#[test]
fn f_19_f_14_the_authorise_address() {
    let it = |url, params: &Params| authorize_url(url, &Secret::new("t/1"), params, false);
    let params = Params::from([("scope".to_owned(), "read,write".to_owned())]);
    let expected = "https://a.example/authorize?x=1&oauth_token=t%2F1&scope=read%2Cwrite";
    assert_eq!(it("https://a.example/authorize?x=1", &params).unwrap(), expected);
    assert!(it("http://a.example/authorize", &NONE).is_err());
    assert!(it("https://a.example/authorize?oauth_token=x", &NONE).is_err());
    let taken = Params::from([("oauth_callback".to_owned(), "https://evil.example".to_owned())]);
    assert!(it("https://a.example/authorize", &taken).is_err());
    assert!(signer(&consumer_secret(), "n", 1).request_token("http://a.example/", "x").is_err());
}

#[test]
fn f_19_answers() {
    let body = "oauth_token=hh5s93j4hdidpola&oauth_token_secret=hdhd0244k9j7ao03\
        &oauth_callback_confirmed=true";
    let it = read_request_token(&response(200, body)).unwrap();
    assert_eq!((it.token.expose(), it.secret.expose()), ("hh5s93j4hdidpola", "hdhd0244k9j7ao03"));
    let body = "oauth_token=nnch734d00sl2jdk&oauth_token_secret=pfkkdhi9sl3r4s00&user_id=7";
    let it = read_access_token(&response(200, body)).unwrap();
    assert_eq!(it.others.get("user_id").map(String::as_str), Some("7"));
    assert!(!format!("{it:?}").contains("pfkk"));
    let unconfirmed = read_request_token(&response(200, body)).unwrap_err();
    assert_eq!(unconfirmed, OneError::CallbackNotConfirmed);
    for body in [
        "",
        "<html>",
        "oauth_token=a",
        "oauth_token=a&oauth_token_secret=",
        "oauth_token=a&oauth_token=b&oauth_token_secret=c",
        "{\"oauth_token\":\"a\"}",
        "\u{0}",
    ] {
        assert_eq!(
            read_access_token(&response(200, body)).unwrap_err(),
            OneError::Malformed,
            "{body}"
        );
    }
    for status in [408, 425, 429, 500, 503] {
        let error = read_access_token(&response(status, "x")).unwrap_err();
        assert_eq!(error, OneError::Transient { status });
    }
    let refused = read_access_token(&response(401, "Invalid\r\nsignature")).unwrap_err();
    assert_eq!(refused.to_string(), "refused with status 401: Invalid signature");
    let redirect = read_access_token(&response(302, "")).unwrap_err();
    assert!(matches!(redirect, OneError::Refused { status: 302, .. }));
}

proptest! {
    #[test]
    fn f_19_reading_never_panics(status: u16, body: Vec<u8>) {
        let it = Response { status, retry_after: None, body: &body };
        let _ = read_request_token(&it);
        let _ = read_access_token(&it);
    }

    /// The order in which parameters are given does not change what is signed.
    #[test]
    fn f_19_the_base_string_does_not_depend_on_order(
        pairs in prop::collection::vec((".{0,4}", ".{0,4}"), 0..6),
    ) {
        let mut params: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        let one = base(Method::Get, "https://a.example/x?q=1", &params);
        params.reverse();
        prop_assert_eq!(&one, &base(Method::Get, "https://a.example/x?q=1", &params));
        prop_assert_eq!(one.matches('&').count(), 2);
        prop_assert!(one.is_ascii());
    }

    #[test]
    fn f_19_header_values_come_back(
        key in any::<String>(), nonce in any::<String>(), callback in any::<String>(),
    ) {
        let secret = consumer_secret();
        let base = signer(&secret, "", 1);
        let signer = Signer { consumer_key: &key, nonce: &nonce, realm: None, ..base };
        let request = signer.request_token("https://a.example/", &callback).unwrap();
        let pairs = header_pairs(request.header("authorization").unwrap());
        prop_assert_eq!(&pairs[0].1, &key);
        prop_assert_eq!(&pairs[1].1, &nonce);
        prop_assert_eq!(&pairs[4].1, &callback);
    }
}

#[test]
fn f_19_an_rsa_key_signs_what_is_verified_with_its_public_half() {
    let key = crate::key::samples::rsa();
    let secret = Secret::new("");
    let it = Signer { method: SignatureMethod::RsaSha256(&key), ..signer(&secret, "n", 1) };
    let target = Target { method: Method::Post, url: "https://api.example/v1?a=b", form: &[] };
    let header = it.authorization_with_body(&target, None, b"{}").unwrap();
    let part = |name: &str| {
        let (_, after) = header.expose().split_once(&format!("{name}=\"")).unwrap();
        let value = after.split('"').next().unwrap();
        percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned()
    };
    assert_eq!(part("oauth_signature_method"), "RSA-SHA256");
    // The SHA-256 of `{}`.
    let hash = "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=";
    assert_eq!(part("oauth_body_hash"), hash);
    let pairs = [
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_nonce", "n"),
        ("oauth_signature_method", "RSA-SHA256"),
        ("oauth_timestamp", "1"),
        ("oauth_version", "1.0"),
        ("oauth_body_hash", hash),
    ];
    let base = base(Method::Post, target.url, &pairs);
    let expected =
        BASE64_STANDARD.encode(key.sign(key::Algorithm::Rs256, base.as_bytes()).unwrap());
    assert_eq!(part("oauth_signature"), expected);
    let key = crate::key::samples::p256();
    let it = Signer { method: SignatureMethod::RsaSha256(&key), ..signer(&secret, "n", 1) };
    let error = it.authorization(&target, None).unwrap_err();
    assert_eq!(error, RequestError::Key(KeyError::Algorithm(key::Algorithm::Rs256)));
}

/// Draft 4 of the body hash, §5: the body and its hash.
#[test]
fn f_19_the_hash_of_a_body() {
    let secret = consumer_secret();
    let target = Target { method: Method::Put, url: "https://www.example.com/resource", form: &[] };
    let it = signer(&secret, "n", 1).authorization_with_body(&target, None, b"Hello World!");
    let it = it.unwrap();
    assert!(it.expose().contains("oauth_body_hash=\"Lve95gjOVATpfV8EL5X4nxwjKHE%3D\""));
}

#[test]
fn f_19_only_a_form_is_signed() {
    let form = "Application/X-WWW-Form-URLencoded; charset=utf-8";
    let pairs = [("a".to_owned(), "1 2".to_owned()), ("a".to_owned(), String::new())];
    assert_eq!(form_params(form, b"a=1+2&a="), pairs);
    for other in ["application/json", "multipart/form-data; boundary=a", "", "text/plain"] {
        assert_eq!(form_params(other, b"a=1"), []);
    }
}
