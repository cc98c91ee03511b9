//! What a source remembers from run to run: `$.service.db`, and which events it emitted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grantkeep_runtime::CallError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dedupe::Memory;
use super::sealed::{Seal, Spot};
use super::store::events as store;
use super::{STATE_BYTES_MAX, Trigger};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;

/// Values by key, for each field of type `$.service.db`.
type Values = BTreeMap<String, BTreeMap<String, Value>>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(default)]
    values: Values,
    #[serde(default)]
    pub memory: Memory,
}

/// What a run sees of it and writes to it. Nothing is stored before the run has ended well.
#[derive(Clone)]
pub(super) struct Session(Arc<Mutex<Open>>);

struct Open {
    values: Values,
    written: Values,
}

impl Session {
    pub async fn open(app: &App, seal: &Seal, trigger: &Trigger) -> Result<Self> {
        let kept = match store::state(&app.db, trigger).await? {
            Some((version, sealed)) => {
                seal.open::<Kept>(Spot::state(trigger.id.as_str(), version), &sealed)?
            }
            None => Kept::default(),
        };
        let open = Open { values: kept.values, written: Values::new() };
        Ok(Self(Arc::new(Mutex::new(open))))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it, for code that reads without waiting.
    pub fn all(&self) -> Value {
        json!(self.lock().values)
    }

    pub fn set(&self, params: &Value) -> Result<Value, CallError> {
        let (prop, key) = name(params);
        let value = params["value"].clone();
        let mut open = self.lock();
        let former =
            open.values.entry(prop.clone()).or_default().insert(key.clone(), value.clone());
        let bytes = json!(open.values).to_string().len();
        if bytes > STATE_BYTES_MAX {
            let values = open.values.entry(prop).or_default();
            match former {
                Some(former) => values.insert(key, former),
                None => values.remove(&key),
            };
            let text = format!(
                "A source keeps {STATE_BYTES_MAX} bytes in its database in all; with this value it \
                 would be {bytes}."
            );
            return Err(CallError::new("DatabaseFull", text).with_code("too_large"));
        }
        open.written.entry(prop).or_default().insert(key, value);
        Ok(Value::Null)
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        Written(self.lock().written.clone())
    }
}

fn name(params: &Value) -> (String, String) {
    let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
    (text("prop"), text("key"))
}

/// What a run wrote. Applied to what is stored by then, so that two runs beside each other lose
/// only what both wrote.
#[derive(Default)]
pub(super) struct Written(Values);

/// What is stored, to be written back in the same transaction. The trigger's row is locked.
pub(super) struct Stored {
    version: i64,
    former: Kept,
    pub now: Kept,
}

impl Stored {
    pub async fn read(tx: &mut Tx, seal: &Seal, trigger: &Trigger) -> Result<Self> {
        let (version, former) = match store::state_within(tx, trigger).await? {
            Some((version, sealed)) => {
                (version, seal.open(Spot::state(trigger.id.as_str(), version), &sealed)?)
            }
            None => (0, Kept::default()),
        };
        Ok(Self { version, now: former.clone(), former })
    }

    pub fn apply(&mut self, written: Written) {
        for (prop, values) in written.0 {
            self.now.values.entry(prop).or_default().extend(values);
        }
    }

    pub async fn write(self, tx: &mut Tx, seal: &Seal, trigger: &Trigger) -> Result<()> {
        if self.now == self.former {
            return Ok(());
        }
        let version = self.version + 1;
        let sealed = seal.seal(Spot::state(trigger.id.as_str(), version), &self.now)?;
        Ok(store::set_state(tx, trigger, (version, &sealed)).await?)
    }
}
