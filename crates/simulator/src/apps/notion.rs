//! Notion's API of version 2022-06-28: pages by cursor, the version in a header.

use http::StatusCode;
use serde_json::{Value, json};

use super::room::{Asked, Room, holds, ok, overlay};
use super::{App, Refusal, any_credential, bearer, nothing_open};
use crate::exchange::Answer;

const VERSION: &str = "2022-06-28";

pub(super) const APP: App = App {
    slug: "notion",
    seed: include_str!("seeds/notion.json"),
    credential: bearer,
    plausible: any_credential,
    open: nothing_open,
    answer,
    refuse,
};

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::NoCredential | Refusal::BadCredential | Refusal::Revoked => {
            error(StatusCode::UNAUTHORIZED, "unauthorized", "API token is invalid.")
        }
        Refusal::TooMany => error(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "You have been rate limited. Please try again in a few minutes.",
        ),
        Refusal::Broken(status) => {
            error(status, "internal_server_error", "Unexpected error occurred.")
        }
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({ "object": "error", "status": status.as_u16(), "code": code,
        "message": message });
    Answer::json(status, &body)
}

fn invalid(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "validation_error", message)
}

fn not_found(what: &str, id: &str) -> Answer {
    let text = format!(
        "Could not find {what} with ID: {id}. Make sure the relevant pages and databases are \
         shared with your integration."
    );
    error(StatusCode::NOT_FOUND, "object_not_found", &text)
}

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    if asked.header("notion-version") != VERSION {
        let text = "Notion-Version header failed validation: Notion-Version header should be \
                    defined, instead was `undefined`.";
        return error(StatusCode::BAD_REQUEST, "missing_version", text);
    }
    match (asked.method, &asked.path()[..]) {
        ("GET", ["v1", "users", "me"]) => ok(&json!({ "object": "user", "id": "bot-1",
            "type": "bot", "bot": { "workspace_name": "Lumen" } })),
        ("POST", ["v1", "search"]) => search(room, asked),
        ("GET", ["v1", "databases", id]) => match room.find("databases", "id", id) {
            Some(it) => ok(it),
            None => not_found("database", id),
        },
        ("POST", ["v1", "databases", id, "query"]) => query(room, asked, id),
        ("POST", ["v1", "pages"]) => create(room, asked),
        ("GET", ["v1", "pages", id]) => match room.find("pages", "id", id) {
            Some(it) => ok(it),
            None => not_found("page", id),
        },
        ("GET", ["v1", "blocks", id, "children"]) => {
            let children = room.all("blocks").iter().filter(|it| it["of"] == *id).cloned();
            page(room, asked, children.collect())
        }
        ("PATCH", ["v1", "blocks", id, "children"]) => append(room, asked, id),
        _ => error(StatusCode::BAD_REQUEST, "invalid_request_url", "Invalid request URL."),
    }
}

fn page(room: &Room, asked: &Asked, items: Vec<Value>) -> Answer {
    let cursor = asked.word("start_cursor");
    let from = match cursor.strip_prefix("cursor-") {
        Some(from) => from.parse().ok(),
        None => cursor.is_empty().then_some(0),
    };
    let Some(from) = from else { return invalid("start_cursor is not a cursor.") };
    let (items, next) = room.page(items, from, asked.number("page_size", 100));
    ok(&json!({ "object": "list", "results": items, "has_more": next.is_some(),
        "next_cursor": next.map(|it| format!("cursor-{it}")) }))
}

/// The plain text of a title, be it a database's or a page's.
fn title(of: &Value) -> String {
    let named = |it: &&Value| it["type"] == "title";
    let of_page = of["properties"].as_object().and_then(|it| it.values().find(named));
    let parts = match &of["title"] {
        Value::Array(parts) => Some(parts),
        _ => of_page.and_then(|it| it["title"].as_array()),
    };
    let text = |it: &Value| {
        let text = it["plain_text"].as_str().or(it["text"]["content"].as_str());
        text.unwrap_or("").to_owned()
    };
    parts.into_iter().flatten().map(text).collect()
}

