use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::key::{Algorithm, samples};

const ISSUER: &str = "https://server.example.com";
const ANY: Policy = Policy { hosts: Hosts::Any, allow_loopback_http: false };

fn fetched(body: &str) -> Fetched<'_> {
    Fetched { status: 200, content_type: Some("application/json"), body: body.as_bytes() }
}

fn server(members: &Value) -> Result<ServerMetadata, DiscoveryError> {
    ServerMetadata::read(ISSUER, &fetched(&members.to_string()), &ANY)
}

fn with(name: &str, value: Value) -> Result<ServerMetadata, DiscoveryError> {
    let mut members = plain();
    members[name] = value;
    server(&members)
}

fn plain() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://server.example.com/authorize",
        "token_endpoint": "https://server.example.com/token",
        "response_types_supported": ["code", "code token"],
    })
}

/// The document of RFC 8414 §3.2.
#[test]
fn d_01_a_document_and_what_we_use_of_it() {
    let body = r#"{"issuer":"https://server.example.com",
        "authorization_endpoint":"https://server.example.com/authorize",
        "token_endpoint":"https://server.example.com/token",
        "token_endpoint_auth_methods_supported":["client_secret_basic","private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported":["RS256","ES256"],
        "userinfo_endpoint":"https://server.example.com/userinfo",
        "jwks_uri":"https://server.example.com/jwks.json",
        "registration_endpoint":"https://server.example.com/register",
        "scopes_supported":["openid","profile","email","address","phone","offline_access"],
        "response_types_supported":["code","code token"],
        "service_documentation":"http://server.example.com/service_documentation.html",
        "ui_locales_supported":["en-US","en-GB","en-CA","fr-FR","fr-CA"]}"#;
    let it = ServerMetadata::read(ISSUER, &fetched(body), &ANY).unwrap();
    assert_eq!(it.place(Place::Token, true), Some("https://server.example.com/token"));
    assert_eq!(it.place(Place::Push, false), None);
    assert_eq!(it.grant_types, ["authorization_code", "implicit"]);
    let methods = [AuthMethod::ClientSecretBasic, AuthMethod::PrivateKeyJwt];
    assert_eq!(it.auth_methods.as_deref(), Some(&methods[..]));
    assert_eq!((it.pkce(), it.sends_issuer, it.push_required), (Pkce::Unknown, false, false));
    assert_eq!(it.check_code_flow(false), Ok(()));
    assert_eq!(it.check_code_flow(true), Err(DiscoveryError::Lacks("S256")));
}

#[test]
fn d_01_d_06_capabilities() {
    let mut members = plain();
    for (name, value) in [
        ("code_challenge_methods_supported", json!(["plain", "S256"])),
        ("require_pushed_authorization_requests", json!(true)),
        ("pushed_authorization_request_endpoint", json!("https://server.example.com/par")),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("dpop_signing_alg_values_supported", json!(["ES256"])),
        ("client_id_metadata_document_supported", json!(true)),
        ("token_endpoint_auth_methods_supported", json!(["tls_client_auth", "magic"])),
        (
            "mtls_endpoint_aliases",
            json!({"token_endpoint": "https://mtls.example.com/token", "other": 1}),
        ),
    ] {
        members[name] = value;
    }
    let it = server(&members).unwrap();
    assert_eq!(it.pkce(), Pkce::S256);
    assert!(it.push_required && it.sends_issuer && it.takes_client_documents);
    assert_eq!(it.dpop_algorithms, ["ES256"]);
    assert_eq!(it.auth_methods, Some(vec![AuthMethod::TlsClientAuth]));
    assert_eq!(it.place(Place::Token, true), Some("https://mtls.example.com/token"));
    assert_eq!(it.place(Place::Token, false), Some("https://server.example.com/token"));
    assert_eq!(it.check_code_flow(true), Ok(()));
    members["code_challenge_methods_supported"] = json!(["plain"]);
    assert_eq!(server(&members).unwrap().pkce(), Pkce::No);
    members.as_object_mut().unwrap().remove("pushed_authorization_request_endpoint");
    let missing = DiscoveryError::Missing("pushed_authorization_request_endpoint");
    assert_eq!(server(&members).unwrap().check_code_flow(false), Err(missing));
}

