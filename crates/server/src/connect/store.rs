//! Rows of `connect_sessions` and `connect_flows`. SQL and nothing else.

use sqlx::FromRow;

use super::failure::Failure;
use super::{Flow, Mode, Session, State};
use crate::accounts::Binding;
use crate::db::{Db, Tx};
use crate::ids::{AccountId, FlowId, OAuthAppId, OverrideId, ProjectId, SessionId, UserId};
use crate::on;
use crate::tenant::{Environment, Tenant};

/// What is left of a flow's secrets at its end.
const EMPTY: &[u8] = &[];

#[derive(FromRow)]
struct SessionRow {
    id: SessionId,
    token_hash: Vec<u8>,
    project_id: ProjectId,
    environment: String,
    user_id: UserId,
    external_id: String,
    app_slug: String,
    oauth_app_id: Option<OAuthAppId>,
    own_client: bool,
    account_id: Option<AccountId>,
    scope_profile: Option<String>,
    app_override_id: Option<OverrideId>,
    mode: String,
    binding: String,
    created_at_ms: i64,
    expires_at_ms: i64,
    ended_at_ms: Option<i64>,
}

fn tenant(project: ProjectId, environment: &str) -> Option<Tenant> {
    Some(Tenant { project, environment: Environment::parse(environment)? })
}

impl TryFrom<SessionRow> for Session {
    type Error = sqlx::Error;

    fn try_from(row: SessionRow) -> Result<Self, sqlx::Error> {
        let bad = |what: &str| {
            sqlx::Error::Decode(format!("connect_sessions.{what} of {}", row.id).into())
        };
        Ok(Self {
            token_hash: row.token_hash.as_slice().try_into().map_err(|_| bad("token_hash"))?,
            tenant: tenant(row.project_id, &row.environment).ok_or_else(|| bad("environment"))?,
            mode: Mode::parse(&row.mode).ok_or_else(|| bad("mode"))?,
            binding: Binding::parse(&row.binding).ok_or_else(|| bad("binding"))?,
            id: row.id,
            user: row.user_id,
            external_id: row.external_id,
            app_slug: Some(row.app_slug).filter(|it| !it.is_empty()),
            oauth_app: row.oauth_app_id,
            own_client: row.own_client,
            reconnect: row.account_id,
            scope_profile: row.scope_profile,
            app_override: row.app_override_id,
            created_at_ms: row.created_at_ms,
            expires_at_ms: row.expires_at_ms,
            ended_at_ms: row.ended_at_ms,
        })
    }
}

macro_rules! sessions {
    ($rest:literal) => {
        concat!(
            "select id, token_hash, project_id, environment, user_id, external_id, app_slug, \
             oauth_app_id, own_client, account_id, scope_profile, app_override_id, mode, binding, \
             created_at_ms, expires_at_ms, ended_at_ms from connect_sessions ",
            $rest
        )
    };
}

/// By the page's own secret, which no tenant can guess: it is the credential that names the tenant.
pub(super) async fn find_session(db: &Db, hash: &[u8]) -> sqlx::Result<Option<Session>> {
    let sql = sessions!("where hash = $1");
    let row: Option<SessionRow> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(hash).fetch_optional(conn).await?);
    row.map(Session::try_from).transpose()
}

pub(super) async fn session_of(db: &Db, flow: &Flow) -> sqlx::Result<Option<Session>> {
    let sql = sessions!("where project_id = $1 and environment = $2 and id = $3");
    let row: Option<SessionRow> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&flow.tenant.project).bind(flow.tenant.environment.as_str()).bind(&flow.session)
        .fetch_optional(conn).await?);
    row.map(Session::try_from).transpose()
}

