//! The server dies while it runs workflows, at every place that a step comes by and at any moment.
//! Each run must end, and no step that was recorded may be done again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use grantkeep::failpoint::WORKFLOW_POINTS;
use serde::Serialize;
use serde_json::json;

use crate::chance::Chance;
use crate::ledger::Ledger;
use crate::outside::Outside;
use crate::progress::Progress;
use crate::server::{Recipe, Server, Start};
use crate::stage::{Engine, Ground, Stage};
use crate::tally::millis;
use crate::trouble::{Doing, Result, Trouble};

/// Steps of each run.
const STEPS: usize = 3;
/// Runs that are started in each life.
const RUNS_EACH: usize = 2;
/// The longest time until a kill at any moment.
const ANY_TIME_MS_MAX: usize = 1_500;
/// A failpoint that is not come by within this time is missed.
const POINT_TIME_MAX: Duration = Duration::from_secs(40);
/// After the last kill all runs must end. So often in a row, three minutes at least, it may be seen
/// that no further step was done; a lease of a dead process is over within a tenth of that. How
/// long all of it takes is the machine's affair, since each life leaves more runs than it ends.
const STILL_LOOKS_MAX: u32 = 1_800;
/// Lost runs that are named; all are counted.
const LOST_NAMED_MAX: usize = 20;
const LOOK: Duration = Duration::from_millis(100);

/// What is wanted.
#[derive(Clone)]
pub struct Plan {
    pub kills: u64,
    pub engines: Vec<Engine>,
    pub seed: u64,
}

/// What came of it on one engine.
#[derive(Debug, Default, Serialize)]
pub struct Record {
    pub engine: &'static str,
    pub kills: u64,
    /// Kills by the place where the server died.
    pub by_place: BTreeMap<String, u64>,
    /// Runs that were taken in, and steps of them that are recorded.
    pub runs: u64,
    pub recorded: u64,
    /// Steps that were seen to be done, and how often again before they were recorded.
    pub done: u64,
    pub again: u64,
    pub lost: u64,
    pub repeated: u64,
    /// From the last start until all runs had ended.
    pub settled_ms: u64,
    pub breaches: Vec<String>,
}

impl Record {
    pub fn is_good(&self) -> bool {
        self.lost == 0
            && self.repeated == 0
            && self.breaches.is_empty()
            && self.never_hit().is_empty()
    }

    /// Places where no server died.
    pub fn never_hit(&self) -> Vec<&'static str> {
        let hit = |it: &&str| !self.by_place.contains_key(*it);
        WORKFLOW_POINTS.into_iter().filter(hit).collect()
    }

    fn died(&mut self, place: &str, progress: &Progress) {
        self.kills += 1;
        *self.by_place.entry(place.to_owned()).or_default() += 1;
        progress.step(1);
    }
}

/// Runs it; a record for each engine.
///
/// # Errors
/// What keeps the harness from working, such as a server that does not start.
pub async fn run(ground: &Ground, plan: &Plan, progress: &Progress) -> Result<Vec<Record>> {
    let count = plan.engines.len().max(1) as u64;
    let chance = Chance::new(plan.seed);
    let all = plan.engines.iter().enumerate().map(|(nth, engine)| {
        let nth = nth as u64;
        let kills = plan.kills / count + u64::from(nth < plan.kills % count);
        let (ground, progress) = (ground.clone(), progress.clone());
        let (engine, chance) = (*engine, chance.branch(nth));
        async move { on(&ground, engine, kills, (chance, progress)).await }
    });
    futures::future::join_all(all).await.into_iter().collect()
}

