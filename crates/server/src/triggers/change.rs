//! Changing a deployed trigger: its name, what it is configured with, and whether it is on.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::code::{self, Running};
use super::commit::{self, Cause, Good};
use super::dedupe::{Dedupe, Emit};
use super::deploy::{Plan, check_values, given, plans};
use super::failed::{self, Trouble};
use super::lease::{self, Lease};
use super::sealed::{Seal, Spot};
use super::state::Session;
use super::store::{self, calls, interfaces};
use super::{
    Configured, FAILURES_MAX, Interface, NAME_CHARS_MAX, NEVER, Schedule, State, Trigger, Wakes,
    field, missing,
};
use crate::app::App;
use crate::callers::Caller;
use crate::components::{Component, Prepared};
use crate::error::{self, Error, Result};
use crate::ids::Emitter;

/// What to write; `None` leaves as it is.
#[derive(Default)]
pub struct Change {
    pub active: Option<bool>,
    /// All values, in the place of those before. Those that the server provides stay.
    pub configured: Option<Map<String, Value>>,
    pub name: Option<String>,
    pub emit_on_deploy: Option<bool>,
}

/// Changes it. With other values, the `deactivate` hook runs with those of before and the
/// `activate` hook with the new ones.
///
/// # Errors
/// As for deploying. When `deactivate` fails, nothing was changed; when `activate` fails, the
/// trigger is paused with its new values. To switch it off always succeeds.
pub async fn change(
    app: &Arc<App>,
    caller: &Caller,
    trigger: &Trigger,
    change: Change,
) -> Result<Trigger> {
    if let Some(name) = &change.name {
        let good = !name.trim().is_empty() && !name.chars().any(char::is_control);
        if !good || name.chars().count() > NAME_CHARS_MAX {
            let text = format!("A name has 1 to {NAME_CHARS_MAX} visible characters.");
            return Err(field("name", text));
        }
    }
    let (trigger, lease) = lease::take(app, trigger).await?;
    let done = apply(app, caller, (&trigger, lease), change);
    let done = lease::holding(app, &trigger, lease, done).await;
    if let Err(error) = done.unwrap_or_else(|| Err(error::TRIGGER_BUSY.into())) {
        lease::give_back(app, &trigger, lease).await;
        return Err(error);
    }
    store::find(&app.db, &trigger.tenant, &trigger.id).await?.ok_or_else(missing)
}

/// What a change comes to.
struct Aim<'a> {
    app: &'a Arc<App>,
    caller: &'a Caller,
    trigger: &'a Trigger,
    lease: Lease,
    seal: Seal,
    all: Vec<Interface>,
    former: Configured,
    now: Configured,
    /// Timers that are set anew.
    timers: Vec<(Interface, Schedule)>,
    /// How it is to stand, and whether somebody said so.
    state: State,
    wished: bool,
    /// Whether it has other values from now on.
    anew: bool,
}

async fn apply(
    app: &Arc<App>,
    caller: &Caller,
    (trigger, lease): (&Trigger, Lease),
    change: Change,
) -> Result<()> {
    let seal = Seal::of(app, trigger).await?;
    let former = code::configured(&seal, trigger)?;
    let all = interfaces::of(&app.db, trigger).await?;
    let component = code::component(app, trigger).await;
    let (now, timers) = match &change.configured {
        None => (former.clone(), Vec::new()),
        Some(values) => newly(&former, &component.clone()?, &all, values)?,
    };
    let state = match change.active {
        Some(true) => State::Active,
        Some(false) => State::Inactive,
        None => trigger.state,
    };
    let (anew, wished) = (change.configured.is_some(), change.active.is_some());
    let aim =
        Aim { app, caller, trigger, lease, seal, all, former, now, timers, state, wished, anew };
    let session = Session::open(app, &aim.seal, trigger).await?;
    let fresh = match (trigger.kind, component) {
        (Emitter::Source, Ok(component)) => {
            let fresh = aim.checked(component.clone()).await?;
            aim.end_former(component, &session).await?;
            fresh
        }
        (_, Err(error)) if state == State::Active => return Err(error),
        _ => None,
    };
    aim.write(change).await?;
    aim.begin(fresh, &session).await
}

/// What it is configured with from now on, and the timers that change with it.
fn newly(
    former: &Configured,
    component: &Component,
    all: &[Interface],
    values: &Map<String, Value>,
) -> Result<(Configured, Vec<(Interface, Schedule)>)> {
    let props = former.dynamic.as_deref().unwrap_or(&component.described.props);
    check_values(props, values)?;
    let mut timers = Vec::new();
    for plan in plans(props, values)? {
        let Plan::Timer { prop, schedule } = plan else { continue };
        let known = all.iter().find(|it| it.prop == prop);
        let Some(known) = known else { continue };
        let Wakes::Timer { schedule: former, .. } = &known.wakes else { continue };
        // A timer that is not named keeps its times.
        if values.contains_key(&prop) && *former != schedule {
            timers.push((known.clone(), schedule));
        }
    }
    let values = given(props, values);
    Ok((Configured { values, dynamic: former.dynamic.clone() }, timers))
}