#[test]
fn d_01_the_issuer_is_the_one_that_was_asked() {
    for other in [
        "https://server.example.com/",
        "https://SERVER.example.com",
        "https://server.example.com:443",
        "https://server.example.com.evil.example",
        "",
    ] {
        assert_eq!(with("issuer", json!(other)), Err(DiscoveryError::IssuerDiffers), "{other}");
    }
    assert_eq!(with("issuer", json!(null)), Err(DiscoveryError::Missing("issuer")));
    assert_eq!(with("issuer", json!(["x"])), Err(DiscoveryError::Wrong("issuer")));
    for issuer in ["http://server.example.com", "https://u@server.example.com", "server"] {
        let it = ServerMetadata::read(issuer, &fetched("{}"), &ANY);
        assert!(matches!(it, Err(DiscoveryError::Endpoint { name: "issuer", .. })), "{issuer}");
    }
    assert_eq!(issuer_url("https://a.example/?x", false), Err(DiscoveryError::Issuer));
}

#[test]
fn d_01_f_14_no_address_in_it_can_lead_astray() {
    let aliases = |url: &str| json!({"token_endpoint": url});
    for url in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://server.example.com/x",
        "https://server.example.com@evil.example/x",
        "https://u:p@server.example.com/x",
        "https://server.example.com/x#y",
        "https://server.example.com\\@evil.example/",
        "/authorize",
        "",
        "$(calc.exe)",
    ] {
        for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
            let it = with(name, json!(url));
            let refused =
                matches!(it, Err(DiscoveryError::Endpoint { name: found, .. }) if found == name);
            assert!(refused, "{name} {url}: {it:?}");
        }
        assert!(with("mtls_endpoint_aliases", aliases(url)).is_err(), "{url}");
    }
    let tab = "https://server.example.com/\tx";
    assert_eq!(with("token_endpoint", json!(tab)), Err(DiscoveryError::Wrong("token_endpoint")));
}

#[test]
fn d_01_other_hosts_where_they_are_allowed() {
    let read = |hosts| {
        let mut members = plain();
        members["token_endpoint"] = json!("https://api.example.com/token");
        let policy = Policy { hosts, allow_loopback_http: false };
        ServerMetadata::read(ISSUER, &fetched(&members.to_string()), &policy).map(drop)
    };
    assert_eq!(read(Hosts::Any), Ok(()));
    assert_eq!(read(Hosts::Issuer), Err(DiscoveryError::Host("token_endpoint")));
    assert_eq!(read(Hosts::Listed(&["API.example.com"])), Ok(()));
    let listed = Hosts::Listed(&["example.com"]);
    assert_eq!(read(listed), Err(DiscoveryError::Host("token_endpoint")));
}

#[test]
fn d_01_only_a_document_in_order_is_read() {
    let text = plain().to_string();
    let read = |it: Fetched| ServerMetadata::read(ISSUER, &it, &ANY).map(drop);
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
        assert_eq!(read(Fetched { content_type: Some(kind), ..fetched(&text) }), Ok(()));
    }
    for kind in [None, Some("text/html"), Some("text/json"), Some("application/jsonp"), Some("")] {
        let it = read(Fetched { content_type: kind, ..fetched(&text) });
        assert_eq!(it, Err(DiscoveryError::ContentType), "{kind:?}");
    }
    for status in [201, 204, 301, 404, 500] {
        let it = read(Fetched { status, ..fetched(&text) });
        assert_eq!(it, Err(DiscoveryError::Status(status)));
    }
    let twice = text.replacen('{', r#"{"token_endpoint":"https://evil.example/token","#, 1);
    let repeated = JsonError::Repeated("token_endpoint".to_owned());
    assert_eq!(read(fetched(&twice)), Err(DiscoveryError::Json(repeated)));
    let long = format!("{text}{}", " ".repeat(METADATA_BYTES_MAX));
    let too_large = JsonError::TooLarge(METADATA_BYTES_MAX);
    assert_eq!(read(fetched(&long)), Err(DiscoveryError::Json(too_large)));
    for (name, value) in [
        ("scopes_supported", json!("openid")),
        ("scopes_supported", json!([1])),
        ("scopes_supported", json!(vec!["x"; ITEMS_MAX + 1])),
        ("scopes_supported", json!(["x".repeat(TEXT_BYTES_MAX + 1)])),
        ("mtls_endpoint_aliases", json!([])),
        ("require_pushed_authorization_requests", json!("true")),
    ] {
        assert!(matches!(with(name, value), Err(DiscoveryError::Wrong(found)) if found == name));
    }
}

