//! OAuth clients on their way to another installation: each a line, with its secrets in the clear.

use std::sync::Arc;

use grantkeep_vault::Secret;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::clients::write;
use super::proofs::{oauth_app_key_text, oauth_app_secret};
use super::{Edit, OAuthApp, store};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::error::{self, Error, Result};
use crate::ids::{OAuthAppId, ProjectId};
use crate::json_line;

#[derive(Serialize)]
struct Writing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    app: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a [String]>,
    additional_scopes: &'a [String],
    created_at_ms: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "type")]
    _kind: Option<IgnoredAny>,
    id: String,
    app: String,
    name: Option<String>,
    description: Option<String>,
    client_id: String,
    client_secret: Option<String>,
    private_key: Option<String>,
    key_id: Option<String>,
    client_certificate: Option<String>,
    scopes: Option<Vec<String>>,
    #[serde(default)]
    additional_scopes: Vec<String>,
    created_at_ms: Option<i64>,
}

/// All clients of the project, a line each, and how many. Each is in the audit log before.
///
/// # Errors
/// [`error::DECRYPT_FAILED`], [`error::AUDIT_UNAVAILABLE`].
pub async fn oauth_app_lines(
    app: &App,
    project: &ProjectId,
    (actor, origin): (&Actor, &Origin),
) -> Result<(u64, Zeroizing<Vec<u8>>)> {
    let (mut count, mut lines) = (0, Zeroizing::new(Vec::new()));
    for client in super::all_oauth_apps(app, project).await? {
        let event = Event::new("oauth_app.export", actor, origin).project(project);
        app.audit.record(event.target("oauth_app", client.id.as_str())).await?;
        let secret = oauth_app_secret(app, &client).await?;
        let key = oauth_app_key_text(app, &client).await?;
        let writing = Writing {
            kind: "oauth_client",
            id: client.id.as_str(),
            app: &client.app_slug,
            name: &client.name,
            description: client.description.as_deref(),
            client_id: &client.client_id,
            client_secret: secret.as_ref().map(Secret::expose),
            private_key: key.as_ref().map(Secret::expose),
            key_id: client.key_id.as_deref(),
            client_certificate: client.client_certificate.as_deref(),
            scopes: client.scopes.as_deref(),
            additional_scopes: &client.additional_scopes,
            created_at_ms: client.created_at_ms,
        };
        serde_json::to_writer(&mut *lines, &writing)
            .map_err(|_| error::INTERNAL.logging("an OAuth client could not be written"))?;
        lines.push(b'\n');
        count += 1;
    }
    Ok((count, lines))
}

/// What became of a line.
pub enum Taken {
    Stored,
    /// It was there already, and was left alone.
    Present,
    Refused(String),
}

/// Takes in a client under its own id, so that the redirect URI which is registered for it at the
/// app stays as it is.
///
/// # Errors
/// Of the store and the audit log; whatever is wrong with the line is an answer.
pub async fn import_oauth_app(
    app: &Arc<App>,
    project: &ProjectId,
    line: &[u8],
    (actor, origin): (&Actor, &Origin),
) -> Result<Taken> {
    let line: Line = match json_line::read(line) {
        Ok(line) => line,
        Err(why) => return Ok(Taken::Refused(why)),
    };
    let Some(id) = OAuthAppId::parse(&line.id) else {
        return Ok(Taken::Refused("has an `id` that is none of an OAuth client (oa_...)".into()));
    };
    if has_nul(&line) {
        return Ok(Taken::Refused("has a NUL in one of its texts".into()));
    }
    if let Some(there) = store::published(&app.db, &id).await? {
        if there.project == *project && there.client_id == line.client_id {
            return Ok(Taken::Present);
        }
        return Ok(Taken::Refused(format!("has the id {id}, which another client has here")));
    }
    match stored(app, project, id, line).await {
        Ok(client) => {
            let event = Event::new("oauth_app.import", actor, origin).project(project);
            app.audit.record(event.target("oauth_app", client.id.as_str())).await?;
            Ok(Taken::Stored)
        }
        Err(error) if (400..500).contains(&error.kind().status) => {
            Ok(Taken::Refused(error.text().to_owned()))
        }
        Err(error) => Err(error),
    }
}

fn has_nul(line: &Line) -> bool {
    let texts = [&line.name, &line.description, &line.key_id, &line.client_certificate];
    let mut texts = texts.into_iter().flatten().chain([&line.client_id]);
    texts.any(|it| it.contains('\0'))
}

async fn stored(
    app: &Arc<App>,
    project: &ProjectId,
    id: OAuthAppId,
    line: Line,
) -> Result<OAuthApp, Error> {
    let found = super::find(app, project, &line.app).await?;
    if !found.needs_client() {
        return Err(error::INVALID_FIELD.saying("This app takes no OAuth client."));
    }
    let now_ms = app.clock.now_ms();
    let client = OAuthApp {
        owner: None,
        id,
        project: project.clone(),
        app_slug: found.slug.clone(),
        name: found.name.clone(),
        description: line.description,
        client_id: String::new(),
        sealed_secret: None,
        sealed_key: None,
        key_id: None,
        public_jwk: None,
        client_certificate: None,
        registered_at: String::new(),
        callback_origin: store::callback_origin(&app.db, project).await?,
        scopes: None,
        additional_scopes: Vec::new(),
        version: 0,
        // Where nobody names a client, the newest is taken: that stays the same one.
        created_at_ms: line.created_at_ms.unwrap_or(now_ms).clamp(0, now_ms),
        updated_at_ms: now_ms,
    };
    let edit = Edit {
        name: line.name,
        description: None,
        client_id: Some(line.client_id),
        client_secret: line.client_secret.map(Secret::new),
        scopes: line.scopes,
        additional_scopes: Some(line.additional_scopes),
        private_key: line.private_key.map(Secret::new),
        generate_key: false,
        key_id: line.key_id,
        client_certificate: line.client_certificate.map(Some),
    };
    write(app, client, edit, true).await
}
