//! Files that one step hands to the next: kept for a day, sealed under the key of the user whom
//! they belong to. Their bytes stand in the database in chunks, so that every process has them and
//! none holds a whole file in memory.

pub mod api;
mod download;
pub(crate) mod link;
mod store;
mod upload;

pub(crate) use download::{find, read};
pub(crate) use upload::{Into, New, is_id, new_id, replace, upload};

use grantkeep_vault::Place;

use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{FileId, UserId};
use crate::tenant::Tenant;

/// How long a file is kept.
const LIFE_MS: i64 = 24 * 3_600_000;
/// How long a link to a file is good for.
const LINK_LIFE_MS: i64 = 30 * 60_000;
/// Bytes of a chunk; a file is held in memory by no more than this, and a sealed copy of it.
const CHUNK_BYTES: usize = 256 * 1024;
/// Characters of a file's name.
const NAME_CHARS_MAX: usize = 200;
/// Characters of a key: prefix, three ids and a name whose characters may be long when coded.
const KEY_CHARS_MAX: usize = 1_024;

/// A file without its bytes.
#[derive(Clone, Debug)]
pub struct File {
    pub id: FileId,
    pub tenant: Tenant,
    pub user: UserId,
    /// Files of one stash belong together: 32 hexadecimal digits.
    pub stash: String,
    /// What callers name it by.
    pub key: String,
    pub bytes: i64,
    pub chunks: i64,
    pub expires_at_ms: i64,
}

impl File {
    /// What stands after the last slash.
    pub fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// Where a chunk is sealed for. The last one has a name of its own, so that a file whose end
    /// was cut off cannot be read either.
    fn place(&self, nth: i64, last: bool) -> Place<'_> {
        Place {
            project: self.tenant.project.as_str(),
            environment: self.tenant.environment.as_str(),
            table: "stash_chunks",
            record: self.id.as_str(),
            column: if last { "sealed_last" } else { "sealed" },
            version: nth,
        }
    }
}

/// Takes all files of a user away, in the transaction that erases him.
pub(crate) async fn forget_user(tx: &mut Tx, tenant: &Tenant, user: &UserId) -> Result<()> {
    Ok(store::delete_of_user(tx, tenant, user).await?)
}

/// The whole files of a user's stash, by name.
pub(crate) async fn files(
    app: &App,
    tenant: &Tenant,
    user: &UserId,
    stash: &str,
) -> Result<Vec<File>> {
    Ok(store::of_stash(&app.db, tenant, user, (stash, app.clock.now_ms())).await?)
}

/// Takes a file away once its time is over.
pub(crate) async fn forget(app: &App, tenant: &Tenant, file: &FileId) -> Result<()> {
    Ok(store::delete(&app.db, tenant, file).await?)
}
