//! What the page asks the server, as JSON, and the public question what a connect token is good
//! for.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::confirm::{self, Said};
use super::failure::Failure;
use super::funnel::{self, Told};
use super::keys::Taken;
use super::open::Names;
use super::session::Page;
use super::validate::Validation;
use super::view::Listing;
use super::{Session, State as FlowState, choose, keys, start, store, validate};
use crate::accounts;
use crate::accounts::view::{AccountView, account_view};
use crate::app::App;
use crate::body::Json;
use crate::callers::{InTenant, Server};
use crate::error::{self, Result};
use crate::ids::{AccountId, FlowId};
use crate::path::Path;
use crate::projects;
use crate::query::Query;
use crate::scope::need;
use crate::tokens;

/// No exchange takes longer than this.
const EXCHANGE_MS_MAX: i64 = 60_000;

/// Errors whose own text is for whoever made the token.
const FOR_DEVELOPERS: [&str; 3] = [
    error::CONNECT_TOKEN_USED.code,
    error::CONNECT_TOKEN_EXPIRED.code,
    error::DIFFERENT_ACCOUNT.code,
];

/// Answers of these calls hold secrets of one page.
type Private<T> = ([(header::HeaderName, &'static str); 1], axum::Json<T>);

fn private<T>(body: T) -> Private<T> {
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(body))
}

/// Tells what a connect token is good for, and uses nothing up. A bad token is told by `success:
/// false`.
#[utoipa::path(get, path = "/v1/connect/tokens/{token}/validate", tag = "Connect tokens",
    params(("token" = String, Path), ("app_id" = Option<String>, Query),
        ("account_id" = Option<String>, Query), ("oauth_app_id" = Option<String>, Query),
        ("app_override_id" = Option<String>, Query)),
    responses((status = 200, body = Validation)), security(()))]
pub(crate) async fn validate_token(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    query: Query,
) -> Result<Private<Validation>> {
    let names = Names {
        app: query.one("app_id")?,
        account: query.narrowing("account_id")?,
        oauth_app: query.narrowing("oauth_app_id")?,
        app_override: query.one("app_override_id")?,
        own_client: false,
    };
    Ok(private(validate::validate(&app, &token, names).await?))
}

#[derive(Deserialize)]
pub(crate) struct StartBody {
    #[serde(default)]
    fields: BTreeMap<String, String>,
    scope_profile: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct StartAnswer {
    flow: FlowId,
    start_path: String,
    ticket: String,
}

/// `POST /connect/session/start`
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    page: Page,
    Json(body): Json<StartBody>,
) -> Result<Private<StartAnswer>> {
    let profile = body.scope_profile.as_deref();
    let started = start::start(&app, &page.session, body.fields, profile).await;
    let (flow, ticket) = to_person(&app, &page.session, started).await?;
    Ok(private(StartAnswer {
        start_path: format!("/connect/start/{}", flow.id),
        flow: flow.id,
        ticket: ticket.expose().to_owned(),
    }))
}

#[derive(Deserialize)]
pub(crate) struct LinkBody {
    flow: String,
}

/// `POST /connect/session/link`: for a flow whose window has lost its page. The address is to be
/// clicked, not shown.
pub(crate) async fn link(
    State(app): State<Arc<App>>,
    page: Page,
    Json(body): Json<LinkBody>,
) -> Result<Private<StartAnswer>> {
    let id = FlowId::parse(&body.flow).ok_or(error::NOT_FOUND)?;
    let loosened = start::loosen(&app, &page.session, &id).await;
    let ticket = to_person(&app, &page.session, loosened).await?;
    Ok(private(StartAnswer {
        start_path: format!("/connect/start/{id}"),
        flow: id,
        ticket: ticket.expose().to_owned(),
    }))
}

