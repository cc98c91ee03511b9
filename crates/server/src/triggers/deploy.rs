//! Deploying a trigger: its addresses and timers are made, and its hooks run. Either all of it is
//! done, or nothing is left.

use std::sync::Arc;

use grantkeep_vault::{Secret, token};
use serde_json::{Map, Value, json};

use super::code::{self, Running};
use super::commit::{self, Cause, Good};
use super::dedupe::{Dedupe, Emit};
use super::lease::{self, Lease};
use super::page::{check_workflow, known_workflows};
use super::receive::KEY_BYTES;
use super::sealed::{Seal, Spot};
use super::state::{Session, Written};
use super::store::{self, interfaces};
use super::{
    Configured, Interface, NEVER, Schedule, State, TRIGGERS_PER_USER_MAX, Trigger, Wakes, field,
};
use crate::app::App;
use crate::audit::Event;
use crate::components::{self, Asked, Component, Fault, Filled, Place, Prepared, name_and_type};
use crate::error::{self, Error, Result};
use crate::ids::{Emitter, EmitterId};
use crate::webhooks;

/// The interval of a timer that nobody set, in seconds.
const INTERVAL_S_DEFAULT: i64 = 900;

/// What is to be deployed.
pub struct New<'a> {
    pub asked: Asked<'a>,
    /// Whether events of the past, which the `deploy` hook finds, are told.
    pub emit_on_deploy: bool,
    /// Where its events are posted to.
    pub webhook_url: Option<&'a str>,
    /// A workflow that it starts.
    pub workflow: Option<&'a str>,
}

/// What was deployed.
pub struct Deployed {
    pub trigger: Trigger,
    /// What signs for the address that was given.
    pub signing_key: Option<Secret>,
}

/// An interface that is to be made.
pub(super) enum Plan {
    Http { prop: String, key: Secret, custom_response: bool },
    Timer { prop: String, schedule: Schedule },
}

impl Plan {
    /// What code gets for it.
    fn value(&self, app: &App) -> (String, Value) {
        match self {
            Self::Http { prop, key, .. } => {
                (prop.clone(), json!({ "endpoint": code::address(app, key.expose()) }))
            }
            Self::Timer { prop, schedule } => (prop.clone(), schedule.shown()),
        }
    }
}

/// The interfaces that fields want.
///
/// # Errors
/// [`error::INVALID_FIELD`] for a timer that is none; [`error::NOT_IMPLEMENTED`] for a kind that
/// this server does not have.
pub(super) fn plans(props: &[Value], configured: &Map<String, Value>) -> Result<Vec<Plan>> {
    let mut all = Vec::new();
    for prop in props {
        let Some((name, kind)) = name_and_type(prop) else { continue };
        match kind {
            "$.interface.http" => all.push(Plan::Http {
                prop: name.to_owned(),
                key: token::hex("", KEY_BYTES),
                custom_response: prop["customResponse"] == true,
            }),
            "$.interface.timer" => {
                let odd = |it: &&str| {
                    configured.contains_key(*it) && components::find_prop(props, it).is_none()
                };
                let beside = ["intervalSeconds", "cron"].into_iter().find(odd);
                let beside = beside.or_else(|| components::meant(props, configured, name));
                let schedule = schedule(prop, name, (configured.get(name), beside))?;
                all.extend(schedule.map(|it| Plan::Timer { prop: name.to_owned(), schedule: it }));
            }
            "$.interface.apphook" => {
                let text = format!(
                    "The trigger was not deployed: `{name}` wants events that apps send to one \
                     address of a vendor's, which this server does not have. Use a trigger of the \
                     app that registers an address of its own (`$.interface.http`) or that asks \
                     by the clock (`$.interface.timer`); or deploy `http-new-requests`, and enter \
                     its address where the app lets you set one for its events."
                );
                return Err(error::NOT_IMPLEMENTED.saying(text).retry_after(0));
            }
            _ => {}
        }
    }
    Ok(all)
}

/// How a timer is set. `None`: it need not be, and is not. `beside` is what somebody wrote beside
/// the field who meant it to be within.
fn schedule(
    prop: &Value,
    name: &str,
    (given, beside): (Option<&Value>, Option<&str>),
) -> Result<Option<Schedule>> {
    let set = |it: &&Value| !it.is_null();
    let given = given.map(components::unwrapped).filter(set);
    if let (None, Some(beside)) = (given, beside) {
        let text = format!(
            "`{name}` is missing, and `{beside}` is no field. The timer is set by `{name}`: \
             {{\"intervalSeconds\": 900}}."
        );
        return Err(field(name, text));
    }
    let own = prop.get("static").filter(set);
    let value = own.or(given).or_else(|| prop.get("default").filter(set));
    let value = match value {
        Some(value) => value.clone(),
        None if prop["optional"] == true => return Ok(None),
        None => json!({ "intervalSeconds": INTERVAL_S_DEFAULT }),
    };
    Schedule::parse(&value).map(Some).map_err(|why| field(name, format!("`{name}`: {why}")))
}

