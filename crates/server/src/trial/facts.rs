//! What the app's file says, held against what was seen.

use grantkeep_catalog::{
    App, Auth, ExpiresUnit, Identity, IdentityFrom, LearnedFrom, OAuth2, RotationClass,
};

use super::witness::{Form, Note, Shape, shown_name};

/// Seconds beyond which a life is no life: two hundred years, or a moment since 1970.
const LIFE_S_MAX: f64 = 6.0e8;

/// One fact of the file.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Fact {
    pub key: String,
    /// As the file has it.
    pub file: String,
    pub seen: String,
    pub holds: bool,
}

/// All that was seen.
#[derive(Default)]
pub struct Facts {
    pub all: Vec<Fact>,
    /// Members of the token answer, with their types.
    pub members: Vec<String>,
    pub form: Option<Form>,
    pub expires_in: Option<i64>,
    pub refresh_token: Option<Shape>,
    pub rotated: Option<bool>,
    /// How many were granted, and how many that were asked for were not.
    pub scopes: Option<(usize, usize)>,
    pub revocation: Option<String>,
}

/// The addresses that give tokens while connecting. `None`: the app has no such thing.
pub fn token_urls(app: &App) -> Option<Vec<&str>> {
    match &app.auth {
        Auth::OAuth2(it) => {
            let mut urls = vec![it.token_url.as_str()];
            urls.extend(it.mtls_token_url.as_deref());
            Some(urls)
        }
        Auth::OAuth1(it) => Some(vec![&it.access_token_url]),
        Auth::KeyExchange(it) => Some(vec![&it.url]),
        _ => None,
    }
}

/// The address that gives the next token. `None`: there is nothing to refresh.
pub fn refresh_url(app: &App) -> Option<&str> {
    match &app.auth {
        Auth::OAuth2(it) if it.refresh || !it.flow.redirects() => {
            Some(it.refresh_url.as_deref().unwrap_or(&it.token_url))
        }
        Auth::KeyExchange(it) => Some(&it.url),
        _ => None,
    }
}

/// Whose answer names the account.
pub fn identity_url(app: &App) -> Option<&str> {
    let identity = app.identity.as_ref()?;
    match identity.from {
        IdentityFrom::Verify => app.verify.as_ref().map(|it| it.url.as_str()),
        IdentityFrom::Request => identity.request.as_ref().map(|it| it.url.as_str()),
        IdentityFrom::TokenAnswer => token_urls(app)?.first().copied(),
        IdentityFrom::Fields => None,
    }
}

impl Facts {
    pub fn say(
        &mut self,
        key: &str,
        file: impl std::fmt::Debug,
        holds: bool,
        seen: impl std::fmt::Display,
    ) {
        let (key, file, seen) = (key.to_owned(), format!("{file:?}"), seen.to_string());
        let fact = Fact { key, file, seen, holds };
        // Asked twice, the later answer counts where it is worse.
        match self.all.iter_mut().find(|it| it.key == fact.key) {
            Some(known) if known.holds => *known = fact,
            Some(_) => {}
            None => self.all.push(fact),
        }
    }

    pub fn differing(&self) -> impl Iterator<Item = &Fact> {
        self.all.iter().filter(|it| !it.holds)
    }

    pub fn token_answer(&mut self, app: &App, note: &Note) {
        self.form = Some(note.form);
        let shown = |(path, shape): &(String, Shape)| {
            let name = shown_name(path).unwrap_or("(another)");
            format!("{name}: {}", shape.word())
        };
        self.members = note.members.iter().map(shown).collect();
        if let Auth::OAuth2(it) = &app.auth {
            self.oauth2_answer(it, note);
        }
        for (name, learned) in &app.learned {
            if learned.from == LearnedFrom::TokenAnswer {
                let there = note.member(&learned.path).is_some();
                let seen = if there { "there" } else { "not there" };
                self.say(&format!("learned.{name}.path"), &learned.path, there, seen);
            }
        }
    }

