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

/// Several that begin on an empty folder at the same moment.
#[tokio::test]
async fn many_processes_may_find_a_store_without_a_schema() {
    let dir = tempfile::TempDir::new().unwrap();
    let text = format!("root_key = \"{}\"\n", crate::world::ROOT_KEY);
    crate::world::write_private(&dir.path().join("grantkeep.toml"), &text);
    let one = || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        command.current_dir(dir.path()).arg("migrate").output()
    };
    for output in futures::future::join_all((0..8).map(|_| one())).await {
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn x_12_a_disk_that_was_full_is_used_again_once_it_is_not() {
    let world = World::sqlite(&[]).await;
    let limit = async |pages: &str| {
        let sql = sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
        if let Db::Lite { writer, .. } = &world.app.db {
            sqlx::query(sql).execute(writer).await.unwrap();
        }
    };
    let token = async |at: usize| {
        let body = json!({ "external_user_id": format!("{at}-{}", "x".repeat(200)) });
        world.post(&world.path("/tokens"), body).await
    };
    limit("1").await;
    let mut full = 0;
    for at in 0..200 {
        let reply = token(at).await;
        if reply.status != 200 {
            assert_eq!((reply.status.as_u16(), reply.code()), (503, "store_unavailable".into()));
            full += 1;
            break;
        }
    }
    assert_eq!(full, 1, "no file of that size");
    limit("1000000").await;
    assert_eq!(token(1_000).await.status, 200);
}

#[tokio::test]
async fn v_08_an_erased_users_key_is_not_in_the_file_any_more() {
    let world = World::sqlite(&[]).await;
    let account = world.connected("rotating", "ada").await;
    let Db::Lite { readers, .. } = &world.app.db else { return };
    let wrapped: Vec<u8> = sqlx::query_scalar("select wrapped from owner_keys where owner_id = $1")
        .bind(account.user.as_str())
        .fetch_one(readers)
        .await
        .unwrap();
    let sealed: Vec<u8> =
        sqlx::query_scalar("select sealed from accounts").fetch_one(readers).await.unwrap();
    let on_disk = |wanted: &[u8]| {
        let files = std::fs::read_dir(&world.app.config.data_dir).unwrap().flatten();
        let files = files.filter(|it| it.file_name().to_string_lossy().contains(".db"));
        let mut texts = files.map(|it| std::fs::read(it.path()).unwrap());
        texts.any(|text| text.windows(wanted.len()).any(|it| it == wanted))
    };
    assert!(on_disk(&wrapped) && on_disk(&sealed));
    assert_eq!(world.delete(&world.path("/users/ada")).await.status, 204);
    assert!(!on_disk(&wrapped), "the key");
    assert!(!on_disk(&sealed), "what it opened");
}
