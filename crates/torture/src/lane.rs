//! One lane of the kill loop: a store, its server in life after life, and what is known of each
//! account.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use grantkeep_simulator::{RefreshView, Verdict};
use grantkeep_vault::token;

use crate::chance::Chance;
use crate::judge::{Books, Journal, Shock, Survival, story};
use crate::kept::Kept;
use crate::outside::{Outside, Said};
use crate::progress::Progress;
use crate::server::{Recipe, Server, Start};
use crate::stage::{Account, CLASSES, Stage};
use crate::tally::{Record, millis};
use crate::trouble::{Doing, Result};

/// An account that was shaken must give a working token or be named dead within this time.
pub const NAMED_TIME_MAX: Duration = Duration::from_mins(1);
/// An exchange whose outcome nobody knows must be taken up this soon after a restart.
const TAKEN_UP_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(10);
/// A server that should kill itself has this long after its last answer.
const DEATH_TIME_MAX: Duration = Duration::from_secs(1);
/// What a dead server wrote into its sockets is read within this time; the next one needs longer
/// until it can send. The second part is in the future of the kill.
const LAST_WORDS: (Duration, u64) = (Duration::from_millis(5), 10);
/// After this time an answer that was received must be on disk.
const JOURNALED_MS_MAX: u64 = 5_000;
/// Accounts settled at once.
const SETTLED_AT_ONCE: usize = 8;
/// Vends until one of them made a refresh.
const VENDS_MAX: usize = 4;

/// An account, and how far it was looked at.
pub struct Watched {
    pub account: Account,
    /// Refreshes that are counted already, and the last of them.
    counted: usize,
    last: Option<RefreshView>,
    shocks: Vec<Shock>,
    /// Since when it has to be settled, and not before when.
    shaken: Option<Instant>,
    not_before: Option<Instant>,
    gone: bool,
}

impl Watched {
    fn new(account: Account) -> Self {
        Self {
            account,
            counted: 0,
            last: None,
            shocks: Vec::new(),
            shaken: None,
            not_before: None,
            gone: false,
        }
    }

    pub fn is_ready(&self) -> bool {
        !self.gone && self.shaken.is_none()
    }
}

/// How a life ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// At this failpoint, by its own hand.
    At(&'static str),
    /// After this time, by ours.
    After(Duration),
    /// By ours, after the store was away for the second of these times, from the first on.
    Blocked(Duration, Duration),
}

pub struct Lane {
    pub stage: Stage,
    pub recipe: Recipe,
    pub outside: Outside,
    pub watched: Vec<Watched>,
    pub chance: Chance,
    pub record: Record,
    pub progress: Progress,
    /// The server's data folder, and what was in its journal when it last died.
    data: PathBuf,
    kept: Kept,
}

/// What asking for a shaken account showed.
enum Proof {
    Alive,
    Dead(String),
    Later(Instant),
    Wrong(String),
}

impl Lane {
    pub fn new(stage: Stage, chance: Chance, progress: Progress) -> Result<Self> {
        let (recipe, outside) = stage.node(0)?;
        // Over at once by what the provider says, so that every vend refreshes.
        stage.announce_life(0);
        let (watched, record) = (Vec::new(), Record::default());
        let (data, kept) = (stage.data(0), Kept::default());
        Ok(Self { stage, recipe, outside, watched, chance, record, progress, data, kept })
    }

    /// Makes accounts where a class has fewer than `least` that are ready. No server may run.
    pub async fn refill(&mut self, least: usize) -> Result<()> {
        let mut classes = Vec::new();
        for class in 0..CLASSES.len() {
            let ready = self.ready(class).len();
            if ready < least {
                classes.extend(std::iter::repeat_n(class, 2 * least - ready));
            }
        }
        let made = self.stage.connect(&classes).await?;
        self.watched.extend(made.into_iter().map(Watched::new));
        Ok(())
    }

    pub fn ready(&self, class: usize) -> Vec<usize> {
        let fits = |it: &Watched| it.account.class == class && it.is_ready();
        (0..self.watched.len()).filter(|at| fits(&self.watched[*at])).collect()
    }

