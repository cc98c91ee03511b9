//! The way out and in: accounts taken out of one installation, and into another, by the binary.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use grantkeep::accounts::{self, Account};
use grantkeep::config::Database;
use grantkeep::projects::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::grants::TWO_HOURS_MS;
use crate::world::{OTHER_ROOT_KEY, ROOT_KEY, World, worlds};

/// A shell on the machine of an installation.
struct Desk {
    folder: TempDir,
}

struct Said {
    code: i32,
    out: String,
    complaint: String,
}

impl Said {
    #[track_caller]
    fn done(&self) -> &str {
        assert_eq!(self.code, 0, "{}{}", self.out, self.complaint);
        &self.out
    }

    #[track_caller]
    fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.complaint);
        for part in parts {
            assert!(self.complaint.contains(part), "no {part:?} in {}", self.complaint);
        }
    }
}

impl Desk {
    fn of(world: &World, root_key: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let config = &world.app.config;
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (data, apps) = (text(&config.data_dir), text(config.catalog_dir.as_ref().unwrap()));
        let database = match config.database() {
            Database::Postgres(url) => format!("database_url = {:?}\n", url.as_str()),
            Database::Sqlite(_) => String::new(),
        };
        let text = format!(
            "data_dir = {data:?}\ncatalog_dir = {apps:?}\nroot_key = \"{root_key}\"\ndev = true\n\
             egress_allow_loopback = true\npublic_url = {:?}\n{database}",
            world.url
        );
        std::fs::write(folder.path().join("grantkeep.toml"), text).unwrap();
        Self { folder }
    }

    async fn run(&self, args: &[&str]) -> Said {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        let command = command.current_dir(&self.folder).stdin(std::process::Stdio::null());
        let output = command.args(args).output().await.unwrap();
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        let code = output.status.code().unwrap();
        Said { code, out: text(&output.stdout), complaint: text(&output.stderr) }
    }

    async fn export(&self, world: &World, more: &[&str]) -> Said {
        let first = ["accounts", "export", "--project", world.project.id.as_str()];
        self.run(&[&first, more].concat()).await
    }

    async fn import(&self, project: &str, more: &[&str]) -> Said {
        self.run(&[&["accounts", "import", "--project", project], more].concat()).await
    }