/// Ends every session of a connect token.
pub(super) async fn end_sessions(tx: &mut Tx, token: &[u8], now_ms: i64) -> sqlx::Result<()> {
    let sql = "update connect_sessions set ended_at_ms = $2 \
               where token_hash = $1 and ended_at_ms is null";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(token).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn insert_session(tx: &mut Tx, it: &Session, hash: &[u8]) -> sqlx::Result<()> {
    let sql = "insert into connect_sessions (hash, id, token_hash, project_id, environment, \
               user_id, external_id, app_slug, oauth_app_id, account_id, scope_profile, mode, \
               binding, events, created_at_ms, expires_at_ms, app_override_id, own_client) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, $16, \
               $17)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(hash).bind(&it.id).bind(it.token_hash.as_slice()).bind(&it.tenant.project)
        .bind(it.tenant.environment.as_str()).bind(&it.user).bind(&it.external_id)
        .bind(it.app_slug.as_deref().unwrap_or_default()).bind(&it.oauth_app)
        .bind(&it.reconnect).bind(&it.scope_profile)
        .bind(it.mode.as_str()).bind(it.binding.as_str()).bind(it.created_at_ms)
        .bind(it.expires_at_ms).bind(&it.app_override).bind(it.own_client)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Writes which app the session is for. `false`: it has ended, or an app has answered it.
pub(super) async fn set_app(tx: &mut Tx, it: &Session) -> sqlx::Result<bool> {
    let sql = "update connect_sessions set app_slug = $3, oauth_app_id = $4 \
               where project_id = $1 and id = $2 and ended_at_ms is null and not exists \
               (select 1 from connect_flows f where f.project_id = $1 and f.session_id = $2 \
               and f.state in ('exchanging', 'done'))";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(it.app_slug.as_deref().unwrap_or_default())
        .bind(&it.oauth_app).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Counts one more event of the page. `false`: there were `most` already.
pub(super) async fn count_event(db: &Db, session: &Session, most: i64) -> sqlx::Result<bool> {
    let sql = "update connect_sessions set events = events + 1 \
               where project_id = $1 and id = $2 and events < $3";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&session.tenant.project).bind(&session.id).bind(most)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Hash of the cookie of the browser that went on with the token's link, if one did.
pub(super) async fn link_browser(db: &Db, token: &[u8]) -> sqlx::Result<Option<Vec<u8>>> {
    let sql = "select browser_hash from connect_sessions \
               where token_hash = $1 and browser_hash is not null \
               order by created_at_ms desc limit 1";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).bind(token).fetch_optional(conn).await?))
}

pub(super) async fn bind_link(db: &Db, session: &Session, browser: &[u8]) -> sqlx::Result<()> {
    let sql = "update connect_sessions set browser_hash = $3 where project_id = $1 and id = $2";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&session.tenant.project).bind(&session.id).bind(browser)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Deletes sessions that ended before `before_ms`; their flows go with them.
pub(super) async fn forget(db: &Db, before_ms: i64) -> sqlx::Result<()> {
    let sql = "delete from connect_sessions where expires_at_ms < $1 or ended_at_ms < $1";
    on!(db.write(), conn => sqlx::query(sql).bind(before_ms).execute(conn).await?.rows_affected());
    Ok(())
}

#[derive(FromRow)]
struct FlowRow {
    id: FlowId,
    session_id: SessionId,
    project_id: ProjectId,
    environment: String,
    user_id: UserId,
    app_slug: String,
    oauth_app_id: Option<OAuthAppId>,
    state: String,
    account_id: Option<AccountId>,
    error_code: Option<String>,
    error: Option<String>,
    sealed: Vec<u8>,
    redirect_uri: String,
    issuer: Option<String>,
    binding: String,
    asked_scopes: String,
    created_at_ms: i64,
    expires_at_ms: i64,
}

impl FlowRow {
    fn state(&self) -> Option<State> {
        Some(match self.state.as_str() {
            "waiting" => State::Waiting,
            "opened" => State::Opened,
            "authorizing" => State::Authorizing,
            "exchanging" => State::Exchanging,
            "held" => State::Held,
            "done" => State::Done { account: self.account_id.clone()? },
            "failed" => State::Failed(Failure {
                code: self.error_code.clone()?.into(),
                text: self.error.clone()?.into(),
            }),
            _ => return None,
        })
    }
}

impl TryFrom<FlowRow> for Flow {
    type Error = sqlx::Error;

    fn try_from(row: FlowRow) -> Result<Self, sqlx::Error> {
        let bad =
            |what: &str| sqlx::Error::Decode(format!("connect_flows.{what} of {}", row.id).into());
        Ok(Self {
            state: row.state().ok_or_else(|| bad("state"))?,
            tenant: tenant(row.project_id.clone(), &row.environment)
                .ok_or_else(|| bad("environment"))?,
            binding: Binding::parse(&row.binding).ok_or_else(|| bad("binding"))?,
            asked_scopes: serde_json::from_str(&row.asked_scopes)
                .map_err(|_| bad("asked_scopes"))?,
            id: row.id,
            session: row.session_id,
            user: row.user_id,
            app_slug: row.app_slug,
            oauth_app: row.oauth_app_id,
            sealed: row.sealed,
            redirect_uri: row.redirect_uri,
            issuer: row.issuer,
            created_at_ms: row.created_at_ms,
            expires_at_ms: row.expires_at_ms,
        })
    }
}

macro_rules! flow_columns {
    () => {
        "id, session_id, project_id, environment, user_id, app_slug, oauth_app_id, state, \
         account_id, error_code, error, sealed, redirect_uri, issuer, binding, asked_scopes, \
         created_at_ms, expires_at_ms"
    };
}

