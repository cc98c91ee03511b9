//! Everything that one run of a component needs, found and judged before any of its code runs.

use std::sync::Arc;

use grantkeep_runtime::{Code, Failure, Key, Op};
use serde_json::{Map, Value, json};

use super::data::Stores;
use super::described::{app_of, name_and_type};
use super::guard::{Guard, Guarding};
use super::host::RunHost;
use super::judge;
use super::needed::Needed;
use super::outcome::{self, Outcome};
use super::store::dynamic;
use super::{Component, Kind, Permission, Place, account, code, field, find};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Caller, Origin};
use crate::error::{self, Error, Result};
use crate::ids::{DynamicPropsId, UserId};
use crate::relay::RunBy;
use crate::tenant::Tenant;
use crate::{users, workers};

/// What a caller asks for.
#[derive(Clone)]
pub struct Asked<'a> {
    pub tenant: &'a Tenant,
    pub external_id: &'a str,
    pub caller: &'a Caller,
    pub origin: &'a Origin,
    pub kind: Kind,
    /// The component's key.
    pub key: &'a str,
    pub version: Option<&'a str>,
    /// Values by the name of their field.
    pub configured: Map<String, Value>,
    pub dynamic_props: Option<&'a str>,
}

/// How complete the fields are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// A field that must be filled, is.
    Whole,
    /// Somebody is just filling them.
    Partly,
}

/// Who wants it run, as audit names him.
struct By {
    actor: Actor,
    origin: Origin,
}

/// A component with what it is configured with, ready to be run.
pub struct Prepared {
    pub app: Arc<App>,
    pub component: Component,
    pub tenant: Tenant,
    pub user: UserId,
    pub external_id: String,
    /// All fields that are in force, with those that choices brought.
    pub props: Vec<Value>,
    /// Values as code gets them.
    pub values: Map<String, Value>,
    by: By,
    pub(super) guard: Arc<Guard>,
    pub(super) stores: Arc<Stores>,
    code: Arc<Code>,
    raw: bool,
    dynamic: Option<Vec<Value>>,
}

/// Finds the component, the user, and an account for each field that wants one.
///
/// # Errors
/// [`error::NOT_FOUND`], [`error::INVALID_FIELD`], [`error::INVALID_EXTERNAL_USER`], and those of
/// [`account::resolve`].
pub async fn prepare(app: &Arc<App>, asked: Asked<'_>, filled: Filled) -> Result<Prepared> {
    let project = &asked.tenant.project;
    let component = find(app, project, (asked.kind, asked.key, asked.version)).await?;
    prepare_found(app, asked, component, filled).await
}

/// The same with a version that was found before.
pub async fn prepare_found(
    app: &Arc<App>,
    asked: Asked<'_>,
    component: Component,
    filled: Filled,
) -> Result<Prepared> {
    let dynamic = match asked.dynamic_props {
        None => None,
        Some(id) => {
            let of = (asked.tenant, asked.external_id);
            Some(dynamic_props(app, of, &component, id).await?)
        }
    };
    prepare_with(app, asked, component, (filled, dynamic)).await
}

/// The same where the fields that choices brought are at hand.
pub async fn prepare_with(
    app: &Arc<App>,
    asked: Asked<'_>,
    component: Component,
    (filled, dynamic): (Filled, Option<Vec<Value>>),
) -> Result<Prepared> {
    let user = user(app, asked.tenant, asked.external_id).await?;
    let props = dynamic.clone().unwrap_or_else(|| component.described.props.clone());
    let settings = app.project_settings(&asked.tenant.project).await?.ok_or(error::NOT_FOUND)?;
    let raw = component.may(Permission::RawTokens) || !settings.blind_tokens;
    let by = RunBy {
        tenant: asked.tenant.clone(),
        actor: asked.caller.actor.clone(),
        origin: asked.origin.clone(),
    };
    let mut filling = Filling {
        app,
        asked: &asked,
        component: &component,
        user: &user,
        props: &props,
        filled,
        guard: Guarding::new(by, &settings, raw),
        stores: Stores::default(),
        values: Map::new(),
    };
    for prop in &props {
        filling.one(prop).await?;
    }
    let Filling { guard, stores, values, .. } = filling;
    let code = match component.place {
        Place::Native => Arc::default(),
        _ => code::of(app, &asked.tenant.project, &component).await?,
    };
    Ok(Prepared {
        app: Arc::clone(app),
        tenant: asked.tenant.clone(),
        external_id: asked.external_id.to_owned(),
        by: By { actor: asked.caller.actor.clone(), origin: asked.origin.clone() },
        guard: Arc::new(guard.done()),
        stores: Arc::new(stores),
        component,
        user,
        props,
        values,
        code,
        raw,
        dynamic,
    })
}