    fn write(&self, name: &str, lines: &[String]) {
        std::fs::write(self.folder.path().join(name), lines.join("\n")).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

/// What must be seen in the file alone.
async fn secrets(world: &World, account: &Account) -> Vec<String> {
    let usable = accounts::usable(&world.app, &world.tenant(), &account.id, None).await.unwrap();
    let held = usable.credentials;
    let text = |it: Option<grantkeep_vault::Secret>| it.unwrap().expose().to_owned();
    let client = grantkeep_simulator::client_secret("rotating");
    vec![text(held.access_token), text(held.refresh_token), client]
}

async fn rows(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for table in ["accounts", "external_users", "owner_keys", "oauth_apps", "oauth_registrations"] {
        all.push(world.dump(table).await);
    }
    all
}

async fn shown(world: &World, account: &Account) -> Value {
    let mut shown = world.get(&world.path(&format!("/accounts/{}", account.id))).await.json();
    // Each installation's own: its address, and when it writes and plans.
    for name in ["app", "updated_at", "next_refresh_at"] {
        shown[name] = Value::Null;
    }
    shown
}

fn key_line(more: &Value) -> String {
    let mut line = json!({ "app": "sim_keys", "external_user_id": "grace",
        "environment": "development",
        "credentials": { "fields": { "api_key": "sim_live_s3cret" } } });
    for (name, value) in more.as_object().unwrap() {
        line[name] = value.clone();
    }
    line.to_string()
}

#[tokio::test]
async fn l_09_an_account_leaves_one_engine_and_is_refreshed_on_the_other() {
    for (from, to) in [("sqlite", "postgresql"), ("postgresql", "sqlite")] {
        let source = match from {
            "sqlite" => World::sqlite(&[]).await,
            _ => World::postgres(&[]).await,
        };
        let account = source.connected("rotating", "ada").await;
        let secrets = secrets(&source, &account).await;
        let here = Desk::of(&source, ROOT_KEY);
        let said = here.export(&source, &["--with-clients", "--out", "all.jsonl"]).await;
        said.done();
        assert!(
            said.complaint.contains("1 account(s) and 1 OAuth client(s)"),
            "{}",
            said.complaint
        );
        let path = here.folder.path().join("all.jsonl");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let file = here.read("all.jsonl");
        for secret in &secrets {
            assert!(file.contains(secret));
            assert!(!said.out.contains(secret) && !said.complaint.contains(secret));
        }
        let audited = "select count(*) from audit_events where action = 'credentials.export'";
        assert_eq!(source.count(audited).await, 1);
        let again = here.export(&source, &["--out", "all.jsonl"]).await;
        again.fails(1, &["is there already"]);
        assert_eq!(here.read("all.jsonl"), file);

        let target = World::apart(&source, to).await;
        let there = Desk::of(&target, OTHER_ROOT_KEY);
        let project = target.project.id.as_str();
        let file = path.to_str().unwrap();
        let said = there.import(project, &[file]).await;
        assert!(
            said.done().contains("Accounts: 1 taken in, 0 of them under a new id"),
            "{}",
            said.out
        );
        for secret in &secrets {
            assert!(!said.out.contains(secret) && !said.complaint.contains(secret));
            assert!(!rows(&target).await.concat().contains(secret));
        }
        let before = rows(&target).await;
        let said = there.import(project, &[file]).await;
        assert!(said.done().contains("Accounts: 0 taken in"), "{}", said.out);
        assert!(said.out.contains("1 were there already.\nOAuth clients: 0 taken in; 1"));
        assert_eq!(rows(&target).await, before, "a second time changes nothing");
        assert_eq!(shown(&target, &account).await, shown(&source, &account).await);

        source.later(TWO_HOURS_MS);
        let reply = target.vend(&account).await;
        assert_eq!(reply.status, 200, "{from} to {to}: {reply:?}");
        let token = reply.json()["credentials"]["oauth_access_token"].as_str().unwrap().to_owned();
        assert!(token != secrets[0] && source.provider.call_api("rotating", &token));
        let counters = source.provider.counters("rotating");
        assert_eq!((counters.refresh_ok, counters.illegal_reuse), (1, 0), "{from} to {to}");
    }
}

#[tokio::test]
async fn l_09_wrong_lines_are_told_by_their_number_and_the_others_are_taken() {
    for world in worlds().await {
        let desk = Desk::of(&world, ROOT_KEY);
        let sim = |more: Value| {
            let mut line = json!({ "app": "sim_rotating", "external_user_id": "ada",
                "environment": "development", "credentials": { "access_token": "s3cret" } });
            for (name, value) in more.as_object().unwrap() {
                line[name] = value.clone();
            }
            line.to_string()
        };
        world.oauth_app("rotating").await;
        let wrong = [
            (r#"{"app":"sim_keys","credentials":{"fields":{"api_key":"s3cret"#.to_owned(), "JSON"),
            (json!({ "external_user_id": "s3cret" }).to_string(), "no `environment`"),
            (key_line(&json!({ "app": null })), "no `app`"),
            (key_line(&json!({ "app": "nobody" })), "app"),
            (key_line(&json!({ "environment": "s3cret" })), "`environment`"),
            (key_line(&json!({ "external_user_id": "\u{202e}" })), "user"),
            (key_line(&json!({ "credentials": { "fields": {} } })), "`api_key`"),
            (key_line(&json!({ "id": "s3cret" })), "`id`"),
            (key_line(&json!({ "name": "s3cret\u{0}" })), "NUL"),
            (key_line(&json!({ "s3cret": 1 })), "expected"),
            (key_line(&json!({ "created_at_ms": -1 })), "`created_at_ms`"),
            (key_line(&json!({ "type": "s3cret" })), "`type`"),
            (key_line(&json!({ "name": "s3cret".repeat(200_000) })), "1 MiB"),
            (sim(json!({ "oauth_client": { "client_id": "s3cret" } })), "oauth-app create"),
            (sim(json!({ "credentials": {} })), "grants nothing"),
            (sim(json!({ "credentials": { "access_token": 7 } })), "expected a string"),
            (sim(json!({ "status": "s3cret" })), "`status`"),
        ];
        let mut lines = vec![r#"{"grantkeep_export":1}"#.to_owned(), key_line(&json!({}))];
        lines.extend(wrong.iter().map(|(line, _)| line.clone()));
        lines.push(sim(json!({})));
        desk.write("others.jsonl", &lines);
        let project = world.project.id.as_str();
        let said = desk.import(project, &["others.jsonl"]).await;
        said.fails(1, &["17 line(s), named above, were not taken in"]);
        assert!(said.out.contains("Accounts: 2 taken in"), "{} {}", world.engine, said.out);
        let told: Vec<&str> = said.complaint.lines().collect();
        for (nth, (line, part)) in wrong.iter().enumerate() {
            let number = format!("line {}: ", nth + 3);
            let one = told.iter().find(|it| it.starts_with(&number));
            let one = one.unwrap_or_else(|| panic!("{number}{}", &line[..line.len().min(90)]));
            assert!(one.contains(part), "{part:?} is not in {one:?}");
        }
        assert!(!said.out.contains("s3cret") && !said.complaint.contains("s3cret"), "{told:?}");
        let before = rows(&world).await;
        desk.import(project, &["others.jsonl"]).await.fails(1, &["17 line(s)"]);
        assert_eq!(rows(&world).await, before, "lines without an id are found again too");
        desk.write("none.jsonl", &[key_line(&json!({}))]);
        desk.import(project, &["none.jsonl"]).await.fails(1, &["line 1", "grantkeep_export"]);
        desk.write("newer.jsonl", &[r#"{"grantkeep_export":2}"#.to_owned()]);
        desk.import(project, &["newer.jsonl"]).await.fails(1, &["version 2"]);
    }
}

#[tokio::test]
async fn an_id_that_is_taken_is_another_in_the_second_project_and_always_the_same() {
    for world in worlds().await {
        let desk = Desk::of(&world, ROOT_KEY);
        desk.write("one.jsonl", &[r#"{"grantkeep_export":1}"#.to_owned(), key_line(&json!({}))]);
        desk.import(world.project.id.as_str(), &["one.jsonl"]).await.done();
        let said = desk.export(&world, &["--user", "grace", "--out", "-"]).await;
        let lines: Vec<String> = said.done().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        let former: Value = serde_json::from_str(&lines[1]).unwrap();
        let former = former["id"].as_str().unwrap();
        desk.write("all.jsonl", &lines);
        let other = world.another_project(Settings::default()).await;
        let other = other.id.as_str();
        let refused = desk.import(other, &["all.jsonl", "--keep-ids"]).await;
        refused.fails(1, &["line 2: has the id", former]);
        let said = desk.import(other, &["all.jsonl"]).await;
        assert!(said.done().contains(&format!("line 2: {former} is apn_")), "{}", said.out);
        let said = desk.import(other, &["all.jsonl"]).await;
        assert!(
            said.done().contains("0 taken in, 0 of them under a new id; 1 were"),
            "{}",
            said.out
        );
        desk.write("cut.jsonl", &lines[..2]);
        desk.import(other, &["cut.jsonl"]).await.fails(1, &["cut off"]);
        let nobody = desk.export(&world, &["--user", "nobody", "--out", "none.jsonl"]).await;
        nobody.fails(4, &["no user nobody"]);
        desk.run(&["freeze", "--app", "sim_keys"]).await.done();
        desk.export(&world, &["--out", "frozen.jsonl"]).await.fails(1, &["frozen"]);
        assert!(!desk.folder.path().join("frozen.jsonl").exists());
    }
}

#[tokio::test]
async fn l_04_what_cannot_be_audited_is_not_exported() {
    let world = World::postgres(&[]).await;
    world.connected("rotating", "ada").await;
    world.break_audit().await;
    let desk = Desk::of(&world, ROOT_KEY);
    let said = desk.export(&world, &["--out", "all.jsonl"]).await;
    assert_eq!(said.code, 1, "{}", said.complaint);
    assert!(!desk.folder.path().join("all.jsonl").exists(), "what was begun is taken away");
    world.mend_audit().await;
}

#[tokio::test]
async fn the_binary_erases_users_and_deletes_projects_that_are_empty() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let desk = Desk::of(&world, ROOT_KEY);
        let project = world.project.id.as_str();
        let gone = ["project", "delete", project, "--yes"];
        desk.run(&gone).await.fails(1, &["1 connected account"]);
        let erase = ["user", "erase", "ada", "--project", project, "--environment", "development"];
        desk.run(&erase).await.fails(2, &["--yes"]);
        assert_eq!(world.vend(&account).await.status, 200);
        desk.run(&[&erase[..], &["--yes"]].concat()).await.done();
        assert_eq!(world.vend(&account).await.status, 404, "{}", world.engine);
        desk.run(&[&erase[..], &["--yes"]].concat()).await.fails(4, &["no user ada"]);
        desk.run(&gone).await.fails(1, &["still being revoked"]);
        world.run_jobs().await;
        assert_eq!(world.provider.counters("rotating").revoke, 1);
        desk.run(&["project", "delete", project]).await.fails(2, &["--yes"]);
        desk.run(&gone).await.done();
        desk.run(&gone).await.fails(4, &[]);
        let audited = "select count(*) from audit_events where action in ('project.delete', \
                       'user.delete') and actor_kind = 'operator'";
        assert_eq!(world.count(audited).await, 2);
    }
}
