//! Where the text of each setting comes from, and which source wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::settings::{Config, SETTINGS, Setting, find};
use super::{ConfigError, FILE_VARIABLE, PREFIX, env_name};

/// What is added to the name of a secret setting to name a file that holds it.
const FILE_SUFFIX: &str = "_file";

/// A name this many edits or fewer away is offered as what was meant.
const EDITS_MAX: usize = 4;

/// Who may read a file with a secret in it: not everybody on the machine.
#[cfg(unix)]
const WORLD_BITS: u32 = 0o007;

/// Where a setting's text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// Follows from another setting.
    Derived,
    /// The configuration file.
    File,
    /// The environment.
    Environment,
    /// The file named by the setting `<key>_file`, in either.
    SecretFile(PathBuf),
}

/// The configuration, and how it came about.
pub struct Loaded {
    /// The settings in force.
    pub config: Config,
    /// Where each comes from. No values: these are fit to be shown.
    pub origins: BTreeMap<&'static str, Origin>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Things that work but may not be meant, a line each.
    pub warnings: Vec<String>,
}

/// A setting, whether its text is the path of a file with the secret, and the text.
type Pair = (&'static Setting, bool, Zeroizing<String>);

/// The texts that were found, and where.
#[derive(Default)]
pub(super) struct Texts(BTreeMap<&'static str, (Zeroizing<String>, Origin)>);

impl Texts {
    /// The text in force: what was set, or the default.
    pub(super) fn get<'a>(&'a self, setting: &'a Setting) -> &'a str {
        self.0.get(setting.key).map_or(setting.default, |it| it.0.as_str())
    }

    /// The setting under the name by which the operator set it.
    pub(super) fn name(&self, setting: &Setting) -> String {
        match self.0.get(setting.key).map(|it| &it.1) {
            Some(Origin::Environment) => env_name(setting.key),
            Some(Origin::SecretFile(path)) => format!("{} ({})", setting.key, path.display()),
            _ => setting.key.to_owned(),
        }
    }

    fn origin(&self, key: &str) -> Origin {
        self.0.get(key).map_or(Origin::Default, |it| it.1.clone())
    }
}

/// Puts `file` (the text of a configuration file) and `environment` over the defaults.
pub(super) fn load(
    (name, file): (&str, &str),
    environment: &BTreeMap<String, String>,
) -> Result<Loaded, ConfigError> {
    let mut texts = Texts::default();
    texts.0.extend(layer(&file_pairs(name, file)?, &Origin::File)?);
    let mut warnings = Vec::new();
    texts.0.extend(layer(&environment_pairs(environment, &mut warnings), &Origin::Environment)?);
    derive_public_url(&mut texts)?;
    let config = Config::read(&texts)?;
    warnings.extend(config.check()?);
    let origins = SETTINGS.iter().map(|it| (it.key, texts.origin(it.key))).collect();
    Ok(Loaded { config, origins, file: None, warnings })
}

/// Says of a configuration file that everybody may read that it has a secret in it.
pub(super) fn check_reach((name, text): (&str, &str), file: &Path) -> Result<(), ConfigError> {
    let secret = |(setting, is_file, text): &Pair| {
        let bare = setting.key == "database_url" && !has_password(text);
        setting.secret && !is_file && !bare && !text.is_empty()
    };
    let pairs = file_pairs(name, text)?;
    let Some((setting, ..)) = pairs.iter().find(|it| secret(it)) else { return Ok(()) };
    let key = setting.key;
    refuse_readable_by_all(file).map_err(|why| {
        ConfigError(format!(
            "{key} is in {name}, and {why}; or put it into a file of its own, and name that as \
             {key}{FILE_SUFFIX}"
        ))
    })
}

fn has_password(url: &str) -> bool {
    // What cannot be read is refused later; until then it may hold anything.
    url::Url::parse(url).map_or(true, |it| {
        it.password().is_some() || it.query_pairs().any(|(name, _)| name == "password")
    })
}

/// A server that only this machine reaches needs no public URL of its own.
fn derive_public_url(texts: &mut Texts) -> Result<(), ConfigError> {
    let listen = find("listen").map(|it| texts.get(it).to_owned()).unwrap_or_default();
    let tls = find("tls_cert_file").is_some_and(|it| !texts.get(it).is_empty());
    if texts.0.contains_key("public_url") {
        return Ok(());
    }
    let Ok(address) = listen.trim().parse::<std::net::SocketAddr>() else {
        return Ok(());
    };
    if !address.ip().is_loopback() {
        return Err(ConfigError(format!(
            "public_url is not set: listen is {address}, so say by which https URL browsers and \
             providers reach this server, such as {}=https://connect.example.com",
            env_name("public_url")
        )));
    }
    let scheme = if tls { "https" } else { "http" };
    let url = Zeroizing::new(format!("{scheme}://{address}"));
    texts.0.insert("public_url", (url, Origin::Derived));
    Ok(())
}

/// One source's settings, secret files read.
fn layer(
    pairs: &[Pair],
    origin: &Origin,
) -> Result<BTreeMap<&'static str, (Zeroizing<String>, Origin)>, ConfigError> {
    let mut found = BTreeMap::new();
    for (setting, is_file, text) in pairs {
        let value = if *is_file {
            let path = PathBuf::from(text.trim());
            (secret_file(setting.key, &path)?, Origin::SecretFile(path))
        } else {
            (text.clone(), origin.clone())
        };
        if found.insert(setting.key, value).is_some() {
            let key = setting.key;
            return Err(ConfigError(format!(
                "{key} and {key}{FILE_SUFFIX} are both set: keep one of them"
            )));
        }
    }
    Ok(found)
}

/// The settings in the configuration file.
fn file_pairs(name: &str, text: &str) -> Result<Vec<Pair>, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The parser's own display quotes the line, which may hold a secret.
        ConfigError(format!("{name} is not valid TOML: {}", error.message()))
    })?;
    let mut pairs = Vec::new();
    for (key, value) in table {
        let (setting, is_file) = resolve(&key).ok_or_else(|| unknown(name, &key))?;
        let text = toml_text(&value).ok_or_else(|| {
            ConfigError(format!("{key} in {name}: a table is not {}", setting.kind))
        })?;
        pairs.push((setting, is_file, Zeroizing::new(text)));
    }
    Ok(pairs)
}

