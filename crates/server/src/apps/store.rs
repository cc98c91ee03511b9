//! Rows of `oauth_apps` and `oauth_registrations`. SQL and nothing else.

pub(super) mod custom;
pub(super) mod overrides;

use sqlx::FromRow;

use super::OAuthApp;
use crate::db::{Db, Tx};
use crate::ids::{OAuthAppId, ProjectId, UserId};
use crate::on;
use crate::paging::Page;

#[derive(FromRow)]
struct Row {
    id: OAuthAppId,
    project_id: ProjectId,
    app_slug: String,
    name: String,
    description: Option<String>,
    client_id: String,
    client_secret: Option<Vec<u8>>,
    private_key: Option<Vec<u8>>,
    key_id: Option<String>,
    public_jwk: Option<String>,
    client_certificate: Option<String>,
    registered_at: String,
    callback_origin: Option<String>,
    scopes: Option<String>,
    additional_scopes: String,
    owner_user_id: Option<UserId>,
    version: i64,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl TryFrom<Row> for OAuthApp {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let list = |text: &str| {
            serde_json::from_str::<Vec<String>>(text)
                .map_err(|_| sqlx::Error::Decode(format!("oauth_apps scopes of {}", row.id).into()))
        };
        Ok(Self {
            scopes: row.scopes.as_deref().map(list).transpose()?,
            additional_scopes: list(&row.additional_scopes)?,
            id: row.id,
            project: row.project_id,
            app_slug: row.app_slug,
            name: row.name,
            description: row.description,
            client_id: row.client_id,
            sealed_secret: row.client_secret,
            sealed_key: row.private_key,
            key_id: row.key_id,
            public_jwk: row.public_jwk,
            client_certificate: row.client_certificate,
            registered_at: row.registered_at,
            callback_origin: row.callback_origin,
            owner: row.owner_user_id,
            version: row.version,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, project_id, app_slug, name, description, client_id, client_secret, \
             private_key, key_id, public_jwk, client_certificate, registered_at, \
             (select p.callback_origin from projects p where p.id = oauth_apps.project_id) \
             as callback_origin, scopes, additional_scopes, owner_user_id, version, \
             created_at_ms, updated_at_ms from oauth_apps ",
            $rest
        )
    };
}

// After the macro, which it uses.
pub(super) mod own_clients;

/// One of the project's own.
pub(super) async fn find(
    db: &Db,
    project: &ProjectId,
    id: &OAuthAppId,
) -> sqlx::Result<Option<OAuthApp>> {
    let sql = select!("where project_id = $1 and id = $2 and owner_user_id is null");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql).bind(project).bind(id)
        .fetch_optional(conn).await?);
    row.map(OAuthApp::try_from).transpose()
}

/// The project's newest client of an app that has a client id.
pub(super) async fn newest(
    db: &Db,
    project: &ProjectId,
    app_slug: &str,
) -> sqlx::Result<Option<OAuthApp>> {
    let sql = select!(
        "where project_id = $1 and app_slug = $2 and client_id <> '' \
         and owner_user_id is null order by created_at_ms desc, id limit 1"
    );
    let row: Option<Row> = on!(db.read(), conn =>
        sqlx::query_as(sql).bind(project).bind(app_slug).fetch_optional(conn).await?);
    row.map(OAuthApp::try_from).transpose()
}

pub(super) async fn all(db: &Db, project: &ProjectId) -> sqlx::Result<Vec<OAuthApp>> {
    let sql = select!(
        "where project_id = $1 and owner_user_id is null order by created_at_ms desc, id desc"
    );
    let rows: Vec<Row> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(project).fetch_all(conn).await?);
    rows.into_iter().map(OAuthApp::try_from).collect()
}

pub(super) async fn configured(db: &Db, project: &ProjectId) -> sqlx::Result<Vec<String>> {
    let sql = "select distinct app_slug from oauth_apps \
               where project_id = $1 and client_id <> '' and owner_user_id is null";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).bind(project).fetch_all(conn).await?))
}

