//! A run that is due: step after step under one lease, each recorded before the next.

use std::sync::Arc;

use serde_json::Value;

use super::record::{self, Next};
use super::sealed::{Given, Memory, Seal, Tried, Wait};
use super::step::{Done, Failed, Ran, Turn, so_far};
use super::store::runs;
use super::store::steps::StepRow;
use super::work::LEASE_MS;
use super::{
    Definition, Outcome, RETRY_WAIT_MS_MAX, Run, State, Step, TRIES_KEPT_MAX, TRY_BYTES_MAX,
    Throttle, begin, missing, store,
};
use crate::app::App;
use crate::components::outcome::Observation;
use crate::db::Tx;
use crate::error::Result;

/// How long a run is put off that is the next, and has no place yet.
const NOT_YET_MS: i64 = 1_000;
/// The same where an older one waits too. It is called when its turn comes, and looks by itself
/// only in case that whoever should have called it is no more.
const BEHIND_MS: i64 = 10_000;
/// How long whoever takes a run needs at most to see whether it is its turn.
const TAKEN_MS_MAX: i64 = 2_000;

/// Whether it is a run's turn.
#[derive(Clone, Copy)]
enum Place {
    Taken,
    /// Not before that time.
    At(i64),
}

/// A run as it was read, with what is needed to go on with it.
struct Going {
    run: Run,
    seal: Seal,
    memory: Memory,
    definition: Definition,
}

/// Goes on with a run until it ends, waits, or belongs to another.
///
/// # Errors
/// Of the store: nothing more was written, and the run is due again once its lease ends.
pub(super) async fn go_on(app: &Arc<App>, run: Run, fence: i64) -> Result<()> {
    let project = &run.tenant.project;
    let of = (&run.workflow, run.version);
    let definition = store::definition(&app.db, project, of).await?.ok_or_else(missing)?;
    let (tenant, id) = (run.tenant.clone(), run.id.clone());
    let mut now = run;
    let mut definition = Some(definition);
    loop {
        let seal = Seal::of(app, &now).await?;
        let memory = seal.memory(&now)?;
        let Some(it) = definition.take() else { return Ok(()) };
        let mut going = Going { run: now, seal, memory, definition: it };
        if !Box::pin(going.turn(app, fence)).await? {
            return Ok(());
        }
        definition = Some(going.definition);
        let Some(next) = runs::find(&app.db, &tenant, &id).await? else { return Ok(()) };
        if next.state != State::Running {
            return Ok(());
        }
        now = next;
    }
}

impl Going {
    /// One turn. `false`: this process is done with the run for now.
    async fn turn(&mut self, app: &Arc<App>, fence: i64) -> Result<bool> {
        let now_ms = app.clock.now_ms();
        match (self.run.state, self.memory.waits) {
            (State::Ended, _) => return Ok(false),
            (State::Waiting, Some(Wait::Suspend)) => {
                let reason = "Nobody resumed it in time.".to_owned();
                let next = self.same(now_ms).ended(Outcome::Expired, Some(reason));
                return self.write(app, fence, next).await;
            }
            (State::Queued | State::Waiting, _) => return self.admitted(app, fence).await,
            (State::Running, _) => {}
        }
        let nth = usize::try_from(self.run.step).unwrap_or(usize::MAX);
        let Some(step) = self.definition.steps.get(nth).cloned() else {
            let next = self.same(now_ms).ended(Outcome::Ok, None);
            return self.write(app, fence, next).await;
        };
        let turn = Turn {
            app,
            run: &self.run,
            definition: &self.definition,
            step: &step,
            memory: &self.memory,
            steps: so_far(app, &self.seal, &self.run, &self.memory).await?,
        };
        let next = match Box::pin(turn.perform()).await? {
            Done::Later(at_ms) => {
                runs::put_off(&app.db, &self.run, fence, at_ms).await?;
                return Ok(false);
            }
            Done::Skipped => self.over(&step, ("skipped", now_ms, now_ms), &Given::default())?,
            Done::Ran(mut ran) => {
                crate::failpoint::reached("workflow.done");
                let (letters, failed) = (std::mem::take(&mut ran.letters), ran.failed.is_some());
                let next = self.after(&step, *ran)?;
                // A try that is followed by another leaves nothing to be sent: each would send it.
                let again = failed && next.outcome.is_none();
                Next { letters: if again { Vec::new() } else { letters }, ..next }
            }
        };
        self.write(app, fence, next).await
    }

    async fn write(&self, app: &Arc<App>, fence: i64, next: Next) -> Result<bool> {
        let how = (&self.seal, &self.definition);
        record::write(app, (&self.run, Some(fence)), how, next).await
    }