// After the macro, which it uses.
pub(super) mod held;

/// A hash, and until when it is good.
pub(super) struct Ticket {
    pub hash: [u8; 32],
    pub expires_at_ms: i64,
}

/// Without a ticket no window can take the flow.
pub(super) async fn insert_flow(
    tx: &mut Tx,
    it: &Flow,
    ticket: Option<&Ticket>,
) -> sqlx::Result<()> {
    let sql = "insert into connect_flows (id, session_id, project_id, environment, user_id, \
               app_slug, oauth_app_id, state, ticket_hash, ticket_expires_at_ms, sealed, \
               redirect_uri, issuer, binding, asked_scopes, created_at_ms, expires_at_ms) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let scopes = serde_json::to_string(&it.asked_scopes)
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&it.session).bind(&it.tenant.project)
        .bind(it.tenant.environment.as_str()).bind(&it.user).bind(&it.app_slug)
        .bind(&it.oauth_app).bind(it.state.as_str()).bind(ticket.map(|it| it.hash.as_slice()))
        .bind(ticket.map_or(0, |it| it.expires_at_ms))
        .bind(&it.sealed).bind(&it.redirect_uri).bind(&it.issuer).bind(it.binding.as_str())
        .bind(&scopes).bind(it.created_at_ms).bind(it.expires_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// A flow of one page session.
pub(super) async fn find_flow(
    db: &Db,
    session: &Session,
    id: &FlowId,
) -> sqlx::Result<Option<Flow>> {
    let sql = concat!(
        "select ",
        flow_columns!(),
        " from connect_flows where project_id = $1 and session_id = $2 and id = $3"
    );
    let row: Option<FlowRow> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&session.tenant.project).bind(&session.id).bind(id).fetch_optional(conn).await?);
    row.map(Flow::try_from).transpose()
}

/// By its id alone, for the window that comes without any credential and is shown nothing secret.
pub(super) async fn peek_flow(db: &Db, id: &FlowId) -> sqlx::Result<Option<Flow>> {
    let sql = concat!("select ", flow_columns!(), " from connect_flows where id = $1");
    let row: Option<FlowRow> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    row.map(Flow::try_from).transpose()
}

/// Notes that the flow's window is open.
pub(super) async fn set_opened(db: &Db, flow: &Flow) -> sqlx::Result<()> {
    let sql = "update connect_flows set state = 'opened' \
               where project_id = $1 and id = $2 and state = 'waiting'";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&flow.tenant.project).bind(&flow.id).execute(conn).await?.rows_affected());
    Ok(())
}

/// Gives a flow that has not left yet another ticket, with which its account will say `binding`.
pub(super) async fn set_ticket(
    db: &Db,
    flow: &Flow,
    ticket: &Ticket,
    binding: Binding,
) -> sqlx::Result<bool> {
    let sql = "update connect_flows set ticket_hash = $3, ticket_expires_at_ms = $4, binding = $5 \
               where project_id = $1 and id = $2 and state in ('waiting', 'opened')";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&flow.tenant.project).bind(&flow.id).bind(ticket.hash.as_slice())
        .bind(ticket.expires_at_ms).bind(binding.as_str()).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Takes a ticket. Of many at once exactly one gets the flow.
pub(super) async fn take_ticket(
    db: &Db,
    id: &FlowId,
    ticket: &[u8],
    now_ms: i64,
) -> sqlx::Result<Option<Flow>> {
    let sql = concat!(
        "update connect_flows set ticket_hash = null, state = 'opened' \
         where id = $1 and ticket_hash = $2 and ticket_expires_at_ms > $3 and expires_at_ms > $3 \
         and state in ('waiting', 'opened') returning ",
        flow_columns!()
    );
    let row: Option<FlowRow> = on!(db.write(), conn => sqlx::query_as(sql)
        .bind(id).bind(ticket).bind(now_ms).fetch_optional(conn).await?);
    row.map(Flow::try_from).transpose()
}

/// What the browser leaves with.
pub(super) struct Departure<'a> {
    pub state_hash: [u8; 32],
    pub cookie_hash: [u8; 32],
    pub sealed: &'a [u8],
}

/// Notes that the browser goes to the provider. `false`: the flow was ended meanwhile.
pub(super) async fn set_authorizing(
    db: &Db,
    flow: &Flow,
    it: &Departure<'_>,
) -> sqlx::Result<bool> {
    let sql = "update connect_flows set state = 'authorizing', state_hash = $3, cookie_hash = $4, \
               sealed = $5 where project_id = $1 and id = $2 and state = 'opened'";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&flow.tenant.project).bind(&flow.id).bind(it.state_hash.as_slice())
        .bind(it.cookie_hash.as_slice()).bind(it.sealed)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Keeps what a flow whose browser has left needs later. `false`: somebody did since it was read.
