//! Finding components: among a project's own and those that are shipped.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::store::{self, Row};
use super::{Component, Described, Kind, Permission, Place, What, missing, shipped};
use crate::app::App;
use crate::apps;
use crate::error::{self, Error, Result};
use crate::ids::{ComponentId, ProjectId};
use crate::paging::{Boundary, Page};

/// What every key of a project's own begins with.
pub(super) const OWN: &str = "~/";
/// Characters of a key.
const KEY_CHARS_MAX: usize = 200;

/// Where a list looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registry {
    /// What is shipped.
    Public,
    /// What the project published.
    Private,
    #[default]
    All,
}

/// Which components a list shows. All given filters hold at once.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    pub kind: Kind,
    /// Slug or id of an app that the component takes accounts of.
    pub app: Option<&'a str>,
    /// A part of the key or of the name.
    pub part: Option<&'a str>,
    pub registry: Registry,
}

impl TryFrom<Row> for Component {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let described: Described = serde_json::from_str(&row.described).map_err(|error| {
            let place = format!("component_versions of {} {}", row.id, row.version);
            error::INTERNAL.logging(format!("{place}: {error}"))
        })?;
        Ok(Self {
            id: row.id,
            key: row.key,
            version: row.version,
            described: Arc::new(described),
            entry: row.entry,
            permissions: row.permissions.split(' ').filter_map(Permission::parse).collect(),
            aliases: row.aliases.split_whitespace().map(str::to_owned).collect(),
            place: Place::Published,
            created_at_ms: row.created_at_ms,
        })
    }
}

/// Finds a component by its key; without a version, the latest.
///
/// # Errors
/// [`error::NOT_FOUND`], for another project's and for those of another kind too.
pub async fn find(
    app: &App,
    project: &ProjectId,
    (kind, key, version): (Kind, &str, Option<&str>),
) -> Result<Component> {
    let odd = |text: &str| text.len() > KEY_CHARS_MAX || text.chars().any(char::is_control);
    if odd(key) || version.is_some_and(odd) {
        return Err(missing());
    }
    let found = if key.starts_with(OWN) {
        let row = store::find(&app.db, project, key, version).await?;
        row.map(Component::try_from).transpose()?
    } else {
        shipped::find(key, version)
    };
    match found {
        Some(it) if kind.holds(it.what()) => Ok(it),
        Some(it) => Err(of_another_kind(&it)),
        None => Err(missing()),
    }
}

/// It is there, and cannot be used for what was wanted.
fn of_another_kind(it: &Component) -> Error {
    let key = &it.key;
    let text = match it.what() {
        What::Action => format!("`{key}` is an action: it is run, and cannot be deployed."),
        What::Source => {
            format!("`{key}` is the source of a trigger: it is deployed, and cannot be run.")
        }
    };
    error::NOT_FOUND.saying(text)
}

/// The very version that something was made of.
///
/// # Errors
/// [`error::NOT_FOUND`] when it was deleted, or is no longer shipped.
pub async fn find_by_id(
    app: &App,
    project: &ProjectId,
    id: &ComponentId,
    version: &str,
) -> Result<Component> {
    if let Some(found) = shipped::all().find(|it| it.id == *id) {
        // One that is shipped is brought up to date with the program.
        return Ok(found.clone());
    }
    let row = store::find_by_id(&app.db, project, id, version).await?;
    row.map(Component::try_from).transpose()?.ok_or_else(missing)
}

/// One page, a project's own first, by key; and how many there are.
pub async fn list(
    app: &App,
    project: &ProjectId,
    filter: Filter<'_>,
    page: &Page,
) -> Result<(Vec<Component>, i64)> {
    let all = all(app, project, filter).await?;
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    Ok((page.cut(all, Component::boundary), total))
}

/// All that fit, in the same order.
pub async fn all(app: &App, project: &ProjectId, filter: Filter<'_>) -> Result<Vec<Component>> {
    let slug = match filter.app {
        None => None,
        Some(name) => match apps::find(app, project, name).await {
            Ok(found) => Some(found.slug.clone()),
            // Components may be of apps that nothing is known of.
            Err(error) if matches!(error.kind().status, 400 | 404) => Some(name.to_owned()),
            Err(error) => return Err(error),
        },
    };
    let part = filter.part.map(str::to_lowercase);
    let fits = |it: &Component| {
        let of_app = |slug: &String| {
            let by_key = it.key.trim_start_matches(OWN).split('-').next() == Some(slug);
            by_key || it.described.apps().any(|it| it == slug)
        };
        let says = |part: &String| {
            it.key.to_lowercase().contains(part) || it.name().to_lowercase().contains(part)
        };
        filter.kind.holds(it.what())
            && slug.as_ref().is_none_or(of_app)
            && part.as_ref().is_none_or(says)
    };
    let mut all = Vec::new();
    if filter.registry != Registry::Public {
        for row in store::latest_of_all(&app.db, project).await? {
            all.push(Component::try_from(row)?);
        }
    }
    if filter.registry != Registry::Private {
        all.extend(shipped::all().cloned());
    }
    all.retain(fits);
    Ok(all)
}

/// The slugs of all apps of which there are components of a kind.
pub(super) async fn apps_of(
    app: &App,
    project: Option<&ProjectId>,
    kind: Kind,
) -> Result<BTreeSet<String>> {
    let filter = Filter { kind, app: None, part: None, registry: Registry::Private };
    let own = match project {
        Some(project) => all(app, project, filter).await?,
        None => Vec::new(),
    };
    let shipped = shipped::all().filter(|it| kind.holds(it.what()));
    let slugs = |it: &Component| it.described.apps().map(str::to_owned).collect::<Vec<_>>();
    Ok(own.iter().flat_map(slugs).chain(shipped.flat_map(slugs)).collect())
}

impl Component {
    /// Where a page that begins or ends with this one goes on.
    pub(super) fn boundary(&self) -> Boundary {
        Boundary { key: 0, id: self.key.clone() }
    }
}