async fn on(
    ground: &Ground,
    engine: Engine,
    kills: u64,
    (chance, progress): (Chance, Progress),
) -> Result<Record> {
    let mut stage = Stage::open(ground, engine).await?;
    // It is not the store that is tortured.
    stage.set("db_busy_timeout_ms", "5000");
    stage.set("db_statement_timeout_ms", "15000");
    let (recipe, outside) = stage.node(0)?;
    let ledger = Ledger::open().await?;
    let record = Record { engine: engine.name(), ..Record::default() };
    let accepted = BTreeSet::new();
    let mut lane = Lane { stage, recipe, outside, ledger, chance, progress, record, accepted };
    let done = lane.torture(kills).await;
    let Lane { stage, record, .. } = lane;
    stage.end(done.is_err() || !record.is_good());
    done.map(|()| record)
}

struct Lane {
    stage: Stage,
    recipe: Recipe,
    outside: Outside,
    ledger: Ledger,
    chance: Chance,
    progress: Progress,
    record: Record,
    /// Runs that the server said it had taken in.
    accepted: BTreeSet<String>,
}

impl Lane {
    async fn torture(&mut self, kills: u64) -> Result<()> {
        self.deploy().await?;
        // A place that was not come by has another chance.
        while self.record.kills < kills
            || (!self.record.never_hit().is_empty() && self.record.kills < 2 * kills)
        {
            let any = WORKFLOW_POINTS[self.chance.below(WORKFLOW_POINTS.len())];
            let unseen = self.record.never_hit().first().copied();
            match unseen.or_else(|| self.chance.one_in(2).then_some(any)) {
                Some(point) => self.at(point).await?,
                None => self.any_time().await?,
            }
            self.look().await?;
        }
        self.settle().await
    }

    async fn start(&self) -> Result<Server> {
        let mut server = self.recipe.start(None)?;
        match server.ready(&self.outside).await? {
            Start::Ready => Ok(server),
            Start::Died => Err(Trouble("the server died while it started".to_owned())),
        }
    }

    async fn deploy(&self) -> Result<()> {
        let mut server = self.start().await?;
        let text = workflow(&self.ledger.url);
        let body = json!({ "files": [{ "path": "workflow.yaml", "text": text }] });
        let said = self.outside.post("workflows", &body).await;
        match said.doing("the server does not answer")? {
            (201, _) => server.kill().await,
            (status, body) => Err(Trouble(format!("cannot deploy: {status} {body}"))),
        }
    }

    /// Starts some runs. An answer that does not come says nothing.
    async fn begin(&mut self) -> Result<()> {
        let body = json!({ "external_user_id": "ada", "event": {} });
        let calls = (0..RUNS_EACH).map(|_| self.outside.post("workflows/torture/invoke", &body));
        for said in futures::future::join_all(calls).await.into_iter().flatten() {
            let (status, body) = said;
            match (status, body["data"]["id"].as_str()) {
                (202, Some(id)) => drop(self.accepted.insert(id.to_owned())),
                (503, _) => {}
                _ => return Err(Trouble(format!("no run is begun: {status} {body}"))),
            }
        }
        Ok(())
    }

    /// Death at the point, by one of the steps that come there.
    async fn at(&mut self, point: &'static str) -> Result<()> {
        let nth = 1 + self.chance.below(STEPS);
        let mut server = self.recipe.start(Some(&format!("{point}:{nth}")))?;
        // Runs that former lives left may come by before it takes requests.
        if server.ready(&self.outside).await? == Start::Ready {
            self.begin().await?;
        }
        let begun = Instant::now();
        while !server.is_dead() && begun.elapsed() < POINT_TIME_MAX {
            tokio::time::sleep(LOOK).await;
        }
        let missed = !server.is_dead();
        server.kill().await?;
        self.record.died(if missed { "missed" } else { point }, &self.progress);
        Ok(())
    }

    async fn any_time(&mut self) -> Result<()> {
        let mut server = self.start().await?;
        self.begin().await?;
        let ms = self.chance.below(ANY_TIME_MS_MAX) as u64;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        server.kill().await?;
        self.record.died("any time", &self.progress);
        Ok(())
    }

