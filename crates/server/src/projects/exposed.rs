//! Credentials of ours that came in a URL: proxies, browsers and logs keep those, so the operator
//! should revoke what was seen there.

use std::sync::Arc;

use grantkeep_vault::token;

use super::clients::{ACCESS_TOKEN_PREFIX, SECRET_PREFIX};
use super::keys::KEY_PREFIX;
use super::store;
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::error::Result;
use crate::ids::ProjectId;
use crate::query::Query;

/// Parameters by which careless clients send credentials.
const PARAMETERS: [&str; 6] =
    ["access_token", "api_key", "apikey", "authorization", "client_secret", "secret"];

/// Whether a query holds a credential: by its name, or because it has the form of one of ours.
pub(crate) fn in_query(query: &Query) -> bool {
    query.pairs().any(|(name, value)| {
        PARAMETERS.iter().any(|it| name.eq_ignore_ascii_case(it)) || kind(value).is_some()
    })
}

/// Marks each credential of the query that is good as exposed, and says so in the audit log. It
/// stays good: whether to revoke it is for the operator to say.
pub(crate) async fn expose(app: &Arc<App>, query: &Query, origin: &Origin) -> Result<()> {
    for (_, value) in query.pairs() {
        let value = bare(value);
        let (Some(kind), hash) = (kind(value), token::digest(value)) else { continue };
        let now_ms = app.clock.now_ms();
        let found: Option<(Actor, Option<ProjectId>)> = match kind {
            Kind::Key => store::expose_key(&app.db, &hash, now_ms)
                .await?
                .map(|(id, project)| (Actor::Key(id), Some(project))),
            Kind::AccessToken => store::expose_client_of_token(&app.db, &hash, now_ms)
                .await?
                .map(|(id, project)| (Actor::Client(id), project)),
            Kind::ClientSecret => store::expose_client(&app.db, &hash, now_ms)
                .await?
                .map(|(id, project)| (Actor::Client(id), project)),
        };
        let Some((actor, project)) = found else { continue };
        tracing::warn!(id = actor.id(), "a credential came in a URL: revoke it, make another");
        let mut event = Event::new("credential.exposed", &actor, origin)
            .target(actor.kind(), actor.id())
            .outcome("refused");
        if let Some(project) = &project {
            event = event.project(project);
        }
        app.audit.note(event);
    }
    Ok(())
}

enum Kind {
    Key,
    AccessToken,
    ClientSecret,
}

/// The kind of a credential of ours, by its form alone.
fn kind(text: &str) -> Option<Kind> {
    let text = bare(text);
    let kind = match text.rsplit_once('_')?.0 {
        KEY_PREFIX => Kind::Key,
        ACCESS_TOKEN_PREFIX => Kind::AccessToken,
        SECRET_PREFIX => Kind::ClientSecret,
        _ => return None,
    };
    token::verify_checksum(text).then_some(kind)
}

/// Without the scheme that some send along.
fn bare(text: &str) -> &str {
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => text,
    }
}
