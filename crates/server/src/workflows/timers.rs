//! Timers: one that is due becomes runs, a run for each user it is for, a page of them at a time.

use std::sync::Arc;

use super::begin::{self, Cause, Start, own_user, stored};
use super::store::{self, Ringing, runs};
use super::{Definition, Entry, QUEUED_MAX, Whom, Workflow, deploy};
use crate::accounts;
use crate::app::App;
use crate::db::Tx;
use crate::error::{self, Result};
use crate::ids::UserId;
use crate::tenant::Tenant;
use crate::triggers::Schedule;
use crate::users;

/// Timers that are looked at in one round, and users whose runs are made in one transaction.
const TIMERS_AT_ONCE: i64 = 100;
const USERS_AT_ONCE: i64 = 100;
/// How long a timer is left alone that cannot be worked off just now.
const LATER_MS: i64 = 10_000;

/// Makes runs of the timers that are due, a page of users of each. Gives how many were made.
pub async fn fire(app: &Arc<App>) -> Result<usize> {
    let due = store::timers_due(&app.db, app.clock.now_ms(), TIMERS_AT_ONCE).await?;
    let mut made = 0;
    for it in due {
        match page(app, &it).await {
            Ok(Some(more)) => made += more,
            // It must not keep the place of one that has room.
            Ok(None) => put_off(app, &it).await?,
            // What its file says cannot be done, and will not be done at another try.
            Err(error) if error.kind().status < 500 => {
                tracing::warn!(workflow = %it.workflow.id, why = error.text(),
                    "a timer starts no run");
                skip(app, &it).await?;
            }
            Err(error) => {
                tracing::error!(workflow = %it.workflow.id, %error, detail = error.log(),
                    "a timer cannot be worked off");
                put_off(app, &it).await?;
            }
        }
    }
    Ok(made)
}

async fn put_off(app: &App, it: &Ringing) -> Result<()> {
    Ok(store::put_off_timer(&app.db, it, app.clock.now_ms() + LATER_MS).await?)
}

/// The next time, after one that is worked off now. However many were missed, they were one.
fn next_ms(schedule: &Schedule, due_at_ms: i64, now_ms: i64) -> i64 {
    schedule.next(due_at_ms, now_ms).unwrap_or(i64::MAX)
}

async fn of(app: &App, it: &Workflow) -> Result<(Definition, Schedule, Whom)> {
    let definition = deploy::definition(app, it, it.version).await?;
    let Entry::Timer { schedule, users } = &definition.entry else {
        return Err(error::INTERNAL.logging("a workflow without a timer has one that is due"));
    };
    let users = users.clone();
    let schedule = Schedule::parse(schedule).map_err(|it| error::INTERNAL.logging(it))?;
    Ok((definition, schedule, users))
}

async fn skip(app: &Arc<App>, it: &Ringing) -> Result<()> {
    let (_, schedule, _) = of(app, &it.workflow).await?;
    let mut tx = app.db.begin().await?;
    let next = next_ms(&schedule, it.due_at_ms, app.clock.now_ms());
    store::set_timer(&mut tx, it, (next, None)).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes the runs of one page of users, and says where to go on, in one transaction. `None`: there
/// is no room for them.
async fn page(app: &Arc<App>, it: &Ringing) -> Result<Option<usize>> {
    let workflow = &it.workflow;
    let (definition, schedule, whom) = of(app, workflow).await?;
    let environment = definition.environment;
    let tenant = Tenant { project: workflow.project.clone(), environment };
    let event = schedule.clock_event(it.due_at_ms);
    let one = match (&whom, &definition.user) {
        (Whom::One, Some(text)) => Some(begin::whom(text, &event).await?),
        (Whom::One, None) => Some(own_user(workflow)),
        _ => None,
    };
    let mut tx = app.db.begin().await?;
    let now_ms = app.clock.now_ms();
    let queued = runs::queued(&mut tx, &workflow.project, &workflow.id).await?;
    let full = queued >= QUEUED_MAX;
    let all = match one {
        // Nothing is done at this time, as where it passed while no server ran.
        Some(_) if full => Vec::new(),
        Some(external_id) => vec![users::ensure(&mut tx, &tenant, &external_id, now_ms).await?],
        // The others have their turn when there is room for them.
        None if queued + USERS_AT_ONCE > QUEUED_MAX => return Ok(None),
        None => next_users(&mut tx, &tenant, &whom, it.after_user.as_ref()).await?,
    };
    let goes_on = whom != Whom::One && all.len() >= usize::try_from(USERS_AT_ONCE).unwrap_or(1);
    let then = match all.last().filter(|_| goes_on) {
        Some(last) => (it.due_at_ms, Some(last.id.clone())),
        None => (next_ms(&schedule, it.due_at_ms, now_ms), None),
    };
    // Whoever says first where to go on makes the runs.
    if !store::set_timer(&mut tx, it, then).await? {
        return Ok(Some(0));
    }
    let mut made = 0;
    for user in all {
        if whom != Whom::One && user.external_id.starts_with(begin::OWN_USER) {
            continue;
        }
        let start = Start {
            cause: Cause::Timer,
            event: event.clone(),
            environment: Some(environment),
            ..Start::default()
        };
        let whose = (user.id, user.external_id);
        stored(app, &mut tx, workflow, (start, tenant.clone()), whose).await?;
        made += 1;
    }
    tx.commit().await?;
    app.workflows_due.notify_one();
    Ok(Some(made))
}

async fn next_users(
    tx: &mut Tx,
    tenant: &Tenant,
    whom: &Whom,
    after: Option<&UserId>,
) -> Result<Vec<users::User>> {
    match whom {
        Whom::App(slug) => accounts::users_of_app(tx, tenant, slug, (after, USERS_AT_ONCE)).await,
        _ => users::after(tx, tenant, (after, USERS_AT_ONCE)).await,
    }
}
