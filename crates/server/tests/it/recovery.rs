//! What a crash leaves behind, and how it is taken up: a process that died at every place of an
//! exchange, one that was paused for too long, a store that was away.
//!
//! A process that dies is played by leaving its marks: the row says `sent` with a lease of a
//! process whose journal nobody locks. The real thing, with SIGKILL, is in the crate `torture`.

use std::sync::Arc;

use grantkeep::accounts::{self, Account, Why};
use grantkeep::boot;
use grantkeep::journal::Journal;
use grantkeep::on;
use grantkeep_simulator::{Endpoint, Fault, Rotation, Times};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::grants::TWO_HOURS_MS;
use crate::world::{Reply, World, worlds};

async fn health(world: &World, account: &Account) -> Value {
    // The history is read from the audit log, which is written in groups.
    world.app.audit.settle().await;
    world.get(&world.path(&format!("/accounts/{}/health", account.id))).await.json()
}

async fn forced(world: &World, account: &Account) -> Reply {
    world.post(&world.path(&format!("/accounts/{}/refresh", account.id)), Value::Null).await
}

/// Writes what a process wrote that began an exchange and died. Its lease has ended.
async fn left_open(world: &World, account: &Account) {
    let sql = "update accounts set intent = 'sent', fence = fence + 1, lease_owner = 'gki_dead', \
               lease_until_ms = 1 where id = $1";
    on!(world.app.db.write(), conn =>
        sqlx::query(sql).bind(&account.id).execute(conn).await.unwrap().rows_affected());
}

async fn stranded(world: &World) -> usize {
    accounts::stranded(&world.app, &CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn x_02_an_exchange_that_was_left_open_is_asked_again_at_once() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        left_open(&world, &account).await;
        assert_eq!(stranded(&world).await, 1);
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.refresh_ok, counters.illegal_reuse), (1, 0));
        assert_eq!(world.vend(&account).await.status, 200);
        assert_eq!(world.provider.counters("rotating").token_refresh, 1);
        assert_eq!(health(&world, &account).await["in_doubt"], false);
        assert_eq!(stranded(&world).await, 0);
    }
}

#[tokio::test]
async fn x_02_while_another_process_has_the_lease_nobody_asks() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let sql = "update accounts set intent = 'sent', fence = fence + 1, lease_owner = 'gki_x', \
                   lease_until_ms = $2 where id = $1";
        let until_ms = world.app.db.now_ms().await.unwrap() + 60_000;
        on!(world.app.db.write(), conn => sqlx::query(sql)
            .bind(&account.id).bind(until_ms).execute(conn).await.unwrap().rows_affected());
        assert_eq!(stranded(&world).await, 0);
        let mut asked = Box::pin(world.vend(&account));
        for _ in 0..50 {
            assert!(futures::poll!(&mut asked).is_pending());
            tokio::task::yield_now().await;
        }
        assert_eq!(world.provider.counters("rotating").token_refresh, 0);
    }
}

/// The answer is lost, whatever the provider did: classes with a grace lose nothing.
#[tokio::test]
async fn x_02_a_lost_answer_is_asked_for_again_within_the_grace() {
    for class in [Rotation::P0, Rotation::P1, Rotation::P2, Rotation::P3, Rotation::P4] {
        for world in worlds().await {
            let account = world.expired("rotating", "ada").await;
            world.provider.set_rotation("rotating", class);
            let fault = Fault::LostAnswer;
            world.provider.fault("rotating", Endpoint::TokenRefresh, fault, Times::Next(1));
            let reply = world.vend(&account).await;
            assert_eq!(reply.status, 503, "{class:?} {reply:?}");
            assert_eq!(reply.headers["retry-after"], "1", "{class:?}");
            assert_eq!(health(&world, &account).await["in_doubt"], true);
            world.later(1_001);
            assert_eq!(world.vend(&account).await.status, 200, "{class:?}");
            assert_eq!(world.provider.counters("rotating").illegal_reuse, 0);
            assert_eq!(health(&world, &account).await["in_doubt"], false);
        }
    }
}

