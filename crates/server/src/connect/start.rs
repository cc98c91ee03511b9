//! The click: a flow begins, and a ticket is made for its window.

use std::sync::Arc;

use grantkeep_oauth::template;
use grantkeep_vault::{Secret, token};

use super::failure::Failure;
use super::fields::{self, Typed};
use super::secrets::Kept;
use super::store::Ticket;
use super::{
    FLOW_LIFE_MS, Flow, Session, State, TICKET_LIFE_MS, TICKET_PREFIX, ending, open, own_client,
    scopes, store,
};
use crate::app::App;
use crate::apps;
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::ids::FlowId;
use crate::projects;
use crate::tokens::{self, ConnectToken};

/// Begins a flow. One that this page began before is over once a browser leaves with this one.
///
/// # Errors
/// [`error::INVALID_FIELD`] with the field's name; [`error::CONNECT_TOKEN_USED`] or
/// [`error::CONNECT_TOKEN_EXPIRED`].
pub(super) async fn start(
    app: &Arc<App>,
    session: &Session,
    mut typed: Typed,
    profile: Option<&str>,
) -> Result<(Flow, Secret)> {
    let token = check_token(app, session).await?;
    let found = apps::find(app, &session.tenant.project, session.app()?).await?;
    let (client, entered) = own_client::begin(app, session, &found, &mut typed).await?;
    let set = session.app_override.as_ref();
    let typed = apps::fill(app, &session.tenant.project, set, typed).await?;
    let mut kept = Kept::of(fields::judge(&found, typed)?);
    let project = projects::find(&app.db, &session.tenant.project).await?;
    // What the page's address says holds, unless it is left to the person.
    let choice = scopes::are_chosen(&project, &token);
    let own = profile.filter(|it| choice && scopes::PROFILES.contains(it));
    let profile = own.or(session.scope_profile.as_deref());
    let issuer = match found.oauth2().and_then(|it| it.issuer.as_deref()) {
        Some(text) => Some(filled(text, &kept)?),
        None => None,
    };
    let now_ms = app.clock.now_ms();
    let secret = token::base64url(TICKET_PREFIX, 32);
    let mut flow = Flow {
        id: FlowId::mint(),
        session: session.id.clone(),
        tenant: session.tenant.clone(),
        user: session.user.clone(),
        app_slug: found.slug.clone(),
        redirect_uri: client.redirect_uri(app),
        asked_scopes: scopes::asked(&found, &client, profile),
        oauth_app: Some(client.id.clone()),
        state: State::Waiting,
        sealed: Vec::new(),
        issuer,
        binding: session.binding,
        created_at_ms: now_ms,
        expires_at_ms: now_ms + FLOW_LIFE_MS,
    };
    let mut tx = app.db.begin().await?;
    let key = app.keys.user_for_sealing(&mut tx, &flow.tenant, &flow.user, now_ms).await?;
    own_client::keep(app, &mut tx, (&client, entered), &mut kept).await?;
    flow.sealed = kept.seal(&key, &flow)?;
    store::insert_flow(&mut tx, &flow, Some(&ticket(&secret, now_ms))).await?;
    tx.commit().await?;
    Ok((flow, secret))
}

/// Another ticket for a flow whose window has lost the page that opened it. Whoever holds it may go
/// on, in any browser; so the product's backend must confirm the person, or the project must allow
/// that nothing proves him.
///
/// # Errors
/// [`error::LINKS_OFF`]; [`error::NOT_FOUND`] when the flow has left or ended.
pub(super) async fn loosen(app: &Arc<App>, session: &Session, id: &FlowId) -> Result<Secret> {
    check_token(app, session).await?;
    let project = projects::find(&app.db, &session.tenant.project).await?;
    let binding = open::unproved(&project.settings).ok_or(error::LINKS_OFF)?;
    let flow = store::find_flow(&app.db, session, id).await?.ok_or(error::NOT_FOUND)?;
    let secret = token::base64url(TICKET_PREFIX, 32);
    let mut ticket = ticket(&secret, app.clock.now_ms());
    // A person clicks this one, and may read first.
    ticket.expires_at_ms = flow.expires_at_ms;
    if !store::set_ticket(&app.db, &flow, &ticket, binding).await? {
        return Err(error::NOT_FOUND.into());
    }
    Ok(secret)
}

fn ticket(secret: &Secret, now_ms: i64) -> Ticket {
    Ticket { hash: token::digest(secret.expose()), expires_at_ms: now_ms + TICKET_LIFE_MS }
}

/// Whether the session's connect token can still connect an account.
pub(super) async fn check_token(app: &App, session: &Session) -> Result<ConnectToken> {
    let token = tokens::find_by_hash(app, &session.token_hash).await?;
    let token = token.ok_or_else(|| Error::from(error::CONNECT_TOKEN_EXPIRED))?;
    token.usable(app.clock.now_ms())?;
    Ok(token)
}

/// An issuer identifier with the person's own part in it.
fn filled(text: &str, kept: &Kept) -> Result<String> {
    let filled = template::fill_text(text, &|name| kept.field(name))
        .map_err(|it| error::INTERNAL.logging(it))?;
    Ok(filled.expose().to_owned())
}

/// Ends the page's flow, or the one named, unless it has come back already.
pub(super) async fn cancel(
    app: &Arc<App>,
    session: &Session,
    flow: Option<&str>,
    origin: &Origin,
) -> Result<()> {
    if let Some(id) = flow {
        let id = FlowId::parse(id).ok_or(error::NOT_FOUND)?;
        let flow = store::find_flow(&app.db, session, &id).await?.ok_or(error::NOT_FOUND)?;
        let early =
            !matches!(flow.state, State::Exchanging | State::Done { .. } | State::Failed(_));
        if early {
            ending::fail(app, &flow, session, &Failure::cancelled(), origin).await?;
        }
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    store::end_open_flows(&mut tx, session, None, &Failure::cancelled()).await?;
    tx.commit().await?;
    Ok(())
}
