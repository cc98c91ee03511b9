//! What the person at the command line meets: settings that are wrong, a store that is not there,
//! a root key that changes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use grantkeep::db::Db;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{ROOT_KEY, World, worlds, worlds_with};

/// What takes the place of [`ROOT_KEY`].
const NEXT_KEY: &str = "MtovqCWyX8w56KzK2iZn3m0PfrYkEI7RzH/xAytwX6Q=";

fn command(folder: &Path, args: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grantkeep"));
    command.args(args).current_dir(folder).env_clear();
    for (name, value) in settings {
        command.env(format!("GRANTKEEP_{}", name.to_uppercase()), value);
    }
    command
}

fn run(folder: &Path, args: &[&str], settings: &[(&str, &str)]) -> Output {
    command(folder, args, settings).output().unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no JSON: {output:?} {}", complaint(output)))
}

/// A command on the store of `world`, with root keys of its own.
fn beside(world: &World, keys: &[(&str, &str)], args: &[&str]) -> Output {
    let config = &world.app.config;
    let data = config.data_dir.to_str().unwrap().to_owned();
    let database = config.database_url.as_ref().map(|it| it.expose().to_owned());
    let mut settings = vec![("data_dir", data.as_str())];
    settings.extend(database.as_deref().map(|it| ("database_url", it)));
    settings.extend_from_slice(keys);
    run(&config.data_dir, args, &settings)
}

fn findings<'a>(report: &'a Value, check: &str) -> Vec<(&'a str, &'a str)> {
    let all = report.as_array().unwrap().iter().filter(|it| it["check"] == check);
    all.map(|it| (it["state"].as_str().unwrap(), it["text"].as_str().unwrap())).collect()
}

#[test]
fn a_command_says_that_it_makes_a_store_where_there_is_none() {
    let key = [("root_key", ROOT_KEY)];
    let dir = TempDir::new().unwrap();
    let output = run(dir.path(), &["project", "list"], &key);
    let told = complaint(&output);
    assert!(told.contains("no store in ./data") && told.contains("data_dir"), "{told}");
    let told = complaint(&run(dir.path(), &["project", "list"], &key));
    assert!(!told.contains("no store"), "{told}");

    let dir = TempDir::new().unwrap();
    let made = said(&run(dir.path(), &["migrate", "--json"], &key));
    assert!(made["ran"].as_u64().unwrap() > 20, "{made}");
    assert_eq!(said(&run(dir.path(), &["migrate", "--json"], &key))["ran"], 0);
    assert_eq!(said(&run(dir.path(), &["project", "list", "--json"], &key)), json!([]));
}

#[test]
fn a_slip_in_a_variable_is_told_by_every_command() {
    let dir = TempDir::new().unwrap();
    let settings = [("root_key", ROOT_KEY), ("data_dirr", "x")];
    for args in [&["migrate"][..], &["project", "list"], &["apps", "list"]] {
        let output = run(dir.path(), args, &settings);
        assert!(output.status.success(), "{args:?}: {}", complaint(&output));
        assert!(complaint(&output).contains("was GRANTKEEP_DATA_DIR meant?"), "{args:?}");
    }
}

#[test]
fn a_secret_that_cannot_be_written_is_no_success() {
    let dir = TempDir::new().unwrap();
    let key = [("root_key", ROOT_KEY)];
    assert!(run(dir.path(), &["migrate"], &key).status.success());
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let args = ["client", "create", "backend"];
    let output = command(dir.path(), &args, &key).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("could not be written"), "{}", complaint(&output));
    // Whoever closes the pipe has read enough.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(dir.path(), &["apps", "list"], &key).stdout(writer).output().unwrap();
    assert!(output.status.success(), "{}", complaint(&output));
}

#[test]
fn a_database_in_a_folder_for_everyone_is_private_all_the_same() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    let key = [("root_key", ROOT_KEY)];
    assert!(run(dir.path(), &["migrate"], &key).status.success());
    let file = data.join("grantkeep.db");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let report = said(&run(dir.path(), &["doctor", "--json"], &key));
    let told = findings(&report, "data folder");
    for mend in ["chmod 700 ./data", "chmod 600 ./data/grantkeep.db"] {
        assert!(told.iter().any(|it| it.0 == "warning" && it.1.ends_with(mend)), "{told:?}");
    }
    assert!(told.iter().any(|it| it.1.contains("MiB free")), "{told:?}");
}

