//! A thousand timers that are due in the same second: how long until the last one's code has begun.

use std::time::Duration;

use futures::{StreamExt, stream};
use grantkeep::clock::Clock;
use grantkeep_torture::progress::note;
use grantkeep_torture::trouble::{Doing, Result, Trouble};
use serde_json::{Value, json};

use super::run::node;
use crate::record::{Record, Started};
use crate::stage::{Running, Stage};

/// Timers, and the users that they are of: one user has two hundred at most.
const TIMERS: usize = 1_000;
const USERS: usize = 5;
const SOURCE: &str = include_str!("timer.mjs");
/// Calls of the API at once.
const CALLERS: usize = 4;
/// Between the first call that makes timers and the minute in which they are due.
const MAKING: Duration = Duration::from_secs(30);
/// How often, and how long at most, it is looked for those that did not begin yet.
const LOOK: Duration = Duration::from_secs(5);
const LOOKS_MAX: usize = 60;
const MINUTE_MS: i64 = 60_000;

pub async fn measure(stage: &Stage, record: &mut Record) -> Result<()> {
    let Some(node) = node() else {
        record.left_out("timers", "there is no Node.js on the PATH");
        return Ok(());
    };
    let running = stage.start_with(&[("code_node", node.to_string_lossy().into_owned())]).await?;
    let files = json!({ "files": [{ "path": "timer.mjs", "text": SOURCE }] });
    stage.post(&running.url, "components", &files).await?;
    note("1,000 timers without code");
    let clocks = deployed(stage, &running, ("schedule-custom-interval", "cron", USERS)).await?;
    note("1,000 timers of five users");
    let sources = deployed(stage, &running, ("~/bench-timer", "timer", USERS)).await?;
    note("1,000 timers of 1,000 users");
    let each = deployed(stage, &running, ("~/bench-timer", "timer", TIMERS)).await?;
    record.timers(&clocks, &sources, &each);
    Ok(())
}

/// A minute that begins after so long, and what is due in it alone.
fn minute(after: Duration) -> (i64, String) {
    let millis = i64::try_from(after.as_millis()).unwrap_or(MINUTE_MS);
    let minutes = (Clock::system().now_ms() + millis) / MINUTE_MS + 1;
    (minutes * MINUTE_MS, format!("{} {} * * *", minutes % 60, minutes / 60 % 24))
}

/// Deploys the timers, and waits until each has fired.
async fn deployed(
    stage: &Stage,
    running: &Running,
    (key, prop, users): (&str, &str, usize),
) -> Result<Started> {
    let (due_ms, cron) = minute(MAKING);
    let make = async |nth: usize| {
        let user = format!("{prop}-{users}-{}", nth % users);
        let props = json!({ prop: { "cron": cron } });
        let wish = json!({ "id": key, "external_user_id": user, "configured_props": props });
        let made = stage.post(&running.url, "triggers/deploy", &wish).await?;
        let id = made["data"]["id"].as_str().doing("a trigger's id")?.to_owned();
        Ok::<_, Trouble>(format!("deployed-triggers/{id}/events?n=1&external_user_id={user}"))
    };
    let made = stream::iter(0..TIMERS).map(make).buffer_unordered(CALLERS);
    let made: Vec<_> = made.collect().await;
    let mut left: Vec<String> = made.into_iter().collect::<Result<_>>()?;
    let rest_ms = due_ms - Clock::system().now_ms();
    let rest = u64::try_from(rest_ms).map_err(|_| Trouble("timers took too long to make".into()));
    tokio::time::sleep(Duration::from_millis(rest?)).await;
    let mut at_ms = Vec::new();
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(LOOK).await;
        let looked = stream::iter(left).map(|path| async {
            let event = running.outside.look(&path).await;
            (event.and_then(|it| begun_ms(&it["data"][0])), path)
        });
        let looked: Vec<_> = looked.buffer_unordered(CALLERS).collect().await;
        at_ms.extend(looked.iter().filter_map(|it| it.0));
        left = looked.into_iter().filter(|it| it.0.is_none()).map(|it| it.1).collect();
        if left.is_empty() {
            return Started::of(at_ms, due_ms);
        }
    }
    Err(Trouble(format!("{} of {TIMERS} timers did not fire", left.len())))
}

/// When its code began, or, where it has none, when it emitted.
fn begun_ms(event: &Value) -> Option<i64> {
    event["e"]["at"].as_i64().or_else(|| event["ts"].as_i64())
}
