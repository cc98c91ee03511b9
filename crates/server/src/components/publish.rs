//! Publishing: the code is loaded once to hear what it says of itself, and stored for good.

use std::sync::Arc;

use serde_json::json;

use super::described::{Described, name_and_type};
use super::files::{self, Files};
use super::find::OWN;
use super::store::{self, FileRow, New, Row};
use super::version::Version;
use super::{
    COMPONENTS_PER_PROJECT_MAX, Component, DESCRIBED_BYTES_MAX, VERSIONS_MAX, code, field, missing,
};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::{ComponentId, ProjectId};
use crate::projects;

/// Characters of a key behind the `~/`, and of a name.
const KEY_CHARS_MAX: usize = 120;
const NAME_CHARS_MAX: usize = 200;
/// Names that mean our package.
const ALIASES_MAX: usize = 10;

/// What a version may do beyond others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Its code sees credentials as they are, and not placeholders for them.
    RawTokens,
}

impl Permission {
    pub const ALL: [Self; 1] = [Self::RawTokens];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::RawTokens => "raw-tokens",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What is to be published.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    pub files: Files,
    /// The file that is loaded first.
    pub entry: String,
    pub permissions: Vec<Permission>,
    /// Names of packages that mean ours.
    pub aliases: Vec<String>,
}

/// What came of it.
pub struct Published {
    pub component: Component,
    /// `false`: exactly this was published before.
    pub fresh: bool,
}

/// Publishes a version. Publishing the same again changes nothing.
///
/// # Errors
/// [`error::COMPONENT_BROKEN`] when the code cannot be loaded, with the place in `details`;
/// [`error::VERSION_TAKEN`] when the version has other content; [`error::INVALID_FIELD`];
/// [`error::TOO_MANY`]; those of [`code::describe`].
pub async fn publish(app: &Arc<App>, project: &ProjectId, new: Publication) -> Result<Published> {
    check(&new)?;
    let described = code::describe_for(app, project, &new).await?;
    let (key, version) = named(&described)?;
    let text = serde_json::to_string(&described).map_err(|it| error::INTERNAL.logging(it))?;
    if text.len() > DESCRIBED_BYTES_MAX {
        let text =
            format!("What the component says of itself has over {DESCRIBED_BYTES_MAX} bytes.");
        return Err(broken(text));
    }
    let row = Row {
        id: ComponentId::mint(),
        key,
        version,
        described: text,
        entry: new.entry.clone(),
        permissions: words(new.permissions.iter().map(|it| it.as_str())),
        aliases: words(new.aliases.iter().map(String::as_str)),
        digest: digest(&new),
        created_at_ms: app.clock.now_ms(),
    };
    let fresh = write(app, project, (&row, &described), &new.files).await?;
    let stored = store::find(&app.db, project, &row.key, Some(&row.version)).await?;
    let component = Component::try_from(stored.ok_or_else(missing)?)?;
    Ok(Published { component, fresh })
}

fn words<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all.dedup();
    all.join(" ")
}

fn check(new: &Publication) -> Result<()> {
    files::check(&new.files)?;
    if !new.files.contains_key(&new.entry) {
        return Err(field(
            "entry",
            format!("`{}` is none of the files.", new.entry.escape_debug()),
        ));
    }
    let odd = |name: &&String| !projects::is_package(name);
    if new.aliases.len() > ALIASES_MAX || new.aliases.iter().find(odd).is_some() {
        return Err(field(
            "packages",
            format!("Name at most {ALIASES_MAX} packages as npm does: `name` or `@scope/name`."),
        ));
    }
    Ok(())
}

