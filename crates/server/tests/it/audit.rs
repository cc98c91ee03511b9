//! Audit: nothing that was noted is lost, and what cannot be written is not done.

use grantkeep::audit::{Audit, Event, Policy};
use grantkeep::callers::{Actor, Origin};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::world::{World, worlds, worlds_with};

/// More than one commit's worth.
const NOTES: i64 = 600;

#[tokio::test]
async fn what_was_noted_is_stored_before_the_store_is_closed() {
    for world in worlds().await {
        for _ in 0..NOTES {
            world.app.audit.note(Event::new("test.note", &Actor::System, &Origin::default()));
        }
        world.app.audit.settle().await;
        let sql = "select count(*) from audit_events where action = 'test.note'";
        assert_eq!(world.count(sql).await, NOTES);
    }
}

#[tokio::test]
async fn l_04_an_act_is_kept_with_who_what_where_and_which_request() {
    for world in worlds().await {
        let made = world.post(&world.path("/oauth_apps"), json!({ "app": "github" })).await;
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let kept = world.dump("audit_events").await;
        let request = made.headers["x-request-id"].to_str().unwrap();
        for word in ["oauth_app.create", &id, request, "127.0.0.1", world.project.id.as_str()] {
            assert!(kept.contains(word), "{word} is not in {kept}");
        }
    }
}

#[tokio::test]
async fn x_29_strict_refuses_what_cannot_be_audited() {
    for world in worlds_with(&[("audit_policy", "strict")]).await {
        world.break_audit().await;
        let reply = world.post(&world.path("/oauth_apps"), json!({ "app": "github" })).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "audit_unavailable".into()));
        world.mend_audit().await;
        let reply = world.post(&world.path("/oauth_apps"), json!({ "app": "github" })).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
}

#[tokio::test]
async fn x_29_strict_does_nothing_before_it_is_written_down() {
    let text = "name: hello\ntrigger: { call: {} }\nsteps:\n  - name: hello\n    \
                code: 'export default () => 1'\n";
    for world in worlds_with(&[("audit_policy", "strict")]).await {
        let hook = world.endpoint("https://a.example/").await.id;
        world.workflow(text).await;
        let run = world.invoke("hello", json!({})).await;
        let before = (world.dump("webhook_endpoints").await, world.dump("workflow_runs").await);
        world.break_audit().await;
        for path in [
            format!("/webhooks/{hook}/rotate"),
            format!("/webhooks/{hook}/reset"),
            "/workflows/hello/invoke".to_owned(),
            format!("/workflow-runs/{run}/replay"),
            format!("/workflow-runs/{run}/cancel"),
        ] {
            let reply = world.post(&world.path(&path), json!({ "external_user_id": "ada" })).await;
            let got = (reply.status.as_u16(), reply.code());
            assert_eq!(got, (503, "audit_unavailable".into()), "{path}");
        }
        let reply = world.delete(&world.path(&format!("/webhooks/{hook}"))).await;
        assert_eq!(reply.status, 503, "{reply:?}");
        let after = (world.dump("webhook_endpoints").await, world.dump("workflow_runs").await);
        assert_eq!(before, after);
        world.mend_audit().await;
    }
}

#[tokio::test]
async fn x_29_what_cannot_be_written_down_at_all_is_refused() {
    let world = World::sqlite(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("audit"), "where its folder would be").unwrap();
    let (db, clock) = (world.app.db.clone(), world.app.clock.clone());
    let audit = Audit::start(db, clock, dir.path(), Policy::Strict);
    let event = Event::new("test.note", &Actor::System, &Origin::default());
    assert!(audit.record(event).await.is_err());
}

#[tokio::test]
async fn x_29_spool_keeps_events_in_a_bounded_file() {
    let settings = [("audit_policy", "spool"), ("audit_spool_bytes_max", "4096")];
    let world = World::sqlite(&settings).await;
    world.break_audit().await;
    let mut answers = Vec::new();
    for _ in 0..40 {
        let body = Some(json!({ "external_user_id": "ada" }));
        let path = world.path("/tokens");
        let token = Some(world.project.token.as_str());
        answers.push(world.call(Method::POST, &path, token, body).await.status.as_u16());
    }
    assert_eq!(answers[0], 200);
    assert_eq!(answers.last(), Some(&503), "a full spool is as strict: {answers:?}");
    let kept = answers.iter().filter(|it| **it == 200).count();
    world.mend_audit().await;
    let sql = "select count(*) from audit_events where action = 'connect_token.create'";
    assert_eq!(world.count(sql).await, i64::try_from(kept).unwrap(), "nothing kept is lost");
}