#[tokio::test]
async fn x_02_what_a_strict_provider_lost_is_named_and_not_deleted() {
    for class in [Rotation::P6, Rotation::P7] {
        for world in worlds().await {
            let account = world.expired("rotating", "ada").await;
            world.provider.set_rotation("rotating", class);
            let fault = Fault::LostAnswer;
            world.provider.fault("rotating", Endpoint::TokenRefresh, fault, Times::Next(1));
            assert_eq!(world.vend(&account).await.status, 503);
            world.later(1_001);
            let reply = world.vend(&account).await;
            assert_eq!(reply.status, 409, "{class:?} {reply:?}");
            assert_eq!(reply.json()["details"]["reason"], "rotation_lost");
            let seen = health(&world, &account).await;
            assert_eq!(seen["status"], "dead");
            assert_eq!(seen["next_attempt_at"], Value::Null);
            let outcomes: Vec<_> =
                seen["attempts"].as_array().unwrap().iter().map(|it| &it["outcome"]).collect();
            assert_eq!(outcomes, ["rotation_lost", "provider_unavailable"], "{seen}");
        }
    }
}

/// A process that gets an answer, and loses the store before it can put it there.
async fn dies_with_an_answer(world: &World, account: &Account) -> Arc<grantkeep::app::App> {
    let other = boot::open(world.app.config.clone(), world.app.clock.clone()).await.unwrap();
    let slow = Fault::DelayAnswer { ms: 200 };
    world.provider.fault("rotating", Endpoint::TokenRefresh, slow, Times::Next(1));
    let asking = {
        let (other, account) = (Arc::clone(&other), account.clone());
        tokio::spawn(async move { accounts::refresh(&other, &account, Why::Needed).await })
    };
    while world.provider.counters("rotating").refresh_ok == 0 {
        tokio::task::yield_now().await;
    }
    other.db.close().await;
    asking.await.unwrap().unwrap_err();
    other
}

#[tokio::test]
async fn x_02_an_answer_in_the_journal_of_a_dead_process_is_stored_by_the_next() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let dead = dies_with_an_answer(&world, &account).await;
        assert_eq!(accounts::recover(&world.app).await.unwrap(), 0, "it lives yet");
        let folder = world.app.config.data_dir.join("journal");
        hand_over(&folder, dead.journal.instance().as_str());
        assert_eq!(accounts::recover(&world.app).await.unwrap(), 1);
        assert_eq!(accounts::recover(&world.app).await.unwrap(), 0);
        // The provider was asked once, and what it said is what is vended.
        let reply = world.vend(&account).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(stranded(&world).await, 0);
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.token_refresh, counters.illegal_reuse), (1, 0), "{}", world.engine);
        let seen = health(&world, &account).await;
        assert_eq!((&seen["status"], &seen["in_doubt"]), (&"healthy".into(), &false.into()));
    }
}

#[tokio::test]
async fn x_02_an_answer_that_was_found_late_is_not_vended_once_its_token_has_ended() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let dead = dies_with_an_answer(&world, &account).await;
        world.later(TWO_HOURS_MS);
        let folder = world.app.config.data_dir.join("journal");
        hand_over(&folder, dead.journal.instance().as_str());
        assert_eq!(accounts::recover(&world.app).await.unwrap(), 1);
        let body = world.vend(&account).await.json();
        assert_eq!(body["healthy"], true, "{body}");
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.refresh_ok, counters.illegal_reuse), (2, 0), "the chain went on");
    }
}

/// What the end of the process does: the lock on its journal is nobody's.
fn hand_over(folder: &std::path::Path, instance: &str) {
    let path = folder.join(format!("{instance}.journal"));
    let copy = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, copy).unwrap();
}

