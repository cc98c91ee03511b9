//! What is left of a call: audit events, and no secret anywhere.

use std::sync::Arc;

use grantkeep::projects::{Echo, Settings};
use grantkeep_simulator::{Endpoint, Fault, Times};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::lab::{KEY, Kind, Lab, labs, labs_of, labs_with};
use super::upstream::{Do, answer, status};
use crate::world::{World, read};

async fn events(world: &World, action: &str) -> Vec<(String, Value)> {
    world.app.audit.settle().await;
    let sql = "select outcome, coalesce(detail, 'null') from audit_events where action = $1 \
               order by at_ms, id";
    let rows: Vec<(String, String)> = grantkeep::on!(world.app.db.read(), conn =>
        sqlx::query_as(sql).bind(action).fetch_all(conn).await.unwrap());
    let read =
        |(outcome, detail): (String, String)| (outcome, serde_json::from_str(&detail).unwrap());
    rows.into_iter().map(read).collect()
}

#[tokio::test]
async fn l_04_a_call_is_written_down_before_it_is_made_and_summed_up_after() {
    for lab in labs().await {
        let world = &lab.world;
        lab.upstream.script([answer("", ""), status(500, "", ""), answer("", "")]);
        lab.get("/x?secret=in-the-query").await;
        lab.get("/x").await;
        lab.post("/x", json!({ "secret": "in-the-body" })).await;
        let host = lab.upstream.address.ip().to_string();
        let first = json!({ "app": "raw", "method": "GET", "host": host });
        assert_eq!(events(world, "proxy.request").await, [("ok".to_owned(), first)]);
        assert!(events(world, "proxy.summary").await.is_empty());
        // Another caller has an event of its own.
        let url = format!("/proxy/L3g?account_id={}&external_user_id=ada", lab.account);
        world.call(Method::GET, &world.path(&url), Some(&world.project.token), None).await;
        assert_eq!(events(world, "proxy.request").await.len(), 2);
        world.app.clock.shift(61_000);
        grantkeep::proxy::sum_up(&world.app);
        let mut summaries: Vec<Value> = events(world, "proxy.summary")
            .await
            .into_iter()
            .map(|it| json!([it.1["calls"], it.1["writes"], it.1["failed"]]))
            .collect();
        summaries.sort_by_key(ToString::to_string);
        assert_eq!(summaries, [json!([1, 0, 0]), json!([3, 1, 1])]);
        // A new minute, a new event.
        lab.get("/x").await;
        assert_eq!(events(world, "proxy.request").await.len(), 3);
        assert!(!world.dump("audit_events").await.contains("in-the-"));
    }
}

#[tokio::test]
async fn l_04_what_is_refused_is_written_down_too() {
    for lab in labs().await {
        lab.get("https://evil.example/").await;
        let (outcome, _) = events(&lab.world, "proxy.request").await.remove(0);
        assert_eq!(outcome, "host_not_allowed");
    }
}

#[tokio::test]
async fn l_04_row_84_a_call_with_an_account_that_is_not_there_is_written_down() {
    for lab in labs().await {
        let world = &lab.world;
        assert_eq!(read(lab.request_for("grace", Method::GET, "/x")).await.status, 404);
        assert_eq!(events(world, "proxy.request").await, [("not_found".to_owned(), Value::Null)]);
        let sql = "select target_id, external_id, project_id from audit_events where action = $1";
        let row: (String, String, String) = grantkeep::on!(world.app.db.read(), conn =>
            sqlx::query_as(sql).bind("proxy.request").fetch_one(conn).await.unwrap());
        let project = world.project.id.as_str().to_owned();
        assert_eq!(row, (lab.account.clone(), "grace".to_owned(), project));
    }
}

#[tokio::test]
async fn l_04_row_79_an_answer_that_was_withheld_or_cut_off_is_written_down() {
    for lab in labs().await {
        let world = &lab.world;
        lab.change(Settings { proxy_echo: Echo::Refuse, ..Settings::default() }).await;
        let head = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
        let coming = format!("{head}{:x}\r\n{KEY}\r\n0\r\n\r\n", KEY.len());
        let coming = vec![Do::Body, Do::Send(coming.into_bytes())];
        lab.upstream.script([answer("", &format!("x {KEY} y")), coming, answer("", "")]);
        assert_eq!(lab.get("/x").await.code(), "secret_in_response");
        assert!(is_cut_off(&lab).await);
        assert_eq!(lab.get("/x").await.status, 200);
        let events = events(world, "proxy.request").await;
        let mut outcomes: Vec<&str> = events.iter().map(|(outcome, _)| outcome.as_str()).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["ok", "secret_in_response", "secret_in_response"]);
        assert_eq!(summary(world).await, json!([3, 2]));
    }
}

