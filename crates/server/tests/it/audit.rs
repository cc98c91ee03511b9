//! Audit: nothing that was noted is lost, and what cannot be written is not done.

use grantkeep::audit::Event;
use grantkeep::callers::{Actor, Origin};
use reqwest::Method;
use serde_json::json;

use crate::world::{World, worlds};

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
    let world = World::sqlite(&[("audit_policy", "strict")]).await;
    drop_audit_table(&world).await;
    let reply = world.post(&world.path("/oauth_apps"), json!({ "app": "github" })).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "audit_unavailable".into()));
}

#[tokio::test]
async fn x_29_spool_keeps_events_in_a_bounded_file() {
    let settings = [("audit_policy", "spool"), ("audit_spool_bytes_max", "4096")];
    let world = World::sqlite(&settings).await;
    drop_audit_table(&world).await;
    let mut answers = Vec::new();
    for _ in 0..40 {
        let body = Some(json!({ "external_user_id": "ada" }));
        let path = world.path("/tokens");
        let token = Some(world.project.token.as_str());
        answers.push(world.call(Method::POST, &path, token, body).await.status.as_u16());
    }
    assert_eq!(answers[0], 200);
    assert_eq!(answers.last(), Some(&503), "a full spool is as strict: {answers:?}");
    let spool = std::fs::metadata(world.app.config.data_dir.join("audit.spool")).unwrap();
    assert!(spool.len() <= 4_096, "{}", spool.len());
}

async fn drop_audit_table(world: &World) {
    grantkeep::on!(world.app.db.write(), conn =>
        sqlx::query("drop table audit_events").execute(conn).await.unwrap().rows_affected());
}
