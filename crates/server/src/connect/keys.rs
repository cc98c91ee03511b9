//! The filled form of an app that is connected with keys, or with nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::Secret;

use super::fields::{self, Typed};
use super::{Session, funnel, start};
use crate::accounts::{self, Account, Credentials, NewGrant};
use crate::app::App;
use crate::apps;
use crate::apps::probe::{Doubt, Known, Probe};
use crate::apps::protocol::Values;
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::projects;

/// Characters in a name that a person gives to an account.
const NAME_CHARS_MAX: usize = 200;

/// Stores what was typed as an account, tried out first if the project asks for it.
///
/// # Errors
/// [`error::INVALID_FIELD`] with the field's name; [`error::CREDENTIALS_REFUSED`] when the app does
/// not take them. The form may be sent again then.
pub(super) async fn connect(
    app: &Arc<App>,
    session: &Session,
    (typed, name): (Typed, Option<String>),
    origin: &Origin,
) -> Result<Account> {
    let made = store(app, session, typed, name, origin).await;
    match &made {
        Ok(account) => funnel::finished(app, session, account.id.as_str(), origin),
        Err(error) => funnel::refused(app, session, error.kind().code, origin),
    }
    made
}

async fn store(
    app: &Arc<App>,
    session: &Session,
    typed: Typed,
    name: Option<String>,
    origin: &Origin,
) -> Result<Account> {
    start::check_token(app, session).await?;
    let found = apps::find(app, &session.app_slug)?;
    if session.oauth_app.is_some() {
        return Err(error::INVALID_REQUEST.saying("This app is connected by signing in."));
    }
    let fields = fields::judge(found, typed)?;
    let mut fields: BTreeMap<String, Secret> =
        fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    let known = tried(app, session, found, &fields).await?;
    for (name, value) in known.learned {
        fields.insert(name, Secret::new(value));
    }
    let name = name.map(|it| it.trim().chars().take(NAME_CHARS_MAX).collect::<String>());
    let grant = NewGrant {
        tenant: session.tenant.clone(),
        user: session.user.clone(),
        external_id: session.external_id.clone(),
        app_slug: found.slug.clone(),
        oauth_app: None,
        name: name.filter(|it| !it.is_empty()).or(known.name),
        subject: known.subject,
        credentials: Credentials { fields, ..Credentials::default() },
        expires_at_ms: None,
        scopes: Vec::new(),
        missing_scopes: Vec::new(),
        binding: session.binding,
        reconnect: session.reconnect.clone(),
        token_hash: session.token_hash,
    };
    accounts::connect(app, grant, origin).await
}

/// Tries the credentials out where the project asks for it, and learns whose they are.
async fn tried(
    app: &Arc<App>,
    session: &Session,
    found: &CatalogApp,
    fields: &BTreeMap<String, Secret>,
) -> Result<Known> {
    let values = Values::of(found, fields);
    let probe = Probe { app, values: &values, sign: None };
    let project = projects::find(&app.db, &session.tenant.project).await?;
    let verified = if project.require_key_test {
        probe.verify().await.map_err(|why| doubted(found, &why))?
    } else {
        None
    };
    Ok(probe.identify(verified, &|_| None).await)
}

fn doubted(found: &CatalogApp, why: &Doubt) -> Error {
    tracing::info!(app = %found.slug, %why, "keys were tried out and not taken");
    let name = &found.name;
    match why {
        Doubt::Refused(_) => error::CREDENTIALS_REFUSED
            .saying(format!("{name} did not accept this. Check what you entered and try again.")),
        Doubt::Unavailable(_) | Doubt::NoAnswer(_) => error::PROVIDER_UNAVAILABLE
            .saying(format!("{name} does not answer at the moment. Please try again later.")),
        Doubt::Unaskable(_) => error::INTERNAL.logging(why),
    }
}
