//! What a `package-lock.json` of version 2 or 3 says: place, address and hash of each package.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::code::inside;

/// Packages of one component.
const PACKAGES: usize = 2_000;
const HASH_BYTES: usize = 64;
/// Where packages stand, in the names of the lock file.
const FOLDER: &str = "node_modules/";
/// The platform that workers are.
const SYSTEM: &str = "linux";

/// A hash that the lock file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sha512([u8; HASH_BYTES]);

impl Sha512 {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn hex(&self) -> String {
        let digit = |it: u8| char::from_digit(it.into(), 16).unwrap_or_default();
        self.0.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect()
    }

    /// Of `sha512-<base64>`, which may stand beside weaker ones.
    fn read(integrity: &str) -> Option<Self> {
        let mut hashes = integrity.split_whitespace();
        let text = hashes.find_map(|it| it.strip_prefix("sha512-"))?;
        let text = text.split('?').next().unwrap_or_default();
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Locked {
    /// Below the top `node_modules`.
    pub place: String,
    pub url: String,
    pub sha512: Sha512,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    lockfile_version: u32,
    #[serde(default)]
    packages: BTreeMap<String, Package>,
}

#[derive(Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "npm's form")]
#[serde(default, rename_all = "camelCase")]
struct Package {
    resolved: Option<String>,
    integrity: Option<String>,
    link: bool,
    dev: bool,
    optional: bool,
    /// It lies in the tarball of the one above it.
    in_bundle: bool,
    os: Vec<String>,
    cpu: Vec<String>,
}

impl Package {
    /// An optional one that is made for other machines.
    fn is_for_others(&self) -> bool {
        let cpu = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        self.optional && !(admits(&self.os, SYSTEM) && admits(&self.cpu, cpu))
    }
}

/// npm's lists: those that fit, or those that do not, with `!`.
fn admits(list: &[String], one: &str) -> bool {
    let refused = list.iter().any(|it| it.strip_prefix('!') == Some(one));
    let listed = list.iter().any(|it| it == one);
    let lists = list.iter().any(|it| !it.starts_with('!'));
    !refused && (listed || !lists)
}

pub(crate) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let file: File = serde_json::from_str(text).map_err(|it| format!("not read: {it}"))?;
    if !(2..=3).contains(&file.lockfile_version) {
        let version = file.lockfile_version;
        return Err(format!("its version is {version}, not 2 or 3; npm 7 and newer write those"));
    }
    if file.packages.len() > PACKAGES {
        return Err(format!("more than {PACKAGES} packages"));
    }
    let wanted = file.packages.into_iter().filter(|(name, package)| {
        !name.is_empty() && !package.dev && !package.in_bundle && !package.is_for_others()
    });
    wanted.map(|(name, package)| locked(&name, package)).collect()
}

fn locked(name: &str, package: Package) -> Result<Locked, String> {
    let place = name.strip_prefix(FOLDER).filter(|it| inside(it).is_ok());
    let place = place.ok_or_else(|| format!("{name:?} is not a place below node_modules"))?;
    if package.link {
        return Err(format!("{place} is a link to a folder; publish it, or put its files in"));
    }
    let url = package.resolved.ok_or_else(|| {
        format!(
            "{place} has no `resolved` address; have npm write them: `npm install \
             --omit-lockfile-registry-resolved=false`"
        )
    })?;
    let url = Some(url).filter(|it| it.starts_with("https://") || it.starts_with("http://"));
    let url =
        url.ok_or_else(|| format!("{place} is not of a registry; only such are installed"))?;
    let hash = package.integrity.as_deref().and_then(Sha512::read);
    let sha512 = hash.ok_or_else(|| {
        format!("{place} has no SHA-512 in `integrity`; without one nothing tells that it is whole")
    })?;
    Ok(Locked { place: place.into(), url, sha512 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(packages: &str) -> Result<Vec<Locked>, String> {
        read(&format!("{{\"lockfileVersion\":3,\"packages\":{{\"\":{{}},{packages}}}}}"))
    }

    fn good(more: &str) -> String {
        let hash = STANDARD.encode([7; HASH_BYTES]);
        format!(
            "{{\"resolved\":\"https://r.test/a.tgz\",\"integrity\":\"sha1-x sha512-{hash}\"{more}}}"
        )
    }

    #[test]
    fn packages_that_are_needed_here_are_read() {
        let other = good(",\"optional\":true,\"os\":[\"darwin\"]");
        let (dev, bundled) = (good(",\"dev\":true"), good(",\"inBundle\":true"));
        let here = good(",\"optional\":true,\"os\":[\"!win32\"]");
        let read = of(&format!(
            "\"node_modules/a\":{},\"node_modules/@s/b/node_modules/c\":{here},\
             \"node_modules/d\":{other},\"node_modules/e\":{dev},\"node_modules/f\":{bundled}",
            good("")
        ));
        let places: Vec<String> = read.unwrap().into_iter().map(|it| it.place).collect();
        assert_eq!(places, ["@s/b/node_modules/c", "a"]);
    }

    #[test]
    fn j_09_a_package_without_a_hash_or_from_elsewhere_is_refused() {
        let bad = [
            ("\"node_modules/a\":{\"resolved\":\"https://r.test/a.tgz\"}", "no SHA-512"),
            (
                "\"node_modules/a\":{\"resolved\":\"https://r.test/a\",\"integrity\":\"sha1-aa\"}",
                "no SHA-512",
            ),
            ("\"node_modules/a\":{\"resolved\":\"git+ssh://g.test/a\"}", "not of a registry"),
            ("\"node_modules/a\":{\"resolved\":\"../a\",\"link\":true}", "is a link"),
            (&format!("\"node_modules/../../a\":{}", good("")), "not a place"),
            (&format!("\"/etc/a\":{}", good("")), "not a place"),
        ];
        for (packages, word) in bad {
            let error = of(packages).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert!(read("{\"lockfileVersion\":1}").unwrap_err().contains("version is 1"));
    }
}
