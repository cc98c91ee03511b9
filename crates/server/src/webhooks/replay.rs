//! What was sent, and sending again what was given up.

use std::sync::Arc;

use super::store::deliveries::{self as rows, Filter};
use super::{Delivery, Progress, endpoints};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::DeliveryId;
use crate::paging::Page;
use crate::tenant::Tenant;

/// Which deliveries of a tenant; `None` is no limit.
#[derive(Clone, Copy, Default)]
pub struct Which<'a> {
    pub endpoint: Option<&'a str>,
    pub state: Option<Progress>,
    /// Only for a replay: this one alone.
    pub delivery: Option<&'a str>,
}

/// Deliveries, the newest first, those to addresses of connect tokens too; and how many there are.
///
/// # Errors
/// Of the store.
pub async fn deliveries(
    app: &App,
    tenant: &Tenant,
    which: Which<'_>,
    page: &Page,
) -> Result<(Vec<Delivery>, i64)> {
    let of = filter(tenant, which);
    Ok(rows::list(&app.db, of, page).await?)
}

fn filter<'a>(tenant: &'a Tenant, which: Which<'a>) -> Filter<'a> {
    Filter {
        tenant,
        endpoint: which.endpoint.unwrap_or_default(),
        state: which.state.map(Progress::as_str).unwrap_or_default(),
    }
}

/// Queues what failed anew, with its id and its bytes as before, and gives how many it was. What
/// belongs to an endpoint that is switched off stays as it is.
///
/// # Errors
/// [`error::NOT_FOUND`] for an endpoint or delivery that is not there; [`error::INVALID_REQUEST`]
/// for one delivery that cannot be sent again, with the reason.
pub async fn replay(app: &Arc<App>, tenant: &Tenant, which: Which<'_>) -> Result<u64> {
    if let Some(id) = which.endpoint {
        endpoints::find(app, tenant, id).await?;
    }
    let one = match which.delivery {
        None => None,
        Some(id) => Some(DeliveryId::parse(id).ok_or(error::NOT_FOUND)?),
    };
    let id = one.as_ref().map(DeliveryId::as_str).unwrap_or_default();
    let now_ms = app.clock.now_ms();
    let count = rows::requeue(&app.db, filter(tenant, which), id, now_ms).await?;
    app.news.notify_one();
    match one {
        Some(id) if count == 0 => Err(why_not(app, tenant, &id).await?),
        _ => Ok(count),
    }
}

async fn why_not(app: &App, tenant: &Tenant, id: &DeliveryId) -> Result<Error> {
    let found = rows::find(&app.db, tenant, id).await?;
    let found = found.ok_or_else(|| Error::from(error::NOT_FOUND))?;
    Ok(error::INVALID_REQUEST.saying(match found.state {
        Progress::Delivered => "It was delivered, and its body is not kept.",
        Progress::Waiting => "It is still being tried; there is nothing to replay.",
        Progress::Failed => "Its endpoint is switched off, or gone. Reset the endpoint first.",
    }))
}