#[tokio::test]
async fn x_13_an_answer_that_comes_after_its_lease_is_not_lost() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let dead = dies_with_an_answer(&world, &account).await;
        // Another process takes over with the old token, which this provider takes for theft in
        // single use without a family: the late answer is the only one that is good.
        world.provider.set_rotation("rotating", Rotation::P6);
        let sql = "update accounts set lease_until_ms = 1 where id = $1";
        on!(world.app.db.write(), conn => sqlx::query(sql)
            .bind(&account.id).execute(conn).await.unwrap().rows_affected());
        assert_eq!(stranded(&world).await, 0);
        assert_eq!(health(&world, &account).await["reason"], "rotation_lost");
        let folder = world.app.config.data_dir.join("journal");
        hand_over(&folder, dead.journal.instance().as_str());
        assert_eq!(accounts::recover(&world.app).await.unwrap(), 1);
        assert_eq!(health(&world, &account).await["reason"], "recovering");
        let stop = CancellationToken::new();
        assert_eq!(accounts::due(&world.app, &stop).await.unwrap(), 1);
        let reply = world.vend(&account).await;
        assert_eq!(reply.status, 200, "{} {reply:?}", world.engine);
        assert_eq!(world.provider.counters("rotating").token_refresh, 2);
        assert_eq!(world.count("select count(*) from refresh_candidates").await, 0);
    }
}

#[tokio::test]
async fn x_32_an_answer_for_a_deleted_account_is_revoked() {
    for is_down in [true, false] {
        for world in worlds().await {
            late_answer_is_revoked(&world, is_down).await;
        }
    }
}

/// The app revokes the former token at once, or is down just then.
async fn late_answer_is_revoked(world: &World, is_down: bool) {
    let account = world.expired("rotating", "ada").await;
    let dead = dies_with_an_answer(world, &account).await;
    let down = Fault::Status { status: 503, retry_after_s: None };
    if is_down {
        world.provider.fault("rotating", Endpoint::Revoke, down, Times::Next(1));
    }
    let path = world.path(&format!("/accounts/{}", account.id));
    assert_eq!(world.delete(&path).await.status, 204);
    if !is_down {
        world.run_jobs().await;
    }
    let folder = world.app.config.data_dir.join("journal");
    hand_over(&folder, dead.journal.instance().as_str());
    assert_eq!(accounts::recover(&world.app).await.unwrap(), 1);
    world.later(120_000);
    world.run_jobs().await;
    assert!(world.provider.ledger("rotating").iter().all(|it| it.revoked));
    assert_eq!(world.get(&path).await.status, 404, "the row does not come back");
}

#[tokio::test]
async fn x_05_an_answer_that_cannot_be_read_is_kept() {
    for world in worlds().await {
        for fault in [Fault::Html, Fault::InvalidJson, Fault::HugeBody { bytes: 4_000 }] {
            let account = world.expired("static", "ada").await;
            world.provider.fault("static", Endpoint::TokenRefresh, fault.clone(), Times::Next(1));
            let reply = world.vend(&account).await;
            assert!([502, 503].contains(&reply.status.as_u16()), "{fault:?} {reply:?}");
            assert_eq!(world.count("select count(*) from refresh_candidates").await, 1);
            world.later(10_000);
            assert_eq!(world.vend(&account).await.status, 200);
            assert_eq!(world.count("select count(*) from refresh_candidates").await, 0);
        }
    }
}

#[tokio::test]
async fn x_06_a_grant_whose_token_lives_is_not_given_up_at_the_first_refusal() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        world.provider.fault(
            "rotating",
            Endpoint::TokenRefresh,
            Fault::InvalidGrant,
            Times::Next(1),
        );
        let reply = forced(&world, &account).await;
        assert_eq!(reply.status, 503, "{reply:?}");
        assert_eq!(health(&world, &account).await["reason"], "grant_doubted");
        assert_eq!(world.vend(&account).await.status, 200, "the token at hand is still good");
        world.later(20_001);
        let stop = CancellationToken::new();
        assert_eq!(accounts::due(&world.app, &stop).await.unwrap(), 1);
        assert_eq!(health(&world, &account).await["status"], "healthy");
        // Twice is enough.
        world.provider.revoke_user_grants("rotating", "ada");
        let asked = world.provider.counters("rotating").token_refresh;
        for _ in 0..3 {
            // Nobody's hurry makes the first refusal the last.
            let reply = forced(&world, &account).await;
            assert_eq!(reply.status, 503, "{reply:?}");
            assert!(reply.text.contains("refused"), "{reply:?}");
        }
        assert_eq!(world.provider.counters("rotating").token_refresh, asked + 1);
        world.later(20_001);
        assert_eq!(forced(&world, &account).await.status, 409);
        assert_eq!(health(&world, &account).await["reason"], "revoked_by_user");
    }
}

