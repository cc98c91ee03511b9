//! Every route on one page.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, delete, get, post};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::telemetry::access;
use crate::{
    accounts, apps, authn, callback_origins, components, connect, cors, docs, error, health,
    projects, proxy, sdk, stash, tokens, triggers, usage, users, webhooks, workflows,
};

/// What the document says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Grantkeep",
        description = "Connect your users' accounts, keep their tokens fresh, use them \
                       from your code.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&Schemes)
)]
struct Document;

struct Schemes;

impl utoipa::Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let bearer = |text: &str| {
            let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
            SecurityScheme::Http(http.description(Some(text)).build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("client", bearer("An access token, or an API key"));
        components.add_security_scheme("connect", bearer("A connect token"));
    }
}

/// The API proper: a bearer is needed, and the handlers' signatures say which.
///
/// Routes added with `routes!` are in the document. Those added with `route` are other paths to the
/// same handlers: without a project for connect tokens and API keys, and older ones.
fn guarded() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(projects::api::list, projects::api::create))
        .routes(routes!(
            projects::api::retrieve,
            projects::api::update,
            triggers::api_erase::delete_project
        ))
        .routes(routes!(projects::api::set_logo))
        .routes(routes!(projects::api::frozen, projects::api::freeze, projects::api::unfreeze))
        .routes(routes!(projects::api_limits::list, projects::api_limits::create))
        .routes(routes!(projects::api_limits::delete))
        .routes(routes!(usage::api::credits))
        .routes(routes!(usage::api::by_meter))
        .routes(routes!(tokens::api::create_token))
        .route("/v1/connect/tokens", post(tokens::api::create_token))
        .routes(routes!(connect::api::confirm_flow))
        .route("/v1/connect/flows/{flow}/confirm", post(connect::api::confirm_flow))
        .routes(routes!(users::api::list))
        .routes(routes!(accounts::api::list, accounts::api::create))
        .routes(routes!(
            accounts::api::retrieve,
            accounts::api_health::change,
            accounts::api::delete
        ))
        .routes(routes!(accounts::api_health::retrieve))
        .routes(routes!(accounts::api_health::refresh_now))
        .routes(routes!(accounts::api::revocation))
        .routes(routes!(accounts::api::delete_by_app))
        .routes(routes!(accounts::api::list_of_user, triggers::api_erase::delete_user))
        .routes(routes!(accounts::api::erasure))
        .merge(accounts_without_project())
        .merge(catalogue())
        .merge(news())
        .merge(proxied())
        .merge(actions_and_triggers())
        .merge(deployed())
        .merge(flows())
        .merge(files())
}

/// Files that one step hands to the next.
fn files() -> OpenApiRouter<Arc<App>> {
    use stash::api;
    OpenApiRouter::new()
        .routes(routes!(api::put))
        .routes(routes!(api::download))
        .route("/v1/connect/file_stash", post(api::put))
        .route("/v1/connect/file_stash/download", get(api::download))
}

/// What can be run for a user: the same calls for each kind, with a project and without.
fn actions_and_triggers() -> OpenApiRouter<Arc<App>> {
    use crate::workflows::api_components as used;
    use components::api::{actions, components as both, triggers};
    use components::{api_publish, api_run, api_runs};
    OpenApiRouter::new()
        .routes(routes!(both::list, api_publish::publish))
        .routes(routes!(both::retrieve, used::delete))
        .routes(routes!(api_runs::list))
        .routes(routes!(api_runs::retrieve))
        .routes(routes!(both::configure))
        .routes(routes!(both::reload))
        .routes(routes!(actions::list))
        .routes(routes!(actions::retrieve))
        .routes(routes!(actions::configure))
        .routes(routes!(actions::reload))
        .routes(routes!(api_run::run))
        .routes(routes!(triggers::list))
        .routes(routes!(triggers::retrieve))
        .routes(routes!(triggers::configure))
        .routes(routes!(triggers::reload))
        .route("/v1/connect/components", get(both::list))
        .route("/v1/connect/components/{*key}", get(both::retrieve))
        .route("/v1/connect/components/configure", post(both::configure))
        .route("/v1/connect/components/props", post(both::reload))
        .route("/v1/connect/actions", get(actions::list))
        .route("/v1/connect/actions/{*key}", get(actions::retrieve))
        .route("/v1/connect/actions/configure", post(actions::configure))
        .route("/v1/connect/actions/props", post(actions::reload))
        .route("/v1/connect/actions/run", post(api_run::run))
        .route("/v1/connect/triggers", get(triggers::list))
        .route("/v1/connect/triggers/{*key}", get(triggers::retrieve))
        .route("/v1/connect/triggers/configure", post(triggers::configure))
        .route("/v1/connect/triggers/props", post(triggers::reload))
}