/// The user, who is made on first use as everywhere.
async fn user(app: &App, tenant: &Tenant, external_id: &str) -> Result<UserId> {
    if let Some(user) = users::find(&app.db, tenant, external_id).await? {
        return Ok(user.id);
    }
    let mut tx = app.db.begin().await?;
    let user = users::ensure(&mut tx, tenant, external_id, app.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(user.id)
}

/// The fields that a user's choices brought to this very version, as `props` gave them.
///
/// # Errors
/// [`error::INVALID_FIELD`], for another user's too.
pub async fn dynamic_props(
    app: &App,
    (tenant, external_id): (&Tenant, &str),
    component: &Component,
    id: &str,
) -> Result<Vec<Value>> {
    let user = user(app, tenant, external_id).await?;
    remembered(app, tenant, (&user, component), id).await
}

async fn remembered(
    app: &App,
    tenant: &Tenant,
    (user, component): (&UserId, &Component),
    id: &str,
) -> Result<Vec<Value>> {
    let gone = || {
        field(
            "dynamic_props_id",
            "`dynamic_props_id` is not of this user and component, or is over a day old. Ask \
             `props` again.",
        )
    };
    let id = DynamicPropsId::parse(id).ok_or_else(gone)?;
    let row = dynamic::find(&app.db, tenant, &id, app.clock.now_ms()).await?;
    let of_this = |it: &dynamic::DynamicRow| {
        it.user_id == *user && it.component == component.key && it.version == component.version
    };
    let row = row.filter(of_this).ok_or_else(gone)?;
    serde_json::from_str(&row.props).map_err(|it| error::INTERNAL.logging(it))
}

/// Fields on their way to be filled.
struct Filling<'a> {
    app: &'a Arc<App>,
    asked: &'a Asked<'a>,
    component: &'a Component,
    user: &'a UserId,
    props: &'a [Value],
    filled: Filled,
    guard: Guarding,
    stores: Stores,
    values: Map<String, Value>,
}

