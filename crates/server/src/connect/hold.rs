//! Holding what came back, until the product's backend has said whose browser it is
//! (draft-ietf-oauth-security-topics-update, cross-user session fixation).
//!
//! The id with which the backend confirms is made now and given to this browser alone. An earlier
//! one would be known to whoever began the flow, who could then confirm another's grant himself.

use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::{OwnerKey, Secret, token};
use url::Url;

use super::failure::Failure;
use super::fields::Typed;
use super::finish::{Granted, Run};
use super::secrets::Kept;
use super::store::held::{self, Holding};
use super::{CONFIRM_LIFE_MS, CONFIRM_PREFIX, Flow, Session, State, funnel, store};
use crate::app::App;
use crate::callers::Origin;
use crate::db::Tx;
use crate::error::{self, Error, Result};
use crate::ids::{FlowId, ProjectId};
use crate::{apps, projects};

/// Holds what a provider granted. Gives the product's address to send the browser to.
///
/// # Errors
/// Ends the flow: the product has no verify URL any more, or the store fails.
pub(super) async fn grant(run: Run) -> Result<Secret, Failure> {
    let Run { app, flow, product, granted, others, origin, .. } = run;
    let ours = |error: Error| {
        tracing::warn!(flow = %flow.id, code = error.kind().code, "a flow could not be held");
        Failure::of(&error, &product)
    };
    let verify_url = verify_url(&app, &flow.tenant.project).await.map_err(ours)?;
    let found = apps::find(&app, &flow.tenant.project, &flow.app_slug).await.map_err(ours)?;
    let key = app.keys.user(&app.db, &flow.tenant, &flow.user).await.map_err(ours)?;
    let mut kept = Kept::open(&key, &flow).map_err(ours)?;
    let returned = match &granted {
        Granted::Code(code) => code,
        Granted::Verifier { token: given, verifier } => {
            // Who exchanges it later has no callback to look at.
            let own = kept.request_token.as_ref().map(|it| it.expose().as_bytes());
            if !own.is_some_and(|own| token::equal(own, given.expose().as_bytes())) {
                return Err(Failure::context_mismatch());
            }
            verifier
        }
        Granted::Tokens(_) => return Err(Failure::context_mismatch()),
    };
    kept.returned = Some(Secret::new(returned.expose()));
    kept.others = others;
    let secret = token::base64url(CONFIRM_PREFIX, 32);
    let stored = async {
        let mut tx = app.db.begin().await?;
        let until_ms = app.clock.now_ms() + life_ms(&found);
        let held = write(&mut tx, &flow, (&kept, &key), (&secret, until_ms)).await?;
        tx.commit().await?;
        Ok(held)
    };
    if !stored.await.map_err(ours)? {
        return Err(Failure::cancelled());
    }
    funnel::held(&app, &flow, &origin);
    Ok(leading_to(verify_url, &secret))
}

/// The flow of a filled form.
pub(super) fn of_form(session: &Session, now_ms: i64) -> Result<Flow> {
    Ok(Flow {
        id: FlowId::mint(),
        session: session.id.clone(),
        tenant: session.tenant.clone(),
        user: session.user.clone(),
        app_slug: session.app()?.to_owned(),
        oauth_app: None,
        state: State::Exchanging,
        sealed: Vec::new(),
        redirect_uri: String::new(),
        issuer: None,
        binding: session.binding,
        asked_scopes: Vec::new(),
        created_at_ms: now_ms,
        expires_at_ms: now_ms + CONFIRM_LIFE_MS,
    })
}

/// Holds a filled form, which was judged before. Gives the flow, and the address to go to.
pub(super) async fn form(
    app: &Arc<App>,
    session: &Session,
    (fields, name): (Typed, Option<String>),
    origin: &Origin,
) -> Result<(FlowId, Secret)> {
    let verify_url = verify_url(app, &session.tenant.project).await?;
    let now_ms = app.clock.now_ms();
    let flow = of_form(session, now_ms)?;
    let kept = Kept { name, ..Kept::of(fields) };
    let secret = token::base64url(CONFIRM_PREFIX, 32);
    let mut tx = app.db.begin().await?;
    store::end_open_flows(&mut tx, session, None, &Failure::cancelled()).await?;
    let key = app.keys.user_for_sealing(&mut tx, &flow.tenant, &flow.user, now_ms).await?;
    store::insert_flow(&mut tx, &flow, None).await?;
    write(&mut tx, &flow, (&kept, &key), (&secret, flow.expires_at_ms)).await?;
    tx.commit().await?;
    funnel::held(app, &flow, origin);
    Ok((flow.id, leading_to(verify_url, &secret)))
}

async fn write(
    tx: &mut Tx,
    flow: &Flow,
    (kept, key): (&Kept, &OwnerKey),
    (secret, until_ms): (&Secret, i64),
) -> Result<bool> {
    let sealed = kept.seal(key, flow)?;
    let confirm_hash = token::digest(secret.expose());
    Ok(held::hold(tx, flow, &Holding { confirm_hash, sealed: &sealed, until_ms }).await?)
}

/// A code that the app would not take any more is not worth holding.
fn life_ms(found: &CatalogApp) -> i64 {
    let codes_ms = found.oauth2().and_then(|it| it.code_life_s).map(|it| i64::from(it) * 1_000);
    codes_ms.map_or(CONFIRM_LIFE_MS, |it| it.min(CONFIRM_LIFE_MS))
}

async fn verify_url(app: &App, project: &ProjectId) -> Result<Url> {
    let project = projects::find(&app.db, project).await?;
    // Taken away since: what began as proved must not end as unproved.
    let text = project.settings.verify_url.ok_or_else(|| Error::from(error::LINKS_OFF))?;
    Url::parse(&text).map_err(|it| error::INTERNAL.logging(it))
}

/// The product's own query stays as it is.
fn leading_to(mut url: Url, secret: &Secret) -> Secret {
    url.query_pairs_mut().append_pair(projects::FLOW_ID_PARAM, secret.expose());
    Secret::new(String::from(url))
}
