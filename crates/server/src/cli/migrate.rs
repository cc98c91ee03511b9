//! `grantkeep migrate`.

use super::{Failure, Shell, output, serve};
use crate::boot::{self, BootError};
use crate::config::Config;
use crate::db::Db;
use crate::keys;

/// The migration that made the table `root_keys`.
const ROOT_KEYS_SINCE: i64 = 9;

pub(super) async fn run(shell: &Shell) -> Result<(), Failure> {
    let mut config = shell.config()?;
    serve::find_dev_key(&mut config)?;
    // What would stop `serve` afterwards stops this before anything is changed.
    boot::catalog(&config)?;
    boot::make_data_dir(&config)?;
    let db = Db::open(&config).await.map_err(BootError::from)?;
    let done = migrate(&config, &db).await;
    let engine = db.engine();
    db.close().await;
    let ran = done?;
    if shell.json {
        output::json(&serde_json::json!({ "engine": engine, "migrated": true, "ran": ran }));
    } else {
        output::line(&format!("The schema is up to date ({engine}); {ran} migration(s) were run."));
    }
    Ok(())
}

/// How many were run.
async fn migrate(config: &Config, db: &Db) -> Result<usize, BootError> {
    if config.root_key.is_some() {
        let keyring = boot::keyring(config)?;
        if db.version().await?.is_some_and(|it| it >= ROOT_KEYS_SINCE)
            && let Some(id) = keys::missing(db, &keyring).await?.into_iter().next()
        {
            return Err(BootError::OtherRootKey(id));
        }
    } else {
        output::note("warning: no root key is set, so it was not looked at; `serve` needs one");
    }
    let due = db.migrations_due().await?;
    db.migrate().await?;
    Ok(due)
}
