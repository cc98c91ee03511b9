//! From a configuration to a working [`App`], or to one line that says what must be mended first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grantkeep_catalog::{Catalog, LoadError, Options};
use grantkeep_vault::{Keyring, RootKey, RootKeyError};

use crate::app::{App, Parts};
use crate::audit::{Audit, Policy};
use crate::catalog_file;
use crate::clock::Clock;
use crate::config::{AuditPolicy, Config, ConfigError, Database, Secret};
use crate::db::{Db, OpenError};
use crate::egress::{Egress, Watch};
use crate::keys::{self, Keys, derived};
use crate::on;
use crate::paging::CursorKey;

/// Name of the audit spool in the data folder.
const SPOOL_FILE: &str = "audit.spool";

/// Why it cannot start. Each line says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("root_key: {0}. Make one with `openssl rand -base64 32`")]
    RootKey(RootKeyError),
    #[error("older_root_keys, number {0} of them: {1}. Each is a former `root_key`, as it was")]
    OlderRootKey(usize, RootKeyError),
    #[error(
        "this store was sealed with the root key {0}, which is not configured. Set `root_key` (or \
         `older_root_keys`) to that key; nothing was written"
    )]
    OtherRootKey(String),
    #[error("cannot use the data folder {0}: {1}. Create it, or let this user write there")]
    DataDir(PathBuf, #[source] std::io::Error),
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("the store does not answer: {0}")]
    Query(#[from] sqlx::Error),
    #[error("catalog_dir: {0}")]
    Catalog(#[from] LoadError),
    #[error("catalog_file {0}: {1}")]
    CatalogFile(PathBuf, #[source] catalog_file::Refused),
}

/// Opens everything that a server or a command needs. Migrations that are due are run.
pub async fn open(config: Config, clock: Clock) -> Result<Arc<App>, BootError> {
    open_watched(config, clock, None).await
}

/// Where a store would be made, because there is none yet: perhaps somebody looks in the wrong
/// place.
///
/// # Errors
/// PostgreSQL cannot be asked.
pub async fn place_without_store(config: &Config) -> Result<Option<String>, BootError> {
    match config.database() {
        Database::Sqlite(file) => {
            Ok((!file.exists()).then(|| config.data_dir.display().to_string()))
        }
        Database::Postgres(_) => {
            let db = Db::open(config).await?;
            let version = db.version().await;
            db.close().await;
            Ok(version?.is_none().then(|| "that PostgreSQL database".to_owned()))
        }
    }
}

/// The same, with somebody who looks on at what apps are asked and answer.
pub(crate) async fn open_watched(
    config: Config,
    clock: Clock,
    watch: Option<Watch>,
) -> Result<Arc<App>, BootError> {
    let keyring = keyring(&config)?;
    let root_key = config.required_root_key()?;
    let keys_secret = derived(root_key.expose(), "cursors");
    make_data_dir(&config)?;
    let db = Db::open(&config).await?;
    db.migrate().await?;
    check_root_key(&db, &keyring, clock.now_ms()).await?;
    let catalog = catalog(&config)?;
    let egress = Egress::new(&config)?.watched(watch);
    let audit = Audit::start(db.clone(), clock.clone(), &config.data_dir, audit_policy(&config));
    let keys = Keys::new(keyring);
    let cursors = CursorKey::new(&keys_secret);
    Ok(App::new(Parts { config, db, clock, keys, cursors, egress, catalog, audit }))
}

/// The catalogue: what is built in, a newer catalogue file over it, and the operator's own files
/// over both.
pub fn catalog(config: &Config) -> Result<Catalog, BootError> {
    let options = Options { allow_loopback: config.egress_allow_loopback };
    let mut catalog = Catalog::builtin().clone();
    if let Some(file) = &config.catalog_file {
        let refused = |why| BootError::CatalogFile(file.clone(), why);
        let signed = catalog_file::read(file, &config.catalog_public_keys).map_err(refused)?;
        let newer = Catalog::from_packed(signed.packed, options);
        catalog = catalog.with(&newer.map_err(|why| refused(why.into()))?);
    }
    match &config.catalog_dir {
        Some(folder) => Ok(catalog.with_dir(folder, options)?),
        None => Ok(catalog),
    }
}

/// The root keys that are configured.
pub(crate) fn keyring(config: &Config) -> Result<Keyring, BootError> {
    let current =
        RootKey::parse(config.required_root_key()?.expose()).map_err(BootError::RootKey)?;
    let parse = |(at, key): (usize, &Secret)| {
        RootKey::parse(key.expose()).map_err(|why| BootError::OlderRootKey(at + 1, why))
    };
    let older = config.older_root_keys.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
    Ok(Keyring::new(current, older))
}

/// The data folder, made for this user alone.
pub(crate) fn make_data_dir(config: &Config) -> Result<(), BootError> {
    let dir = &config.data_dir;
    private_dir(dir).map_err(|error| BootError::DataDir(dir.clone(), error))
}

/// Makes a folder that only this user can enter, and those above it as usual.
pub fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn audit_policy(config: &Config) -> Policy {
    match config.audit_policy {
        AuditPolicy::Strict => Policy::Strict,
        AuditPolicy::Spool => Policy::Spool {
            file: config.data_dir.join(SPOOL_FILE),
            bytes_max: config.audit_spool_bytes_max as u64,
        },
    }
}

/// Refuses a key that this store does not know, before anything is sealed with it that others
/// cannot read.
async fn check_root_key(db: &Db, keyring: &Keyring, now_ms: i64) -> Result<(), BootError> {
    if let Some(missing) = keys::missing(db, keyring).await?.into_iter().next() {
        return Err(BootError::OtherRootKey(missing));
    }
    let sql =
        "insert into root_keys (id, first_seen_ms) values ($1, $2) on conflict (id) do nothing";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(keyring.current_id().to_string()).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}
