//! Publishing a project's own components over HTTP, and taking them away.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ComponentView, Files, Permission, Publication, Published, field};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{InProject, Server};
use crate::error::Result;
use crate::scope::need;

/// One file: its content as text, or in base64.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct NewFile {
    /// Where it stands in the component's folder, such as `common/api.mjs`.
    path: String,
    text: Option<String>,
    base64: Option<String>,
}

/// A component that is to be published.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct NewComponent {
    files: Vec<NewFile>,
    /// The file that is loaded first. Not needed where there is one only.
    entry: Option<String>,
    /// What it may do beyond others: `raw-tokens` shows its code credentials as they are.
    permissions: Option<Vec<String>>,
    /// Names of packages that mean `@grantkeep/runtime` in this code.
    packages: Option<Vec<String>>,
}

/// What was published.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PublishedComponent {
    data: ComponentView,
    /// Whether it was not there already, the same.
    fresh: bool,
}

impl NewComponent {
    fn publication(self) -> Result<Publication> {
        let mut files: Files = BTreeMap::new();
        for file in self.files {
            let content = match (file.text, file.base64) {
                (Some(text), None) => Bytes::from(text),
                (None, Some(text)) => {
                    let wrong = |_| field("files", "A file's `base64` cannot be read.");
                    Bytes::from(STANDARD.decode(text).map_err(wrong)?)
                }
                _ => return Err(field("files", "A file has either `text` or `base64`.")),
            };
            if files.insert(file.path, content).is_some() {
                return Err(field("files", "Two files have one path."));
            }
        }
        let only = files.keys().next().filter(|_| files.len() == 1).cloned();
        let Some(entry) = self.entry.or(only) else {
            return Err(field("entry", "`entry` is missing: which file is loaded first?"));
        };
        let permission = |text: &String| {
            let known = Permission::parse(text);
            known.ok_or_else(|| field("permissions", "The one permission there is: `raw-tokens`."))
        };
        let permissions = self.permissions.unwrap_or_default();
        let permissions = permissions.iter().map(permission).collect::<Result<_>>()?;
        Ok(Publication { files, entry, permissions, aliases: self.packages.unwrap_or_default() })
    }
}

/// Publishes a version of a component. Its code is loaded once, and says key, version and fields;
/// a version never changes, and the same again changes nothing.
#[utoipa::path(post, path = "/v1/connect/{project}/components", tag = "Components",
    params(("project" = String, Path)), request_body = NewComponent,
    responses((status = 201, body = PublishedComponent),
        (status = 400, description = "`component_broken`, with the place in `details.position`"),
        (status = 409, description = "`version_taken`: raise the version")),
    security(("client" = [])))]
pub(crate) async fn publish(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Json(new): Json<NewComponent>,
) -> Result<(StatusCode, axum::Json<PublishedComponent>)> {
    let new = new.publication()?;
    if new.permissions.contains(&Permission::RawTokens) {
        call.caller.may_show_credentials("`raw-tokens`")?;
    }
    let Published { component, fresh } = super::publish(&app, &call.project, new).await?;
    let event = Event::new("component.publish", &call.caller.actor, &call.origin);
    let event = event.project(&call.project).target("component", component.id.as_str());
    app.audit.record(event.detail(audited(&component, fresh))).await?;
    let data = ComponentView::from(&component);
    Ok((StatusCode::CREATED, axum::Json(PublishedComponent { data, fresh })))
}

/// What audit keeps of a publication.
pub(crate) fn audited(it: &super::Component, fresh: bool) -> serde_json::Value {
    let permissions: Vec<_> = it.permissions.iter().map(|it| it.as_str()).collect();
    json!({ "key": it.key, "version": it.version, "permissions": permissions, "fresh": fresh })
}
