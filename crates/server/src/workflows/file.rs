//! The file that says what a workflow is: YAML, read strictly, with the place of what is wrong.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Answer, Auth, Entry, FILE_BYTES_MAX, RETRIES_MAX, RETRY_WAIT_MS_MAX, Retries, Rule,
    STEP_MS_MAX, STEPS_MAX, Throttle, Whom,
};
use super::{expression, yaml};
use crate::error::{self, Error, Result};
use crate::tenant::Environment;
use crate::triggers::Schedule;

/// Characters of the name of a workflow or step.
const NAME_CHARS_MAX: usize = 64;
/// Names that `steps` has already.
const TAKEN: [&str; 2] = ["trigger", "__proto__"];
/// Files that say what a workflow is.
pub const NAMES: [&str; 2] = ["workflow.yaml", "workflow.yml"];

/// Files by their path.
pub(super) type Texts = BTreeMap<String, String>;

/// A step before its code was loaded.
pub(super) struct StepDraft {
    pub name: String,
    pub does: DoesDraft,
    pub props: Map<String, Value>,
    pub condition: Option<String>,
    pub retries: Retries,
    pub account: Option<Rule>,
    pub timeout_ms: Option<i64>,
}

pub(super) enum DoesDraft {
    Component { key: String, version: Option<String> },
    Code(String),
}