pub(super) async fn set_kept(db: &Db, flow: &Flow, sealed: &[u8]) -> sqlx::Result<bool> {
    let sql = "update connect_flows set sealed = $4 where project_id = $1 and id = $2 and sealed = \
               $3 and state = 'authorizing'";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&flow.tenant.project).bind(&flow.id).bind(&flow.sealed).bind(sealed)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// A flow whose browser has left, and what must be true of the browser that comes back.
#[derive(FromRow)]
pub(super) struct LeftRow {
    #[sqlx(rename = "id")]
    pub flow: FlowId,
    #[sqlx(rename = "oauth_app_id")]
    pub oauth_app: OAuthAppId,
    pub cookie_hash: Vec<u8>,
}

/// The app of a flow that is to come back to a client's redirect URI. The client of a person's own
/// has no other row yet.
pub(super) async fn app_of_context(
    db: &Db,
    context: &OAuthAppId,
) -> sqlx::Result<Option<(ProjectId, String)>> {
    let sql = "select project_id, app_slug from connect_flows where oauth_app_id = $1 \
               and state = 'authorizing' order by created_at_ms desc limit 1";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(context).fetch_optional(conn).await?))
}

/// The flow of a state that is still open.
pub(super) async fn find_by_state(
    db: &Db,
    state: &[u8],
    now_ms: i64,
) -> sqlx::Result<Option<LeftRow>> {
    let sql = "select id, oauth_app_id, cookie_hash from connect_flows \
               where state_hash = $1 and used_at_ms is null and expires_at_ms > $2 \
               and state = 'authorizing'";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(state).bind(now_ms).fetch_optional(conn).await?))
}

/// Uses `state` up, if browser and context are right. Of many at once exactly one gets the flow.
pub(super) async fn take_state(
    db: &Db,
    state: &[u8],
    context: &OAuthAppId,
    cookie: &[u8],
    now_ms: i64,
) -> sqlx::Result<Option<Flow>> {
    let sql = concat!(
        "update connect_flows set used_at_ms = $4, state = 'exchanging' \
         where state_hash = $1 and oauth_app_id = $2 and cookie_hash = $3 and used_at_ms is null \
         and expires_at_ms > $4 and state = 'authorizing' returning ",
        flow_columns!()
    );
    let row: Option<FlowRow> = on!(db.write(), conn => sqlx::query_as(sql)
        .bind(state).bind(context).bind(cookie).bind(now_ms).fetch_optional(conn).await?);
    row.map(Flow::try_from).transpose()
}

/// Ends a flow well and empties what was sealed in it.
pub(super) async fn set_done(db: &Db, flow: &Flow, account: &AccountId) -> sqlx::Result<()> {
    let sql = "update connect_flows set state = 'done', account_id = $3, sealed = $4 \
               where project_id = $1 and id = $2";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&flow.tenant.project).bind(&flow.id).bind(account).bind(EMPTY)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Ends a flow that is not ended yet. `false`: it was.
pub(super) async fn set_failed(tx: &mut Tx, flow: &Flow, why: &Failure) -> sqlx::Result<bool> {
    let sql = "update connect_flows set state = 'failed', error_code = $3, error = $4, \
               sealed = $5, ticket_hash = null where project_id = $1 and id = $2 \
               and state not in ('done', 'failed')";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&flow.tenant.project).bind(&flow.id).bind(why.code.as_ref())
        .bind(why.text.as_ref()).bind(EMPTY).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// The account that one of a session's flows led to.
pub(super) async fn made(db: &Db, session: &Session) -> sqlx::Result<Option<AccountId>> {
    let sql = "select account_id from connect_flows \
               where project_id = $1 and session_id = $2 and state = 'done' limit 1";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&session.tenant.project).bind(&session.id).fetch_optional(conn).await?))
}

/// Ends the flows of a session that have not come back yet, all but one.
pub(super) async fn end_open_flows(
    tx: &mut Tx,
    session: &Session,
    but: Option<&FlowId>,
    why: &Failure,
) -> sqlx::Result<()> {
    let sql = "update connect_flows set state = 'failed', error_code = $3, error = $4, \
               sealed = $5, ticket_hash = null where project_id = $1 and session_id = $2 \
               and id <> $6 and state in ('waiting', 'opened', 'authorizing', 'held')";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&session.tenant.project).bind(&session.id).bind(why.code.as_ref())
        .bind(why.text.as_ref()).bind(EMPTY)
        .bind(but.map(FlowId::as_str).unwrap_or_default()).execute(conn).await?.rows_affected());
    Ok(())
}
