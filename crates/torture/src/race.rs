//! Races: several servers on one PostgreSQL are asked for the same account at once, and the
//! provider must see one refresh. Then one of them is frozen in the middle of its exchanges for
//! longer than it may hold them, and comes back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;
use grantkeep_simulator::{Fault, RefreshView, Times, Verdict};
use serde::Serialize;

use crate::chance::Chance;
use crate::judge::story;
use crate::outside::{Outside, Said};
use crate::progress::Progress;
use crate::server::{Server, Start};
use crate::stage::{Account, CLASSES, Engine, Ground, Stage};
use crate::tally::millis;
use crate::trouble::{Doing, Result, Trouble};
use crate::zombies;

/// What the providers say of an access token's life. It counts as fresh for half of it.
const LIFE_S: u64 = 16;
/// From a race until the account may race again: its token is over by then.
const REST: Duration = Duration::from_secs(LIFE_S + 1);
/// A race that took longer says nothing: the token may have been over again.
const RACE_TIME_MAX: Duration = Duration::from_secs(LIFE_S / 2);
/// Accounts that race in turn.
const ACCOUNTS_MAX: u64 = 800;
/// Races at once.
const AT_ONCE: usize = 12;
/// Callers of each server in a race.
const CALLERS: usize = 2;
/// How long a provider takes, so that the others come while it is asked.
const PROVIDER_MS: u64 = 25;
/// Breaches that are kept in words.
const BREACHES_MAX: usize = 50;

/// What is wanted.
pub struct Plan {
    pub nodes: usize,
    pub races: u64,
    /// Exchanges that are frozen.
    pub zombies: u64,
    pub seed: u64,
}

/// What came of the races of one class.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Raced {
    pub races: u64,
    pub callers: u64,
    /// Refreshes that the providers saw.
    pub refreshes: u64,
    /// Races with another number of refreshes than one.
    pub not_one: u64,
    pub overlaps: u64,
    pub illegal: u64,
    /// Callers who got no token, or not the newest.
    pub errors: u64,
    /// Races that took too long to say anything.
    pub void: u64,
    /// From the provider's answer until a caller had the token: the longest, and all in
    /// milliseconds for the share below.
    pub waited_ms_max: u64,
    #[serde(skip)]
    pub waited_ms: Vec<u64>,
    /// Exchanges frozen in the middle, and what became of them.
    pub zombies: u64,
    pub zombies_alive: u64,
    pub lost_explained: u64,
    pub lost: u64,
    pub illegal_in_recovery: u64,
    pub named_ms_max: u64,
}

impl Raced {
    pub fn is_good(&self) -> bool {
        self.not_one == 0
            && self.overlaps == 0
            && self.illegal == 0
            && self.errors == 0
            && self.lost == 0
    }

    pub fn add(&mut self, other: &Self) {
        self.races += other.races;
        self.callers += other.callers;
        self.refreshes += other.refreshes;
        self.not_one += other.not_one;
        self.overlaps += other.overlaps;
        self.illegal += other.illegal;
        self.errors += other.errors;
        self.void += other.void;
        self.waited_ms_max = self.waited_ms_max.max(other.waited_ms_max);
        self.waited_ms.extend(&other.waited_ms);
        self.zombies += other.zombies;
        self.zombies_alive += other.zombies_alive;
        self.lost_explained += other.lost_explained;
        self.lost += other.lost;
        self.illegal_in_recovery += other.illegal_in_recovery;
        self.named_ms_max = self.named_ms_max.max(other.named_ms_max);
    }

    /// The wait that so many percent of the callers did not exceed.
    pub fn waited_ms_at(&self, percent: usize) -> u64 {
        let mut all = self.waited_ms.clone();
        all.sort_unstable();
        let last = all.len().saturating_sub(1);
        all.get(last * percent / 100).copied().unwrap_or(0)
    }
}

/// What came of all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Record {
    pub nodes: usize,
    pub classes: BTreeMap<&'static str, Raced>,
    pub breaches: Vec<String>,
}

impl Record {
    pub fn class(&mut self, class: usize) -> &mut Raced {
        self.classes.entry(CLASSES[class]).or_default()
    }

    pub fn breach(&mut self, account: &Account, text: &str) {
        if self.breaches.len() < BREACHES_MAX {
            let Account { class, id, grant } = account;
            self.breaches.push(format!("{} {id} {grant}: {text}", CLASSES[*class]));
        }
    }

    pub fn is_good(&self) -> bool {
        self.breaches.is_empty() && self.classes.values().all(Raced::is_good)
    }
}

/// The servers of a race, and a caller at each.
pub struct Field {
    pub stage: Stage,
    pub nodes: Vec<(Server, Outside)>,
    pub chance: Chance,
    pub record: Record,
    pub progress: Progress,
}