/// Steps that follow each other, and their runs.
fn flows() -> OpenApiRouter<Arc<App>> {
    use workflows::{api, api_runs as runs};
    OpenApiRouter::new()
        .routes(routes!(api::list, api::create))
        .routes(routes!(api::retrieve, api::delete))
        .routes(routes!(api::invoke))
        .routes(routes!(runs::list))
        .routes(routes!(runs::retrieve))
        .routes(routes!(runs::replay))
        .routes(routes!(runs::cancel))
}

/// What runs for a user by itself. Signing keys are for servers, so their paths need a project.
fn deployed() -> OpenApiRouter<Arc<App>> {
    use triggers::{api, api_parts as parts};
    let one = get(api::retrieve).put(api::update).delete(api::delete);
    let workflows = get(parts::workflows).put(parts::set_workflows);
    let webhooks = get(parts::webhooks).put(parts::set_webhooks);
    OpenApiRouter::new()
        .routes(routes!(api::deploy))
        .route("/v1/connect/{project}/components/triggers/deploy", post(api::deploy))
        .route("/v1/connect/components/triggers/deploy", post(api::deploy))
        .route("/v1/connect/triggers/deploy", post(api::deploy))
        .routes(routes!(api::list))
        .routes(routes!(api::retrieve, api::update, api::delete))
        .routes(routes!(parts::events))
        .routes(routes!(parts::workflows, parts::set_workflows))
        .routes(routes!(parts::webhooks, parts::set_webhooks))
        .routes(routes!(parts::webhook))
        .routes(routes!(parts::regenerate))
        .routes(routes!(parts::reset))
        .route("/v1/connect/deployed-triggers", get(api::list))
        .route("/v1/connect/deployed-triggers/{id}", one)
        .route("/v1/connect/deployed-triggers/{id}/events", get(parts::events))
        .route("/v1/connect/deployed-triggers/{id}/pipelines", workflows)
        .route("/v1/connect/deployed-triggers/{id}/webhooks", webhooks)
}

/// Calls to apps: the target in a header, or as the wire has it, in the path.
fn proxied() -> OpenApiRouter<Arc<App>> {
    use proxy::api;
    let any = || {
        let reading = get(api::get).delete(api::delete);
        reading.post(api::post).put(api::put).patch(api::patch)
    };
    OpenApiRouter::new()
        .routes(routes!(api::get, api::post, api::put, api::patch, api::delete))
        .routes(routes!(
            api::get_in_path,
            api::post_in_path,
            api::put_in_path,
            api::patch_in_path,
            api::delete_in_path
        ))
        .route("/v1/connect/proxy", any())
        .route("/v1/connect/proxy/{*target}", any())
}

/// Endpoints for news.
fn news() -> OpenApiRouter<Arc<App>> {
    use webhooks::{api, api_default};
    OpenApiRouter::new()
        .routes(routes!(api_default::retrieve, api_default::set, api_default::delete))
        .routes(routes!(api_default::regenerate))
        .routes(routes!(api_default::reset))
        .routes(routes!(api::list, api::create))
        .routes(routes!(api::deliveries))
        .routes(routes!(api::replay))
        .routes(routes!(api::retrieve, api::update, api::delete))
        .routes(routes!(api::rotate))
        .routes(routes!(api::reset))
        .routes(routes!(api::test))
}

/// The same without a project, for connect tokens and API keys.
fn accounts_without_project() -> OpenApiRouter<Arc<App>> {
    use accounts::{api, api_health, api_older};
    let one = get(api::retrieve).patch(api_health::change).delete(api::delete);
    let user = get(api::list_of_user).delete(triggers::api_erase::delete_user);
    OpenApiRouter::new()
        .route("/v1/connect/accounts", get(api::list).post(api::create))
        .route("/v1/connect/accounts/{account}", one)
        .route("/v1/connect/accounts/app/{app}", get(api_older::of_app).delete(api::delete_by_app))
        .route("/v1/connect/accounts/external_id/{*rest}", get(api_older::of_user))
        .route("/v1/connect/accounts/{account}/health", get(api_health::retrieve))
        .route("/v1/connect/accounts/{account}/refresh", post(api_health::refresh_now))
        .route("/v1/connect/accounts/{account}/revocation", get(api::revocation))
        .route("/v1/connect/apps/{app}/accounts", delete(api::delete_by_app))
        .route("/v1/connect/users", get(users::api::list))
        .route("/v1/connect/users/{*rest}", user)
}

/// Apps, and the project's own clients at them.
fn catalogue() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(apps::api::project_info))
        .route("/v1/connect/projects/info", get(apps::api::project_info))
        .routes(routes!(apps::api_clients::list, apps::api_clients::create))
        .routes(routes!(
            apps::api_clients::retrieve,
            apps::api_clients::update,
            apps::api_clients::delete
        ))
        .routes(routes!(apps::api_custom::list, apps::api_custom::create))
        .routes(routes!(apps::api_discover::discover))
        .routes(routes!(
            apps::api_custom::retrieve,
            apps::api_custom::replace,
            apps::api_custom::delete
        ))
        .routes(routes!(apps::api_overrides::list, apps::api_overrides::create))
        .routes(routes!(
            apps::api_overrides::retrieve,
            apps::api_overrides::update,
            apps::api_overrides::delete
        ))
        .routes(routes!(components::api_apps::list))
        .routes(routes!(apps::api::retrieve))
        .routes(routes!(apps::api::categories))
        .routes(routes!(apps::api::category))
        .route("/v1/apps", get(components::api_apps::list))
        .route("/v1/apps/{app}", get(apps::api::retrieve))
        .route("/v1/app_categories", get(apps::api::categories))
        .route("/v1/app_categories/{id}", get(apps::api::category))
}