    fn same(&self, now_ms: i64) -> Next {
        Next::same(&self.run, self.memory.clone(), now_ms)
    }

    /// Lets the run go on, if as many may be under way.
    async fn admitted(&self, app: &Arc<App>, fence: i64) -> Result<bool> {
        let now_ms = app.clock.now_ms();
        if !self.has_place(app, fence, now_ms).await? {
            return Ok(false);
        }
        let mut next = self.same(now_ms);
        next.begun += 1;
        if next.memory.waits.take() == Some(Wait::Delay) {
            next.memory.key = begin::new_key();
        }
        self.write(app, fence, next).await
    }

    /// Takes a place for the run, if it is its turn, and else puts it off.
    async fn has_place(&self, app: &Arc<App>, fence: i64, now_ms: i64) -> Result<bool> {
        if !self.definition.holds_back() {
            return Ok(true);
        }
        let mut tx = app.db.begin().await?;
        let turn = self.turn_among_others(&mut tx, now_ms).await?;
        match turn {
            Place::Taken => runs::take_place(&mut tx, &self.run, fence).await?,
            Place::At(at_ms) => runs::put_off_within(&mut tx, &self.run, fence, at_ms).await?,
        }
        tx.commit().await?;
        let taken = matches!(turn, Place::Taken);
        if taken {
            // Whoever takes a place, or leaves it, calls the next.
            runs::call_next(&app.db, &self.run, now_ms).await?;
            app.workflows_due.notify_one();
        }
        Ok(taken)
    }

    /// One at a time looks: the workflow's row is locked.
    async fn turn_among_others(&self, tx: &mut Tx, now_ms: i64) -> Result<Place> {
        let Definition { concurrency, throttle, .. } = &self.definition;
        let (project, workflow) = (&self.run.tenant.project, &self.run.workflow);
        let Some(window) = store::lock(tx, project, workflow).await? else {
            return Ok(Place::At(now_ms + NOT_YET_MS));
        };
        let fresh_lease_ms = now_ms + LEASE_MS - TAKEN_MS_MAX;
        let behind = runs::is_behind(tx, &self.run, (now_ms, fresh_lease_ms)).await?;
        // It is called when its turn comes: whoever is before it takes a place, or has one.
        if behind {
            return Ok(Place::At(now_ms + BEHIND_MS));
        }
        if let Some(most) = concurrency
            && runs::count(tx, project, (workflow, State::Running)).await? >= i64::from(*most)
        {
            return Ok(Place::At(now_ms + NOT_YET_MS));
        }
        // What was begun once is counted.
        let begins = self.run.started_at_ms.is_none();
        match throttle.filter(|_| begins).map(|it| counted(it, window, now_ms)).transpose() {
            Err(at_ms) => return Ok(Place::At(at_ms)),
            Ok(None) => {}
            Ok(Some(window)) => store::set_window(tx, project, workflow, window).await?,
        }
        Ok(Place::Taken)
    }

    /// How the run stands after a step was run.
    fn after(&self, step: &Step, ran: Ran) -> Result<Next> {
        let times = (ran.started_ms, ran.ended_ms);
        let kind = ran.flow["kind"].as_str().unwrap_or_default().to_owned();
        let ends = matches!(kind.as_str(), "exit" | "end");
        if let (Some(failed), false) = (&ran.failed, ends) {
            let next = self.failed(step, (failed, &ran.given), times)?;
            // What was to be told at the end is told by the last try.
            let last = next.outcome.is_some();
            let said = ran.responded.into_iter().filter(|it| last || it["immediate"] == true);
            return Ok(next.answering(said));
        }
        let ms = ran.flow["ms"].as_i64().unwrap_or(1);
        let most = ran.flow["retries"].as_i64().unwrap_or_default();
        if kind == "rerun" && self.run.reruns < most {
            let mut next = self.same(ran.ended_ms).waiting(Wait::Rerun, ran.ended_ms + ms);
            next.memory.tried.push(tried(&ran.given, times));
            cut_tries(&mut next.memory.tried);
            next.memory.context = ran.flow["context"].clone();
            next.memory.callback = Value::Null;
            next.reruns += 1;
            return Ok(next.answering(ran.responded.into_iter()));
        }
        let word = if ran.failed.is_some() { "failed" } else { "ok" };
        let next = self.over(step, (word, times.0, times.1), &ran.given)?;
        let next = next.answering(ran.responded.into_iter());
        Ok(match kind.as_str() {
            "exit" => next.ended(Outcome::Exit, text(&ran.flow["reason"])),
            "end" => next.ended(Outcome::Exit, text(&ran.flow["message"])),
            "suspend" => next.waiting(Wait::Suspend, ran.ended_ms.saturating_add(ms)).unbegun(),
            "delay" => next.waiting(Wait::Delay, ran.ended_ms.saturating_add(ms)).unbegun(),
            _ => next,
        })
    }

