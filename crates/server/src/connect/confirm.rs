//! The product's backend says whose browser came back; only then is anything exchanged or stored.

use std::sync::Arc;

use grantkeep_oauth as oauth;
use grantkeep_vault::token;
use serde_json::json;

use super::failure::Failure;
use super::finish::{self, Granted, Run};
use super::secrets::Kept;
use super::store::held;
use super::{Flow, Session, State, ending, funnel, keys, landing, store};
use crate::accounts::{self, Account, Asker, not_connected};
use crate::app::App;
use crate::callers::{Actor, Origin};
use crate::error::{self, Error, Kind, Result};
use crate::ids::AccountId;
use crate::projects;
use crate::tenant::Tenant;

/// Flows that nobody confirmed, ended in one round.
const OVERDUE_MAX: i64 = 100;

/// What a backend says.
pub(super) struct Said {
    pub tenant: Tenant,
    /// The id that the browser brought to the product.
    pub flow: String,
    /// Whose session that browser has.
    pub external_id: String,
    pub actor: Actor,
    pub origin: Origin,
}

/// What came of it.
pub(super) struct Confirmed {
    pub account: Account,
    /// Where the product may send the browser on to.
    pub redirect_uri: String,
}

/// Finishes the flow if the one who came back is the one whom the connect token was made for. To be
/// run apart from the request: once the flow is taken the grant must not be lost. Any number may
/// call at once, and one of them gets the flow.
///
/// # Errors
/// [`error::NOT_FOUND`] for an id of another project or environment, or none;
/// [`error::USER_MISMATCH`], which ends the flow; [`error::FLOW_USED`] for a second call;
/// [`error::UNCONFIRMED`] when it comes too late. What fails later is told by its own code. Except
/// for the first, `details.redirect_uri` says where the browser may be sent.
pub(super) async fn confirm(app: Arc<App>, it: Said) -> Result<Confirmed> {
    let hash = token::digest(&it.flow);
    let taken = held::take(&app.db, &it.tenant, &hash, app.clock.now_ms()).await?;
    let Some(flow) = taken else { return Err(why_not(&app, &it, &hash).await?) };
    let session = store::session_of(&app.db, &flow).await?.ok_or(error::NOT_FOUND)?;
    if session.external_id != it.external_id {
        let product = projects::find(&app.db, &flow.tenant.project).await?;
        let why = Failure::user_mismatch(product.product());
        funnel::binding_failed(&app, &flow, (&it.actor, &it.external_id), &it.origin);
        ending::fail(&app, &flow, &session, &why, &it.origin).await?;
        let refused = Error::from(error::USER_MISMATCH);
        return Err(telling(&app, refused, (&flow, &session), &why).await?);
    }
    funnel::confirmed(&app, &flow, &it.actor, &it.origin);
    match finished(&app, &flow, &session, &it.origin).await {
        Ok(id) => {
            let account = accounts::find(&app, &flow.tenant, id.as_str(), None).await?;
            let redirect_uri = landing::address(&app, &flow, &session, true).await?;
            Ok(Confirmed { account, redirect_uri })
        }
        Err(why) => {
            ending::fail(&app, &flow, &session, &why, &it.origin).await?;
            let error = Error::from(kind(&why)).saying(why.text.clone());
            Err(telling(&app, error, (&flow, &session), &why).await?)
        }
    }
}

/// Does with the flow what was put off.
async fn finished(
    app: &Arc<App>,
    flow: &Flow,
    session: &Session,
    origin: &Origin,
) -> Result<AccountId, Failure> {
    // The token may have ended while the person was at the app; a newer page has not.
    if session.ended_at_ms.is_some() {
        return Err(Failure::page_ended());
    }
    let product = projects::find(&app.db, &flow.tenant.project).await;
    let product = product.map(|it| it.product().to_owned()).unwrap_or_default();
    let ours = |error: Error| Failure::of(&error, &product);
    let key = app.keys.user(&app.db, &flow.tenant, &flow.user).await.map_err(ours)?;
    let kept = Kept::open(&key, flow).map_err(ours)?;
    if flow.oauth_app.is_none() {
        let account = keys::store_held(app, (flow, session), kept, origin).await.map_err(ours)?;
        return Ok(account.id);
    }
    let empty = || ours(error::INTERNAL.logging("nothing is held in a held flow"));
    let returned = kept.returned.as_ref().ok_or_else(empty)?;
    let returned = oauth::Secret::new(returned.expose());
    let granted = match &kept.request_token {
        Some(given) => {
            Granted::Verifier { token: oauth::Secret::new(given.expose()), verifier: returned }
        }
        None => Granted::Code(returned),
    };
    let run = Run {
        app: Arc::clone(app),
        flow: flow.clone(),
        session: session.clone(),
        product,
        granted,
        others: kept.others,
        origin: origin.clone(),
    };
    finish::finish(run).await
}

/// Why there is nothing to take.
async fn why_not(app: &Arc<App>, it: &Said, hash: &[u8]) -> Result<Error> {
    let Some(flow) = held::find(&app.db, &it.tenant, hash).await? else {
        return Ok(error::NOT_FOUND.into());
    };
    let Some(session) = store::session_of(&app.db, &flow).await? else {
        return Ok(error::NOT_FOUND.into());
    };
    let late = Failure::unconfirmed();
    match &flow.state {
        State::Held => telling(app, error::UNCONFIRMED.into(), (&flow, &session), &late).await,
        State::Failed(why) if why.code == late.code => {
            telling(app, error::UNCONFIRMED.into(), (&flow, &session), &late).await
        }
        State::Failed(why) => telling(app, error::FLOW_USED.into(), (&flow, &session), why).await,
        // A page that was loaded again finds its account; another user learns nothing.
        State::Done { account } if session.external_id == it.external_id => {
            let redirect_uri = landing::address(app, &flow, &session, true).await?;
            let details =
                json!({ "reason": "done", "account_id": account, "redirect_uri": redirect_uri });
            Ok(Error::from(error::FLOW_USED).with(details))
        }
        _ => Ok(error::FLOW_USED.into()),
    }
}

/// The error with the reason, and with where to send the browser.
async fn telling(
    app: &Arc<App>,
    error: Error,
    (flow, session): (&Flow, &Session),
    why: &Failure,
) -> Result<Error> {
    let redirect_uri = landing::address(app, flow, session, false).await?;
    Ok(error.with(json!({ "reason": why.code, "redirect_uri": redirect_uri })))
}

fn kind(why: &Failure) -> Kind {
    let known = error::KINDS.iter().find(|it| it.code == why.code);
    known.copied().unwrap_or(error::CONNECTION_FAILED)
}

/// Ends flows that nobody confirmed in time. Any number of processes may do so at once.
pub(super) async fn end_unconfirmed(app: &Arc<App>) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let why = Failure::unconfirmed();
    for flow in held::overdue(&app.db, now_ms, OVERDUE_MAX).await? {
        let Some(session) = store::session_of(&app.db, &flow).await? else { continue };
        let asker = Asker::of(app, &session.token_hash).await?;
        let mut tx = app.db.begin().await?;
        if !held::expire(&mut tx, &flow, &why, now_ms).await? {
            continue;
        }
        let whose = (&flow.tenant, session.reconnect.as_ref());
        not_connected(app, &mut tx, whose, &why.text, &asker).await?;
        tx.commit().await?;
        funnel::failed(app, &flow, &why, &Origin::default());
    }
    Ok(())
}