impl Filling<'_> {
    async fn one(&mut self, prop: &Value) -> Result<()> {
        let Some((name, kind)) = name_and_type(prop) else { return Ok(()) };
        let given = self.asked.configured.get(name);
        let value = match kind {
            "app" => self.account(prop, name, given).await?,
            "data_store" => {
                let owner = (self.asked.tenant, self.user);
                let given = given.map_or(Value::Null, |it| unwrapped(it).clone());
                Some(self.stores.take(self.app, owner, (name, &given)).await?)
            }
            "$.service.db" => Some(json!({})),
            "$.interface.timer" => {
                let default = || prop.get("static").or_else(|| prop.get("default"));
                given.or_else(default).cloned()
            }
            "alert" => None,
            _ => {
                let empty = given.is_none_or(Value::is_null);
                let must_be = judge::must_be_filled(prop, kind) && self.filled == Filled::Whole;
                if empty && must_be {
                    return Err(self.missing(name));
                }
                given.cloned()
            }
        };
        if let Some(value) = value {
            self.values.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// A field that was left out.
    fn missing(&self, name: &str) -> Error {
        field(name, format!("{}.", judge::lacks(self.props, &self.asked.configured, name)))
    }

    async fn account(
        &mut self,
        prop: &Value,
        name: &str,
        given: Option<&Value>,
    ) -> Result<Option<Value>> {
        let Some(slug) = app_of(prop) else { return Ok(None) };
        let needed = Needed {
            tenant: self.asked.tenant,
            external_id: self.asked.external_id,
            caller: self.asked.caller,
            component: &self.component.key,
            prop: name,
            app_slug: slug,
        };
        let optional = prop["optional"] == true || self.filled == Filled::Partly;
        match account::resolve(self.app, &needed, (given, optional)).await? {
            None => Ok(None),
            Some(usable) => Ok(Some(self.guard.take(self.app, (name, slug), usable).await?)),
        }
    }
}

/// A value without the label that clients keep beside it.
pub fn unwrapped(value: &Value) -> &Value {
    value.get("__lv").map_or(value, |it| it.get("value").unwrap_or(it))
}

impl Drop for Prepared {
    /// Whatever code left running reaches nothing more.
    fn drop(&mut self) {
        self.guard.end();
    }
}

impl Prepared {
    /// What a worker is given, with further parts of the input such as `event`.
    pub fn input(&self, more: Map<String, Value>) -> Map<String, Value> {
        let mut input = Map::from_iter([
            ("props".to_owned(), Value::Object(self.values.clone())),
            ("dynamicProps".to_owned(), json!(self.dynamic)),
            ("event".to_owned(), Value::Null),
            ("steps".to_owned(), json!({})),
            ("context".to_owned(), json!({})),
            ("files".to_owned(), json!([])),
        ]);
        input.extend(more);
        input
    }

    /// Calls to apps that its code made so far.
    pub fn calls(&self) -> Vec<Value> {
        self.guard.calls().into_iter().collect()
    }

    /// Has a worker do one thing, and gathers what it says meanwhile. Nothing that comes out holds
    /// a secret of the run.
    ///
    /// # Errors
    /// [`error::CODE_UNAVAILABLE`], when nothing was run. What the code did wrong is in the
    /// outcome.
    pub async fn perform(&self, op: Op, host: RunHost) -> Result<Outcome> {
        let pool = self.app.workers.pool(&self.app.config).await?;
        let host = Arc::new(host);
        let started_ms = self.app.clock.now_ms();
        let done = pool.perform(&self.key(), &self.code, op, Arc::clone(&host)).await;
        if let Err(Failure::Unavailable(why)) = &done {
            return Err(workers::unavailable(why));
        }
        // A token may have been refreshed meanwhile, so this is not made before.
        let scrubber = self.guard.scrubber();
        let result = match done {
            Ok(value) => Ok(scrubber.value(value)),
            Err(failure) => Err(outcome::cleaned(&scrubber, failure)),
        };
        let gathered = host.gathered(&scrubber);
        Ok(Outcome { result, gathered, started_ms, ended_ms: self.app.clock.now_ms() })
    }

    /// Has it written down that this is done, before it is; with the accounts that are used.
    ///
    /// # Errors
    /// [`error::AUDIT_UNAVAILABLE`].
    pub async fn recorded(&self, action: &'static str, target: &str) -> Result<()> {
        let accounts: Vec<_> = self.guard.accounts().values().collect();
        let event = Event::new(action, &self.by.actor, &self.by.origin)
            .tenant(&self.tenant)
            .target("component", target)
            .user(&self.external_id)
            .detail(json!({
                "component": self.component.key,
                "version": self.component.version,
                "accounts": accounts,
                "raw_tokens": self.guard.hands_out(),
            }));
        self.app.audit.record(event).await
    }

    /// Whom a worker serves. One that saw credentials as they are is never given a run that may
    /// not.
    fn key(&self) -> Key {
        let seen = if self.raw { "raw" } else { "blind" };
        Key::new([
            self.tenant.project.as_str(),
            self.tenant.environment.as_str(),
            self.component.id.as_str(),
            &self.component.version,
            self.user.as_str(),
            seen,
        ])
    }
}