/// A workflow before its code was loaded.
pub(super) struct Draft {
    pub name: String,
    pub entry: Entry,
    pub environment: Environment,
    pub user: Option<String>,
    pub account: Rule,
    pub on_error: Option<String>,
    pub concurrency: Option<u32>,
    pub throttle: Option<Throttle>,
    pub steps: Vec<StepDraft>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    name: String,
    trigger: TriggerText,
    #[serde(default)]
    environment: Option<Environment>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    account: Rule,
    #[serde(default)]
    on_error: Option<String>,
    #[serde(default)]
    concurrency: Option<u32>,
    #[serde(default)]
    throttle: Option<ThrottleText>,
    steps: Vec<StepText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerText {
    #[serde(default)]
    http: Option<HttpText>,
    #[serde(default)]
    timer: Option<TimerText>,
    #[serde(default)]
    call: Option<CallText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpText {
    auth: Auth,
    #[serde(default)]
    respond: Answer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimerText {
    #[serde(default)]
    every: Option<String>,
    #[serde(default)]
    cron: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    users: Option<UsersText>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum UsersText {
    Word(String),
    Of(AppText),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppText {
    app: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallText {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThrottleText {
    runs: u32,
    per: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    name: String,
    #[serde(default)]
    component: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    props: Map<String, Value>,
    #[serde(default, rename = "if")]
    condition: Option<Value>,
    #[serde(default)]
    retries: Option<RetriesText>,
    #[serde(default)]
    account: Option<Rule>,
    #[serde(default)]
    timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetriesText {
    times: u32,
    #[serde(default)]
    wait: Option<String>,
}

/// What is wrong, and where: `steps[2].if`.
pub(super) fn wrong(at: impl Into<String>, text: impl std::fmt::Display) -> Error {
    let at = at.into();
    let text = text.to_string();
    let stop = if text.ends_with(['.', '?']) { "" } else { "." };
    let said = format!("{at}: {text}{stop}");
    error::WORKFLOW_BROKEN.saying(said).with(json!({ "field": at }))
}

/// Reads what was deployed: a workflow's file with the code it names, or one file of code.
///
/// # Errors
/// [`error::WORKFLOW_BROKEN`], with the line, or the field, in `details`.
pub(super) fn read(files: &Texts) -> Result<Draft> {
    let bytes: usize = files.values().map(String::len).sum();
    if bytes > FILE_BYTES_MAX {
        let text = format!("a workflow has at most {FILE_BYTES_MAX} bytes with all its code");
        return Err(wrong("files", text));
    }
    let found = NAMES.iter().find_map(|name| Some((*name, files.get(*name)?)));
    let mut others = files.iter().filter(|(path, _)| is_yaml(path));
    let only = others.next().filter(|_| others.next().is_none());
    if let Some((name, text)) = found.or(only.map(|(path, text)| (&**path, text))) {
        return Reading { files, whole: yaml::read(name, text)? }.draft();
    }
    match files.iter().next() {
        Some((path, text)) if files.len() == 1 && is_code(path) => single(path, text),
        _ => Err(wrong("files", "there must be a workflow.yaml, or one file of code and no other")),
    }
}

/// The files of code that a workflow's file names. What else is wrong with it is told when it is
/// deployed.
pub fn named_files(text: &str) -> Vec<String> {
    let whole: Value = serde_saphyr::from_str(text).unwrap_or_default();
    let steps = whole["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().filter_map(|it| it["file"].as_str().map(str::to_owned)).collect()
}

fn ends(path: &str, with: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, end)| with.contains(&end))
}

fn is_code(path: &str) -> bool {
    ends(path, &["mjs", "js", "cjs"])
}

fn is_yaml(path: &str) -> bool {
    ends(path, &["yaml", "yml"])
}

/// One file of code is a workflow of one step, whose callers say by an access token whom it is for.
fn single(path: &str, text: &str) -> Result<Draft> {
    let stem = path.rsplit('/').next().unwrap_or(path);
    let stem = stem.split('.').next().unwrap_or(stem);
    let step = StepDraft {
        name: "run".to_owned(),
        does: DoesDraft::Code(text.to_owned()),
        props: Map::new(),
        condition: None,
        retries: Retries::default(),
        account: None,
        timeout_ms: None,
    };
    Ok(Draft {
        name: named("the file's name", stem)?,
        entry: Entry::Http { auth: Auth::Oauth, respond: Answer::Default },
        environment: Environment::Production,
        user: None,
        account: Rule::default(),
        on_error: None,
        concurrency: None,
        throttle: None,
        steps: vec![step],
    })
}

fn named(at: &str, name: &str) -> Result<String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    let begins = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    if !begins || !name.chars().all(fits) || name.len() > NAME_CHARS_MAX {
        let text = format!(
            "`{name}` is no name: a letter, then letters, digits, `_` and `-`, at most \
             {NAME_CHARS_MAX} of them"
        );
        return Err(wrong(at, text));
    }
    Ok(name.to_owned())
}

/// A time such as `500ms`, `10s`, `5m`, `2h` or `1d`.
fn duration_ms(at: &str, text: &str, most: i64) -> Result<i64> {
    let cut = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(cut);
    let each = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let read = number.parse::<i64>().ok().zip(each).and_then(|(it, each)| it.checked_mul(each));
    match read {
        Some(ms) if (1..=most).contains(&ms) => Ok(ms),
        Some(_) => Err(wrong(at, format!("`{text}` is not from 1ms to {most}ms"))),
        None => Err(wrong(at, format!("`{text}` is no time: write `500ms`, `10s`, `5m` or `2h`"))),
    }
}

struct Reading<'a> {
    files: &'a Texts,
    whole: Whole,
}

impl Reading<'_> {
    fn draft(self) -> Result<Draft> {
        let Self { files, whole } = self;
        let entry = entry(&whole.trigger)?;
        if let Some(text) = &whole.user {
            if matches!(&entry, Entry::Timer { users, .. } if *users != Whom::One) {
                return Err(wrong("user", "each run of this timer is for another user"));
            }
            let text = Value::from(text.as_str());
            expression::check(&text).map_err(|it| wrong("user", it))?;
        }
        if whole.concurrency == Some(0) {
            return Err(wrong("concurrency", "it is at least 1; leave it out for no limit"));
        }
        let throttle = whole.throttle.map(|it| throttle(&it)).transpose()?;
        let count = whole.steps.len();
        if !(1..=STEPS_MAX).contains(&count) {
            return Err(wrong("steps", format!("there are {count}, and must be 1 to {STEPS_MAX}")));
        }
        let mut steps: Vec<StepDraft> = Vec::with_capacity(count);
        for (nth, it) in whole.steps.into_iter().enumerate() {
            let at = format!("steps[{nth}]");
            let step = step(&at, files, it)?;
            if steps.iter().any(|it| it.name == step.name) {
                return Err(wrong(at, format!("two steps are called `{}`", step.name)));
            }
            steps.push(step);
        }
        Ok(Draft {
            name: named("name", &whole.name)?,
            entry,
            environment: whole.environment.unwrap_or(Environment::Production),
            user: whole.user,
            account: whole.account,
            on_error: whole.on_error.map(|it| named("on_error", &it)).transpose()?,
            concurrency: whole.concurrency,
            throttle,
            steps,
        })
    }
}

fn entry(it: &TriggerText) -> Result<Entry> {
    match (&it.http, &it.timer, &it.call) {
        (Some(http), None, None) => Ok(Entry::Http { auth: http.auth, respond: http.respond }),
        (None, Some(it), None) => timer(it),
        (None, None, Some(CallText {})) => Ok(Entry::Call),
        _ => Err(wrong("trigger", "it names one thing: `http`, `timer` or `call`")),
    }
}

fn timer(it: &TimerText) -> Result<Entry> {
    const AT: &str = "trigger.timer";
    const LONGEST_MS: i64 = 366 * 86_400_000;
    let wanted = match (&it.every, &it.cron) {
        (Some(text), None) if it.timezone.is_none() => {
            let ms = duration_ms("trigger.timer.every", text, LONGEST_MS)?;
            if ms % 1_000 != 0 {
                return Err(wrong("trigger.timer.every", "it is a number of whole seconds"));
            }
            json!({ "intervalSeconds": ms / 1_000 })
        }
        (None, Some(cron)) => json!({ "cron": cron, "timezone": it.timezone }),
        _ => {
            let text =
                "it is `every: 15m`, or `cron: \"0 9 * * 1-5\"`, which may have a `timezone`";
            return Err(wrong(AT, text));
        }
    };
    let read = Schedule::parse(&wanted);
    let schedule = read.map_err(|it| wrong(AT, it.trim_end_matches('.')))?.shown();
    let users = match &it.users {
        None => Whom::One,
        Some(UsersText::Word(word)) if word == "all" => Whom::All,
        Some(UsersText::Of(AppText { app })) => Whom::App(app.clone()),
        Some(UsersText::Word(_)) => {
            return Err(wrong("trigger.timer.users", "it is `all`, or `{ app: slack }`"));
        }
    };
    Ok(Entry::Timer { schedule, users })
}

fn throttle(it: &ThrottleText) -> Result<Throttle> {
    const LONGEST_MS: i64 = 86_400_000;
    if it.runs == 0 {
        return Err(wrong("throttle.runs", "it is at least 1"));
    }
    Ok(Throttle { runs: it.runs, per_ms: duration_ms("throttle.per", &it.per, LONGEST_MS)? })
}

fn step(at: &str, files: &Texts, it: StepText) -> Result<StepDraft> {
    let name = named(&format!("{at}.name"), &it.name)?;
    if TAKEN.contains(&name.as_str()) {
        return Err(wrong(format!("{at}.name"), format!("`{name}` means something else already")));
    }
    let does = match (it.component, it.code, it.file) {
        (Some(key), None, None) => component(&key),
        (None, Some(text), None) => DoesDraft::Code(text),
        (None, None, Some(path)) => match files.get(path.trim_start_matches("./")) {
            Some(text) => DoesDraft::Code(text.clone()),
            None => return Err(wrong(format!("{at}.file"), format!("there is no file `{path}`"))),
        },
        _ => {
            let text = "a step has one of `component`, `code` and `file`";
            return Err(wrong(at, text));
        }
    };
    expression::check(&Value::Object(it.props.clone()))
        .map_err(|it| wrong(format!("{at}.props"), it))?;
    let condition = match it.condition {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    };
    if let Some(text) = &condition {
        expression::check_condition(text).map_err(|it| wrong(format!("{at}.if"), it))?;
    }
    let timeout = it.timeout.as_deref();
    let timeout_ms =
        timeout.map(|it| duration_ms(&format!("{at}.timeout"), it, STEP_MS_MAX)).transpose()?;
    Ok(StepDraft {
        name,
        does,
        props: it.props,
        condition,
        retries: retries(&format!("{at}.retries"), it.retries.as_ref())?,
        account: it.account,
        timeout_ms,
    })
}

/// `slack-send-message` is the newest version, `slack-send-message@1.2.3` that one.
fn component(key: &str) -> DoesDraft {
    match key.rsplit_once('@') {
        Some((key, version)) => {
            DoesDraft::Component { key: key.to_owned(), version: Some(version.to_owned()) }
        }
        None => DoesDraft::Component { key: key.to_owned(), version: None },
    }
}

fn retries(at: &str, it: Option<&RetriesText>) -> Result<Retries> {
    const WAIT_MS: i64 = 5_000;
    let Some(it) = it else { return Ok(Retries::default()) };
    if it.times > RETRIES_MAX {
        return Err(wrong(at, format!("a step is tried again at most {RETRIES_MAX} times")));
    }
    let wait_ms = match &it.wait {
        None => WAIT_MS,
        Some(text) => duration_ms(&format!("{at}.wait"), text, RETRY_WAIT_MS_MAX)?,
    };
    Ok(Retries { times: it.times, wait_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name: greet
trigger:
  http: { auth: bearer, respond: custom }
user: "{{ event.body.user }}"
account: only
concurrency: 5
throttle: { runs: 10, per: 1m }
steps:
  - name: post
    if: event.body.text
    component: slack-send-message@1.0.0
    props: { text: "{{ event.body.text }}", channel: C1 }
    retries: { times: 3, wait: 10s }
    timeout: 30s
  - name: own
    code: |
      export default defineComponent({ run: async ({ steps }) => steps.post })
"#;

    fn texts(name: &str, text: &str) -> Texts {
        Texts::from([(name.to_owned(), text.to_owned())])
    }

    fn told(text: &str) -> String {
        match read(&texts("workflow.yaml", text)) {
            Ok(_) => "no error".to_owned(),
            Err(error) => error.text().to_owned(),
        }
    }

    #[test]
    fn a_file_is_read() {
        let it = read(&texts("workflow.yaml", GOOD)).unwrap();
        assert_eq!(it.entry, Entry::Http { auth: Auth::Bearer, respond: Answer::Custom });
        assert_eq!((it.account, it.concurrency), (Rule::Only, Some(5)));
        assert_eq!(it.throttle, Some(Throttle { runs: 10, per_ms: 60_000 }));
        assert_eq!(it.steps[0].retries, Retries { times: 3, wait_ms: 10_000 });
        assert_eq!(it.steps[0].timeout_ms, Some(30_000));
        assert!(matches!(&it.steps[0].does, DoesDraft::Component { key, version: Some(version) }
            if key == "slack-send-message" && version == "1.0.0"));
        assert!(matches!(&it.steps[1].does, DoesDraft::Code(_)));
    }

    #[test]
    fn one_file_of_code_is_a_workflow() {
        let it = read(&texts("flows/hello.mjs", "export default {}")).unwrap();
        assert_eq!(it.name, "hello");
        assert!(matches!(it.entry, Entry::Http { auth: Auth::Oauth, .. }));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let said = told(&GOOD.replace("concurrency: 5", "concurency: 5"));
        assert!(said.starts_with("workflow.yaml:7:1: ") && said.contains("concurency"), "{said}");
        for (from, to, wanted) in [
            ("10s", "10 parsecs", "steps[0].retries.wait: `10 parsecs` is no time"),
            ("name: own", "name: post", "steps[1]: two steps are called `post`"),
            ("event.body.text\n", "event. &&\n", "steps[0].if: `event. &&` cannot be read"),
            ("auth: bearer, ", "", "workflow.yaml:4:"),
            ("concurrency: 5", "concurrency: 0", "concurrency: it is at least 1"),
            ("name: greet", "name: 'a b'", "name: `a b` is no name"),
        ] {
            let said = told(&GOOD.replace(from, to));
            assert!(said.starts_with(wanted), "{said}");
        }
        assert!(told("steps: [").starts_with("workflow.yaml:"));
    }
}
