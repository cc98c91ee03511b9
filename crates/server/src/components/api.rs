//! `/v1/connect/{project}/components`, `/actions` and `/triggers`: the same calls for all of them.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use super::{ComponentView, Kind, list, unbuilt};
use crate::app::App;
use crate::callers::{Anyone, InTenant};
use crate::error::{self, Result};
use crate::paging::Listed;
use crate::query::Query;
use crate::scope::{Need, need};

/// One component.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldComponent {
    pub data: ComponentView,
}

/// The call is about a project's components, and may be made.
fn here<N: Need>(call: &InTenant<Anyone, N>, kind: Kind) -> Result<()> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    kind.check(&call.caller.scopes)
}

/// The calls that all kinds have.
macro_rules! calls {
    ($module:ident, $kind:ident, $word:literal, $need:ident) => {
        pub(crate) mod $module {
            use super::*;

            /// Lists what can be configured and run. Nothing can yet, so the list is empty.
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
                let name = format!("{}\n{:?}", $word, call.tenant);
                Ok(axum::Json(super::list(&app, &query, name)?))
            }

            /// Gives one by its key, which may hold slashes. There is none yet.
            #[utoipa::path(get, path = concat!("/v1/connect/{project}/", $word, "/{*key}"),
                tag = "Components", params(("project" = String, Path), ("*key" = String, Path),
                    ("version" = Option<String>, Query)),
                responses((status = 200, body = HeldComponent)),
                security(("client" = []), ("connect" = [])))]
            pub(crate) async fn retrieve(
                call: InTenant<Anyone, need::$need>,
            ) -> Result<axum::Json<HeldComponent>> {
                here(&call, Kind::$kind)?;
                Err(error::NOT_FOUND.saying("There is no such component."))
            }

            /// Would give the values that a field can have. Not built yet.
            #[utoipa::path(post, path = concat!("/v1/connect/{project}/", $word, "/configure"),
                tag = "Components", params(("project" = String, Path)),
                request_body = serde_json::Value,
                responses((status = 501, description = "Not built yet")),
                security(("client" = []), ("connect" = [])))]
            pub(crate) async fn configure(
                call: InTenant<Anyone, need::$need>,
            ) -> Result<()> {
                here(&call, Kind::$kind)?;
                Err(unbuilt("The field was not looked up"))
            }

            /// Would give the fields that a choice brings with it. Not built yet.
            #[utoipa::path(post, path = concat!("/v1/connect/{project}/", $word, "/props"),
                tag = "Components", params(("project" = String, Path)),
                request_body = serde_json::Value,
                responses((status = 501, description = "Not built yet")),
                security(("client" = []), ("connect" = [])))]
            pub(crate) async fn reload(
                call: InTenant<Anyone, need::$need>,
            ) -> Result<()> {
                here(&call, Kind::$kind)?;
                Err(unbuilt("The fields were not looked up"))
            }
        }
    };
}

calls!(components, Components, "components", Nothing);
calls!(actions, Actions, "actions", Actions);
calls!(triggers, Triggers, "triggers", Triggers);

/// Would run an action. Not built yet; nothing is run.
#[utoipa::path(post, path = "/v1/connect/{project}/actions/run", tag = "Components",
    params(("project" = String, Path)), request_body = serde_json::Value,
    responses((status = 501, description = "Not built yet")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn run(call: InTenant<Anyone, need::Actions>) -> Result<()> {
    here(&call, Kind::Actions)?;
    Err(unbuilt("The action was not run"))
}

/// Would deploy a trigger for a user. Not built yet; nothing is deployed.
#[utoipa::path(post, path = "/v1/connect/{project}/triggers/deploy", tag = "Components",
    params(("project" = String, Path)), request_body = serde_json::Value,
    responses((status = 501, description = "Not built yet")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn deploy(call: InTenant<Anyone, need::Triggers>) -> Result<()> {
    here(&call, Kind::Triggers)?;
    Err(unbuilt("The trigger was not deployed"))
}