    /// The step is recorded, and the next one comes.
    fn over(
        &self,
        step: &Step,
        (state, started_at_ms, ended_at_ms): (&str, i64, i64),
        given: &Given,
    ) -> Result<Next> {
        let nth = self.run.step;
        let tried = &self.memory.tried;
        let sealed = if tried.is_empty() {
            self.seal.seal_given(&self.run.id, nth, given)?
        } else {
            let given = Given { tried: tried.clone(), ..given.clone() };
            self.seal.seal_given(&self.run.id, nth, &given)?
        };
        let row = StepRow {
            nth,
            name: step.name.clone(),
            state: state.to_owned(),
            tries: self.run.begun.max(1),
            started_at_ms,
            ended_at_ms,
            sealed,
        };
        let mut next = self.same(ended_at_ms);
        next.step = nth + 1;
        next.failures = 0;
        next.reruns = 0;
        // Whoever has the lease goes on with it at once.
        next.begun = 1;
        next.memory.tried = Vec::new();
        next.memory.context = Value::Null;
        next.memory.callback = Value::Null;
        next.recorded = Some(row);
        Ok(next)
    }

    fn failed(
        &self,
        step: &Step,
        (failed, given): (&Failed, &Given),
        (started_ms, ended_ms): (i64, i64),
    ) -> Result<Next> {
        let failures = self.run.failures;
        if failed.passing && failures < i64::from(step.retries.times) {
            let doubled = failures.clamp(0, 16).cast_unsigned();
            let wait_ms = (step.retries.wait_ms << doubled).min(RETRY_WAIT_MS_MAX);
            let mut next = self.same(ended_ms).waiting(Wait::Retry, ended_ms + wait_ms);
            next.failures = failures + 1;
            next.memory.again_at_ms = ended_ms + wait_ms;
            next.memory.tried.push(tried(given, (started_ms, ended_ms)));
            cut_tries(&mut next.memory.tried);
            return Ok(next);
        }
        let mut next = self.over(step, ("failed", started_ms, ended_ms), given)?;
        next.memory.error = Some(failed.error.clone());
        let reason = format!("Step `{}` failed.", step.name);
        Ok(next.ended(Outcome::Failed, Some(reason)))
    }
}

impl Next {
    fn waiting(mut self, what: Wait, until_ms: i64) -> Self {
        self.state = State::Waiting;
        self.memory.waits = Some(what);
        self.due_at_ms = until_ms;
        self
    }

    /// The step that is next is begun when the wait is over.
    fn unbegun(mut self) -> Self {
        self.begun = 0;
        self
    }

    /// The first answer is the one that counts.
    fn answering(mut self, mut responded: impl Iterator<Item = Value>) -> Self {
        if let (None, Some(first)) = (&self.memory.respond, responded.next()) {
            self.memory.respond_now = first["immediate"] == true;
            self.memory.respond = Some(first);
        }
        self
    }
}

/// What is kept of a try that another one follows: of much, the end, since failures stand there.
fn tried(given: &Given, (started_at_ms, ended_at_ms): (i64, i64)) -> Tried {
    let bytes = |it: &Observation| serde_json::to_string(it).map_or(0, |it| it.len());
    let mut left = TRY_BYTES_MAX;
    let mut fits = |bytes: usize| {
        left = left.saturating_sub(bytes);
        left > 0
    };
    let mut log: Vec<_> =
        given.log.iter().rev().take_while(|it| fits(bytes(it))).cloned().collect();
    if log.len() < given.log.len() {
        let text =
            format!("{} earlier lines of this try are not kept.", given.log.len() - log.len());
        let k = "grantkeep".to_owned();
        log.push(Observation { k, ts: started_at_ms, msg: Some(text), err: None });
    }
    log.reverse();
    let calls = given.calls.iter().take_while(|it| fits(it.to_string().len())).cloned().collect();
    let error = given.error.clone().filter(|it| fits(it.to_string().len()));
    Tried { started_at_ms, ended_at_ms, log, error, calls }
}

/// The latest are kept.
fn cut_tries(all: &mut Vec<Tried>) {
    let more = all.len().saturating_sub(TRIES_KEPT_MAX);
    all.drain(..more);
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The window with one more run in it, or when there is a place again.
fn counted(it: Throttle, (from_ms, runs): (i64, i64), now_ms: i64) -> Result<(i64, i64), i64> {
    let end_ms = from_ms.saturating_add(it.per_ms);
    if now_ms >= end_ms {
        return Ok((now_ms, 1));
    }
    if runs < i64::from(it.runs) { Ok((from_ms, runs + 1)) } else { Err(end_ms) }
}
