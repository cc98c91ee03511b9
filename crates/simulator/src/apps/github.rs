//! GitHub's REST API: pages by the Link header, 404 for what one may not see.

use http::StatusCode;
use serde_json::{Value, json};

use super::room::{Asked, Room, holds, ok, overlay};
use super::{App, Refusal, any_credential, nothing_open};
use crate::exchange::{Answer, Call};

const DOCUMENTATION: &str = "https://docs.github.com/rest";

pub(super) const APP: App = App {
    slug: "github",
    seed: include_str!("seeds/github.json"),
    credential,
    plausible: any_credential,
    open: nothing_open,
    answer,
    refuse,
};

fn credential(call: &Call) -> Option<String> {
    call.authorization("bearer").or_else(|| call.authorization("token")).map(str::to_owned)
}

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::NoCredential => said(StatusCode::UNAUTHORIZED, "Requires authentication"),
        Refusal::BadCredential | Refusal::Revoked => {
            said(StatusCode::UNAUTHORIZED, "Bad credentials")
        }
        Refusal::TooMany => {
            let text = "You have exceeded a secondary rate limit. Please wait a few minutes.";
            said(StatusCode::TOO_MANY_REQUESTS, text)
        }
        Refusal::Broken(status) => said(status, "Server Error"),
    }
}

fn said(status: StatusCode, message: &str) -> Answer {
    let body = json!({ "message": message, "documentation_url": DOCUMENTATION,
        "status": status.as_u16().to_string() });
    Answer::json(status, &body)
}

fn not_found() -> Answer {
    said(StatusCode::NOT_FOUND, "Not Found")
}

fn invalid(resource: &str, field: &str, code: &str) -> Answer {
    let body = json!({ "message": "Validation Failed", "documentation_url": DOCUMENTATION,
        "status": "422",
        "errors": [{ "resource": resource, "field": field, "code": code }] });
    Answer::json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    if asked.header("user-agent").is_empty() {
        let text = "Request forbidden by administrative rules. Please set a User-Agent header";
        return Answer::new(StatusCode::FORBIDDEN, "text/plain", text.to_owned());
    }
    match (asked.method, &asked.path()[..]) {
        ("GET", ["user"]) => ok(&json!({ "login": "ada", "id": 1, "name": "Ada Lovelace" })),
        ("GET", ["user", "repos"]) => page(room, asked, room.all("repos").to_vec()),
        ("GET", ["search", "issues"]) => search(room, asked),
        (_, ["repos", owner, name, rest @ ..]) => {
            let full = format!("{owner}/{name}");
            let found = room.find("repos", "full_name", &full).cloned();
            found.map_or_else(not_found, |repo| in_repo(room, asked, &repo, rest))
        }
        _ => not_found(),
    }
}

fn in_repo(room: &mut Room, asked: &Asked, repo: &Value, rest: &[&str]) -> Answer {
    let full = repo["full_name"].as_str().unwrap_or("").to_owned();
    match (asked.method, rest) {
        ("GET", []) => ok(repo),
        ("GET", ["issues"]) => issues(room, asked, &full),
        ("POST", ["issues"]) => create_issue(room, asked, &full),
        ("GET", ["issues", number]) => match issue(room, &full, number) {
            Some(issue) => ok(issue),
            None => not_found(),
        },
        ("PATCH", ["issues", number]) => update_issue(room, asked, &full, number),
        ("GET", ["issues", number, "comments"]) => {
            let of = format!("{full}#{number}");
            let comments = of_repo(room, "comments", "of", &of);
            page(room, asked, comments)
        }
        ("POST", ["issues", number, "comments"]) => comment(room, asked, &full, number),
        ("GET", ["labels" | "assignees" | "branches"]) => {
            let items = of_repo(room, rest[0], "repo", &full);
            page(room, asked, items)
        }
        ("GET", ["commits"]) => commits(room, asked, &full),
        ("GET", ["compare", range]) => compare(room, &full, range),
        ("PUT", ["contents", path @ ..]) => commit(room, asked, &full, &path.join("/")),
        _ => not_found(),
    }
}

fn of_repo(room: &Room, list: &str, member: &str, is: &str) -> Vec<Value> {
    room.all(list).iter().filter(|it| it[member] == is).cloned().collect()
}

