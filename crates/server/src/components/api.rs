//! `/v1/connect/{project}/components`, `/actions` and `/triggers`: the same calls for all of them.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::configure::{Configured, Typed, configure};
use super::outcome::Observation;
use super::reload::reload;
use super::wishes::ComponentWish;
use super::{Asked, ComponentView, Filter, Kind, Registry, find, list};
use crate::app::App;
use crate::body::Json;
use crate::callers::{Anyone, InTenant};
use crate::error::{self, Result};
use crate::paging::{Listed, Page};
use crate::path::Path;
use crate::query::Query;
use crate::scope::{Need, need};

/// What a component may be, as lists of both kinds are narrowed.
const TYPES: [&str; 2] = ["trigger", "action"];

/// One component.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldComponent {
    pub data: ComponentView,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    key: String,
}

/// A field that is to be looked up, and how far the component is configured.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct ConfigureWish {
    #[serde(flatten)]
    wish: ComponentWish,
    prop_name: Option<String>,
    /// Which page of values; the first is 0.
    page: Option<i64>,
    /// The `context` of the page before.
    #[schema(value_type = Option<Object>)]
    prev_context: Option<Value>,
    /// What the user typed, for fields with `useQuery`.
    query: Option<String>,
}

/// The values that a field can have. Failures of the component's code are in `errors`.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfiguredView {
    #[schema(value_type = Option<Vec<Object>>)]
    options: Option<Vec<Value>>,
    string_options: Option<Vec<String>>,
    observations: Vec<Observation>,
    /// To be sent back as `prev_context` for the next page.
    #[schema(value_type = Option<Object>)]
    context: Option<Value>,
    errors: Vec<String>,
}

/// The fields that a choice brought with it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReloadedView {
    observations: Vec<Observation>,
    errors: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dynamic_props: Option<DynamicPropsView>,
}

/// All fields as they are now.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DynamicPropsView {
    /// To be sent as `dynamic_props_id` from now on.
    id: String,
    #[schema(value_type = Vec<Object>)]
    configurable_props: Vec<Value>,
}

/// The call is about a project's components, and may be made.
pub fn here<N: Need>(call: &InTenant<Anyone, N>, kind: Kind) -> Result<()> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    kind.check(&call.caller.scopes)
}

/// What the wish asks for, and for whom.
pub(crate) fn asked<'a, N: Need>(
    call: &'a InTenant<Anyone, N>,
    kind: Kind,
    (wish, user): (&'a ComponentWish, &'a str),
) -> Result<Asked<'a>> {
    Ok(Asked {
        tenant: &call.tenant,
        external_id: user,
        caller: &call.caller,
        origin: &call.origin,
        kind,
        key: wish.key()?,
        version: wish.version(),
        configured: wish.configured()?,
        dynamic_props: wish.dynamic_props_id.as_deref().filter(|it| !it.is_empty()),
    })
}

pub fn one_of(query: &Query, name: &str, words: &[&str]) -> Result<()> {
    match query.one(name)? {
        Some(word) if !words.contains(&word) => {
            let text = format!("`{name}` must be one of: {}.", words.join(", "));
            Err(error::INVALID_PARAMETER.saying(text))
        }
        _ => Ok(()),
    }
}

async fn listed<N: Need>(
    app: &Arc<App>,
    call: &InTenant<Anyone, N>,
    kind: Kind,
    query: &Query,
) -> Result<axum::Json<Listed<ComponentView>>> {
    one_of(query, "component_type", &TYPES)?;
    let kind_wanted = match (kind, query.one("component_type")?) {
        (Kind::Components, Some("action")) => Kind::Actions,
        (Kind::Components, Some(_)) => Kind::Triggers,
        (kind, _) => kind,
    };
    let registry = match query.one("registry")? {
        None | Some("all") => Registry::All,
        Some("public") => Registry::Public,
        Some("private") => Registry::Private,
        Some(_) => {
            let text = "`registry` must be one of: public, private, all.";
            return Err(error::INVALID_PARAMETER.saying(text));
        }
    };
    let (named, part) = (query.one("app")?, query.one("q")?);
    let filters = format!("{kind_wanted:?}\n{registry:?}\n{named:?}\n{part:?}");
    let name = format!("components\n{filters}\n{:?}", call.tenant);
    let page = Page::of(query, &app.cursors, name)?;
    let filter = Filter { kind: kind_wanted, app: named, part, registry };
    let (found, total) = list(app, &call.tenant.project, filter, &page).await?;
    let (found, page_info) = page.answer(&app.cursors, found, total, super::Component::boundary);
    let data = found.iter().map(ComponentView::from).collect();
    Ok(axum::Json(Listed { data, page_info }))
}

