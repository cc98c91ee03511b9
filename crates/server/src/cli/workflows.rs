//! `grantkeep workflows`: deploy workflows, run them, and look at what ran.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::accounts::Place;
use super::components::{explained, project};
use super::{Failure, Shell, operator_event, output, workflows_files, workflows_show as show};
use crate::app::App;
use crate::paging::Page;
use crate::query::Query;
use crate::tenant::Tenant;
use crate::workflows::view::{WholeRunView, WorkflowRunView, WorkflowView};
use crate::workflows::{self, Cause, Deployed, Run, Start, Wait, api, api_runs};

/// How often a run is looked at that is waited for.
const LOOKED_EVERY: Duration = Duration::from_millis(200);
/// How long a run may wait before it is said that a server must be running.
const NOBODY_AFTER: Duration = Duration::from_secs(3);
/// Workflows that are listed.
const SHOWN_MAX: &str = "limit=100";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Deploy a workflow, or its next version: workflow.yaml, its folder, or one file of code.
    #[command(after_help = "Examples:\n  \
        grantkeep workflows deploy greet/workflow.yaml --project proj_...\n  \
        grantkeep workflows deploy report.mjs --project proj_...")]
    Deploy {
        path: PathBuf,
        #[arg(long, value_name = "ID")]
        project: String,
    },
    /// List workflows, the newest first.
    List {
        #[arg(long, value_name = "ID")]
        project: String,
    },
    /// Show a workflow: its address and its steps.
    Show {
        /// Its name, or its id.
        workflow: String,
        #[arg(long, value_name = "ID")]
        project: String,
    },
    /// Start a run. A running server does it.
    #[command(after_help = "Examples:\n  \
        grantkeep workflows invoke greet --user ada --event '{\"text\":\"hi\"}' --wait \\\n    \
        --project proj_... --environment development\n  \
        grantkeep workflows invoke greet --event @event.json \\\n    \
        --project proj_... --environment development")]
    Invoke {
        /// Its name, or its id.
        workflow: String,
        /// Your own id of the user whom it is for [default: as the workflow says].
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        /// What its steps see as `steps.trigger.event`: JSON, or `@FILE` with some.
        #[arg(long, value_name = "JSON", default_value = "{}")]
        event: String,
        /// Show each step as it ends, until the run has ended or waits for somebody.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List what ran, the newest first.
    Runs {
        /// Only of this workflow, by name or id.
        workflow: Option<String>,
        /// How many, 1 to 100.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
        limit: u8,
        #[command(flatten)]
        place: Place,
    },
    /// Show a run step by step: what each gave, wrote and called.
    Logs {
        run: String,
        /// Go on until the run has ended or waits for somebody.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Start a run with the event of another one, of the workflow as it is now.
    Replay {
        run: String,
        /// Show each step as it ends, until the run has ended or waits for somebody.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        place: Place,
    },
    /// End a run. What its steps did stays done.
    Cancel {
        run: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take a workflow away, with all its versions and runs.
    Delete {
        /// Its name, or its id.
        workflow: String,
        #[arg(long, value_name = "ID")]
        project: String,
        /// Also where a trigger or the failure of another workflow starts it.
        #[arg(long)]
        force: bool,
    },
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let done = act(shell, &app, command).await;
    app.close().await;
    done
}

async fn act(shell: &Shell, app: &Arc<App>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Deploy { path, project } => deploy(shell, app, &path, &project).await,
        Command::List { project } => list(shell, app, &project).await,
        Command::Show { workflow, project: id } => {
            let project = project(app, &id).await?;
            let found = workflows::find(app, &project, &workflow).await?;
            let view = api::shown(app, &found).await?;
            said(shell, &json!(view), || show::workflow(&view));
            Ok(())
        }
        Command::Invoke { workflow, user, event, wait, place } => {
            let tenant = place.tenant(app).await?;
            let event = read_event(&event)?;
            let run = invoke(app, &tenant, &workflow, (user, event)).await?;
            begun(shell, app, (&tenant, &run), wait).await
        }
        Command::Runs { workflow, limit, place } => {
            runs(shell, app, &place.tenant(app).await?, (workflow, limit)).await
        }
        Command::Logs { run, wait, place } => {
            let tenant = place.tenant(app).await?;
            if wait {
                return watch(shell, app, &tenant, &run).await;
            }
            let whole = api_runs::whole(app, &tenant, &run).await?;
            said(shell, &json!(whole), || {
                whole.steps.iter().for_each(show::step);
                show::under_way(&whole);
                show::end(&whole);
            });
            Ok(())
        }
        Command::Replay { run: id, wait, place } => {
            let tenant = place.tenant(app).await?;
            let run = api_runs::again(app, &tenant, &id).await?;
            note(app, "workflow.replay", (&tenant, &run), json!({ "of": id })).await?;
            begun(shell, app, (&tenant, &run), wait).await
        }
        Command::Cancel { run: id, place } => {
            let tenant = place.tenant(app).await?;
            let run = workflows::run_of(app, &tenant, &id).await?;
            workflows::cancel(app, &run).await?;
            note(app, "workflow.cancel", (&tenant, &run), Value::Null).await?;
            said(shell, &json!({ "id": id, "cancelled": true }), || {
                output::line(&format!("Cancelled {id}."));
            });
            Ok(())
        }
        Command::Delete { workflow, project: id, force } => {
            delete(shell, app, &id, (&workflow, force)).await
        }
    }
}

fn said(shell: &Shell, value: &Value, text: impl FnOnce()) {
    if shell.json { output::json(value) } else { text() }
}

async fn note(
    app: &App,
    action: &'static str,
    (tenant, run): (&Tenant, &Run),
    detail: Value,
) -> Result<(), Failure> {
    let event = operator_event(action).tenant(tenant).user(&run.external_id);
    Ok(app.audit.record(event.target("run", run.id.as_str()).detail(detail)).await?)
}

async fn deploy(shell: &Shell, app: &Arc<App>, path: &Path, id: &str) -> Result<(), Failure> {
    let project = project(app, id).await?;
    let files = workflows_files::read(path)?;
    let Deployed { workflow, fresh, bearer, .. } =
        workflows::deploy(app, &project, &files).await.map_err(explained)?;
    let event = operator_event("workflow.deploy").project(&project);
    let detail = json!({ "name": workflow.name, "version": workflow.version, "fresh": fresh });
    let event = event.target("workflow", workflow.id.as_str()).detail(detail);
    app.audit.record(event).await?;
    let view = api::shown(app, &workflow).await?;
    let token = bearer.as_ref().map(grantkeep_vault::Secret::expose);
    let answer = json!({ "data": view, "fresh": fresh, "bearer_token": token });
    said(shell, &answer, || {
        let (name, version) = (&view.name, view.version);
        output::line(&if fresh {
            format!("Deployed {name} version {version}.")
        } else {
            format!("{name} version {version} is deployed already, and is the same.")
        });
        if let (Some(url), Some(auth)) = (&view.endpoint_url, &view.auth) {
            output::line(&format!("Address: {url}\nCallers: {auth}"));
        }
        if let Some(token) = token {
            output::line(&format!("Bearer token, shown this once: {token}"));
        }
    });
    Ok(())
}

async fn list(shell: &Shell, app: &App, id: &str) -> Result<(), Failure> {
    let project = project(app, id).await?;
    let page = Page::of(&Query::parse(SHOWN_MAX), &app.cursors, String::new())?;
    let (found, info) = workflows::list(app, &project, page).await?;
    let mut views: Vec<WorkflowView> = Vec::with_capacity(found.len());
    for it in &found {
        views.push(api::shown(app, it).await?);
    }
    let answer = json!({ "data": views, "total_count": info.total_count });
    said(shell, &answer, || show::workflows(&views));
    Ok(())
}

fn read_event(text: &str) -> Result<Value, Failure> {
    let read = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::Usage(format!("cannot read {file}: {error}")))?,
    };
    let wrong = |error| Failure::Usage(format!("--event is not JSON: {error}"));
    serde_json::from_str(&read).map_err(wrong)
}

