//! Whether an app file is right: what can be seen without calling anyone.

mod auth;
mod requests;
mod urls;
mod ways;

use std::fmt;

use crate::app::App;
use crate::auth::Auth;
use crate::fields::{FieldKind, HostForm, HostRule, is_host, whole};
use crate::{categories, file, placeholders};

/// What is allowed beyond the rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Take `http://` at `localhost`, `127.0.0.1` and `[::1]`: for the simulator and for tests.
    pub allow_loopback: bool,
}

/// Something wrong in a file, as a developer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// The file, and the key or line.
    pub place: String,
    pub wrong: String,
    /// What to do about it.
    pub fix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file is not loaded.
    Error,
    /// The app works, but its users get less than they could.
    Warning,
}

impl Problem {
    pub(crate) fn error(
        place: impl Into<String>,
        wrong: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let severity = Severity::Error;
        Self { severity, place: place.into(), wrong: wrong.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(out, "{kind}: {}: {}. {}", self.place, self.wrong, self.fix)
    }
}

/// All problems of one file, warnings too. `path` is only for the messages and the slug.
pub fn file(path: &str, text: &str, options: Options) -> Vec<Problem> {
    match file::read(path, text) {
        Ok(app) => self::app(path, &app, options),
        Err(problem) => vec![problem],
    }
}

/// All problems of one app, warnings too.
pub fn app(path: &str, app: &App, options: Options) -> Vec<Problem> {
    let mut checks = Checks { path, app, options, problems: Vec::new() };
    checks.face();
    checks.fields();
    checks.learned();
    checks.auth();
    checks.requests();
    checks.evidence();
    checks.problems
}

/// One run over one app.
struct Checks<'a> {
    path: &'a str,
    app: &'a App,
    options: Options,
    problems: Vec<Problem>,
}

