//! Gmail's API: messages as RFC 2822 in base64url, searched by a query.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::google::{invalid, not_found, page, refuse};
use super::room::{Asked, Room, holds, ok};
use super::{App, any_credential, bearer, nothing_open};
use crate::exchange::Answer;

pub(super) const APP: App = App {
    slug: "gmail",
    seed: include_str!("seeds/gmail.json"),
    credential: bearer,
    plausible: any_credential,
    open: nothing_open,
    answer,
    refuse,
};

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    let path = asked.path();
    let path = path.strip_prefix(&["upload"]).unwrap_or(&path);
    let ["gmail", "v1", "users", "me", rest @ ..] = path else { return not_found() };
    match (asked.method, rest) {
        ("GET", ["profile"]) => ok(&json!({ "emailAddress": "ada@example.com",
            "messagesTotal": room.all("messages").len(), "historyId": "1" })),
        ("GET", ["labels"]) => ok(&json!({ "labels": room.all("labels") })),
        ("GET", ["messages"]) => list(room, asked),
        ("POST", ["messages", "send"]) => add(room, asked, &json!(["SENT"])),
        // Puts a message into the mailbox as if it had been received.
        ("POST", ["messages"]) => add(room, asked, &asked.sent["labelIds"]),
        ("GET", ["messages", id]) => match room.find("messages", "id", id) {
            Some(message) => ok(&shown(message, &asked.word("format"))),
            None => not_found(),
        },
        _ => not_found(),
    }
}

fn header<'a>(message: &'a Value, name: &str) -> &'a Value {
    let headers = message["payload"]["headers"].as_array();
    let same = |it: &&Value| it["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name));
    headers.into_iter().flatten().find(same).map_or(&Value::Null, |it| &it["value"])
}

fn shown(message: &Value, format: &str) -> Value {
    let mut message = message.clone();
    if let (Some(payload), "metadata" | "minimal") = (message["payload"].as_object_mut(), format) {
        payload.remove("body");
        if format == "minimal" {
            payload.clear();
        }
    }
    message
}

/// The newest first. Knows `from:`, `to:`, `subject:`, `after:` (epoch seconds), `in:` and words.
fn list(room: &Room, asked: &Asked) -> Answer {
    let query = asked.word("q");
    let labels: Vec<&str> = asked
        .query
        .pairs()
        .iter()
        .filter(|(name, _)| name == "labelIds")
        .map(|(_, value)| value.as_str())
        .collect();
    let labelled = |it: &Value, label: &str| {
        it["labelIds"].as_array().into_iter().flatten().any(|has| *has == *label)
    };
    let fits = |it: &&Value| {
        let sent_s = it["internalDate"].as_str().and_then(|it| it.parse::<u64>().ok());
        let sent_s = sent_s.unwrap_or(0) / 1000;
        labels.iter().all(|label| labelled(it, label))
            && query.split_whitespace().all(|word| match word.split_once(':') {
                Some((name @ ("from" | "to" | "subject"), value)) => holds(header(it, name), value),
                Some(("after", value)) => value.parse().is_ok_and(|after: u64| sent_s >= after),
                Some(("in", value)) => labelled(it, &value.to_uppercase()),
                _ => holds(header(it, "subject"), word) || holds(&it["snippet"], word),
            })
    };
    let found = room.all("messages").iter().rev().filter(fits);
    let named = |it: &Value| json!({ "id": it["id"], "threadId": it["threadId"] });
    page(room, asked, ("messages", found.map(named).collect()), "maxResults")
}

fn add(room: &mut Room, asked: &Asked, labels: &Value) -> Answer {
    let raw = asked.word("raw");
    let decoded = URL_SAFE_NO_PAD.decode(raw.trim_end_matches('=')).ok();
    let Some(text) = decoded.and_then(|it| String::from_utf8(it).ok()) else {
        return invalid(
            "'raw' RFC822 payload message string or uploading message via /upload/* URL required",
        );
    };
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return invalid("Missing the empty line between headers and body");
    };
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let headers: Vec<Value> = unfolded
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| json!({ "name": name.trim(), "value": value.trim() }))
        .collect();
    if !headers.iter().any(|it| it["name"] == "To") {
        return invalid("Recipient address required");
    }
    let in_base64 = headers
        .iter()
        .any(|it| it["name"] == "Content-Transfer-Encoding" && it["value"] == "base64");
    let decoded = STANDARD.decode(body.replace("\r\n", "")).ok().filter(|_| in_base64);
    let body = decoded.and_then(|it| String::from_utf8(it).ok()).unwrap_or(body.to_owned());
    let kind = headers.iter().find(|it| it["name"] == "Content-Type");
    let kind = kind.and_then(|it| it["value"].as_str()).and_then(|it| it.split(';').next());
    let id = format!("18sim{:011x}", room.next());
    let thread = asked.sent["threadId"].as_str().unwrap_or(&id).to_owned();
    let message = json!({ "id": id, "threadId": thread, "labelIds": labels,
        "internalDate": room.now_ms.to_string(),
        "snippet": body.chars().take(100).collect::<String>(),
        "payload": { "mimeType": kind.unwrap_or("text/plain"), "headers": headers,
            "body": { "size": body.len(), "data": URL_SAFE.encode(&body) } } });
    room.rows("messages").push(message);
    ok(&json!({ "id": id, "threadId": thread, "labelIds": labels }))
}
