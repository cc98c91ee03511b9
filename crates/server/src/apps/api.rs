//! `/v1/connect/apps` and `/v1/connect/app_categories`: the catalogue over HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use grantkeep_catalog::{Category, Entry, Filter, Status};
use serde::Serialize;

use super::view::{AppView, app_view};
use crate::app::App;
use crate::callers::{Anyone, Call, InProject};
use crate::error::{self, Result};
use crate::ids::{OAuthAppId, ProjectId};
use crate::paging::{Boundary, Listed, Page};
use crate::path::Path;
use crate::query::Query;
use crate::scope::need;

#[derive(Serialize, utoipa::ToSchema)]
pub struct Wrapped<T> {
    data: T,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct CategoryView {
    id: String,
    name: String,
    description: String,
}

impl From<Category> for CategoryView {
    fn from(it: Category) -> Self {
        Self { id: it.id, name: it.name.to_owned(), description: it.description.to_owned() }
    }
}

/// One page of the list. `only`: the slugs among which it looks, and the name of that choice.
///
/// # Errors
/// [`error::INVALID_PARAMETER`] and the like, for what is asked.
pub(crate) async fn listed(
    app: &App,
    project: Option<&ProjectId>,
    query: &Query,
    (only, choice): (Option<&BTreeSet<String>>, &str),
) -> Result<Listed<AppView>> {
    let wish = Wish::of(query)?;
    let name = format!("apps\n{project:?}\n{wish:?}\n{choice}");
    let page = Page::of(query, &app.cursors, name)?;
    let own = match project {
        Some(project) => super::own(app, project).await?,
        None => Arc::default(),
    };
    let part = wish.part.unwrap_or_default();
    let mut found: Vec<&Entry> = own.search(part);
    found.extend(app.catalog.search(part).into_iter().filter(|it| own.get(&it.slug).is_none()));
    let categories = wish.category_names(app);
    let is_meant = |it: &Entry| only.is_none_or(|only| only.contains(&*it.slug));
    found.retain(|it| is_meant(it) && wish.filter.takes(it) && wish.fits(it, &categories));
    if let Some(key) = wish.sort_key {
        sort(&mut found, key);
        if wish.descending {
            found.reverse();
        }
    }
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let boundary = |it: &&Entry| Boundary { key: 0, id: it.slug.clone().into_owned() };
    let cut = page.cut(found, boundary);
    let (items, page_info) = page.answer(&app.cursors, cut, total, boundary);
    let full = |it: &Entry| {
        let found = own.get(&it.slug).or_else(|| app.catalog.get(&it.slug));
        found.map(|found| app_view(app, &found))
    };
    let data = items.into_iter().filter_map(full).collect();
    Ok(Listed { data, page_info })
}

/// What a caller asks of the list.
#[derive(Debug)]
struct Wish<'a> {
    part: Option<&'a str>,
    sort_key: Option<&'a str>,
    descending: bool,
    categories: BTreeSet<&'a str>,
    filter: Filter,
}

impl<'a> Wish<'a> {
    fn of(query: &'a Query) -> Result<Self> {
        let part = query.one("q")?;
        let asked = query.one("sort_key")?;
        if asked.is_some_and(|key| !["name", "name_slug", "featured_weight"].contains(&key)) {
            let text = "`sort_key` must be name, name_slug or featured_weight.";
            return Err(error::INVALID_PARAMETER.saying(text));
        }
        // What was searched for is best shown by how well it fits.
        let sort_key = asked.or(if part.is_none() { Some("featured_weight") } else { None });
        let descending = match query.one("sort_direction")? {
            None => sort_key == Some("featured_weight"),
            Some("asc") => false,
            Some("desc") => true,
            Some(_) => {
                let text = "`sort_direction` must be asc or desc.";
                return Err(error::INVALID_PARAMETER.saying(text));
            }
        };
        let categories = query.all("category_ids").flat_map(|it| it.split(','));
        let categories = categories.filter(|it| !it.is_empty()).collect();
        let filter = filter(query)?;
        Ok(Self { part, sort_key, descending, categories, filter })
    }

    /// The names of the categories that were asked for.
    fn category_names(&self, app: &App) -> Vec<&'static str> {
        let asked = |it: &Category| self.categories.contains(it.id.as_str());
        app.catalog.categories().iter().filter(|it| asked(it)).map(|it| it.name).collect()
    }

    fn fits(&self, found: &Entry, categories: &[&str]) -> bool {
        self.categories.is_empty() || categories.iter().any(|it| found.is_in(it))
    }
}