/// What needs no bearer.
fn open() -> OpenApiRouter<Arc<App>> {
    use workflows::api_entry as flow;
    OpenApiRouter::new()
        .routes(routes!(projects::token::token))
        .route("/_static/logo/{id}", get(projects::api::logo))
        .routes(routes!(connect::api::validate_token))
        .merge(connect_page())
        .route("/stash", get(stash::api::by_link))
        .route(accounts::signer::PATH, post(proxy::api_signature::sign))
        .route("/v1/hooks/{key}", any(triggers::api_hooks::hook))
        .route("/v1/hooks/{key}/{*rest}", any(triggers::api_hooks::hook))
        .route("/v1/workflows/resume/{key}", get(flow::ask_resume).post(flow::resume))
        .route("/v1/workflows/cancel/{key}", get(flow::ask_cancel).post(flow::cancel))
        .route("/v1/workflows/{key}", any(flow::called))
        .route("/v1/workflows/{key}/{*rest}", any(flow::called))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/openapi.json", get(|| async { rendered().openapi() }))
        .route("/docs", get(|| async { rendered().page() }))
        .route("/_static/docs.css", get(docs::style))
        .route("/sdk.js", get(sdk::script))
        .route("/sdk.mjs", get(sdk::module))
}

/// The connect page and its calls, whose credential is the page's own.
fn connect_page() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .route("/_static/connect.html", get(connect::web::page))
        .route("/_static/connect.css", get(connect::assets::css))
        .route("/_static/connect.js", get(connect::assets::js))
        .route("/_static/apps/{file}", get(connect::assets::icon))
        .route("/_static/connect-list.css", get(connect::assets::list_css))
        .route("/_static/connect-fields.js", get(connect::assets::fields_js))
        .route("/_static/connect-list.js", get(connect::assets::list_js))
        .route("/_static/connect-window.js", get(connect::assets::window_js))
        .route("/connect/page", post(connect::web_forms::sent))
        .route("/connect/session/apps", get(connect::api::apps))
        .route("/connect/session/start", post(connect::api::begin))
        .route("/connect/session/link", post(connect::api::link))
        .route("/connect/session/status", get(connect::api::status))
        .route("/connect/session/account", post(connect::api::account))
        .route("/connect/session/event", post(connect::api::event))
        .route("/connect/session/cancel", post(connect::api::cancel))
        .route("/connect/start/{flow}", get(connect::web::start_page).post(connect::web::start))
        .route("/connect/oauth/{oauth_app}/callback", get(connect::web::returned))
        .route("/connect/window/{project}", get(connect::web::window))
        .route("/connect/device/{flow}", get(connect::web::device))
        .route("/connect/oauth/{oauth_app}/jwks.json", get(apps::published::jwks))
        .route("/connect/oauth/{oauth_app}/client.json", get(apps::published::client))
        .route("/connect/result/{flow}", get(connect::web::result))
}

/// The OpenAPI document of the routes.
pub fn document() -> utoipa::openapi::OpenApi {
    let routes = OpenApiRouter::<Arc<App>>::with_openapi(Document::openapi());
    let mut document = routes.merge(guarded()).merge(open()).into_openapi();
    docs::complete(&mut document);
    document
}

/// The document in the forms that are served; made once.
pub fn rendered() -> &'static docs::Rendered {
    static RENDERED: LazyLock<docs::Rendered> = LazyLock::new(|| docs::Rendered::of(&document()));
    &RENDERED
}

/// The whole service, for the listener to wrap in its limits.
pub fn router(app: &Arc<App>) -> Router {
    let (guarded, _) = guarded().split_for_parts();
    let (open, _) = open().split_for_parts();
    let authenticate = middleware::from_fn_with_state(Arc::clone(app), authn::authenticate);
    guarded
        .route_layer(authenticate)
        .merge(open)
        .fallback(|| async { error::Error::from(error::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { error::Error::from(error::METHOD_NOT_ALLOWED) })
        .layer(middleware::from_fn_with_state(Arc::clone(app), first))
        .with_state(Arc::clone(app))
}

/// What is done before every route. Each layer is copied for each request, so this is one.
async fn first(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    access::remember_route(&request);
    let answered = callback_origins::answer(&app, &request).or_else(|| cors::preflight(&request));
    match answered {
        Some(response) => response,
        None => next.run(request).await,
    }
}
