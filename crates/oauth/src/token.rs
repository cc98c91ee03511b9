//! Requests to the token endpoint (RFC 6749 §4.1.3, §6).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::assertion::CLIENT_ASSERTION_TYPE;
use crate::authorize::joined;
use crate::encode::{form, form_pairs};
use crate::pkce::Verifier;
use crate::request::{Method, Params, Request, RequestError};
use crate::{Secret, endpoint, resource};

/// What not even an app's file may set in a token request.
const OURS: [&str; 15] = [
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "assertion",
    "subject_token",
    "actor_token",
    "device_code",
    "password",
    "request",
    "request_uri",
];

/// How the client proves itself: exactly one way (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy)]
pub enum ClientAuth<'a> {
    /// In `Authorization: Basic`.
    Basic,
    /// In the body.
    Post,
    /// A public client: its id only.
    None,
    /// `private_key_jwt` or `client_secret_jwt` (RFC 7523 §2.2): an assertion made for this one
    /// request by [`crate::assertion::ClientAssertion`].
    Assertion(&'a Secret),
    /// `tls_client_auth` or `self_signed_tls_client_auth` (RFC 8705 §2): the request must be sent
    /// over a connection with the client's certificate, to [`crate::discovery`]'s alias if the
    /// server has one. The body has the id only.
    Tls,
}

/// Where the parameters stand. All but `Form` are against the standard (RFC 6749 §3.2), and all
/// that some servers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    Form,
    Json,
    /// In the query of a POST without a body.
    Query,
    /// In the query of a GET.
    Get,
}

/// A registration at the server.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    pub id: &'a str,
    pub secret: Option<&'a Secret>,
    pub auth: ClientAuth<'a>,
}

/// Where and how a server wants to be asked. Parameters and headers are those of the app's file.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    pub url: &'a str,
    pub format: BodyFormat,
    /// Added to the body; may replace `grant_type` and `scope`, but nothing that proves anything.
    pub params: &'a Params,
    pub headers: &'a Params,
    /// A standard name to the name this server uses: `client_id` to `client_key`.
    pub param_names: &'a Params,
    /// For whom tokens are wanted (RFC 8707 §2.2); sent in order, each as a `resource`.
    pub resources: &'a [&'a str],
    pub allow_loopback_http: bool,
}

/// What came back from the browser, and what the flow kept for this moment.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    pub code: &'a Secret,
    /// The same, byte for byte, as in the authorization request (RFC 6749 §4.1.3).
    pub redirect_uri: &'a str,
    pub verifier: Option<&'a Verifier>,
}

/// The request that exchanges a code for tokens.
pub fn exchange(
    endpoint: &Endpoint,
    client: &Client,
    it: &Exchange,
) -> Result<Request, RequestError> {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", it.code.expose()),
        ("redirect_uri", it.redirect_uri),
    ];
    pairs.extend(it.verifier.map(|it| ("code_verifier", it.expose())));
    request(endpoint, Some(client), pairs)
}

/// The request for a new access token. No scope is sent, so that the grant stays as it is.
pub fn refresh(
    endpoint: &Endpoint,
    client: &Client,
    refresh_token: &Secret,
) -> Result<Request, RequestError> {
    let token = ("refresh_token", refresh_token.expose());
    request(endpoint, Some(client), vec![("grant_type", "refresh_token"), token])
}

/// Any request in which a client proves itself. Without a client, nobody does.
pub(crate) fn request<'a>(
    endpoint: &Endpoint<'a>,
    client: Option<&Client<'a>>,
    mut pairs: Vec<(&'a str, &'a str)>,
) -> Result<Request, RequestError> {
    endpoint::check(endpoint.url, endpoint.allow_loopback_http)?;
    resource::check_all(endpoint.resources)?;
    for name in endpoint.params.keys() {
        let renamed = endpoint.param_names.values().any(|it| it == name);
        if renamed || OURS.iter().any(|it| it.eq_ignore_ascii_case(name)) {
            return Err(RequestError::Reserved(name.clone()));
        }
    }
    pairs.extend(endpoint.resources.iter().map(|it| ("resource", *it)));
    for (name, _) in &mut pairs {
        *name = named(endpoint, name);
    }
    for (name, value) in client.map(credentials_in_body).transpose()?.unwrap_or_default() {
        let name = named(endpoint, name);
        // A pushed request has the client's id already (RFC 9126 §2.1).
        if !pairs.iter().any(|(it, _)| *it == name) {
            pairs.push((name, value));
        }
    }
    // The same resources as in the authorization request (RFC 8707 §2.2), whatever the file says.
    let settled = |name: &str| name == "resource" && !endpoint.resources.is_empty();
    pairs.retain(|(name, _)| settled(name) || !endpoint.params.contains_key(*name));
    let params = endpoint.params.iter().filter(|(name, _)| !settled(name));
    pairs.extend(params.map(|(name, value)| (&**name, &**value)));
    let mut request = Request {
        method: Method::Post,
        url: Zeroizing::new(endpoint.url.to_owned()),
        headers: Vec::new(),
        body: None,
    };
    client.map_or(Ok(()), |it| authenticate(&mut request, it))?;
    add_headers(&mut request, endpoint.headers)?;
    set_body(&mut request, endpoint.format, pairs)?;
    Ok(request)
}

