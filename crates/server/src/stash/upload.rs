//! Taking a file in, chunk by chunk as it comes.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use grantkeep_vault::{OwnerKey, token};

use super::{CHUNK_BYTES, File, LIFE_MS, NAME_CHARS_MAX, store};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::{FileId, ProjectId, UserId};
use crate::outbox::{self, Job};
use crate::tenant::Tenant;
use crate::users;

/// Which stash a file goes into.
#[derive(Clone, Copy)]
pub(crate) enum Into<'a> {
    /// One of its own.
    Fresh,
    /// One that the user has.
    Known(&'a str),
    /// One that the user has, or that begins with this file: the id is ours.
    Either(&'a str),
}

impl<'a> Into<'a> {
    fn id(self) -> Option<&'a str> {
        match self {
            Self::Fresh => None,
            Self::Known(id) | Self::Either(id) => Some(id),
        }
    }
}

/// The id of a stash that has no file yet.
pub(crate) fn new_id() -> String {
    token::hex("", 16).expose().to_owned()
}

/// Whether the text can be the id of a stash.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(is_hex)
}

/// What a caller says of a file.
pub(crate) struct New<'a> {
    pub tenant: &'a Tenant,
    pub external_id: &'a str,
    pub stash: Into<'a>,
    pub name: &'a str,
}

