//! The kill loop: the server dies at every failpoint with every class, and at any moment, while
//! refreshes are under way; each account must come through.

use std::time::Duration;

use grantkeep::failpoint::POINTS;
use grantkeep_simulator::{Endpoint, Fault, Times};

use crate::chance::Chance;
use crate::judge::Journal;
use crate::lane::{End, Lane, NAMED_TIME_MAX};
use crate::progress::Progress;
use crate::server::Server;
use crate::stage::{CLASSES, Engine, Ground, Stage};
use crate::tally::Record;
use crate::trouble::Result;

/// Accounts of each class that are ready before a round begins.
const READY_LEAST: usize = 8;
/// While more than these failpoints and classes are left of a turn, each dies alone in its round.
const RANDOM_FROM: usize = 77;
/// Accounts of each class in one crowd.
const CROWD_EACH: usize = 2;
/// The longest time until a kill at any moment, beyond which a crowd is served; and during a start.
const ANY_TIME_MS_MAX: usize = 250;
/// How long providers hold their answers back while the store goes away, and how long it is away:
/// longer than the server waits for it.
const HELD_MS: u64 = 200;
const AWAY: Duration = Duration::from_millis(700);
const START_MS_MAX: usize = 90;

/// What is wanted of the kill loop.
#[derive(Clone)]
pub struct Plan {
    pub kills: u64,
    pub engines: Vec<Engine>,
    /// Lanes for each engine.
    pub lanes: usize,
    pub seed: u64,
    /// Stop at the first breach.
    pub first: bool,
}

/// Runs it; a record for each engine.
///
/// # Errors
/// What keeps the harness from working, such as a server that does not start.
pub async fn run(
    ground: &Ground,
    plan: &Plan,
    progress: &Progress,
) -> Result<Vec<(Engine, Record)>> {
    let lanes = plan.engines.iter().flat_map(|it| std::iter::repeat_n(*it, plan.lanes));
    let lanes: Vec<_> = lanes.collect();
    let count = lanes.len().max(1) as u64;
    let chance = Chance::new(plan.seed);
    let all = lanes.iter().enumerate().map(|(nth, engine)| {
        let nth = nth as u64;
        let kills = plan.kills / count + u64::from(nth < plan.kills % count);
        let (ground, progress) = (ground.clone(), progress.clone());
        let (engine, chance) = (*engine, chance.branch(nth));
        let plan = Plan { kills, ..plan.clone() };
        async move { lane(&ground, engine, (chance, progress), &plan).await }
    });
    let mut records: Vec<(Engine, Record)> = Vec::new();
    for (done, engine) in futures::future::join_all(all).await.into_iter().zip(&lanes) {
        let record = done?;
        match records.iter_mut().find(|(it, _)| it == engine) {
            Some((_, all)) => all.add(record),
            None => records.push((*engine, record)),
        }
    }
    Ok(records)
}

async fn lane(
    ground: &Ground,
    engine: Engine,
    (chance, progress): (Chance, Progress),
    plan: &Plan,
) -> Result<Record> {
    let stage = Stage::open(ground, engine).await?;
    let mut lane = Lane::new(stage, chance, progress)?;
    let done = kill(&mut lane, plan).await;
    let Lane { stage, record, .. } = lane;
    stage.end(done.is_err());
    done.map(|()| record)
}

async fn kill(lane: &mut Lane, plan: &Plan) -> Result<()> {
    let mut solos = Vec::new();
    // A failpoint that was not come by has another chance.
    let goes_on = |it: &Record| {
        let enough = if all_seen(it) { plan.kills } else { 2 * plan.kills };
        it.kills < enough && (!plan.first || it.is_good())
    };
    while goes_on(&lane.record) {
        if solos.is_empty() {
            solos = all_solos(&mut lane.chance);
        }
        lane.refill(READY_LEAST).await?;
        let alone = solos.len() > RANDOM_FROM || !lane.chance.one_in(5);
        let solo = if alone { solos.pop() } else { None };
        round(lane, solo).await?;
    }
    if plan.first && !lane.record.is_good() {
        return Ok(());
    }
    last_settlement(lane).await
}

/// Whether a server has died at every failpoint.
fn all_seen(record: &Record) -> bool {
    POINTS.into_iter().all(|it| record.by_place.contains_key(it))
}

/// Every failpoint of a refresh with every class; each point comes once before any comes again.
/// The last is the first to be taken.
fn all_solos(chance: &mut Chance) -> Vec<(&'static str, usize)> {
    let mut points = points_of("refresh.");
    let mut classes: Vec<_> = (0..CLASSES.len()).collect();
    chance.shuffle(&mut points);
    chance.shuffle(&mut classes);
    let mut all = Vec::new();
    for turn in 0..classes.len() {
        let each = points.iter().enumerate();
        all.extend(each.map(|(nth, point)| (*point, classes[(turn + nth) % classes.len()])));
    }
    all
}

/// The failpoints whose names begin so.
fn points_of(place: &str) -> Vec<&'static str> {
    POINTS.into_iter().filter(|it| it.starts_with(place)).collect()
}

