//! Airtable's Web API: bases, tables and records; pages by offset.

use http::StatusCode;
use serde_json::{Value, json};

use super::room::{Asked, Room, ok, overlay};
use super::{App, Refusal, any_credential, bearer, nothing_open};
use crate::exchange::Answer;

pub(super) const APP: App = App {
    slug: "airtable_oauth",
    seed: include_str!("seeds/airtable.json"),
    credential: bearer,
    plausible: any_credential,
    open: nothing_open,
    answer,
    refuse,
};

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::NoCredential | Refusal::BadCredential | Refusal::Revoked => {
            error(StatusCode::UNAUTHORIZED, "AUTHENTICATION_REQUIRED", "Authentication required")
        }
        Refusal::TooMany => {
            let body = json!({ "errors": [{ "error": "RATE_LIMIT_REACHED",
                "message": "Rate limit exceeded. Please try again later" }] });
            Answer::json(StatusCode::TOO_MANY_REQUESTS, &body)
        }
        Refusal::Broken(status) => {
            error(status, "SERVER_ERROR", "Try again. If the problem persists, ask us.")
        }
    }
}

fn error(status: StatusCode, kind: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error": { "type": kind, "message": message } }))
}

fn not_found() -> Answer {
    Answer::json(StatusCode::NOT_FOUND, &json!({ "error": "NOT_FOUND" }))
}

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    match (asked.method, &asked.path()[..]) {
        ("GET", ["v0", "meta", "whoami"]) => {
            ok(&json!({ "id": "usrAda000000000001", "email": "ada@example.com" }))
        }
        ("GET", ["v0", "meta", "bases"]) => page(room, asked, "bases", room.all("bases").to_vec()),
        ("GET", ["v0", "meta", "bases", base, "tables"]) => {
            let of_base = |it: &&Value| it["base"] == *base;
            let tables: Vec<&Value> = room.all("tables").iter().filter(of_base).collect();
            if tables.is_empty() { not_found() } else { ok(&json!({ "tables": tables })) }
        }
        (method, ["v0", base, table, rest @ ..]) => {
            let same =
                |it: &&Value| it["base"] == *base && (it["id"] == *table || it["name"] == *table);
            let Some(table) = room.all("tables").iter().find(same).cloned() else {
                let text = "Invalid permissions, or the requested model was not found.";
                let kind = "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND";
                return error(StatusCode::FORBIDDEN, kind, text);
            };
            in_table(room, asked, (method, rest), &table)
        }
        _ => not_found(),
    }
}

fn in_table(room: &mut Room, asked: &Asked, what: (&str, &[&str]), table: &Value) -> Answer {
    match what {
        ("GET", []) => list(room, asked, table),
        ("POST", []) => create(room, asked, table),
        (method @ ("GET" | "PATCH"), [id]) => {
            if let Some(answer) = unknown_field(table, &asked.sent["fields"]) {
                return answer;
            }
            let same = |it: &&mut Value| it["table"] == table["id"] && it["id"] == *id;
            let Some(record) = room.rows("records").iter_mut().find(same) else {
                return not_found();
            };
            if method == "PATCH" {
                overlay(&mut record["fields"], &asked.sent["fields"]);
            }
            ok(&shown(record))
        }
        _ => not_found(),
    }
}

fn page(room: &Room, asked: &Asked, name: &str, items: Vec<Value>) -> Answer {
    let offset = asked.word("offset");
    let from = offset.strip_prefix("itr").and_then(|it| it.parse().ok()).unwrap_or(0);
    let (items, next) = room.page(items, from, asked.number("pageSize", 100));
    let mut body = json!({ name: items });
    if let Some(next) = next {
        body["offset"] = json!(format!("itr{next}"));
    }
    ok(&body)
}

fn shown(record: &Value) -> Value {
    json!({ "id": record["id"], "createdTime": record["createdTime"], "fields": record["fields"] })
}

fn unknown_field(table: &Value, fields: &Value) -> Option<Answer> {
    let known =
        |name: &str| table["fields"].as_array().into_iter().flatten().any(|it| it["name"] == name);
    let mut names = fields.as_object().into_iter().flatten().map(|(name, _)| name);
    let wrong = names.find(|it| !known(it))?;
    let text = format!("Unknown field name: \"{wrong}\"");
    Some(error(StatusCode::UNPROCESSABLE_ENTITY, "UNKNOWN_FIELD_NAME", &text))
}

fn create(room: &mut Room, asked: &Asked, table: &Value) -> Answer {
    let fields = &asked.sent["fields"];
    if let Some(answer) = unknown_field(table, fields) {
        return answer;
    }
    let record = json!({ "id": format!("recSim{:011}", room.next()), "table": table["id"],
        "createdTime": room.now_iso(), "fields": fields });
    room.rows("records").push(record.clone());
    ok(&shown(&record))
}

/// Knows two formulas: `{Field} = 'text'` and `IS_AFTER(CREATED_TIME(), 'time')`.
fn list(room: &Room, asked: &Asked, table: &Value) -> Answer {
    let formula = asked.word("filterByFormula");
    let quoted = formula.split('\'').nth(1).unwrap_or("");
    let fits: Box<dyn Fn(&Value) -> bool> = if formula.is_empty() {
        Box::new(|_| true)
    } else if formula.starts_with("IS_AFTER(CREATED_TIME(), '") {
        Box::new(|it| it["createdTime"].as_str() > Some(quoted))
    } else if let Some((name, _)) = formula.split_once("} = '") {
        let name = name.trim_start_matches('{').to_owned();
        Box::new(move |it| it["fields"][&name] == quoted)
    } else {
        let text = "The formula for filtering records is invalid: Invalid formula. Please check \
                    your formula text.";
        let kind = "INVALID_FILTER_BY_FORMULA";
        return error(StatusCode::UNPROCESSABLE_ENTITY, kind, text);
    };
    let of_table = room.all("records").iter().filter(|it| it["table"] == table["id"]);
    let items: Vec<Value> = of_table.filter(|it| fits(it)).map(shown).collect();
    let most = asked.number("maxRecords", items.len());
    page(room, asked, "records", items.into_iter().take(most).collect())
}
