//! `grantkeep apps try`: the real binary, its questions answered on standard input, and its link
//! followed by a scripted browser.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use grantkeep_simulator::{Simulator, client_id, client_secret};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::connect::browser::boot;

/// Nothing takes that long; a test that hangs ends.
const PATIENCE: Duration = Duration::from_mins(2);

/// Pretend providers, and a folder with their app files.
struct Lab {
    provider: Simulator,
    dir: TempDir,
}

/// A running `apps try`.
struct Run {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Receiver<String>,
    err: Receiver<String>,
    said: String,
}

/// How it ended.
struct End {
    code: Option<i32>,
    out: String,
    err: String,
    record: Option<String>,
}

impl Lab {
    async fn open() -> Self {
        let provider = Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let dir = TempDir::new().unwrap();
        let lab = Self { provider, dir };
        std::fs::create_dir(lab.apps()).unwrap();
        std::fs::create_dir(lab.temporary()).unwrap();
        for (slug, text) in lab.provider.catalog_files() {
            std::fs::write(lab.apps().join(format!("{slug}.toml")), text).unwrap();
        }
        lab
    }

    fn apps(&self) -> PathBuf {
        self.dir.path().join("apps")
    }

    fn temporary(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    fn record(&self) -> PathBuf {
        self.dir.path().join("seen.toml")
    }

    fn secret_file(&self, secret: &str) -> String {
        let file = self.dir.path().join("secret.txt");
        std::fs::write(&file, secret).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_grantkeep"))
            .args(["apps", "try", "--port", "0", "--record"])
            .arg(self.record())
            .args(args)
            .env("GRANTKEEP_CATALOG_DIR", self.apps())
            .env("GRANTKEEP_EGRESS_ALLOW_LOOPBACK", "true")
            .env("GRANTKEEP_DEV", "true")
            .env("TMPDIR", self.temporary())
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let (out, err) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Run { child, stdin, out, err, said: String::new() }
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

impl Run {
    /// The first line of `stderr` that has `mark` in it.
    fn told(&mut self, mark: &str) -> String {
        loop {
            let line = tokio::task::block_in_place(|| self.err.recv_timeout(PATIENCE));
            let line = line.unwrap_or_else(|_| panic!("no {mark:?} in:\n{}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(mark) {
                return line.trim().to_owned();
            }
        }
    }

    fn link(&mut self) -> String {
        let line = tokio::task::block_in_place(|| self.out.recv_timeout(PATIENCE));
        let line = line.unwrap_or_else(|_| panic!("no link:\n{}", self.rest()));
        assert!(line.starts_with("http://127.0.0.1:"), "{line}");
        line
    }

    fn rest(&mut self) -> String {
        self.said.extend(self.err.try_iter().map(|it| it + "\n"));
        self.said.clone()
    }

    fn type_in(&mut self, text: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{text}").unwrap();
    }

    fn end(mut self, lab: &Lab) -> End {
        drop(self.stdin.take());
        let status = tokio::task::block_in_place(|| self.child.wait()).unwrap();
        let out = self.out.iter().collect::<Vec<_>>().join("\n");
        self.said.extend(self.err.iter().map(|it| it + "\n"));
        let record = std::fs::read_to_string(lab.record()).ok();
        End { code: status.code(), out, err: self.said, record }
    }
}

/// Somebody's browser.
struct Visitor {
    http: reqwest::Client,
    base: String,
    session: String,
}

impl Visitor {
    async fn open(link: &str) -> Self {
        let builder = reqwest::Client::builder().cookie_store(true).no_proxy();
        let http = builder.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let page = http.get(link).header("sec-fetch-dest", "document").send().await.unwrap();
        let page = page.text().await.unwrap();
        let session = boot(&page)["session"].as_str().unwrap().to_owned();
        let base = url::Url::parse(link).unwrap().origin().ascii_serialization();
        Self { http, base, session }
    }

    /// Clicks, and gives the address at the app.
    async fn leave(&self, fields: &Value) -> String {
        let url = format!("{}/connect/session/start", self.base);
        let body = json!({ "fields": fields });
        let started = self.http.post(url).bearer_auth(&self.session).json(&body).send().await;
        let started: Value = started.unwrap().json().await.unwrap();
        let url = format!("{}{}", self.base, started["start_path"].as_str().unwrap());
        let post = self.http.post(url).form(&[("ticket", started["ticket"].as_str().unwrap())]);
        let sent = post.header("sec-fetch-site", "same-origin").header("origin", "null");
        let sent = sent.send().await.unwrap();
        assert_eq!(sent.status(), 303);
        sent.headers()["location"].to_str().unwrap().to_owned()
    }

    async fn visit(&self, address: &str) {
        self.http.get(address).send().await.unwrap();
    }
}

fn table(record: Option<&String>) -> toml::Table {
    record.expect("a record").parse().unwrap()
}

fn outcomes(record: &toml::Table) -> Vec<String> {
    let steps = record["steps"].as_array().unwrap();
    let shown = |it: &toml::Value| {
        format!("{}: {}", it["name"].as_str().unwrap(), it["outcome"].as_str().unwrap())
    };
    steps.iter().map(shown).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stops_it_leaves_nothing_behind() {
    let lab = Lab::open().await;
    let mut run = lab.run(&["sim_rotating"]);
    run.told("/callback");
    // After a question was answered, too.
    run.type_in(&client_id("rotating"));
    run.type_in(&client_secret("rotating"));
    run.link();
    assert_eq!(std::fs::read_dir(lab.temporary()).unwrap().count(), 1);
    let stopped = Command::new("kill").args(["-INT", &run.child.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    let end = run.end(&lab);
    assert_eq!(end.code, Some(130), "{}", end.err);
    assert_eq!(std::fs::read_dir(lab.temporary()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_takes_the_place_of_nothing_else() {
    let lab = Lab::open().await;
    std::fs::write(lab.record(), "slug = \"mine\"\n").unwrap();
    let end = lab.run(&["sim_rotating", "--yes"]).end(&lab);
    assert_eq!(end.code, Some(2), "{}", end.err);
    assert!(end.err.contains("is no record of a trial"), "{}", end.err);
    assert_eq!(end.record.as_deref(), Some("slug = \"mine\"\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_developer_is_led_through_and_a_record_without_values_is_written() {
    let lab = Lab::open().await;
    let mut run = lab.run(&["sim_rotating"]);
    let redirect_uri = run.told("/callback");
    assert!(redirect_uri.starts_with("http://127.0.0.1:"), "{redirect_uri}");
    lab.provider.add_redirect_uri("rotating", &redirect_uri);
    run.type_in(&client_id("rotating"));
    run.type_in(&client_secret("rotating"));
    let visitor = Visitor::open(&run.link()).await;
    let address = visitor.leave(&json!({})).await;
    visitor.visit(&lab.provider.approve(&address, "ada").unwrap()).await;
    run.told("Connected.");
    run.type_in("y");
    let end = run.end(&lab);
    assert_eq!(end.code, Some(0), "{}\n{}", end.out, end.err);
    assert!(end.err.contains("Gone to the app"), "{}", end.err);
    let record = table(end.record.as_ref());
    let all = [
        "token answer",
        "name and identity",
        "verify request",
        "a call through the proxy",
        "refresh",
        "a call with the new token",
        "revocation",
    ];
    assert_eq!(outcomes(&record), all.map(|it| format!("{it}: ok")));
    assert_eq!(record["refresh_token_rotated"].as_bool(), Some(true));
    assert_eq!(record["revocation"].as_str(), Some("revoked"));
    assert_eq!(record["evidence"]["confirmed"].as_integer(), Some(2));
    let members = record["token_answer"]["members"].as_array().unwrap();
    assert!(members.iter().any(|it| it.as_str() == Some("access_token: text")), "{members:?}");
    assert!(record.get("differs").is_none(), "{:?}", record.get("differs"));
    let counters = lab.provider.counters("rotating");
    assert_eq!(counters.refresh_ok, 1, "one refresh");
    // Neither on the terminal nor in the file.
    for text in [&end.out, &end.err, end.record.as_ref().unwrap()] {
        assert!(!text.contains(&client_secret("rotating")), "{text}");
        assert!(!text.contains("ada@example.test"), "{text}");
    }
    let ledger = lab.provider.ledger("rotating");
    assert!(ledger.iter().all(|it| it.revoked), "the grant is left at the provider");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_named_as_the_cause() {
    let lab = Lab::open().await;
    let secret = lab.secret_file("not-the-secret");
    let id = client_id("rotating");
    let args = ["sim_rotating", "--client-id", &id, "--client-secret-file", &secret, "--yes"];
    let mut run = lab.run(&args);
    lab.provider.add_redirect_uri("rotating", &run.told("/callback"));
    let visitor = Visitor::open(&run.link()).await;
    let address = visitor.leave(&json!({})).await;
    visitor.visit(&lab.provider.approve(&address, "ada").unwrap()).await;
    let end = run.end(&lab);
    assert_eq!(end.code, Some(1), "{}", end.err);
    assert!(end.err.contains("`invalid_client`"), "{}", end.err);
    assert!(end.err.contains("the secret is wrong"), "{}", end.err);
    assert_eq!(end.record, None, "there is nothing to record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_no_at_the_app_is_told_so() {
    let lab = Lab::open().await;
    let secret = lab.secret_file(&client_secret("rotating"));
    let id = client_id("rotating");
    let args = ["sim_rotating", "--client-id", &id, "--client-secret-file", &secret, "--yes"];
    let mut run = lab.run(&args);
    lab.provider.add_redirect_uri("rotating", &run.told("/callback"));
    let visitor = Visitor::open(&run.link()).await;
    let address = visitor.leave(&json!({})).await;
    visitor.visit(&lab.provider.deny(&address, "ada").unwrap()).await;
    let end = run.end(&lab);
    assert_eq!(end.code, Some(1), "{}", end.err);
    assert!(end.err.contains("The consent was refused"), "{}", end.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_uri_that_is_not_registered_is_what_a_lost_browser_points_to() {
    let lab = Lab::open().await;
    let secret = lab.secret_file(&client_secret("rotating"));
    let id = client_id("rotating");
    let args = ["sim_rotating", "--client-id", &id, "--client-secret-file", &secret];
    let mut run = lab.run(&args);
    let redirect_uri = run.told("/callback");
    let visitor = Visitor::open(&run.link()).await;
    let address = visitor.leave(&json!({})).await;
    assert!(lab.provider.approve(&address, "ada").is_err(), "it is not registered");
    run.told("Gone to the app");
    run.type_in("q");
    let end = run.end(&lab);
    assert_eq!(end.code, Some(1), "{}", end.err);
    assert!(end.err.contains("Register exactly this redirect URI"), "{}", end.err);
    assert!(end.err.matches(&redirect_uri).count() >= 2, "{}", end.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_with_keys_is_connected_on_the_terminal() {
    let lab = Lab::open().await;
    let mut run = lab.run(&["sim_keys", "--keep"]);
    run.type_in("sim_live_abc");
    let end = run.end(&lab);
    assert_eq!(end.code, Some(0), "{}\n{}", end.out, end.err);
    let record = table(end.record.as_ref());
    let steps = outcomes(&record);
    assert!(steps.contains(&"a call through the proxy: ok".to_owned()), "{steps:?}");
    assert!(steps.contains(&"refresh: skipped".to_owned()), "{steps:?}");
    assert!(!end.out.contains("sim_live_abc") && !end.err.contains("sim_live_abc"));

    let key = lab.secret_file("not-a-key");
    let run = lab.run(&["sim_keys", "--yes", "--field-file", &format!("api_key={key}")]);
    let end = run.end(&lab);
    assert_eq!(end.code, Some(1), "{}", end.err);
    assert!(end.err.contains("The app does not take what was entered"), "{}", end.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_file_of_ones_own_is_tried_at_its_twin() {
    let lab = Lab::open().await;
    let slug = "xero_accounting_api";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/apps/x");
    let file = std::fs::read_to_string(folder.join(format!("{slug}.toml"))).unwrap();
    let twin = lab.provider.add_twin(&file).unwrap();
    let path = lab.dir.path().join(format!("{slug}.toml"));
    std::fs::write(&path, twin.file()).unwrap();
    let client = twin.client();
    let secret = lab.secret_file(&client.secret);
    let args = [
        path.to_str().unwrap(),
        "--client-id",
        &client.id,
        "--client-secret-file",
        &secret,
        "--yes",
        "--revoke",
        "--json",
    ];
    let mut run = lab.run(&args);
    twin.register(&run.told("/callback"));
    let visitor = Visitor::open(&run.link()).await;
    let address = visitor.leave(&json!(twin.form(true))).await;
    visitor.visit(&twin.approve(&address).unwrap()).await;
    let end = run.end(&lab);
    assert_eq!(end.code, Some(0), "{}\n{}\n{:?}", end.out, end.err, twin.refusals());
    assert_eq!(twin.refusals(), Vec::<String>::new());
    let seen: Value = serde_json::from_str(&end.out).unwrap();
    assert_eq!(seen["differs"], json!([]), "{seen}");
    assert_eq!(seen["slug"], slug);
    assert_eq!(twin.calls().refresh, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_from_the_file_is_said() {
    let lab = Lab::open().await;
    let path = lab.apps().join("sim_rotating.toml");
    let file = std::fs::read_to_string(&path).unwrap();
    let file = file.replace("class = \"P7\"", "class = \"P0\"").replace("\"family\"", "\"ok\"");
    let lines = file.lines().filter(|it| !it.starts_with("grace_s"));
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let secret = lab.secret_file(&client_secret("rotating"));
    let id = client_id("rotating");
    let args = ["sim_rotating", "--client-id", &id, "--client-secret-file", &secret, "--yes"];
    let mut run = lab.run(&args);
    lab.provider.add_redirect_uri("rotating", &run.told("/callback"));
    let visitor = Visitor::open(&run.link()).await;
    let address = visitor.leave(&json!({})).await;
    visitor.visit(&lab.provider.approve(&address, "ada").unwrap()).await;
    let end = run.end(&lab);
    assert_eq!(end.code, Some(0), "{}", end.err);
    let record = table(end.record.as_ref());
    let differs = record["differs"].as_array().unwrap();
    assert_eq!(differs.len(), 1, "{differs:?}");
    assert_eq!(differs[0]["key"].as_str(), Some("oauth2.rotation.class"));
    assert_eq!(differs[0]["seen"].as_str(), Some("a new refresh token came"));
    assert_eq!(record["evidence"]["confirmed"].as_integer(), Some(1), "no source for that");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_or_not_given_has_an_exit_code_of_its_own() {
    let lab = Lab::open().await;
    let end = lab.run(&["sim_rotatng", "--yes"]).end(&lab);
    assert_eq!(end.code, Some(4), "{}", end.err);
    assert!(end.err.contains("sim_rotating"), "{}", end.err);
    let end = lab.run(&["sim_rotating", "--yes"]).end(&lab);
    assert_eq!(end.code, Some(2), "{}", end.err);
    assert!(end.err.contains("--client-id"), "{}", end.err);
}

#[test]
fn the_whole_catalogue_is_counted_by_kind_and_by_behaviour() {
    let check = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        let output = command.args(["apps", "check", "--all"]).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let seen: Value = serde_json::from_str(&check(&["--json", "--behaviours"])).unwrap();
    let kinds = seen["behaviours"].as_array().unwrap();
    assert_eq!(seen["all"]["behaviours"], kinds.len());
    let apps: u64 = kinds.iter().map(|it| it["apps"].as_u64().unwrap()).sum();
    assert_eq!(seen["all"]["connectable"], apps, "every connectable app is of one kind");
    let text = check(&[]);
    let last = text.trim_end().lines().last().unwrap();
    let end = format!("{apps} connectable apps behave in {} distinct ways", kinds.len());
    assert!(last.starts_with(&end), "{last}");
    let listed = check(&["--behaviours"]);
    assert!(listed.contains("TWIN OF"), "{listed}");
    assert_eq!(listed.lines().count(), text.lines().count() + kinds.len() + 2);
}