/// A death by failpoint, then some at any moment, each with the start after it; everything is
/// settled at the end.
async fn round(lane: &mut Lane, solo: Option<(&'static str, usize)>) -> Result<()> {
    let mut pending = None;
    match solo {
        Some((point, class)) => pending = alone(lane, point, class).await?,
        None => in_crowd(lane).await?,
    }
    // Every failpoint has its turn before chance has.
    let strikes = if all_seen(&lane.record) { 2 } else { lane.chance.below(2) };
    for _ in 0..strikes {
        let mut server = restart(lane).await?;
        if let Some(at) = pending.take() {
            lane.see_taken_up(at, &server).await;
        }
        lane.settle(&mut server).await?;
        crowd_at_any_time(lane, &mut server).await?;
    }
    let mut server = restart(lane).await?;
    lane.settle(&mut server).await?;
    server.kill().await
}

/// One refresh alone, so that it is known what died where. Gives the account, if its server died
/// between the intent and the journal.
async fn alone(lane: &mut Lane, point: &'static str, class: usize) -> Result<Option<usize>> {
    let ready = lane.ready(class);
    let at = ready[lane.chance.below(ready.len())];
    if is_of_failure(point) {
        let fault = Fault::Status { status: 500, retry_after_s: None };
        lane.stage.simulator.fault(CLASSES[class], Endpoint::TokenRefresh, fault, Times::Next(1));
    }
    let Some(mut server) = lane.start(Some(point)).await? else { return Ok(None) };
    let journal = Some(journal_at(point));
    let died = lane.strike(&mut server, (&[at], 1), End::At(point), journal).await?;
    lane.stage.calm();
    Ok((died && ["refresh.intended", "refresh.answered"].contains(&point)).then_some(at))
}

/// Whether a refresh comes by only if the provider fails.
fn is_of_failure(point: &str) -> bool {
    ["refresh.judged", "refresh.failed"].contains(&point)
}

/// What is on disk of a provider's answer when the one refresh there is dies at this point.
fn journal_at(point: &str) -> Journal {
    let place = |name: &str| POINTS.iter().position(|it| *it == name);
    if place(point) >= place("refresh.journaled") { Journal::Has } else { Journal::HasNot }
}

/// Many refreshes, and death at the point by the first to come there.
async fn in_crowd(lane: &mut Lane) -> Result<()> {
    let points = points_of("refresh.");
    let point = points[lane.chance.below(points.len())];
    let Some(mut server) = lane.start(Some(point)).await? else { return Ok(()) };
    let batch = crowd(lane);
    if is_of_failure(point) {
        let fault = Fault::Status { status: 500, retry_after_s: None };
        lane.stage.disturb(&fault, Times::Next(1));
    }
    lane.strike(&mut server, (&batch, 1), End::At(point), None).await?;
    lane.stage.calm();
    Ok(())
}

async fn crowd_at_any_time(lane: &mut Lane, server: &mut Server) -> Result<()> {
    let batch = crowd(lane);
    let ms = lane.chance.below(60) as u64 + 1;
    match lane.chance.below(8) {
        0 => lane.stage.disturb(&Fault::LostAnswer, Times::Next(1)),
        1 => lane.stage.disturb(&Fault::Delay { ms }, Times::Next(2)),
        2 => lane.stage.disturb(&Fault::DelayAnswer { ms }, Times::Next(2)),
        3 => lane.stage.disturb(&Fault::SlowDrip { ms: 1 }, Times::Next(1)),
        _ => {}
    }
    let callers = 1 + lane.chance.below(2);
    let time = Duration::from_millis(lane.chance.below(ANY_TIME_MS_MAX) as u64);
    let end = if lane.chance.one_in(8) { store_away(lane) } else { End::After(time) };
    lane.strike(server, (&batch, callers), end, None).await?;
    lane.stage.calm();
    Ok(())
}

/// Answers that come while nothing can be stored.
fn store_away(lane: &Lane) -> End {
    lane.stage.calm();
    lane.stage.disturb(&Fault::DelayAnswer { ms: HELD_MS }, Times::Always);
    End::Blocked(Duration::from_millis(HELD_MS / 2), AWAY)
}

/// Some accounts of every class, in any order.
fn crowd(lane: &mut Lane) -> Vec<usize> {
    let mut batch = Vec::new();
    for class in 0..CLASSES.len() {
        let mut ready = lane.ready(class);
        lane.chance.shuffle(&mut ready);
        batch.extend(ready.into_iter().take(CROWD_EACH));
    }
    lane.chance.shuffle(&mut batch);
    batch
}

/// A server that runs; some die first, at a failpoint of the recovery or at any moment of the
/// start.
async fn restart(lane: &mut Lane) -> Result<Server> {
    let points = points_of("recover.");
    let unseen = points.iter().find(|it| !lane.record.by_place.contains_key(**it)).copied();
    let any = points[lane.chance.below(points.len())];
    let wanted = unseen.or_else(|| lane.chance.one_in(4).then_some(any));
    // Without an answer in a journal, the recovery has nothing to come by.
    if let Some(point) = wanted.filter(|_| lane.has_open_answer())
        && let Some(mut server) = lane.start(Some(point)).await?
    {
        // It takes requests before it has recovered.
        lane.await_death(&mut server, point).await?;
    }
    while lane.chance.one_in(5) {
        let mut server = lane.recipe.start(None)?;
        let ms = lane.chance.below(START_MS_MAX) as u64;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        server.kill().await?;
        lane.died("start").await;
    }
    loop {
        if let Some(server) = lane.start(None).await? {
            return Ok(server);
        }
    }
}

/// Waits for the accounts that rest.
async fn last_settlement(lane: &mut Lane) -> Result<()> {
    let Some(mut server) = lane.start(None).await? else { return Ok(()) };
    let begun = std::time::Instant::now();
    while lane.is_shaken() && begun.elapsed() < NAMED_TIME_MAX * 2 {
        lane.settle(&mut server).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.kill().await
}
