//! What is measured, a file each.

mod memory;
mod page;
mod proxy;
mod refresh;
mod run;
mod start;
mod timers;
mod vend;

use std::path::PathBuf;
use std::time::Duration;

use grantkeep_torture::progress::note;
use grantkeep_torture::trouble::{Doing, Result, Trouble};

use crate::Run;
use crate::record::Record;
use crate::stage::{Engine, Stage, Wanted};
use crate::upstream::Upstream;

const NAMES: [&str; 8] = ["vend", "proxy", "run", "timers", "refresh", "start", "memory", "page"];
/// Accounts of the small store.
const FEW: u64 = 1_000;

/// How much of it, and on what.
pub struct Plan {
    pub quick: bool,
    pub server: PathBuf,
    postgres: Option<String>,
    only: Vec<String>,
    pub many: u64,
    pub rounds: usize,
    pub round: Duration,
}

impl Plan {
    pub fn of(run: &Run) -> Result<Self> {
        let unknown = run.only.iter().find(|it| !NAMES.contains(&it.as_str()));
        if let Some(name) = unknown {
            return Err(Trouble(format!(
                "no such measure: {name}. There are {}",
                NAMES.join(", ")
            )));
        }
        let server = run.server.canonicalize().doing(&format!("{}", run.server.display()))?;
        if !run.quick && run.postgres.is_none() {
            return Err(Trouble(
                "the whole benchmark wants --postgres; --quick does without".to_owned(),
            ));
        }
        Ok(Self {
            quick: run.quick,
            server,
            postgres: run.postgres.clone().filter(|_| !run.quick),
            only: run.only.clone(),
            many: run.accounts,
            rounds: if run.quick { 3 } else { 5 },
            round: Duration::from_secs(if run.quick { 1 } else { 3 }),
        })
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|it| it == name)
    }

    fn engines(&self) -> Vec<Engine> {
        let postgres = self.postgres.as_ref().map(|_| Engine::Postgres);
        [Engine::Sqlite].into_iter().chain(postgres).collect()
    }

    async fn stage(&self, upstream: &Upstream, wanted: (Engine, u64, bool)) -> Result<Stage> {
        let (engine, accounts, expired) = wanted;
        note(&format!("making {accounts} accounts on {}", engine.name()));
        Stage::make(&Wanted {
            engine,
            accounts,
            expired,
            program: &self.server,
            postgres: self.postgres.as_deref(),
            upstream,
        })
        .await
    }
}

/// Measures all that the plan wants, one after the other: they share the cores.
pub async fn all(plan: &Plan, record: &mut Record) -> Result<()> {
    let upstream = Upstream::start(None).await?;
    let stores = ["vend", "proxy", "run", "start", "memory"].into_iter().any(|it| plan.wants(it));
    for engine in plan.engines().into_iter().filter(|_| stores) {
        let few = plan.stage(&upstream, (engine, FEW, false)).await?;
        if engine == Engine::Sqlite {
            if plan.wants("memory") {
                memory::measure(&few, record).await?;
            }
            if plan.wants("proxy") {
                note("proxy");
                proxy::measure(plan, (&few, &upstream), record).await?;
            }
            if plan.wants("run") {
                note("runs of an action");
                run::measure(plan, &few, record).await?;
            }
        }
        if plan.wants("vend") || plan.wants("start") {
            let many = plan.stage(&upstream, (engine, plan.many, false)).await?;
            if plan.wants("start") {
                start::measure(plan, (&many, engine), record).await?;
            }
            if plan.wants("vend") {
                note(&format!("vend on {}", engine.name()));
                vend::measure(plan, (engine, &few, &many), record).await?;
            }
        }
    }
    // They are due with a minute of the clock, three times over.
    if plan.wants("timers") && (!plan.quick || !plan.only.is_empty()) {
        let stage = plan.stage(&upstream, (Engine::Sqlite, 1, false)).await?;
        timers::measure(&stage, record).await?;
    }
    if plan.wants("refresh") {
        note("refresh");
        let count = refresh::ACCOUNTS;
        let stage = plan.stage(&upstream, (Engine::Sqlite, count, true)).await?;
        refresh::measure((&stage, &upstream), record).await?;
    }
    if plan.wants("page") {
        note("connect page");
        page::measure(plan, &upstream, record).await?;
    }
    Ok(())
}
