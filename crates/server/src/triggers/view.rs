//! Deployed triggers as callers see them: one of three forms, told apart by `type`.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::sealed::{Seal, Spot};
use super::store::interfaces;
use super::{Interface, Trigger, Wakes, code};
use crate::app::App;
use crate::components::name_and_type;
use crate::components::outcome::Observation;
use crate::error::Result;
use crate::ids::Emitter;

/// Something that runs for a user by itself.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(tag = "type")]
pub enum DeployedView {
    DeployedComponent(Box<SourceView>),
    HttpInterface(HttpView),
    TimerInterface(TimerView),
}

/// A source: code that was deployed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SourceView {
    pub id: String,
    /// The user's id.
    pub owner_id: String,
    pub component_id: String,
    pub component_key: Option<String>,
    #[schema(value_type = Vec<Object>)]
    pub configurable_props: Vec<Value>,
    /// As they were given; addresses and timers are filled in.
    #[schema(value_type = Object)]
    pub configured_props: Map<String, Value>,
    /// Whether it runs. One that failed too often in a row does not, until it is set again.
    pub active: bool,
    /// Seconds since 1970.
    pub created_at: i64,
    pub updated_at: i64,
    pub name: String,
    pub name_slug: String,
    /// What its last run said, if that failed.
    pub callback_observations: Option<Vec<Observation>>,
    pub emit_on_deploy: bool,
    /// What signs for the address that was given: servers get it once, when it is deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_signing_key: Option<String>,
}

/// An address whose requests are events.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HttpView {
    pub id: String,
    /// The part of the address that nobody can guess.
    pub key: String,
    pub endpoint_url: String,
    pub custom_response: bool,
    pub created_at: i64,
    pub updated_at: i64,
    pub active: bool,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_signing_key: Option<String>,
}

/// A clock whose times are events.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TimerView {
    pub id: String,
    pub interval_seconds: Option<i64>,
    pub cron: Option<String>,
    pub timezone: String,
    /// Seconds since 1970.
    pub schedule_changed_at: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub active: bool,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_signing_key: Option<String>,
}

fn seconds(at_ms: i64) -> i64 {
    at_ms.div_euclid(1_000)
}

/// Of a name, what can stand in an address.
fn slug(name: &str) -> String {
    let kept = name.chars().map(|it| if it.is_alphanumeric() { it } else { '-' });
    let words: String = kept.flat_map(char::to_lowercase).collect();
    words.split('-').filter(|it| !it.is_empty()).collect::<Vec<_>>().join("-")
}

/// A trigger as callers see it, with the key that signs for its address where that was just made.
pub(super) async fn view(
    app: &Arc<App>,
    trigger: &Trigger,
    signing_key: Option<String>,
) -> Result<DeployedView> {
    let seal = Seal::of(app, trigger).await?;
    let all = interfaces::of(&app.db, trigger).await?;
    match (trigger.kind, all.first()) {
        (Emitter::Http, Some(own)) => http(app, &seal, (trigger, own), signing_key),
        (Emitter::Timer, Some(own)) => Ok(timer(trigger, own, signing_key)),
        _ => source(app, &seal, (trigger, &all), signing_key).await,
    }
}

fn http(
    app: &App,
    seal: &Seal,
    (trigger, own): (&Trigger, &Interface),
    webhook_signing_key: Option<String>,
) -> Result<DeployedView> {
    let (key, custom_response) = match &own.wakes {
        Wakes::Http { key_sealed, custom_response, .. } => {
            (code::key_of(seal, &own.id, key_sealed)?, *custom_response)
        }
        Wakes::Timer { .. } => (String::new(), false),
    };
    Ok(DeployedView::HttpInterface(HttpView {
        id: trigger.id.as_str().to_owned(),
        endpoint_url: code::address(app, &key),
        key,
        custom_response,
        created_at: seconds(trigger.created_at_ms),
        updated_at: seconds(trigger.updated_at_ms),
        active: trigger.active(),
        name: trigger.name.clone(),
        webhook_signing_key,
    }))
}

fn timer(trigger: &Trigger, own: &Interface, webhook_signing_key: Option<String>) -> DeployedView {
    let (schedule, changed_at_ms) = match &own.wakes {
        Wakes::Timer { schedule, changed_at_ms, .. } => (Some(schedule), *changed_at_ms),
        Wakes::Http { .. } => (None, 0),
    };
    DeployedView::TimerInterface(TimerView {
        id: trigger.id.as_str().to_owned(),
        interval_seconds: schedule.and_then(super::Schedule::interval_s),
        cron: schedule.and_then(super::Schedule::cron).map(str::to_owned),
        timezone: schedule.map(super::Schedule::timezone).unwrap_or_default().to_owned(),
        schedule_changed_at: seconds(changed_at_ms),
        created_at: seconds(trigger.created_at_ms),
        updated_at: seconds(trigger.updated_at_ms),
        active: trigger.active(),
        name: trigger.name.clone(),
        webhook_signing_key,
    })
}

async fn source(
    app: &Arc<App>,
    seal: &Seal,
    (trigger, all): (&Trigger, &[Interface]),
    webhook_signing_key: Option<String>,
) -> Result<DeployedView> {
    let configured = code::configured(seal, trigger)?;
    // One whose code is gone is shown all the same.
    let component = code::component(app, trigger).await.ok();
    let own = component.as_ref().map(|it| it.described.props.clone());
    let props = configured.dynamic.clone().or(own).unwrap_or_default();
    let mut values = configured.values.clone();
    for (name, kind) in props.iter().filter_map(name_and_type) {
        if kind == "$.service.db" {
            values.insert(name.to_owned(), json!({ "type": kind }));
        }
    }
    for it in all {
        let value = match &it.wakes {
            Wakes::Http { key_sealed, .. } => {
                let key = code::key_of(seal, &it.id, key_sealed)?;
                json!({ "endpoint_url": code::address(app, &key) })
            }
            Wakes::Timer { schedule, .. } => schedule.shown(),
        };
        values.insert(it.prop.clone(), value);
    }
    let trouble = trigger.trouble.as_deref();
    let trouble =
        trouble.map(|it| seal.open(Spot::trouble(trigger.id.as_str()), it)).transpose()?;
    Ok(DeployedView::DeployedComponent(Box::new(SourceView {
        id: trigger.id.as_str().to_owned(),
        owner_id: trigger.user.as_str().to_owned(),
        component_id: trigger.component.as_str().to_owned(),
        component_key: Some(trigger.component_key.clone()),
        configurable_props: crate::components::shown(&props),
        configured_props: values,
        active: trigger.active(),
        created_at: seconds(trigger.created_at_ms),
        updated_at: seconds(trigger.updated_at_ms),
        name: trigger.name.clone(),
        name_slug: slug(&trigger.name),
        callback_observations: trouble,
        emit_on_deploy: trigger.emit_on_deploy,
        webhook_signing_key,
    })))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_slug_is_of_the_names_words() {
        assert_eq!(super::slug("  New Message (in Channels)! "), "new-message-in-channels");
        assert_eq!(super::slug("Größe"), "größe");
    }
}
