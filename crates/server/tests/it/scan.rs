//! `grantkeep attack-scan`: all is held off by a server as it comes, and what a project weakens is
//! told.

use std::process::Command;

use grantkeep::projects::{Change, Settings, create_client, update};
use grantkeep::scan::{self, Finding, REQUESTS_MAX, Report, Target, Verdict};
use grantkeep::scope::Scopes;
use grantkeep_vault::Secret;
use serde_json::Value;

use crate::world::{World, worlds};

async fn target(world: &World) -> Target {
    let scopes = Scopes::parse("connect:* connect:users:write").unwrap();
    let made = create_client(&world.app, Some(&world.project.id), "scan", &scopes).await.unwrap();
    Target {
        url: world.url.parse().unwrap(),
        project: world.project.id.to_string(),
        client_id: made.client.id.to_string(),
        client_secret: Secret::new(made.secret.expose()),
        app: None,
        environment: "development".to_owned(),
    }
}

async fn report(world: &World) -> Report {
    scan::run(&world.app.config, target(world).await, |_| {}).await.unwrap()
}

fn breaches(report: &Report) -> Vec<(&'static str, &Verdict)> {
    let all = report.findings.iter().filter(|it| it.verdict.is_breach());
    all.map(|it: &Finding| (it.attack, &it.verdict)).collect()
}

async fn set(world: &World, settings: Settings) {
    let change = Change { settings: Some(settings), ..Change::default() };
    update(&world.app, &world.project.id, change).await.unwrap();
}

#[tokio::test]
async fn a_server_as_it_comes_holds_every_attack_off() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let report = report(&world).await;
        assert_eq!(breaches(&report), [], "{}", world.engine);
        assert_eq!(report.findings.len(), scan::attacks().count());
        let idle: Vec<&str> = report
            .findings
            .iter()
            .filter(|it| matches!(it.verdict, Verdict::NotApplicable(_)))
            .map(|it| it.attack)
            .collect();
        assert_eq!(idle, ["transport"], "the test world speaks plain http on loopback");
        assert!(report.requests < REQUESTS_MAX, "{}", report.requests);
        // Nothing was sent to the app, and nothing is left.
        assert_eq!(world.provider.counters("rotating").token_code, 0);
        assert_eq!(world.count("select count(*) from accounts").await, 0);
        assert_eq!(world.count("select count(*) from external_users").await, 0);
    }
}

#[tokio::test]
async fn what_a_project_permits_is_told_and_is_not_held() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        set(&world, Settings::default().compatible()).await;
        let weak = report(&world).await;
        let found = breaches(&weak);
        let ids: Vec<&str> = found.iter().map(|it| it.0).collect();
        assert_eq!(ids, ["handed-over-link", "open-redirects", "no-origins"], "{found:?}");
        assert!(found.iter().all(|it| matches!(it.1, Verdict::Permitted(_))), "{found:?}");

        // With a verify URL a link proves the person, so only the redirects are left.
        let verify_url = Some("https://product.example/verify".to_owned());
        set(&world, Settings { verify_url, ..Settings::default().compatible() }).await;
        let report = report(&world).await;
        let ids: Vec<&str> = breaches(&report).iter().map(|it| it.0).collect();
        assert_eq!(ids, ["open-redirects"]);
    }
}

#[tokio::test]
async fn every_attack_has_a_name_of_its_own_and_a_source() {
    let mut ids: Vec<&str> = scan::attacks().map(|it| it.id).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    assert!(scan::attacks().all(|it| !it.source.is_empty() && !it.tried.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_a_table_or_json_and_fails_where_something_does_not_hold() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let dir = tempfile::TempDir::new().unwrap();
    let target = target(&world).await;
    let file = dir.path().join("secret");
    std::fs::write(&file, target.client_secret.expose()).unwrap();
    let run = |url: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        command.current_dir(dir.path()).arg("attack-scan").args(["--url", url]);
        command.args(["--project", &target.project, "--client-id", &target.client_id]);
        command.arg("--client-secret-file").arg(&file).args(more).output().unwrap()
    };
    let good = run(&world.url, &[]);
    let said = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(good.status.success(), "{said}{}", String::from_utf8_lossy(&good.stderr));
    assert!(said.contains("Hand over the frame's address") && said.contains("held"), "{said}");

    set(&world, Settings { allow_unverified_links: true, ..Settings::default() }).await;
    let weak = run(&world.url, &["--json"]);
    assert_eq!(weak.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&weak.stdout).unwrap();
    let all = report["findings"].as_array().unwrap();
    let link = all.iter().find(|it| it["attack"] == "handed-over-link").unwrap();
    assert_eq!(link["verdict"], "permitted", "{link}");

    // The server's own address is another one: it is not called, and the operator is told.
    let other = run(&world.url.replace("127.0.0.1", "localhost"), &[]);
    let complaint = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(1));
    assert!(complaint.contains(&world.url), "{complaint}");
}