    /// Starts a server. `None`: it killed itself before it was ready.
    pub async fn start(&mut self, failpoint: Option<&'static str>) -> Result<Option<Server>> {
        let text = failpoint.map(|it| format!("{it}:1"));
        let mut server = self.recipe.start(text.as_deref())?;
        match server.ready(&self.outside).await? {
            Start::Ready => Ok(Some(server)),
            Start::Died => {
                let point =
                    failpoint.doing("the server died though nobody killed it; see its log")?;
                self.died(point).await;
                Ok(None)
            }
        }
    }

    /// Has each of `batch` asked for by so many callers at once, and the server die meanwhile.
    /// `promised`: what must be on its disk afterwards, for a batch of one. `false`: it did not
    /// come by its failpoint.
    pub async fn strike(
        &mut self,
        server: &mut Server,
        (batch, callers): (&[usize], usize),
        end: End,
        promised: Option<Journal>,
    ) -> Result<bool> {
        let mut by_itself = true;
        let asked = ask(&self.outside, &self.watched, batch, callers);
        let said = match end {
            End::At(point) => {
                let said = asked.await;
                by_itself = self.await_death(server, point).await?;
                said
            }
            End::After(time) => {
                let kill = async {
                    tokio::time::sleep(time).await;
                    server.kill().await
                };
                let (said, killed) = futures::join!(asked, kill);
                killed?;
                self.died("any time").await;
                said
            }
            End::Blocked(from, time) => {
                let block = async {
                    tokio::time::sleep(from).await;
                    self.stage.block(time).await
                };
                let (said, blocked) = futures::join!(asked, block);
                blocked?;
                server.kill().await?;
                self.died("store away").await;
                said
            }
        };
        self.hear(batch, callers, &said, promised);
        Ok(by_itself)
    }

    /// Waits until the server dies at the point. `false`: it did not come by, and was killed.
    pub async fn await_death(&mut self, server: &mut Server, point: &'static str) -> Result<bool> {
        if let Ok(ended) = tokio::time::timeout(DEATH_TIME_MAX, server.end()).await {
            ended?;
            self.died(point).await;
            return Ok(true);
        }
        self.record.missed(point);
        server.kill().await?;
        self.died("idle").await;
        Ok(false)
    }

    /// Whether there is an answer in the journal that was not brought to its end.
    pub fn has_open_answer(&self) -> bool {
        self.kept.any_open()
    }

    /// Counts a kill. Accounts that were not settled yet had one more shock.
    pub async fn died(&mut self, place: &str) {
        self.record.killed(place);
        self.progress.step(1);
        tokio::time::sleep(LAST_WORDS.0).await;
        self.kept = Kept::read(&self.data);
        for at in 0..self.watched.len() {
            if self.watched[at].shaken.is_some() {
                let shock = self.shock(at, None);
                self.watched[at].shocks.push(shock);
            }
        }
    }

    fn shock(&self, at: usize, promised: Option<Journal>) -> Shock {
        let now_ms = self.stage.simulator.now_ms();
        let journal = promised.unwrap_or_else(|| self.journal(at, now_ms));
        Shock { over_ms: now_ms + LAST_WORDS.1, journal }
    }

    /// Whether the last answer of the account's provider is on the dead server's disk; or should
    /// be, so long after it left.
    fn journal(&self, at: usize, now_ms: u64) -> Journal {
        let list = self.list(at);
        let granted = list.iter().rev().find_map(|it| match it.verdict {
            Verdict::Granted { at_ms, .. } => Some((at_ms, it.answered_ms)),
            _ => None,
        });
        let Some((at_ms, answered_ms)) = granted else { return Journal::HasNot };
        let late = answered_ms.is_some_and(|it| now_ms.saturating_sub(it) > JOURNALED_MS_MAX);
        let there = self.kept.has(&self.watched[at].account.id, at_ms);
        if there || late { Journal::Has } else { Journal::HasNot }
    }