/// # Errors
/// What keeps the harness from working.
pub async fn run(ground: &Ground, plan: &Plan, progress: &Progress) -> Result<Record> {
    let stage = Stage::open(ground, Engine::Postgres).await?;
    let wanted = usize::try_from(plan.races.min(ACCOUNTS_MAX)).unwrap_or(1);
    let classes: Vec<_> = (0..wanted).map(|nth| nth % CLASSES.len()).collect();
    let accounts = stage.connect(&classes).await?;
    let mut nodes = Vec::new();
    for nth in 0..plan.nodes {
        let (recipe, outside) = stage.node(nth)?;
        let mut server = recipe.start(None)?;
        if server.ready(&outside).await? == Start::Died {
            return Err(Trouble("a server died before it was ready".to_owned()));
        }
        nodes.push((server, outside));
    }
    let record = Record { nodes: plan.nodes, ..Record::default() };
    let (chance, progress) = (Chance::new(plan.seed), progress.clone());
    let mut field = Field { stage, nodes, chance, record, progress };
    race_all(&mut field, accounts, plan.races).await;
    zombies::run(&mut field, plan.zombies).await?;
    for (server, _) in &mut field.nodes {
        server.kill().await?;
    }
    let Field { stage, record, .. } = field;
    stage.end(false);
    Ok(record)
}

async fn race_all(field: &mut Field, mut accounts: Vec<Account>, races: u64) {
    field.stage.announce_life(LIFE_S);
    field.stage.disturb(&Fault::Delay { ms: PROVIDER_MS }, Times::Always);
    field.chance.shuffle(&mut accounts);
    let mut raced: Vec<(Account, Instant)> =
        accounts.into_iter().map(|it| (it, Instant::now())).collect();
    let mut left = usize::try_from(races).unwrap_or(usize::MAX);
    while left > 0 {
        let batch: Vec<_> = raced.drain(..raced.len().min(left)).collect();
        left -= batch.len();
        let finished: Vec<_> = {
            let this = &*field;
            let one = |(account, from): (Account, Instant)| async move {
                tokio::time::sleep_until(from.into()).await;
                let outcome = race(this, &account).await;
                this.progress.step(1);
                (account, Instant::now() + REST, outcome)
            };
            futures::stream::iter(batch).map(one).buffer_unordered(AT_ONCE).collect().await
        };
        for (account, from, (tally, wrong)) in finished {
            field.record.class(account.class).add(&tally);
            for text in wrong {
                field.record.breach(&account, &text);
            }
            raced.push((account, from));
        }
    }
    field.stage.calm();
}

/// One race: callers at every server ask for the account at once.
async fn race(field: &Field, account: &Account) -> (Raced, Vec<String>) {
    let (simulator, provider) = (&field.stage.simulator, CLASSES[account.class]);
    let before = simulator.refreshes(provider, &account.grant, 0).len();
    let begun = Instant::now();
    let callers = field.nodes.iter().flat_map(|(_, it)| std::iter::repeat_n(it, CALLERS));
    let asks = callers.map(|it| async {
        let said = it.vend(&account.id).await;
        (said, simulator.now_ms())
    });
    let heard = join_all(asks).await;
    let list = simulator.refreshes(provider, &account.grant, before);
    let mut raced = Raced { races: 1, callers: heard.len() as u64, ..Raced::default() };
    if begun.elapsed() >= RACE_TIME_MAX {
        raced.void = 1;
        return (raced, Vec::new());
    }
    raced.refreshes = list.len() as u64;
    raced.not_one = u64::from(list.len() != 1);
    raced.overlaps = list.iter().filter(|it| it.overlaps).count() as u64;
    let illegal = |it: &&RefreshView| it.verdict == Verdict::Refused { illegal: true };
    raced.illegal = list.iter().filter(illegal).count() as u64;
    let answered_ms = list.iter().find_map(|it| it.answered_ms).unwrap_or(0);
    let mut tokens = Vec::new();
    let mut wrong = Vec::new();
    for (said, at_ms) in heard {
        let Said::Token(token) = said else {
            raced.errors += 1;
            wrong.push(format!("a caller heard {said:?}"));
            continue;
        };
        tokens.push(token);
        raced.waited_ms.push(at_ms.saturating_sub(answered_ms));
    }
    raced.waited_ms_max = raced.waited_ms.iter().copied().max().unwrap_or(0);
    tokens.dedup();
    if tokens.len() > 1 {
        raced.errors += 1;
        wrong.push("callers got different tokens".to_owned());
    }
    if raced.not_one + raced.overlaps + raced.illegal > 0 {
        wrong.push(format!("one race, these refreshes: {}", story(&list)));
    }
    (raced, wrong)
}

/// Waits for what a spawned caller heard.
pub async fn joined(task: tokio::task::JoinHandle<Said>) -> Result<Said> {
    task.await.doing("a caller ended badly")
}

/// Time since, in milliseconds.
pub fn since(then: Instant) -> u64 {
    millis(then.elapsed())
}
