//! Stripe's API: forms in, JSON out, pages by the last id.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::room::{Asked, Room, ok};
use super::{App, Refusal, bearer, nothing_open};
use crate::exchange::{Answer, Call};

pub(super) const APP: App = App {
    slug: "stripe",
    seed: include_str!("seeds/stripe.json"),
    credential,
    plausible: |key| key.starts_with("sk_") || key.starts_with("rk_"),
    open: nothing_open,
    answer,
    refuse,
};

/// The key is a Bearer token, or the user of HTTP Basic.
fn credential(call: &Call) -> Option<String> {
    bearer(call).or_else(|| call.basic().map(|(key, _)| key))
}

fn refuse(why: Refusal) -> Answer {
    let (status, code, text) = match why {
        Refusal::NoCredential => (
            StatusCode::UNAUTHORIZED,
            None,
            "You did not provide an API key. You need to provide your API key in the \
             Authorization header, using Bearer auth.",
        ),
        Refusal::BadCredential => (StatusCode::UNAUTHORIZED, None, "Invalid API Key provided"),
        Refusal::Revoked => {
            (StatusCode::UNAUTHORIZED, Some("api_key_expired"), "Expired API Key provided")
        }
        Refusal::TooMany => {
            (StatusCode::TOO_MANY_REQUESTS, Some("rate_limit"), "Request rate limit exceeded.")
        }
        Refusal::Broken(status) => (status, None, "An unknown error occurred"),
    };
    error(status, code, text, None)
}

fn error(status: StatusCode, code: Option<&str>, message: &str, param: Option<&str>) -> Answer {
    let body = json!({ "error": { "type": "invalid_request_error", "code": code,
        "message": message, "param": param } });
    Answer::json(status, &body)
}

fn missing(what: &str, id: &str, param: &str) -> Answer {
    let text = format!("No such {what}: '{id}'");
    error(StatusCode::NOT_FOUND, Some("resource_missing"), &text, Some(param))
}

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    if asked.method == "POST" && asked.body_bytes() > 0 && !asked.sent.is_object() {
        return error(StatusCode::BAD_REQUEST, None, "Send a form.", None);
    }
    match (asked.method, &asked.path()[..]) {
        ("GET", ["v1", "account"]) => ok(&json!({ "id": "acct_sim0001", "object": "account",
            "email": "ada@example.com" })),
        ("POST", ["v1", "customers"]) => create_customer(room, asked),
        ("POST", ["v1", "payment_links"]) => create_link(room, asked),
        ("POST", ["v1", "payment_intents"]) => pay(room, asked),
        ("GET", ["v1", list @ ("customers" | "events" | "invoices" | "prices")]) => {
            page(room, asked, list)
        }
        ("GET", ["v1", "customers", id]) => match room.find("customers", "id", id) {
            Some(it) => ok(it),
            None => missing("customer", id, "id"),
        },
        (method, _) => {
            let text = format!("Unrecognized request URL ({method}: {}).", asked.raw_path);
            error(StatusCode::NOT_FOUND, None, &text, None)
        }
    }
}

/// The newest first. Filters: `customer`, `status`, `email`, `active`, `type`, `created[gte]`.
fn page(room: &Room, asked: &Asked, list: &str) -> Answer {
    let since = asked.number("created[gte]", 0);
    let fits = |it: &&Value| {
        let same = |name: &str| match asked.word(name) {
            wanted if wanted.is_empty() => true,
            wanted => match &it[name] {
                Value::String(has) => *has == wanted,
                has => *has == json!(wanted == "true"),
            },
        };
        let created = it["created"].as_u64().and_then(|it| usize::try_from(it).ok());
        ["customer", "status", "email", "active", "type"].into_iter().all(same)
            && created.unwrap_or(0) >= since
    };
    let items: Vec<Value> = room.all(list).iter().rev().filter(fits).cloned().collect();
    let after = asked.word("starting_after");
    let from = items.iter().position(|it| it["id"] == after.as_str()).map_or(0, |it| it + 1);
    if from == 0 && !after.is_empty() {
        return missing("object", &after, "starting_after");
    }
    let (items, next) = room.page(items, from, asked.number("limit", 10).min(100));
    ok(&json!({ "object": "list", "data": items, "has_more": next.is_some(),
        "url": asked.raw_path }))
}

/// The members of a form that are written `metadata[name]`.
fn metadata(asked: &Asked) -> Map<String, Value> {
    let sent = asked.sent.as_object().into_iter().flatten();
    let inner = |(name, value): (&String, &Value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((name.to_owned(), value.clone()))
    };
    sent.filter_map(inner).collect()
}

fn create_customer(room: &mut Room, asked: &Asked) -> Answer {
    let email = asked.word("email");
    if !email.is_empty() && !email.contains('@') {
        let text = format!("Invalid email address: {email}");
        return error(StatusCode::BAD_REQUEST, Some("email_invalid"), &text, Some("email"));
    }
    // The same request with the same key is done once.
    let key = asked.header("idempotency-key").to_owned();
    let done =
        room.all("customers").iter().find(|it| !key.is_empty() && it["once"] == key.as_str());
    if let Some(customer) = done {
        return ok(customer);
    }
    let customer = json!({ "id": format!("cus_sim{:06}", room.next()), "object": "customer",
        "email": asked.sent["email"], "name": asked.sent["name"], "phone": asked.sent["phone"],
        "description": asked.sent["description"], "metadata": metadata(asked),
        "created": room.now_s(), "once": key });
    room.rows("customers").push(customer.clone());
    ok(&customer)
}

fn create_link(room: &mut Room, asked: &Asked) -> Answer {
    let price = asked.word("line_items[0][price]");
    if room.find("prices", "id", &price).is_none() {
        return missing("price", &price, "line_items[0][price]");
    }
    let quantity = asked.number("line_items[0][quantity]", 0);
    if quantity == 0 {
        let param = "line_items[0][quantity]";
        let text = format!("Missing required param: {param}.");
        return error(StatusCode::BAD_REQUEST, Some("parameter_missing"), &text, Some(param));
    }
    let number = room.next();
    let link = json!({ "id": format!("plink_sim{number:06}"), "object": "payment_link",
        "active": true, "metadata": metadata(asked),
        "url": format!("https://buy.stripe.com/test_sim{number:06}") });
    room.rows("payment_links").push(link.clone());
    ok(&link)
}

/// Somebody pays: at once, by a card that works.
fn pay(room: &mut Room, asked: &Asked) -> Answer {
    let amount = asked.number("amount", 0);
    if amount == 0 {
        let text = "Missing required param: amount.";
        return error(StatusCode::BAD_REQUEST, Some("parameter_missing"), text, Some("amount"));
    }
    let payment = json!({ "id": format!("pi_sim{:06}", room.next()), "object": "payment_intent",
        "amount": amount, "currency": asked.word("currency"), "status": "succeeded",
        "customer": asked.sent["customer"], "description": asked.sent["description"],
        "created": room.now_s() });
    let event = json!({ "id": format!("evt_sim{:06}", room.next()), "object": "event",
        "type": "payment_intent.succeeded", "created": room.now_s(),
        "data": { "object": payment } });
    room.rows("events").push(event);
    ok(&payment)
}
