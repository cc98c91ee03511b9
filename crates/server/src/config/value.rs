//! How the text of a setting becomes a value of its type.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;
use zeroize::Zeroizing;

use super::secret::Secret;

/// A type that a setting can have.
pub trait Value: Sized {
    /// What is expected, in words: used in the reference and in errors.
    const KIND: &'static str;
    /// Whether the text may be shown, and whether `NAME_FILE` may name a file that holds it.
    const SECRET: bool = false;

    /// Reads `text`, which is trimmed. `None` if it is not of this kind.
    fn parse(text: &str) -> Option<Self>;

    /// The number that the bounds of a record are held against.
    fn number(&self) -> Option<u64> {
        None
    }
}

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Millis(pub u32);

impl Millis {
    /// As the type that timers take.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }

    /// As the number that is added to times in `*_ms` columns.
    pub fn ms(self) -> i64 {
        i64::from(self.0)
    }
}

impl Value for Millis {
    const KIND: &'static str = "milliseconds";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
    fn number(&self) -> Option<u64> {
        Some(u64::from(self.0))
    }
}

impl Value for u32 {
    const KIND: &'static str = "a number";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn number(&self) -> Option<u64> {
        Some(u64::from(*self))
    }
}

/// Sizes in bytes and counts that index memory.
impl Value for usize {
    const KIND: &'static str = "bytes, or a number with KiB, MiB or GiB";
    fn parse(text: &str) -> Option<Self> {
        let split = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let factor: usize = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number.parse::<usize>().ok()?.checked_mul(factor)
    }
    fn number(&self) -> Option<u64> {
        u64::try_from(*self).ok()
    }
}

impl Value for bool {
    const KIND: &'static str = "true or false";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

impl Value for String {
    const KIND: &'static str = "text";
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Value for PathBuf {
    const KIND: &'static str = "a path";
    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }
}

impl Value for SocketAddr {
    const KIND: &'static str = "an address and a port, such as 127.0.0.1:8080 or [::]:8080";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for Url {
    const KIND: &'static str = "a URL";
    fn parse(text: &str) -> Option<Self> {
        Url::parse(text).ok().filter(Url::has_host)
    }
}

/// Networks, separated by commas. A single address stands for itself.
impl Value for Vec<IpNet> {
    const KIND: &'static str = "networks such as 10.0.0.0/8, separated by commas";
    fn parse(text: &str) -> Option<Self> {
        items(text)
            .map(|it| it.parse().ok().or_else(|| it.parse::<IpAddr>().ok().map(IpNet::from)))
            .collect()
    }
}

impl Value for Secret {
    const KIND: &'static str = "a secret";
    const SECRET: bool = true;
    fn parse(text: &str) -> Option<Self> {
        Some(Self::new(Zeroizing::new(text.to_owned())))
    }
}

/// Secrets, separated by commas or line ends.
impl Value for Vec<Secret> {
    const KIND: &'static str = "secrets, separated by commas or line ends";
    const SECRET: bool = true;
    fn parse(text: &str) -> Option<Self> {
        items(text).map(Secret::parse).collect()
    }
}

impl Value for Vec<String> {
    const KIND: &'static str = "texts, separated by commas";
    fn parse(text: &str) -> Option<Self> {
        Some(items(text).map(ToOwned::to_owned).collect())
    }
}

/// URLs, separated by commas.
impl Value for Vec<Url> {
    const KIND: &'static str = "URLs, separated by commas";
    fn parse(text: &str) -> Option<Self> {
        items(text).map(<Url as Value>::parse).collect()
    }
}

/// Where requests to a host go instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// In lower case, without a port.
    pub host: String,
    /// What stands in the place of `https://` and the host.
    pub to: Url,
}

/// Routes, separated by commas.
impl Value for Vec<Route> {
    const KIND: &'static str =
        "routes such as slack.com=http://127.0.0.1:9000/slack, separated by commas";
    fn parse(text: &str) -> Option<Self> {
        let route = |it: &str| {
            let (host, to) = it.split_once('=')?;
            let host = url::Host::parse(host.trim()).ok()?.to_string();
            Some(Route { host, to: <Url as Value>::parse(to.trim())? })
        };
        items(text).map(route).collect()
    }
}

/// Not set when the text is empty.
impl<T: Value> Value for Option<T> {
    const KIND: &'static str = T::KIND;
    const SECRET: bool = T::SECRET;
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::parse(text).map(Some) }
    }
    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(T::number)
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|it| !it.is_empty())
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// Coloured lines, for people.
    Text,
}

impl Value for LogFormat {
    const KIND: &'static str = "`json` or `text`";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "json" => Some(Self::Json),
            "text" => Some(Self::Text),
            _ => None,
        }
    }
}

/// What happens to a credential read whose audit event cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditPolicy {
    /// The read is refused.
    Strict,
    /// The event goes to a bounded file and into the database later.
    Spool,
}

impl Value for AuditPolicy {
    const KIND: &'static str = "`strict` or `spool`";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "strict" => Some(Self::Strict),
            "spool" => Some(Self::Spool),
            _ => None,
        }
    }
}

/// Which environment a request means that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingEnvironment {
    /// The request is refused.
    Refuse,
    /// It means `production`.
    Production,
    /// It means `development`.
    Development,
}

/// What holds the processes that run components' code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSandbox {
    /// The strongest that works on this machine, and never none.
    Best,
    Bubblewrap,
    Landlock,
    /// Nothing does.
    None,
}

impl Value for CodeSandbox {
    const KIND: &'static str = "`best`, `bubblewrap`, `landlock` or `none`";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "best" => Some(Self::Best),
            "bubblewrap" => Some(Self::Bubblewrap),
            "landlock" => Some(Self::Landlock),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

impl Value for MissingEnvironment {
    const KIND: &'static str = "`refuse`, `production` or `development`";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "refuse" => Some(Self::Refuse),
            "production" => Some(Self::Production),
            "development" => Some(Self::Development),
            _ => None,
        }
    }
}
