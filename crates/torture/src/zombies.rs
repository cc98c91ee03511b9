//! A server that is frozen while hundreds of its exchanges are under way, and comes back after
//! another has taken them over: what it then holds must not overwrite what is newer.

use std::time::{Duration, Instant};

use futures::StreamExt;
use grantkeep_simulator::{Fault, RefreshView, Times, Verdict};

use crate::judge::{Books, Journal, Shock, story};
use crate::outside::{Outside, Said};
use crate::progress::note;
use crate::race::{Field, joined, since};
use crate::stage::{Account, CLASSES};
use crate::tally::Tally;
use crate::trouble::Result;

/// Exchanges frozen at once.
const BATCH_MAX: u64 = 200;
/// How long the provider holds its answers (or its work) back meanwhile.
const HELD_MS: u64 = 4_000;
/// All of a batch must be at the provider within this time.
const UNDER_WAY_TIME_MAX: Duration = Duration::from_secs(3);
/// An exchange must be named by another server within this time: the lease and its retry.
const NAMED_TIME_MAX: Duration = Duration::from_secs(100);
/// The sleeper is woken after this at the earliest: its leases are over, whoever took them.
const FROZEN_TIME_MIN: Duration = Duration::from_secs(45);
/// Accounts asked for at once.
const AT_ONCE: usize = 64;

/// One exchange that was frozen.
struct Frozen {
    account: Account,
    /// What another server said of it meanwhile.
    said: Said,
    named_ms: u64,
    shock: Shock,
}

/// Freezes so many exchanges, in batches; every second batch before the provider did its work.
pub async fn run(field: &mut Field, count: u64) -> Result<()> {
    if field.nodes.len() < 2 {
        return Ok(());
    }
    field.stage.announce_life(0);
    let mut left = count;
    let mut nth = 0;
    while left > 0 {
        let size = left.min(BATCH_MAX);
        left -= size;
        let held = match nth % 2 {
            0 => Fault::DelayAnswer { ms: HELD_MS },
            _ => Fault::Delay { ms: HELD_MS },
        };
        batch(field, size, &held).await?;
        nth += 1;
    }
    Ok(())
}

async fn batch(field: &mut Field, size: u64, held: &Fault) -> Result<()> {
    let size = usize::try_from(size).unwrap_or(0);
    let classes: Vec<_> = (0..size).map(|nth| nth % CLASSES.len()).collect();
    let accounts = field.stage.connect(&classes).await?;
    let sleeper = field.chance.below(field.nodes.len());
    let other = (sleeper + 1) % field.nodes.len();
    note(&format!("{size} exchanges are frozen on server {sleeper}, {held:?}"));
    let callers = under_way(field, &accounts, sleeper, held).await;
    field.nodes[sleeper].0.freeze()?;
    let frozen = Instant::now();
    // What the provider still does with what it has counts to the sleeper.
    tokio::time::sleep(Duration::from_millis(HELD_MS)).await;
    field.stage.calm();
    // All were held back until after the freeze.
    let shock = Shock { over_ms: field.stage.simulator.now_ms(), journal: Journal::HasNot };
    let outside = field.nodes[other].1.clone();
    let ask = |account: Account| {
        let outside = &outside;
        async move {
            let said = until_named(outside, &account, frozen).await;
            Frozen { account, said, named_ms: since(frozen), shock }
        }
    };
    let all: Vec<_> =
        futures::stream::iter(accounts).map(ask).buffer_unordered(AT_ONCE * 4).collect().await;
    tokio::time::sleep(FROZEN_TIME_MIN.saturating_sub(frozen.elapsed())).await;
    let seen: Vec<_> = all.iter().map(|it| refreshes(field, &it.account, 0)).collect();
    field.nodes[sleeper].0.thaw()?;
    for caller in callers {
        joined(caller).await?;
    }
    let after = prove_everywhere(field, &all).await;
    for ((frozen, list), last) in all.iter().zip(seen).zip(after) {
        judge(field, frozen, &list, &last);
    }
    Ok(())
}

