//! The files of a run: those that it is given, and those that it leaves behind.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{self, Result};
use crate::ids::UserId;
use crate::stash::{self, File, Into};
use crate::tenant::Tenant;

/// Bytes of all files that one run is given.
const GIVEN_BYTES_MAX: i64 = 4 * 1024 * 1024;
/// Files that one run may leave.
const LEFT_MAX: usize = 100;

/// The stash of one run.
pub(super) struct Stash {
    pub id: String,
    tenant: Tenant,
    external_id: String,
    left: Mutex<Vec<(String, File)>>,
}

impl Stash {
    pub fn new(id: Option<String>, tenant: &Tenant, external_id: &str) -> Self {
        Self {
            id: id.unwrap_or_else(stash::new_id),
            tenant: tenant.clone(),
            external_id: external_id.to_owned(),
            left: Mutex::default(),
        }
    }

    /// The files that stand in it, as a worker is given them.
    ///
    /// # Errors
    /// [`error::BODY_TOO_LARGE`] when they are more than a run takes.
    pub async fn files(&self, app: &Arc<App>, user: &UserId) -> Result<Value> {
        let files = stash::files(app, &self.tenant, user, &self.id).await?;
        let bytes: i64 = files.iter().map(|it| it.bytes).sum();
        if bytes > GIVEN_BYTES_MAX {
            return Err(error::BODY_TOO_LARGE.saying(format!(
                "The stash holds {bytes} bytes, and a run takes {GIVEN_BYTES_MAX}."
            )));
        }
        let mut given = Vec::new();
        for file in files {
            let path = file.name().to_owned();
            let content: Vec<Bytes> = stash::read(app, file).await?.try_collect().await?;
            given.push(json!({ "path": path, "base64": STANDARD.encode(content.concat()) }));
        }
        Ok(Value::Array(given))
    }

    /// Keeps a file that the run left, in the place of one of that name.
    pub async fn put(&self, app: &Arc<App>, path: &str, content: Bytes) -> Result<()> {
        if self.left().len() >= LEFT_MAX {
            let text = format!("A run leaves at most {LEFT_MAX} files in its stash.");
            return Err(error::TOO_MANY.saying(text));
        }
        // A stash knows no folders.
        let name = path.trim_start_matches("./").replace('/', "_");
        let new = || stash::New {
            tenant: &self.tenant,
            external_id: &self.external_id,
            stash: Into::Either(&self.id),
            name: &name,
        };
        let body = |content: Bytes| stream::once(async move { Ok(content) }).boxed();
        let file = match stash::upload(app, new(), body(content.clone())).await {
            Err(error) if error.kind().code == error::NAME_TAKEN.code => {
                stash::replace(app, new(), body(content)).await?
            }
            other => other?,
        };
        self.left.lock().unwrap_or_else(PoisonError::into_inner).push((path.to_owned(), file));
        Ok(())
    }

    fn left(&self) -> Vec<(String, File)> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What callers are told of the files that were left.
    pub fn shown(&self, app: &App) -> Result<Vec<Value>> {
        let view = |(path, file): (String, File)| {
            let url = stash::link::make(app, &file)?;
            Ok(json!({ "localPath": format!("/tmp/{path}"), "s3Key": file.key,
                "get_url": url.as_str() }))
        };
        self.left().into_iter().map(view).collect()
    }
}
