//! What the provider's books say of one account: was a token sent twice, and if the account is
//! dead, could it have been saved.

use grantkeep_simulator::{RefreshView, Verdict};

use crate::tally::Tally;

/// The first class whose provider forgives nothing: a token that was exchanged is worth nothing.
const UNFORGIVING: usize = 6;

/// What was on our disk when the server died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// The provider's last answer.
    Has,
    /// Not the provider's last answer.
    HasNot,
}

/// When something went wrong with an account: the server died, or the provider did not answer.
#[derive(Clone, Copy, Debug)]
pub struct Shock {
    /// In the providers' time: what arrives later was not sent by the server that died.
    pub over_ms: u64,
    pub journal: Journal,
}

/// How an account came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// The provider had done nothing.
    Untouched,
    /// What the provider had given was there.
    Kept,
    /// The old token was sent again, and the provider allowed it.
    Retried,
    /// By yet another token.
    Otherwise,
}

/// The refreshes of one account since it was last looked at, the one before them first if there is
/// one.
pub struct Books<'a> {
    pub class: usize,
    pub before: Option<&'a RefreshView>,
    pub list: &'a [RefreshView],
}

impl Books<'_> {
    /// Counts the refreshes. Gives what is wrong in words.
    pub fn count(&self, shock: Option<&Shock>, tally: &mut Tally) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut last = self.before;
        for refresh in self.list {
            let mending = last.is_some_and(|it| it.answered_ms.is_none())
                || shock.is_some_and(|it| refresh.arrived_ms >= it.over_ms);
            tally.refreshes += 1;
            if refresh.overlaps {
                tally.double += 1;
                wrong.push(format!("refresh {} overlaps another", refresh.number));
            }
            match refresh.verdict {
                Verdict::Unseen => {}
                Verdict::Granted { again, .. } => {
                    tally.granted += 1;
                    if again && !mending {
                        tally.double += 1;
                        wrong.push(format!("refresh {} sends a token twice", refresh.number));
                    }
                }
                Verdict::Refused { illegal: true } if mending => {
                    tally.illegal_in_recovery += 1;
                    if self.class < UNFORGIVING {
                        tally.wrong += 1;
                        wrong.push(format!("refresh {} is beyond the rule", refresh.number));
                    }
                }
                Verdict::Refused { illegal } => {
                    tally.illegal += u64::from(illegal);
                    if illegal {
                        wrong.push(format!("refresh {} sends a used token", refresh.number));
                    }
                }
            }
            last = Some(refresh);
        }
        wrong
    }

    /// Those of the server that died, and those after.
    fn split(&self, shock: &Shock) -> (&[RefreshView], &[RefreshView]) {
        let at = self.list.iter().position(|it| it.arrived_ms >= shock.over_ms);
        self.list.split_at(at.unwrap_or(self.list.len()))
    }

    /// How a living account came through. The first shock is the one to name.
    pub fn survival(&self, first: &Shock) -> Survival {
        let (before, after) = self.split(first);
        let last = before.iter().rev().find_map(|it| match &it.verdict {
            Verdict::Granted { refresh_sha256, .. } => Some((it, refresh_sha256)),
            _ => None,
        });
        let Some((old, new)) = last else { return Survival::Untouched };
        match after.first() {
            Some(it) if Some(&it.sent_sha256) == new.as_ref() => Survival::Kept,
            // Without rotation it cannot be told, and does not matter.
            Some(it) if it.sent_sha256 == old.sent_sha256 && new.is_none() => Survival::Kept,
            Some(it) if it.sent_sha256 == old.sent_sha256 => Survival::Retried,
            _ => Survival::Otherwise,
        }
    }

    /// Whether nothing could have saved a dead account: the provider granted, forgives nothing, and
    /// its answer did not reach our disk before the server died.
    pub fn is_explained(&self, shocks: &[Shock]) -> bool {
        if self.class < UNFORGIVING {
            return false;
        }
        let granted = self.list.iter().rev().find_map(|it| match it.verdict {
            Verdict::Granted { at_ms, .. } => Some((it, at_ms)),
            _ => None,
        });
        let Some((refresh, at_ms)) = granted else { return false };
        let shock = shocks.iter().find(|it| at_ms < it.over_ms);
        refresh.answered_ms.is_none() || shock.is_some_and(|it| it.journal == Journal::HasNot)
    }
}