fn page(room: &Room, asked: &Asked, items: Vec<Value>) -> Answer {
    let size = asked.number("per_page", 30).clamp(1, room.page_max);
    let number = asked.number("page", 1).max(1);
    let (items, next) = room.page(items, (number - 1) * size, size);
    let answer = ok(&Value::Array(items));
    if next.is_none() {
        return answer;
    }
    let others = asked.query.pairs().iter().filter(|(name, _)| name != "page");
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair("page", &(number + 1).to_string())
        .finish();
    let link = format!("<https://api.github.com{}?{query}>; rel=\"next\"", asked.raw_path);
    answer.with("link", &link)
}

fn issues(room: &Room, asked: &Asked, repo: &str) -> Answer {
    let (state, since) = (asked.word("state"), asked.word("since"));
    let state = if state.is_empty() { "open".to_owned() } else { state };
    let labels = asked.word("labels");
    let labelled = |it: &Value, wanted: &str| {
        it["labels"].as_array().into_iter().flatten().any(|label| label["name"] == wanted)
    };
    let mut items = of_repo(room, "issues", "repo", repo);
    items.retain(|it| {
        (state == "all" || it["state"] == state.as_str())
            && it["updated_at"].as_str() >= Some(since.as_str())
            && labels.split(',').filter(|it| !it.is_empty()).all(|label| labelled(it, label))
    });
    if asked.word("direction") != "asc" {
        items.reverse();
    }
    page(room, asked, items)
}

fn issue<'a>(room: &'a Room, repo: &str, number: &str) -> Option<&'a Value> {
    let number = number.parse::<u64>().ok();
    let same = |it: &&Value| it["repo"] == repo && it["number"].as_u64() == number;
    room.all("issues").iter().find(same)
}

fn labels(sent: &Value) -> Value {
    sent.as_array().into_iter().flatten().map(|it| json!({ "name": it })).collect()
}

fn assignees(sent: &Value) -> Value {
    sent.as_array().into_iter().flatten().map(|it| json!({ "login": it })).collect()
}

fn create_issue(room: &mut Room, asked: &Asked, repo: &str) -> Answer {
    let title = asked.word("title");
    if title.is_empty() {
        return invalid("Issue", "title", "missing_field");
    }
    let known = of_repo(room, "assignees", "repo", repo);
    let sent = asked.sent["assignees"].as_array().cloned().unwrap_or_default();
    if sent.iter().any(|name| !known.iter().any(|it| it["login"] == *name)) {
        return invalid("Issue", "assignees", "invalid");
    }
    let number = of_repo(room, "issues", "repo", repo).len() + 1;
    let now = room.now_iso();
    let issue = json!({
        "id": 9000 + room.next(), "number": number, "repo": repo, "title": title,
        "body": asked.sent["body"], "state": "open", "user": { "login": "ada" },
        "labels": labels(&asked.sent["labels"]),
        "assignees": assignees(&asked.sent["assignees"]),
        "milestone": asked.sent["milestone"],
        "html_url": format!("https://github.com/{repo}/issues/{number}"),
        "comments": 0, "created_at": now, "updated_at": now, "closed_at": null,
    });
    room.rows("issues").push(issue.clone());
    Answer::json(StatusCode::CREATED, &issue)
}

fn update_issue(room: &mut Room, asked: &Asked, repo: &str, number: &str) -> Answer {
    let now = room.now_iso();
    let number = number.parse::<u64>().ok();
    let same = |it: &&mut Value| it["repo"] == repo && it["number"].as_u64() == number;
    let Some(issue) = room.rows("issues").iter_mut().find(same) else { return not_found() };
    let sent = &asked.sent;
    if !sent["state"].is_null() && sent["state"] != "open" && sent["state"] != "closed" {
        return invalid("Issue", "state", "invalid");
    }
    for name in ["title", "body", "state", "state_reason"] {
        if !sent[name].is_null() {
            overlay(issue, &json!({ name: sent[name] }));
        }
    }
    if !sent["labels"].is_null() {
        issue["labels"] = labels(&sent["labels"]);
    }
    if !sent["assignees"].is_null() {
        issue["assignees"] = assignees(&sent["assignees"]);
    }
    issue["updated_at"] = json!(now);
    issue["closed_at"] = if issue["state"] == "closed" { json!(now) } else { Value::Null };
    ok(issue)
}