impl Checks<'_> {
    fn error(&mut self, key: &str, wrong: impl Into<String>, fix: impl Into<String>) {
        let place = format!("{}: {key}", self.path);
        self.problems.push(Problem::error(place, wrong, fix));
    }

    fn warn(&mut self, key: &str, wrong: impl Into<String>, fix: impl Into<String>) {
        let place = format!("{}: {key}", self.path);
        let severity = Severity::Warning;
        self.problems.push(Problem { severity, place, wrong: wrong.into(), fix: fix.into() });
    }

    /// Name, look and texts.
    fn face(&mut self) {
        let app = self.app;
        if !placeholders::is_slug(&app.slug) {
            self.error("slug", "not a slug", "Use lower-case letters, digits and `_`.");
        }
        let stem = self.path.rsplit('/').next().and_then(|it| it.strip_suffix(".toml"));
        if stem.is_some_and(|it| it != app.slug) {
            self.error("slug", "differs from the file's name", "Name the file after the slug.");
        }
        let texts =
            [("name", &app.name), ("description", &app.description), ("purpose", &app.purpose)];
        for (key, text) in texts {
            if text.trim().is_empty() || text.chars().any(char::is_control) {
                self.error(key, "empty, or holds control characters", "Write one plain line.");
            }
        }
        for category in &app.categories {
            if !categories::is_known(category) {
                let wrong = format!("`{category}` is not a category");
                self.error("categories", wrong, categories_there_are());
            }
        }
        if app.popularity > 100 {
            self.error("popularity", "more than 100", "Use 0 to 100.");
        }
        if app.color.as_deref().is_some_and(|it| !is_color(it)) {
            self.error("color", "not a colour", "Write # and six hexadecimal digits.");
        }
        if app.icon.is_some() && app.icon_shape().is_none() {
            let fix = "Run `cargo xtask catalog icons`, or remove the key.";
            self.warn("icon", "not in icons/simple-icons.tsv", fix);
        }
        if app.homepage.is_empty() {
            self.warn("homepage", "missing", "Give the app's own site.");
        } else {
            self.url("homepage", &app.homepage, &[]);
        }
        if app.categories.is_empty() {
            self.warn("categories", "none", categories_there_are());
        }
    }

    fn fields(&mut self) {
        let app = self.app;
        for (at, field) in app.fields.iter().enumerate() {
            let key = format!("fields.{}", field.name);
            if !placeholders::is_name(&field.name) || self.is_reserved(&field.name) {
                self.error(&key, "not a name, or a built-in one", "Choose another name.");
            }
            if app.fields[..at].iter().any(|it| it.name == field.name) {
                self.error(&key, "asked twice", "Remove one.");
            }
            if (field.kind == FieldKind::Select) == field.options.is_empty() {
                self.error(&key, "options and kind disagree", "Give options to a select only.");
            }
            if (field.kind == FieldKind::ConnectionString) == field.schemes.is_empty() {
                let fix = "Give schemes to a connection string only.";
                self.error(&key, "schemes and kind disagree", fix);
            }
            if field.pattern.as_deref().is_some_and(|it| whole(it).is_err()) {
                self.error(&key, "the pattern is not a regular expression", "Correct it.");
            }
            if field.secret && field.kind == FieldKind::Text {
                self.error(&key, "a secret shown as text", "Write kind = \"password\".");
            }
            if field.is_secret() && field.default.is_some() {
                self.error(&key, "a secret with a default", "Remove the default.");
            }
            if let Some(default) = &field.default
                && let Err(why) = field.check(default)
            {
                self.error(&key, format!("the default is not taken: {why}"), "Correct it.");
            }
            if let Some(rule) = &field.host {
                self.host_rule(&key, rule);
            }
            if field.is_secret() && field.help.is_none() {
                self.warn(&key, "no help", "Say where the user finds it.");
            }
        }
    }

    fn learned(&mut self) {
        self.learned_from_fields();
        let app = self.app;
        for (name, learned) in &app.learned {
            let key = format!("learned.{name}");
            if !placeholders::is_name(name) || self.is_reserved(name) {
                self.error(&key, "not a name, or a built-in one", "Choose another name.");
            }
            if app.field(name).is_some_and(|it| !it.optional) {
                self.error(
                    &key,
                    "also asked of the user",
                    "Make the field optional, or remove one.",
                );
            }
            if learned.path.trim().is_empty() {
                self.error(&key, "no path", "Say where the value lies.");
            }
            if let Some(rule) = &learned.host {
                self.host_rule(&key, rule);
            }
        }
    }

    fn host_rule(&mut self, key: &str, rule: &HostRule) {
        if rule.form == HostForm::Label && !rule.under.is_empty() {
            self.error(key, "a label has no suffix", "Remove `under`, or use form = \"name\".");
        }
        for end in &rule.under {
            if !is_host(end.strip_prefix('.').unwrap_or(end)) {
                self.error(key, format!("`{end}` is not a host"), "Write .example.com.");
            }
        }
    }

    fn evidence(&mut self) {
        let evidence = &self.app.evidence;
        if evidence.confirmed == 0 && evidence.status() != crate::Status::Incomplete {
            self.error("evidence.confirmed", "nobody says so", "Name at least one source.");
        }
        if evidence.status() != crate::Status::Incomplete && !evidence.missing.is_empty() {
            let fix = "Leave status out, or write status = \"incomplete\".";
            self.error("evidence.status", "known, but something is missing", fix);
        }
        if !is_day(&evidence.checked_on) {
            self.error("evidence.checked_on", "not a day", "Write YYYY-MM-DD.");
        }
    }

    fn is_reserved(&self, name: &str) -> bool {
        self.built_in().contains(&name)
    }

    /// Names that are filled without being asked or learnt.
    fn built_in(&self) -> &'static [&'static str] {
        match self.app.auth {
            Auth::Keys | Auth::Basic | Auth::None => &[],
            _ => placeholders::OAUTH2,
        }
    }

    /// Whether every name in a text is known; says so if not.
    fn names(&mut self, key: &str, text: &str, more: &[&str]) {
        let used = match placeholders::names(text) {
            Ok(used) => used,
            Err(why) => {
                return self.error(key, why.to_string(), "Write ${name} or ${base64(...)}.");
            }
        };
        for name in used {
            let known = self.app.field(name).is_some()
                || self.app.learned.contains_key(name)
                || self.built_in().contains(&name)
                || more.contains(&name);
            if !known {
                let wrong = format!("`${{{name}}}` is not a field of this app");
                self.error(key, wrong, "Add it to [[fields]] or [learned], or correct it.");
            }
        }
    }
}

fn categories_there_are() -> String {
    let names: Vec<_> = categories::ALL.iter().map(|(name, _)| *name).collect();
    format!("Choose of {}.", names.join(", "))
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|it| it.len() == 6 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_day(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.len() == 10
        && digits(0..4)
        && digits(5..7)
        && digits(8..10)
        && text.as_bytes()[4] == b'-'
        && text.as_bytes()[7] == b'-'
}