impl Aim<'_> {
    /// Values as code gets them, with timers as they will be.
    fn values(&self, of: &Configured, with_timers: bool) -> Result<Map<String, Value>> {
        let mut values = code::filled(self.app, &self.seal, of.values.clone(), &self.all)?;
        if with_timers {
            let set = self.timers.iter().map(|(it, to)| (it.prop.clone(), to.shown()));
            values.extend(set);
        }
        Ok(values)
    }

    async fn ready(&self, component: Component, former: bool) -> Result<Prepared> {
        let of = if former { &self.former } else { &self.now };
        let values = self.values(of, !former)?;
        code::ready(self.app, self.trigger, self.caller, (component, of, values)).await
    }

    /// Whether its code begins, or begins anew.
    fn starts(&self) -> bool {
        self.state == State::Active && (self.anew || self.trigger.state != State::Active)
    }

    /// The code with its new values, where they are needed: judged before anything is done.
    async fn checked(&self, component: Component) -> Result<Option<Prepared>> {
        let starts = self.starts();
        if !starts && !self.anew {
            return Ok(None);
        }
        let ready = self.ready(component, false).await?;
        Ok(starts.then_some(ready))
    }

    /// Has the code end what it began with its former values.
    async fn end_former(&self, component: Component, session: &Session) -> Result<()> {
        let former = self.trigger.state;
        let stops = match former {
            State::Active => self.anew || self.state != State::Active,
            State::Paused => self.wished,
            State::Deploying | State::Inactive => false,
        };
        if !stops {
            return Ok(());
        }
        let done = async {
            let prepared = self.ready(component, true).await?;
            let (app, trigger) = (self.app, self.trigger);
            Running { app, trigger, prepared: &prepared, session }.hook("deactivate").await
        };
        match done.await {
            Ok(_) => Ok(()),
            // Whoever switches it off wants it off; and what failed before may well fail again.
            Err(error) if self.state != State::Active || former == State::Paused => {
                tracing::info!(trigger = %self.trigger.id, %error, "a deactivate hook failed");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn write(&self, change: Change) -> Result<()> {
        let now_ms = self.app.clock.now_ms();
        let mut row = self.trigger.clone();
        row.name = change.name.unwrap_or(row.name);
        row.emit_on_deploy = change.emit_on_deploy.unwrap_or(row.emit_on_deploy);
        row.updated_at_ms = now_ms;
        row.revision += 1;
        row.sealed = self.seal.seal(Spot::configured(row.id.as_str(), row.revision), &self.now)?;
        let mut tx = self.app.db.begin().await?;
        if !store::update(&mut tx, &row, self.trigger.revision).await? {
            return Err(error::CHANGED_MEANWHILE.into());
        }
        for (it, schedule) in &self.timers {
            let due_at_ms = schedule.after(now_ms).unwrap_or(NEVER);
            interfaces::set_schedule(&mut tx, &it.id, (schedule, due_at_ms, now_ms)).await?;
        }
        if self.state == State::Active && self.trigger.state != State::Active {
            // What it missed while it was off, it missed.
            for it in self.all.iter().filter(|it| self.timers.iter().all(|(at, _)| at.id != it.id))
            {
                let Wakes::Timer { schedule, .. } = &it.wakes else { continue };
                let due_at_ms = schedule.after(now_ms).unwrap_or(NEVER);
                interfaces::set_due(&mut tx, &it.id, due_at_ms).await?;
            }
        }
        if self.state == State::Inactive {
            calls::clear(&mut tx, self.trigger).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Has the code begin with its new values, and says how the trigger stands.
    async fn begin(&self, fresh: Option<Prepared>, session: &Session) -> Result<()> {
        let (app, trigger) = (self.app, self.trigger);
        let mut emits = Vec::<Emit>::new();
        let mut dedupe = Dedupe::None;
        if let Some(prepared) = &fresh {
            dedupe = Dedupe::of(prepared.component.described.dedupe.as_deref());
            let running = Running { app, trigger, prepared, session };
            match running.hook("activate").await {
                Ok(all) => emits = all,
                Err(error) => return self.not_begun(error).await,
            }
        }
        let good = Good { written: session.written(), emits, dedupe, silent: false };
        if fresh.is_none() && self.state == trigger.state {
            return commit::idle(app, trigger, self.lease).await;
        }
        let how = (Some(self.lease), &Cause::Person, self.state);
        if commit::good(app, trigger, how, good).await? {
            return Ok(());
        }
        Err(error::TRIGGER_BUSY.into())
    }

    async fn not_begun(&self, error: Error) -> Result<()> {
        let mut trouble = Trouble::of(&error, self.app.clock.now_ms());
        trouble.for_good = true;
        let last = Trigger { failures: FAILURES_MAX - 1, ..self.trigger.clone() };
        let how = (self.lease, &Cause::Person);
        failed::failed(self.app, &last, how, &trouble).await?;
        Err(error)
    }
}
