//! The attacks that matter for a broker of grants, tried over HTTP against a deployment of one's
//! own. Nobody signs in at an app, and no code is ever sent to one.
//!
//! Every attack stands in [`ATTACKS`] with its source. It looks at what the server answers, so it
//! says as much of a server behind proxies as of one alone.

mod answers;
mod client;
mod doors;
mod handover;
mod pages;
mod stage;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::config::Config;
use stage::Stage;

pub use client::{REQUESTS_MAX, Trouble};
pub use stage::Target;

/// What became of one attack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    Held,
    /// It works, because the project's settings say that it may.
    Permitted(String),
    NotHeld(String),
    /// Nothing here that could be attacked in this way.
    NotApplicable(String),
}

impl Verdict {
    /// Held when `good`, else not, with what was seen instead.
    fn of(good: bool, seen: impl FnOnce() -> String) -> Self {
        if good { Self::Held } else { Self::NotHeld(seen()) }
    }

    pub fn is_breach(&self) -> bool {
        matches!(self, Self::NotHeld(_) | Self::Permitted(_))
    }
}

type Tried<'a> = BoxFuture<'a, Result<Verdict, Trouble>>;

/// One attack.
pub struct Attack {
    /// Stable, for scripts.
    pub id: &'static str,
    /// What an attacker wants.
    pub name: &'static str,
    /// What is done.
    pub tried: &'static str,
    /// Where it is described.
    pub source: &'static str,
    run: for<'a> fn(&'a Stage) -> Tried<'a>,
}

/// An attack with what became of it.
#[derive(Serialize)]
pub struct Finding {
    pub attack: &'static str,
    pub name: &'static str,
    pub tried: &'static str,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub source: &'static str,
}

/// All that was found, and what it took.
#[derive(Serialize)]
pub struct Report {
    pub findings: Vec<Finding>,
    pub requests: u32,
}

/// Every attack, in the order in which they are tried.
pub fn attacks() -> impl Iterator<Item = &'static Attack> {
    [handover::ATTACKS, answers::ATTACKS, pages::ATTACKS, doors::ATTACKS].into_iter().flatten()
}

/// Tries all of them; `progress` is told the name of each before it begins. The throw-away user is
/// deleted at the end.
///
/// # Errors
/// [`Trouble`] when the server cannot be reached, or the set-up is refused.
pub async fn run(
    config: &Config,
    target: Target,
    mut progress: impl FnMut(&'static str),
) -> Result<Report, Trouble> {
    let stage = Stage::set_up(config, target).await?;
    let mut findings = Vec::new();
    for it in attacks() {
        progress(it.name);
        let verdict = match (it.run)(&stage).await {
            Ok(verdict) => verdict,
            Err(Trouble::NotAsked(why)) => Verdict::NotApplicable(why),
            Err(Trouble::Unexpected(why)) => Verdict::NotHeld(why),
            Err(trouble) => {
                stage.clear_away().await;
                return Err(trouble);
            }
        };
        let Attack { id, name, tried, source, .. } = *it;
        findings.push(Finding { attack: id, name, tried, verdict, source });
    }
    stage.clear_away().await;
    Ok(Report { findings, requests: stage.requests() })
}
