//! `grantkeep workflows`, by the binary, with a running server beside it.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

const WORKFLOW: &str = "name: greet
trigger:
  http: { auth: bearer }
steps:
  - name: look
    file: steps/look.mjs
    props: { word: '{{ event.text }}' }
  - name: never
    if: steps.look.$return_value != 'bad'
    code: 'export default ({ steps }) => steps.look.$return_value.length'
  - name: fail
    if: steps.look.$return_value == 'bad'
    code: 'export default () => { throw new TypeError(\"bad word\"); }'
";

const LOOK: &str = "export default defineComponent({ props: { word: 'string' },
  run({ $ }) { console.log('seen'); $.export('$summary', 'Got ' + this.word); return this.word; } })
";

/// A folder with settings of its own, in which the binary is run.
struct Place {
    dir: tempfile::TempDir,
    server: Option<Child>,
}

struct Said {
    code: i32,
    text: String,
    complaint: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.complaint))
    }
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        // The data folder is named as in the defaults: by a path from here.
        let text = format!(
            "data_dir = \"./data\"\nlisten = \"127.0.0.1:0\"\nroot_key = \"{}\"\ndev = true\n",
            crate::world::ROOT_KEY
        );
        crate::world::write_private(&dir.path().join("grantkeep.toml"), &text);
        write(&dir.path().join("greet/workflow.yaml"), WORKFLOW);
        write(&dir.path().join("greet/steps/look.mjs"), LOOK);
        Self { dir, server: None }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        command.current_dir(self.dir.path()).args(args).kill_on_drop(true);
        command
    }

    async fn run(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said {
            code: output.status.code().unwrap(),
            text: text(output.stdout),
            complaint: text(output.stderr),
        }
    }

    fn serve(&mut self) {
        let mut command = self.command(&["serve"]);
        self.server = Some(command.stderr(std::process::Stdio::null()).spawn().unwrap());
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn the_command_line_deploys_runs_and_shows_workflows() {
    let mut place = Place::new();
    assert_eq!(place.run(&["migrate"]).await.code, 0);
    let made = place.run(&["--json", "project", "create", "Acme"]).await.json();
    let project = made["id"].as_str().unwrap().to_owned();
    let of = ["--project", &*project];
    let within = ["--project", &*project, "--environment", "development"];
    let workflows = async |args: &[&str], more: &[&str]| {
        place.run(&[&["--json", "workflows"], args, more].concat()).await
    };
    let deployed = workflows(&["deploy", "greet"], &of).await.json();
    assert_eq!((&deployed["fresh"], &deployed["data"]["version"]), (&json!(true), &json!(1)));
    assert!(deployed["bearer_token"].as_str().unwrap().starts_with("gkw"));
    let again = workflows(&["deploy", "greet/workflow.yaml"], &of).await.json();
    assert_eq!((&again["fresh"], &again["bearer_token"]), (&json!(false), &Value::Null));
    assert_eq!(workflows(&["list"], &of).await.json()["total_count"], 1);

    place.serve();
    let workflows = async |args: &[&str], more: &[&str]| {
        place.run(&[&["--json", "workflows"], args, more].concat()).await
    };
    let event = r#"{ "text": "good" }"#;
    let ran =
        workflows(&["invoke", "greet", "--user", "ada", "--event", event, "--wait"], &within).await;
    assert_eq!(ran.code, 0, "{}", ran.complaint);
    let ran = ran.json();
    assert_eq!((&ran["outcome"], &ran["external_user_id"]), (&json!("ok"), &json!("ada")));
    assert_eq!(ran["steps"][1]["exports"]["$return_value"], 4);
    let id = ran["id"].as_str().unwrap();

    let told = place.run(&[&["workflows", "logs", id], &within[..]].concat()).await.text;
    for line in ["✓ look", "console.log: seen", "summary: \"Got good\"", "- fail"] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
    let replayed = workflows(&["replay", id, "--wait"], &within).await.json();
    assert_eq!((&replayed["of_run"], &replayed["outcome"]), (&ran["id"], &json!("ok")));

    write(&place.dir.path().join("bad.json"), r#"{ "text": "bad" }"#);
    let bad = workflows(&["invoke", "greet", "--event", "@bad.json", "--wait"], &within).await;
    assert_eq!((bad.code, &bad.json()["error"]["message"]), (1, &json!("bad word")));
    assert!(bad.complaint.contains("ended as `failed`"), "{}", bad.complaint);
    let failed = bad.json()["id"].as_str().unwrap().to_owned();
    let told = place.run(&[&["workflows", "logs", &failed], &within[..]].concat()).await.text;
    assert!(told.contains("step.mjs:1:30: TypeError: bad word"), "{told}");
    let late = workflows(&["cancel", &failed], &within).await;
    assert!(late.complaint.contains("has ended already: `failed`"), "{}", late.complaint);
    let runs = workflows(&["runs", "greet"], &within).await.json();
    assert_eq!((&runs["total_count"], &runs["data"][0]["outcome"]), (&json!(3), &json!("failed")));

    assert_eq!(workflows(&["delete", "greet"], &of).await.code, 0);
    assert_eq!(workflows(&["show", "greet"], &of).await.code, 4);
}

#[tokio::test]
async fn what_cannot_be_deployed_or_run_is_said_with_its_place() {
    let place = Place::new();
    assert_eq!(place.run(&["migrate"]).await.code, 0);
    let made = place.run(&["--json", "project", "create", "Acme"]).await.json();
    let of = ["--project", made["id"].as_str().unwrap()];
    let complaint = async |args: &[&str], code: i32| {
        let said = place.run(&[&["workflows"], args, &of].concat()).await;
        assert_eq!(said.code, code, "{}", said.complaint);
        said.complaint
    };
    let at = |name: &str| place.dir.path().join(name);
    write(&at("typo/workflow.yaml"), "name: typo\ntrigger: { call: {} }\nstep: []\n");
    let text = complaint(&["deploy", "typo"], 1).await;
    assert!(text.contains("workflow.yaml:3:1") && text.contains("step"), "{text}");
    let broken = "name: broken\ntrigger: { call: {} }\nsteps: [{ name: a, file: a.mjs }]\n";
    write(&at("broken/workflow.yaml"), broken);
    let text = complaint(&["deploy", "broken"], 2).await;
    assert!(text.contains("broken/a.mjs"), "{text}");
    write(&at("out/workflow.yaml"), &broken.replace("a.mjs", "../broken/a.mjs"));
    let text = complaint(&["deploy", "out"], 2).await;
    assert!(text.contains("is not below the folder"), "{text}");
    write(&at("broken/a.mjs"), "export default {\n  run( {\n};\n");
    let text = complaint(&["deploy", "broken"], 1).await;
    assert!(text.contains("step `a`") && text.contains(":3"), "{text}");
    write(&at("empty/other.txt"), "");
    let text = complaint(&["deploy", "empty"], 2).await;
    assert!(text.contains("empty has no workflow.yaml"), "{text}");
    let text =
        complaint(&["invoke", "greet", "--event", "{", "--environment", "development"], 2).await;
    assert!(text.contains("--event is not JSON"), "{text}");
    let text = complaint(&["invoke", "greet", "--environment", "development"], 4).await;
    assert!(text.contains("There is no such workflow."), "{text}");
}
