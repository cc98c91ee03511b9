//! What no single setting can tell: refusals and warnings about how they stand together.

use std::time::Duration;

use url::{Host, Url};

use super::database::{is_local, mode};
use super::secret::Secret;
use super::settings::Config;
use super::{ConfigError, env_name};

/// Kinds of `sslmode` under which somebody in between can read along.
const WEAK_MODES: [&str; 5] = ["disable", "allow", "prefer", "require", "verify-ca"];

/// What a request that calls an app may take besides the call: its account is read and recorded,
/// and it is the call that says whose time was over.
const CALL_MARGIN: Duration = Duration::from_secs(5);

/// Of a name in DNS (RFC 1035 section 2.3.4).
const DOMAIN_CHARS_MAX: usize = 253;

impl Config {
    /// Refuses what cannot work; the lines returned are warnings.
    pub(super) fn check(&self) -> Result<Vec<String>, ConfigError> {
        self.check_public_url()?;
        self.check_callback_origins()?;
        self.check_listeners()?;
        self.check_egress()?;
        self.check_workflow_domain()?;
        check_collector(self.otlp_endpoint.as_ref())?;
        if self.log_filter.parse::<tracing_subscriber::EnvFilter>().is_err() {
            return refuse("log_filter cannot be read: try info, or info,grantkeep=debug");
        }
        let mut warnings = Vec::new();
        if let Some(url) = &self.database_url {
            warnings.extend(check_database_url(url)?);
        }
        if self.dev && !is_loopback(&self.public_url) {
            warnings.push("dev is on although public_url is not on loopback".to_owned());
        }
        if self.public_url.path() != "/" {
            warnings.push(format!(
                "public_url {} has a path: the connect page works only if its whole host leads \
                 here, so give it a host of its own, such as https://connect.example.com",
                self.public_url
            ));
        }
        Ok(warnings)
    }

    /// The root key, or the line that says how to get one.
    pub fn required_root_key(&self) -> Result<&Secret, ConfigError> {
        self.root_key.as_ref().ok_or_else(|| {
            ConfigError(format!(
                "no root key is set: make one with `openssl rand -base64 32 > root.key && chmod \
                 600 root.key`, keep a copy, and set {}=root.key",
                env_name("root_key_file")
            ))
        })
    }

    /// How long the answer to a request that has code run may take.
    pub(crate) fn longest_answer(&self) -> Duration {
        self.request_timeout_ms.duration() + self.code_wall_ms.duration()
    }

    /// How long the answer to a request that calls an app may take to begin.
    pub(crate) fn longest_call(&self) -> Duration {
        let call = self.proxy_total_timeout_ms.duration();
        self.request_timeout_ms.duration().max(call) + CALL_MARGIN
    }

    /// The public URL without its last slash: what paths are appended to.
    pub fn public_base(&self) -> &str {
        self.public_url.as_str().trim_end_matches('/')
    }

    /// Every URL under which the operator lets this server be reached.
    pub(crate) fn own_urls(&self) -> impl Iterator<Item = &url::Url> {
        std::iter::once(&self.public_url).chain(&self.callback_origins)
    }

    /// Scheme, host and port of the public URL, as browsers write an origin.
    pub fn public_origin(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    fn check_public_url(&self) -> Result<(), ConfigError> {
        let url = &self.public_url;
        if !matches!(url.scheme(), "https" | "http") {
            return refuse(&format!("public_url {url} must begin with https://"));
        }
        if url.scheme() == "http" && !is_loopback(url) {
            return refuse(&format!(
                "public_url {url} must be https: tokens travel over it. Set tls_cert_file and \
                 tls_key_file, or put a proxy with TLS in front, and name its https URL"
            ));
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return refuse("public_url must have no user, query or fragment");
        }
        Ok(())
    }

    fn check_callback_origins(&self) -> Result<(), ConfigError> {
        for url in &self.callback_origins {
            let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
            let bare = format!("{}/", url.origin().ascii_serialization());
            if !safe || url.as_str() != bare {
                return refuse(&format!(
                    "callback_origins: {url} must be an origin such as https://login.acme.example"
                ));
            }
            if url.origin() == self.public_url.origin() {
                return refuse("callback_origins must differ from public_url");
            }
        }
        Ok(())
    }

    fn check_listeners(&self) -> Result<(), ConfigError> {
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            return refuse("tls_cert_file and tls_key_file must be set together");
        }
        if self.tls_cert_file.is_some() && self.public_url.scheme() == "http" {
            return refuse("public_url must begin with https:// when tls_cert_file is set");
        }
        if self.metrics_listen == Some(self.listen) && self.listen.port() != 0 {
            return refuse("metrics_listen must differ from listen: metrics are not for everyone");
        }
        Ok(())
    }

    fn check_workflow_domain(&self) -> Result<(), ConfigError> {
        let Some(domain) = &self.workflow_domain else { return Ok(()) };
        let label = |it: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=63).contains(&it.len()) && it.bytes().all(known)
        };
        if domain.split('.').all(label) && domain.len() <= DOMAIN_CHARS_MAX {
            return Ok(());
        }
        refuse(&format!(
            "workflow_domain: {domain:?} must be a host name alone, such as flows.example.com"
        ))
    }

    fn check_egress(&self) -> Result<(), ConfigError> {
        if self.egress_allow_loopback && !self.dev {
            return refuse(
                "egress_allow_loopback needs dev: to reach a service on this machine in \
                 production, name its address in egress_allow",
            );
        }
        for route in &self.egress_dev_routes {
            if !self.egress_allow_loopback {
                return refuse(&format!(
                    "egress_dev_routes needs dev and egress_allow_loopback: set {}=true and \
                     {}=true, also with `serve --dev`",
                    env_name("dev"),
                    env_name("egress_allow_loopback")
                ));
            }
            let bare = route.to.query().is_none() && route.to.fragment().is_none();
            let plain = route.to.scheme() == "http" && route.to.username().is_empty() && bare;
            if !plain || !is_loopback(&route.to) {
                return refuse(&format!(
                    "egress_dev_routes: {} must be an http URL on this machine, without user, \
                     query and fragment",
                    route.to
                ));
            }
        }
        if self.egress_first_byte_timeout_ms.0 > self.egress_total_timeout_ms.0 {
            return refuse(
                "egress_first_byte_timeout_ms must not be more than egress_total_timeout_ms",
            );
        }
        Ok(())
    }
}

/// Refuses other databases; warns of a link that can be read along.
fn check_database_url(secret: &Secret) -> Result<Option<String>, ConfigError> {
    let url = Url::parse(secret.expose()).ok();
    let url = url.filter(|it| matches!(it.scheme(), "postgres" | "postgresql"));
    let Some(url) = url else {
        return refuse(
            "database_url must be like postgres://user:password@host/database, or be left out \
             for SQLite in data_dir",
        );
    };
    let weak = mode(&url).filter(|it| WEAK_MODES.contains(&it.as_str()) && !is_local(&url));
    Ok(weak.map(|it| {
        format!("database_url has sslmode={it}: the server's identity is not checked in full")
    }))
}

fn check_collector(endpoint: Option<&Url>) -> Result<(), ConfigError> {
    match endpoint.map(Url::scheme) {
        None | Some("http" | "https") => Ok(()),
        Some(_) => refuse("otlp_endpoint must begin with http:// or https://"),
    }
}

/// Whether `url` means this machine: what browsers, too, trust without TLS.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn refuse<T>(line: &str) -> Result<T, ConfigError> {
    Err(ConfigError(line.to_owned()))
}
