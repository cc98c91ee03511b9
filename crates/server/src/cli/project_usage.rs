//! `grantkeep project usage`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::client::parse_project;
use super::{Failure, Shell, output};
use crate::app::App;
use crate::clock::iso;
use crate::meters::Meter;
use crate::projects;
use crate::tenant::Environment;
use crate::usage::{self, Range, Step, Used, Whose};

/// Seconds of a day.
const DAY_S: i64 = 86_400;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The project (`proj_...`).
    id: String,
    /// Of one environment only.
    #[arg(long, value_name = "NAME", value_parser = ["production", "development"])]
    environment: Option<String>,
    /// Days (of UTC) up to and with today.
    #[arg(long, value_name = "DAYS", default_value_t = 30,
        value_parser = clap::value_parser!(i64).range(1..=400))]
    days: i64,
}

pub(super) async fn run(shell: &Shell, app: &Arc<App>, args: &Args) -> Result<(), Failure> {
    let project = parse_project(&args.id)?;
    let missing = |_| Failure::Missing(format!("There is no project {project}."));
    projects::find(&app.db, &project).await.map_err(missing)?;
    let tomorrow_s = (app.clock.now_ms() / 1_000).div_euclid(DAY_S) * DAY_S + DAY_S;
    let range = Range::new(tomorrow_s - args.days * DAY_S, tomorrow_s, Step::Day)?;
    let environment = args.environment.as_deref().and_then(Environment::parse);
    let whose = Whose { project: Some(&project), environment };
    let days = usage::used(app, whose, range).await?;
    if shell.json {
        output::json(&Value::Array(days.iter().map(view).collect()));
        return Ok(());
    }
    let used: Vec<&Used> =
        days.iter().filter(|it| Meter::ALL.iter().any(|meter| it.of(*meter) > 0)).collect();
    if used.is_empty() {
        output::line(&format!("Nothing was used in {} days.", args.days));
        return Ok(());
    }
    let row = |it: &&Used| {
        let amounts = Meter::ALL.iter().map(|meter| it.of(*meter).to_string());
        std::iter::once(day(it)).chain(amounts).collect()
    };
    let header =
        ["DAY", "PROXY CALLS", "VENDS", "CONNECTS", "REFRESHES", "ACTION RUNS", "SOURCE EMITS"];
    output::table(&header, used.iter().map(row).collect());
    output::note("Running servers write their counts down every ten seconds.");
    Ok(())
}

/// The date of the day, as in `2026-11-23`.
fn day(used: &Used) -> String {
    iso(used.start_ms).chars().take(10).collect()
}

fn view(used: &Used) -> Value {
    let amounts = Meter::ALL.iter().map(|it| (it.as_str().to_owned(), used.of(*it).into()));
    let mut out: Map<String, Value> = amounts.collect();
    out.insert("day".to_owned(), json!(day(used)));
    Value::Object(out)
}