    /// Takes in what the callers heard. Who did not get a token had a shock.
    fn hear(
        &mut self,
        batch: &[usize],
        callers: usize,
        said: &[(usize, Said)],
        promised: Option<Journal>,
    ) {
        for at in batch {
            let class = self.watched[*at].account.class;
            self.record.class(class).asked += callers as u64;
            let mut all_well = true;
            for (_, it) in said.iter().filter(|(of, _)| of == at) {
                all_well &= matches!(it, Said::Token(_));
                if let Said::Wrong(text) = it {
                    self.record.class(class).wrong += 1;
                    self.complain(*at, text);
                }
            }
            if all_well {
                self.count(*at);
                continue;
            }
            let shock = self.shock(*at, promised);
            let in_journal = self.kept.is_open(&self.watched[*at].account.id);
            let watched = &mut self.watched[*at];
            watched.shocks.push(shock);
            watched.shaken.get_or_insert(Instant::now());
            let tally = self.record.class(class);
            tally.shaken += 1;
            tally.in_journal += u64::from(in_journal);
        }
    }

    fn complain(&mut self, at: usize, text: &str) {
        let Account { class, id, grant } = &self.watched[at].account;
        let engine = self.stage.engine.name();
        self.record.breach(format!("{engine} {} {id} {grant}: {text}", CLASSES[*class]));
    }

    fn list(&self, at: usize) -> Vec<RefreshView> {
        let Watched { account, counted, .. } = &self.watched[at];
        self.stage.simulator.refreshes(CLASSES[account.class], &account.grant, *counted)
    }

    /// Counts the account's refreshes since the last time.
    fn count(&mut self, at: usize) {
        let list = self.list(at);
        let watched = &mut self.watched[at];
        let class = watched.account.class;
        let books = Books { class, before: watched.last.as_ref(), list: &list };
        let wrong = books.count(watched.shocks.first(), self.record.class(class));
        watched.counted += list.len();
        watched.last = list.last().cloned().or(watched.last.take());
        for text in wrong {
            self.complain(at, &text);
        }
    }