async fn invoke(
    app: &Arc<App>,
    tenant: &Tenant,
    named: &str,
    (external_id, event): (Option<String>, Value),
) -> Result<Run, Failure> {
    let workflow = workflows::find(app, &tenant.project, named).await?;
    let environment = Some(tenant.environment);
    let start = Start { cause: Cause::Call, event, external_id, environment, ..Start::default() };
    let run = workflows::begin(app, &workflow, start).await?;
    let detail = json!({ "workflow": workflow.id });
    note(app, "workflow.invoke", (tenant, &run), detail).await?;
    Ok(run)
}

/// Tells of a run that was begun, or follows it.
async fn begun(
    shell: &Shell,
    app: &App,
    (tenant, run): (&Tenant, &Run),
    wait: bool,
) -> Result<(), Failure> {
    if wait {
        return watch(shell, app, tenant, run.id.as_str()).await;
    }
    let view = WorkflowRunView::from(run);
    said(shell, &json!(view), || {
        output::line(&format!(
            "Started {id}. See it:\n  grantkeep workflows logs {id} --project {} --environment {}",
            tenant.project,
            tenant.environment,
            id = view.id,
        ));
    });
    Ok(())
}

/// Shows steps as they end, until the run has ended or waits for somebody. It is a failure when
/// the run is one.
async fn watch(shell: &Shell, app: &App, tenant: &Tenant, id: &str) -> Result<(), Failure> {
    let began = Instant::now();
    let (mut shown, mut warned) = (0, false);
    let whole = loop {
        let whole = api_runs::whole(app, tenant, id).await?;
        if !shell.json {
            whole.steps.iter().skip(shown).for_each(show::step);
            shown = whole.steps.len();
        }
        if whole.run.state == "ended" || whole.waits == Some(Wait::Suspend) {
            break whole;
        }
        if !warned && whole.run.state == "queued" && began.elapsed() > NOBODY_AFTER {
            output::note("Nobody has begun it yet. Is `grantkeep serve` running?");
            warned = true;
        }
        tokio::time::sleep(LOOKED_EVERY).await;
    };
    said(shell, &json!(whole), || show::end(&whole));
    ended(&whole)
}

