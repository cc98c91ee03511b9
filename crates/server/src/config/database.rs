//! Which database is meant.

use std::path::PathBuf;

use url::{Host, Url};
use zeroize::Zeroizing;

use super::settings::Config;

/// Where rows are kept.
pub enum Database {
    /// A file in the data folder.
    Sqlite(PathBuf),
    /// A server. The URL holds a password, and an `sslmode` in any case.
    Postgres(Zeroizing<String>),
}

impl Config {
    /// The database in force. A PostgreSQL host that is not local gets `sslmode=verify-full`
    /// unless the URL names another mode.
    pub fn database(&self) -> Database {
        match &self.database_url {
            None => Database::Sqlite(self.data_dir.join("grantkeep.db")),
            Some(url) => Database::Postgres(with_mode(url.expose())),
        }
    }
}

/// How the connection to PostgreSQL is kept private, as far as `url` says.
pub(super) fn mode(url: &Url) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs.find(|(name, _)| name == "sslmode" || name == "ssl-mode").map(|it| it.1.into_owned())
}

/// A socket in the file system, or a loopback address.
pub(super) fn is_local(url: &Url) -> bool {
    if url.query_pairs().any(|(name, value)| name == "host" && value.starts_with('/')) {
        return true;
    }
    match url.host_str() {
        None | Some("") => true,
        // postgres: is no special scheme, so a literal stays text and a socket path is escaped.
        Some(host) => host.starts_with("%2F") || host.starts_with("%2f") || is_loopback(host),
    }
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost",
        Err(_) => false,
    }
}

fn with_mode(text: &str) -> Zeroizing<String> {
    let Ok(mut url) = Url::parse(text) else {
        return Zeroizing::new(text.to_owned());
    };
    if mode(&url).is_none() {
        let mode = if is_local(&url) { "prefer" } else { "verify-full" };
        url.query_pairs_mut().append_pair("sslmode", mode);
    }
    Zeroizing::new(url.into())
}
