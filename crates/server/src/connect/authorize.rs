//! Leaving for the provider: the ticket is taken, the browser is bound, the address is made.

use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, Flow as Way};
use grantkeep_vault::{Secret, token};
use url::Url;

use super::failure::Failure;
use super::finish::Asked;
use super::secrets::Kept;
use super::store::Departure;
use super::{
    Flow, Mode, Session, State, callback, device, ending, funnel, oauth1, oauth2, own_client,
    start, store,
};
use crate::app::App;
use crate::apps;
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::ids::FlowId;

/// Where the browser goes, and the cookie by which it is known when it comes back.
pub(super) struct Leaving {
    pub url: Secret,
    pub cookie: Secret,
    /// The browser that goes on with a link, to be known on later loads of it.
    /// With it, the hash of the connect token that the link is for.
    pub link: Option<([u8; 32], Secret)>,
}

/// What became of a ticket that was good.
pub(super) enum Left {
    Now(Box<(Flow, Leaving)>),
    /// The flow is over, and says why.
    Not(Box<(Flow, Session)>),
}

/// Takes the ticket, which may have come by a link. One browser gets to leave, whoever else comes
/// with it; then what the page began before is over.
///
/// # Errors
/// [`error::TICKET_INVALID`] when the ticket is unknown, used, or too old.
pub(super) async fn leave(
    app: &Arc<App>,
    id: &FlowId,
    (ticket, by_link): (&str, bool),
    origin: &Origin,
) -> Result<Left> {
    let now_ms = app.clock.now_ms();
    let taken = store::take_ticket(&app.db, id, &token::digest(ticket), now_ms).await?;
    let flow = taken.ok_or_else(|| Error::from(error::TICKET_INVALID))?;
    let session = store::session_of(&app.db, &flow).await?.ok_or(error::TICKET_INVALID)?;
    match prepare(app, (&flow, by_link), &session).await {
        Ok(leaving) => {
            funnel::consent_started(app, &flow, origin);
            Ok(Left::Now(Box::new((flow, leaving))))
        }
        Err(why) => {
            ending::fail(app, &flow, &session, &why, origin).await?;
            let over = Flow { state: State::Failed(why), ..flow };
            Ok(Left::Not(Box::new((over, session))))
        }
    }
}

async fn prepare(
    app: &Arc<App>,
    (flow, by_link): (&Flow, bool),
    session: &Session,
) -> Result<Leaving, Failure> {
    let product = crate::projects::find(&app.db, &flow.tenant.project).await;
    let product = product.map(|it| it.product().to_owned()).unwrap_or_default();
    if !session.is_live(app.clock.now_ms()) {
        return Err(Failure::page_ended());
    }
    let ours = |error: Error| {
        tracing::warn!(flow = %flow.id, code = error.kind().code, "a flow cannot leave");
        Failure::of(&error, &product)
    };
    start::check_token(app, session).await.map_err(ours)?;
    let found = apps::find(app, &flow.tenant.project, &flow.app_slug).await.map_err(ours)?;
    let key = app.keys.user(&app.db, &flow.tenant, &flow.user).await.map_err(ours)?;
    let mut kept = Kept::open(&key, flow).map_err(ours)?;
    let client = own_client::of_flow(app, flow, &kept, &found).await.map_err(ours)?;

    // 256 bits each, from the system's generator (RFC 9700 section 4.7.1).
    let state = token::base64url("", 32);
    let cookie = token::base64url("", 32);
    let asked = Asked { app, found: &found, client: &client, flow, product: &product };
    let url = match (found.oauth2(), found.oauth1()) {
        (Some(it), _) if it.flow == Way::DeviceCode => {
            device::begin(&asked, &mut kept, &state).await?
        }
        (Some(_), _) => oauth2::begin(&asked, &mut kept, &state).await?,
        (None, Some(_)) => oauth1::begin(&asked, &mut kept).await?,
        (None, None) => return Err(ours(error::INTERNAL.logging("the app has no OAuth any more"))),
    };
    let departure = Departure {
        state_hash: match &kept.request_token {
            Some(given) => callback::handle_of_token(given.expose()),
            None => callback::handle_of_state(state.expose()),
        },
        cookie_hash: token::digest(cookie.expose()),
        sealed: &kept.seal(&key, flow).map_err(ours)?,
    };
    let left = store::set_authorizing(&app.db, flow, &departure).await;
    if !left.map_err(|it| ours(it.into()))? {
        return Err(Failure::cancelled());
    }
    end_former(app, flow, session).await.map_err(ours)?;
    let by_link = by_link || session.mode == Mode::Link;
    let link = if by_link { Some(bind(app, session).await.map_err(ours)?) } else { None };
    Ok(Leaving { url, cookie, link })
}

/// Not before a new window is on its way: the former one may be open still, and be finished in.
async fn end_former(app: &App, flow: &Flow, session: &Session) -> Result<()> {
    let mut tx = app.db.begin().await?;
    store::end_open_flows(&mut tx, session, Some(&flow.id), &Failure::cancelled()).await?;
    Ok(tx.commit().await?)
}

/// Makes this the browser that went on with the link.
async fn bind(app: &App, session: &Session) -> Result<([u8; 32], Secret)> {
    let browser = token::base64url("", 32);
    store::bind_link(&app.db, session, &token::digest(browser.expose())).await?;
    Ok((session.token_hash, browser))
}

/// The host where the person will sign in, for recognition. `None` while a part of it is not known.
pub(super) fn host(app: &CatalogApp) -> Option<String> {
    let text = match (app.oauth2(), app.oauth1()) {
        (Some(it), _) => &it.authorization_url,
        (_, Some(it)) => &it.authorize_url,
        _ => return None,
    };
    if text.split('/').nth(2).is_none_or(|it| it.contains("${")) {
        return None;
    }
    Url::parse(text).ok()?.host_str().map(str::to_owned)
}

/// Notes that the window of a flow is open, and gives the flow to be shown.
///
/// # Errors
/// [`error::TICKET_INVALID`] when there is no such flow, or it has gone on or ended.
pub(super) async fn opened(app: &Arc<App>, id: &FlowId) -> Result<(Flow, Session)> {
    let missing = || Error::from(error::TICKET_INVALID);
    let flow = store::peek_flow(&app.db, id).await?.ok_or_else(missing)?;
    let early = matches!(flow.state, State::Waiting | State::Opened);
    if !early || flow.expires_at_ms <= app.clock.now_ms() {
        return Err(missing());
    }
    let session = store::session_of(&app.db, &flow).await?.ok_or_else(missing)?;
    store::set_opened(&app.db, &flow).await?;
    Ok((flow, session))
}
