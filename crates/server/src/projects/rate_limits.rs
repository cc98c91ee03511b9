//! Limits that customers set for themselves: whichever requests name one share its windows.

use std::sync::Arc;

use super::store::rate_limits as rows;
use crate::app::{App, OwnLimit};
use crate::db::Db;
use crate::error::{self, Result};
use crate::ids::{ProjectId, RateLimitId};
use crate::limits::Quota;
use crate::paging::{Boundary, Page};

/// Longest window, in seconds.
const WINDOW_S_MAX: i64 = 86_400;
/// Most requests in a window.
const REQUESTS_MAX: i64 = 100_000_000;
/// Limits of one project, or of all clients that are of no project.
const LIMITS_MAX: i64 = 1_000;

/// A limit, which requests name by its id.
#[derive(Clone, Debug)]
pub struct RateLimit {
    pub id: RateLimitId,
    /// The only project whose requests may name it; `None`: all.
    pub project: Option<ProjectId>,
    pub quota: Quota,
    pub created_at_ms: i64,
}

impl RateLimit {
    pub(super) fn boundary(&self) -> Boundary {
        Boundary { key: self.created_at_ms, id: self.id.as_str().to_owned() }
    }
}

/// # Errors
/// [`error::INVALID_FIELD`] for a number out of bounds; [`error::TOO_MANY`].
pub async fn create_rate_limit(
    app: &Arc<App>,
    project: Option<&ProjectId>,
    (window_s, requests): (i64, i64),
) -> Result<RateLimit> {
    let within = |name: &'static str, value: i64, most: i64| {
        let fitting = u32::try_from(value).ok().filter(|_| (1..=most).contains(&value));
        fitting.ok_or_else(|| {
            let text = format!("`{name}` must be a whole number from 1 to {most}.");
            error::INVALID_FIELD.saying(text).with(serde_json::json!({ "field": name }))
        })
    };
    let quota = Quota {
        window_s: within("window_size_seconds", window_s, WINDOW_S_MAX)?,
        most: within("requests_per_window", requests, REQUESTS_MAX)?,
    };
    let made = RateLimit {
        id: RateLimitId::mint(),
        project: project.cloned(),
        quota,
        created_at_ms: app.clock.now_ms(),
    };
    let mut tx = app.db.begin().await?;
    if rows::count(&mut tx, project).await? >= LIMITS_MAX {
        return Err(error::TOO_MANY.saying("There are 1000 rate limits. Delete one first."));
    }
    rows::insert(&mut tx, &made).await?;
    tx.commit().await?;
    Ok(made)
}

/// Those that the caller made or may delete, newest first; and how many there are.
pub(crate) async fn list_rate_limits(
    app: &Arc<App>,
    project: Option<&ProjectId>,
    page: &Page,
) -> Result<(Vec<RateLimit>, i64)> {
    let all = rows::list(&app.db, project).await?;
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    Ok((page.cut(all, RateLimit::boundary), total))
}

/// # Errors
/// [`error::NOT_FOUND`].
pub async fn delete_rate_limit(
    app: &Arc<App>,
    project: Option<&ProjectId>,
    id: &RateLimitId,
) -> Result<()> {
    let done = rows::delete(&app.db, project, id).await?;
    app.forget_own_limits();
    if done { Ok(()) } else { Err(error::NOT_FOUND.into()) }
}

/// What a request of a project names, if there is such a limit for it.
pub(crate) async fn rate_limit(db: &Db, (project, id): &OwnLimit) -> Result<Option<Quota>> {
    Ok(rows::find(db, project.as_ref(), id).await?)
}