    fn oauth2_answer(&mut self, it: &OAuth2, note: &Note) {
        let answer = &it.answer;
        let place = |found: Option<(&str, &Shape)>| {
            found.map_or("not there".to_owned(), |(path, shape)| {
                format!("{} at `{}`", shape.word(), shown_name(path).unwrap_or("(another)"))
            })
        };
        let found = note.first(&answer.access_token);
        let holds = found.is_some();
        self.say("oauth2.answer.access_token", &answer.access_token, holds, place(found));
        let found = note.first(&answer.refresh_token);
        self.refresh_token = found.map(|it| it.1.clone());
        if it.flow.redirects() {
            let given = found.is_some();
            let seen = if given { "a refresh token" } else { "no refresh token" };
            self.say("oauth2.refresh", it.refresh, given == it.refresh, seen);
        }
        self.life(it, note);
        if let Some((_, Shape::Text(text))) = note.first(&answer.scope)
            && let Some(seen) = text.separator
        {
            // A list of one has none; answers may well be written in another way than requests.
            let file = &it.scopes.separator;
            let holds = file.contains(seen) || seen == ' ';
            self.say("oauth2.scopes.separator", file, holds, format!("{seen:?} in the answer"));
        }
    }

    fn life(&mut self, it: &OAuth2, note: &Note) {
        let answer = &it.answer;
        let number = note.first(&answer.expires_in).and_then(|it| it.1.number());
        let Some(number) = number else {
            let seen = "no end is told";
            match answer.lifetime_s {
                Some(life) => self.say("oauth2.answer.lifetime_s", life, true, seen),
                None if it.refresh => self.say("oauth2.answer.expires_in", "", true, seen),
                None => {}
            }
            return;
        };
        let holds = match answer.expires_unit {
            ExpiresUnit::Seconds => number < LIFE_S_MAX,
            ExpiresUnit::Milliseconds => number >= 1_000.0 && number / 1_000.0 < LIFE_S_MAX,
            ExpiresUnit::EpochSeconds => number >= LIFE_S_MAX,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a life in seconds, for people")]
        let whole = number as i64;
        self.expires_in = match answer.expires_unit {
            ExpiresUnit::Seconds => Some(whole),
            ExpiresUnit::Milliseconds => Some(whole / 1_000),
            ExpiresUnit::EpochSeconds => None,
        };
        let seen = match answer.expires_unit {
            ExpiresUnit::EpochSeconds if holds => "a moment".to_owned(),
            _ => number.to_string(),
        };
        self.say("oauth2.answer.expires_unit", answer.expires_unit, holds, seen);
    }

    pub fn refresh_answer(&mut self, app: &App, note: &Note) {
        let Some(it) = app.oauth2() else { return };
        let new = note.first(&it.answer.refresh_token).map(|it| it.1);
        let rotated = match (&self.refresh_token, new) {
            (Some(old), Some(new)) => !old.is_same(new),
            _ => false,
        };
        self.rotated = Some(rotated);
        if self.refresh_token.is_none() {
            return;
        }
        let seen = match (rotated, new.is_some()) {
            (true, _) => "a new refresh token came",
            (false, true) => "the same refresh token came again",
            (false, false) => "no refresh token came",
        };
        let stays = it.rotation.class == RotationClass::P0;
        let stated = !it.rotation.checked_on.is_empty();
        let file = if stated { format!("{:?}", it.rotation.class) } else { "(unknown)".to_owned() };
        self.say("oauth2.rotation.class", file, !stated || stays != rotated, seen);
    }

    pub fn identity(&mut self, identity: &Identity, note: Option<&Note>) {
        let Some(note) = note else { return };
        for (key, paths) in [("name", &identity.name), ("subject", &identity.subject)] {
            let mut own = paths.iter().filter(|it| !it.starts_with("field:")).peekable();
            if own.peek().is_none() {
                continue;
            }
            let found = own.find(|path| note.member(path).is_some());
            let seen = found.map_or("none of them", String::as_str);
            self.say(&format!("identity.{key}"), paths, found.is_some(), seen);
        }
    }
}
