//! Asking a component which values a field can have.

use std::sync::Arc;

use grantkeep_runtime::Op;
use serde_json::{Map, Value, json};

use super::described::{find_prop, name_and_type};
use super::host::RunHost;
use super::outcome::{Observation, Outcome, as_text};
use super::prepare::{Asked, Filled, prepare};
use super::{data, field, runs_now};
use crate::app::App;
use crate::error::Result;

/// What somebody typed so far, and where in the list he is.
pub(super) struct Typed<'a> {
    pub page: i64,
    pub context: Value,
    pub query: Option<&'a str>,
}

/// The values that a field can have.
#[derive(Default)]
pub(super) struct Configured {
    pub options: Option<Vec<Value>>,
    pub strings: Option<Vec<String>>,
    pub context: Option<Value>,
    pub observations: Vec<Observation>,
    pub errors: Vec<String>,
}

/// Asks for the values of one field. What the code throws is among the errors.
///
/// # Errors
/// [`crate::error::INVALID_FIELD`] for a field that the component does not have, and those of
/// [`prepare`].
pub(super) async fn configure(
    app: &Arc<App>,
    asked: Asked<'_>,
    name: &str,
    typed: Typed<'_>,
) -> Result<Configured> {
    let _slot = runs_now(app, asked.tenant)?;
    let prepared = prepare(app, asked, Filled::Partly).await?;
    let Some(prop) = find_prop(&prepared.props, name) else {
        let text = "The component has no field of the name that `prop_name` says.";
        return Err(field("prop_name", text));
    };
    if name_and_type(prop).is_some_and(|(_, kind)| kind == "data_store") {
        let options = data::of_user(app, &prepared.tenant, &prepared.user).await?;
        return Ok(Configured { options: Some(options), ..Configured::default() });
    }
    if prop["remoteOptions"] != true {
        return Ok(fixed(prop));
    }
    if prepared.guard.hands_out() {
        prepared.recorded("component.configure", prepared.component.id.as_str()).await?;
    }
    let wanted = Map::from_iter([
        ("prop".to_owned(), json!(name)),
        ("page".to_owned(), json!(typed.page)),
        ("prevContext".to_owned(), typed.context),
        ("query".to_owned(), json!(typed.query)),
    ]);
    let op = Op::options(prepared.input(Map::new()), wanted);
    let done = prepared.perform(op, RunHost::new(&prepared)).await?;
    Ok(read(done))
}

/// Values that stand in the field itself.
fn fixed(prop: &Value) -> Configured {
    let Some(items) = prop["options"].as_array() else { return Configured::default() };
    let strings: Option<Vec<String>> =
        items.iter().map(|it| it.as_str().map(str::to_owned)).collect();
    match strings {
        Some(_) => Configured { strings, ..Configured::default() },
        None => Configured { options: Some(items.clone()), ..Configured::default() },
    }
}

fn read(done: Outcome) -> Configured {
    let observations = done.gathered.log;
    let value = match done.result {
        Ok(value) => value,
        Err(failure) => {
            let errors = vec![as_text(&failure)];
            return Configured { observations, errors, ..Configured::default() };
        }
    };
    let text = |it: &Value| it.as_str().map(str::to_owned);
    Configured {
        options: value["options"].as_array().cloned(),
        strings: value["stringOptions"].as_array().map(|it| it.iter().filter_map(text).collect()),
        context: Some(value["context"].clone()).filter(|it| !it.is_null()),
        observations,
        errors: Vec::new(),
    }
}