#[tokio::test]
async fn x_04_a_provider_that_is_down_is_asked_by_few() {
    for world in worlds().await {
        let client = world.oauth_app("static").await;
        let mut made = Vec::new();
        for nth in 0..20 {
            let user = format!("user-{nth}");
            made.push(world.connected_with(&client, &user, "ada", None).await.unwrap());
        }
        world.later(TWO_HOURS_MS);
        let down = Fault::Status { status: 503, retry_after_s: None };
        world.provider.fault("static", Endpoint::TokenRefresh, down, Times::Always);
        for account in &made {
            let reply = world.vend(account).await;
            assert_eq!(reply.status, 503);
            assert!(reply.headers.contains_key("retry-after"));
        }
        assert_eq!(world.provider.counters("static").token_refresh, 8);
        // One looks when the pause is over; the rest wait for him.
        world.later(16_000);
        for account in &made {
            assert_eq!(world.vend(account).await.status, 503);
        }
        assert_eq!(world.provider.counters("static").token_refresh, 9);
        world.provider.clear_faults("static");
        world.later(60_000);
        for account in &made {
            assert_eq!(world.vend(account).await.status, 200);
        }
        assert!(made.iter().all(|it| it.version == 1), "none was given up");
    }
}

#[tokio::test]
async fn a_drain_waits_for_the_refresh_under_way() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let slow = Fault::DelayAnswer { ms: 300 };
        world.provider.fault("rotating", Endpoint::TokenRefresh, slow, Times::Next(1));
        let stop = CancellationToken::new();
        let running = tokio::spawn(accounts::run(Arc::clone(&world.app), stop.clone()));
        while world.provider.counters("rotating").refresh_ok == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        running.await.unwrap();
        let tenant = world.tenant();
        let stored = accounts::find(&world.app, &tenant, account.id.as_str(), None).await.unwrap();
        assert_eq!(stored.version, 2, "{}", world.engine);
    }
}

#[tokio::test]
async fn x_11_without_a_journal_no_token_leaves() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        std::fs::write(world.app.config.data_dir.join("journal"), "not a folder").unwrap();
        assert_eq!(world.vend(&account).await.status, 503);
        assert_eq!(world.provider.counters("rotating").token_refresh, 0);
        std::fs::remove_file(world.app.config.data_dir.join("journal")).unwrap();
        assert_eq!(world.vend(&account).await.status, 200);
    }
}

#[tokio::test]
async fn t_12_a_caller_says_how_long_a_token_must_last() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let vend = |ttl: &'static str| {
            let path = format!("/accounts/{}?include_credentials=true&min_ttl={ttl}", account.id);
            let path = world.path(&path);
            let world = &world;
            async move { world.get(&path).await }
        };
        world.later(3_600_000 - 20 * 60_000);
        assert_eq!(vend("600").await.status, 200);
        assert_eq!(world.provider.counters("rotating").token_refresh, 0);
        assert_eq!(vend("1500").await.status, 200);
        assert_eq!(world.provider.counters("rotating").token_refresh, 1);
        for wrong in ["-1", "1.5", "ten", "86401"] {
            let reply = vend(wrong).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_parameter".into()));
        }
    }
}

#[tokio::test]
async fn a_forced_refresh_is_one_call_however_long_the_token_would_last() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let path = world.path(&format!("/accounts/{}/refresh", account.id));
        let (one, other) =
            futures::join!(world.post(&path, Value::Null), world.post(&path, Value::Null));
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200), "{one:?} {other:?}");
        let counters = world.provider.counters("rotating");
        assert_eq!(counters.overlap, 0);
        assert!(counters.token_refresh <= 2, "at once they are one, one after the other two");
        assert!(!one.text.contains("oauth_access_token"));
        let seen = health(&world, &account).await;
        assert_eq!(seen["attempts"][0]["why"], "forced", "{seen}");
    }
}