#[test]
fn settings_that_stop_the_server_stop_migrate_and_are_found_by_doctor() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("junk"), "junk").unwrap();
    std::fs::create_dir(dir.path().join("apps")).unwrap();
    std::fs::write(dir.path().join("apps/bad.toml"), "slug = 1").unwrap();
    let base = [("root_key", ROOT_KEY), ("public_url", "https://connect.example.com")];
    let with = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    for (settings, check, word) in [
        (with(&[("older_root_keys", "garbage")]), "root key", "older_root_keys"),
        (with(&[("egress_ca_file", "nowhere.pem")]), "outbound", "egress_ca_file"),
        (with(&[("tls_cert_file", "junk"), ("tls_key_file", "junk")]), "TLS", "tls_cert_file"),
        (with(&[("catalog_dir", "apps")]), "catalogue", "bad.toml"),
    ] {
        let output = run(dir.path(), &["doctor", "--json"], &settings);
        let report = said(&output);
        let told = findings(&report, check);
        let bad = |it: &(&str, &str)| it.0 == "error" && it.1.contains(word);
        assert!(told.iter().any(bad), "{check}: {report}");
        assert_eq!(output.status.code(), Some(1));
        if ["root key", "catalogue"].contains(&check) {
            let output = run(dir.path(), &["migrate"], &settings);
            assert_eq!(output.status.code(), Some(3), "{check}");
            assert!(complaint(&output).contains(word), "{}", complaint(&output));
        }
    }
    let report = said(&run(dir.path(), &["doctor", "--json"], &with(&[("code_node", "/nowhere")])));
    assert!(!report.to_string().contains("tells its operator why"), "{report}");
}

#[tokio::test]
async fn doctor_compares_keys_and_schema_with_the_store() {
    for world in worlds().await {
        world.connected("rotating", "ada").await;
        let of = |keys: &[(&str, &str)]| said(&beside(&world, keys, &["doctor", "--json"]));
        let right = of(&[("root_key", ROOT_KEY)]);
        assert!(findings(&right, "root key").iter().all(|it| it.0 == "ok"), "{right}");
        let wrong = of(&[("root_key", NEXT_KEY)]);
        let told = findings(&wrong, "root key");
        let refusal = |it: &(&str, &str)| it.0 == "error" && it.1.contains("older_root_keys");
        assert!(told.iter().any(refusal), "{}: {wrong}", world.engine);

        // Wrapped by the right key, for another owner.
        execute(&world.app.db, "update owner_keys set owner_id = 'usr_other' || owner_id").await;
        let damaged = of(&[("root_key", ROOT_KEY)]);
        let told = findings(&damaged, "root key");
        assert!(told[1].0 == "error" && told[1].1.contains("cannot be read"), "{damaged}");

        let sql = "insert into _sqlx_migrations (version, description, success, checksum, \
                   execution_time) select 9999, 'later', success, checksum, 0 from \
                   _sqlx_migrations where version = 1";
        execute(&world.app.db, sql).await;
        let newer = of(&[("root_key", ROOT_KEY)]);
        let told = findings(&newer, "store");
        assert!(told[0].0 == "error" && told[0].1.contains("newer Grantkeep"), "{newer}");
    }
}

async fn execute(db: &Db, sql: &'static str) {
    grantkeep::on!(db.write(), conn => {
        sqlx::query(sql).execute(conn).await.unwrap();
    });
}

