//! The first token of a grant that consists of what the user entered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_oauth::answer::{Failure, Response, Tokens};
use grantkeep_vault::Secret;

use crate::app::App;
use crate::apps::protocol::{self, ClientKeys, Values};
use crate::apps::{self, asking};
use crate::error::{self, Error, Result};
use crate::ids::{OAuthAppId, ProjectId};

/// The user waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the app gave, and the project's client that asked, if one did.
pub(super) struct First {
    pub tokens: Tokens,
    pub client: Option<OAuthAppId>,
    pub client_id: String,
}

/// Asks for it. `None`: this app's keys are used as they are.
///
/// # Errors
/// [`error::CREDENTIALS_REFUSED`] when the app does not take what was entered,
/// [`error::OAUTH_CLIENT_MISSING`], [`error::PROVIDER_UNAVAILABLE`],
/// [`error::PROVIDER_BAD_ANSWER`].
pub(super) async fn token(
    app: &Arc<App>,
    project: &ProjectId,
    found: &CatalogApp,
    fields: &BTreeMap<String, Secret>,
) -> Result<Option<First>> {
    if !asking::asks_again(found) {
        return Ok(None);
    }
    let (keys, client) = if found.needs_client() {
        let client = apps::oauth_app_for(app, project, &found.slug).await?;
        (ClientKeys::open(app, &client).await?, Some(client.id))
    } else {
        (ClientKeys::of_fields(fields), None)
    };
    let mut values = Values::of(found, fields);
    values.client_id = Some(&keys.id);
    let request = asking::request(app, &values, &keys).map_err(|why| {
        // A key that is none, or a text that fits in no request.
        tracing::info!(app = found.slug, %why, "what was entered makes no request");
        error::CREDENTIALS_REFUSED
            .saying(format!("{} cannot be asked with this: {why}.", found.name))
    })?;
    let answered =
        protocol::send_by(keys.egress(app), request, PATIENCE).await.map_err(|error| {
            tracing::info!(app = found.slug, detail = error.detail(), "an app gave no first token");
            Error::from(error::PROVIDER_UNAVAILABLE)
        })?;
    let now_ms = app.clock.now_ms();
    let material = asking::material(found, &answered);
    let response = Response { body: &material, ..answered.response() };
    let tokens = asking::read(found, &response, now_ms);
    let tokens = tokens.map_err(|failure| refused(found, &failure))?;
    Ok(Some(First { tokens, client, client_id: keys.id }))
}

fn refused(found: &CatalogApp, failure: &Failure) -> Error {
    tracing::info!(app = found.slug, %failure, "an app refused what was entered");
    let name = &found.name;
    match failure {
        Failure::Grant(said) | Failure::Refused(said) => {
            error::CREDENTIALS_REFUSED.saying(format!("{name} did not accept this: {said}."))
        }
        Failure::Client(_) => error::OAUTH_CLIENT_MISSING.saying(format!(
            "{name} refuses the OAuth client that is registered for it. Its operator must check \
             its id and secret."
        )),
        Failure::Transient { retry_after_s, .. } => {
            Error::from(error::PROVIDER_UNAVAILABLE).retry_after(retry_after_s.unwrap_or(5))
        }
        Failure::Malformed(_) => error::PROVIDER_BAD_ANSWER.into(),
    }
}
