//! Taking away a workflow, or a component: not in silence where something would lose its ground.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Definition, Does, Workflow, missing, store};
use crate::app::App;
use crate::components::{self, Kind};
use crate::error::{self, Error, Result};
use crate::ids::ProjectId;
use crate::triggers::{self, Use};

/// Triggers, and workflows, that are named where they stand in the way.
const NAMED_MAX: usize = 100;
/// How many of them a sentence names.
const SAID_MAX: usize = 3;

/// What depends on something.
#[derive(Default)]
pub struct Uses {
    pub triggers: Vec<Use>,
    /// By name.
    pub workflows: Vec<String>,
}

impl Uses {
    pub fn count(&self) -> usize {
        self.triggers.len() + self.workflows.len()
    }

    /// For the audit log, and for whoever forced it.
    pub fn counts(&self) -> Value {
        json!({ "triggers": self.triggers.len(), "workflows": self.workflows.len() })
    }

    /// In words.
    pub fn said(&self) -> String {
        let ids: Vec<_> = self.triggers.iter().map(|it| it.id.as_str()).collect();
        let names: Vec<_> = self.workflows.iter().map(String::as_str).collect();
        let parts = [listed("trigger", &ids), listed("workflow", &names)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    fn refusal(&self, kind: error::Kind, (what, advice): (&str, &str)) -> Error {
        let text = format!("{what} {}. {advice}", self.said());
        kind.saying(text).with(json!({
            "count": self.count(),
            "triggers": self.triggers.iter().take(NAMED_MAX).collect::<Vec<_>>(),
            "workflows": self.workflows.iter().take(NAMED_MAX).collect::<Vec<_>>(),
        }))
    }
}

/// `2 workflows (one, two)`; `None` of none.
fn listed(noun: &str, all: &[&str]) -> Option<String> {
    let first = all.iter().take(SAID_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = if all.len() > SAID_MAX { ", ..." } else { "" };
    let ending = if all.len() == 1 { "" } else { "s" };
    (!all.is_empty()).then(|| format!("{} {noun}{ending} ({first}{more})", all.len()))
}

/// The workflows of a project whose present version does so, by name.
async fn that(
    app: &App,
    project: &ProjectId,
    does: impl Fn(&Definition) -> bool,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for it in store::all(&app.db, project).await? {
        // One that was deleted just now needs nothing more.
        let definition = store::definition(&app.db, project, (&it.id, it.version)).await?;
        if definition.is_some_and(|it| does(&it)) {
            found.push(it.name);
        }
    }
    Ok(found)
}

/// Takes a component away with all its versions, unless a trigger is made of it or a workflow runs
/// it; with `force` also then. Such triggers are paused, without their `deactivate` hook; such
/// steps fail. Gives what was left without it.
///
/// # Errors
/// [`error::COMPONENT_IN_USE`], with what uses it; [`error::NOT_FOUND`].
pub async fn delete_component(
    app: &Arc<App>,
    project: &ProjectId,
    key: &str,
    force: bool,
) -> Result<Uses> {
    let found = components::find(app, project, (Kind::Components, key, None)).await?;
    let does = |it: &Does| matches!(it, Does::Component { key, .. } if *key == found.key);
    let runs = |it: &Definition| it.steps.iter().any(|step| does(&step.does));
    let uses = Uses {
        triggers: triggers::made_of(app, project, &found.id).await?,
        workflows: that(app, project, runs).await?,
    };
    if uses.count() > 0 && !force {
        let what = format!("`{key}` is used by");
        let advice = "Delete or change them first; or force it, and they stop working.";
        return Err(uses.refusal(error::COMPONENT_IN_USE, (&what, advice)));
    }
    components::delete(app, project, key).await?;
    triggers::pause_all_of(app, project, &found.id).await?;
    Ok(uses)
}

/// Takes a workflow away with all its versions and runs, unless a trigger or the failure of another
/// workflow starts it; with `force` also then. What was under way ends. Gives what started it.
///
/// # Errors
/// [`error::IN_USE`], with what starts it; [`error::NOT_FOUND`].
pub async fn delete(app: &App, it: &Workflow, force: bool) -> Result<Uses> {
    let named =
        |other: &Definition| other.on_error.as_ref() == Some(&it.name) && other.name != it.name;
    let uses = Uses {
        triggers: triggers::that_start(app, &it.project, &it.id).await?,
        workflows: that(app, &it.project, named).await?,
    };
    if uses.count() > 0 && !force {
        let what = format!("`{}` is started by", it.name);
        let advice = "Take it out of their `workflow_ids` or `on_error` first; or force it, and \
                      they start nothing.";
        return Err(uses.refusal(error::IN_USE, (&what, advice)));
    }
    if !store::delete(&app.db, it).await? {
        return Err(missing());
    }
    triggers::forget_workflow(app, &it.project, &it.id).await?;
    Ok(uses)
}