fn named<'a>(endpoint: &Endpoint<'a>, name: &'a str) -> &'a str {
    endpoint.param_names.get(name).map_or(name, String::as_str)
}

/// What of the client's credentials stands in the body.
pub(crate) fn credentials_in_body<'a>(
    client: &Client<'a>,
) -> Result<Vec<(&'static str, &'a str)>, RequestError> {
    match (client.auth, client.secret) {
        (ClientAuth::Basic, _) => Ok(vec![]),
        (ClientAuth::None | ClientAuth::Tls, _) => Ok(vec![("client_id", client.id)]),
        (ClientAuth::Assertion(assertion), _) => Ok(vec![
            ("client_id", client.id),
            ("client_assertion_type", CLIENT_ASSERTION_TYPE),
            ("client_assertion", assertion.expose()),
        ]),
        (ClientAuth::Post, None) => Err(RequestError::NoClientSecret),
        (ClientAuth::Post, Some(secret)) => {
            Ok(vec![("client_id", client.id), ("client_secret", secret.expose())])
        }
    }
}

/// Sets `Authorization: Basic` where that is the way. Id and secret are form-encoded first (RFC
/// 6749 §2.3.1), without which a `:` or `%` in them would mean something else.
pub(crate) fn authenticate(request: &mut Request, client: &Client) -> Result<(), RequestError> {
    if !matches!(client.auth, ClientAuth::Basic) {
        return Ok(());
    }
    let secret = client.secret.ok_or(RequestError::NoClientSecret)?;
    let secret = Zeroizing::new(form(secret.expose()));
    let pair = Zeroizing::new(format!("{}:{}", form(client.id), *secret));
    let value = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(&*pair)));
    request.add_header("authorization", &value)
}

pub(crate) fn add_headers(request: &mut Request, headers: &Params) -> Result<(), RequestError> {
    for (name, value) in headers {
        let again = request.header("authorization").is_some();
        if again && name.eq_ignore_ascii_case("authorization") {
            return Err(RequestError::TwoAuthentications);
        }
        request.add_header(name, value)?;
    }
    request.add_header("accept", "application/json")
}

pub(crate) fn set_body<'a>(
    request: &mut Request,
    format: BodyFormat,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), RequestError> {
    let (kind, body) = match format {
        BodyFormat::Form => ("application/x-www-form-urlencoded", form_pairs(pairs)),
        BodyFormat::Json => ("application/json", json(pairs)),
        BodyFormat::Query | BodyFormat::Get => {
            request.url = Zeroizing::new(joined(&request.url, &form_pairs(pairs)));
            request.headers.retain(|(name, _)| name != "content-type");
            let get = format == BodyFormat::Get;
            request.method = if get { Method::Get } else { Method::Post };
            // Some servers answer 411 to a POST without a length.
            request.body = (!get).then(|| Secret::new(""));
            return Ok(());
        }
    };
    request.headers.retain(|(name, _)| name != "content-type");
    request.add_header("content-type", kind)?;
    request.body = Some(Secret::from(body));
    Ok(())
}

