//! A little torture with every run of the tests; `cargo xtask torture` is the whole of it.

#![allow(clippy::unwrap_used)] // helpers of tests are not tests to clippy

use std::path::PathBuf;

use grantkeep_torture::progress::Progress;
use grantkeep_torture::stage::{Engine, Ground};
use grantkeep_torture::{race, refresh, report, workflows};

/// Each failpoint once, and as many kills at any moment.
const KILLS: u64 = 40;
const RACES: u64 = 64;
/// Each place of a step, and at any moment.
const WORKFLOW_KILLS: u64 = 8;

fn ground() -> Ground {
    #[expect(clippy::disallowed_methods, reason = "a test is told its server this way")]
    let postgres = std::env::var("GRANTKEEP_TEST_POSTGRES_URL").ok();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_grantkeep-torture"));
    Ground { program, postgres, keeps: false }
}

async fn killed(engine: Engine) {
    let ground = ground();
    let plan =
        refresh::Plan { kills: KILLS, engines: vec![engine], lanes: 1, seed: 2, first: false };
    let progress = Progress::silent();
    let records = refresh::run(&ground, &plan, &progress).await.unwrap();
    let report = report::Refresh::new(plan.seed, std::time::Duration::ZERO, records);
    if !report.good {
        report.print();
    }
    assert!(report.good, "the table above says what was lost, and the seed is {}", plan.seed);
}

#[tokio::test(flavor = "multi_thread")]
async fn x_02_a_server_killed_at_any_place_of_a_refresh_loses_no_grant_on_sqlite() {
    killed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_02_a_server_killed_at_any_place_of_a_refresh_loses_no_grant_on_postgresql() {
    if ground().postgres.is_some() {
        killed(Engine::Postgres).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x_13_two_servers_asked_at_once_refresh_once() {
    let ground = ground();
    if ground.postgres.is_none() {
        return;
    }
    let plan = race::Plan { nodes: 2, races: RACES, zombies: 0, seed: 13 };
    let record = race::run(&ground, &plan, &Progress::silent()).await.unwrap();
    assert!(record.is_good(), "{record:?}");
    let races: u64 = record.classes.values().map(|it| it.races - it.void).sum();
    assert!(races > 0, "every race took too long to say anything");
}

async fn killed_in_workflows(engine: Engine) {
    let plan = workflows::Plan { kills: WORKFLOW_KILLS, engines: vec![engine], seed: 27 };
    let records = workflows::run(&ground(), &plan, &Progress::silent()).await.unwrap();
    let report = report::Workflows::new(plan.seed, std::time::Duration::ZERO, records);
    if !report.good {
        report.print();
    }
    assert!(report.good, "the table above says what was lost, and the seed is {}", plan.seed);
}

#[tokio::test(flavor = "multi_thread")]
async fn x_27_a_server_killed_at_any_place_of_a_step_loses_no_run_on_sqlite() {
    killed_in_workflows(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_27_a_server_killed_at_any_place_of_a_step_loses_no_run_on_postgresql() {
    if ground().postgres.is_some() {
        killed_in_workflows(Engine::Postgres).await;
    }
}