pub(super) async fn list(
    db: &Db,
    project: &ProjectId,
    app_slug: Option<&str>,
    part: Option<&str>,
    page: &Page,
) -> sqlx::Result<(Vec<OAuthApp>, i64)> {
    let (app_slug, part) = (app_slug.unwrap_or_default(), part.unwrap_or_default());
    let total_sql = "select count(*) from oauth_apps where project_id = $1 \
                     and owner_user_id is null and ($2 = '' or app_slug = $2) and ($3 = '' \
                     or replace(lower(name), lower($3), '') <> lower(name))";
    let total = on!(db.read(), conn => sqlx::query_scalar(total_sql)
        .bind(project).bind(app_slug).bind(part).fetch_one(conn).await?);
    let forward = select!(
        "where project_id = $1 and owner_user_id is null and ($2 = '' or app_slug = $2) \
         and ($3 = '' or replace(lower(name), lower($3), '') <> lower(name)) \
         and (created_at_ms < $4 or (created_at_ms = $4 and id < $5)) \
         order by created_at_ms desc, id desc limit $6"
    );
    let backward = select!(
        "where project_id = $1 and owner_user_id is null and ($2 = '' or app_slug = $2) \
         and ($3 = '' or replace(lower(name), lower($3), '') <> lower(name)) \
         and (created_at_ms > $4 or (created_at_ms = $4 and id > $5)) order by created_at_ms, id \
         limit $6"
    );
    let (sql, key, id) = page.bounds(forward, backward);
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(app_slug).bind(part).bind(key).bind(id).bind(page.limit + 1)
        .fetch_all(conn).await?);
    let apps = rows.into_iter().map(OAuthApp::try_from).collect::<Result<_, _>>()?;
    Ok((apps, total))
}

pub(super) async fn insert(tx: &mut Tx, app: &OAuthApp) -> sqlx::Result<()> {
    let sql = "insert into oauth_apps (id, project_id, app_slug, name, description, client_id, \
               client_secret, scopes, additional_scopes, version, created_at_ms, updated_at_ms, \
               private_key, key_id, public_jwk, client_certificate, registered_at) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let (scopes, additional) = scope_texts(app)?;
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&app.id).bind(&app.project).bind(&app.app_slug).bind(&app.name)
        .bind(&app.description).bind(&app.client_id).bind(&app.sealed_secret).bind(&scopes)
        .bind(&additional).bind(app.version).bind(app.created_at_ms).bind(app.updated_at_ms)
        .bind(&app.sealed_key).bind(&app.key_id).bind(&app.public_jwk)
        .bind(&app.client_certificate).bind(&app.registered_at)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Writes `app` over its earlier version. `false`: another writer was first, or the row is gone.
pub(super) async fn update(tx: &mut Tx, app: &OAuthApp) -> sqlx::Result<bool> {
    let sql = "update oauth_apps set name = $4, description = $5, client_id = $6, \
               client_secret = $7, scopes = $8, additional_scopes = $9, version = $3, \
               updated_at_ms = $10, private_key = $11, key_id = $12, public_jwk = $13, \
               client_certificate = $14, registered_at = $15 \
               where project_id = $1 and id = $2 and version = $3 - 1";
    let (scopes, additional) = scope_texts(app)?;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&app.project).bind(&app.id).bind(app.version).bind(&app.name)
        .bind(&app.description).bind(&app.client_id).bind(&app.sealed_secret).bind(&scopes)
        .bind(&additional).bind(app.updated_at_ms).bind(&app.sealed_key).bind(&app.key_id)
        .bind(&app.public_jwk).bind(&app.client_certificate).bind(&app.registered_at)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