/// An object of texts, written without an intermediate tree that would not be wiped.
fn json<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(512));
    let quoted = |text: &str| Zeroizing::new(serde_json::Value::from(text).to_string());
    out.push('{');
    for (name, value) in pairs {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&quoted(name));
        out.push(':');
        out.push_str(&quoted(value));
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static NONE: Params = Params::new();

    fn endpoint() -> Endpoint<'static> {
        Endpoint {
            url: "https://as.example/token",
            format: BodyFormat::Form,
            params: &NONE,
            headers: &NONE,
            param_names: &NONE,
            resources: &[],
            allow_loopback_http: false,
        }
    }

    fn params(pairs: &[(&str, &str)]) -> Params {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn client<'a>(secret: &'a Secret, auth: ClientAuth<'a>) -> Client<'a> {
        Client { id: "id", secret: Some(secret), auth }
    }

    fn body(request: &Request) -> &str {
        request.body.as_ref().unwrap().expose()
    }

    fn refreshed(endpoint: &Endpoint, auth: ClientAuth) -> Result<Request, RequestError> {
        refresh(endpoint, &client(&Secret::new("s&1"), auth), &Secret::new("r/1"))
    }

    #[test]
    fn t_01_an_exchange_in_a_form_with_one_authentication() {
        let (code, secret) = (Secret::new("c+1"), Secret::new("s"));
        let verifier = Verifier::new(&"v".repeat(43)).unwrap();
        let redirect_uri = "https://us.example/callback?a=b";
        let it = Exchange { code: &code, redirect_uri, verifier: Some(&verifier) };
        let request = exchange(&endpoint(), &client(&secret, ClientAuth::Post), &it).unwrap();
        assert_eq!(request.method, Method::Post);
        assert_eq!(&*request.url, "https://as.example/token");
        let expected = format!(
            "grant_type=authorization_code&code=c%2B1\
            &redirect_uri=https%3A%2F%2Fus.example%2Fcallback%3Fa%3Db&code_verifier={}\
            &client_id=id&client_secret=s",
            verifier.expose()
        );
        assert_eq!(body(&request), expected);
        assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(request.header("accept"), Some("application/json"));
        assert_eq!(request.header("authorization"), None);
    }

    #[test]
    fn t_01_each_way_of_authentication_alone() {
        let bare = "grant_type=refresh_token&refresh_token=r%2F1";
        let basic = refreshed(&endpoint(), ClientAuth::Basic).unwrap();
        assert_eq!(body(&basic), bare);
        assert!(basic.header("authorization").unwrap().starts_with("Basic "));
        let post = refreshed(&endpoint(), ClientAuth::Post).unwrap();
        assert_eq!(body(&post), format!("{bare}&client_id=id&client_secret=s%261"));
        let none = refreshed(&endpoint(), ClientAuth::None).unwrap();
        assert_eq!(body(&none), format!("{bare}&client_id=id"));
        assert!(post.header("authorization").is_none() && none.header("authorization").is_none());
        for auth in [ClientAuth::Basic, ClientAuth::Post] {
            let client = Client { id: "id", secret: None, auth };
            let error = refresh(&endpoint(), &client, &Secret::new("r")).unwrap_err();
            assert_eq!(error, RequestError::NoClientSecret);
        }
        let headers = params(&[("Authorization", "Basic x")]);
        let twice = Endpoint { headers: &headers, ..endpoint() };
        let error = refreshed(&twice, ClientAuth::Basic).unwrap_err();
        assert_eq!(error, RequestError::TwoAuthentications);
    }

    #[test]
    fn an_assertion_or_a_certificate_in_the_place_of_a_secret() {
        let jwt = Secret::new("a.b.c");
        let (secret, token) = (Secret::new("s"), Secret::new("r"));
        let assertion = client(&secret, ClientAuth::Assertion(&jwt));
        let request = refresh(&endpoint(), &assertion, &token).unwrap();
        let expected = "grant_type=refresh_token&refresh_token=r&client_id=id\
            &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
            &client_assertion=a.b.c";
        assert_eq!(body(&request), expected);
        assert_eq!(request.header("authorization"), None);
        let tls = client(&secret, ClientAuth::Tls);
        let request = refresh(&endpoint(), &tls, &token).unwrap();
        assert_eq!(body(&request), "grant_type=refresh_token&refresh_token=r&client_id=id");
    }

    #[test]
    fn d_03_resources_are_sent_each_by_itself() {
        let resources = ["https://a.example/mcp", "https://b.example/x?y"];
        let it = Endpoint { resources: &resources, ..endpoint() };
        let request = refreshed(&it, ClientAuth::None).unwrap();
        let expected = "grant_type=refresh_token&refresh_token=r%2F1\
            &resource=https%3A%2F%2Fa.example%2Fmcp&resource=https%3A%2F%2Fb.example%2Fx%3Fy\
            &client_id=id";
        assert_eq!(body(&request), expected);
        let file = params(&[("resource", "urn:other")]);
        let it = Endpoint { params: &file, ..it };
        assert_eq!(body(&refreshed(&it, ClientAuth::None).unwrap()), expected);
        let it = Endpoint { resources: &["https://a.example/#x"], ..endpoint() };
        assert!(matches!(refreshed(&it, ClientAuth::None), Err(RequestError::Resource(_))));
    }

    #[test]
    fn t_01_parameters_in_the_query() {
        let it = Endpoint { format: BodyFormat::Get, ..endpoint() };
        let request = refreshed(&it, ClientAuth::Post).unwrap();
        let pairs = "grant_type=refresh_token&refresh_token=r%2F1&client_id=id&client_secret=s%261";
        assert_eq!(&*request.url, &format!("https://as.example/token?{pairs}"));
        assert_eq!((request.method, request.body.is_none()), (Method::Get, true));
        assert_eq!(request.header("content-type"), None);
        let url = "https://as.example/token?v=2";
        let it = Endpoint { format: BodyFormat::Query, url, ..endpoint() };
        let request = refreshed(&it, ClientAuth::Post).unwrap();
        assert_eq!(&*request.url, &format!("{url}&{pairs}"));
        assert_eq!((request.method, body(&request)), (Method::Post, ""));
        assert_eq!(format!("{request:?}"), "Request(POST as.example)");
    }

    #[test]
    fn t_02_basic_is_form_encoded_before_base64() {
        let secret = Secret::new("s:e%c+r e\u{e9}t");
        let client =
            Client { id: "a:b%c+d e\u{e9}", secret: Some(&secret), auth: ClientAuth::Basic };
        let request = refresh(&endpoint(), &client, &Secret::new("r")).unwrap();
        let encoded = request.header("authorization").unwrap().strip_prefix("Basic ").unwrap();
        let decoded = BASE64_STANDARD.decode(encoded).unwrap();
        let expected = "a%3Ab%25c%2Bd+e%C3%A9:s%3Ae%25c%2Br+e%C3%A9t";
        assert_eq!(String::from_utf8(decoded).unwrap(), expected);
    }

    #[test]
    fn t_01_habits_of_servers() {
        let params_ = params(&[("grant_type", "renew"), ("audience", "x y")]);
        let names = params(&[("client_id", "client_key")]);
        let headers = params(&[("Notion-Version", "2022-06-28"), ("Accept", "text/plain")]);
        let odd = Endpoint {
            format: BodyFormat::Json,
            params: &params_,
            headers: &headers,
            param_names: &names,
            ..endpoint()
        };
        let request = refreshed(&odd, ClientAuth::Post).unwrap();
        let expected = concat!(
            r#"{"refresh_token":"r/1","client_key":"id","client_secret":"s&1","#,
            r#""audience":"x y","grant_type":"renew"}"#
        );
        assert_eq!(body(&request), expected);
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("notion-version"), Some("2022-06-28"));
        assert_eq!(request.header("accept"), Some("text/plain"));
    }

    #[test]
    fn t_01_settings_cannot_replace_what_proves_something() {
        for name in OURS {
            let params = params(&[(name, "x")]);
            let error = refreshed(&Endpoint { params: &params, ..endpoint() }, ClientAuth::Post);
            assert_eq!(error.unwrap_err(), RequestError::Reserved(name.to_owned()));
        }
        for (name, value) in [
            ("Host", "evil"),
            ("Content-Length", "0"),
            ("Transfer-Encoding", "chunked"),
            ("a b", "x"),
            ("", "x"),
            ("x", "a\r\nb: c"),
            ("x", "\0"),
        ] {
            let headers = params(&[(name, value)]);
            let it = Endpoint { headers: &headers, ..endpoint() };
            assert!(refreshed(&it, ClientAuth::Post).is_err(), "{name}: {value}");
        }
        for url in ["http://as.example/token", "https://u:p@as.example/", "https://as.example/#x"] {
            let it = Endpoint { url, ..endpoint() };
            assert!(refreshed(&it, ClientAuth::Post).is_err(), "{url}");
        }
    }

    #[test]
    fn v_05_debug_of_a_request_shows_no_secret() {
        let request = refreshed(&endpoint(), ClientAuth::Post).unwrap();
        assert_eq!(format!("{request:?}"), "Request(POST as.example)");
    }

    proptest! {
        #[test]
        fn t_01_both_formats_carry_any_text(token in any::<String>(), secret in any::<String>()) {
            let (token, secret) = (Secret::new(token), Secret::new(secret));
            let client = client(&secret, ClientAuth::Post);
            let form = refresh(&endpoint(), &client, &token).unwrap();
            let form: std::collections::BTreeMap<String, String> =
                url::form_urlencoded::parse(body(&form).as_bytes()).into_owned().collect();
            let json = Endpoint { format: BodyFormat::Json, ..endpoint() };
            let json = refresh(&json, &client, &token).unwrap();
            let json: std::collections::BTreeMap<String, String> =
                serde_json::from_str(body(&json)).unwrap();
            prop_assert_eq!(&form["refresh_token"], token.expose());
            prop_assert_eq!(&form["client_secret"], secret.expose());
            prop_assert_eq!(form, json);
        }

        #[test]
        fn t_02_basic_comes_back(id in any::<String>(), secret in any::<String>()) {
            let secret = Secret::new(secret);
            let client = Client { id: &id, secret: Some(&secret), auth: ClientAuth::Basic };
            let request = refresh(&endpoint(), &client, &Secret::new("r")).unwrap();
            let encoded = request.header("authorization").unwrap().strip_prefix("Basic ").unwrap();
            let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap();
            let (one, other) = pair.split_once(':').unwrap();
            let decode = |text: &str| {
                let text = format!("x={text}");
                url::form_urlencoded::parse(text.as_bytes()).next().unwrap().1.into_owned()
            };
            prop_assert_eq!(decode(one), id);
            prop_assert_eq!(decode(other), secret.expose());
        }
    }
}
