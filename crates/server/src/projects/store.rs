//! Rows of `projects`, `api_clients`, `access_tokens` and `api_keys`. SQL and nothing else.

pub(super) mod rate_limits;

use sqlx::FromRow;

use super::freeze::{Freeze, Scope};
use super::{Project, Settings};
use crate::db::{Db, Tx};
use crate::ids::{ClientId, KeyId, ProjectId};
use crate::on;

#[derive(FromRow)]
struct ProjectRow {
    id: ProjectId,
    name: String,
    app_name: Option<String>,
    support_email: Option<String>,
    settings: String,
    require_key_test: bool,
    has_logo: bool,
    callback_origin: Option<String>,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl TryFrom<ProjectRow> for Project {
    type Error = sqlx::Error;

    fn try_from(row: ProjectRow) -> Result<Self, sqlx::Error> {
        let settings: Settings = serde_json::from_str(&row.settings).map_err(|error| {
            sqlx::Error::Decode(format!("projects.settings of {}: {error}", row.id).into())
        })?;
        Ok(Self {
            id: row.id,
            name: row.name,
            app_name: row.app_name,
            support_email: row.support_email,
            settings,
            require_key_test: row.require_key_test,
            has_logo: row.has_logo,
            callback_origin: row.callback_origin,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

macro_rules! select_projects {
    ($rest:literal) => {
        concat!(
            "select id, name, app_name, support_email, settings, require_key_test, \
             logo is not null as has_logo, callback_origin, created_at_ms, updated_at_ms \
             from projects ",
            $rest
        )
    };
}

pub(super) async fn find(db: &Db, id: &ProjectId) -> sqlx::Result<Option<Project>> {
    let sql = select_projects!("where id = $1");
    let row: Option<ProjectRow> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    row.map(Project::try_from).transpose()
}

pub(super) async fn list(db: &Db) -> sqlx::Result<Vec<Project>> {
    let sql = select_projects!("order by created_at_ms desc, id");
    let rows: Vec<ProjectRow> = on!(db.read(), conn => sqlx::query_as(sql).fetch_all(conn).await?);
    rows.into_iter().map(Project::try_from).collect()
}

pub(super) async fn insert(tx: &mut Tx, project: &Project) -> sqlx::Result<()> {
    let sql = "insert into projects (id, name, app_name, support_email, settings, \
               require_key_test, created_at_ms, updated_at_ms, callback_origin) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let settings = settings_text(&project.settings)?;
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&project.id).bind(&project.name).bind(&project.app_name)
        .bind(&project.support_email).bind(&settings).bind(project.require_key_test)
        .bind(project.created_at_ms).bind(project.updated_at_ms).bind(&project.callback_origin)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn update(tx: &mut Tx, project: &Project) -> sqlx::Result<()> {
    let sql = "update projects set name = $2, app_name = $3, support_email = $4, settings = $5, \
               require_key_test = $6, updated_at_ms = $7, callback_origin = $8 where id = $1";
    let settings = settings_text(&project.settings)?;
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&project.id).bind(&project.name).bind(&project.app_name)
        .bind(&project.support_email).bind(&settings).bind(project.require_key_test)
        .bind(project.updated_at_ms).bind(&project.callback_origin)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// The settings within a transaction; those of a project with a limit are held until it ends, so
/// that no two callers take the last place.
pub(super) async fn settings(tx: &mut Tx, id: &ProjectId) -> sqlx::Result<Settings> {
    let read = |text: String| {
        serde_json::from_str::<Settings>(&text).map_err(|it| sqlx::Error::Decode(it.into()))
    };
    let sql = "select settings from projects where id = $1";
    let settings = read(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(id).fetch_one(conn).await?))?;
    if settings.development_users_max.is_none() {
        return Ok(settings);
    }
    let sql = "update projects set settings = settings where id = $1 returning settings";
    read(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?))
}

fn settings_text(settings: &Settings) -> sqlx::Result<String> {
    serde_json::to_string(settings).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(super) async fn delete(tx: &mut Tx, id: &ProjectId) -> sqlx::Result<bool> {
    let sql = "delete from freezes where project_id = $1";
    on!(tx.conn(), conn => sqlx::query(sql).bind(id).execute(conn).await?.rows_affected());
    let sql = "delete from projects where id = $1";
    let done = on!(tx.conn(), conn =>
        sqlx::query(sql).bind(id).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn count_accounts(tx: &mut Tx, id: &ProjectId) -> sqlx::Result<i64> {
    let sql = "select count(*) from accounts where project_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?))
}

/// Grants of deleted accounts that are still to be revoked.
pub(super) async fn count_revocations(tx: &mut Tx, id: &ProjectId) -> sqlx::Result<i64> {
    let sql = "select count(*) from revocations where project_id = $1 and outcome = 'pending'";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?))
}

/// Whether the project has described an app of that slug.
pub(super) async fn has_app(db: &Db, id: &ProjectId, slug: &str) -> sqlx::Result<bool> {
    let sql = "select count(*) from custom_apps where project_id = $1 and slug = $2";
    let count: i64 = on!(db.read(), conn => sqlx::query_scalar(sql).bind(id).bind(slug)
        .fetch_one(conn).await?);
    Ok(count > 0)
}

pub(super) async fn set_logo(
    db: &Db,
    id: &ProjectId,
    media_type: &str,
    bytes: &[u8],
    now_ms: i64,
) -> sqlx::Result<bool> {
    let sql = "update projects set logo_type = $2, logo = $3, updated_at_ms = $4 where id = $1";
    let done = on!(db.write(), conn => sqlx::query(sql).bind(id).bind(media_type).bind(bytes)
        .bind(now_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn logo(db: &Db, id: &ProjectId) -> sqlx::Result<Option<(String, Vec<u8>)>> {
    let sql = "select logo_type, logo from projects where id = $1 and logo is not null";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(id).fetch_optional(conn).await?))
}

#[derive(Clone, FromRow)]
pub(super) struct ClientRow {
    pub id: ClientId,
    pub project_id: Option<ProjectId>,
    pub name: String,
    pub secret_hash: Vec<u8>,
    pub scopes: String,
    pub created_at_ms: i64,
    pub last_used_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
    pub exposed_at_ms: Option<i64>,
    pub proxy_rules: Option<String>,
}

pub(super) async fn insert_client(db: &Db, row: &ClientRow) -> sqlx::Result<()> {
    let sql = "insert into api_clients (id, project_id, name, secret_hash, scopes, created_at_ms, \
               proxy_rules) values ($1, $2, $3, $4, $5, $6, $7)";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&row.id).bind(&row.project_id).bind(&row.name).bind(&row.secret_hash)
        .bind(&row.scopes).bind(row.created_at_ms).bind(&row.proxy_rules)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn find_client(db: &Db, id: &str) -> sqlx::Result<Option<ClientRow>> {
    let sql = "select id, project_id, name, secret_hash, scopes, created_at_ms, last_used_at_ms, \
               revoked_at_ms, exposed_at_ms, proxy_rules from api_clients where id = $1";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(id).fetch_optional(conn).await?))
}

pub(super) async fn list_clients(db: &Db) -> sqlx::Result<Vec<ClientRow>> {
    let sql = "select id, project_id, name, secret_hash, scopes, created_at_ms, last_used_at_ms, \
               revoked_at_ms, exposed_at_ms, proxy_rules from api_clients \
               order by created_at_ms, id";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).fetch_all(conn).await?))
}

