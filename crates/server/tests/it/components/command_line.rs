//! `grantkeep components`, the binary beside a running server on the same store.

use std::path::{Path, PathBuf};

use grantkeep::config::Database;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::publishing::action;
use crate::proxy::lab::{KEY, Lab, labs};
use crate::proxy::upstream::answer;
use crate::world::ROOT_KEY;

/// Exit codes.
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const MISSING: i32 = 4;

/// The binary with the settings of a lab's server, and a folder for what a person writes.
struct Desk<'a> {
    lab: &'a Lab,
    folder: TempDir,
}

/// What the binary said.
struct Said {
    code: i32,
    out: String,
    complaint: String,
}

impl Said {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.complaint);
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {}", self.out))
    }

    fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.complaint);
        for part in parts {
            assert!(self.complaint.contains(part), "no {part:?} in {}", self.complaint);
        }
    }
}

impl<'a> Desk<'a> {
    fn new(lab: &'a Lab) -> Self {
        let folder = TempDir::new().unwrap();
        let config = &lab.world.app.config;
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (data, apps) = (text(&config.data_dir), text(config.catalog_dir.as_ref().unwrap()));
        let database = match config.database() {
            Database::Postgres(url) => format!("database_url = {:?}\n", url.as_str()),
            Database::Sqlite(_) => String::new(),
        };
        let text = format!(
            "data_dir = {data:?}\ncatalog_dir = {apps:?}\nroot_key = \"{ROOT_KEY}\"\ndev = true\n\
             egress_allow_loopback = true\npublic_url = {:?}\n{database}",
            lab.world.url
        );
        crate::world::write_private(&folder.path().join("grantkeep.toml"), &text);
        Self { lab, folder }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// With `--project`, which all of them want.
    async fn run(&self, args: &[&str]) -> Said {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        command.current_dir(&self.folder).arg("components").args(args);
        let output = command.args(["--project", self.lab.world.project.id.as_str()]).output();
        let output = output.await.unwrap();
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        let code = output.status.code().unwrap();
        Said { code, out: text(&output.stdout), complaint: text(&output.stderr) }
    }

    async fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json"]].concat()).await.json()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn the_command_line_publishes_lists_shows_and_deletes() {
    for lab in labs().await {
        let desk = Desk::new(&lab);
        desk.write("lib/words.mjs", "export const word = 'hello';\n");
        let rest = "props: { name: { type: \"string\", label: \"Whom\" } },\n  \
             run() { return `${word} ${this.name}`; }";
        let file = format!(
            "import {{ word }} from '../lib/words.mjs';\n{}",
            action("greet", "1.0.0", rest)
        );
        let path = desk.write("actions/greet.mjs", &file);
        let publish = ["publish", text(&path)];
        let made = desk.json(&publish).await;
        assert_eq!((&made["key"], &made["version"]), (&json!("~/greet"), &json!("1.0.0")));
        assert_eq!(made["fresh"], true);
        assert_eq!(desk.json(&publish).await["fresh"], false);
        let again = desk.run(&publish).await;
        assert!(again.out.contains("was published before, and is the same"), "{}", again.out);
        desk.write("lib/words.mjs", "export const word = 'bye';\n");
        desk.run(&publish).await.fails(FAILED, &["never changes", "Raise `version`"]);
        // The server knows it at once, with the file that it imports.
        let ran = lab.world.run_action("~/greet", json!({ "name": "Ada" })).await;
        assert_eq!(ran.json()["ret"], "hello Ada", "{ran:?}");
        let own = desk.json(&["list", "--own"]).await;
        let expected = json!([{ "key": "~/greet", "name": "Of a test", "version": "1.0.0",
            "type": "action" }]);
        assert_eq!(own, expected);
        let all = desk.json(&["list", "--search", "send-message"]).await;
        assert_eq!(all[0]["key"], "slack-send-message");
        let of_app = desk.run(&["list", "--app", "slack"]).await;
        assert!(of_app.out.contains("slack-upload-file") && !of_app.out.contains("github"));
        let shown = desk.json(&["show", "~/greet"]).await;
        assert_eq!(shown["configurable_props"][0]["label"], "Whom");
        let shown = desk.run(&["show", "~/greet", "--version", "1.0.0"]).await.out;
        assert!(shown.contains("~/greet 1.0.0 (action)") && shown.contains("Whom"), "{shown}");
        assert!(shown.contains("needed") && !shown.contains("optional"), "{shown}");
        let source = desk.run(&["show", "schedule-custom-interval"]).await.out;
        assert!(source.contains("(trigger)"), "{source}");
        let typed = desk.run(&["run", "~/greet", "--prop", "nme=Ada"]).await;
        typed.fails(FAILED, &["`nme`: there is no such field. Did you mean `name`?"]);
        let ran = desk.run(&["run", "~/greet", "--prop", "name=Ada"]).await;
        assert!(ran.out.contains("hello Ada"), "{}{}", ran.out, ran.complaint);
        assert!(ran.complaint.contains("For the user `cli`"), "{}", ran.complaint);
        desk.run(&["show", "~/greet", "--version", "9.9.9"]).await.fails(MISSING, &[]);
        let raw = desk.write("raw.mjs", &action("raw", "1.0.0", "run() {}"));
        desk.json(&["publish", text(&raw), "--allow", "raw-tokens"]).await;
        let shown = desk.run(&["show", "~/raw"]).await.out;
        assert!(shown.contains("It may: raw-tokens"), "{shown}");
        let gone = desk.run(&["delete", "~/greet"]).await;
        assert!(gone.code == 0 && gone.out.contains("Deleted ~/greet"), "{}", gone.complaint);
        desk.run(&["delete", "~/greet"]).await.fails(MISSING, &[]);
        desk.run(&["delete", "slack-send-message"]).await.fails(MISSING, &[]);
        let sql = "select count(*) from audit_events where action in \
            ('component.publish', 'component.delete')";
        assert!(lab.world.count(sql).await >= 4);
    }
}

#[tokio::test]
async fn mistakes_are_told_with_file_line_and_column() {
    for lab in labs().await {
        let desk = Desk::new(&lab);
        let broken = desk.write("broken.mjs", "export default {\n  key: 'x',\n  name: = 3,\n};\n");
        let broken = text(&broken);
        for args in [vec!["publish", broken], vec!["run", "--local", broken]] {
            desk.run(&args).await.fails(FAILED, &["broken.mjs:3:9: SyntaxError"]);
        }
        desk.write("lib/bad.mjs", "export const one = 1;\nthrow new TypeError('no luck');\n");
        let importing = format!(
            "import {{ one }} from './lib/bad.mjs';\n{}",
            action("x", "0.0.1", "run() { return one; }")
        );
        let path = desk.write("importing.mjs", &importing);
        let said = desk.run(&["publish", text(&path)]).await;
        said.fails(FAILED, &["lib/bad.mjs:2:7: TypeError: no luck"]);
        let throwing = action("x", "0.0.1", "run() {\n    const a = null;\n    a.b();\n  }");
        let path = desk.write("throwing.mjs", &throwing);
        let said = desk.run(&["run", "--local", text(&path)]).await;
        said.fails(FAILED, &["throwing.mjs:6:7: TypeError: Cannot read properties of null"]);
        let lost = desk.write("lost.mjs", "import './nowhere.mjs';\nexport default {};\n");
        desk.run(&["publish", text(&lost)]).await.fails(FAILED, &["nowhere.mjs"]);
        desk.run(&["publish", "none.mjs"]).await.fails(FAILED, &["none.mjs", "No such file"]);
        desk.write("empty/readme.txt", "");
        desk.run(&["publish", "empty"]).await.fails(USAGE, &["which file is loaded first?"]);
        let path = desk.write("fine.mjs", &action("fine", "0.0.1", "run() {}"));
        let fine = text(&path);
        let odd = desk.run(&["publish", fine, "--allow", "everything"]).await;
        odd.fails(USAGE, &["raw-tokens"]);
        desk.run(&["publish", fine, "--map", "../up"]).await.fails(FAILED, &["as npm does"]);
        let odd = desk.run(&["run", "--local", fine, "--prop", "novalue"]).await;
        odd.fails(USAGE, &["`novalue` is not NAME=VALUE"]);
        desk.run(&["run", "~/nothing"]).await.fails(MISSING, &[]);
        let source = action("polls", "0.0.1", "run() {}").replace("\"action\"", "\"source\"");
        let path = desk.write("polls.mjs", &source);
        let said = desk.run(&["run", "--local", text(&path)]).await;
        said.fails(FAILED, &["is the source of a trigger: it is published and deployed"]);
        assert_eq!(desk.json(&["list", "--own"]).await, json!([]), "nothing of it was published");
    }
}

#[tokio::test]
async fn a_component_runs_from_disk_and_by_its_key_on_a_connected_account() {
    for lab in labs().await {
        let desk = Desk::new(&lab);
        let rest = "props: { raw: { type: \"app\", app: \"raw\" }, base: \"string\",
              many: { type: \"integer[]\", optional: true } },
            async run({ $ }) {
              const key = this.raw.$auth.api_key;
              console.log('holding', key);
              const headers = { authorization: `Bearer ${key}` };
              const answer = await fetch(this.base, { headers });
              $.export('$summary', `Answered ${answer.status}`);
              return { blind: key.startsWith('gkblind_'), many: this.many };
            }";
        let path = desk.write("call.mjs", &action("call", "0.0.1", rest));
        let path = text(&path);
        let (account, base) = (
            format!("raw={}", lab.account),
            format!("base=http://{}/base/x", lab.upstream.address),
        );
        let with = ["--app", &account, "--prop", &base, "--prop", "many=[1,2]"];
        let local = [&["run", "--local", path][..], &with].concat();
        lab.upstream.script([answer("", "a"), answer("", "b"), answer("", "c")]);
        // Whose account it is, the account says.
        let ran = desk.json(&local).await;
        assert_eq!(ran["ret"], json!({ "blind": true, "many": [1, 2] }), "{ran}");
        assert_eq!(
            (&ran["outcome"], &ran["exports"]["$summary"]),
            (&json!("ok"), &json!("Answered 200"))
        );
        let seen = lab.upstream.last();
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        let said = desk.run(&local).await;
        assert!(said.out.contains("$summary: Answered 200"), "{}", said.out);
        assert!(said.complaint.contains("console.log: holding [redacted]"), "{}", said.complaint);
        assert!(!format!("{}{}", said.out, said.complaint).contains(KEY));
        let listed = desk.json(&["list", "--own"]).await;
        assert_eq!(listed, json!([]), "running does not publish");
        desk.json(&["publish", path]).await;
        let ran = desk.json(&[&["run", "~/call"][..], &with].concat()).await;
        assert_eq!(ran["outcome"], "ok", "{ran}");
        assert_eq!(lab.upstream.seen().len(), 3);
        let other = desk.run(&[&local[..], &["--user", "grace"]].concat()).await;
        other.fails(MISSING, &["this user does not have"]);
        let elsewhere = [&local[..], &["--environment", "production"]].concat();
        desk.run(&elsewhere).await.fails(MISSING, &[]);
        let needed = desk.run(&["run", "--local", path, "--prop", &base, "--user", "ada"]).await;
        needed.fails(FAILED, &["`raw` needs the user's account of raw"]);
        assert_eq!(lab.upstream.seen().len(), 3);
    }
}

#[tokio::test]
async fn j_01_a_server_that_starts_says_what_code_runs_in() {
    use std::process::Stdio;
    use tokio::io::{AsyncBufReadExt, BufReader};
    for (settings, said) in [
        (vec![("CODE_SANDBOX", "best")], "components run in `"),
        (vec![("CODE_SANDBOX", "none")], "components run in `none`"),
        (vec![("CODE_NODE", "/nowhere/node")], "components cannot be run: This server has no Node"),
    ] {
        let folder = TempDir::new().unwrap();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        command.arg("serve").current_dir(&folder).env("GRANTKEEP_LISTEN", "127.0.0.1:0");
        command.env("GRANTKEEP_ROOT_KEY", ROOT_KEY).env("GRANTKEEP_LOG_FORMAT", "text");
        command.envs(settings.iter().map(|(name, it)| (format!("GRANTKEEP_{name}"), it)));
        let (out, both) = std::io::pipe().unwrap();
        command.stdout(both.try_clone().unwrap()).stderr(both).stdin(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        drop(command);
        let out = tokio::net::unix::pipe::Receiver::from_owned_fd(out.into()).unwrap();
        let mut lines = BufReader::new(out).lines();
        let mut all = Vec::new();
        let soon = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        while let Ok(Ok(Some(line))) = tokio::time::timeout_at(soon, lines.next_line()).await {
            all.push(line);
            if all.last().unwrap().contains(said) {
                break;
            }
        }
        assert!(all.iter().any(|it| it.contains(said)), "{}", all.join("\n"));
        child.kill().await.unwrap();
    }
}
