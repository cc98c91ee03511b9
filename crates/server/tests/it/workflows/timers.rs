//! Workflows that a clock starts: for one, and for many users, each under his own name.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use grantkeep::ids::UserId;
use grantkeep::on;
use serde_json::{Value, json};

use super::SECOND_MS;
use crate::world::{World, worlds};

const HOUR_MS: i64 = 3_600 * SECOND_MS;

fn timed(timer: &str) -> String {
    format!(
        "name: timed\ntrigger: {{ timer: {timer} }}\nenvironment: development\nsteps:\n  \
         - name: say\n    code: 'export default ({{ steps, $ }}) => \
         ({{ event: steps.trigger.event, user: $.context.external_user_id }})'\n"
    )
}

/// The runs so far, newest first.
async fn runs(world: &World) -> Vec<Value> {
    let reply = world.get(&world.path("/workflow-runs?limit=100")).await;
    reply.json()["data"].as_array().unwrap().clone()
}

fn users_of(runs: &[Value]) -> BTreeSet<&str> {
    runs.iter().map(|it| it["external_user_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_timer_starts_a_run_at_its_times_and_missed_times_are_one() {
    for world in worlds().await {
        let made = world.workflow(&timed("{ every: 1h }")).await;
        assert_eq!(made["timer"], json!({ "intervalSeconds": 3_600 }), "{made}");
        world.flow().await;
        assert_eq!(runs(&world).await.len(), 0, "not before its time");
        world.app.clock.shift(HOUR_MS);
        world.flow().await;
        let first = runs(&world).await;
        assert_eq!((&first[0]["cause"], &first[0]["outcome"]), (&json!("timer"), &json!("ok")));
        assert_eq!(first[0]["external_user_id"], "workflow:timed");
        let whole = world.run_of(first[0]["id"].as_str().unwrap()).await;
        let given = &whole["steps"][0]["exports"]["$return_value"];
        assert_eq!(given["event"]["interval_seconds"], 3_600, "{whole}");
        assert!(given["event"]["timezone_utc"]["iso8601"]["timestamp"].is_string(), "{whole}");
        world.app.clock.shift(10 * HOUR_MS);
        world.flow().await;
        assert_eq!(runs(&world).await.len(), 2, "after ten hours one, and no burst");
        // The same timer keeps its beat over a deployment, another one begins anew.
        let due =
            world.workflow(&timed("{ every: 1h }").replace("say", "tell")).await["due_at"].clone();
        let again = world.workflow(&timed("{ every: 1h }")).await["due_at"].clone();
        assert_eq!(due, again);
        let daily = timed("{ cron: '0 9 * * *', timezone: Europe/Berlin }");
        let made = world.workflow(&daily).await;
        assert_ne!(made["due_at"], due);
        assert_eq!(made["timer"]["timezone"], "Europe/Berlin");
        world.app.clock.shift(25 * HOUR_MS);
        world.flow().await;
        assert_eq!(runs(&world).await.len(), 3);
        world
            .workflow(
                &daily.replace("timer: { cron: '0 9 * * *', timezone: Europe/Berlin }", "call: {}"),
            )
            .await;
        world.app.clock.shift(100 * HOUR_MS);
        world.flow().await;
        assert_eq!(runs(&world).await.len(), 3, "a workflow without a timer is left alone");
    }
}

#[tokio::test]
async fn what_is_no_timer_is_told() {
    let world = World::sqlite(&[]).await;
    for (timer, wanted) in [
        ("{}", "trigger.timer: it is `every: 15m`"),
        ("{ every: 1500ms }", "trigger.timer.every: it is a number of whole seconds"),
        ("{ every: 1h, cron: '* * * * *' }", "trigger.timer: it is `every: 15m`"),
        ("{ cron: '61 * * * *' }", "trigger.timer: `cron` is an expression of five fields"),
        ("{ cron: '0 0 * * *', timezone: Mars/Olympus }", "trigger.timer: `timezone` is none"),
        ("{ every: 1h, users: some }", "trigger.timer.users: it is `all`"),
    ] {
        let reply = world.try_workflow(&timed(timer)).await;
        let said = reply.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(said.starts_with(wanted), "{timer}: {reply:?}");
    }
    let reply = world.try_workflow(&timed("{ every: 1h, users: { app: no_such_app } }")).await;
    assert_eq!(reply.status, 404, "{reply:?}");
}

#[tokio::test]
async fn a_timer_over_many_users_starts_a_run_for_each_under_his_own_name() {
    for world in worlds().await {
        world.connected("rotating", "ada").await;
        world.connected("rotating", "grace").await;
        world.connected("static", "linus").await;
        world.workflow(&timed("{ every: 1h, users: { app: sim_rotating } }")).await;
        world.app.clock.shift(HOUR_MS);
        world.flow().await;
        let found = runs(&world).await;
        assert_eq!((found.len(), users_of(&found)), (2, BTreeSet::from(["ada", "grace"])));
        for run in &found {
            let whole = world.run_of(run["id"].as_str().unwrap()).await;
            let given = &whole["steps"][0]["exports"]["$return_value"];
            assert_eq!(given["user"], run["external_user_id"], "{whole}");
        }
        world.workflow(&timed("{ every: 1h, users: all }")).await;
        world.app.clock.shift(HOUR_MS);
        world.flow().await;
        let found = runs(&world).await;
        assert_eq!((found.len(), users_of(&found)), (5, BTreeSet::from(["ada", "grace", "linus"])));
    }
}

/// More users than are taken in one transaction, all due in the same second: each run is begun
/// once, also when two processes look at once, and within ten seconds.
#[tokio::test]
async fn a_thousand_runs_of_one_second_are_begun_once_each_and_soon() {
    const USERS: usize = 1_000;
    for world in worlds().await {
        let other = World::beside(&world).await;
        let sql = "insert into external_users (id, project_id, environment, external_id, \
                   created_at_ms, updated_at_ms) values ($1, $2, 'development', $3, 1, 1)";
        let mut tx = world.app.db.begin().await.unwrap();
        for nth in 0..USERS {
            on!(tx.conn(), conn => sqlx::query(sql)
                .bind(UserId::mint()).bind(&world.project.id).bind(format!("user-{nth}"))
                .execute(conn).await.unwrap().rows_affected());
        }
        tx.commit().await.unwrap();
        world.workflow(&timed("{ every: 1h, users: all }")).await;
        world.app.clock.shift(HOUR_MS);
        let begun = Instant::now();
        let count = "select count(*) from workflow_runs";
        while world.count(count).await < i64::try_from(USERS).unwrap() {
            let fired = [
                grantkeep::workflows::fire(&world.app).await.unwrap(),
                grantkeep::workflows::fire(&other.app).await.unwrap(),
            ];
            assert!(fired.iter().sum::<usize>() > 0, "nothing is due, and some are missing");
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        let both = tokio::join!(
            grantkeep::workflows::fire(&world.app),
            grantkeep::workflows::fire(&other.app)
        );
        assert_eq!((both.0.unwrap(), both.1.unwrap()), (0, 0));
        let each = "select count(distinct user_id) from workflow_runs";
        assert_eq!(world.count(each).await, world.count(count).await);
    }
}

/// A timer that has no room for its runs must not be looked at each time before others.
#[tokio::test]
async fn a_timer_without_room_is_left_alone_for_a_while() {
    let fill = "insert into workflow_runs (id, workflow_id, project_id, environment, user_id, \
                version, cause, state, step, failures, reruns, sealed, revision, due_at_ms, \
                lease_until_ms, fence, created_at_ms) with recursive n(i) as (select 1 union all \
                select i + 1 from n where i < 9950) select r.id || '_' || cast(i as text), \
                workflow_id, project_id, environment, user_id, version, cause, state, step, \
                failures, reruns, sealed, revision, due_at_ms, lease_until_ms, fence, \
                created_at_ms from workflow_runs r cross join n";
    for world in worlds().await {
        world.workflow(&timed("{ every: 1h, users: all }")).await;
        world.invoke("timed", json!({})).await;
        let write = async |sql: &'static str| {
            on!(world.app.db.write(), conn =>
                sqlx::query(sql).execute(conn).await.unwrap().rows_affected())
        };
        assert_eq!(write(fill).await, 9_950);
        world.app.clock.shift(HOUR_MS);
        let fired = async || grantkeep::workflows::fire(&world.app).await.unwrap();
        assert_eq!(fired().await, 0, "there is no room");
        write("delete from workflow_runs").await;
        assert_eq!(fired().await, 0, "it has been looked at just now");
        world.app.clock.shift(10 * SECOND_MS);
        assert_eq!(fired().await, 1);
    }
}

#[tokio::test]
async fn so_many_runs_are_kept_and_the_oldest_go_first() {
    let fill = "insert into workflow_runs (id, workflow_id, project_id, environment, user_id, \
                version, cause, state, outcome, step, failures, reruns, sealed, revision, \
                due_at_ms, lease_until_ms, fence, created_at_ms) with recursive n(i) as (select 1 \
                union all select i + 1 from n where i < 10150) select r.id || '_' || \
                cast(i as text), workflow_id, project_id, environment, user_id, version, cause, \
                'ended', 'ok', step, failures, reruns, sealed, revision, due_at_ms, \
                lease_until_ms, fence, i from workflow_runs r cross join n";
    for world in worlds().await {
        world.workflow(&timed("{ every: 1h }")).await;
        world.invoke("timed", json!({})).await;
        on!(world.app.db.write(), conn =>
            sqlx::query(fill).execute(conn).await.unwrap().rows_affected());
        grantkeep::workflows::tidy(&world.app).await.unwrap();
        let over = "select count(*) from workflow_runs where state = 'ended'";
        let newer = "select count(*) from workflow_runs where state = 'ended' and \
                     created_at_ms > 150";
        assert_eq!((world.count(over).await, world.count(newer).await), (10_000, 10_000));
        assert_eq!(world.count("select count(*) from workflow_runs").await, 10_001);
    }
}
