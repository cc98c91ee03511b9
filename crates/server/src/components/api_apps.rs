//! `/v1/connect/apps`: the list of apps, which can be asked for those that have components.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;

use super::{Kind, find};
use crate::app::App;
use crate::apps::api::listed;
use crate::apps::view::AppView;
use crate::callers::{Anyone, Call};
use crate::error::Result;
use crate::paging::Listed;
use crate::query::Query;
use crate::scope::need;

/// The parameters by which apps with components are asked for.
const HAVING: [(&str, Kind); 3] = [
    ("has_components", Kind::Components),
    ("has_actions", Kind::Actions),
    ("has_triggers", Kind::Triggers),
];

/// Lists apps, the most used first. Callers of a project see its own apps among them.
///
/// `q` searches names, slugs and former names, and forgives typing errors. `sort_key` is `name`,
/// `name_slug` or `featured_weight`; `category_ids` may be repeated. `auth_type` is `oauth`, `keys`
/// or `none`; `evidence` is how well an app is known: `confirmed`, `single_source` or `incomplete`;
/// `confirmed_min` is how many sources must say the same. Apps of which too little is known to
/// connect them are listed with `include_unconnectable` only. With `has_actions`, `has_triggers` or
/// `has_components` (either) only apps are listed of which there is such a component, shipped or of
/// the project's own.
#[utoipa::path(get, path = "/v1/connect/apps", tag = "Apps",
    params(("q" = Option<String>, Query), ("sort_key" = Option<String>, Query),
        ("sort_direction" = Option<String>, Query), ("category_ids" = Option<Vec<String>>, Query),
        ("auth_type" = Option<String>, Query), ("evidence" = Option<String>, Query),
        ("confirmed_min" = Option<u32>, Query), ("include_unconnectable" = Option<bool>, Query),
        ("has_components" = Option<bool>, Query), ("has_actions" = Option<bool>, Query),
        ("has_triggers" = Option<bool>, Query), ("limit" = Option<i64>, Query),
        ("after" = Option<String>, Query), ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<AppView>)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: Call<Anyone, need::Nothing>,
    query: Query,
) -> Result<axum::Json<Listed<AppView>>> {
    let project = call.caller.project.as_ref();
    let (mut only, mut choice): (Option<BTreeSet<String>>, _) = (None, String::new());
    for (name, kind) in HAVING {
        if query.flag(name)? == Some(true) {
            let having = find::apps_of(&app, project, kind).await?;
            only = Some(only.map_or_else(|| having.clone(), |it| &it & &having));
            choice.push_str(name);
        }
    }
    listed(&app, project, &query, (only.as_ref(), &choice)).await.map(axum::Json)
}
