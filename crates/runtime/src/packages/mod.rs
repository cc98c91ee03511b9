//! npm packages by lock file, into a store named by what is in it.
//!
//! Nothing of a package is run at installation. What is unpacked was compared with the lock file's
//! SHA-512 before, so the same bytes serve everybody, and a tarball that was swapped serves nobody.

mod lock;
mod unpack;

use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};

use lock::Locked;

/// Packages that are fetched at once.
const FETCHES: usize = 8;
/// One package as it is fetched, in bytes.
const TARBALL_BYTES: usize = 64 << 20;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInstalled {
    #[error("package-lock.json: {0}")]
    Lock(String),
    #[error("{package}: {reason}")]
    Fetch { package: String, reason: String },
    #[error(
        "{package}: what {url} gave is not what the lock file names (SHA-512 differs). Nothing of \
         it was kept. If the package was published anew, make the lock file again and look at what \
         changed"
    )]
    Integrity { package: String, url: String },
    #[error("{package}: not unpacked: {reason}")]
    Unpack { package: String, reason: String },
}

/// Has every package of the lock file in the store, and tells what [`crate::Code::packages`] wants.
///
/// `fetch` gets a URL that the lock file names and gives its bytes: it judges the address, and has
/// [`TARBALL_BYTES`] as its bound. Packages for development only are left out. Any number of calls
/// may fill one store at once.
///
/// # Errors
/// The first that went wrong. What others brought in is kept.
pub async fn install<F, Fut>(
    lock: &str,
    store: &Path,
    fetch: F,
) -> Result<Vec<(String, PathBuf)>, NotInstalled>
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = Result<Bytes, String>>,
{
    let locked = lock::read(lock).map_err(NotInstalled::Lock)?;
    let fetch = &fetch;
    let one = |it: Locked| async move {
        let folder = store.join(it.sha512.hex());
        if !folder.is_dir() {
            let bytes = fetch(it.url.clone()).await;
            let failed = |reason| NotInstalled::Fetch { package: it.place.clone(), reason };
            add(&it, bytes.map_err(failed)?, &folder).await?;
        }
        Ok((it.place, folder))
    };
    futures::stream::iter(locked).map(one).buffered(FETCHES).try_collect().await
}

async fn add(locked: &Locked, bytes: Bytes, folder: &Path) -> Result<(), NotInstalled> {
    let package = locked.place.clone();
    if bytes.len() > TARBALL_BYTES {
        let reason = format!("more than {TARBALL_BYTES} bytes");
        return Err(NotInstalled::Fetch { package, reason });
    }
    if digest::digest(&digest::SHA512, &bytes).as_ref() != locked.sha512.bytes() {
        return Err(NotInstalled::Integrity { package, url: locked.url.clone() });
    }
    let folder = folder.to_path_buf();
    let unpacked = tokio::task::spawn_blocking(move || unpack::unpack(&bytes, &folder)).await;
    let reason = match unpacked {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(reason)) => reason,
        Err(error) => error.to_string(),
    };
    Err(NotInstalled::Unpack { package, reason })
}
