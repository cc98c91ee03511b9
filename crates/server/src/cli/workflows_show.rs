//! What the terminal shows of workflows and their runs.

use serde_json::{Map, Value};

use super::output;
use crate::components::outcome::Observation;
use crate::workflows::view::{
    PastStepView, TriedView, WholeRunView, WorkflowRunView, WorkflowView,
};

/// Columns that a step's name takes.
const NAME_COLUMNS: usize = 24;
/// Characters of a value that are shown; `--json` has it whole.
const VALUE_CHARS_MAX: usize = 160;

pub(super) fn workflow(it: &WorkflowView) {
    output::line(&format!("{} version {} ({})", it.name, it.version, it.id));
    if let (Some(url), Some(auth)) = (&it.endpoint_url, &it.auth) {
        output::line(&format!("Address: {url}\nCallers: {auth}"));
    }
    let row = |step: &Value| {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let what = step["component"].as_str().unwrap_or("its own code").to_owned();
        vec![text("name"), what, text("version")]
    };
    output::table(&["STEP", "RUNS", "VERSION"], it.steps.iter().map(row).collect());
}

pub(super) fn workflows(all: &[WorkflowView]) {
    let row = |it: &WorkflowView| {
        let address = it.endpoint_url.clone().unwrap_or_else(|| "-".to_owned());
        vec![it.name.clone(), it.version.to_string(), at(&it.updated_at), address]
    };
    output::table(&["NAME", "VERSION", "DEPLOYED", "ADDRESS"], all.iter().map(row).collect());
}

pub(super) fn runs(all: &[WorkflowRunView]) {
    let row = |it: &WorkflowRunView| {
        vec![
            it.id.clone(),
            state(it),
            it.external_user_id.clone(),
            it.cause.clone(),
            at(&it.created_at),
            it.duration_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
        ]
    };
    let header = ["RUN", "STATE", "USER", "BY", "CREATED", "TOOK"];
    output::table(&header, all.iter().map(row).collect());
}

/// Where a run stands, in a word and its colour.
fn state(it: &WorkflowRunView) -> String {
    match it.outcome.as_deref() {
        Some("ok" | "exit") => output::paint(it.outcome.as_deref().unwrap_or_default(), 32),
        Some(outcome) => output::paint(outcome, 31),
        None => output::paint(&it.state, 33),
    }
}

/// A step with what it gave, wrote and called.
pub(super) fn step(it: &PastStepView) {
    let mark = match it.state.as_str() {
        "ok" => output::paint("✓", 32),
        "skipped" => "-".to_owned(),
        _ => output::paint("✗", 31),
    };
    let tries = if it.tries > 1 { format!(", {} tries", it.tries) } else { String::new() };
    let took = match it.state.as_str() {
        "skipped" => "passed over".to_owned(),
        _ => format!("{} ms{tries}", it.duration_ms),
    };
    output::line(&format!("{mark} {:NAME_COLUMNS$} {took}", it.name));
    for (nth, it) in (1..).zip(&it.tried) {
        try_before(nth, it);
    }
    for account in &it.accounts {
        detail(&format!("account {}", short(account)));
    }
    calls(&it.calls);
    // What ended the step is told last.
    for line in it.os.iter().filter(|line| line.err.is_none() || line.err != it.error) {
        match &line.err {
            Some(error) => detail(&output::paint(&failure(error), 33)),
            None => detail(&said(line)),
        }
    }
    exports(&it.exports);
    if let Some(error) = &it.error {
        detail(&output::paint(&failure(error), 31));
    }
}

fn calls(all: &[Value]) {
    for call in all {
        let text = |name: &str| call[name].as_str().unwrap_or_default();
        let status =
            call["status"].as_u64().map_or_else(|| text("error").into(), |it| it.to_string());
        let (method, host, path) = (text("method"), text("host"), text("path"));
        detail(&format!("{method} {host}{path} {status}, {} ms", call["ms"]));
    }
}

/// The step that waits to be tried once more.
pub(super) fn under_way(it: &WholeRunView) {
    for (nth, it) in (1..).zip(&it.tried) {
        try_before(nth, it);
    }
}

/// A try that another one followed, or will.
fn try_before(nth: i64, it: &TriedView) {
    let how = if it.error.is_some() { "failed" } else { "asked to be run again" };
    detail(&format!("try {nth} {how} after {} ms", it.duration_ms));
    calls(&it.calls);
    for line in &it.os {
        match &line.err {
            Some(error) => detail(&output::paint(&failure(error), 33)),
            None => detail(&said(line)),
        }
    }
}

fn exports(all: &Map<String, Value>) {
    for (name, value) in all {
        let name = match name.as_str() {
            "$return_value" if value.is_null() => continue,
            "$return_value" => "returned",
            "$summary" => "summary",
            name => name,
        };
        detail(&format!("{name}: {}", short(value)));
    }
}

fn said(it: &Observation) -> String {
    format!("{}: {}", it.k, it.msg.as_deref().unwrap_or_default())
}

/// How a run stands after all its steps.
pub(super) fn end(it: &WholeRunView) {
    let took = it.run.duration_ms.map(|ms| format!(" after {ms} ms")).unwrap_or_default();
    let reason = it.reason.as_deref().map(|it| format!(": {it}")).unwrap_or_default();
    output::line(&format!("{} {}{took}{reason}", it.run.id, state(&it.run)));
    let cost = &it.cost;
    if cost.code_runs > 0 {
        output::line(&format!(
            "Cost: {} ms of code in {} runs, {} calls, {} bytes sent, {} received",
            cost.code_ms, cost.code_runs, cost.calls, cost.sent_bytes, cost.received_bytes
        ));
    }
}

/// An error of a step: its place first, as compilers say it, what caused it, and where an account
/// can be connected.
fn failure(error: &Value) -> String {
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let place = place(text("stack")).map(|it| format!("{it}: ")).unwrap_or_default();
    let link = error["details"]["connect_link_url"].as_str();
    let link = link.map(|it| format!("\nConnect it here: {it}")).unwrap_or_default();
    let causes = text("stack").lines().filter(|it| it.starts_with("Caused by: "));
    let told = format!("{place}{}: {}", text("name"), text("message"));
    let lines = std::iter::once(told.as_str()).chain(causes);
    format!("{}{link}", lines.collect::<Vec<_>>().join("\n"))
}

/// The first place in the step's own code that a stack names: `step.mjs:1:61`.
fn place(stack: &str) -> Option<&str> {
    let (_, rest) = stack.split_once("file:///code/")?;
    rest.split([')', '\n', ' ']).next()
}

/// A time as people read it.
fn at(iso: &str) -> String {
    iso.chars().take(19).collect::<String>().replace('T', " ")
}

fn detail(text: &str) {
    for line in text.lines() {
        output::line(&format!("    {line}"));
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    let begin: String = text.chars().take(VALUE_CHARS_MAX).collect();
    format!("{begin}… ({} bytes)", text.len())
}
