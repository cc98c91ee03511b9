//! Asking a component which fields the choices so far bring with them.

use std::sync::Arc;

use grantkeep_runtime::Op;
use serde_json::{Map, Value};

use super::host::RunHost;
use super::outcome::{Observation, as_text};
use super::prepare::{Asked, Filled, Prepared, prepare};
use super::store::dynamic::{self, DynamicRow};
use super::{DESCRIBED_BYTES_MAX, DYNAMIC_PROPS_LIFE_MS, runs_now};
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::DynamicPropsId;

/// The fields as they are now.
pub(super) struct Reloaded {
    /// Under which id they are remembered, and all of them. `None`: the code failed.
    pub dynamic: Option<(DynamicPropsId, Vec<Value>)>,
    pub observations: Vec<Observation>,
    pub errors: Vec<String>,
}

/// Asks the code for its further fields, and remembers them for a day.
///
/// # Errors
/// Those of [`prepare`]. What the code throws is among the errors of what is given.
pub(super) async fn reload(app: &Arc<App>, asked: Asked<'_>) -> Result<Reloaded> {
    let _slot = runs_now(app, asked.tenant)?;
    let prepared = prepare(app, asked, Filled::Partly).await?;
    if !prepared.component.described.additional_props {
        let props = prepared.component.described.props.clone();
        return remembered(app, &prepared, (props, Vec::new())).await;
    }
    if prepared.guard.hands_out() {
        prepared.recorded("component.configure", prepared.component.id.as_str()).await?;
    }
    let op = Op::additional_props(prepared.input(Map::new()));
    let done = prepared.perform(op, RunHost::new(&prepared)).await?;
    let observations = done.gathered.log;
    match done.result {
        Ok(mut value) => {
            let props = match value["props"].take() {
                Value::Array(props) => props,
                _ => Vec::new(),
            };
            remembered(app, &prepared, (props, observations)).await
        }
        Err(failure) => {
            Ok(Reloaded { dynamic: None, observations, errors: vec![as_text(&failure)] })
        }
    }
}

async fn remembered(
    app: &Arc<App>,
    prepared: &Prepared,
    (props, observations): (Vec<Value>, Vec<Observation>),
) -> Result<Reloaded> {
    let text = serde_json::to_string(&props).map_err(|it| error::INTERNAL.logging(it))?;
    if text.len() > DESCRIBED_BYTES_MAX {
        let error = format!("The fields have over {DESCRIBED_BYTES_MAX} bytes.");
        return Ok(Reloaded { dynamic: None, observations, errors: vec![error] });
    }
    let now_ms = app.clock.now_ms();
    let row = DynamicRow {
        id: DynamicPropsId::mint(),
        user_id: prepared.user.clone(),
        component: prepared.component.key.clone(),
        version: prepared.component.version.clone(),
        props: text,
        created_at_ms: now_ms,
        expires_at_ms: now_ms + DYNAMIC_PROPS_LIFE_MS,
    };
    let mut tx = app.db.begin().await?;
    dynamic::insert(&mut tx, &prepared.tenant, &row).await?;
    tx.commit().await?;
    Ok(Reloaded { dynamic: Some((row.id, props)), observations, errors: Vec::new() })
}
