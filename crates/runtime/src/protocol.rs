//! The lines between host and worker: JSON, one to a line.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::failure::Thrown;

/// What the runner says of the code that it loaded. Absent things are `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Description {
    pub key: Option<String>,
    pub name: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    /// `action` or `source`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub annotations: Option<Value>,
    pub dedupe: Option<String>,
    pub stash: Option<Value>,
    pub sample_emit: bool,
    /// As they are on the wire.
    pub props: Vec<Value>,
    pub hooks: Vec<String>,
    pub run: bool,
    pub additional_props: bool,
}

/// Something a run says while it is under way.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Log(Log),
    Export { name: String, value: Value },
    Emit { event: Value, meta: Value },
    Respond(Value),
    Send { kind: String, value: Value },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// `console.log`, `console.error`, ..
    pub k: String,
    /// By the worker's clock.
    pub ts: i64,
    pub msg: String,
}

/// One thing to do with code that is loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    pub(crate) name: &'static str,
    pub(crate) input: Map<String, Value>,
    pub(crate) wall: Option<Duration>,
}

impl Op {
    pub fn run(input: Map<String, Value>) -> Self {
        Self { name: "run", input, wall: None }
    }

    /// The choices of a prop: `wanted` has `prop`, `page`, `prevContext` and `query`.
    pub fn options(input: Map<String, Value>, wanted: Map<String, Value>) -> Self {
        Self::with("options", input, wanted)
    }

    pub fn additional_props(input: Map<String, Value>) -> Self {
        Self { name: "additionalProps", input, wall: None }
    }

    /// `deploy`, `activate` or `deactivate`.
    pub fn hook(input: Map<String, Value>, hook: &str) -> Self {
        Self::with("hook", input, Map::from_iter([("hook".into(), hook.into())]))
    }

    /// Code of a workflow's own step: an ES module.
    pub fn step(input: Map<String, Value>, code: &str) -> Self {
        Self::with("step", input, Map::from_iter([("code".into(), code.into())]))
    }

    /// With another limit on wall time than the pool's.
    #[must_use]
    pub fn within(mut self, wall: Duration) -> Self {
        self.wall = Some(wall);
        self
    }

    fn with(name: &'static str, mut input: Map<String, Value>, more: Map<String, Value>) -> Self {
        input.extend(more);
        Self { name, input, wall: None }
    }
}

/// The first line of a connection.
#[derive(Debug, Deserialize)]
#[serde(tag = "hello", rename_all = "lowercase")]
pub(crate) enum Hello {
    Control { version: u32 },
    Connect(crate::Target),
    File { of: u64, path: String, bytes: u64 },
}

/// A line of the control connection, from the worker.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    pub id: Option<u64>,
    pub ok: Option<Value>,
    pub error: Option<Thrown>,
    pub of: Option<u64>,
    pub call: Option<u64>,
    pub method: Option<String>,
    pub params: Value,
    log: Option<Log>,
    export: Option<Export>,
    emit: Option<Emit>,
    respond: Option<Value>,
    send: Option<Send>,
}

#[derive(Debug, Deserialize)]
struct Export {
    name: String,
    #[serde(default)]
    value: Value,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Emit {
    event: Value,
    meta: Value,
}

#[derive(Debug, Deserialize)]
struct Send {
    kind: String,
    #[serde(default)]
    value: Value,
}

impl Line {
    pub(crate) fn notice(self) -> Option<Notice> {
        if let Some(log) = self.log {
            return Some(Notice::Log(log));
        }
        if let Some(Export { name, value }) = self.export {
            return Some(Notice::Export { name, value });
        }
        if let Some(Emit { event, meta }) = self.emit {
            return Some(Notice::Emit { event, meta });
        }
        if let Some(Send { kind, value }) = self.send {
            return Some(Notice::Send { kind, value });
        }
        self.respond.map(Notice::Respond)
    }
}

/// Loads `/code/<entry>`.
pub(crate) fn load_line(id: u64, entry: &str) -> Vec<u8> {
    line(&json!({ "id": id, "op": "load", "entry": entry }))
}

pub(crate) fn op_line(id: u64, op: &Op) -> Vec<u8> {
    line(&json!({ "id": id, "op": op.name, "input": op.input }))
}

pub(crate) fn reply_line(call: u64, answer: Result<Value, crate::CallError>) -> Vec<u8> {
    match answer {
        Ok(value) => line(&json!({ "reply": call, "ok": value })),
        Err(error) => line(&json!({ "reply": call, "error": error })),
    }
}

fn line(value: &Value) -> Vec<u8> {
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}
