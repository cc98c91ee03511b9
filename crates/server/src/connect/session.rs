//! Whose page calls: the secret of one load of the page, and nothing else, opens the page's calls.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use grantkeep_vault::token;

use super::{SESSION_PREFIX, Session, store};
use crate::app::App;
use crate::callers::Origin;
use crate::error::{self, Error, Result};

/// A call of a page that is still the newest of its token.
pub struct Page {
    pub(super) session: Session,
    pub(super) origin: Origin,
}

impl FromRequestParts<Arc<App>> for Page {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let session = find(app, parts).await?;
        if !session.is_live(app.clock.now_ms()) {
            return Err(error::PAGE_ENDED.into());
        }
        Ok(Self { session, origin: origin(parts) })
    }
}

async fn find(app: &App, parts: &Parts) -> Result<Session> {
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let text = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|it| it.strip_prefix("Bearer ")),
        _ => None,
    };
    by_secret(app, text.unwrap_or_default()).await
}

/// The session of a page's secret, which may have ended.
///
/// # Errors
/// [`error::INVALID_TOKEN`].
pub(super) async fn by_secret(app: &App, text: &str) -> Result<Session> {
    if !text.starts_with(SESSION_PREFIX) {
        return Err(error::INVALID_TOKEN.into());
    }
    let found = store::find_session(&app.db, &token::digest(text)).await?;
    found.ok_or_else(|| error::INVALID_TOKEN.into())
}

/// Where a request came from, as the middleware noted it.
pub(super) fn origin(parts: &Parts) -> Origin {
    parts.extensions.get::<Origin>().cloned().unwrap_or_default()
}
