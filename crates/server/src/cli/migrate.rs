//! `grantkeep migrate`.

use super::{Failure, Shell, output};
use crate::db::Db;

pub(super) async fn run(shell: &Shell) -> Result<(), Failure> {
    let config = shell.load()?.config;
    crate::boot::make_data_dir(&config)?;
    let db = Db::open(&config).await.map_err(crate::boot::BootError::from)?;
    let done = db.migrate().await.map_err(crate::boot::BootError::from);
    let engine = db.engine();
    db.close().await;
    done?;
    if shell.json {
        output::json(&serde_json::json!({ "engine": engine, "migrated": true }));
    } else {
        output::line(&format!("The schema is up to date ({engine})."));
    }
    Ok(())
}