    /// What is recorded now, while nobody runs, may never be done again.
    async fn look(&self) -> Result<()> {
        let rows = self.stage.rows("select run_id, state, nth from workflow_steps").await?;
        let place = |(run, _, nth)| Some((run, usize::try_from(nth).ok()?));
        self.ledger.record(rows.into_iter().filter_map(place));
        Ok(())
    }

    /// Waits until all runs have ended, or none goes on, and judges.
    async fn settle(&mut self) -> Result<()> {
        let mut server = self.start().await?;
        let begun = Instant::now();
        let mut still = 0;
        let mut asked = self.ledger.asked();
        // Looks are counted, as they stand still when a machine has this process stand still.
        while still < STILL_LOOKS_MAX && self.under_way().await {
            tokio::time::sleep(LOOK).await;
            let before = std::mem::replace(&mut asked, self.ledger.asked());
            still = if before == asked { still + 1 } else { 0 };
        }
        self.record.settled_ms = millis(begun.elapsed());
        server.kill().await?;
        self.judge().await
    }

    /// Whether a run that was taken in has not ended.
    async fn under_way(&self) -> bool {
        for id in &self.accepted {
            let run = self.outside.look(&format!("workflow-runs/{id}")).await.unwrap_or_default();
            if run["data"]["state"] != "ended" {
                return true;
            }
        }
        false
    }

    async fn judge(&mut self) -> Result<()> {
        let sql = "select id, coalesce(outcome, state), step from workflow_runs";
        let runs = self.stage.rows(sql).await?;
        let rows = self.stage.rows("select run_id, state, nth from workflow_steps").await?;
        let record = &mut self.record;
        record.runs = runs.len() as u64;
        record.recorded = rows.len() as u64;
        let mut lost = Vec::new();
        for (id, outcome, step) in runs.iter().filter(|it| it.1 != "ok") {
            lost.push(format!("{id} is `{outcome}` at step {step}"));
        }
        let there: BTreeSet<_> = runs.iter().map(|it| it.0.as_str()).collect();
        for id in self.accepted.iter().filter(|it| !there.contains(it.as_str())) {
            lost.push(format!("{id} is not there"));
        }
        record.lost = lost.len() as u64;
        if !lost.is_empty() {
            lost.truncate(LOST_NAMED_MAX);
            record.breaches.push(format!("lost: {}", lost.join("; ")));
        }
        for (run, state, nth) in rows {
            let place = (run, usize::try_from(nth).unwrap_or(usize::MAX));
            if state != "ok" || !self.ledger.has(&place) {
                let (run, nth) = place;
                record.breaches.push(format!("step {nth} of {run} is `{state}`, and was not done"));
            }
        }
        if record.recorded != record.runs * STEPS as u64 {
            record.breaches.push("not every step of every run is recorded".to_owned());
        }
        let sum = self.ledger.sum();
        (record.done, record.again, record.repeated) = (sum.done, sum.again, sum.repeated);
        record.breaches.extend(sum.breaches);
        Ok(())
    }
}

/// Each step asks the ledger for a mark, with what the step before it was given.
fn workflow(ledger: &str) -> String {
    let mut text = "name: torture\ntrigger: { call: {} }\nsteps:\n".to_owned();
    for nth in 0..STEPS {
        let before = match nth.checked_sub(1) {
            None => "'-'".to_owned(),
            Some(nth) => format!("steps.s{nth}.$return_value"),
        };
        let _ = write!(
            text,
            "  - name: s{nth}
    retries: {{ times: 5, wait: 200ms }}
    code: |
      export default async ({{ steps, $ }}) => {{
        const key = $.context.idempotency_key.replace('/', '-');
        const it = await fetch(`{ledger}/${{$.context.id}}/{nth}/${{key}}/${{{before}}}`);
        if (!it.ok) throw new Error(`the ledger says ${{it.status}}`);
        return it.text();
      }};
"
        );
    }
    text
}
