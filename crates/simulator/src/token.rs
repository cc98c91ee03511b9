//! The token and revocation endpoints of OAuth 2.

use http::StatusCode;
use serde_json::{Value, json};

use crate::brands::{ClientAuth, OAuth2, Shape};
use crate::exchange::{Answer, Call, Params, form_decoded, form_encoded};
use crate::faults::{Active, Fault};
use crate::grants::{CodeClaim, Issued};
use crate::provider::Provider;
use crate::secrets;

/// `POST /token`: `authorization_code` and `refresh_token` (RFC 6749 sections 4.1.3 and 6).
pub(crate) fn token(provider: &Provider, call: &Call, faults: &Active) -> Answer {
    let Some(rules) = provider.oauth2() else { return Answer::not_found() };
    let form = call.form();
    if form.any_twice() {
        return refuse(rules, "invalid_request", "A parameter came twice.");
    }
    let Some(client_id) = client_of(provider, rules, call, &form) else {
        return refuse_client(rules, call);
    };
    if faults.has(&Fault::InvalidGrant) {
        return refuse(rules, "invalid_grant", "This grant is not valid.");
    }
    let issued = match form.get("grant_type") {
        "authorization_code" => {
            let claim = CodeClaim {
                code: form.get("code"),
                client_id: &client_id,
                redirect_uri: form.get("redirect_uri"),
                verifier: form.get("code_verifier"),
                resource: form.get("resource"),
                scope_reduced: faults.has(&Fault::ScopeReduced),
            };
            provider.books().exchange(&claim, provider.now())
        }
        "refresh_token" => {
            let now = provider.now();
            provider.books().refresh(call, &client_id, now)
        }
        _ => return refuse(rules, "unsupported_grant_type", "This grant type is not known here."),
    };
    match issued {
        Some(issued) => answer(provider, rules, issued, faults),
        None => refuse(rules, "invalid_grant", "The code or refresh token is not valid any more."),
    }
}

/// The client that proved who it is, in the way this provider wants it.
fn client_of(provider: &Provider, rules: &OAuth2, call: &Call, form: &Params) -> Option<String> {
    let (id, secret) = match (call.basic(), rules.client_auth) {
        (Some((id, secret)), ClientAuth::BasicOnly | ClientAuth::Either) => {
            // One way at a time (RFC 6749 section 2.3).
            if !form.get("client_secret").is_empty() {
                return None;
            }
            (form_decoded(&id), form_decoded(&secret))
        }
        (None, ClientAuth::PostOnly | ClientAuth::Either) => {
            (form.get("client_id").to_owned(), form.get("client_secret").to_owned())
        }
        _ => return None,
    };
    let books = provider.books();
    let known = books.clients.get(&id)?;
    secrets::same(&known.secret, &secret).then_some(id)
}

fn refuse_client(rules: &OAuth2, call: &Call) -> Answer {
    let mut answer = refuse(rules, "invalid_client", "The client is unknown or its secret wrong.");
    if rules.shape == Shape::Json {
        answer.status = StatusCode::UNAUTHORIZED;
    }
    if call.authorization("basic").is_some() {
        answer = answer.with("www-authenticate", "Basic realm=\"token\"");
    }
    answer
}

fn refuse(rules: &OAuth2, error: &str, text: &str) -> Answer {
    match rules.shape {
        Shape::Json => {
            let body = json!({ "error": error, "error_description": text });
            Answer::json(StatusCode::BAD_REQUEST, &body)
        }
        Shape::Nested => Answer::json(StatusCode::OK, &json!({ "ok": false, "error": error })),
        Shape::Form => form_answer(&[("error", error), ("error_description", text)]),
    }
}

fn form_answer(pairs: &[(&str, &str)]) -> Answer {
    let body = form_encoded(pairs);
    Answer::new(StatusCode::OK, "application/x-www-form-urlencoded; charset=utf-8", body)
}

fn answer(provider: &Provider, rules: &OAuth2, mut issued: Issued, faults: &Active) -> Answer {
    if faults.has(&Fault::ScopeReduced) {
        issued.scopes.truncate(1);
    }
    let scope = issued.scopes.join(rules.scope_separator);
    let life = (!faults.has(&Fault::MissingExpiresIn)).then(|| provider.announced_life_s());
    if rules.shape == Shape::Form {
        let life = life.map(|it| it.to_string());
        let mut pairs = vec![("access_token", issued.access_token.as_str())];
        pairs.extend(life.as_deref().map(|it| ("expires_in", it)));
        pairs.extend(issued.refresh_token.as_deref().map(|it| ("refresh_token", it)));
        pairs.extend([("scope", scope.as_str()), ("token_type", "bearer")]);
        return form_answer(&pairs);
    }
    let mut tokens = json!({ "access_token": issued.access_token, "scope": scope });
    if let Some(token) = &issued.refresh_token {
        tokens["refresh_token"] = json!(token);
    }
    if rules.shape == Shape::Json {
        tokens["token_type"] = json!("Bearer");
        set_life(&mut tokens, life.map(Value::from));
        return Answer::json(StatusCode::OK, &tokens);
    }
    tokens["token_type"] = json!("user");
    tokens["id"] = json!(format!("U-{}", issued.user));
    set_life(&mut tokens, life.map(|it| Value::from(it.to_string())));
    let team = issued.workspace.as_deref().unwrap_or("acme");
    let body = json!({ "ok": true, "authed_user": tokens, "team": { "id": team } });
    Answer::json(StatusCode::OK, &body)
}

fn set_life(tokens: &mut Value, life: Option<Value>) {
    if let Some(life) = life {
        tokens["expires_in"] = life;
    }
}

/// `POST /revoke` (RFC 7009): always 200 for a known client, whatever the token is.
pub(crate) fn revoke(provider: &Provider, call: &Call, _: &Active) -> Answer {
    let rules = provider.oauth2().filter(|it| it.has_revocation);
    let Some(rules) = rules else { return Answer::not_found() };
    let form = call.form();
    let Some(client_id) = client_of(provider, rules, call, &form) else {
        let mut answer = refuse_client(rules, call);
        answer.status = StatusCode::UNAUTHORIZED;
        return answer;
    };
    if form.get("token").is_empty() {
        let body = json!({ "error": "invalid_request", "error_description": "No token." });
        return Answer::json(StatusCode::BAD_REQUEST, &body);
    }
    provider.books().revoke_token(form.get("token"), &client_id);
    Answer::new(StatusCode::OK, "text/plain", String::new())
}