/// Values without those that the server provides.
pub(super) fn given(props: &[Value], configured: &Map<String, Value>) -> Map<String, Value> {
    let own = |(name, kind): (&str, &str)| {
        let provided = kind.starts_with("$.interface.") || kind == "$.service.db";
        (!provided).then(|| Some((name.to_owned(), configured.get(name)?.clone()))).flatten()
    };
    props.iter().filter_map(name_and_type).filter_map(own).collect()
}

/// Fields that are missing, and values that no field can take, are refused before anything is made.
/// Names that are none are not: products send along what a form of theirs held.
pub(super) fn check_values(props: &[Value], configured: &Map<String, Value>) -> Result<()> {
    if let Some(Fault { given, text }) = components::lacking(props, configured) {
        return Err(field(&given.unwrap_or_default(), format!("{text}.")));
    }
    components::check_types(props, configured)
}

/// Deploys it; each call makes a new one.
///
/// # Errors
/// As for [`components::prepare_with`]; [`error::INVALID_FIELD`]; [`error::URL_NOT_ALLOWED`];
/// [`error::TOO_MANY`]; [`error::HOOK_FAILED`], and then nothing is left.
pub async fn deploy(app: &Arc<App>, new: New<'_>) -> Result<Deployed> {
    let New { asked, .. } = &new;
    let (tenant, caller, origin) = (asked.tenant, asked.caller, asked.origin);
    let which = (asked.kind, asked.key, asked.version);
    let component = components::find(app, &tenant.project, which).await?;
    if let Some(id) = new.workflow {
        check_workflow("workflow_id", id)?;
    }
    let dynamic = match asked.dynamic_props {
        None => None,
        Some(id) => {
            let of = (tenant, asked.external_id);
            Some(components::dynamic_props(app, of, &component, id).await?)
        }
    };
    let props = dynamic.as_deref().unwrap_or(&component.described.props);
    check_values(props, &asked.configured)?;
    let plans = plans(props, &asked.configured)?;
    let configured = Configured { values: given(props, &asked.configured), dynamic };
    let mut values = configured.values.clone();
    values.extend(plans.iter().map(|it| it.value(app)));
    let asked = Asked { configured: values, dynamic_props: None, ..asked.clone() };
    let how = (Filled::Whole, configured.dynamic.clone());
    let prepared = components::prepare_with(app, asked, component.clone(), how);
    let prepared = Box::pin(prepared).await?;
    let (trigger, lease) = insert(app, &new, (&prepared, &configured), plans).await?;
    let event = Event::new("trigger.deploy", &caller.actor, origin)
        .tenant(tenant)
        .target("trigger", trigger.id.as_str())
        .user(&trigger.external_id)
        .detail(json!({ "component": component.key, "version": component.version }));
    let made = async {
        app.audit.record(event).await?;
        let done = begin(app, (&trigger, lease), &prepared);
        let done = lease::holding(app, &trigger, lease, done).await;
        done.unwrap_or_else(|| Err(error::TRIGGER_BUSY.into()))
    };
    if let Err(error) = made.await {
        super::delete::forget(app, &trigger).await?;
        return Err(error);
    }
    let found = store::find(&app.db, tenant, &trigger.id).await?;
    let trigger = found.ok_or_else(super::missing)?;
    let signing_key = match webhooks::of_emitter(app, tenant, &trigger.id).await?.first() {
        Some(endpoint) => Some(webhooks::secret(app, endpoint).await?),
        None => None,
    };
    Ok(Deployed { trigger, signing_key })
}

/// Which kind of emitter the component makes.
fn kind(component: &Component, plans: &[Plan]) -> Emitter {
    match (&component.place, plans.first()) {
        (Place::Native, Some(Plan::Http { .. })) => Emitter::Http,
        (Place::Native, Some(Plan::Timer { .. })) => Emitter::Timer,
        _ => Emitter::Source,
    }
}

