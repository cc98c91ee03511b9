//! Giving a file back, chunk by chunk.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use grantkeep_vault::OwnerKey;

use super::{File, KEY_CHARS_MAX, store};
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::{ProjectId, UserId};
use crate::keys::unreadable;
use crate::tenant::Environment;

/// Finds a whole file by its key. With an environment or a user, only among theirs.
///
/// # Errors
/// [`error::NOT_FOUND`], also for what is another's or over.
pub(crate) async fn find(
    app: &App,
    project: &ProjectId,
    key: &str,
    (environment, user): (Option<Environment>, Option<&UserId>),
) -> Result<File> {
    let missing = || error::NOT_FOUND.saying("There is no such file, or its day is over.");
    // A store may refuse the very text.
    if key.len() > KEY_CHARS_MAX || key.chars().any(char::is_control) {
        return Err(missing());
    }
    let found = store::find(&app.db, project, key, app.clock.now_ms()).await?;
    let is_theirs = |it: &File| {
        environment.is_none_or(|environment| it.tenant.environment == environment)
            && user.is_none_or(|user| it.user == *user)
    };
    found.filter(is_theirs).ok_or_else(missing)
}

/// The file's bytes. The first chunk is opened before the stream is given, so that a file that
/// cannot be read is an error and not an answer that breaks off.
///
/// # Errors
/// [`error::DECRYPT_FAILED`], with an alert for the operator.
pub(crate) async fn read(
    app: &Arc<App>,
    file: File,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static> {
    let key = app.keys.user(&app.db, &file.tenant, &file.user).await?;
    let first = chunk(app, &file, &key, 0).await?;
    let app = Arc::clone(app);
    let rest = stream::try_unfold(1, move |nth| {
        let (app, file, key) = (Arc::clone(&app), file.clone(), Arc::clone(&key));
        async move {
            if nth >= file.chunks {
                return Ok(None);
            }
            Ok(Some((chunk(&app, &file, &key, nth).await?, nth + 1)))
        }
    });
    Ok(futures::StreamExt::chain(stream::once(async { Ok(first) }), rest))
}

async fn chunk(app: &App, file: &File, key: &OwnerKey, nth: i64) -> Result<Bytes> {
    let sealed = store::chunk(&app.db, file, nth).await?.ok_or(error::NOT_FOUND)?;
    let place = file.place(nth, nth + 1 == file.chunks);
    let opened = key.open(&place, &sealed).map_err(unreadable)?;
    Ok(Bytes::copy_from_slice(opened.expose()))
}
