//! Grants that are asked for again whenever their token ends: what the user entered is the grant.

use std::collections::BTreeMap;

use bytes::Bytes;
use grantkeep_catalog::{
    App as CatalogApp, Auth, BodyFormat, ClientFrom, Flow, JwtGrant, KeyExchange, OAuth2,
};
use grantkeep_oauth::answer::{Failure, Malformed, Members, Response, Rules, Tokens};
use grantkeep_oauth::bearer::{Claims, LIFE_S_MAX};
use grantkeep_oauth::grant::{self, Wanted};
use grantkeep_oauth::jws::Stamp;
use grantkeep_oauth::key::SigningKey;
use grantkeep_oauth::swap::{Body, Swap};
use grantkeep_oauth::{self as oauth, exchange, install, swap};
use grantkeep_vault::{Secret, token};
use serde_json::{Map, Value};

use super::client_keys::{ClientKeys, signing};
use super::protocol::{self, Answered, Unaskable, Values};
use crate::app::App;

/// Where a token lies that is not a member of a body.
const IN_HEADER: &str = "header:";
const WHOLE_BODY: &str = "body";

/// Whether a new access token can be asked for without the user, with what the account holds.
pub fn renewable(found: &CatalogApp, refresh_token: bool) -> bool {
    (refresh_token && found.oauth2().is_some()) || asks_again(found)
}

/// Whether the app's own fields are enough to ask, again and again. An answer that is lost on its
/// way costs nothing then.
pub fn asks_again(found: &CatalogApp) -> bool {
    match &found.auth {
        Auth::OAuth2(it) => it.flow.asks_fields_only() || it.flow == Flow::Installation,
        Auth::KeyExchange(_) => true,
        _ => false,
    }
}

/// Asks for a token with what the user entered.
///
/// # Errors
/// [`Unaskable`]: the app's file, or what was entered, makes no request.
pub fn request(
    app: &App,
    values: &Values<'_>,
    keys: &ClientKeys,
) -> Result<oauth::Request, Unaskable> {
    if let Some(it) = values.found.key_exchange() {
        return swap_keys(app, values, it);
    }
    let it = values.found.oauth2().ok_or(Unaskable::NoSuch)?;
    let url = values.url(app, protocol::token_url(it))?;
    let resources = protocol::resources(it);
    let params = protocol::filled(values, &it.token_params)?;
    let headers = protocol::filled(values, &it.token_headers)?;
    let endpoint = protocol::endpoint(app, it, (&url, &params, &headers), &resources);
    let proved = keys.prove(it.client_auth, (it, &url), app.clock.now_ms())?;
    let client = proved.client();
    let client = (it.client != ClientFrom::None).then_some(&client);
    let scope = it.scopes.asked().join(&it.scopes.separator);
    let wanted = Wanted { scope: &scope, audience: None };
    Ok(match it.flow {
        Flow::ClientCredentials => {
            grant::client_credentials(&endpoint, client.ok_or(Unaskable::NoSuch)?, &wanted)?
        }
        Flow::Password => {
            let field = |name| values.get(name).ok_or(Unaskable::NoSuch);
            let password = oauth::Secret::new(field("password")?);
            grant::legacy_password(&endpoint, client, (field("username")?, &password), &wanted)?
        }
        Flow::JwtBearer => {
            let jwt = it.jwt.as_ref().ok_or(Unaskable::NoSuch)?;
            let claimed = jwt.scope_in_claims && !scope.is_empty();
            let assertion = statement(app, values, jwt, claimed.then_some(&scope))?;
            let wanted = if claimed { Wanted::default() } else { wanted };
            grant::jwt_bearer(&endpoint, client, &assertion, &wanted)?
        }
        Flow::TokenExchange => swap_tokens(values, it, (&endpoint, client), &scope)?,
        Flow::Installation => {
            let now_s = app.clock.now_ms() / 1_000;
            let signing = signing(keys.key()?, it.client_signing_alg);
            let jwt = install::app_jwt(&keys.id, &signing, now_s)?;
            let allow_loopback_http = app.config.egress_allow_loopback;
            let headers = &headers;
            install::Installation { url: &url, headers, body: None, allow_loopback_http }
                .request(&jwt)?
        }
        Flow::AuthorizationCode | Flow::DeviceCode => return Err(Unaskable::NoSuch),
    })
}

/// The signed statement of a service account (RFC 7523 section 3).
fn statement(
    app: &App,
    values: &Values<'_>,
    it: &JwtGrant,
    scope: Option<&String>,
) -> Result<oauth::Secret, Unaskable> {
    let key = SigningKey::read(&values.text(&it.key)?)?;
    let key = match &it.key_id {
        Some(kid) => key.with_kid(values.text(kid)?.expose()),
        None => key,
    };
    let texts = [&it.issuer, &it.subject, &it.audience].map(|text| values.text(text));
    let [issuer, subject, audience] = texts;
    let (issuer, subject, audience) = (issuer?, subject?, audience?);
    let claims = serde_json::to_value(&it.claims).unwrap_or_default();
    let others: Members =
        oauth::template::fill_json(&claims, &|name| values.get(name)).map_err(Unaskable::from)?;
    let jti = token::base64url("", 16);
    let claims = Claims {
        issuer: issuer.expose(),
        subject: Some(subject.expose()),
        audience: audience.expose(),
        scope: scope.map(String::as_str),
        life_s: i64::from(it.life_s).min(LIFE_S_MAX),
        stamp: Stamp { jti: jti.expose(), now_s: app.clock.now_ms() / 1_000 },
        others: (!it.claims.is_empty()).then_some(&others),
    };
    Ok(claims.jwt(&signing(&key, Some(it.alg)))?)
}