fn ended(whole: &WholeRunView) -> Result<(), Failure> {
    match whole.run.outcome.as_deref() {
        None | Some("ok" | "exit") => Ok(()),
        Some(outcome) => Err(Failure::Other(format!("The run ended as `{outcome}`."))),
    }
}

async fn runs(
    shell: &Shell,
    app: &App,
    tenant: &Tenant,
    (named, limit): (Option<String>, u8),
) -> Result<(), Failure> {
    let workflow = match &named {
        None => None,
        Some(named) => Some(workflows::find(app, &tenant.project, named).await?),
    };
    let query = Query::parse(&format!("limit={limit}"));
    let page = Page::of(&query, &app.cursors, String::new())?;
    let (found, info) = workflows::runs(app, tenant, workflow.as_ref(), page).await?;
    let views: Vec<_> = found.iter().map(WorkflowRunView::from).collect();
    let answer = json!({ "data": views, "total_count": info.total_count });
    said(shell, &answer, || {
        if views.is_empty() {
            output::line(&format!("Nothing ran in {}.", tenant.environment));
        } else {
            show::runs(&views);
        }
    });
    Ok(())
}

async fn delete(
    shell: &Shell,
    app: &App,
    id: &str,
    (named, force): (&str, bool),
) -> Result<(), Failure> {
    let project = project(app, id).await?;
    let found = workflows::find(app, &project, named).await?;
    let left = workflows::delete(app, &found, force).await?;
    let event = operator_event("workflow.delete").project(&project);
    let event = event.target("workflow", found.id.as_str());
    let detail = json!({ "name": found.name, "started_by": left.counts() });
    app.audit.record(event.detail(detail)).await?;
    said(shell, &json!({ "id": found.id, "deleted": true, "started_by": left.counts() }), || {
        output::line(&format!("Deleted {} with its runs.", found.name));
    });
    if left.count() > 0 {
        output::note(&format!("{} started it, and start it no more.", left.said()));
    }
    Ok(())
}
