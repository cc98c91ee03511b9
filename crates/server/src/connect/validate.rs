//! `GET /v1/connect/tokens/{token}/validate`: what a connect token is good for. Uses nothing up.

use std::sync::Arc;

use serde::Serialize;

use super::open::{self, Names};
use crate::app::App;
use crate::apps;
use crate::apps::view::{AppView, app_view};
use crate::error::{self, Error, Result};
use crate::ids::{OAuthAppId, OverrideId, ProjectId};
use crate::projects;
use crate::tenant::Environment;
use crate::tokens::{self, ConnectToken};

/// Every field is always sent, `null` where there is nothing to say.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Validation {
    success: bool,
    /// Why not, as a sentence.
    error: Option<String>,
    app: Option<AppView>,
    app_override_id: Option<OverrideId>,
    /// Fields that it fills, so that users are not asked for them.
    app_override_field_names: Option<Vec<String>>,
    /// The OAuth client that would ask for the grant.
    oauth_app_id: Option<OAuthAppId>,
    oauth_app_workday_official: bool,
    oauth_app_connect_base_url: Option<String>,
    project_id: Option<ProjectId>,
    project_app_name: Option<String>,
    project_support_email: Option<String>,
    project_environment: Option<Environment>,
    success_redirect_uri: Option<String>,
    error_redirect_uri: Option<String>,
}

/// Never fails for a bad token: the answer says so.
pub(super) async fn validate(app: &Arc<App>, text: &str, names: Names<'_>) -> Result<Validation> {
    let Some(token) = tokens::find(app, text).await? else {
        return Ok(refusal(None, &error::CONNECT_TOKEN_UNKNOWN.into()));
    };
    if let Err(error) = token.usable(app.clock.now_ms()) {
        return Ok(refusal(Some(&token), &error));
    }
    let project = projects::find(&app.db, &token.tenant.project).await?;
    let wanted = match open::wanted(app, &token, names).await {
        Ok(wanted) => wanted,
        Err(error) if error.kind().status >= 500 => return Err(error),
        Err(error) => {
            let named = match names.app {
                Some(name) => apps::find(app, &token.tenant.project, name).await.ok(),
                None => None,
            };
            let mut answer = refusal(Some(&token), &error);
            answer.app = named.map(|it| app_view(app, &it));
            answer.project_app_name = Some(project.product().to_owned());
            answer.project_support_email = project.support_email;
            return Ok(answer);
        }
    };
    Ok(Validation {
        success: true,
        error: None,
        app: Some(app_view(app, &wanted.app)),
        oauth_app_id: wanted.client.map(|it| it.id),
        app_override_field_names: wanted
            .app_override
            .as_ref()
            .map(|it| it.fields.keys().cloned().collect()),
        app_override_id: wanted.app_override.map(|it| it.id),
        project_app_name: Some(project.product().to_owned()),
        project_support_email: project.support_email,
        success_redirect_uri: token.success_redirect_uri.clone(),
        error_redirect_uri: token.error_redirect_uri.clone(),
        ..refusal(Some(&token), &error::INTERNAL.into())
    })
}

fn refusal(token: Option<&ConnectToken>, error: &Error) -> Validation {
    Validation {
        success: false,
        error: Some(error.text().to_owned()),
        app: None,
        app_override_id: None,
        app_override_field_names: None,
        oauth_app_id: None,
        oauth_app_workday_official: false,
        oauth_app_connect_base_url: None,
        project_id: token.map(|it| it.tenant.project.clone()),
        project_app_name: None,
        project_support_email: None,
        project_environment: token.map(|it| it.tenant.environment),
        success_redirect_uri: None,
        error_redirect_uri: None,
    }
}