/// Has the sleeper asked for all, and waits until they are at the provider.
async fn under_way(
    field: &Field,
    accounts: &[Account],
    sleeper: usize,
    held: &Fault,
) -> Vec<tokio::task::JoinHandle<Said>> {
    let arrived = |field: &Field| -> u64 {
        CLASSES.iter().map(|it| field.stage.simulator.counters(it).token_refresh).sum()
    };
    field.stage.disturb(held, Times::Always);
    let before = arrived(field);
    let callers = accounts.iter().map(|account| {
        let (outside, id) = (field.nodes[sleeper].1.clone(), account.id.clone());
        tokio::spawn(async move { outside.vend(&id).await })
    });
    let callers = callers.collect();
    let begun = Instant::now();
    while arrived(field) - before < accounts.len() as u64 && begun.elapsed() < UNDER_WAY_TIME_MAX {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    callers
}

/// Asks until there is a token, or the account is dead.
async fn until_named(outside: &Outside, account: &Account, from: Instant) -> Said {
    loop {
        match outside.vend(&account.id).await {
            Said::Later { seconds, .. } if from.elapsed() < NAMED_TIME_MAX => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            said => return said,
        }
    }
}

fn refreshes(field: &Field, account: &Account, first: usize) -> Vec<RefreshView> {
    field.stage.simulator.refreshes(CLASSES[account.class], &account.grant, first)
}

/// Asks every server for every account, one server after the other: each of them refreshes.
async fn prove_everywhere(field: &Field, all: &[Frozen]) -> Vec<Vec<Said>> {
    let mut said: Vec<Vec<Said>> = all.iter().map(|_| Vec::new()).collect();
    for (_, outside) in &field.nodes {
        let ask = |(at, frozen): (usize, &'_ Frozen)| {
            let account = frozen.account.clone();
            async move { (at, until_named(outside, &account, Instant::now()).await) }
        };
        let asks: Vec<_> = all.iter().enumerate().map(ask).collect();
        let heard: Vec<_> = futures::stream::iter(asks).buffer_unordered(AT_ONCE).collect().await;
        for (at, it) in heard {
            said[at].push(it);
        }
    }
    said
}

/// Whether a refresh sends the token that the last grant before it gave.
fn follows(list: &[RefreshView], next: &RefreshView) -> bool {
    let given = list.iter().rev().find_map(|it| match &it.verdict {
        Verdict::Granted { refresh_sha256, .. } => {
            Some(refresh_sha256.as_ref().unwrap_or(&it.sent_sha256))
        }
        _ => None,
    });
    given.is_none_or(|it| *it == next.sent_sha256)
}

/// `list`: the refreshes until the sleeper was woken. `last`: what every server said afterwards.
fn judge(field: &mut Field, frozen: &Frozen, list: &[RefreshView], last: &[Said]) {
    let Frozen { account, said, named_ms, shock } = frozen;
    let (class, provider) = (account.class, CLASSES[account.class]);
    let later = refreshes(field, account, list.len());
    let mut tally = Tally::default();
    let mut wrong = Books { class, before: None, list }.count(Some(shock), &mut tally);
    let books = Books { class, before: list.last(), list: &later };
    wrong.extend(books.count(None, &mut tally));
    if let (Said::Token(_), Some(first)) = (said, later.first())
        && !follows(list, first)
    {
        wrong.push("what the sleeper held was written over what is newer".to_owned());
    }
    let works = |it: &Said| match it {
        Said::Token(access) => field.stage.simulator.call_api(provider, access),
        _ => false,
    };
    let alive = last.last().is_some_and(works);
    let dead = matches!(last.last(), Some(Said::Dead(_)));
    let explained = dead && Books { class, before: None, list }.is_explained(&[*shock]);
    let lost = !(alive || explained);
    if lost {
        let (list, later) = (story(list), story(&later));
        wrong
            .push(format!("lost: {list}: {said:?}; woken at {}: {later}: {last:?}", shock.over_ms));
    }
    let raced = field.record.class(class);
    raced.zombies += 1;
    raced.zombies_alive += u64::from(alive);
    raced.lost_explained += u64::from(!alive && explained);
    raced.lost += u64::from(lost);
    raced.overlaps += tally.double;
    raced.illegal += tally.illegal;
    raced.illegal_in_recovery += tally.illegal_in_recovery;
    raced.named_ms_max = raced.named_ms_max.max(*named_ms);
    for text in wrong {
        field.record.breach(account, &text);
    }
}
