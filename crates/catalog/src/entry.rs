//! What a list shows of an app, without reading all of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as Unknown, StrDeserializer};

use crate::app::{App, Status};
use crate::auth::Auth;
use crate::blob::AppAt;
use crate::categories;
use crate::fold;
use crate::ids;
use crate::ways::Flow;

/// One line of the catalogue's index.
#[derive(Clone, Debug)]
pub struct Entry {
    pub slug: Cow<'static, str>,
    pub name: Cow<'static, str>,
    /// 0 to 100; lists show heavier apps first.
    pub popularity: u8,
    /// The word in the file: `oauth2`, `oauth1`, `key_exchange`, `keys`, `basic` or `none`.
    pub auth: &'static str,
    /// `keys`, `oauth` or `none`, as [`App::wire_auth_type`].
    pub wire_auth_type: &'static str,
    /// How many independent sources say the same.
    pub confirmed: u32,
    pub status: Status,
    /// Whether enough is known to connect.
    pub connectable: bool,
    /// As [`App::needs_client`].
    pub needs_client: bool,
    /// Whether the person types a code on another page (RFC 8628), so that tokens come at once and
    /// not by a redirect that could be held.
    pub device: bool,
    /// A bit for each of [`categories::ALL`].
    categories: u64,
    /// All names, as search sees them.
    pub(crate) folded: Cow<'static, str>,
}

/// Which entries a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `oauth`, `keys` or `none`, or a word of files: `oauth2`, `basic`.
    pub auth_type: Option<String>,
    pub evidence: Option<Status>,
    /// How many sources must say the same.
    pub confirmed_min: u32,
    /// Apps too that nobody can connect yet.
    pub unconnectable: bool,
}

impl Filter {
    pub fn takes(&self, entry: &Entry) -> bool {
        let kind = |it: &String| entry.wire_auth_type == it || entry.auth == it;
        self.auth_type.as_ref().is_none_or(kind)
            && self.evidence.is_none_or(|it| entry.status == it)
            && entry.confirmed >= self.confirmed_min
            && (entry.connectable || self.unconnectable)
    }
}

impl Entry {
    /// As [`App::id`].
    pub fn id(&self) -> String {
        ids::stable("app_", &self.slug)
    }

    /// Names of categories, in the order of [`categories::ALL`].
    pub fn categories(&self) -> impl Iterator<Item = &'static str> {
        let has = |(at, _): &(usize, &(&str, &str))| self.categories >> at & 1 == 1;
        categories::ALL.iter().enumerate().filter(has).map(|(_, (name, _))| *name)
    }

    pub fn is_in(&self, category: &str) -> bool {
        categories::bit(category) & self.categories != 0
    }

    /// `None`: it names a kind of credential that this program does not know.
    pub(crate) fn of_line(line: AppAt) -> (Option<Self>, std::ops::Range<usize>) {
        let entry = Self::known(&line.auth, &line.flow).map(|(auth, wire_auth_type)| Self {
            slug: line.slug,
            name: line.name,
            popularity: line.popularity,
            auth,
            wire_auth_type,
            confirmed: line.confirmed,
            status: Status::of(named(&line.status), line.connectable, line.confirmed),
            connectable: line.connectable,
            needs_client: line.needs_client,
            device: named(&line.flow) == Some(Flow::DeviceCode),
            categories: line.categories,
            folded: line.folded,
        });
        (entry, line.tree)
    }

    pub(crate) fn of_app(app: &App) -> Self {
        let names = [&app.name, &app.slug].into_iter().chain(&app.former_names);
        Self {
            slug: Cow::Owned(app.slug.clone()),
            name: Cow::Owned(app.name.clone()),
            popularity: app.popularity,
            auth: app.auth_word(),
            wire_auth_type: app.wire_auth_type(),
            confirmed: app.evidence.confirmed,
            status: app.evidence.status(),
            connectable: app.is_connectable(),
            needs_client: app.needs_client(),
            device: app.oauth2().is_some_and(|it| it.flow == Flow::DeviceCode),
            categories: app.categories.iter().fold(0, |bits, it| bits | categories::bit(it)),
            folded: Cow::Owned(fold::fold_all(names.map(String::as_str))),
        }
    }

    /// The words for a kind of credential: ours, and that of wire clients.
    fn known(auth: &str, flow: &str) -> Option<(&'static str, &'static str)> {
        let flow: Flow = if flow.is_empty() { Flow::default() } else { named(flow)? };
        Some(match auth {
            "oauth2" if flow.asks_fields_only() => ("oauth2", "keys"),
            "oauth2" => ("oauth2", "oauth"),
            "oauth1" => ("oauth1", "oauth"),
            "key_exchange" => ("key_exchange", "keys"),
            "keys" => ("keys", "keys"),
            "basic" => ("basic", "keys"),
            "none" => ("none", "none"),
            _ => return None,
        })
    }
}

impl App {
    /// The word in the file for its kind of credential.
    pub fn auth_word(&self) -> &'static str {
        match &self.auth {
            Auth::Incomplete(kind) => kind,
            Auth::OAuth2(_) => "oauth2",
            Auth::OAuth1(_) => "oauth1",
            Auth::KeyExchange(_) => "key_exchange",
            Auth::Keys => "keys",
            Auth::Basic => "basic",
            Auth::None => "none",
        }
    }
}

/// A word of a file as the choice that it means.
fn named<'a, T: Deserialize<'a>>(word: &'a str) -> Option<T> {
    let word: StrDeserializer<'a, Unknown> = word.into_deserializer();
    T::deserialize(word).ok()
}
