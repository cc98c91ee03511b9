//! What an app is: its name, its look, and the parts that say how to reach it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::api::{Identity, Proxy, Verify};
use crate::auth::Auth;
use crate::fields::{Field, Learned};

/// One app of the catalogue. Holds no secret.
#[derive(Clone, Debug)]
pub struct App {
    /// `app_` and eleven base-62 digits made from the slug: the same in every installation.
    pub id: String,
    /// Lower-case letters, digits and `_`; what API clients send.
    pub slug: String,
    pub name: String,
    /// One sentence: what the app is.
    pub description: String,
    /// Empty where no source tells.
    pub homepage: String,
    /// Names from [`crate::categories::ALL`].
    pub categories: Vec<String>,
    /// 0 to 100; lists show heavier apps first.
    pub popularity: u8,
    /// Name in Simple Icons; [`App::icon_shape`] gives the shape.
    pub icon: Option<String>,
    /// `#rrggbb`, for the letter tile or behind the icon; see [`App::brand_color`].
    pub color: Option<String>,
    /// Names that people still search for.
    pub former_names: Vec<String>,
    /// Follows "You let {product}": what a connection makes possible, where a scope has no words.
    pub purpose: String,
    pub auth: Auth,
    /// What the user is asked for, in the order of the form.
    pub fields: Vec<Field>,
    /// What is learnt while connecting and kept as a field of the account, by field name.
    pub learned: BTreeMap<String, Learned>,
    /// The request that proves that a credential works.
    pub verify: Option<Verify>,
    /// How the account gets its name.
    pub identity: Option<Identity>,
    /// `None`: requests cannot be sent through the proxy; the credentials can still be vended.
    pub proxy: Option<Proxy>,
    pub evidence: Evidence,
}

/// Where the facts of a file come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// How many independent sources say the same.
    pub confirmed: u32,
    /// Left out in the file: `confirmed` from two sources on, `single_source` below.
    status: Option<Status>,
    /// What has to be known before anybody can connect. Empty: the app is connectable.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The day the facts were last compared, `YYYY-MM-DD`.
    pub checked_on: String,
    /// What is doubtful, for the next person who looks.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// How well the facts of a file are known. No address is called to find out: `Confirmed` means that
/// independent sources say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Something is missing or only remembered; see [`Evidence::missing`].
    Incomplete,
    SingleSource,
    Confirmed,
}

impl Status {
    /// What is written, or else what follows from the rest.
    pub(crate) fn of(written: Option<Self>, connectable: bool, confirmed: u32) -> Self {
        match written {
            Some(status) => status,
            None if !connectable => Self::Incomplete,
            None if confirmed >= 2 => Self::Confirmed,
            None => Self::SingleSource,
        }
    }

    /// The status of that word.
    pub fn named(word: &str) -> Option<Self> {
        let all = [Self::Incomplete, Self::SingleSource, Self::Confirmed];
        all.into_iter().find(|it| it.as_str() == word)
    }

    /// The word in files and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::SingleSource => "single_source",
            Self::Confirmed => "confirmed",
        }
    }
}

impl Evidence {
    pub fn status(&self) -> Status {
        Status::of(self.status, self.missing.is_empty(), self.confirmed)
    }
}

impl App {
    /// Whether enough is known to connect.
    pub fn is_connectable(&self) -> bool {
        self.evidence.missing.is_empty()
    }

    /// The path data of the app's icon on a square of 24 units, if one is compiled in.
    pub fn icon_shape(&self) -> Option<&'static str> {
        crate::Catalog::builtin_icon(self.icon.as_deref()?).map(|(shape, _)| shape)
    }

    /// The app's colour, `#rrggbb`: its own, or that of its icon.
    pub fn brand_color(&self) -> Option<String> {
        let of_icon = || {
            let (_, [red, green, blue]) = crate::Catalog::builtin_icon(self.icon.as_deref()?)?;
            Some(format!("#{red:02x}{green:02x}{blue:02x}"))
        };
        self.color.clone().or_else(of_icon)
    }

    /// `keys`, `oauth` or `none`: how wire-compatible clients name the kind of credential.
    pub fn wire_auth_type(&self) -> &'static str {
        match &self.auth {
            Auth::OAuth2(it) if it.flow.asks_fields_only() => "keys",
            Auth::Keys | Auth::Basic | Auth::KeyExchange(_) | Auth::Incomplete("key_exchange") => {
                "keys"
            }
            Auth::OAuth2(_) | Auth::OAuth1(_) | Auth::Incomplete(_) => "oauth",
            Auth::None => "none",
        }
    }

    pub fn oauth2(&self) -> Option<&crate::auth::OAuth2> {
        if let Auth::OAuth2(it) = &self.auth { Some(it) } else { None }
    }

    pub fn oauth1(&self) -> Option<&crate::auth::OAuth1> {
        if let Auth::OAuth1(it) = &self.auth { Some(it) } else { None }
    }

    /// Whether an operator has to register an OAuth client before anybody can connect.
    pub fn needs_client(&self) -> bool {
        match &self.auth {
            Auth::OAuth2(it) => it.client == crate::ways::ClientFrom::Registered,
            Auth::OAuth1(_) => true,
            _ => false,
        }
    }

    pub fn key_exchange(&self) -> Option<&crate::ways::KeyExchange> {
        if let Auth::KeyExchange(it) = &self.auth { Some(it) } else { None }
    }

    /// The field of that name, if the user is asked for it.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|it| it.name == name)
    }
}
