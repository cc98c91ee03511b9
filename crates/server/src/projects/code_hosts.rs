//! Which hosts the project's code may call.

use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Host;

use crate::error::{self, Result};

/// Hosts of one project.
const HOSTS_MAX: usize = 200;
/// Characters of one host.
const HOST_CHARS_MAX: usize = 253;

/// Hosts by name, and `*.example.com` for all below one. Empty: none but those of the apps whose
/// accounts a run may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeHosts(Vec<String>);

impl CodeHosts {
    /// # Errors
    /// [`error::INVALID_FIELD`] with the entry that is none.
    pub fn parse(texts: &[String]) -> Result<Self> {
        let refuse =
            |text: String| error::INVALID_FIELD.saying(text).with(json!({ "field": "code_hosts" }));
        if texts.len() > HOSTS_MAX {
            return Err(refuse(format!("`code_hosts` has more than {HOSTS_MAX} entries.")));
        }
        let mut all = Vec::with_capacity(texts.len());
        for text in texts {
            all.push(entry(text).ok_or_else(|| {
                refuse(
                    "An entry of `code_hosts` must be a host name such as `api.example.com` or \
                     `*.example.com`, without scheme, port and path."
                        .to_owned(),
                )
            })?);
        }
        all.sort();
        all.dedup();
        Ok(Self(all))
    }

    pub fn entries(&self) -> &[String] {
        &self.0
    }

    /// Whether `host` is one of them. It is in lower case and has no dot at its end.
    pub fn hold(&self, host: &str) -> bool {
        self.0.iter().any(|it| match it.strip_prefix("*.") {
            Some(parent) => host
                .strip_suffix(parent)
                .is_some_and(|it| it.len() > 1 && it.ends_with('.') && !it.starts_with('.')),
            None => it == host,
        })
    }
}

/// In the form in which hosts are compared.
fn entry(text: &str) -> Option<String> {
    let text = text.trim();
    let name = text.strip_prefix("*.").unwrap_or(text);
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
    if name.is_empty() || text.len() > HOST_CHARS_MAX || !name.bytes().all(plain) {
        return None;
    }
    let Ok(Host::Domain(name)) = Host::parse(name) else { return None };
    let fits = !name.split('.').any(str::is_empty);
    let star = if text.starts_with("*.") { "*." } else { "" };
    fits.then(|| format!("{star}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(texts: &[&str]) -> Result<CodeHosts> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        CodeHosts::parse(&texts)
    }

    #[test]
    fn j_03_a_star_stands_for_whole_labels() {
        let all = hosts(&["*.Example.com", "api.other.com"]).unwrap();
        for host in ["a.example.com", "a.b.example.com", "api.other.com"] {
            assert!(all.hold(host), "{host}");
        }
        for host in ["example.com", "evilexample.com", ".example.com", "x.api.other.com", "com"] {
            assert!(!all.hold(host), "{host}");
        }
        assert!(!hosts(&[]).unwrap().hold("example.com"));
    }

    #[test]
    fn j_03_what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "https://a.com",
            "a.com:443",
            "a.com/x",
            "a..com",
            "1.2.3.4",
            "0x7f.1",
            "[::1]",
            "a*.com",
            "*.*.com",
            "a.com.",
            "b\u{fc}cher.de",
        ] {
            assert!(hosts(&[text]).is_err(), "{text}");
        }
    }
}
