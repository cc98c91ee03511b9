//! The providers' own API: who am I, an echo, and a list that a scope guards.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::brands::{Kind, PEOPLE, person};
use crate::exchange::{Answer, Call};
use crate::faults::Active;
use crate::oauth1;
use crate::pages::PASSWORD;
use crate::provider::Provider;
use crate::secrets;

/// Keys that work, and whose they are. Any other key that begins `sim_live_` is Ada's too.
pub const KEYS: [(&str, &str); 3] =
    [("sim_key_ada", "ada"), ("sim_key_grace", "grace"), ("sim_key_linus", "linus")];
const OPEN_KEY_PREFIX: &str = "sim_live_";

/// The header the key goes in; the query parameter [`KEY_PARAMETER`] works too.
pub const KEY_HEADER: &str = "x-api-key";
pub const KEY_PARAMETER: &str = "api_key";

struct Caller {
    user: String,
    scopes: Vec<String>,
}

/// Finds who calls. `Err` is the 401 to answer with.
fn caller(provider: &Provider, call: &Call) -> Result<Caller, Box<Answer>> {
    let everything = || provider.brand.scopes.iter().map(|it| it.name.to_owned()).collect();
    let found = match &provider.brand.kind {
        Kind::OAuth2(_) => bearer(provider, call),
        Kind::OAuth1 => oauth1::signed_by(provider, call).map(|user| (user, everything())),
        Kind::Keys => key_owner(provider, call).map(|user| (user, everything())),
        Kind::Basic => password_owner(provider, call).map(|user| (user, everything())),
    };
    found
        .map(|(user, scopes)| Caller { user, scopes })
        .ok_or_else(|| Box::new(unauthorized(provider, call)))
}

fn bearer(provider: &Provider, call: &Call) -> Option<(String, Vec<String>)> {
    let token = call.authorization("bearer")?;
    let now_ms = provider.clock.now_ms();
    let mut books = provider.books();
    let grant = books.use_access(token, now_ms)?;
    (grant.workspace.as_deref() == call.workspace())
        .then(|| (grant.user.clone(), grant.scopes.clone()))
}

fn key_owner(provider: &Provider, call: &Call) -> Option<String> {
    let (header, query) = (call.header(KEY_HEADER), call.query());
    let key = if header.is_empty() { query.get(KEY_PARAMETER) } else { header };
    let listed = KEYS.iter().find(|(it, _)| secrets::same(it, key)).map(|(_, owner)| *owner);
    let open = || key.len() > OPEN_KEY_PREFIX.len() && key.starts_with(OPEN_KEY_PREFIX);
    let owner = listed.or_else(|| open().then_some("ada"))?;
    (!provider.books().shut_out.contains(owner)).then(|| owner.to_owned())
}

fn password_owner(provider: &Provider, call: &Call) -> Option<String> {
    let (user, password) = call.basic()?;
    let person = person(&user).filter(|_| secrets::same(&password, PASSWORD))?;
    (!provider.books().shut_out.contains(person.login)).then_some(user)
}

fn unauthorized(provider: &Provider, call: &Call) -> Answer {
    provider.books().counters.api_401 += 1;
    let (challenge, sent) = match &provider.brand.kind {
        Kind::OAuth2(_) => ("Bearer", call.authorization("bearer").is_some()),
        Kind::OAuth1 => ("OAuth", false),
        Kind::Keys => ("ApiKey", false),
        Kind::Basic => ("Basic", false),
    };
    let name = provider.brand.name;
    let header = if sent {
        format!("{challenge} realm=\"{name}\", error=\"invalid_token\"")
    } else {
        format!("{challenge} realm=\"{name}\"")
    };
    let error = if sent { "invalid_token" } else { "unauthorized" };
    let body = json!({ "error": error, "message": "The credential is missing or not valid." });
    Answer::json(StatusCode::UNAUTHORIZED, &body).with("www-authenticate", &header)
}

/// 403 (RFC 6750 section 3.1) unless the caller has the scope.
fn need(caller: &Caller, scope: &str) -> Result<(), Box<Answer>> {
    if caller.scopes.iter().any(|it| it == scope) {
        return Ok(());
    }
    let body = json!({ "error": "insufficient_scope", "scope": scope });
    let header = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    Err(Box::new(Answer::json(StatusCode::FORBIDDEN, &body).with("www-authenticate", &header)))
}

/// `GET /api/me`, and `GET /api/verify` for keys and passwords: whose credential this is.
pub(crate) fn me(provider: &Provider, call: &Call, _: &Active) -> Answer {
    let caller = match caller(provider, call) {
        Ok(caller) => caller,
        Err(answer) => return *answer,
    };
    let person = person(&caller.user).unwrap_or(&PEOPLE[0]);
    let body = json!({
        "id": format!("U-{}", person.login),
        "login": person.login,
        "name": person.name,
        "email": person.email,
        "workspace": call.workspace(),
    });
    Answer::json(StatusCode::OK, &body)
}

/// Any method, `/api/echo` and below: the request as it arrived, its credential masked.
pub(crate) fn echo(provider: &Provider, call: &Call, _: &Active) -> Answer {
    let caller = match caller(provider, call) {
        Ok(caller) => caller,
        Err(answer) => return *answer,
    };
    let body = json!({
        "user": caller.user,
        "method": call.method.as_str(),
        "path": call.path,
        "query": masked_query(call),
        "headers": masked_headers(call),
        "body": String::from_utf8_lossy(&call.body),
        "body_bytes": call.body.len(),
        "body_sha256": secrets::hex(
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &call.body).as_ref()
        ),
    });
    Answer::json(StatusCode::OK, &body)
}

fn masked_query(call: &Call) -> Value {
    let secret = |name: &str| [KEY_PARAMETER, "access_token", "oauth_signature"].contains(&name);
    let shown = |(name, value): &(String, String)| {
        json!([name, if secret(name) { "***" } else { value.as_str() }])
    };
    call.query().pairs().iter().map(shown).collect()
}

fn masked_headers(call: &Call) -> Value {
    let mut shown = Map::new();
    for (name, value) in &call.headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let text = match name.as_str() {
            "authorization" => match text.split_once(' ') {
                Some((scheme, _)) => format!("{scheme} ***"),
                None => "***".to_owned(),
            },
            KEY_HEADER | "cookie" => "***".to_owned(),
            _ => text,
        };
        let entry = shown.entry(name.as_str()).or_insert_with(|| json!([]));
        if let Some(values) = entry.as_array_mut() {
            values.push(json!(text));
        }
    }
    Value::Object(shown)
}

/// `GET /api/items` needs the read scope, `POST /api/items` the write scope.
pub(crate) fn items(provider: &Provider, call: &Call, _: &Active) -> Answer {
    let writes = call.method == Method::POST;
    let brand = provider.brand;
    let scope = if writes { brand.write_scope() } else { brand.read_scope() };
    match caller(provider, call).and_then(|caller| need(&caller, scope)) {
        Err(answer) => *answer,
        Ok(()) if writes => {
            let sent: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
            let body = json!({ "id": "item-4", "title": sent["title"] });
            Answer::json(StatusCode::CREATED, &body)
        }
        Ok(()) => {
            let id = |n: usize| format!("item-{}", n + 1);
            let item = |(n, title): (usize, &&str)| json!({ "id": id(n), "title": title });
            let items: Vec<_> = brand.items.iter().enumerate().map(item).collect();
            Answer::json(StatusCode::OK, &json!({ "items": items }))
        }
    }
}