/// Revokes the client and forgets its access tokens. `false`: there is no such client, or it was
/// revoked before.
pub(super) async fn revoke_client(tx: &mut Tx, id: &ClientId, now_ms: i64) -> sqlx::Result<bool> {
    let sql = "update api_clients set revoked_at_ms = $2 where id = $1 and revoked_at_ms is null";
    let done = on!(tx.conn(), conn =>
        sqlx::query(sql).bind(id).bind(now_ms).execute(conn).await?.rows_affected());
    let sql = "delete from access_tokens where client_id = $1";
    on!(tx.conn(), conn => sqlx::query(sql).bind(id).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn insert_token(
    tx: &mut Tx,
    hash: &[u8],
    client: &ClientId,
    scopes: &str,
    expires_at_ms: i64,
) -> sqlx::Result<()> {
    let sql = "insert into access_tokens (hash, client_id, scopes, expires_at_ms) \
               values ($1, $2, $3, $4)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(hash).bind(client).bind(scopes).bind(expires_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn client_used(tx: &mut Tx, client: &ClientId, now_ms: i64) -> sqlx::Result<()> {
    let sql = "update api_clients set last_used_at_ms = $2 where id = $1";
    on!(tx.conn(), conn => sqlx::query(sql).bind(client).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn forget_expired_tokens(db: &Db, now_ms: i64) -> sqlx::Result<()> {
    let sql = "delete from access_tokens where expires_at_ms <= $1";
    on!(db.write(), conn => sqlx::query(sql).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(())
}

#[derive(FromRow)]
pub(super) struct PublicKeyRow {
    pub client_id: ClientId,
    pub id: String,
    pub jwk: String,
    pub created_at_ms: i64,
}

pub(super) async fn client_is_live(tx: &mut Tx, client: &ClientId) -> sqlx::Result<bool> {
    let sql = "select count(*) from api_clients where id = $1 and revoked_at_ms is null";
    let found: i64 =
        on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(client).fetch_one(conn).await?);
    Ok(found == 1)
}

pub(super) async fn count_client_keys(tx: &mut Tx, client: &ClientId) -> sqlx::Result<i64> {
    let sql = "select count(*) from client_public_keys where client_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(client).fetch_one(conn).await?))
}

/// `false`: the client has a key of that name.
pub(super) async fn insert_client_key(tx: &mut Tx, row: &PublicKeyRow) -> sqlx::Result<bool> {
    let sql = "insert into client_public_keys (client_id, id, jwk, created_at_ms) \
               values ($1, $2, $3, $4) on conflict (client_id, id) do nothing";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&row.client_id).bind(&row.id).bind(&row.jwk).bind(row.created_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn delete_client_key(db: &Db, client: &ClientId, id: &str) -> sqlx::Result<bool> {
    let sql = "delete from client_public_keys where client_id = $1 and id = $2";
    let done = on!(db.write(), conn =>
        sqlx::query(sql).bind(client).bind(id).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// The keys of a client, which need not exist.
pub(super) async fn find_client_keys(db: &Db, client: &str) -> sqlx::Result<Vec<PublicKeyRow>> {
    let sql = "select client_id, id, jwk, created_at_ms from client_public_keys \
               where client_id = $1 order by created_at_ms, id";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(client).fetch_all(conn).await?))
}

pub(super) async fn list_client_keys(db: &Db) -> sqlx::Result<Vec<PublicKeyRow>> {
    let sql = "select client_id, id, jwk, created_at_ms from client_public_keys \
               order by created_at_ms, id";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).fetch_all(conn).await?))
}

/// Notes that an assertion was used. `false`: it was used before, in whatever process.
pub(super) async fn use_assertion(
    db: &Db,
    client: &str,
    jti_hash: &[u8],
    forget_at_ms: i64,
) -> sqlx::Result<bool> {
    let sql = "insert into used_assertions (client_id, jti_hash, forget_at_ms) \
               values ($1, $2, $3) on conflict (client_id, jti_hash) do nothing";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(client).bind(jti_hash).bind(forget_at_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn forget_assertions(db: &Db, now_ms: i64) -> sqlx::Result<()> {
    let sql = "delete from used_assertions where forget_at_ms <= $1";
    on!(db.write(), conn => sqlx::query(sql).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(())
}

#[derive(FromRow)]
pub(super) struct TokenRow {
    pub client_id: ClientId,
    pub project_id: Option<ProjectId>,
    pub scopes: String,
    pub proxy_rules: Option<String>,
}

/// A live access token of a client that is not revoked.
pub(super) async fn find_token(
    db: &Db,
    hash: &[u8],
    now_ms: i64,
) -> sqlx::Result<Option<TokenRow>> {
    let sql = "select t.client_id, c.project_id, t.scopes, c.proxy_rules from access_tokens t \
               join api_clients c on c.id = t.client_id \
               where t.hash = $1 and t.expires_at_ms > $2 and c.revoked_at_ms is null";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(hash).bind(now_ms)
            .fetch_optional(conn).await?))
}

#[derive(Clone, FromRow)]
pub(super) struct KeyRow {
    pub id: KeyId,
    pub project_id: ProjectId,
    pub name: String,
    pub key_hash: Vec<u8>,
    pub scopes: String,
    pub created_at_ms: i64,
    pub last_used_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
    pub exposed_at_ms: Option<i64>,
    pub proxy_rules: Option<String>,
}

pub(super) async fn insert_key(db: &Db, row: &KeyRow) -> sqlx::Result<()> {
    let sql = "insert into api_keys (id, project_id, name, key_hash, scopes, created_at_ms, \
               proxy_rules) values ($1, $2, $3, $4, $5, $6, $7)";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&row.id).bind(&row.project_id).bind(&row.name).bind(&row.key_hash)
        .bind(&row.scopes).bind(row.created_at_ms).bind(&row.proxy_rules)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn find_key(db: &Db, hash: &[u8]) -> sqlx::Result<Option<KeyRow>> {
    let sql = "select id, project_id, name, key_hash, scopes, created_at_ms, last_used_at_ms, \
               revoked_at_ms, exposed_at_ms, proxy_rules from api_keys where key_hash = $1 \
               and revoked_at_ms is null";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(hash).fetch_optional(conn).await?))
}

pub(super) async fn list_keys(db: &Db, project: &ProjectId) -> sqlx::Result<Vec<KeyRow>> {
    let sql = "select id, project_id, name, key_hash, scopes, created_at_ms, last_used_at_ms, \
               revoked_at_ms, exposed_at_ms, proxy_rules from api_keys where project_id = $1 \
               order by created_at_ms, id";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(project).fetch_all(conn).await?))
}

