//! Coming back: nothing of the answer is used before browser, context and issuer are known to be
//! right.

use std::sync::Arc;

use axum::http::HeaderMap;
use grantkeep_oauth::callback::{self, Callback, Denied, Outcome};
use grantkeep_vault::{Secret, token};

use super::failure::Failure;
use super::finish::{self, Granted};
use super::{Flow, Session, ending, funnel, hold, store, web};
use crate::accounts::Binding;
use crate::app::App;
use crate::apps;
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::ids::{AccountId, OAuthAppId};
use crate::projects;

/// What came of a return.
pub(super) struct Returned {
    pub flow: Flow,
    pub session: Session,
    pub outcome: Result<Came, Failure>,
}

/// What a return that was right led to.
pub(super) enum Came {
    Connected(AccountId),
    /// The product's own address, with the id by which its backend confirms.
    Held(Secret),
}

/// What a browser brought to a redirect URI. Nothing of it is believed before it is judged.
pub(super) struct Return {
    /// The OAuth client that the path names.
    pub context: String,
    pub query: String,
    pub headers: HeaderMap,
    pub origin: Origin,
}

/// Judges a return and, if it is right, finishes the flow. To be run apart from the request: once
/// the state is used up the grant must not be lost, whether or not the browser waits.
///
/// # Errors
/// Nothing was used up: [`error::STATE_INVALID`], [`error::FLOW_NOT_STARTED_HERE`],
/// [`error::CONTEXT_MISMATCH`]. What goes wrong later ends the flow and stands in
/// [`Returned::outcome`].
pub(super) async fn judge(app: Arc<App>, it: Return) -> Result<Returned> {
    let (app, Return { context, query, headers, origin }) = (&app, &it);
    let parsed = callback::parse(query);
    let handle = match handle(query, "state") {
        Some(handle) => Some(handle),
        None => handle_in_own_name(app, context, query).await,
    };
    let flow = match take(app, (context, handle), headers, origin).await {
        Ok(flow) => flow,
        Err(error) => {
            let at = context.chars().take(80).collect::<String>();
            funnel::callback_refused(app, error.kind().code, &at, origin);
            return Err(error);
        }
    };
    let session = store::session_of(&app.db, &flow).await?.ok_or(error::STATE_INVALID)?;
    funnel::came_back(app, &flow, origin);
    let outcome = outcome(app, &flow, &session, parsed, origin).await;
    if let Err(why) = &outcome {
        ending::fail(app, &flow, &session, why, origin).await?;
    }
    Ok(Returned { flow, session, outcome })
}

/// By what a flow is found again: the state, or in OAuth 1.0a the request token.
pub(super) fn handle_of_state(state: &str) -> [u8; 32] {
    token::digest(state)
}

pub(super) fn handle_of_token(given: &str) -> [u8; 32] {
    token::digest(&format!("oauth_token {given}"))
}

/// The same where the app's file has another name for the state: some send it back under that.
async fn handle_in_own_name(app: &App, context: &str, query: &str) -> Option<[u8; 32]> {
    let found = if let Ok(found) = apps::published_app(app, context).await {
        found
    } else {
        let context = OAuthAppId::parse(context)?;
        let (project, slug) = store::app_of_context(&app.db, &context).await.ok()??;
        apps::find(app, &project, &slug).await.ok()?
    };
    let own = found.oauth2()?.param_names.get("state")?;
    handle(query, own)
}

/// The handle in a query, if it holds exactly one. A doubtful answer still ends the flow that it
/// names without doubt.
fn handle(query: &str, name: &str) -> Option<[u8; 32]> {
    let one = |wanted: &str| {
        let all = url::form_urlencoded::parse(query.as_bytes());
        let mut all = all.filter(|(name, _)| name == wanted);
        match (all.next(), all.next()) {
            (Some((_, value)), None) => Some(value.into_owned()),
            _ => None,
        }
    };
    let token = || one("oauth_token").or_else(|| one("denied"));
    let has_state = url::form_urlencoded::parse(query.as_bytes()).any(|(it, _)| it == name);
    if has_state {
        return one(name).map(|it| handle_of_state(&it));
    }
    token().map(|it| handle_of_token(&it))
}

/// Uses the state up. Only the browser that left may, and only at the redirect URI that it was
/// given (draft-ietf-oauth-security-topics-update, cross-context attacks).
async fn take(
    app: &Arc<App>,
    (context, handle): (&str, Option<[u8; 32]>),
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Flow> {
    let now_ms = app.clock.now_ms();
    let state = handle.ok_or_else(|| Error::from(error::STATE_INVALID))?;
    let left = store::find_by_state(&app.db, &state, now_ms).await?;
    let left = left.ok_or_else(|| Error::from(error::STATE_INVALID))?;
    let cookie = web::flow_cookie(app, headers, &left.flow).map(|it| token::digest(it.expose()));
    let ours = cookie.filter(|it| token::equal(it, &left.cookie_hash));
    let cookie = ours.ok_or_else(|| Error::from(error::FLOW_NOT_STARTED_HERE))?;
    let context = OAuthAppId::parse(context).filter(|it| *it == left.oauth_app);
    let Some(context) = context else {
        // The right browser at the wrong place: a provider sent another one's answer here.
        if let Some(flow) = store::peek_flow(&app.db, &left.flow).await?
            && let Some(session) = store::session_of(&app.db, &flow).await?
        {
            ending::fail(app, &flow, &session, &Failure::context_mismatch(), origin).await?;
        }
        return Err(error::CONTEXT_MISMATCH.into());
    };
    let taken = store::take_state(&app.db, &state, &context, &cookie, now_ms).await?;
    taken.ok_or_else(|| error::STATE_INVALID.into())
}

async fn outcome(
    app: &Arc<App>,
    flow: &Flow,
    session: &Session,
    parsed: Result<Callback, callback::CallbackError>,
    origin: &Origin,
) -> Result<Came, Failure> {
    let product = projects::find(&app.db, &flow.tenant.project).await;
    let product = product.map(|it| it.product().to_owned()).unwrap_or_default();
    let found = apps::find(app, &flow.tenant.project, &flow.app_slug).await;
    let found = found.map_err(|it| Failure::of(&it, &product))?;
    let answer = parsed.map_err(|why| {
        tracing::info!(flow = %flow.id, %why, "a callback cannot be used");
        Failure::callback_invalid(&found.name)
    })?;
    let required = found.oauth2().is_some_and(|it| it.iss_required);
    callback::check_issuer(answer.iss.as_deref(), flow.issuer.as_deref(), required)
        .map_err(|_| Failure::issuer_mismatch())?;
    let granted = match answer.outcome {
        Outcome::Code(code) => Granted::Code(code),
        Outcome::Verifier { token, verifier } => Granted::Verifier { token, verifier },
        Outcome::Denied(denied) => return Err(refused(&found.name, &denied)),
    };
    if !session.is_live(app.clock.now_ms()) {
        return Err(Failure::page_ended());
    }
    let run = finish::Run {
        app: Arc::clone(app),
        flow: flow.clone(),
        session: session.clone(),
        product: product.clone(),
        granted,
        others: answer.others,
        origin: origin.clone(),
    };
    if flow.binding == Binding::Verified {
        return hold::grant(run).await.map(Came::Held);
    }
    finish::finish(run).await.map(Came::Connected)
}

fn refused(app: &str, denied: &Denied) -> Failure {
    if denied.error == "access_denied" {
        return Failure::access_denied(app);
    }
    Failure::provider_refused(app, denied.description.as_deref().unwrap_or(&denied.error))
}
