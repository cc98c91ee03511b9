//! Which scopes are asked for, and what they let the product do, in words.

use std::collections::BTreeSet;

use grantkeep_catalog::{App as CatalogApp, Scopes};

use super::view::{Ability, Level, Measure};
use crate::apps::OAuthApp;
use crate::projects::Project;
use crate::tokens::ConnectToken;

/// From narrow to wide.
pub(super) const PROFILES: [&str; 3] = ["read_only", "read_write", "admin"];

/// Words after which "Read and ..." is no mere reading.
const CHANGING: [&str; 10] =
    ["add", "change", "create", "delete", "edit", "manage", "remove", "send", "upload", "write"];

pub(super) fn of(app: &CatalogApp) -> Option<&Scopes> {
    app.oauth2().map(|it| &it.scopes).or_else(|| app.oauth1().map(|it| &it.scopes))
}

/// Whether the person chooses how much he allows: his product's project may say so for all, or its
/// connect token for this one.
pub(super) fn are_chosen(project: &Project, token: &ConnectToken) -> bool {
    project.settings.scope_choice || token.allow_progressive_scopes
}

/// What is asked for: a profile, else the client's own scopes, else the app's default.
///
/// Only the operator widens: where the client names its scopes, a profile (which stands in a URL
/// that the person can change) only narrows them.
pub(super) fn asked(app: &CatalogApp, client: &OAuthApp, profile: Option<&str>) -> Vec<String> {
    let Some(scopes) = of(app) else { return Vec::new() };
    let mut asked: Vec<String> = Vec::new();
    let mut add = |more: &mut dyn Iterator<Item = &str>| {
        for scope in more {
            if !asked.iter().any(|it| it == scope) {
                asked.push(scope.to_owned());
            }
        }
    };
    let own = client.scopes.as_ref();
    if let Some(chosen) = profile.and_then(|name| nearest(scopes, name)) {
        let allowed = |scope: &&str| {
            let listed = |own: &Vec<String>| {
                own.iter().chain(&client.additional_scopes).any(|it| it == scope)
            };
            own.is_none_or(listed)
        };
        add(&mut chosen.into_iter().filter(allowed));
    } else {
        match own {
            Some(own) => add(&mut own.iter().map(String::as_str)),
            None => add(&mut scopes.asked().into_iter()),
        }
        add(&mut client.additional_scopes.iter().map(String::as_str));
    }
    add(&mut scopes.always.iter().map(String::as_str));
    asked
}

/// What a person may choose between: the app's profiles as far as the client goes, and, if it is
/// none of them, what is asked for without a choice. Fewer than two are no choice.
pub(super) fn measures(app: &CatalogApp, client: &OAuthApp, profile: Option<&str>) -> Vec<Measure> {
    let Some(scopes) = of(app) else { return Vec::new() };
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let measure = |value, asked: &[String], checked| Measure {
        value,
        abilities: abilities(app, asked),
        checked,
    };
    let by_itself = asked(app, client, profile);
    let mut seen = vec![set(&scopes.always)];
    let mut all: Vec<Measure> = Vec::new();
    for name in PROFILES.into_iter().filter(|it| scopes.profile(it).is_some()) {
        let asked = asked(app, client, Some(name));
        if !seen.contains(&set(&asked)) {
            seen.push(set(&asked));
            let mut wider = measure(name, &asked, set(&asked) == set(&by_itself));
            // What it has beyond the narrower ones comes first: that is what is decided on.
            let known = |it: &Ability| {
                all.iter().any(|other| other.abilities.iter().any(|one| one.text == it.text))
            };
            wider.abilities.sort_by_cached_key(known);
            all.push(wider);
        }
    }
    if !all.iter().any(|it| it.checked) {
        all.insert(0, measure("", &by_itself, true));
    }
    if all.len() < 2 { Vec::new() } else { all }
}

/// The profile of that name; where the app has none, the widest that is narrower.
fn nearest<'a>(scopes: &'a Scopes, name: &str) -> Option<Vec<&'a str>> {
    let end = PROFILES.iter().position(|it| *it == name)?;
    PROFILES[..=end].iter().rev().find_map(|it| scopes.profile(it))
}

/// What the scopes make possible; scopes without words are covered by the app's purpose.
pub(super) fn abilities(app: &CatalogApp, asked: &[String]) -> Vec<Ability> {
    let Some(scopes) = of(app) else { return Vec::new() };
    let mut abilities: Vec<Ability> = Vec::new();
    let mut wordless = false;
    for scope in asked {
        match scopes.words.get(scope).map(String::as_str) {
            Some("") => {}
            Some(words) => abilities
                .push(Ability { text: words.to_owned(), level: level(scopes, scope, words) }),
            None => wordless = true,
        }
    }
    if abilities.is_empty() && (wordless || asked.is_empty()) {
        abilities.push(purpose(app));
    }
    abilities
}

/// What the app is connected for, where no scopes say it.
pub(super) fn purpose(app: &CatalogApp) -> Ability {
    Ability { text: capital(&app.purpose), level: Level::Write }
}

fn level(scopes: &Scopes, scope: &str, words: &str) -> Level {
    let within = |name| scopes.profile(name).is_some_and(|profile| profile.contains(&scope));
    let first = words.split(' ').next().unwrap_or_default();
    let looks = matches!(first, "See" | "Read" | "View" | "Know" | "Find");
    let changes = words.split([' ', ',']).any(|it| CHANGING.contains(&it));
    if within("read_only") || (looks && !changes) {
        Level::Read
    } else if !within("read_write") && (within("admin") || matches!(first, "Manage" | "Administer"))
    {
        Level::Admin
    } else {
        Level::Write
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use grantkeep_catalog::Catalog;

    use super::*;

    fn level_of(app: &str, scope: &str) -> Level {
        let app = Catalog::builtin().get(app).unwrap();
        abilities(&app, &[scope.to_owned()]).remove(0).level
    }

    #[test]
    fn what_changes_something_is_not_shown_as_mere_reading() {
        assert!(matches!(level_of("github", "repo"), Level::Write));
        assert!(matches!(level_of("microsoft_outlook", "Contacts.ReadWrite"), Level::Write));
        assert!(matches!(level_of("github", "read:org"), Level::Read));
    }
}
