//! The CRM v3 of `HubSpot`: contacts, found by search, pages by `after`.

use http::StatusCode;
use serde_json::{Value, json};

use super::room::{Asked, Room, ok, overlay};
use super::{App, Refusal, any_credential, bearer, nothing_open};
use crate::exchange::Answer;

pub(super) const APP: App = App {
    slug: "hubspot",
    seed: include_str!("seeds/hubspot.json"),
    credential: bearer,
    plausible: any_credential,
    open: nothing_open,
    answer,
    refuse,
};

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::NoCredential | Refusal::BadCredential => error(
            StatusCode::UNAUTHORIZED,
            "INVALID_AUTHENTICATION",
            "Authentication credentials not found.",
        ),
        Refusal::Revoked => error(
            StatusCode::UNAUTHORIZED,
            "EXPIRED_AUTHENTICATION",
            "The OAuth token used to make this call expired.",
        ),
        Refusal::TooMany => error(
            StatusCode::TOO_MANY_REQUESTS,
            "RATE_LIMITS",
            "You have reached your ten_secondly_rolling limit.",
        ),
        Refusal::Broken(status) => error(status, "INTERNAL_ERROR", "internal error"),
    }
}

fn error(status: StatusCode, category: &str, message: &str) -> Answer {
    let body = json!({ "status": "error", "message": message, "category": category,
        "correlationId": "00000000-0000-4000-8000-000000000000" });
    Answer::json(status, &body)
}

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    match (asked.method, &asked.path()[..]) {
        ("GET", ["account-info", "v3", "details"]) => ok(&json!({ "portalId": 4711 })),
        ("GET", ["crm", "v3", "properties", "contacts"]) => {
            ok(&json!({ "results": room.all("properties") }))
        }
        ("POST", ["crm", "v3", "objects", "contacts"]) => create(room, asked),
        ("POST", ["crm", "v3", "objects", "contacts", "search"]) => search(room, asked),
        (method, ["crm", "v3", "objects", "contacts", id]) => one(room, asked, method, id),
        _ => error(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", "resource not found"),
    }
}

/// Members that `HubSpot` does not know are refused.
fn unknown(room: &Room, properties: &Value) -> Option<Answer> {
    let known = |name: &str| room.find("properties", "name", name).is_some();
    let names = properties.as_object().into_iter().flatten().map(|(name, _)| name);
    let wrong = names.into_iter().find(|it| !known(it))?;
    let text = format!("Property values were not valid: property \"{wrong}\" does not exist");
    Some(error(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", &text))
}

fn create(room: &mut Room, asked: &Asked) -> Answer {
    let sent = &asked.sent["properties"];
    if let Some(answer) = unknown(room, sent) {
        return answer;
    }
    let same =
        |it: &&Value| sent["email"].is_string() && it["properties"]["email"] == sent["email"];
    if let Some(contact) = room.all("contacts").iter().find(same) {
        let id = contact["id"].as_str().unwrap_or("");
        let text = format!("Contact already exists. Existing ID: {id}");
        return error(StatusCode::CONFLICT, "CONFLICT", &text);
    }
    let (id, now) = ((900 + room.next()).to_string(), room.now_iso());
    let mut properties = json!({ "createdate": now, "lastmodifieddate": now, "hs_object_id": id });
    overlay(&mut properties, sent);
    let contact = json!({ "id": id, "properties": properties, "createdAt": now, "updatedAt": now,
        "archived": false });
    room.rows("contacts").push(contact.clone());
    Answer::json(StatusCode::CREATED, &contact)
}

fn one(room: &mut Room, asked: &Asked, method: &str, id: &str) -> Answer {
    if let Some(answer) = unknown(room, &asked.sent["properties"]) {
        return answer;
    }
    let by_email = asked.query.get("idProperty") == "email";
    let now = room.now_iso();
    let same = |it: &&mut Value| {
        if by_email { it["properties"]["email"] == id } else { it["id"] == id }
    };
    let Some(contact) = room.rows("contacts").iter_mut().find(same) else {
        return error(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", "resource not found");
    };
    if method == "PATCH" {
        overlay(&mut contact["properties"], &asked.sent["properties"]);
        contact["properties"]["lastmodifieddate"] = json!(now);
        contact["updatedAt"] = json!(now);
    }
    ok(contact)
}

/// Filters inside a group must all hold, one group is enough.
fn search(room: &Room, asked: &Asked) -> Answer {
    let word = asked.word("query").to_lowercase();
    let groups = asked.sent["filterGroups"].as_array().cloned().unwrap_or_default();
    let fits = |contact: &&Value| {
        let properties = &contact["properties"];
        let texts = properties.as_object().into_iter().flatten();
        let mut texts = texts.filter_map(|(_, value)| value.as_str());
        let all = |group: &Value| {
            group["filters"].as_array().into_iter().flatten().all(|it| holds(properties, it))
        };
        (word.is_empty() || texts.any(|it| it.to_lowercase().contains(&word)))
            && (groups.is_empty() || groups.iter().any(all))
    };
    let mut items: Vec<Value> = room.all("contacts").iter().filter(fits).cloned().collect();
    if asked.sent["sorts"][0]["direction"] == "DESCENDING" {
        items.reverse();
    }
    let total = items.len();
    let from = asked.number("after", 0);
    let (items, next) = room.page(items, from, asked.number("limit", 10));
    let mut body = json!({ "total": total, "results": items });
    if let Some(next) = next {
        body["paging"] = json!({ "next": { "after": next.to_string() } });
    }
    ok(&body)
}

fn holds(properties: &Value, filter: &Value) -> bool {
    let name = filter["propertyName"].as_str().unwrap_or("");
    let has = properties[name].as_str();
    let value = match &filter["value"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match filter["operator"].as_str() {
        Some("EQ") => has == Some(value.as_str()),
        Some("CONTAINS_TOKEN") => has.is_some_and(|it| it.contains(value.trim_matches('*'))),
        Some("HAS_PROPERTY") => has.is_some(),
        // Times are asked for in milliseconds, and kept as they are shown.
        Some("GTE") => has.and_then(millis) >= value.parse().ok(),
        _ => false,
    }
}

fn millis(iso: &str) -> Option<i128> {
    let format = &time::format_description::well_known::Rfc3339;
    let time = time::OffsetDateTime::parse(iso, format).ok()?;
    Some(time.unix_timestamp_nanos() / 1_000_000)
}