fn search(room: &Room, asked: &Asked) -> Answer {
    let word = asked.word("query");
    let kind = asked.sent["filter"]["value"].as_str().unwrap_or("");
    let both = room.all("databases").iter().chain(room.all("pages"));
    let fits =
        |it: &&Value| (kind.is_empty() || it["object"] == kind) && holds(&json!(title(it)), &word);
    page(room, asked, both.filter(fits).cloned().collect())
}

/// Knows the filter `{property, <type>: {equals}}` and sorting by time of creation.
fn query(room: &Room, asked: &Asked, id: &str) -> Answer {
    let Some(database) = room.find("databases", "id", id) else {
        return not_found("database", id);
    };
    let filter = &asked.sent["filter"];
    let property = filter["property"].as_str().unwrap_or("");
    if !filter.is_null() && database["properties"][property].is_null() {
        return invalid(&format!("Could not find property with name or id: {property}"));
    }
    let kind = database["properties"][property]["type"].as_str().unwrap_or("");
    let wanted = &filter[kind]["equals"];
    let fits = |it: &&Value| {
        let value = &it["properties"][property];
        let same = match kind {
            "title" => wanted.as_str() == Some(title(it).as_str()),
            "select" | "status" => value[kind]["name"] == *wanted,
            _ => value[kind] == *wanted,
        };
        it["parent"]["database_id"] == id && (filter.is_null() || same)
    };
    let mut items: Vec<Value> = room.all("pages").iter().filter(fits).cloned().collect();
    if asked.sent["sorts"][0]["direction"] == "descending" {
        items.reverse();
    }
    page(room, asked, items)
}

fn create(room: &mut Room, asked: &Asked) -> Answer {
    let (parent, sent) = (&asked.sent["parent"], &asked.sent["properties"]);
    let mut properties = sent.clone();
    if let Some(id) = parent["database_id"].as_str() {
        let Some(database) = room.find("databases", "id", id) else {
            return not_found("database", id);
        };
        for (name, value) in properties.as_object_mut().into_iter().flatten() {
            let kind = &database["properties"][name.as_str()]["type"];
            if kind.is_null() {
                return invalid(&format!("{name} is not a property that exists."));
            }
            if value[kind.as_str().unwrap_or("")].is_null() {
                return invalid(&format!(
                    "{name} is expected to be {}.",
                    kind.as_str().unwrap_or("")
                ));
            }
            overlay(value, &json!({ "type": kind }));
        }
    } else if let Some(id) = parent["page_id"].as_str() {
        if room.find("pages", "id", id).is_none() {
            return not_found("page", id);
        }
        if let Some(value) = properties.get_mut("title") {
            overlay(value, &json!({ "type": "title" }));
        }
    } else {
        return invalid("body.parent should be defined.");
    }
    let (number, now) = (room.next(), room.now_iso());
    let id = format!("00000000-0000-4000-8000-{number:012}");
    let page = json!({ "object": "page", "id": id, "created_time": now, "last_edited_time": now,
        "archived": false, "parent": parent, "properties": properties,
        "url": format!("https://www.notion.so/{}", id.replace('-', "")) });
    room.rows("pages").push(page.clone());
    add_blocks(room, &id, &asked.sent["children"]);
    ok(&page)
}

fn add_blocks(room: &mut Room, of: &str, children: &Value) -> Vec<Value> {
    let mut added = Vec::new();
    for child in children.as_array().into_iter().flatten() {
        let mut block = child.clone();
        let id = format!("b0000000-0000-4000-8000-{:012}", room.next());
        overlay(&mut block, &json!({ "object": "block", "id": id, "of": of }));
        room.rows("blocks").push(block.clone());
        added.push(block);
    }
    added
}

fn append(room: &mut Room, asked: &Asked, id: &str) -> Answer {
    let known = room.find("pages", "id", id).or_else(|| room.find("blocks", "id", id));
    if known.is_none() {
        return not_found("block", id);
    }
    if asked.sent["children"].as_array().is_none_or(Vec::is_empty) {
        return invalid("body.children should be defined.");
    }
    let added = add_blocks(room, id, &asked.sent["children"]);
    ok(&json!({ "object": "list", "results": added, "has_more": false, "next_cursor": null }))
}