#[tokio::test]
async fn x_29_what_a_killed_process_kept_is_stored_by_the_next() {
    let world = World::sqlite(&[]).await;
    let folder = world.app.config.data_dir.join("audit");
    std::fs::create_dir_all(&folder).unwrap();
    let line = r#"{"id":"ev_0dead","at_ms":7,"actor_kind":"system","actor_id":"x",
        "action":"test.left","outcome":"ok"}"#
        .replace('\n', "");
    let cut_off = &line[..40];
    std::fs::write(folder.join("gki_dead-0.events"), format!("{line}\n{cut_off}")).unwrap();
    let (db, clock) = (world.app.db.clone(), world.app.clock.clone());
    let next = Audit::start(db, clock, &world.app.config.data_dir, Policy::Strict);
    while folder.join("gki_dead-0.events").exists() {
        tokio::task::yield_now().await;
    }
    drop(next);
    let sql = "select count(*) from audit_events where action = 'test.left' and at_ms = 7";
    assert_eq!(world.count(sql).await, 1);
}

#[tokio::test]
async fn l_04_a_caller_who_hangs_up_leaves_nothing_half_done() {
    for world in worlds().await {
        let address = world.url.trim_start_matches("http://");
        let body = r#"{"app":"github"}"#;
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
             x-pd-environment: development\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            world.path("/oauth_apps"),
            world.project.token,
            body.len()
        );
        for tried in 0..40 {
            let mut to = TcpStream::connect(address).await.unwrap();
            to.write_all(request.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_micros(250 * tried)).await;
        }
        assert_eq!(
            world.post(&world.path("/oauth_apps"), json!({ "app": "slack" })).await.status,
            201
        );
        let done = "select count(*) from oauth_apps";
        let told = "select count(*) from audit_events where action = 'oauth_app.create'";
        while world.count(done).await != world.count(told).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn l_04_a_change_and_its_event_are_stored_together() {
    for world in worlds_with(&[("audit_policy", "strict")]).await {
        let account = world.connected("rotating", "ada").await;
        world.break_audit().await;
        let path = world.path(&format!("/accounts/{}", account.id));
        let refused = world.delete(&path).await.status.as_u16();
        assert!(refused >= 500, "{refused}");
        world.mend_audit().await;
        assert_eq!(world.count("select count(*) from accounts").await, 1);
        assert_eq!(world.delete(&path).await.status, 204);
        let told = "select count(*) from audit_events where action = 'account.delete'";
        assert_eq!(world.count(told).await, 1);
    }
}

/// PostgreSQL's texts cannot hold U+0000, and events are stored many at once.
#[tokio::test]
async fn x_29_what_no_text_can_hold_keeps_no_other_event_out() {
    for world in worlds_with(&[("audit_policy", "strict")]).await {
        let account = world.connected("rotating", "ada").await;
        let target = "aHR0cHM6Ly9leGFtcGxlLmNvbS8";
        let vain =
            world.path(&format!("/proxy/{target}?account_id=apn_aaaaaaa&external_user_id=%00"));
        for _ in 0..20 {
            let (other, read) = tokio::join!(world.get(&vain), world.vend(&account));
            assert_eq!((other.status.as_u16(), read.status.as_u16()), (404, 200), "{other:?}");
        }
    }
}

#[tokio::test]
async fn x_29_a_spooled_event_that_no_row_takes_is_set_aside() {
    for world in worlds_with(&[("audit_policy", "spool")]).await.into_iter().skip(1) {
        let folder = &world.app.config.data_dir;
        let line = |id: &str, user: &str| {
            json!({ "id": id, "at_ms": 7, "actor_kind": "system", "actor_id": "x",
                "action": "test.left", "outcome": "ok", "external_id": user })
        };
        let text = format!("{}\n{}\n", line("ev_0bad", "\0"), line("ev_0good", "ada"));
        std::fs::write(folder.join("audit.spool"), text).unwrap();
        world.app.audit.note(Event::new("test.note", &Actor::System, &Origin::default()));
        let sql = "select count(*) from audit_events where action in ('test.left', 'test.note')";
        assert_eq!(world.count(sql).await, 2);
        assert!(!folder.join("audit.spool").exists());
        let refused = std::fs::read_to_string(folder.join("audit.refused")).unwrap();
        assert!(refused.contains("ev_0bad") && !refused.contains("ev_0good"), "{refused}");
    }
}