/// Writes the rows of what is to be deployed, and takes its lease.
async fn insert(
    app: &Arc<App>,
    new: &New<'_>,
    (prepared, configured): (&Prepared, &Configured),
    plans: Vec<Plan>,
) -> Result<(Trigger, Lease)> {
    let Prepared { tenant, user, component, .. } = prepared;
    let now_ms = app.clock.now_ms();
    let kind = kind(component, &plans);
    let mut tx = app.db.begin().await?;
    if store::count(&mut tx, tenant, user).await? >= TRIGGERS_PER_USER_MAX {
        let text = format!("The user has {TRIGGERS_PER_USER_MAX} triggers, and no more are kept.");
        return Err(error::TOO_MANY.saying(text));
    }
    let seal = Seal::ensure(app, &mut tx, tenant, user).await?;
    let id = EmitterId::mint(kind);
    let trigger = Trigger {
        sealed: seal.seal(Spot::configured(id.as_str(), 1), configured)?,
        id,
        tenant: tenant.clone(),
        user: user.clone(),
        external_id: prepared.external_id.clone(),
        kind,
        component: component.id.clone(),
        component_key: component.key.clone(),
        version: component.version.clone(),
        name: component.name().chars().take(super::NAME_CHARS_MAX).collect(),
        revision: 1,
        emit_on_deploy: new.emit_on_deploy,
        state: State::Deploying,
        failures: 0,
        trouble: None,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    store::insert(&mut tx, &trigger).await?;
    for plan in plans {
        let interface = interface(&seal, &trigger, plan, now_ms)?;
        interfaces::insert(&mut tx, &trigger, &interface).await?;
    }
    let urls: Vec<String> = new.webhook_url.map(str::to_owned).into_iter().collect();
    let named = |error: Error| error.with(json!({ "field": "webhook_url" }));
    let of = (tenant, &trigger.id);
    webhooks::set_of_emitter(app, &mut tx, of, &urls).await.map_err(named)?;
    let workflows: Vec<String> = new.workflow.map(str::to_owned).into_iter().collect();
    known_workflows(&mut tx, ("workflow_id", &tenant.project), &workflows).await?;
    interfaces::set_workflows(&mut tx, &trigger, &workflows).await?;
    tx.commit().await?;
    lease::take(app, &trigger).await
}

fn interface(seal: &Seal, trigger: &Trigger, plan: Plan, now_ms: i64) -> Result<Interface> {
    let native = trigger.kind != Emitter::Source;
    let id = |kind| if native { trigger.id.clone() } else { EmitterId::mint(kind) };
    let (id, prop, wakes) = match plan {
        Plan::Http { prop, key, custom_response } => {
            let id = id(Emitter::Http);
            let key_sealed = seal.seal(Spot::key(id.as_str()), &key.expose())?;
            let key_hash = token::digest(key.expose()).to_vec();
            (id, prop, Wakes::Http { key_hash, key_sealed, custom_response })
        }
        Plan::Timer { prop, schedule } => {
            let due_at_ms = schedule.after(now_ms).unwrap_or(NEVER);
            let wakes = Wakes::Timer { schedule, due_at_ms, changed_at_ms: now_ms };
            (id(Emitter::Timer), prop, wakes)
        }
    };
    Ok(Interface { id, prop, wakes, created_at_ms: now_ms, updated_at_ms: now_ms })
}

/// Runs the hooks, and has it wait for what it is woken by.
async fn begin(
    app: &Arc<App>,
    (trigger, lease): (&Trigger, Lease),
    prepared: &Prepared,
) -> Result<()> {
    let mut written = Written::default();
    let (mut past, mut present) = (Vec::<Emit>::new(), Vec::<Emit>::new());
    if trigger.kind == Emitter::Source {
        let seal = Seal::of(app, trigger).await?;
        let session = Session::open(app, &seal, trigger).await?;
        let running = Running { app, trigger, prepared, session: &session };
        past = running.hook("deploy").await?;
        match running.hook("activate").await {
            Ok(emits) => present = emits,
            Err(error) => {
                // What it made at the app before it failed should not stay there.
                let _ = running.hook("deactivate").await;
                return Err(error);
            }
        }
        written = session.written();
    }
    let dedupe = Dedupe::of(prepared.component.described.dedupe.as_deref());
    let silent = !trigger.emit_on_deploy;
    let person = Cause::Person;
    if silent {
        // Remembered all the same, so that the next run does not take them for new.
        let good = Good { written, emits: past, dedupe, silent };
        commit::good(app, trigger, (None, &person, State::Deploying), good).await?;
        (written, past) = (Written::default(), Vec::new());
    }
    past.append(&mut present);
    let good = Good { written, emits: past, dedupe, silent: false };
    if commit::good(app, trigger, (Some(lease), &person, State::Active), good).await? {
        return Ok(());
    }
    Err(error::TRIGGER_BUSY.into())
}