#[tokio::test]
async fn v_04_a_root_key_is_changed_while_a_server_runs_and_the_former_leaves() {
    // The first step: every process can read with the next key.
    for world in worlds_with(&[("older_root_keys", NEXT_KEY)]).await {
        let account = world.connected("rotating", "ada").await;
        let before = world.vend(&account).await;
        // The second: it is the current one, and all is wrapped anew.
        let both = [("root_key", NEXT_KEY), ("older_root_keys", ROOT_KEY)];
        let done = beside(&world, &both, &["keys", "rewrap", "--json"]);
        assert!(done.status.success(), "{}: {}", world.engine, complaint(&done));
        let done = said(&done);
        assert!(done["rewrapped"].as_u64().unwrap() >= 2, "a user's and a project's: {done}");
        assert_eq!(done["forgotten"].as_array().unwrap().len(), 1, "{done}");
        assert_eq!(world.count("select count(distinct root_key_id) from owner_keys").await, 1);
        assert_eq!(world.count("select count(*) from root_keys").await, 1);
        assert_eq!(world.vend(&account).await.text, before.text, "the server reads on");
        let fresh = World::beside(&world).await;
        assert_eq!(fresh.vend(&account).await.text, before.text, "one with nothing in memory, too");

        // It started with the former key as its own, so the store knows that one again.
        let again = said(&beside(&world, &both, &["keys", "rewrap", "--json"]));
        assert_eq!((&again["rewrapped"], &again["left"]), (&json!(0), &json!({})));
        assert_eq!(again["forgotten"].as_array().unwrap().len(), 1, "{again}");
        let next = [("root_key", NEXT_KEY)];
        assert!(beside(&world, &next, &["project", "list"]).status.success());
        let former = beside(&world, &[("root_key", ROOT_KEY)], &["project", "list"]);
        assert_eq!(former.status.code(), Some(3), "{}", complaint(&former));

        // A server that was left behind has made a key: it is told, and nothing is lost.
        world.connected("rotating", "grace").await;
        let early = beside(&world, &next, &["project", "list"]);
        assert_eq!(early.status.code(), Some(3), "{}", complaint(&early));
        let third = said(&beside(&world, &both, &["keys", "rewrap", "--json"]));
        assert_eq!(third["rewrapped"], 1, "{third}");
    }
}

#[test]
fn why_postgresql_cannot_be_reached_is_said() {
    let dir = TempDir::new().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:p@{}/x", listener.local_addr().unwrap());
    drop(listener);
    let settings =
        [("root_key", ROOT_KEY), ("database_url", url.as_str()), ("db_acquire_timeout_ms", "50")];
    let output = run(dir.path(), &["project", "list"], &settings);
    assert_eq!(output.status.code(), Some(3));
    assert!(complaint(&output).contains("refused"), "{}", complaint(&output));
    // SQLite's troubles are of its file.
    std::fs::create_dir_all(dir.path().join("data/grantkeep.db")).unwrap();
    let output = run(dir.path(), &["project", "list"], &[("root_key", ROOT_KEY)]);
    let told = complaint(&output);
    assert!(told.contains("grantkeep.db") && !told.contains("database_url"), "{told}");
}

/// A running server, killed at the end.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn sighup_without_tls_ends_nothing_and_counters_begin_at_zero() {
    use std::io::BufRead;
    let dir = TempDir::new().unwrap();
    let settings = [
        ("root_key", ROOT_KEY),
        ("listen", "127.0.0.1:0"),
        ("metrics_listen", "127.0.0.1:0"),
        ("public_url", "http://127.0.0.1:8080"),
    ];
    let mut command = command(dir.path(), &["serve"], &settings);
    let (out, err) = std::io::pipe().unwrap();
    let server = Server(command.stderr(err).stdout(Stdio::null()).spawn().unwrap());
    drop(command);
    let mut lines = std::io::BufReader::new(out).lines().map_while(Result::ok);
    let mut line = |word: &str| lines.find(|it| it.contains(word)).expect(word);
    let listening: Value = serde_json::from_str(&line("\"listening\"")).unwrap();
    let metrics = listening["metrics"].as_str().unwrap().to_owned();
    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    line("nothing to read again");
    let page = fetch(&metrics);
    for series in [
        "grantkeep_decrypt_failed_total 0",
        "grantkeep_refreshes_total{outcome=\"rotation_lost\"} 0",
        "grantkeep_revocations_total{outcome=\"failed\"} 0",
        "grantkeep_throttled_total{limit=\"customer\"} 0",
    ] {
        assert!(page.contains(series), "{series} is not in\n{page}");
    }
}

/// `GET /metrics`.
fn fetch(address: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let ask = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}
