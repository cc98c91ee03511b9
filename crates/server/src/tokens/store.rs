//! Rows of `connect_tokens`. SQL and nothing else.

use std::sync::Arc;

use sqlx::FromRow;

use super::ConnectToken;
use crate::db::{Db, Tx};
use crate::ids::{OAuthAppId, ProjectId, UserId};
use crate::on;
use crate::reach::Reach;
use crate::scope::Scopes;
use crate::tenant::{Environment, Tenant};

#[derive(FromRow)]
struct Row {
    hash: Vec<u8>,
    project_id: ProjectId,
    environment: String,
    user_id: UserId,
    external_id: String,
    external_name: Option<String>,
    allowed_origins: String,
    allowed_apps: Option<String>,
    success_redirect_uri: Option<String>,
    error_redirect_uri: Option<String>,
    webhook_uri: Option<String>,
    scopes: String,
    app_slug: Option<String>,
    oauth_app_id: Option<OAuthAppId>,
    allow_progressive_scopes: bool,
    created_at_ms: i64,
    expires_at_ms: i64,
    used_at_ms: Option<i64>,
    sealed: Option<Vec<u8>>,
    proxy_rules: Option<String>,
}

impl TryFrom<Row> for ConnectToken {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let bad = |what: &str| {
            sqlx::Error::Decode(format!("connect_tokens.{what} of {}", row.user_id).into())
        };
        Ok(Self {
            hash: row.hash.as_slice().try_into().map_err(|_| bad("hash"))?,
            tenant: Tenant {
                project: row.project_id,
                environment: Environment::parse(&row.environment)
                    .ok_or_else(|| bad("environment"))?,
            },
            allowed_origins: serde_json::from_str(&row.allowed_origins)
                .map_err(|_| bad("allowed_origins"))?,
            allowed_apps: match &row.allowed_apps {
                Some(text) => Some(serde_json::from_str(text).map_err(|_| bad("allowed_apps"))?),
                None => None,
            },
            scopes: Scopes::parse(&row.scopes).ok_or_else(|| bad("scopes"))?,
            user: row.user_id,
            external_id: row.external_id,
            external_name: row.external_name,
            success_redirect_uri: row.success_redirect_uri,
            error_redirect_uri: row.error_redirect_uri,
            webhook_uri: row.webhook_uri,
            app_slug: row.app_slug,
            oauth_app: row.oauth_app_id,
            allow_progressive_scopes: row.allow_progressive_scopes,
            created_at_ms: row.created_at_ms,
            expires_at_ms: row.expires_at_ms,
            used_at_ms: row.used_at_ms,
            sealed: row.sealed,
            reach: row.proxy_rules.as_deref().map(|it| Arc::new(Reach::stored(it))),
        })
    }
}

pub(super) async fn insert(tx: &mut Tx, token: &ConnectToken, by: &str) -> sqlx::Result<()> {
    let sql = "insert into connect_tokens (hash, project_id, environment, user_id, external_id, \
               allowed_origins, success_redirect_uri, error_redirect_uri, webhook_uri, scopes, \
               app_slug, oauth_app_id, allow_progressive_scopes, created_by, created_at_ms, \
               expires_at_ms, sealed, external_name, proxy_rules, allowed_apps) values ($1, $2, \
               $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";
    let text = |list: &Vec<String>| {
        serde_json::to_string(list).map_err(|error| sqlx::Error::Encode(error.into()))
    };
    let origins = text(&token.allowed_origins)?;
    let apps = token.allowed_apps.as_ref().map(text).transpose()?;
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(token.hash.as_slice()).bind(&token.tenant.project)
        .bind(token.tenant.environment.as_str()).bind(&token.user).bind(&token.external_id)
        .bind(&origins).bind(&token.success_redirect_uri).bind(&token.error_redirect_uri)
        .bind(&token.webhook_uri).bind(token.scopes.to_string()).bind(&token.app_slug)
        .bind(&token.oauth_app).bind(token.allow_progressive_scopes).bind(by)
        .bind(token.created_at_ms).bind(token.expires_at_ms).bind(&token.sealed)
        .bind(&token.external_name).bind(token.reach.as_ref().map(ToString::to_string))
        .bind(&apps)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// By the token's own hash, which no tenant can guess: it is the credential that names the tenant.
pub(super) async fn find(db: &Db, hash: &[u8]) -> sqlx::Result<Option<ConnectToken>> {
    let sql = "select hash, project_id, environment, user_id, external_id, allowed_origins, \
               success_redirect_uri, error_redirect_uri, webhook_uri, scopes, app_slug, \
               oauth_app_id, allow_progressive_scopes, created_at_ms, expires_at_ms, used_at_ms, \
               sealed, external_name, proxy_rules, allowed_apps from connect_tokens \
               where hash = $1";
    let row: Option<Row> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(hash).fetch_optional(conn).await?);
    row.map(ConnectToken::try_from).transpose()
}

/// Marks the token used and wipes its text. `false`: it was used before, or is gone.
pub(super) async fn consume(tx: &mut Tx, hash: &[u8], now_ms: i64) -> sqlx::Result<bool> {
    let sql = "update connect_tokens set used_at_ms = $2, sealed = null \
               where hash = $1 and used_at_ms is null";
    let done = on!(tx.conn(), conn =>
        sqlx::query(sql).bind(hash).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Forgets tokens that ended before `before_ms`; until then a page can say that a token has
/// expired.
pub(super) async fn forget(tx: &mut Tx, before_ms: i64) -> sqlx::Result<()> {
    let sql = "delete from connect_tokens where expires_at_ms < $1";
    on!(tx.conn(), conn => sqlx::query(sql).bind(before_ms).execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn forget_user(tx: &mut Tx, tenant: &Tenant, user: &UserId) -> sqlx::Result<()> {
    let sql = "delete from connect_tokens \
               where project_id = $1 and environment = $2 and user_id = $3";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .execute(conn).await?.rows_affected());
    Ok(())
}
