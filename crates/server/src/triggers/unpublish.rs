//! Taking away a component whose source may be deployed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::store;
use crate::app::App;
use crate::components::{self, Kind};
use crate::error::{self, Error, Result};
use crate::ids::ProjectId;

/// Triggers that are named where they stand in the way.
const NAMED_MAX: usize = 100;

/// A trigger that a component was deployed as.
pub(super) struct Use {
    pub id: String,
    pub environment: String,
    pub external_id: String,
    pub name: String,
    pub version: String,
}

/// Takes a component away with all its versions, unless a trigger is made of one; with `force` also
/// then. Such a trigger's next run fails and pauses it, and its `deactivate` hook never runs.
///
/// # Errors
/// [`error::COMPONENT_IN_USE`] with the triggers; [`error::NOT_FOUND`].
pub async fn delete_component(
    app: &Arc<App>,
    project: &ProjectId,
    key: &str,
    force: bool,
) -> Result<usize> {
    let found = components::find(app, project, (Kind::Components, key, None)).await?;
    let uses = store::uses_of(&app.db, project, &found.id).await?;
    if !uses.is_empty() && !force {
        return Err(in_use(key, &uses));
    }
    components::delete(app, project, key).await?;
    Ok(uses.len())
}

fn in_use(key: &str, uses: &[Use]) -> Error {
    let shown = |it: &Use| -> Value {
        json!({ "id": it.id, "environment": it.environment, "external_user_id": it.external_id,
            "name": it.name, "version": it.version })
    };
    let all: Vec<_> = uses.iter().take(NAMED_MAX).map(shown).collect();
    let first: Vec<_> = uses.iter().take(3).map(|it| it.id.as_str()).collect();
    let text = format!(
        "`{key}` is deployed as {} trigger(s): {}{}. Delete them first, so that their code ends \
         what it began; or force it, and they stop working.",
        uses.len(),
        first.join(", "),
        if uses.len() > first.len() { ", ..." } else { "" }
    );
    error::COMPONENT_IN_USE.saying(text).with(json!({ "count": uses.len(), "triggers": all }))
}
