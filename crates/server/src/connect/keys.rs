//! The filled form of an app that is connected with keys, or with nothing.

use std::sync::Arc;

use grantkeep_vault::Secret;

use super::fields::Typed;
use super::secrets::Kept;
use super::{Flow, Session, funnel, hold};
use crate::accounts::{self, Account, Binding, Form};
use crate::app::App;
use crate::apps;
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::ids::FlowId;
use crate::tokens::{self, ConnectToken};

/// What came of a form.
pub(super) enum Taken {
    Connected(Box<Account>),
    /// Nothing is stored as an account before the product's backend has said who typed it.
    Held {
        flow: FlowId,
        verify_url: Secret,
    },
}

/// Stores what was typed as an account, tried out first if the project asks for it; or holds it.
/// A form that comes again, its answer lost, is answered with the account that it made.
///
/// # Errors
/// [`error::INVALID_FIELD`] with the field's name; [`error::CREDENTIALS_REFUSED`] when the app does
/// not take them. The form may be sent again then.
pub(super) async fn connect(
    app: &Arc<App>,
    session: &Session,
    (typed, name): (Typed, Option<String>),
    origin: &Origin,
) -> Result<Taken> {
    if let Some(account) = made(app, session).await? {
        return Ok(Taken::Connected(Box::new(account)));
    }
    let set = session.app_override.as_ref();
    let filled = apps::fill(app, &session.tenant.project, set, typed).await;
    let taken = match filled {
        Ok(typed) if session.binding == Binding::Verified => {
            held(app, session, (typed, name), origin).await
        }
        Ok(typed) => {
            let made = store(app, session, (typed, name), origin).await;
            made.map(|it| Taken::Connected(Box::new(it)))
        }
        Err(error) => Err(error),
    };
    match &taken {
        Ok(Taken::Connected(it)) => funnel::finished(app, session, it.id.as_str(), origin),
        Ok(Taken::Held { .. }) => {}
        Err(error) => funnel::refused(app, session, error.kind().code, origin),
    }
    taken
}

/// A wrong key is told at once, to the person who can mend it.
async fn held(
    app: &Arc<App>,
    session: &Session,
    (typed, name): (Typed, Option<String>),
    origin: &Origin,
) -> Result<Taken> {
    let token = token(app, session).await?;
    let form = form(session, session.app()?, (typed.clone(), name.clone()));
    accounts::check_keys(app, &token, form).await?;
    let (flow, verify_url) = hold::form(app, session, (typed, name), origin).await?;
    Ok(Taken::Held { flow, verify_url })
}

/// Stores a form that was held, as if it had been sent now.
pub(super) async fn store_held(
    app: &Arc<App>,
    (flow, session): (&Flow, &Session),
    kept: Kept,
    origin: &Origin,
) -> Result<Account> {
    let typed = kept.fields.iter().map(|(name, it)| (name.clone(), it.expose().to_owned()));
    let token = token(app, session).await?;
    // The flow's own app: the page may have gone on to another.
    let form = form(session, &flow.app_slug, (typed.collect(), kept.name));
    // What goes wrong here ends the flow, and is told with that.
    let made = accounts::store_keys(app, &token, form, origin).await?;
    noted_done(app, flow, &made).await;
    funnel::finished(app, session, made.id.as_str(), origin);
    Ok(made)
}

/// The account that this page's form made before, if it is there still.
async fn made(app: &App, session: &Session) -> Result<Option<Account>> {
    let name = session.app()?;
    let Some(id) = super::store::made(&app.db, session).await? else { return Ok(None) };
    let user = Some(&*session.external_id);
    let found = accounts::find(app, &session.tenant, id.as_str(), user).await.ok();
    Ok(found.filter(|it| it.app_slug == name))
}

async fn noted_done(app: &App, flow: &Flow, made: &Account) {
    if let Err(error) = super::store::set_done(&app.db, flow, &made.id).await {
        // The account is there all the same; only the first page is not told.
        tracing::error!(flow = %flow.id, %error, "a flow's end could not be noted");
    }
}

async fn store(
    app: &Arc<App>,
    session: &Session,
    (typed, name): (Typed, Option<String>),
    origin: &Origin,
) -> Result<Account> {
    let token = token(app, session).await?;
    let flow = hold::of_form(session, app.clock.now_ms())?;
    let form = form(session, session.app()?, (typed, name));
    let (own, origin) = (Arc::clone(app), origin.clone());
    // Apart from the request: a browser that goes away must not leave an account without its note.
    let stored = app.exchanges.spawn(async move {
        let made = accounts::connect_keys(&own, &token, form, &origin).await?;
        if let Err(error) = note(&own, &flow).await {
            tracing::error!(flow = %flow.id, %error, "the flow of a form could not be noted");
        } else {
            noted_done(&own, &flow, &made).await;
        }
        Ok(made)
    });
    stored.await.unwrap_or_else(|it| Err(error::INTERNAL.logging(it)))
}

async fn note(app: &App, flow: &Flow) -> sqlx::Result<()> {
    let mut tx = app.db.begin().await?;
    super::store::insert_flow(&mut tx, flow, None).await?;
    tx.commit().await
}

async fn token(app: &App, session: &Session) -> Result<ConnectToken> {
    let token = tokens::find_by_hash(app, &session.token_hash).await?;
    token.ok_or_else(|| Error::from(error::CONNECT_TOKEN_EXPIRED))
}

fn form(session: &Session, app: &str, (fields, name): (Typed, Option<String>)) -> Form {
    Form {
        app: app.to_owned(),
        fields,
        name,
        reconnect: session.reconnect.clone(),
        binding: session.binding,
    }
}