    /// Waits until the server takes up by itself what its former life left open: the provider sees
    /// it, though nobody asks for the account.
    pub async fn see_taken_up(&mut self, at: usize, server: &Server) {
        // Since then there may have been lives too short to end it, but long enough to take it up.
        let over_ms = self.watched[at].shocks.first().map_or(0, |it| it.over_ms);
        let class = self.watched[at].account.class;
        while server.started.elapsed() < TAKEN_UP_TIME_MAX {
            if self.list(at).iter().any(|it| it.arrived_ms >= over_ms) {
                let tally = self.record.class(class);
                tally.taken_up_ms_max = tally.taken_up_ms_max.max(millis(server.started.elapsed()));
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.record.class(class).wrong += 1;
        self.complain(at, "an exchange of unknown outcome is not taken up unless asked for");
    }

    /// Whether any account still has to be settled.
    pub fn is_shaken(&self) -> bool {
        self.watched.iter().any(|it| it.shaken.is_some())
    }

    /// Asks for every account that was shaken, and judges it.
    ///
    /// # Errors
    /// The server died, though nobody killed it.
    pub async fn settle(&mut self, server: &mut Server) -> Result<()> {
        let now = Instant::now();
        let due = |it: &Watched| it.shaken.is_some() && it.not_before.is_none_or(|at| at <= now);
        let due: Vec<_> = (0..self.watched.len()).filter(|at| due(&self.watched[*at])).collect();
        let proofs: Vec<_> = {
            let this = &*self;
            let prove = |at| async move { (at, this.prove(at).await) };
            futures::stream::iter(due).map(prove).buffer_unordered(SETTLED_AT_ONCE).collect().await
        };
        for (at, proof) in proofs {
            self.judge(at, proof);
        }
        let lives = (!server.is_dead()).then_some(());
        lives.doing("the server died though nobody killed it; see its log")
    }

    /// Vends until that made a refresh: then the grant lives and is ours.
    async fn prove(&self, at: usize) -> Proof {
        let account = &self.watched[at].account;
        let provider = CLASSES[account.class];
        let over_ms = self.watched[at].shocks.last().map_or(0, |it| it.over_ms);
        for _ in 0..VENDS_MAX {
            let access = match self.outside.vend(&account.id).await {
                Said::Token(access) => access,
                Said::Dead(reason) => return Proof::Dead(reason),
                Said::Later { seconds, .. } => {
                    return Proof::Later(Instant::now() + Duration::from_secs(seconds));
                }
                Said::Wrong(text) => return Proof::Wrong(text),
                // A connection that broke: the next may not.
                Said::Nothing => return Proof::Later(Instant::now()),
            };
            if !self.stage.simulator.call_api(provider, &access) {
                return Proof::Wrong("a token was vended that does not work".to_owned());
            }
            let hash = sha256(&access);
            let made_now = |it: &RefreshView| match &it.verdict {
                Verdict::Granted { access_sha256, .. } => {
                    it.arrived_ms >= over_ms && *access_sha256 == hash
                }
                _ => false,
            };
            if self.list(at).iter().any(made_now) {
                return Proof::Alive;
            }
        }
        Proof::Wrong("tokens are vended, and the refresh token is not tried".to_owned())
    }

    fn judge(&mut self, at: usize, proof: Proof) {
        let since = self.watched[at].shaken.unwrap_or_else(Instant::now);
        let class = self.watched[at].account.class;
        match proof {
            Proof::Later(when) if since.elapsed() < NAMED_TIME_MAX => {
                self.watched[at].not_before = Some(when.min(since + NAMED_TIME_MAX));
                return;
            }
            Proof::Later(_) => {
                self.record.class(class).lost += 1;
                self.complain(at, "neither a working token nor named dead in time");
                self.watched[at].gone = true;
            }
            Proof::Wrong(text) => {
                self.record.class(class).wrong += 1;
                self.complain(at, &text);
                self.watched[at].gone = true;
            }
            Proof::Alive => self.lives(at),
            Proof::Dead(reason) => self.is_dead(at, &reason),
        }
        let tally = self.record.class(class);
        tally.named_ms_max = tally.named_ms_max.max(millis(since.elapsed()));
        self.count(at);
        let watched = &mut self.watched[at];
        (watched.shaken, watched.not_before) = (None, None);
        watched.shocks.clear();
    }

    fn lives(&mut self, at: usize) {
        let list = self.list(at);
        let watched = &self.watched[at];
        let class = watched.account.class;
        let books = Books { class, before: watched.last.as_ref(), list: &list };
        let Some(first) = watched.shocks.first() else { return };
        let survival = books.survival(first);
        let refused = |it: &RefreshView| it.verdict == Verdict::Refused { illegal: true };
        let needless = list.iter().any(refused);
        let tally = self.record.class(class);
        match survival {
            Survival::Untouched => tally.untouched += 1,
            Survival::Kept => tally.kept += 1,
            Survival::Retried => tally.retried += 1,
            Survival::Otherwise => tally.otherwise += 1,
        }
        if needless {
            tally.wrong += 1;
            self.complain(at, "a used token was sent although a better one was there");
        }
    }

    fn is_dead(&mut self, at: usize, reason: &str) {
        let list = self.list(at);
        let watched = &mut self.watched[at];
        watched.gone = true;
        let class = watched.account.class;
        let books = Books { class, before: watched.last.as_ref(), list: &list };
        if books.is_explained(&watched.shocks) {
            self.record.class(class).lost_explained += 1;
            return;
        }
        let text = format!("lost ({reason}): {}; {:?}", story(&list), watched.shocks);
        self.record.class(class).lost += 1;
        self.complain(at, &text);
    }
}

/// Every account asked for by so many callers at once; what each heard.
async fn ask(
    outside: &Outside,
    watched: &[Watched],
    batch: &[usize],
    callers: usize,
) -> Vec<(usize, Said)> {
    let each = batch.iter().flat_map(|at| std::iter::repeat_n(*at, callers));
    let asks: FuturesUnordered<_> =
        each.map(|at| async move { (at, outside.vend(&watched[at].account.id).await) }).collect();
    asks.collect().await
}

/// In hex, as the provider's books have it.
fn sha256(text: &str) -> String {
    use std::fmt::Write as _;
    token::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
