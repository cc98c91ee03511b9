//! Data stores: values that code keeps for a user's later runs, sealed under the user's key.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantkeep_vault::{OwnerKey, Place};
use serde_json::{Value, json};

use super::field;
use super::store::data::{self as store, RecordRow};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::{DataStoreId, UserId};
use crate::keys::unreadable;
use crate::tenant::Tenant;

/// Stores of one user, records of one store, and bytes of all of them together.
const STORES_MAX: i64 = 100;
const RECORDS_MAX: i64 = 10_000;
const STORE_BYTES_MAX: i64 = 16 * 1024 * 1024;
/// Bytes of one value as JSON.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Characters of a record's key, and of a store's name.
const KEY_CHARS_MAX: usize = 255;
const NAME_CHARS_MAX: usize = 100;
/// The store that is meant where none is named.
const DEFAULT: &str = "default";
/// Longest time to live, in seconds.
const TTL_S_MAX: f64 = 10.0 * 366.0 * 86_400.0;

/// The stores of one run's fields, and no others.
#[derive(Default)]
pub(super) struct Stores {
    ids: BTreeMap<String, DataStoreId>,
}

impl Stores {
    /// What a field's value means: the user's store of that id or name, made on first use.
    pub async fn take(
        &mut self,
        app: &Arc<App>,
        (tenant, user): (&Tenant, &UserId),
        (prop, value): (&str, &Value),
    ) -> Result<Value> {
        let named = match value {
            Value::Null => DEFAULT,
            Value::String(text) if text.trim().is_empty() => DEFAULT,
            Value::String(text) => text,
            _ => return Err(field(prop, format!("`{prop}` names a data store: a text."))),
        };
        let good = named.chars().count() <= NAME_CHARS_MAX && !named.chars().any(char::is_control);
        if !good {
            let text = format!("A data store's name has 1 to {NAME_CHARS_MAX} visible characters.");
            return Err(field(prop, text));
        }
        let id = find_or_make(app, (tenant, user), named).await?;
        self.ids.insert(id.as_str().to_owned(), id.clone());
        Ok(json!({ "store": id }))
    }

    /// What code asks of one of them.
    ///
    /// # Errors
    /// [`error::INVALID_FIELD`] with a sentence for whoever wrote the code.
    pub async fn call(
        &self,
        app: &Arc<App>,
        owner: (&Tenant, &UserId),
        (method, params): (&str, &Value),
    ) -> Result<Value> {
        let asked = params["store"].as_str().and_then(|it| self.ids.get(it));
        let id = asked.ok_or_else(|| wrong("This run has no such data store."))?;
        let key = || match params["key"].as_str() {
            Some(key) if !key.is_empty() && key.chars().count() <= KEY_CHARS_MAX => Ok(key),
            _ => {
                Err(wrong(&format!("A record's key is a text of 1 to {KEY_CHARS_MAX} characters.")))
            }
        };
        let now_ms = app.clock.now_ms();
        match method {
            "get" => get(app, owner, (id, key()?)).await,
            "has" => {
                let found = store::get(&app.db, id, key()?, now_ms).await?;
                Ok(Value::Bool(found.is_some()))
            }
            "set" => set(app, owner, (id, key()?), params).await,
            "keys" => Ok(json!(store::names(&app.db, id, now_ms).await?)),
            "delete" => {
                store::delete(&app.db, id, key()?).await?;
                Ok(Value::Null)
            }
            "clear" => {
                store::clear(&app.db, id).await?;
                Ok(Value::Null)
            }
            _ => Err(wrong("Data stores have no such method.")),
        }
    }
}

fn wrong(text: &str) -> Error {
    error::INVALID_FIELD.saying(text.to_owned())
}

