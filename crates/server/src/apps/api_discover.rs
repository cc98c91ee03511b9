//! `POST /v1/connect/{project}/custom_apps/discover`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use grantkeep_vault::Secret;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::api_custom::{CustomAppView, view};
use super::view::{OAuthAppView, oauth_app_view};
use super::{Discovered, Lead};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{InProject, Server};
use crate::clock::iso;
use crate::error::Result;
use crate::scope::need;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct DiscoveryWish {
    /// An issuer of `OpenID` Connect or OAuth, a resource, or an MCP server.
    #[schema(example = "https://mcp.acme.example/mcp", max_length = 2048)]
    url: String,
    /// Made from the host when absent. That of an app that was discovered before: read it again.
    slug: Option<String>,
    name: Option<String>,
    /// What tokens are for (RFC 8707), where that is not the URL.
    resource: Option<String>,
    /// Which of the authorization servers that a resource names; the first when absent.
    issuer: Option<String>,
    /// For servers that register only who has one. Used once, and not kept.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    registration_token: Option<Secret>,
    /// Credentials that are there may go to the addresses that the server names now.
    confirm_endpoint_change: Option<bool>,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Secret::new))
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct DiscoveryAnswer {
    custom_app: CustomAppView,
    /// The client. Where it is `to_be_entered`, register its `redirect_uri` at the app, and enter
    /// id and secret.
    oauth_app: OAuthAppView,
    /// `registered`: it registered itself; `document`: its id is the address of a document that
    /// this server serves; `to_be_entered`.
    client: &'static str,
    /// Why it must be entered, or what the server registered otherwise than it was asked.
    remark: Option<String>,
    /// When the server wants another secret.
    client_secret_expires_at: Option<String>,
}

/// Makes an app of what a server says of itself: OIDC Discovery, RFC 8414, RFC 9728. The
/// client registers itself (RFC 7591) or is known by a document, where the server takes that.
#[utoipa::path(post, path = "/v1/connect/{project}/custom_apps/discover", tag = "Custom apps",
    params(("project" = String, Path)), request_body = DiscoveryWish,
    responses((status = 200, body = DiscoveryAnswer, description = "It was there; it is read anew"),
        (status = 201, body = DiscoveryAnswer),
        (status = 400, description = "`discovery_failed`, with the address in `details.url`; \
            `slug_taken`; `too_many`"),
        (status = 409, description = "`other_server`: the client is another server's; \
            `endpoints_changed`, with the addresses in `details.moved`")),
    security(("client" = [])))]
pub(crate) async fn discover(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Json(wish): Json<DiscoveryWish>,
) -> Result<(StatusCode, axum::Json<DiscoveryAnswer>)> {
    let lead = Lead {
        url: wish.url,
        slug: wish.slug,
        name: wish.name,
        resource: wish.resource,
        issuer: wish.issuer,
        registration_token: wish.registration_token,
        confirm_endpoint_change: wish.confirm_endpoint_change.unwrap_or_default(),
    };
    let done = super::discover(&app, &call.project, lead).await?;
    let event = Event::new("custom_app.discover", &call.caller.actor, &call.origin);
    let event = event.project(&call.project).target("custom_app", done.app.row.slug.as_str());
    app.audit.record(event.detail(audited(&done))).await?;
    let status = if done.again { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, axum::Json(answer(&app, done).await?)))
}

async fn answer(app: &App, done: Discovered) -> Result<DiscoveryAnswer> {
    Ok(DiscoveryAnswer {
        oauth_app: oauth_app_view(app, &done.client.client).await?,
        client: done.client.how.as_str(),
        remark: done.client.remark,
        client_secret_expires_at: done.client.secret_expires_at_ms.map(iso),
        custom_app: view(app, done.app.row),
    })
}

/// What audit keeps: from where, which client, and which addresses are others.
pub(crate) fn audited(done: &Discovered) -> serde_json::Value {
    let from = done.app.row.discovered.as_deref();
    let from = from.and_then(|it| serde_json::from_str::<serde_json::Value>(it).ok());
    json!({ "discovered": from, "client": done.client.client.id,
        "how": done.client.how.as_str(), "moved": done.app.moved })
}