/// One token for another (RFC 8693 section 2.1).
fn swap_tokens(
    values: &Values<'_>,
    it: &OAuth2,
    (endpoint, client): (&oauth::token::Endpoint<'_>, Option<&oauth::token::Client<'_>>),
    scope: &str,
) -> Result<oauth::Request, Unaskable> {
    let wish = it.token_exchange.as_ref().ok_or(Unaskable::NoSuch)?;
    let subject = values.text(&wish.subject_token)?;
    let actor = wish.actor_token.as_ref().map(|text| values.text(text)).transpose()?;
    let audiences =
        wish.audience.iter().map(|text| values.text(text)).collect::<Result<Vec<_>, _>>()?;
    let audiences: Vec<&str> = audiences.iter().map(oauth::Secret::expose).collect();
    let request = exchange::Exchange {
        subject_token: &subject,
        subject_token_type: &wish.subject_token_type,
        actor: actor.as_ref().zip(wish.actor_token_type.as_deref()),
        requested_token_type: wish.requested_token_type.as_deref(),
        audiences: &audiences,
        scope,
    };
    Ok(exchange::ask(endpoint, client, &request)?)
}

/// Keys for the token of a session, in the app's own way.
fn swap_keys(
    app: &App,
    values: &Values<'_>,
    it: &KeyExchange,
) -> Result<oauth::Request, Unaskable> {
    let params = kept(values, &it.params)?;
    let (query, headers) = (kept(values, &it.query)?, kept(values, &it.headers)?);
    let json = nested(&params);
    let body = match it.body_format {
        _ if it.params.is_empty() => Body::None,
        BodyFormat::Form => Body::Form(&params),
        BodyFormat::Json => Body::Json(&json),
    };
    let swap = Swap {
        method: protocol::method(it.method),
        url: &it.url,
        query: &query,
        headers: &headers,
        body,
        basic: None,
        allow_loopback_http: app.config.egress_allow_loopback,
    };
    Ok(swap.request(&|name| values.get(name))?)
}

/// The templates that have something to be filled with: what the user left out is left out.
fn kept(values: &Values<'_>, templates: &oauth::Params) -> Result<oauth::Params, Unaskable> {
    let mut kept = oauth::Params::new();
    for (name, template) in templates {
        if values.given(template)?.is_some() {
            kept.insert(name.clone(), template.clone());
        }
    }
    Ok(kept)
}

/// Members as JSON: a name with dots is a path.
fn nested(params: &oauth::Params) -> Value {
    let mut root = Map::new();
    for (path, text) in params {
        let mut at = &mut root;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                at.insert(name.to_owned(), Value::from(text.as_str()));
                break;
            }
            let inner = at.entry(name).or_insert_with(|| Value::Object(Map::new()));
            let Some(inner) = inner.as_object_mut() else { break };
            at = inner;
        }
    }
    Value::Object(root)
}

/// The part of an answer in which the token lies: what is kept of it, and read by [`read`].
pub fn material(found: &CatalogApp, answered: &Answered) -> Bytes {
    let header = found.key_exchange().and_then(|it| it.token.strip_prefix(IN_HEADER));
    match header.and_then(|name| answered.headers.get(name)) {
        Some(value) => Bytes::copy_from_slice(value.as_bytes()),
        None => answered.body.clone(),
    }
}

fn read_session(it: &KeyExchange, response: &Response<'_>, now_ms: i64) -> Result<Tokens, Failure> {
    let rules = Rules {
        access_token: &it.token,
        expires_in: it.expires_in.as_deref().unwrap_or("expires_in"),
        expires_unit: protocol::unit(it.expires_unit),
        lifetime_s: it.lifetime_s,
        error: it.error.as_deref().unwrap_or("error"),
        ..Rules::default()
    };
    if it.token == WHOLE_BODY || it.token.starts_with(IN_HEADER) {
        return swap::read_text(&rules, response, now_ms);
    }
    swap::read(&rules, response, now_ms)
}

/// Reads an answer to any request for tokens of this app.
///
/// # Errors
/// As [`protocol::read_tokens`]; where the client is the user's own, a client that is refused is
/// his grant that is gone.
pub fn read(found: &CatalogApp, response: &Response<'_>, now_ms: i64) -> Result<Tokens, Failure> {
    if let Some(it) = found.key_exchange() {
        return read_session(it, response, now_ms).map_err(|it| keys_refused(it, response));
    }
    let Some(it) = found.oauth2() else {
        return Err(Failure::Malformed(Malformed::NoAccessToken));
    };
    if it.flow == Flow::Installation {
        return install::read(response, now_ms);
    }
    let own = it.client != ClientFrom::Registered;
    protocol::read_tokens(it, response, now_ms).map_err(|failure| match failure {
        Failure::Client(said) if own => Failure::Grant(said),
        other => other,
    })
}

/// These servers have no codes: that keys are refused is said by the status alone.
fn keys_refused(failure: Failure, response: &Response<'_>) -> Failure {
    match failure {
        Failure::Client(said) => Failure::Grant(said),
        Failure::Refused(said) if matches!(response.status, 400 | 401 | 403 | 404) => {
            Failure::Grant(said)
        }
        other => other,
    }
}

/// What members of JSON fields teach, by field name.
pub fn learned_from_fields(
    found: &CatalogApp,
    fields: &BTreeMap<String, Secret>,
) -> BTreeMap<String, Secret> {
    let text = |path: &str| {
        let (field, member) = path.split_once('.')?;
        let object = serde_json::from_str(fields.get(field)?.expose()).ok()?;
        Members::new(object).text(member)
    };
    protocol::learned(found, grantkeep_catalog::LearnedFrom::Field, &text)
}
