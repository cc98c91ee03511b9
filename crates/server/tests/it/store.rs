//! What callers hear while the store cannot do its work.

use grantkeep::db::{Db, Tx};
use serde_json::json;

use crate::world::{World, worlds_with};

/// Everybody else waits for this to end.
async fn blocked(world: &World) -> Tx {
    let other = Db::open(&world.app.config).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    if let Tx::Pg(tx) = &mut tx {
        let sql = "lock table external_users in access exclusive mode";
        sqlx::query(sql).execute(&mut **tx).await.unwrap();
    }
    tx
}

#[tokio::test]
async fn x_12_a_store_that_is_busy_is_unavailable_and_not_broken() {
    let soon = [("db_busy_timeout_ms", "20"), ("db_statement_timeout_ms", "100")];
    for world in worlds_with(&soon).await {
        let held = blocked(&world).await;
        let body = json!({ "external_user_id": "ada" });
        let reply = world.post(&world.path("/tokens"), body.clone()).await;
        assert_eq!(reply.status, 503, "{} {reply:?}", world.engine);
        assert_eq!(reply.code(), "store_unavailable");
        assert_eq!(reply.headers["retry-after"], "1");
        drop(held);
        assert_eq!(world.post(&world.path("/tokens"), body).await.status, 200);
    }
}

/// A server and a command line that begin on an empty folder at the same moment.
#[tokio::test]
async fn many_processes_may_find_a_store_without_a_schema() {
    let dir = tempfile::TempDir::new().unwrap();
    let text = format!("root_key = \"{}\"\n", crate::world::ROOT_KEY);
    std::fs::write(dir.path().join("grantkeep.toml"), text).unwrap();
    let one = || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        command.current_dir(dir.path()).args(["project", "list"]).output()
    };
    for output in futures::future::join_all((0..8).map(|_| one())).await {
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
