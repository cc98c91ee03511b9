//! Slack's Web API: answers 200 to nearly everything, with `ok` and `error` inside.

use http::StatusCode;
use serde_json::{Value, json};

use super::room::{Asked, Room, holds, ok};
use super::{App, Refusal, any_credential, bearer};
use crate::exchange::{Answer, Call};

pub(super) const APP: App = App {
    slug: "slack",
    seed: include_str!("seeds/slack.json"),
    credential,
    plausible: any_credential,
    open: |asked| asked.raw_path.starts_with("/upload/"),
    answer,
    refuse,
};

/// Slack takes the token as a parameter of a form too.
fn credential(call: &Call) -> Option<String> {
    bearer(call).or_else(|| Some(call.form().get("token").to_owned()).filter(|it| !it.is_empty()))
}

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::NoCredential => error("not_authed"),
        Refusal::BadCredential => error("invalid_auth"),
        Refusal::Revoked => error("token_revoked"),
        Refusal::TooMany => {
            let body = json!({ "ok": false, "error": "ratelimited" });
            Answer::json(StatusCode::TOO_MANY_REQUESTS, &body)
        }
        Refusal::Broken(status) => {
            Answer::json(status, &json!({ "ok": false, "error": "internal_error" }))
        }
    }
}

fn error(code: &str) -> Answer {
    ok(&json!({ "ok": false, "error": code }))
}

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    match asked.path()[..] {
        ["api", "auth.test"] => ok(&json!({
            "ok": true, "url": "https://lumen.slack.com/", "team": "Lumen", "user": "ada",
            "team_id": "T0LUMEN01", "user_id": "U0ADA0001",
        })),
        ["api", "conversations.list"] => channels(room, asked),
        ["api", "conversations.history"] => history(room, asked),
        ["api", "users.list"] => users(room, asked),
        ["api", "users.info"] => match room.find("users", "id", &asked.word("user")) {
            Some(user) => ok(&json!({ "ok": true, "user": user })),
            None => error("user_not_found"),
        },
        ["api", "users.lookupByEmail"] => lookup(room, asked),
        ["api", "chat.postMessage"] => post(room, asked),
        ["api", "chat.update"] => update(room, asked),
        ["api", "search.messages"] => search(room, asked),
        ["api", "files.getUploadURLExternal"] => upload_url(room, asked),
        ["upload", "v1", file] => upload(room, asked, file),
        ["api", "files.completeUploadExternal"] => complete(room, asked),
        _ => error("unknown_method"),
    }
}

fn page(room: &Room, asked: &Asked, name: &str, items: Vec<Value>) -> Answer {
    let cursor = asked.word("cursor");
    let from = match cursor.strip_prefix("dGVhbTpD") {
        Some(from) => from.parse().ok(),
        None => cursor.is_empty().then_some(0),
    };
    let Some(from) = from else { return error("invalid_cursor") };
    let (items, next) = room.page(items, from, asked.number("limit", 100));
    let next = next.map(|it| format!("dGVhbTpD{it}")).unwrap_or_default();
    let more = !next.is_empty();
    ok(&json!({ "ok": true, name: items, "has_more": more,
        "response_metadata": { "next_cursor": next } }))
}

fn channels(room: &Room, asked: &Asked) -> Answer {
    let types = asked.word("types");
    let types = if types.is_empty() { "public_channel" } else { types.as_str() };
    let wanted = |it: &&Value| {
        let private = it["is_private"] == true;
        let kind = if private { "private_channel" } else { "public_channel" };
        let hidden = asked.word("exclude_archived") == "true" && it["is_archived"] == true;
        !hidden && types.split(',').any(|it| it.trim() == kind)
    };
    let items = room.all("channels").iter().filter(wanted).cloned().collect();
    page(room, asked, "channels", items)
}

fn users(room: &Room, asked: &Asked) -> Answer {
    page(room, asked, "members", room.all("users").to_vec())
}

fn lookup(room: &Room, asked: &Asked) -> Answer {
    let email = asked.word("email");
    let found = room.all("users").iter().find(|it| it["profile"]["email"] == email.as_str());
    match found {
        Some(user) => ok(&json!({ "ok": true, "user": user })),
        None => error("users_not_found"),
    }
}

/// Channels are named by id; `chat.postMessage` takes `#name` too.
fn channel(room: &Room, named: &str) -> Option<String> {
    let bare = named.trim_start_matches('#');
    let found = room.all("channels").iter().find(|it| it["id"] == named || it["name"] == bare);
    let person = || room.find("users", "id", named).map(|_| named.replacen('U', "D", 1));
    found.and_then(|it| it["id"].as_str().map(str::to_owned)).or_else(person)
}

fn seconds(ts: &str) -> f64 {
    ts.parse().unwrap_or(0.0)
}