/// An answer that was cut off is a failure, and so is one that the caller did not wait for.
#[tokio::test]
async fn l_04_calls_without_a_whole_answer_count_as_failed() {
    for lab in labs_with(&[("proxy_answer_bytes_max", "100000")]).await {
        let head = Do::Send(b"HTTP/1.1 200 X\r\n\r\n".to_vec());
        let large = vec![Do::Body, head, Do::Send(vec![b'x'; 200_000]), Do::Close];
        let came = Arc::new(Notify::new());
        let hanging = vec![Do::Tell(Arc::clone(&came)), Do::Hang];
        lab.upstream.script([large, hanging]);
        assert!(is_cut_off(&lab).await);
        lab.upstream.ended().await;
        let left = tokio::spawn(lab.request(Method::GET, "/x").send());
        came.notified().await;
        left.abort();
        lab.upstream.ended().await;
        assert_eq!(lab.get("/x").await.status, 200);
        assert_eq!(summary(&lab.world).await, json!([3, 2]));
    }
}

/// Whether an answer breaks off, be it before its head has left.
async fn is_cut_off(lab: &Lab) -> bool {
    match lab.request(Method::GET, "/x").send().await {
        Ok(answer) => answer.bytes().await.is_err(),
        Err(_) => true,
    }
}

/// How many calls the window that is open had, and how many of them failed.
async fn summary(world: &World) -> Value {
    world.app.clock.shift(61_000);
    grantkeep::proxy::sum_up(&world.app);
    let (_, detail) = events(world, "proxy.summary").await.remove(0);
    json!([detail["calls"], detail["failed"]])
}

#[tokio::test]
async fn l_04_without_an_event_nothing_is_sent() {
    for lab in labs().await {
        lab.world.break_audit().await;
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "audit_unavailable"));
        assert!(lab.upstream.seen().is_empty());
        lab.world.mend_audit().await;
        assert_eq!(lab.get("/x").await.status, 200, "the next call is written down");
        assert_eq!(events(&lab.world, "proxy.request").await.len(), 1);
    }
}

/// Makes calls of all kinds, failing ones too.
async fn live(lab: &Lab) {
    lab.upstream.script([
        answer("", KEY),
        status(302, &format!("location: https://x.example/?k={KEY}\r\n"), ""),
        vec![Do::Body, Do::Close],
        vec![Do::Body, Do::Send(format!("{KEY}\r\n\r\n").into_bytes()), Do::Close],
    ]);
    for target in ["/a?q=canary-of-the-query", "/b", "/c", "/d"] {
        let reply = lab.get(target).await;
        assert!(!reply.text.contains(KEY) && !format!("{:?}", reply.headers).contains(KEY));
    }
    for target in ["/e#x", "https://evil.example/?q=canary-of-the-query", "/f"] {
        lab.post(target, json!({ "k": "canary-of-the-body" })).await;
    }
}

#[tokio::test]
async fn l_01_p_12_no_credential_and_no_query_is_logged_stored_or_told() {
    let log = crate::canary::Log::start();
    let proxy = "[proxy.query]\nkey = \"${api_key}\"\n[proxy.headers]\nx-key = \"${api_key}\"";
    for lab in labs_of(Kind { proxy, ..Kind::default() }).await {
        live(&lab).await;
        let world = &lab.world;
        let account = world.connected("rotating", "ada").await;
        let tenant = world.tenant();
        let usable = grantkeep::accounts::usable(&world.app, &tenant, &account.id, None);
        let token = usable.await.unwrap().credentials.access_token.unwrap().expose().to_owned();
        let no = Fault::Status { status: 401, retry_after_s: None };
        world.provider.fault("rotating", Endpoint::Echo, no, Times::Next(1));
        let path = format!("/proxy?account_id={}&external_user_id=ada", account.id);
        let url = format!("{}{}", world.url, world.path(&path));
        let request = world.http.get(url).bearer_auth(&world.project.key);
        let request = request.header("x-pd-environment", "development");
        read(request.header("x-grantkeep-target", "/api/echo")).await;
        world.app.audit.settle().await;
        let kept = world.dump("audit_events").await;
        let logged = log.text();
        assert!(logged.contains("/v1/connect/{project}/proxy"), "nothing was looked at");
        for secret in [KEY, "k3y%2Fof", "canary-of-the", token.as_str()] {
            for (place, text) in [("the log", &logged), ("the store", &kept)] {
                let found = text.find(secret);
                let around = found.map(|at| &text[at.saturating_sub(200)..at]);
                assert_eq!(around, None, "{secret} stands in {place}");
            }
        }
    }
}
