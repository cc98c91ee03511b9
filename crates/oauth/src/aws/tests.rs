use super::*;

/// The keys of AWS's own examples; they open nothing.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: Payload = Payload::Bytes(b"");

/// 2015-08-30T12:36:00Z, as in AWS's test suite for this signature.
fn suite(secret: &Secret) -> Signer<'_> {
    Signer {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: secret,
        session_token: None,
        region: "us-east-1",
        service: "service",
        double_encode: true,
        content_header: false,
        now_s: 1_440_938_160,
        allow_loopback_http: false,
    }
}

fn authorization(signer: &Signer, target: &Target) -> String {
    let headers = signer.sign(target).unwrap();
    let (name, value) = headers.last().unwrap();
    assert_eq!(*name, "authorization");
    value.expose().to_owned()
}

fn signature(signer: &Signer, target: &Target) -> String {
    let value = authorization(signer, target);
    value.rsplit_once("Signature=").unwrap().1.to_owned()
}

fn get(url: &str) -> Target<'_> {
    Target { method: "GET", url, headers: &[], payload: EMPTY }
}

#[test]
fn get_vanilla_of_the_test_suite_in_full() {
    let secret = Secret::new(SECRET);
    let expected = "AWS4-HMAC-SHA256 \
        Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
        SignedHeaders=host;x-amz-date, \
        Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let target = get("https://example.amazonaws.com/");
    assert_eq!(authorization(&suite(&secret), &target), expected);
    let headers = suite(&secret).sign(&target).unwrap();
    assert_eq!((headers[0].0, headers[0].1.expose()), (DATE, "20150830T123600Z"));
    assert_eq!(headers.len(), 2);
}

#[test]
fn more_of_the_test_suite() {
    let secret = Secret::new(SECRET);
    let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (name, path, expected) in [
        (
            "get-vanilla-query-order-key-case",
            "?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-utf8-query",
            "?%E1%88%B4=bar",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        (
            "get-unreserved",
            unreserved,
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "normalize-path/get-slashes",
            "/example//",
            "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
        ),
    ] {
        let url = format!("https://example.amazonaws.com/{path}");
        assert_eq!(signature(&suite(&secret), &get(&url)), expected, "{name}");
    }
    // The suite sends this path unencoded, so it is encoded once.
    let once = Signer { double_encode: false, ..suite(&secret) };
    let expected = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85";
    assert_eq!(signature(&once, &get("https://example.amazonaws.com/%E1%88%B4")), expected);
}

#[test]
fn headers_and_bodies_of_the_test_suite() {
    let secret = Secret::new(SECRET);
    let url = "https://example.amazonaws.com/";
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let trim = [("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")];
    for (name, target, expected) in [
        (
            "post-vanilla",
            Target { method: "POST", ..get(url) },
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "post-header-key-sort",
            Target { method: "POST", headers: &[("My-Header1", "value1")], ..get(url) },
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        (
            "get-header-value-trim",
            Target { headers: &trim, ..get(url) },
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "post-x-www-form-urlencoded",
            Target {
                method: "POST",
                headers: &form,
                payload: Payload::Bytes(b"Param1=value1"),
                ..get(url)
            },
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ] {
        assert_eq!(signature(&suite(&secret), &target), expected, "{name}");
    }
}

#[test]
fn a_plus_in_the_query_is_a_space_and_in_the_path_a_plus() {
    let secret = Secret::new(SECRET);
    let of = |rest: &str| {
        let url = format!("https://example.amazonaws.com/{rest}");
        signature(&suite(&secret), &get(&url))
    };
    assert_eq!(of("?a+b=c+d"), of("?a%20b=c%20d"));
    assert_ne!(of("?a=c+d"), of("?a=c%2Bd"));
    assert_ne!(of("a+b"), of("a%20b"));
}

/// post-sts-header-before of the test suite.
#[test]
fn a_session_token_is_signed() {
    let token = Secret::new(concat!(
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmx",
        "fpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KP",
        "kyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqB",
        "Az+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
    ));
    let secret = Secret::new(SECRET);
    let it = Signer { session_token: Some(&token), ..suite(&secret) };
    let target = Target { method: "POST", ..get("https://example.amazonaws.com/") };
    let expected = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead";
    assert_eq!(signature(&it, &target), expected);
    assert!(
        authorization(&it, &target).contains("SignedHeaders=host;x-amz-date;x-amz-security-token,")
    );
}

/// The example of the IAM documentation.
#[test]
fn list_users() {
    let secret = Secret::new(SECRET);
    let it = Signer { service: "iam", ..suite(&secret) };
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    let headers = [("content-type", kind)];
    let url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
    let expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    assert_eq!(signature(&it, &Target { headers: &headers, ..get(url) }), expected);
}

/// The four examples of the S3 documentation, 2013-05-24T00:00:00Z.
#[test]
fn s3() {
    let secret = Secret::new(S3_SECRET);
    let it = Signer {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        service: "s3",
        double_encode: false,
        content_header: true,
        now_s: 1_369_353_600,
        ..suite(&secret)
    };
    let put =
        [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    let host = "https://examplebucket.s3.amazonaws.com";
    for (target, path, expected) in [
        (
            Target { headers: &[("Range", "bytes=0-9")], ..get("") },
            "/test.txt",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            Target {
                method: "PUT",
                headers: &put,
                payload: Payload::Bytes(b"Welcome to Amazon S3."),
                ..get("")
            },
            "/test$file.text",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            get(""),
            "/?lifecycle",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            get(""),
            "/?max-keys=2&prefix=J",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let url = format!("{host}{path}");
        assert_eq!(signature(&it, &Target { url: &url, ..target }), expected, "{path}");
    }
}

#[test]
fn a_body_that_is_not_signed_is_named() {
    let secret = Secret::new(SECRET);
    let target = Target { payload: Payload::Unsigned, ..get("https://example.amazonaws.com/") };
    let headers = suite(&secret).sign(&target).unwrap();
    assert_eq!((headers[1].0, headers[1].1.expose()), (CONTENT_HASH, UNSIGNED));
    // A hash that is known beforehand signs the same as the bytes.
    let hash = hash_of(Payload::Bytes(b"x"));
    let by = |payload| signature(&suite(&secret), &Target { payload, ..target });
    assert_eq!(by(Payload::Sha256(&hash)), by(Payload::Bytes(b"x")));
    assert_ne!(by(EMPTY), by(Payload::Bytes(b"x")));
}

#[test]
fn what_is_set_here_cannot_be_set_from_outside() {
    let secret = Secret::new(SECRET);
    let url = "https://example.amazonaws.com/";
    let headers =
        [("Host", "evil"), ("X-Amz-Date", "x"), ("Authorization", "y"), ("User-Agent", "z")];
    let expected = signature(&suite(&secret), &get(url));
    assert_eq!(signature(&suite(&secret), &Target { headers: &headers, ..get(url) }), expected);
    for url in ["http://example.amazonaws.com/", "https://u:p@example.amazonaws.com/"] {
        assert!(suite(&secret).sign(&get(url)).is_err());
    }
    assert!(Signer { now_s: i64::MAX, ..suite(&secret) }.sign(&get(url)).is_err());
}