pub(super) async fn revoke_key(
    db: &Db,
    project: &ProjectId,
    id: &KeyId,
    now_ms: i64,
) -> sqlx::Result<bool> {
    let sql = "update api_keys set revoked_at_ms = $3 where project_id = $1 and id = $2 \
               and revoked_at_ms is null";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(project).bind(id).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn key_used(db: &Db, id: &KeyId, now_ms: i64) -> sqlx::Result<()> {
    let sql = "update api_keys set last_used_at_ms = $2 where id = $1";
    on!(db.write(), conn => sqlx::query(sql).bind(id).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Notes when a live key was first seen in a URL, and gives its id and project.
pub(super) async fn expose_key(
    db: &Db,
    hash: &[u8],
    now_ms: i64,
) -> sqlx::Result<Option<(KeyId, ProjectId)>> {
    let sql = "update api_keys set exposed_at_ms = coalesce(exposed_at_ms, $2) \
               where key_hash = $1 and revoked_at_ms is null returning id, project_id";
    Ok(on!(db.write(), conn => sqlx::query_as(sql).bind(hash).bind(now_ms)
        .fetch_optional(conn).await?))
}

/// The same for a live client, by the hash of its secret.
pub(super) async fn expose_client(
    db: &Db,
    hash: &[u8],
    now_ms: i64,
) -> sqlx::Result<Option<(ClientId, Option<ProjectId>)>> {
    let sql = "update api_clients set exposed_at_ms = coalesce(exposed_at_ms, $2) \
               where secret_hash = $1 and revoked_at_ms is null returning id, project_id";
    Ok(on!(db.write(), conn => sqlx::query_as(sql).bind(hash).bind(now_ms)
        .fetch_optional(conn).await?))
}

/// The same by the hash of an access token of his that has not ended.
pub(super) async fn expose_client_of_token(
    db: &Db,
    hash: &[u8],
    now_ms: i64,
) -> sqlx::Result<Option<(ClientId, Option<ProjectId>)>> {
    let sql = "update api_clients set exposed_at_ms = coalesce(exposed_at_ms, $2) \
               where revoked_at_ms is null and id in (select client_id from access_tokens \
               where hash = $1 and expires_at_ms > $2) returning id, project_id";
    Ok(on!(db.write(), conn => sqlx::query_as(sql).bind(hash).bind(now_ms)
        .fetch_optional(conn).await?))
}

#[derive(FromRow)]
struct FreezeRow {
    project_id: String,
    app_slug: String,
    created_by: String,
    created_at_ms: i64,
}

/// The texts of a scope in its row: an empty one stands for all.
fn texts(scope: &Scope) -> (&str, &str) {
    let project = scope.project.as_ref().map_or("", ProjectId::as_str);
    (project, scope.app.as_deref().unwrap_or_default())
}

pub(super) async fn freeze(db: &Db, scope: &Scope, by: &str, now_ms: i64) -> sqlx::Result<()> {
    let sql = "insert into freezes (project_id, app_slug, created_by, created_at_ms) \
               values ($1, $2, $3, $4) on conflict (project_id, app_slug) do nothing";
    let (project, app_slug) = texts(scope);
    on!(db.write(), conn => sqlx::query(sql).bind(project).bind(app_slug).bind(by).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn unfreeze(db: &Db, scope: &Scope) -> sqlx::Result<bool> {
    let sql = "delete from freezes where project_id = $1 and app_slug = $2";
    let (project, app_slug) = texts(scope);
    let done = on!(db.write(), conn => sqlx::query(sql).bind(project).bind(app_slug)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Those of all tenants: every process asks for them each second, so they come in one piece.
pub(super) async fn freezes(db: &Db) -> sqlx::Result<Vec<Freeze>> {
    let sql = "select project_id, app_slug, created_by, created_at_ms from freezes \
               order by created_at_ms, project_id, app_slug";
    let rows: Vec<FreezeRow> = on!(db.read(), conn => sqlx::query_as(sql).fetch_all(conn).await?);
    let freeze = |row: FreezeRow| Freeze {
        scope: Scope {
            project: ProjectId::parse(&row.project_id),
            app: Some(row.app_slug).filter(|it| !it.is_empty()),
        },
        by: row.created_by,
        since_ms: row.created_at_ms,
    };
    Ok(rows.into_iter().map(freeze).collect())
}