#[test]
fn d_01_a_move_under_a_registration_is_seen() {
    let before = server(&plain()).unwrap();
    assert_eq!(before.moved(&before), Vec::<&str>::new());
    let newer = with("token_endpoint", json!("https://server.example.com/token2")).unwrap();
    assert_eq!(before.moved(&newer), ["token_endpoint"]);
    let aliases = json!({"token_endpoint": "https://mtls.example.com/token"});
    assert_eq!(before.moved(&with("mtls_endpoint_aliases", aliases).unwrap()), ["token_endpoint"]);
    let scopes = with("scopes_supported", json!(["x"])).unwrap();
    assert_eq!(before.moved(&scopes), Vec::<&str>::new());
}

/// RFC 8414 §3.1, §5 and the list of MCP, in its order.
#[test]
fn d_01_where_a_servers_document_lies() {
    let root = server_urls("https://auth.example.com", false).unwrap();
    let expected = [
        "https://auth.example.com/.well-known/oauth-authorization-server",
        "https://auth.example.com/.well-known/openid-configuration",
    ];
    assert_eq!(root, expected);
    assert_eq!(server_urls("https://auth.example.com/", false).unwrap(), expected);
    let path = server_urls("https://auth.example.com:8443/issuer1/", false).unwrap();
    let expected = [
        "https://auth.example.com:8443/.well-known/oauth-authorization-server/issuer1",
        "https://auth.example.com:8443/.well-known/openid-configuration/issuer1",
        "https://auth.example.com:8443/issuer1/.well-known/openid-configuration",
    ];
    assert_eq!(path, expected);
    assert!(server_urls("http://127.0.0.1:9/x", false).is_err());
    assert!(server_urls("http://127.0.0.1:9/x", true).is_ok());
}

/// RFC 9728 §3.1.
#[test]
fn d_02_where_a_resources_document_lies() {
    let urls = |it: &str| resource_urls(it, false).unwrap();
    let candidate = |url: &str, resource: &str| Candidate {
        url: url.to_owned(),
        resource: resource.to_owned(),
    };
    let root = "https://resource.example.com/.well-known/oauth-protected-resource";
    let bare = "https://resource.example.com";
    assert_eq!(urls(bare), [candidate(root, bare)]);
    let resource = "https://resource.example.com/resource1?tenant=2";
    let own = format!("{root}/resource1?tenant=2");
    assert_eq!(urls(resource), [candidate(&own, resource), candidate(root, bare)]);
    assert!(resource_urls("https://resource.example.com/#x", false).is_err());
    assert!(resource_urls("http://resource.example.com/", false).is_err());
}

/// The document of RFC 9728 §3.2.
#[test]
fn d_02_a_resource_names_itself() {
    let body = r#"{"resource":"https://resource.example.com",
        "authorization_servers":["https://as1.example.com","https://as2.example.net"],
        "bearer_methods_supported":["header","body"],
        "scopes_supported":["profile","email","phone"],
        "resource_documentation":"https://resource.example.com/resource_documentation.html"}"#;
    let read = |resource: &str| ResourceMetadata::read(resource, &fetched(body), &ANY);
    let it = read("https://resource.example.com").unwrap();
    assert_eq!(it.authorization_servers.len(), 2);
    assert!(it.bearer_header && !it.dpop_required);
    assert_eq!(it.check_server("https://as2.example.net"), Ok(()));
    let moved = Err(DiscoveryError::OtherServer);
    assert_eq!(it.check_server("https://as2.example.net/"), moved);
    assert_eq!(check_same_server("https://as1.example.com", "https://evil.example"), moved);
    assert_eq!(check_same_server("https://as1.example.com", "https://as1.example.com"), Ok(()));
    assert!(read("https://resource.example.com/").is_ok());
    for other in [
        "https://resource.example.com/mcp",
        "https://resource.example.com//",
        "https://resource.example.co",
        "http://resource.example.com",
        "https://evil.example/resource.example.com",
    ] {
        assert_eq!(read(other), Err(DiscoveryError::ResourceDiffers), "{other}");
    }
    let evil = body.replace("https://as1.example.com", "javascript:alert(1)");
    let it = ResourceMetadata::read("https://resource.example.com", &fetched(&evil), &ANY);
    assert!(matches!(it, Err(DiscoveryError::Endpoint { .. })));
}

