//! One app file: from TOML text to [`App`].

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use crate::api::{Identity, Proxy, Verify};
use crate::app::{App, Evidence};
use crate::auth::{Auth, OAuth1, OAuth2};
use crate::blob::Blob;
use crate::check::Problem;
use crate::fields::{Field, Learned};
use crate::ids;
use crate::ways::KeyExchange;

/// The file as written: the kind of credential and its table stand side by side, so that errors
/// can name the line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    slug: String,
    name: String,
    description: String,
    #[serde(default)]
    homepage: String,
    #[serde(default)]
    categories: Vec<String>,
    popularity: u8,
    icon: Option<String>,
    color: Option<String>,
    #[serde(default)]
    former_names: Vec<String>,
    purpose: String,
    auth: Kind,
    oauth2: Option<OAuth2>,
    oauth1: Option<OAuth1>,
    key_exchange: Option<KeyExchange>,
    #[serde(default)]
    fields: Vec<Field>,
    #[serde(default)]
    learned: BTreeMap<String, Learned>,
    verify: Option<Verify>,
    identity: Option<Identity>,
    proxy: Option<Proxy>,
    evidence: Evidence,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Oauth2,
    Oauth1,
    KeyExchange,
    Keys,
    Basic,
    None,
}

/// Reads one file. The problem names the line and the key.
pub(crate) fn read(path: &str, text: &str) -> Result<App, Problem> {
    let written: Written = toml::from_str(text).map_err(|error| {
        let place = match error.span() {
            Some(span) => format!("{path}:{}", line(text, span.start)),
            None => path.to_owned(),
        };
        Problem::error(place, error.message(), hint(error.message()))
    })?;
    finished(path, written)
}

/// Reads a packed app, whose file was good when it was packed.
pub(crate) fn unpack(blob: &Blob, slug: &str, tree: &Range<usize>) -> Result<App, Problem> {
    let written = blob.read::<Written>(tree).map_err(|error| {
        Problem::error(slug, error.to_string(), "Pack the app's file again with this program.")
    })?;
    finished(slug, written)
}

fn finished(path: &str, written: Written) -> Result<App, Problem> {
    let auth = auth(path, &written)?;
    Ok(App {
        id: ids::stable("app_", &written.slug),
        slug: written.slug,
        name: written.name,
        description: written.description,
        homepage: written.homepage,
        categories: written.categories,
        popularity: written.popularity,
        icon: written.icon,
        color: written.color,
        former_names: written.former_names,
        purpose: written.purpose,
        auth,
        fields: written.fields,
        learned: written.learned,
        verify: written.verify,
        identity: written.identity,
        proxy: written.proxy,
        evidence: written.evidence,
    })
}

fn auth(path: &str, written: &Written) -> Result<Auth, Problem> {
    let tables =
        [("oauth2", Kind::Oauth2), ("oauth1", Kind::Oauth1), ("key_exchange", Kind::KeyExchange)];
    let present =
        [written.oauth2.is_some(), written.oauth1.is_some(), written.key_exchange.is_some()];
    for ((table, kind), present) in tables.into_iter().zip(present) {
        let place = format!("{path}: {table}");
        if present && kind != written.auth {
            let wrong = format!("a [{table}] table, but `auth` is another kind");
            return Err(Problem::error(place, wrong, format!("Write auth = \"{table}\".")));
        }
        if !present && kind == written.auth && written.evidence.missing.is_empty() {
            let wrong = format!("auth = \"{table}\" without a [{table}] table");
            return Err(Problem::error(place, wrong, format!("Add a [{table}] table.")));
        }
    }
    let oauth2 = || written.oauth2.clone().map(|it| Auth::OAuth2(Box::new(it)));
    let oauth1 = || written.oauth1.clone().map(|it| Auth::OAuth1(Box::new(it)));
    let exchange = || written.key_exchange.clone().map(|it| Auth::KeyExchange(Box::new(it)));
    let auth = match written.auth {
        Kind::Oauth2 => oauth2(),
        Kind::Oauth1 => oauth1(),
        Kind::KeyExchange => exchange(),
        Kind::Keys => Some(Auth::Keys),
        Kind::Basic => Some(Auth::Basic),
        Kind::None => Some(Auth::None),
    };
    // Without its table only where something is missing, as was seen above.
    let kind = match written.auth {
        Kind::KeyExchange => "key_exchange",
        Kind::Oauth1 => "oauth1",
        _ => "oauth2",
    };
    Ok(auth.unwrap_or(Auth::Incomplete(kind)))
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|it| *it == b'\n').count() + 1
}

fn hint(message: &str) -> &'static str {
    if message.starts_with("unknown field") {
        "Remove the key or correct its spelling; the known ones are listed in the message."
    } else if message.starts_with("missing field") {
        "Add the key."
    } else if message.starts_with("unknown variant") {
        "Write one of the words listed in the message."
    } else if message.starts_with("invalid type") || message.starts_with("invalid value") {
        "Write a value of the kind named in the message."
    } else {
        "Correct the TOML text."
    }
}