/// Stores a file. Until its last byte is here nobody finds it, and whatever ends the upload takes
/// away what had come. It goes on although the caller may have left, so that this is so.
///
/// # Errors
/// [`error::INVALID_PARAMETER`] for a name or a stash that cannot be one; [`error::NOT_FOUND`] for
/// a stash that is not the user's; [`error::NAME_TAKEN`]; [`error::BODY_TOO_LARGE`];
/// [`error::TOO_MANY`] when the project keeps as much as it may; those of the body.
pub(crate) async fn upload(
    app: &Arc<App>,
    new: New<'_>,
    body: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> Result<File> {
    let file = begin(app, (new, false)).await?;
    arrive(app, file, body).await
}

async fn arrive(
    app: &Arc<App>,
    arriving: Arriving,
    body: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> Result<File> {
    let app = Arc::clone(app);
    let file = arriving.file.clone();
    let arriving = tokio::spawn(async move {
        let stored = store_all(&app, arriving, body).await;
        if stored.is_err() {
            // What stays behind if this fails too is taken away by the job.
            let _ = super::forget(&app, &file.tenant, &file.id).await;
        }
        stored
    });
    arriving.await.map_err(|ended| Error::from(error::INTERNAL).logging(ended))?
}

/// Stores a file in the place of the one of its name, in a stash that is named. The one before is
/// there until this one is whole.
///
/// # Errors
/// As for [`upload`].
pub(crate) async fn replace(
    app: &Arc<App>,
    new: New<'_>,
    body: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> Result<File> {
    users::find(&app.db, new.tenant, new.external_id).await?.ok_or(error::NOT_FOUND)?;
    let file = begin(app, (new, true)).await?;
    arrive(app, file, body).await
}

/// A file whose bytes come.
struct Arriving {
    file: File,
    /// The key of the file whose place it takes.
    replaces: Option<String>,
}

/// What callers name a file by.
fn key(project: &ProjectId, user: &UserId, (stash, name): (&str, &str)) -> String {
    format!("1day/{project}/{user}/{stash}/u/{name}")
}

/// Writes the file down, and when it is to be taken away.
async fn begin(app: &App, (new, replaces): (New<'_>, bool)) -> Result<Arriving> {
    check_name(new.name)?;
    let stash = match new.stash.id() {
        None => new_id(),
        Some(text) if is_id(text) => text.to_owned(),
        Some(_) => {
            return Err(error::INVALID_PARAMETER.saying("`stash_id` is not one of this server's."));
        }
    };
    let now_ms = app.clock.now_ms();
    let mut tx = app.db.begin().await?;
    let user = users::ensure(&mut tx, new.tenant, new.external_id, now_ms).await?.id;
    let joins = matches!(new.stash, Into::Known(_));
    if joins && !store::has_stash(&mut tx, new.tenant, &user, (&stash, now_ms)).await? {
        return Err(error::NOT_FOUND.saying("The user has no such stash."));
    }
    let project = &new.tenant.project;
    let (id, key) = (FileId::mint(), key(project, &user, (&stash, new.name)));
    // There is one file of a key; this one gets it once it is whole.
    let (key, replaces) =
        if replaces { (format!("arriving/{id}"), Some(key)) } else { (key, None) };
    let file = File {
        id,
        tenant: new.tenant.clone(),
        key,
        user,
        stash,
        bytes: 0,
        chunks: 0,
        expires_at_ms: now_ms + LIFE_MS,
    };
    if !store::insert(&mut tx, &file, now_ms).await? {
        return Err(error::NAME_TAKEN.into());
    }
    app.keys.user_for_sealing(&mut tx, new.tenant, &file.user, now_ms).await?;
    let job = Job::EmptyStash {
        project: project.clone(),
        environment: new.tenant.environment,
        file: file.id.clone(),
    };
    outbox::enqueue(&mut tx, &job, now_ms, file.expires_at_ms).await?;
    tx.commit().await?;
    Ok(Arriving { file, replaces })
}

/// A name is one part of a path, and shown by whatever saves the file.
fn check_name(name: &str) -> Result<()> {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | '\u{202a}'..='\u{202e}');
    let chars = name.chars().count();
    let good = (1..=NAME_CHARS_MAX).contains(&chars)
        && !name.chars().any(odd)
        && !name.chars().all(|it| it == '.');
    if good {
        return Ok(());
    }
    Err(error::INVALID_PARAMETER.saying(format!(
        "`name` must be 1 to {NAME_CHARS_MAX} visible characters without a slash."
    )))
}

fn is_hex(it: u8) -> bool {
    matches!(it, b'0'..=b'9' | b'a'..=b'f')
}

async fn store_all(
    app: &App,
    Arriving { mut file, replaces }: Arriving,
    body: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<File> {
    let key = app.keys.user(&app.db, &file.tenant, &file.user).await?;
    let most = app.config.stash_file_bytes_max;
    let mut body = std::pin::pin!(body);
    let (mut kept, mut seen) = (BytesMut::new(), 0);
    while let Some(piece) = body.next().await {
        let piece = piece?;
        seen += piece.len();
        if seen > most {
            return Err(error::BODY_TOO_LARGE.saying(format!("A file has at most {most} bytes.")));
        }
        kept.extend_from_slice(&piece);
        // One byte stays back, so that the last chunk is known for what it is.
        while kept.len() > CHUNK_BYTES {
            let chunk = kept.split_to(CHUNK_BYTES);
            store_one(app, &mut file, &key, (&chunk, None)).await?;
        }
    }
    let end = End { replaces: replaces.as_deref() };
    store_one(app, &mut file, &key, (&kept, Some(end))).await?;
    if let Some(key) = replaces {
        file.key = key;
    }
    Ok(file)
}

/// What the last chunk brings with it.
struct End<'a> {
    replaces: Option<&'a str>,
}

/// Seals a chunk and stores it, in a transaction of its own: nobody waits for a slow caller.
async fn store_one(
    app: &App,
    file: &mut File,
    key: &OwnerKey,
    (chunk, end): (&[u8], Option<End<'_>>),
) -> Result<()> {
    let nth = file.chunks;
    let sealed = key.seal(&file.place(nth, end.is_some()), chunk);
    let bytes = i64::try_from(chunk.len()).unwrap_or(i64::MAX);
    let most = i64::try_from(app.config.stash_project_bytes_max).unwrap_or(i64::MAX);
    let mut tx = app.db.begin().await?;
    if !store::grow(&mut tx, file, nth, (bytes, most)).await? {
        return Err(error::TOO_MANY.saying(format!(
            "The project's stashes hold as much as they may, {most} bytes. Files go after a day."
        )));
    }
    store::insert_chunk(&mut tx, file, nth, &sealed).await?;
    if let Some(End { replaces }) = end {
        let key = replaces.unwrap_or(&file.key);
        if replaces.is_some() {
            store::delete_named(&mut tx, &file.tenant, key).await?;
        }
        if !store::complete(&mut tx, file, key).await? {
            return Err(error::NAME_TAKEN.into());
        }
    }
    tx.commit().await?;
    (file.bytes, file.chunks) = (file.bytes + bytes, nth + 1);
    Ok(())
}
