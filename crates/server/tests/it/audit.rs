//! Audit: nothing that was noted is lost, and what cannot be written is not done.

use grantkeep::audit::{Audit, Event, Policy};
use grantkeep::callers::{Actor, Origin};
use reqwest::Method;
use serde_json::json;

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
