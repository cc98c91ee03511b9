//! What providers say of themselves, clients that register themselves, and an MCP server.

use http::StatusCode;
use serde_json::{Value, json};

use crate::api;
use crate::brands::{ClientAuth, Shape};
use crate::exchange::{Answer, Call};
use crate::faults::Active;
use crate::grants::Client;
use crate::provider::Provider;
use crate::secrets;

const RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// Authorization server metadata (RFC 8414).
pub(crate) fn server(provider: &Provider, call: &Call, _: &Active) -> Answer {
    let Some(rules) = provider.oauth2() else { return Answer::not_found() };
    let issuer = provider.issuer(call);
    let scopes: Vec<_> = provider.brand.scopes.iter().map(|it| it.name).collect();
    let mut body = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/api/me"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods(rules.client_auth),
        "authorization_response_iss_parameter_supported": rules.sends_iss,
        "scopes_supported": scopes,
    });
    if rules.has_revocation {
        body["revocation_endpoint"] = json!(format!("{issuer}/revoke"));
        body["revocation_endpoint_auth_methods_supported"] = json!(methods(rules.client_auth));
    }
    if rules.shape == Shape::Json {
        body["registration_endpoint"] = json!(format!("{issuer}/register"));
    }
    described(body, &provider.books().described.0)
}

fn methods(auth: ClientAuth) -> &'static [&'static str] {
    match auth {
        ClientAuth::BasicOnly => &["client_secret_basic"],
        ClientAuth::PostOnly => &["client_secret_post"],
        ClientAuth::Either => &["client_secret_basic", "client_secret_post", "none"],
    }
}

/// Protected resource metadata (RFC 9728) of [`mcp`].
pub(crate) fn resource(provider: &Provider, call: &Call, _: &Active) -> Answer {
    if provider.oauth2().is_none() {
        return Answer::not_found();
    }
    let issuer = provider.issuer(call);
    let body = json!({
        "resource": format!("{issuer}/mcp"),
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": format!("{} for agents", provider.brand.name),
    });
    described(body, &provider.books().described.1)
}

/// A document, with what a test has it say otherwise; `null` takes a member away.
fn described(mut body: Value, otherwise: &Value) -> Answer {
    if let (Some(body), Some(otherwise)) = (body.as_object_mut(), otherwise.as_object()) {
        body.extend(otherwise.clone());
        body.retain(|_, it| !it.is_null());
    }
    Answer::json(StatusCode::OK, &body)
}

/// An MCP server: without a token it says where to get one (RFC 9728 section 5.1).
pub(crate) fn mcp(provider: &Provider, call: &Call, faults: &Active) -> Answer {
    let answer = api::me(provider, call, faults);
    if answer.status != StatusCode::UNAUTHORIZED {
        return answer;
    }
    let (base, root) = (&provider.base_url, call.root());
    let scope = provider.brand.profile_scope();
    let text =
        format!("Bearer resource_metadata=\"{base}{RESOURCE}{root}/mcp\", scope=\"{scope}\"");
    answer.with("www-authenticate", &text)
}

/// `POST /register`: takes any client (RFC 7591).
pub(crate) fn register(provider: &Provider, call: &Call, _: &Active) -> Answer {
    let Some(rules) = provider.oauth2() else { return Answer::not_found() };
    let refuse = |error: &str| Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": error }));
    let Ok(asked) = serde_json::from_slice::<Value>(&call.body) else {
        return refuse("invalid_client_metadata");
    };
    let uris = asked["redirect_uris"].as_array().into_iter().flatten();
    let redirect_uris: Vec<_> = uris.filter_map(|it| it.as_str().map(str::to_owned)).collect();
    if redirect_uris.is_empty() {
        return refuse("invalid_redirect_uri");
    }
    let method = asked["token_endpoint_auth_method"].as_str().unwrap_or("client_secret_basic");
    if !methods(rules.client_auth).contains(&method) {
        return refuse("invalid_client_metadata");
    }
    let (id, secret) = (secrets::fresh("dyn-"), secrets::fresh("sec-"));
    let secret = if method == "none" { String::new() } else { secret };
    let name = asked["client_name"].as_str().unwrap_or("An app").to_owned();
    let client = Client { secret: secret.clone(), name, redirect_uris };
    provider.books().clients.insert(id.clone(), client);
    let mut body = asked;
    body["client_id"] = json!(id);
    if !secret.is_empty() {
        body["client_secret"] = json!(secret);
        body["client_secret_expires_at"] = json!(0);
    }
    Answer::json(StatusCode::CREATED, &body)
}

/// Learns a client whose id is the address of a document about it. A real server would fetch the
/// document; here, what it must say is taken for granted: an answer goes to the same origin.
pub(crate) fn learn_client(provider: &Provider, id: &str, redirect_uri: &str) {
    let origin = |text: &str| url::Url::parse(text).ok().map(|it| it.origin());
    let mut books = provider.books();
    let takes = books.described.0["client_id_metadata_document_supported"] == true;
    if takes && origin(id).is_some() && origin(id) == origin(redirect_uri) {
        let redirect_uris = vec![redirect_uri.to_owned()];
        let client = Client { secret: String::new(), name: "Acme".to_owned(), redirect_uris };
        books.clients.entry(id.to_owned()).or_insert(client);
    }
}