fn filter(query: &Query) -> Result<Filter> {
    let auth_type = query.one("auth_type")?.map(str::to_owned);
    if auth_type.as_deref().is_some_and(|it| !["oauth", "keys", "none"].contains(&it)) {
        return Err(error::INVALID_PARAMETER.saying("`auth_type` must be oauth, keys or none."));
    }
    let wrong = || {
        let text = "`evidence` must be confirmed, single_source or incomplete.";
        error::INVALID_PARAMETER.saying(text)
    };
    let named = |word: &str| Status::named(word).ok_or_else(wrong);
    let number = |word: &str| {
        let text = "`confirmed_min` must be a number.";
        word.parse().map_err(|_| error::INVALID_PARAMETER.saying(text))
    };
    let evidence = query.one("evidence")?.map(named).transpose()?;
    // Who asks for what is incomplete wants to see it.
    let unconnectable = query.flag("include_unconnectable")?;
    Ok(Filter {
        auth_type,
        evidence,
        confirmed_min: query.one("confirmed_min")?.map(number).transpose()?.unwrap_or(0),
        unconnectable: unconnectable.unwrap_or(evidence == Some(Status::Incomplete)),
    })
}

fn sort(found: &mut [&Entry], key: &str) {
    match key {
        "name" => found.sort_by_cached_key(|it| it.name.to_lowercase()),
        "name_slug" => found.sort_by(|one, other| one.slug.cmp(&other.slug)),
        // Descending is the rule here, so that equals still come in the order of their names.
        _ => found.sort_by(|one, other| {
            one.popularity.cmp(&other.popularity).then_with(|| other.slug.cmp(&one.slug))
        }),
    }
}

/// One app, by slug or id. Callers of a project find its own apps too.
#[utoipa::path(get, path = "/v1/connect/apps/{app}", tag = "Apps", params(("app" = String, Path)),
    responses((status = 200, body = Wrapped<AppView>)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: Call<Anyone, need::Nothing>,
    Path(name): Path<String>,
) -> Result<axum::Json<Wrapped<AppView>>> {
    let found = match &call.caller.project {
        Some(project) => super::own(&app, project).await?.find(&name),
        None => None,
    };
    let found = found.map_or_else(|| super::find_public(&app, &name), Ok)?;
    Ok(axum::Json(Wrapped { data: app_view(&app, &found) }))
}

/// All categories, bare.
#[utoipa::path(get, path = "/v1/connect/app_categories", tag = "Apps",
    responses((status = 200, body = Vec<CategoryView>)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn categories(
    State(app): State<Arc<App>>,
    _: Call<Anyone, need::Nothing>,
) -> axum::Json<Vec<CategoryView>> {
    axum::Json(app.catalog.categories().into_iter().map(CategoryView::from).collect())
}

#[utoipa::path(get, path = "/v1/connect/app_categories/{id}", tag = "Apps",
    params(("id" = String, Path)), responses((status = 200, body = CategoryView)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn category(
    State(app): State<Arc<App>>,
    _: Call<Anyone, need::Nothing>,
    Path(id): Path<String>,
) -> Result<axum::Json<CategoryView>> {
    // The published description of the API has the prefix with another letter.
    let id = id.strip_prefix("appcar_").map_or_else(|| id.clone(), |it| format!("appcat_{it}"));
    let found = app.catalog.categories().into_iter().find(|it| it.id == id);
    Ok(axum::Json(found.ok_or(error::NOT_FOUND)?.into()))
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct ConfiguredApp {
    /// The project's OAuth client for the app.
    id: Option<OAuthAppId>,
    name_slug: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct ProjectInfo {
    apps: Vec<ConfiguredApp>,
}

/// Which apps the project has OAuth clients for.
#[utoipa::path(get, path = "/v1/connect/{project}/projects/info", tag = "Projects",
    params(("project" = String, Path)), responses((status = 200, body = ProjectInfo)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn project_info(
    State(app): State<Arc<App>>,
    call: InProject<Anyone, need::ProjectsRead>,
) -> Result<axum::Json<ProjectInfo>> {
    let clients = super::all_oauth_apps(&app, &call.project).await?;
    let apps = clients
        .into_iter()
        .map(|it| ConfiguredApp { id: Some(it.id), name_slug: it.app_slug })
        .collect();
    Ok(axum::Json(ProjectInfo { apps }))
}
