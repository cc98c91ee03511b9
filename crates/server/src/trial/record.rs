//! What was seen, as a file that can be kept and sent in. Names, types and counts; never a value.

use std::fmt::Write as _;

use grantkeep_catalog::App;
use serde::Serialize;

use super::facts::{Fact, Facts};
use super::walk::{Outcome, Step};
use super::witness::Form;

/// The record of one trial.
#[derive(Serialize)]
pub struct Record {
    pub slug: String,
    /// `YYYY-MM-DD`.
    pub seen_on: String,
    pub auth: &'static str,
    pub steps: Vec<Step>,
    /// Facts of the file that were seen to be so.
    pub holds: Vec<Fact>,
    pub differs: Vec<Fact>,
    pub token_answer: Option<TokenAnswer>,
    pub scopes_granted: Option<usize>,
    pub scopes_missing: Option<usize>,
    pub refresh_token_rotated: Option<bool>,
    pub revocation: Option<String>,
    /// What could stand in the file's `evidence`.
    pub evidence: Evidence,
}

#[derive(Serialize)]
pub struct TokenAnswer {
    pub form: &'static str,
    /// Names and types.
    pub members: Vec<String>,
    pub expires_in_s: Option<i64>,
    pub refresh_token: bool,
}

#[derive(Serialize)]
pub struct Evidence {
    pub confirmed: u32,
    pub checked_on: String,
    pub notes: Vec<String>,
}

impl Record {
    pub(super) fn of(app: &App, facts: &Facts, steps: Vec<Step>, today: &str) -> Self {
        let ok = |name: &str| steps.iter().any(|it| it.name == name && it.outcome == Outcome::Ok);
        let failed = steps.iter().any(|it| it.outcome == Outcome::Failed);
        let differs: Vec<Fact> = facts.differing().cloned().collect();
        let mut done = vec!["Connected"];
        let more = [("a call through the proxy", "called"), ("refresh", "refreshed")];
        done.extend(more.iter().filter(|it| ok(it.0)).map(|it| it.1));
        if ok("revocation") {
            done.push("revoked");
        }
        let good = !failed && differs.is_empty();
        let end = if good { "; all as this file says" } else { "; see what differs" };
        let note = format!("{} with an account of one's own on {today}{end}.", listed(&done));
        let evidence = Evidence {
            // A trial is one more source, of those facts that it saw.
            confirmed: app.evidence.confirmed + u32::from(good),
            checked_on: today.to_owned(),
            notes: app.evidence.notes.iter().cloned().chain([note]).collect(),
        };
        let token_answer = facts.form.map(|form| TokenAnswer {
            form: match form {
                Form::Json => "json",
                Form::Pairs => "form",
                Form::Other => "other",
            },
            members: facts.members.clone(),
            expires_in_s: facts.expires_in,
            refresh_token: facts.refresh_token.is_some(),
        });
        Self {
            slug: app.slug.clone(),
            seen_on: today.to_owned(),
            auth: app.auth_word(),
            holds: facts.all.iter().filter(|it| it.holds).cloned().collect(),
            differs,
            token_answer,
            scopes_granted: facts.scopes.map(|it| it.0),
            scopes_missing: facts.scopes.map(|it| it.1),
            refresh_token_rotated: facts.rotated.filter(|_| facts.refresh_token.is_some()),
            revocation: facts.revocation.clone(),
            evidence,
            steps,
        }
    }

    pub fn is_good(&self) -> bool {
        self.steps.iter().all(|it| it.outcome != Outcome::Failed)
    }

    /// By which the text of a record is known.
    pub const BEGINNING: &str = "# What `grantkeep apps try ";

    /// As TOML.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}{}` saw, with an account of one's own. Names, types and\n\
             # counts: no value of that account is in here.\n",
            Self::BEGINNING,
            self.slug
        );
        for (key, value) in
            [("slug", &*self.slug), ("seen_on", &*self.seen_on), ("auth", self.auth)]
        {
            pair(&mut text, key, value);
        }
        if let (Some(granted), Some(missing)) = (self.scopes_granted, self.scopes_missing) {
            let _ = write!(text, "scopes_granted = {granted}\nscopes_missing = {missing}\n");
        }
        if let Some(rotated) = self.refresh_token_rotated {
            let _ = writeln!(text, "refresh_token_rotated = {rotated}");
        }
        if let Some(revocation) = &self.revocation {
            pair(&mut text, "revocation", revocation);
        }
        if let Some(answer) = &self.token_answer {
            text.push_str("\n[token_answer]\n");
            pair(&mut text, "form", answer.form);
            let _ = writeln!(text, "refresh_token = {}", answer.refresh_token);
            if let Some(seconds) = answer.expires_in_s {
                let _ = writeln!(text, "expires_in_s = {seconds}");
            }
            list(&mut text, "members", &answer.members);
        }
        for step in &self.steps {
            let outcome = match step.outcome {
                Outcome::Ok => "ok",
                Outcome::Skipped => "skipped",
                Outcome::Failed => "failed",
            };
            text.push_str("\n[[steps]]\n");
            pair(&mut text, "name", step.name);
            pair(&mut text, "outcome", outcome);
            pair(&mut text, "detail", &step.detail);
        }
        for (table, facts) in [("holds", &self.holds), ("differs", &self.differs)] {
            for fact in facts {
                let _ = writeln!(text, "\n[[{table}]]");
                pair(&mut text, "key", &fact.key);
                pair(&mut text, "file", &fact.file);
                pair(&mut text, "seen", &fact.seen);
            }
        }
        text.push_str("\n# For the app file, once you have read it through:\n[evidence]\n");
        let _ = writeln!(text, "confirmed = {}", self.evidence.confirmed);
        pair(&mut text, "checked_on", &self.evidence.checked_on);
        list(&mut text, "notes", &self.evidence.notes);
        text
    }
}

fn pair(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {}", toml::Value::from(value));
}

fn list(text: &mut String, key: &str, values: &[String]) {
    let _ = writeln!(text, "{key} = [");
    for value in values {
        let _ = writeln!(text, "  {},", toml::Value::from(value.as_str()));
    }
    text.push_str("]\n");
}

/// `a`, `a and b`, `a, b and c`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