async fn find_or_make(
    app: &Arc<App>,
    (tenant, user): (&Tenant, &UserId),
    named: &str,
) -> Result<DataStoreId> {
    let known = store::of_user(&app.db, tenant, user).await?;
    let fits = |(id, name): &&(DataStoreId, String)| id.as_str() == named || name == named;
    if let Some((id, _)) = known.iter().find(fits) {
        return Ok(id.clone());
    }
    let mut tx = app.db.begin().await?;
    if store::count(&mut tx, tenant, user).await? >= STORES_MAX {
        let text = format!("The user has {STORES_MAX} data stores, and no more are kept.");
        return Err(error::TOO_MANY.saying(text));
    }
    let id = store::ensure(&mut tx, tenant, user, (named, app.clock.now_ms())).await?;
    tx.commit().await?;
    Ok(id)
}

/// The stores that a user may choose from.
pub(super) async fn of_user(app: &App, tenant: &Tenant, user: &UserId) -> Result<Vec<Value>> {
    let known = store::of_user(&app.db, tenant, user).await?;
    Ok(known.into_iter().map(|(id, name)| json!({ "label": name, "value": id })).collect())
}

fn place<'a>(tenant: &'a Tenant, record: &'a str) -> Place<'a> {
    Place {
        project: tenant.project.as_str(),
        environment: tenant.environment.as_str(),
        table: "data_store_records",
        record,
        column: "sealed",
        version: 0,
    }
}

/// A record is sealed for its store and key.
fn record(id: &DataStoreId, key: &str) -> String {
    format!("{id}\n{key}")
}

async fn get(
    app: &App,
    (tenant, user): (&Tenant, &UserId),
    (id, key): (&DataStoreId, &str),
) -> Result<Value> {
    let Some(sealed) = store::get(&app.db, id, key, app.clock.now_ms()).await? else {
        return Ok(json!({ "found": false, "value": null }));
    };
    let owner = app.keys.user(&app.db, tenant, user).await?;
    let plain = owner.open(&place(tenant, &record(id, key)), &sealed).map_err(unreadable)?;
    let value: Value =
        serde_json::from_slice(plain.expose()).map_err(|it| error::INTERNAL.logging(it))?;
    Ok(json!({ "found": true, "value": value }))
}

async fn set(
    app: &Arc<App>,
    (tenant, user): (&Tenant, &UserId),
    (id, key): (&DataStoreId, &str),
    params: &Value,
) -> Result<Value> {
    let text = params["value"].to_string();
    if text.len() > VALUE_BYTES_MAX {
        return Err(wrong(&format!(
            "The value has {} bytes as JSON, and a data store takes {VALUE_BYTES_MAX}.",
            text.len()
        )));
    }
    let now_ms = app.clock.now_ms();
    let expires_at_ms = match &params["ttl"] {
        Value::Null => None,
        ttl => match ttl.as_f64() {
            #[allow(clippy::cast_possible_truncation, reason = "within bounds by the guard")]
            Some(seconds) if seconds > 0.0 && seconds <= TTL_S_MAX => {
                Some(now_ms + (seconds * 1_000.0) as i64)
            }
            _ => return Err(wrong("A time to live is a number of seconds above 0.")),
        },
    };
    let mut tx = app.db.begin().await?;
    let owner: Arc<OwnerKey> = app.keys.user_for_sealing(&mut tx, tenant, user, now_ms).await?;
    let row = RecordRow {
        key: key.to_owned(),
        sealed: owner.seal(&place(tenant, &record(id, key)), text.as_bytes()),
        bytes: i64::try_from(key.len() + text.len()).unwrap_or(i64::MAX),
        expires_at_ms,
        updated_at_ms: now_ms,
    };
    store::set(&mut tx, id, &row).await?;
    let (records, bytes) = store::size(&mut tx, id, now_ms).await?;
    if records > RECORDS_MAX || bytes > STORE_BYTES_MAX {
        return Err(wrong(&format!(
            "The data store is full: it takes {RECORDS_MAX} records of {STORE_BYTES_MAX} bytes \
             together."
        )));
    }
    tx.commit().await?;
    Ok(Value::Null)
}
