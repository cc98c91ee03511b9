//! The body of a request that an event has no room for: kept as a file of the run's user, with a
//! link in the event.

use std::sync::Arc;

use axum::body::Body;
use serde_json::json;

use super::begin::{Start, for_whom};
use super::{Definition, Workflow};
use crate::app::App;
use crate::error::Result;
use crate::stash::{self, Into, New};
use crate::tenant::Tenant;
use crate::users;

/// What the file is called.
const NAME: &str = "body";

/// Takes the body in, for a day, and says in the event where it is. Whom the run is for must be
/// known without it.
///
/// # Errors
/// Those of [`for_whom`] and of [`stash::upload`].
pub(super) async fn keep(
    app: &Arc<App>,
    (workflow, definition): (&Workflow, &Definition),
    start: &mut Start,
    body: Body,
) -> Result<()> {
    let environment = start.environment.unwrap_or(definition.environment);
    let tenant = Tenant { project: workflow.project.clone(), environment };
    let external_id = for_whom(workflow, definition, start).await?;
    users::check_external_id(&external_id)?;
    let new = New { tenant: &tenant, external_id: &external_id, stash: Into::Fresh, name: NAME };
    let file = stash::upload(app, new, stash::api::bytes_of(body)).await?;
    start.event["body"] = json!({
        "raw_body_url": stash::link::make(app, &file)?.as_str(),
        "s3_key": file.key,
        "bytes": file.bytes,
    });
    start.external_id = Some(external_id);
    Ok(())
}
