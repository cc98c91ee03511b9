//! Google Calendar v3: calendars and their events.

use serde_json::{Value, json};

use super::google::{invalid, not_found, page, refuse};
use super::room::{Asked, Room, holds, ok};
use super::{App, any_credential, bearer, nothing_open};
use crate::exchange::Answer;

pub(super) const APP: App = App {
    slug: "google_calendar",
    seed: include_str!("seeds/google_calendar.json"),
    credential: bearer,
    plausible: any_credential,
    open: nothing_open,
    answer,
    refuse,
};

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    match (asked.method, &asked.path()[..]) {
        ("GET", ["calendar", "v3", "users", "me", "calendarList"]) => {
            page(room, asked, ("items", room.all("calendars").to_vec()), "maxResults")
        }
        (method, ["calendar", "v3", "calendars", id, "events", rest @ ..]) => {
            let primary =
                |it: &&Value| it["id"] == *id || *id == "primary" && it["primary"] == true;
            let Some(calendar) = room.all("calendars").iter().find(primary).cloned() else {
                return not_found();
            };
            match (method, rest) {
                ("GET", []) => list(room, asked, &calendar),
                ("POST", []) => create(room, asked, &calendar),
                ("GET", [event]) => room.find("events", "id", event).map_or_else(not_found, ok),
                _ => not_found(),
            }
        }
        _ => not_found(),
    }
}

fn begin(event: &Value) -> &str {
    event["start"]["dateTime"].as_str().or(event["start"]["date"].as_str()).unwrap_or("")
}

/// Times are compared as texts, so they must be in UTC as everything here is.
fn list(room: &Room, asked: &Asked, calendar: &Value) -> Answer {
    let (from, to, word) = (asked.word("timeMin"), asked.word("timeMax"), asked.word("q"));
    let updated = asked.word("updatedMin");
    for time in [&from, &to, &updated] {
        if !time.is_empty() && !time.ends_with('Z') {
            return invalid("Bad Request");
        }
    }
    let order = asked.word("orderBy");
    if order == "startTime" && asked.word("singleEvents") != "true" {
        return invalid("The requested ordering is not available for the particular query.");
    }
    let fits = |it: &&Value| {
        it["calendar"] == calendar["id"]
            && begin(it) >= from.as_str()
            && (to.is_empty() || begin(it) < to.as_str())
            && it["updated"].as_str() >= Some(updated.as_str())
            && (holds(&it["summary"], &word) || holds(&it["description"], &word))
    };
    let mut items: Vec<Value> = room.all("events").iter().filter(fits).cloned().collect();
    match order.as_str() {
        "startTime" => items.sort_by_key(|it| begin(it).to_owned()),
        "updated" => items.sort_by_key(|it| it["updated"].as_str().unwrap_or("").to_owned()),
        _ => {}
    }
    page(room, asked, ("items", items), "maxResults")
}

fn create(room: &mut Room, asked: &Asked, calendar: &Value) -> Answer {
    let sent = &asked.sent;
    let ends = |it: &Value| it["dateTime"].is_string() || it["date"].is_string();
    if !ends(&sent["start"]) || !ends(&sent["end"]) {
        return invalid("Missing end time.");
    }
    if calendar["accessRole"] == "reader" {
        let status = http::StatusCode::FORBIDDEN;
        let text = "You need to have writer access to this calendar.";
        return super::google::error(status, "PERMISSION_DENIED", text);
    }
    let (id, now) = (format!("simevent{:06}", room.next()), room.now_iso());
    let event = json!({ "kind": "calendar#event", "id": id, "calendar": calendar["id"],
        "status": "confirmed", "summary": sent["summary"], "description": sent["description"],
        "location": sent["location"], "start": sent["start"], "end": sent["end"],
        "attendees": sent["attendees"], "created": now, "updated": now,
        "htmlLink": format!("https://www.google.com/calendar/event?eid={id}") });
    room.rows("events").push(event.clone());
    ok(&event)
}
