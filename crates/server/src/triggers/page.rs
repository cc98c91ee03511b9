//! Deployed triggers, found and listed, with their events and workflows.

use std::sync::Arc;

use super::sealed::{Seal, Spot};
use super::store::{self, events as rows, interfaces};
use super::{EVENTS_KEPT_MAX, Event, State, Trigger, WORKFLOWS_MAX, field, missing};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{Emitter, EmitterId, ProjectId};
use crate::paging::Page;
use crate::tenant::Tenant;

/// A user's trigger.
///
/// # Errors
/// [`crate::error::NOT_FOUND`], for another user's too.
pub async fn find(app: &App, tenant: &Tenant, (user, id): (&str, &str)) -> Result<Trigger> {
    let id = EmitterId::parse(id).ok_or_else(missing)?;
    let found = store::find(&app.db, tenant, &id).await?;
    let shown = |it: &Trigger| it.external_id == user && it.state != State::Deploying;
    found.filter(shown).ok_or_else(missing)
}

/// One page of a user's triggers of one kind, newest first, and how many there are.
pub async fn list(
    app: &App,
    tenant: &Tenant,
    of: (&str, Emitter),
    page: &Page,
) -> Result<(Vec<Trigger>, i64)> {
    // No user can have such a name, and a store may refuse the very text.
    if crate::users::check_external_id(of.0).is_err() {
        return Ok((Vec::new(), 0));
    }
    Ok(store::list(&app.db, tenant, of, page).await?)
}

/// Its latest events, newest first.
pub async fn events(app: &Arc<App>, trigger: &Trigger, most: i64) -> Result<Vec<Event>> {
    let most = most.clamp(0, EVENTS_KEPT_MAX);
    let found = rows::latest(&app.db, trigger, most).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let seal = Seal::of(app, trigger).await?;
    let open =
        |(nth, sealed): (i64, Vec<u8>)| seal.open(Spot::event(trigger.id.as_str(), nth), &sealed);
    found.into_iter().map(open).collect()
}

/// The workflows that it starts.
pub async fn workflows(app: &App, trigger: &Trigger) -> Result<Vec<String>> {
    Ok(interfaces::workflows(&app.db, trigger).await?)
}

/// Makes these the workflows that it starts.
///
/// # Errors
/// [`crate::error::INVALID_FIELD`] for ids that lead nowhere, and for too many.
pub async fn set_workflows(app: &App, trigger: &Trigger, ids: &[String]) -> Result<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for id in ids {
        check_workflow("workflow_ids", id)?;
        if !kept.contains(id) {
            kept.push(id.clone());
        }
    }
    if kept.len() > WORKFLOWS_MAX {
        let text = format!("A trigger starts at most {WORKFLOWS_MAX} workflows.");
        return Err(field("workflow_ids", text));
    }
    let mut tx = app.db.begin().await?;
    known_workflows(&mut tx, ("workflow_ids", &trigger.tenant.project), &kept).await?;
    interfaces::set_workflows(&mut tx, trigger, &kept).await?;
    tx.commit().await?;
    Ok(kept)
}

pub(super) fn check_workflow(name: &str, id: &str) -> Result<()> {
    let rest = id.strip_prefix("p_").unwrap_or_default();
    let good = (1..=64).contains(&rest.len()) && rest.bytes().all(|it| it.is_ascii_alphanumeric());
    if good { Ok(()) } else { Err(field(name, "A workflow's id is `p_` and letters and digits.")) }
}

/// # Errors
/// [`crate::error::INVALID_FIELD`] for the first that is no workflow of the project.
pub(super) async fn known_workflows(
    tx: &mut Tx,
    (name, project): (&str, &ProjectId),
    ids: &[String],
) -> Result<()> {
    for id in ids {
        if !interfaces::is_workflow(tx, project, id).await? {
            let text = format!(
                "`{id}` is no workflow of this project. `grantkeep workflows list` shows their ids."
            );
            return Err(field(name, text));
        }
    }
    Ok(())
}