#[test]
fn the_strongest_way_that_both_know() {
    use AuthMethod::{ClientSecretBasic, ClientSecretJwt, ClientSecretPost, PrivateKeyJwt};
    let (rsa, ed25519) = (samples::rsa(), samples::ed25519());
    let names = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let all = AuthMethod::ALL;
    let secret = Able { secret: true, ..Able::default() };
    let keyed = Able { key: Some(&rsa), ..secret };
    let issued = Able { certificate: Some(Certificate::Issued), ..keyed };
    let own = Able { certificate: Some(Certificate::SelfSigned), ..keyed };
    let method = |methods: &[AuthMethod], algorithms: &[&str], able: &Able| {
        choose(Some(methods), Some(&names(algorithms)), able).map(|it| it.method)
    };
    assert_eq!(method(&all, &["RS256"], &issued), Some(AuthMethod::TlsClientAuth));
    assert_eq!(method(&all, &["RS256"], &own), Some(AuthMethod::SelfSignedTlsClientAuth));
    assert_eq!(method(&all, &["RS256"], &keyed), Some(PrivateKeyJwt));
    assert_eq!(method(&all, &["ES256", "HS256"], &keyed), Some(ClientSecretJwt));
    assert_eq!(method(&all, &["ES256"], &keyed), Some(ClientSecretBasic));
    assert_eq!(method(&[ClientSecretPost], &[], &keyed), Some(ClientSecretPost));
    assert_eq!(method(&[PrivateKeyJwt], &["none"], &keyed), None);
    assert_eq!(method(&all, &[], &Able::default()), Some(AuthMethod::None));
    assert_eq!(method(&[AuthMethod::None], &[], &secret), None);
    let unsaid = |able: &Able| choose(None, None, able).map(|it| it.method);
    assert_eq!(unsaid(&keyed), Some(ClientSecretBasic));
    assert_eq!(unsaid(&Able::default()), Some(AuthMethod::None));
    let choice = choose(Some(&all), Some(&names(&["RS256", "PS256"])), &keyed).unwrap();
    assert_eq!(choice.algorithm, Some(Algorithm::Ps256));
    assert_eq!(choose(Some(&[ClientSecretBasic]), None, &keyed).unwrap().algorithm, None);
    assert_eq!(choose_algorithm(None, &ed25519), Some(Algorithm::EdDsa));
    assert_eq!(choose_algorithm(Some(&names(&["none", "HS256"])), &ed25519), None);
}

proptest! {
    #[test]
    fn d_01_any_document_is_read_without_harm(body in any::<Vec<u8>>(), text in any::<String>()) {
        let it = Fetched { body: &body, ..fetched("") };
        prop_assert!(ServerMetadata::read(ISSUER, &it, &ANY).is_err());
        let _ = with("token_endpoint", json!(text));
        let members = json!({"resource": text}).to_string();
        let _ = ResourceMetadata::read(&text, &fetched(&members), &ANY);
        let _ = (server_urls(&text, true), resource_urls(&text, true));
    }

    #[test]
    fn d_01_documents_are_asked_for_at_the_issuers_own_host(path in "[!-~]{0,30}") {
        let issuer = format!("https://as.example/{path}");
        for url in server_urls(&issuer, false).unwrap_or_default() {
            prop_assert!(url.starts_with("https://as.example/"), "{}", url);
        }
        for it in resource_urls(&issuer, false).unwrap_or_default() {
            prop_assert!(it.url.starts_with("https://as.example/.well-known/"), "{}", it.url);
        }
    }
}