/// Key and version, which the code has to name.
fn named(described: &Described) -> Result<(String, String)> {
    let Some(key) = described.key.as_deref().map(|it| it.trim_start_matches(OWN)) else {
        return Err(broken("The component has no `key`. Give it one, such as `acme-send-report`."));
    };
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"_-/.".contains(&it);
    let parts = key.split('/').all(|it| !it.is_empty() && !it.bytes().all(|it| it == b'.'));
    if key.len() > KEY_CHARS_MAX || !parts || !key.bytes().all(plain) {
        return Err(broken(format!(
            "The `key` must be letters, digits and `_-/.`, {KEY_CHARS_MAX} at most."
        )));
    }
    let name = described.name.as_deref().unwrap_or_default();
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(broken("The component has no `name` to show to people, or a very long one."));
    }
    let version = described.version.as_deref().unwrap_or_default();
    if Version::parse(version).is_none() {
        return Err(broken("The `version` must be like 0.0.1: three numbers with dots."));
    }
    if !described.run {
        return Err(broken("The component has no `run`."));
    }
    let mut names: Vec<_> =
        described.props.iter().filter_map(|it| name_and_type(it).map(|(name, _)| name)).collect();
    names.sort_unstable();
    if names.len() != described.props.len() || names.windows(2).any(|it| it[0] == it[1]) {
        return Err(broken("A prop has no name or type, or two have one name."));
    }
    Ok((format!("{OWN}{key}"), version.to_owned()))
}

fn broken(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    error::COMPONENT_BROKEN.saying(text)
}

/// Everything that makes a version what it is.
fn digest(new: &Publication) -> String {
    let permissions = words(new.permissions.iter().map(|it| it.as_str()));
    let aliases = words(new.aliases.iter().map(String::as_str));
    let named = [new.entry.as_bytes(), permissions.as_bytes(), aliases.as_bytes()];
    let files = new.files.iter().flat_map(|(path, content)| [path.as_bytes(), content.as_ref()]);
    files::hash_all(named.into_iter().chain(files))
}

/// `false`: it was there, the same.
async fn write(
    app: &Arc<App>,
    project: &ProjectId,
    (row, described): (&Row, &Described),
    files: &Files,
) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    let before = store::versions(&mut tx, project, &row.key).await?;
    if let Some((_, version, digest)) = before.iter().find(|(_, it, _)| *it == row.version) {
        return same(&row.key, version, digest == &row.digest);
    }
    let deleted = store::deleted(&mut tx, project, (&row.key, &row.version)).await?;
    if deleted.is_some_and(|it| it != row.digest) {
        return same(&row.key, &row.version, false);
    }
    if before.len() >= VERSIONS_MAX {
        return Err(error::TOO_MANY.saying(format!(
            "The component has {VERSIONS_MAX} versions, and no more are kept. Give it another key."
        )));
    }
    if before.is_empty() && store::count(&mut tx, project).await? >= COMPONENTS_PER_PROJECT_MAX {
        return Err(error::TOO_MANY.saying(format!(
            "The project has {COMPONENTS_PER_PROJECT_MAX} components, and no more are kept. Delete \
             one that is not used."
        )));
    }
    let all = before.iter().map(|(_, it, _)| it.as_str()).chain([row.version.as_str()]);
    let latest = all.max_by_key(|it| Version::parse(it)).unwrap_or(&row.version);
    let id = store::put(&mut tx, project, row, latest).await?;
    let name = described.name.as_deref().unwrap_or_default();
    let new = New { row, kind: described.what.as_str(), name };
    if !store::insert_version(&mut tx, &id, &new).await? {
        return Err(error::CHANGED_MEANWHILE.into());
    }
    for (path, content) in files {
        let file = FileRow { path, content, digest: files::hash(content) };
        store::insert_file(&mut tx, &id, &row.version, &file).await?;
    }
    tx.commit().await?;
    Ok(true)
}

fn same(key: &str, version: &str, same: bool) -> Result<bool> {
    if same {
        return Ok(false);
    }
    Err(error::VERSION_TAKEN
        .saying(format!(
            "Version {version} of {key} was published with other content, and a version never \
             changes. Raise `version` in the code, and publish again."
        ))
        .with(json!({ "key": key, "version": version })))
}

/// Takes a component away with all its versions. Their numbers stay theirs: what names one finds
/// nothing else under it later.
///
/// # Errors
/// [`error::NOT_FOUND`].
pub async fn delete(app: &Arc<App>, project: &ProjectId, key: &str) -> Result<()> {
    let mut tx = app.db.begin().await?;
    if !store::delete(&mut tx, project, key).await? {
        return Err(missing());
    }
    tx.commit().await?;
    Ok(())
}
