//! Linear's GraphQL API, as much of it as is asked for here.
//!
//! It parses no GraphQL: it looks which field of the root is asked for, refuses names that the
//! schema has not, and answers every field of what it knows.

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::room::{Asked, Room, holds, ok};
use super::{App, Refusal, any_credential, nothing_open};
use crate::exchange::{Answer, Call};

pub(super) const APP: App = App {
    slug: "linear",
    seed: include_str!("seeds/linear.json"),
    credential,
    plausible: any_credential,
    open: nothing_open,
    answer,
    refuse,
};

/// Every word that may stand in a query: the schema's names, and those of GraphQL.
const WORDS: &str = "query mutation viewer organization teams issues searchIssues issueCreate \
    users projects nodes pageInfo hasNextPage endCursor first after filter orderBy createdAt \
    updatedAt id identifier title description priority url state name key email team assignee \
    labels project success issue input term eq gt gte teamId assigneeId projectId stateId \
    active String Int ID IssueFilter IssueCreateInput PaginationOrderBy TeamFilter UserFilter \
    ProjectFilter WorkflowStateFilter workflowStates displayName number archivedAt dueDate \
    estimate includeArchived type";

/// OAuth tokens go with Bearer, personal keys without.
fn credential(call: &Call) -> Option<String> {
    let sent = call.headers.get(AUTHORIZATION)?.to_str().ok()?;
    Some(sent.strip_prefix("Bearer ").unwrap_or(sent).to_owned())
}

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::NoCredential | Refusal::BadCredential | Refusal::Revoked => error(
            StatusCode::UNAUTHORIZED,
            "AUTHENTICATION_ERROR",
            "Authentication required, not authenticated",
        ),
        // Linear says this with 400.
        Refusal::TooMany => error(
            StatusCode::BAD_REQUEST,
            "RATELIMITED",
            "Rate limit exceeded. Only 1500 requests are allowed per 1 hour",
        ),
        Refusal::Broken(status) => error(status, "INTERNAL_SERVER_ERROR", "Internal server error"),
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": code,
        "userPresentableMessage": message } }] });
    Answer::json(status, &body)
}

fn invalid(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "GRAPHQL_VALIDATION_FAILED", message)
}

fn unknown_word(query: &str) -> Option<&str> {
    let words = query.split(|it: char| !it.is_ascii_alphanumeric() && it != '_' && it != '$');
    let mut names = words.filter(|it| !it.is_empty() && !it.starts_with('$'));
    names.find(|it| !WORDS.split_whitespace().any(|known| known == *it))
}

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    if asked.method != "POST" || asked.path()[..] != ["graphql"] {
        return error(StatusCode::NOT_FOUND, "NOT_FOUND", "Not found");
    }
    let query = asked.sent["query"].as_str().unwrap_or("");
    if let Some(word) = unknown_word(query) {
        return invalid(&format!("Cannot query field \"{word}\""));
    }
    let variables = &asked.sent["variables"];
    let root = query.split_once('{').map_or("", |(_, rest)| rest.trim_start());
    let root = root.split(|it: char| !it.is_ascii_alphanumeric()).next().unwrap_or("");
    match root {
        "viewer" => ok(&json!({ "data": {
            "viewer": { "id": "user-ada", "name": "Ada", "email": "ada@example.com" },
            "organization": { "id": "org-lumen", "name": "Lumen" } } })),
        "teams" | "users" | "projects" | "workflowStates" => {
            let items = room.all(root).to_vec();
            page(room, variables, root, items)
        }
        "issues" => issues(room, variables),
        "searchIssues" => {
            let term = variables["term"].as_str().unwrap_or("");
            let fits = |it: &&Value| holds(&it["title"], term) || holds(&it["description"], term);
            let items = room.all("issues").iter().rev().filter(fits).cloned().collect();
            page(room, variables, root, items)
        }
        "issueCreate" => create(room, &variables["input"]),
        _ => invalid(&format!("Cannot query field \"{root}\" on type \"Query\".")),
    }
}

fn page(room: &Room, variables: &Value, name: &str, items: Vec<Value>) -> Answer {
    let from = variables["after"].as_str().and_then(|it| it.strip_prefix("cur-"));
    let from = from.and_then(|it| it.parse().ok()).unwrap_or(0);
    let size = variables["first"].as_u64().and_then(|it| usize::try_from(it).ok()).unwrap_or(50);
    let (items, next) = room.page(items, from, size);
    let info = json!({ "hasNextPage": next.is_some(),
        "endCursor": next.map(|it| format!("cur-{it}")) });
    ok(&json!({ "data": { name: { "nodes": items, "pageInfo": info } } }))
}

/// The newest first. Knows the filters of a team and of the time of creation.
fn issues(room: &Room, variables: &Value) -> Answer {
    let filter = &variables["filter"];
    let team = filter["team"]["id"]["eq"].as_str();
    let since = filter["createdAt"]["gte"].as_str().or(filter["createdAt"]["gt"].as_str());
    let fits = |it: &&Value| {
        team.is_none_or(|team| it["team"]["id"] == team)
            && since.is_none_or(|since| it["createdAt"].as_str() >= Some(since))
    };
    let items = room.all("issues").iter().rev().filter(fits).cloned().collect();
    page(room, variables, "issues", items)
}

fn create(room: &mut Room, input: &Value) -> Answer {
    let team = room.find("teams", "id", input["teamId"].as_str().unwrap_or("")).cloned();
    let Some(team) = team else {
        let text = "Entity not found: Team - Could not find referenced Team.";
        return ok(&json!({ "data": null, "errors": [{ "message": text,
            "extensions": { "code": "INPUT_ERROR", "userPresentableMessage": text } }] }));
    };
    if input["title"].as_str().is_none_or(str::is_empty) {
        return invalid("Argument Validation Error: title should not be empty");
    }
    let assignee = room.find("users", "id", input["assigneeId"].as_str().unwrap_or("")).cloned();
    let (key, now) = (team["key"].as_str().unwrap_or("X").to_owned(), room.now_iso());
    let number = 100 + room.next();
    let identifier = format!("{key}-{number}");
    let issue = json!({ "id": format!("issue-{number}"), "identifier": identifier,
        "number": number, "title": input["title"], "description": input["description"],
        "priority": input["priority"].as_u64().unwrap_or(0), "team": team, "assignee": assignee,
        "state": { "id": "state-todo", "name": "Todo" }, "createdAt": now, "updatedAt": now,
        "url": format!("https://linear.app/lumen/issue/{identifier}") });
    room.rows("issues").push(issue.clone());
    ok(&json!({ "data": { "issueCreate": { "success": true, "issue": issue } } }))
}