/// The refreshes in a few words, each token by the first letters of its hash.
pub fn story(list: &[RefreshView]) -> String {
    let short = |hash: &str| hash.chars().take(6).collect::<String>();
    let one = |it: &RefreshView| {
        let sent = short(&it.sent_sha256);
        let verdict = match &it.verdict {
            Verdict::Unseen => "unseen".to_owned(),
            Verdict::Refused { illegal: true } => "refused as used".to_owned(),
            Verdict::Refused { illegal: false } => "refused".to_owned(),
            Verdict::Granted { again, refresh_sha256, .. } => {
                let new = refresh_sha256.as_deref().map_or_else(|| sent.clone(), short);
                format!("granted {new}{}", if *again { " once more" } else { "" })
            }
        };
        let answered = if it.answered_ms.is_some() { "" } else { " and not answered" };
        format!("at {} {sent} was {verdict}{answered}", it.arrived_ms)
    };
    if list.is_empty() {
        "no refresh".to_owned()
    } else {
        list.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refresh that sends `sent` at this time; granted with `new` or refused as illegal.
    fn refresh(at_ms: u64, sent: &str, new: Option<&str>) -> RefreshView {
        let verdict = match new {
            Some(new) => Verdict::Granted {
                at_ms,
                again: false,
                access_sha256: format!("a{new}"),
                refresh_sha256: Some(new.to_owned()),
            },
            None => Verdict::Refused { illegal: true },
        };
        RefreshView {
            number: at_ms,
            arrived_ms: at_ms,
            sent_sha256: sent.to_owned(),
            overlaps: false,
            verdict,
            answered_ms: Some(at_ms),
        }
    }

    fn books(class: usize, list: &[RefreshView]) -> Books<'_> {
        Books { class, before: None, list }
    }

    const KILLED: Shock = Shock { over_ms: 100, journal: Journal::HasNot };

    #[test]
    fn a_used_token_is_illegal_unless_a_shock_came_before() {
        let list = [refresh(10, "r1", Some("r2")), refresh(200, "r1", None)];
        let mut tally = Tally::default();
        assert_eq!(books(6, &list).count(None, &mut tally).len(), 1);
        assert_eq!((tally.illegal, tally.illegal_in_recovery), (1, 0));
        let mut tally = Tally::default();
        assert!(books(6, &list).count(Some(&KILLED), &mut tally).is_empty());
        assert_eq!((tally.illegal, tally.illegal_in_recovery, tally.granted), (0, 1, 1));
        let mut tally = Tally::default();
        books(5, &list).count(Some(&KILLED), &mut tally);
        assert!(!tally.is_good(), "a class that forgives is not to be asked too late");
    }

    #[test]
    fn an_answer_that_never_left_is_a_shock_too() {
        let mut list = [refresh(10, "r1", Some("r2")), refresh(20, "r1", None)];
        list[0].answered_ms = None;
        let mut tally = Tally::default();
        assert!(books(7, &list).count(None, &mut tally).is_empty());
        assert_eq!(tally.illegal_in_recovery, 1);
        assert!(books(7, &list).is_explained(&[]));
    }

    #[test]
    fn a_loss_is_explained_by_an_unforgiving_class_and_an_answer_not_on_disk() {
        let list = [refresh(10, "r1", Some("r2")), refresh(200, "r1", None)];
        assert!(books(6, &list).is_explained(&[KILLED]));
        assert!(!books(5, &list).is_explained(&[KILLED]));
        let had = Shock { journal: Journal::Has, ..KILLED };
        assert!(!books(6, &list).is_explained(&[had]));
        // The token was exchanged after the kill, by a server that lived on.
        assert!(!books(6, &[refresh(150, "r1", Some("r2"))]).is_explained(&[KILLED]));
        assert!(!books(6, &[]).is_explained(&[KILLED]));
    }

    #[test]
    fn survival_is_told_by_the_first_token_sent_afterwards() {
        let first = refresh(10, "r1", Some("r2"));
        let survival = |after: RefreshView| books(5, &[first.clone(), after]).survival(&KILLED);
        assert_eq!(survival(refresh(200, "r2", Some("r3"))), Survival::Kept);
        assert_eq!(survival(refresh(200, "r1", Some("r3"))), Survival::Retried);
        assert_eq!(survival(refresh(200, "r0", Some("r3"))), Survival::Otherwise);
        let list = [refresh(200, "r1", Some("r2"))];
        assert_eq!(books(5, &list).survival(&KILLED), Survival::Untouched);
    }
}