async fn configured<N: Need>(
    app: &Arc<App>,
    call: &InTenant<Anyone, N>,
    kind: Kind,
    body: ConfigureWish,
) -> Result<axum::Json<ConfiguredView>> {
    let user = body.wish.user(call)?;
    let asked = asked(call, kind, (&body.wish, &user))?;
    let name = body.prop_name.as_deref().filter(|it| !it.is_empty());
    let name = name.ok_or_else(|| super::field("prop_name", "`prop_name` is missing."))?;
    let typed = Typed {
        page: body.page.unwrap_or(0).max(0),
        context: body.prev_context.unwrap_or(Value::Null),
        query: body.query.as_deref(),
    };
    let Configured { options, strings, context, observations, errors } =
        configure(app, asked, name, typed).await?;
    Ok(axum::Json(ConfiguredView {
        options,
        string_options: strings,
        observations,
        context,
        errors,
    }))
}

async fn reloaded<N: Need>(
    app: &Arc<App>,
    call: &InTenant<Anyone, N>,
    kind: Kind,
    wish: ComponentWish,
) -> Result<axum::Json<ReloadedView>> {
    let user = wish.user(call)?;
    let done = reload(app, asked(call, kind, (&wish, &user))?).await?;
    let dynamic_props = done.dynamic.map(|(id, props)| DynamicPropsView {
        id: id.as_str().to_owned(),
        configurable_props: super::described::shown(&props),
    });
    let (observations, errors) = (done.observations, done.errors);
    Ok(axum::Json(ReloadedView { observations, errors, dynamic_props }))
}

/// The calls that all kinds have.
macro_rules! calls {
    ($module:ident, $kind:ident, $word:literal, $need:ident) => {
        pub(crate) mod $module {
            use super::*;

            /// Lists what can be configured and run: what the project published first, by key.
            #[utoipa::path(get, path = concat!("/v1/connect/{project}/", $word),
                tag = "Components",
                params(("project" = String, Path), ("app" = Option<String>, Query),
                    ("q" = Option<String>, Query),
                    ("registry" = Option<String>, Query,
                        description = "`public`, `private` or `all`"),
                    ("component_type" = Option<String>, Query,
                        description = "`trigger` or `action`"),
                    ("limit" = Option<i64>, Query), ("after" = Option<String>, Query),
                    ("before" = Option<String>, Query)),
                responses((status = 200, body = Listed<ComponentView>)),
                security(("client" = []), ("connect" = [])))]
            pub(crate) async fn list(
                State(app): State<Arc<App>>,
                call: InTenant<Anyone, need::$need>,
                query: Query,
            ) -> Result<axum::Json<Listed<ComponentView>>> {
                here(&call, Kind::$kind)?;
                listed(&app, &call, Kind::$kind, &query).await
            }

            /// Gives one by its key, which may hold slashes: the latest version, or the one named.
            #[utoipa::path(get, path = concat!("/v1/connect/{project}/", $word, "/{*key}"),
                tag = "Components", params(("project" = String, Path), ("*key" = String, Path),
                    ("version" = Option<String>, Query)),
                responses((status = 200, body = HeldComponent)),
                security(("client" = []), ("connect" = [])))]
            pub(crate) async fn retrieve(
                State(app): State<Arc<App>>,
                call: InTenant<Anyone, need::$need>,
                Path(Named { key }): Path<Named>,
                query: Query,
            ) -> Result<axum::Json<HeldComponent>> {
                here(&call, Kind::$kind)?;
                let which = (Kind::$kind, key.as_str(), query.one("version")?);
                let found = find(&app, &call.tenant.project, which).await?;
                Ok(axum::Json(HeldComponent { data: ComponentView::from(&found) }))
            }

            /// Gives the values that a field can have.
            #[utoipa::path(post, path = concat!("/v1/connect/{project}/", $word, "/configure"),
                tag = "Components", params(("project" = String, Path)),
                request_body = ConfigureWish,
                responses((status = 200, body = ConfiguredView)),
                security(("client" = []), ("connect" = [])))]
            pub(crate) async fn configure(
                State(app): State<Arc<App>>,
                call: InTenant<Anyone, need::$need>,
                Json(body): Json<ConfigureWish>,
            ) -> Result<axum::Json<ConfiguredView>> {
                here(&call, Kind::$kind)?;
                configured(&app, &call, Kind::$kind, body).await
            }

            /// Gives the fields that the choices so far bring with them.
            #[utoipa::path(post, path = concat!("/v1/connect/{project}/", $word, "/props"),
                tag = "Components", params(("project" = String, Path)),
                request_body = ComponentWish,
                responses((status = 200, body = ReloadedView)),
                security(("client" = []), ("connect" = [])))]
            pub(crate) async fn reload(
                State(app): State<Arc<App>>,
                call: InTenant<Anyone, need::$need>,
                Json(body): Json<ComponentWish>,
            ) -> Result<axum::Json<ReloadedView>> {
                here(&call, Kind::$kind)?;
                reloaded(&app, &call, Kind::$kind, body).await
            }
        }
    };
}

calls!(components, Components, "components", Nothing);
calls!(actions, Actions, "actions", Actions);
calls!(triggers, Triggers, "triggers", Triggers);