#[tokio::test]
async fn a_forced_refresh_of_what_does_not_end_says_so_and_changes_nothing() {
    for world in worlds().await {
        let token = world.connect_token("ada").await;
        let keys = r#"{"api_key":"sim_live_demo"}"#;
        let body = serde_json::json!({ "app_slug": "sim_keys", "cfmap_json": keys });
        let path = world.path("/accounts");
        let made = world.call(reqwest::Method::POST, &path, Some(&token), Some(body)).await.json();
        let id = made["id"].as_str().unwrap();
        let account = accounts::find(&world.app, &world.tenant(), id, None).await.unwrap();
        let reply = forced(&world, &account).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (409, "nothing_to_refresh".into()));
        assert_eq!(health(&world, &account).await["status"], "healthy");
    }
}

#[tokio::test]
async fn t_13_an_idle_grant_is_refreshed_before_its_app_drops_it_unless_told_otherwise() {
    for world in worlds().await {
        let account = world.connected("static", "ada").await;
        let seen = health(&world, &account).await;
        assert_eq!((&seen["keep_alive"], &seen["forecast"]), (&true.into(), &Value::Null));
        let path = world.path(&format!("/accounts/{}", account.id));
        let off = serde_json::json!({ "keep_alive": false });
        let key = world.project.key.clone();
        let patch = |body: Value| {
            let (path, key) = (path.clone(), key.clone());
            let world = &world;
            async move { world.call(reqwest::Method::PATCH, &path, Some(&key), Some(body)).await }
        };
        let seen = patch(off).await.json();
        assert_eq!(seen["keep_alive"], false, "{seen}");
        assert_eq!(seen["forecast"]["reason"], "expired_idle");
        let seen = patch(serde_json::json!({ "keep_alive": true })).await.json();
        assert_eq!((&seen["keep_alive"], &seen["forecast"]), (&true.into(), &Value::Null));
    }
}

#[tokio::test]
async fn an_end_that_is_known_is_forecast_told_once_and_explains_the_death() {
    for world in worlds().await {
        let account = world.connected("grace", "ada").await;
        let seen = health(&world, &account).await;
        assert_eq!(seen["forecast"]["reason"], "expired_lifetime", "{seen}");
        assert_eq!(accounts::notice(&world.app).await.unwrap(), 0, "a year is long");
        let year_ms = 365 * 24 * 3_600_000;
        world.later(year_ms - 3 * 24 * 3_600_000);
        assert_eq!(accounts::notice(&world.app).await.unwrap(), 1);
        assert_eq!(accounts::notice(&world.app).await.unwrap(), 0);
        world.later(3 * 24 * 3_600_000);
        world.provider.revoke_user_grants("grace", "ada");
        let reply = world.vend(&account).await;
        assert_eq!(reply.json()["details"]["reason"], "expired_lifetime", "{reply:?}");
    }
}

#[tokio::test]
async fn leases_take_the_databases_time_and_not_the_process_s() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        // This process's clock is an hour behind that of the one that holds the lease.
        let sql = "update accounts set intent = 'sent', fence = fence + 1, lease_until_ms = $2 \
                   where id = $1";
        let until_ms = world.app.db.now_ms().await.unwrap() - 1;
        on!(world.app.db.write(), conn => sqlx::query(sql)
            .bind(&account.id).bind(until_ms).execute(conn).await.unwrap().rows_affected());
        world.app.clock.shift(-3 * TWO_HOURS_MS);
        assert_eq!(stranded(&world).await, 1);
    }
}

#[test]
fn a_journal_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::new(dir.path());
    journal.ready().unwrap();
    for path in std::fs::read_dir(dir.path().join("journal")).unwrap() {
        assert_eq!(path.unwrap().metadata().unwrap().permissions().mode() & 0o077, 0);
    }
}