fn scope_texts(app: &OAuthApp) -> sqlx::Result<(Option<String>, String)> {
    let text = |list: &Vec<String>| {
        serde_json::to_string(list).map_err(|error| sqlx::Error::Encode(error.into()))
    };
    Ok((app.scopes.as_ref().map(text).transpose()?, text(&app.additional_scopes)?))
}

/// Notes that the registration is its project's. `false`: it is already another's.
pub(super) async fn register(tx: &mut Tx, app: &OAuthApp) -> sqlx::Result<bool> {
    let sql = "insert into oauth_registrations (registered_at, client_id, project_id) \
               values ($1, $2, $3) on conflict (registered_at, client_id) \
               do update set client_id = $2 returning project_id";
    let owner: ProjectId = on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&app.registered_at).bind(&app.client_id).bind(&app.project)
        .fetch_one(conn).await?);
    Ok(owner == app.project)
}

/// Frees a registration that no client of the project uses any more.
pub(super) async fn release(tx: &mut Tx, project: &ProjectId) -> sqlx::Result<()> {
    let sql = "delete from oauth_registrations where project_id = $1 and not exists (select 1 \
               from oauth_apps a where a.project_id = $1 and a.owner_user_id is null \
               and a.registered_at = oauth_registrations.registered_at \
               and a.client_id = oauth_registrations.client_id)";
    on!(tx.conn(), conn => sqlx::query(sql).bind(project).execute(conn).await?.rows_affected());
    Ok(())
}

/// The project's own origin for redirect URIs.
pub(super) async fn callback_origin(db: &Db, project: &ProjectId) -> sqlx::Result<Option<String>> {
    let sql = "select callback_origin from projects where id = $1";
    let found: Option<Option<String>> = on!(db.read(), conn =>
        sqlx::query_scalar(sql).bind(project).fetch_optional(conn).await?);
    Ok(found.flatten())
}

/// A client by the id alone, for what anybody may know of it.
pub(super) async fn published(db: &Db, id: &OAuthAppId) -> sqlx::Result<Option<OAuthApp>> {
    let sql = select!("where id = $1");
    let row: Option<Row> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    row.map(OAuthApp::try_from).transpose()
}

/// How a project's product calls itself.
pub(super) async fn product_name(db: &Db, project: &ProjectId) -> sqlx::Result<Option<String>> {
    let sql = "select coalesce(app_name, name) from projects where id = $1";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).bind(project).fetch_optional(conn).await?))
}

pub(super) async fn accounts_of(
    tx: &mut Tx,
    project: &ProjectId,
    id: &OAuthAppId,
) -> sqlx::Result<i64> {
    let sql = "select count(*) from accounts where project_id = $1 and oauth_app_id = $2";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).bind(id)
            .fetch_one(conn).await?))
}

/// Grants of deleted accounts that were made with the client and are still to be revoked.
pub(super) async fn revocations_of(
    tx: &mut Tx,
    project: &ProjectId,
    id: &OAuthAppId,
) -> sqlx::Result<i64> {
    let sql = "select count(*) from revocations where project_id = $1 and oauth_app_id = $2 and \
               outcome = 'pending'";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).bind(id)
            .fetch_one(conn).await?))
}

/// Overrides that name the client.
pub(super) async fn overrides_of(
    tx: &mut Tx,
    project: &ProjectId,
    id: &OAuthAppId,
) -> sqlx::Result<i64> {
    let sql = "select count(*) from app_overrides where project_id = $1 and oauth_app_id = $2";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).bind(id)
            .fetch_one(conn).await?))
}

pub(super) async fn delete(
    tx: &mut Tx,
    project: &ProjectId,
    id: &OAuthAppId,
) -> sqlx::Result<bool> {
    let sql = "delete from oauth_apps where project_id = $1 and id = $2";
    let done = on!(tx.conn(), conn =>
        sqlx::query(sql).bind(project).bind(id).execute(conn).await?.rows_affected());
    Ok(done == 1)
}