#[derive(Default, Serialize)]
pub(crate) struct StatusAnswer {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

/// `GET /connect/session/status?flow=`: how a flow stands.
pub(crate) async fn status(
    State(app): State<Arc<App>>,
    page: Page,
    query: Query,
) -> Result<Private<StatusAnswer>> {
    let id = query.one("flow")?.and_then(FlowId::parse).ok_or(error::NOT_FOUND)?;
    let flow = store::find_flow(&app.db, &page.session, &id).await?.ok_or(error::NOT_FOUND)?;
    let now_ms = app.clock.now_ms();
    let late = flow.expires_at_ms <= now_ms;
    // An exchange that was begun at the last moment; one that is older died with its process.
    let dead = flow.expires_at_ms + EXCHANGE_MS_MAX <= now_ms;
    let at = |state| StatusAnswer { state, ..StatusAnswer::default() };
    let failed = |why: Failure| StatusAnswer {
        error: Some(why.text.into_owned()),
        code: Some(why.code.into_owned()),
        ..at("failed")
    };
    Ok(private(match settled(&app, &page.session, flow.state).await? {
        FlowState::Done { account } => {
            let session = &page.session;
            let found = accounts::find(&app, &session.tenant, account.as_str(), None).await;
            StatusAnswer {
                account_name: found.ok().and_then(|it| it.name),
                account_id: Some(account),
                ..at("done")
            }
        }
        FlowState::Failed(why) => failed(why),
        FlowState::Waiting | FlowState::Opened | FlowState::Authorizing if late => {
            failed(Failure::expired())
        }
        FlowState::Held if late => failed(Failure::unconfirmed()),
        FlowState::Held => at("held"),
        FlowState::Exchanging if dead => failed(Failure::expired()),
        FlowState::Waiting => at("waiting"),
        FlowState::Opened => at("opened"),
        FlowState::Authorizing | FlowState::Exchanging => at("authorizing"),
    }))
}

/// A window that was given up for another may have been finished in all the same.
async fn settled(app: &App, session: &Session, state: FlowState) -> Result<FlowState> {
    let made = match state {
        FlowState::Waiting | FlowState::Opened | FlowState::Failed(_) => {
            store::made(&app.db, session).await?
        }
        _ => None,
    };
    Ok(made.map_or(state, |account| FlowState::Done { account }))
}

/// The page shows what it is told: to a person, who knows nothing of tokens.
async fn to_person<T>(app: &App, session: &Session, result: Result<T>) -> Result<T> {
    let error = match result {
        Err(error) if FOR_DEVELOPERS.contains(&error.kind().code) => error,
        other => return other,
    };
    let project = projects::find(&app.db, &session.tenant.project).await?;
    let text = Failure::of(&error, project.product()).text;
    Err(error.saying(text))
}

#[derive(Deserialize)]
pub(crate) struct AccountBody {
    #[serde(default)]
    fields: BTreeMap<String, String>,
    name: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum AccountAnswer {
    Connected {
        account_id: AccountId,
        account_name: Option<String>,
    },
    /// The page goes to the product's address, or has it opened by the person.
    Held {
        flow: FlowId,
        verify_url: String,
    },
}

/// `POST /connect/session/account`: the filled form of an app without OAuth.
pub(crate) async fn account(
    State(app): State<Arc<App>>,
    page: Page,
    Json(body): Json<AccountBody>,
) -> Result<Private<AccountAnswer>> {
    let form = (body.fields, body.name);
    let taken = keys::connect(&app, &page.session, form, &page.origin).await;
    Ok(private(match to_person(&app, &page.session, taken).await? {
        Taken::Connected(it) => {
            AccountAnswer::Connected { account_id: it.id, account_name: it.name }
        }
        Taken::Held { flow, verify_url } => {
            AccountAnswer::Held { flow, verify_url: verify_url.expose().to_owned() }
        }
    }))
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct ConfirmBody {
    /// Your own id of the user who is signed in to your product in that browser.
    external_user_id: String,
}

/// Path parameters in either form; `project` is read by the extractors.
#[derive(Deserialize)]
pub(crate) struct NamedFlow {
    flow: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ConfirmAnswer {
    #[serde(flatten)]
    account: AccountView,
    /// Where you may send the browser: the token's `success_redirect_uri`, or a page of ours.
    redirect_uri: String,
}

/// Says who came back from the app to your verify URL. The account is connected only if it is the
/// user whom the connect token was made for. Each flow can be confirmed once, within five minutes.
#[utoipa::path(post, path = "/v1/connect/{project}/flows/{flow}/confirm", tag = "Connect tokens",
    params(("project" = String, Path),
        ("flow" = String, Path, description = "`flow_id` of the verify URL's query"),
        ("x-pd-environment" = String, Header)),
    request_body = ConfirmBody,
    responses((status = 200, body = ConfirmAnswer),
        (status = 404, description = "No such flow in this project and environment"),
        (status = 409, description = "Another user came back, or a second call; the flow is over"),
        (status = 410, description = "Too late; the flow is over")),
    security(("client" = [])))]
pub(crate) async fn confirm_flow(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::AccountsWrite>,
    Path(NamedFlow { flow }): Path<NamedFlow>,
    Json(body): Json<ConfirmBody>,
) -> Result<Private<ConfirmAnswer>> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let said = Said {
        tenant: call.tenant,
        flow,
        external_id: body.external_user_id,
        actor: call.caller.actor.clone(),
        origin: call.origin,
    };
    let done = app.exchanges.spawn(confirm::confirm(Arc::clone(&app), said)).await;
    let done = done.map_err(|it| error::INTERNAL.logging(it))??;
    Ok(private(ConfirmAnswer {
        account: account_view(&app, done.account, None).await,
        redirect_uri: done.redirect_uri,
    }))
}

/// `GET /connect/session/apps?q=&from=`: a part of the list.
pub(crate) async fn apps(
    State(app): State<Arc<App>>,
    page: Page,
    query: Query,
) -> Result<Private<Listing>> {
    let token = tokens::find_by_hash(&app, &page.session.token_hash).await?;
    let token = token.ok_or(error::CONNECT_TOKEN_EXPIRED)?;
    let from = query.one("from")?.and_then(|it| it.parse().ok()).unwrap_or_default();
    let part = query.one("q")?.unwrap_or_default();
    let of = (&token, page.session.binding, page.session.own_client);
    Ok(private(choose::list(&app, of, part, from).await?))
}

#[derive(Deserialize)]
pub(crate) struct EventBody {
    event: Told,
}

/// `POST /connect/session/event`: a step that only the page knows of.
pub(crate) async fn event(
    State(app): State<Arc<App>>,
    page: Page,
    Json(body): Json<EventBody>,
) -> Result<StatusCode> {
    funnel::told(&app, &page.session, body.event, &page.origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(crate) struct CancelBody {
    flow: Option<String>,
}

/// `POST /connect/session/cancel`: ends the page's flow, if it has not come back yet.
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    page: Page,
    Json(body): Json<CancelBody>,
) -> Result<StatusCode> {
    start::cancel(&app, &page.session, body.flow.as_deref(), &page.origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