fn comment(room: &mut Room, asked: &Asked, repo: &str, number: &str) -> Answer {
    if issue(room, repo, number).is_none() {
        return not_found();
    }
    if asked.word("body").is_empty() {
        return invalid("IssueComment", "body", "missing_field");
    }
    let (id, now) = (7000 + room.next(), room.now_iso());
    let url = format!("https://github.com/{repo}/issues/{number}#issuecomment-{id}");
    let comment = json!({ "id": id, "of": format!("{repo}#{number}"),
        "body": asked.sent["body"], "user": { "login": "ada" }, "html_url": url,
        "created_at": now, "updated_at": now });
    room.rows("comments").push(comment.clone());
    Answer::json(StatusCode::CREATED, &comment)
}

/// The newest first.
fn commits(room: &Room, asked: &Asked, repo: &str) -> Answer {
    let (branch, since) = (asked.word("sha"), asked.word("since"));
    let branch = if branch.is_empty() { "main".to_owned() } else { branch };
    let known = of_repo(room, "branches", "repo", repo);
    if !known.iter().any(|it| it["name"] == branch.as_str()) {
        return not_found();
    }
    let mut items = of_repo(room, "commits", "repo", repo);
    items.retain(|it| {
        it["branch"] == branch.as_str()
            && it["commit"]["committer"]["date"].as_str() >= Some(since.as_str())
    });
    items.reverse();
    page(room, asked, items)
}

/// `base...branch`: what the branch has since the base, the oldest first.
fn compare(room: &Room, repo: &str, range: &str) -> Answer {
    let (base, branch) = range.split_once("...").unwrap_or((range, ""));
    let mut items = of_repo(room, "commits", "repo", repo);
    items.retain(|it| it["branch"] == branch);
    let Some(at) = items.iter().position(|it| it["sha"] == base) else { return not_found() };
    let items = items.split_off(at + 1);
    ok(&json!({ "status": "ahead", "ahead_by": items.len(), "total_commits": items.len(),
        "commits": items }))
}

/// Writing a file makes a commit.
fn commit(room: &mut Room, asked: &Asked, repo: &str, path: &str) -> Answer {
    let message = asked.word("message");
    if message.is_empty() {
        return invalid("Commit", "message", "missing_field");
    }
    let branch = asked.word("branch");
    let branch = if branch.is_empty() { "main" } else { branch.as_str() };
    let (sha, now) = (format!("{:040x}", 0xfeed_0000 + room.next()), room.now_iso());
    let person = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "date": now });
    let url = format!("https://github.com/{repo}/commit/{sha}");
    room.rows("commits").push(json!({ "repo": repo, "branch": branch, "sha": sha,
        "html_url": url, "author": { "login": "ada" },
        "commit": { "message": message, "author": person, "committer": person } }));
    let body = json!({ "content": { "path": path }, "commit": { "sha": sha, "message": message } });
    Answer::json(StatusCode::CREATED, &body)
}

/// Reads `repo:`, `is:`, `state:`, `author:` and words.
fn search(room: &Room, asked: &Asked) -> Answer {
    let query = asked.word("q");
    if query.trim().is_empty() {
        return invalid("Search", "q", "missing");
    }
    let fits = |it: &&Value| {
        query.split_whitespace().all(|word| match word.split_once(':') {
            Some(("repo", name)) => it["repo"] == name,
            Some(("is", "pr")) => it["pull_request"].is_object(),
            Some(("is", "issue")) => !it["pull_request"].is_object(),
            Some(("is" | "state", state)) => it["state"] == state,
            Some(("author", name)) => it["user"]["login"] == name,
            _ => holds(&it["title"], word) || holds(&it["body"], word),
        })
    };
    let items: Vec<Value> = room.all("issues").iter().filter(fits).cloned().collect();
    let (total, size) = (items.len(), asked.number("per_page", 30).clamp(1, room.page_max));
    let number = asked.number("page", 1).max(1);
    let (items, _) = room.page(items, (number - 1) * size, size);
    ok(&json!({ "total_count": total, "incomplete_results": false, "items": items }))
}