/// The newest first, as Slack has it.
fn history(room: &Room, asked: &Asked) -> Answer {
    let id = asked.word("channel");
    if room.find("channels", "id", &id).is_none() {
        return error("channel_not_found");
    }
    let oldest = seconds(&asked.word("oldest"));
    let latest = asked.word("latest");
    let latest = if latest.is_empty() { f64::MAX } else { seconds(&latest) };
    let inclusive = asked.word("inclusive") == "true";
    let wanted = |it: &&Value| {
        let ts = seconds(it["ts"].as_str().unwrap_or(""));
        let inside = ts > oldest && ts < latest;
        it["channel"] == id.as_str() && (inside || inclusive && (oldest..=latest).contains(&ts))
    };
    let mut items: Vec<Value> = room.all("messages").iter().filter(wanted).cloned().collect();
    items.reverse();
    page(room, asked, "messages", items)
}

fn post(room: &mut Room, asked: &Asked) -> Answer {
    let Some(id) = channel(room, &asked.word("channel")) else {
        return error("channel_not_found");
    };
    if room.find("channels", "id", &id).is_some_and(|it| it["is_archived"] == true) {
        return error("is_archived");
    }
    if asked.word("text").is_empty() && asked.sent["blocks"].is_null() {
        return error("no_text");
    }
    let number = room.next();
    let ts = format!("{}.{number:06}", room.now_s());
    let mut message = json!({ "type": "message", "user": "U0ADA0001", "text": asked.word("text"),
        "ts": ts, "channel": id });
    for name in ["thread_ts", "blocks"] {
        if !asked.sent[name].is_null() {
            message[name] = asked.sent[name].clone();
        }
    }
    room.rows("messages").push(message.clone());
    ok(&json!({ "ok": true, "channel": id, "ts": ts, "message": message }))
}

fn update(room: &mut Room, asked: &Asked) -> Answer {
    let (id, ts) = (asked.word("channel"), asked.word("ts"));
    if room.find("channels", "id", &id).is_none() {
        return error("channel_not_found");
    }
    let same = |it: &&mut Value| it["channel"] == id.as_str() && it["ts"] == ts.as_str();
    let Some(message) = room.rows("messages").iter_mut().find(same) else {
        return error("message_not_found");
    };
    if message["user"] != "U0ADA0001" {
        return error("cant_update_message");
    }
    message["text"] = json!(asked.word("text"));
    ok(&json!({ "ok": true, "channel": id, "ts": ts, "text": message["text"] }))
}

fn search(room: &Room, asked: &Asked) -> Answer {
    let query = asked.word("query");
    if query.is_empty() {
        return error("no_query");
    }
    let found = room.all("messages").iter().rev().filter(|it| holds(&it["text"], &query));
    let items: Vec<Value> = found.cloned().collect();
    let (total, size) = (items.len(), asked.number("count", 20).clamp(1, room.page_max));
    let page = asked.number("page", 1).max(1);
    let (matches, next) = room.page(items, (page - 1) * size, size);
    let pages = if next.is_some() { page + 1 } else { page };
    ok(&json!({ "ok": true, "query": query, "messages": { "total": total, "matches": matches,
        "paging": { "count": size, "total": total, "page": page, "pages": pages } } }))
}

fn upload_url(room: &mut Room, asked: &Asked) -> Answer {
    let (name, length) = (asked.word("filename"), asked.number("length", 0));
    if name.is_empty() || length == 0 {
        return error("invalid_arguments");
    }
    let id = format!("F0SIM{:05}", room.next());
    let url = format!("https://files.slack.com/upload/v1/{id}");
    room.rows("files").push(json!({ "id": id, "name": name, "length": length, "got": false }));
    ok(&json!({ "ok": true, "upload_url": url, "file_id": id }))
}

fn upload(room: &mut Room, asked: &Asked, id: &str) -> Answer {
    let bytes = asked.body_bytes();
    match room.find_mut("files", "id", id) {
        Some(file) if file["length"] == bytes => {
            file["got"] = json!(true);
            Answer::new(StatusCode::OK, "text/plain", format!("OK - {bytes}"))
        }
        _ => Answer::new(StatusCode::BAD_REQUEST, "text/plain", "bad upload".to_owned()),
    }
}

fn complete(room: &mut Room, asked: &Asked) -> Answer {
    // A form carries the list as JSON inside a text.
    let files = match &asked.sent["files"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        other => other.clone(),
    };
    let id = asked.word("channel_id");
    if !id.is_empty() && room.find("channels", "id", &id).is_none() {
        return error("channel_not_found");
    }
    let mut done = Vec::new();
    for file in files.as_array().into_iter().flatten() {
        let file_id = file["id"].as_str().unwrap_or("");
        match room.find_mut("files", "id", file_id) {
            Some(kept) if kept["got"] == true => {
                kept["title"] = file["title"].clone();
                done.push(json!({ "id": file_id, "name": kept["name"], "title": file["title"] }));
            }
            _ => return error("file_not_found"),
        }
    }
    if done.is_empty() {
        error("invalid_arguments")
    } else {
        ok(&json!({ "ok": true, "files": done }))
    }
}