/// The settings among our variables. What looks like a slip goes to `warnings`: it cannot be
/// refused, because a cluster sets variables of its own that begin with a service's name.
fn environment_pairs(
    environment: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (name, value) in environment {
        let Some(key) = name.strip_prefix(PREFIX).filter(|_| name != FILE_VARIABLE) else {
            continue;
        };
        let key = key.to_ascii_lowercase();
        match resolve(&key) {
            Some((setting, is_file)) => {
                pairs.push((setting, is_file, Zeroizing::new(value.clone())));
            }
            None => warnings.extend(nearest(&key).map(|near| {
                format!("{name} is no setting and is ignored: was {} meant?", env_name(&near))
            })),
        }
    }
    pairs
}

/// The record that `key` sets, and whether by way of a file.
fn resolve(key: &str) -> Option<(&'static Setting, bool)> {
    if let Some(setting) = find(key) {
        return Some((setting, false));
    }
    let setting = find(key.strip_suffix(FILE_SUFFIX)?)?;
    setting.secret.then_some((setting, true))
}

fn unknown(name: &str, key: &str) -> ConfigError {
    let hint = nearest(key).map_or_else(
        || "see `grantkeep config reference`".to_owned(),
        |near| format!("was {near} meant?"),
    );
    ConfigError(format!("{key:?} in {name} is no setting: {hint}"))
}

/// The setting whose name is closest to `key`, if any is close.
fn nearest(key: &str) -> Option<String> {
    let names = SETTINGS.iter().flat_map(|it| {
        let by_file = it.secret.then(|| format!("{}{FILE_SUFFIX}", it.key));
        std::iter::once(it.key.to_owned()).chain(by_file)
    });
    names
        .map(|name| (strsim::osa_distance(key, &name), name))
        .filter(|(edits, name)| *edits <= EDITS_MAX.min(name.len() / 2))
        .min()
        .map(|(_, name)| name)
}

/// Strings, numbers and booleans as they would stand in the environment; lists with commas.
fn toml_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let items = items.iter().map(|it| it.as_str().map(str::to_owned));
            items.collect::<Option<Vec<_>>>().map(|it| it.join(","))
        }
        _ => None,
    }
}

/// The secret in `path`, without the line end that editors add.
fn secret_file(key: &str, path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let refuse = |why: String| {
        ConfigError(format!("{key}{FILE_SUFFIX}: cannot use {}: {why}", path.display()))
    };
    refuse_readable_by_all(path).map_err(refuse)?;
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let text = Zeroizing::new(text);
    if text.trim().is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(unix)]
fn refuse_readable_by_all(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.permissions().mode() & WORLD_BITS == 0 {
        return Ok(());
    }
    Err(format!("everyone on this machine may read it: chmod 600 {}", path.display()))
}

#[cfg(not(unix))]
fn refuse_readable_by_all(_: &Path) -> Result<(), String> {
    Ok(())
}
