//! What came of a run, as callers are shown it and as it is kept.

use grantkeep_runtime::{Failure, Thrown};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::host::Gathered;
use crate::relay::Scrubber;

/// A line of a log, or a failure.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Observation {
    /// Where it comes from, such as `console.log`; `error` for what failed.
    pub k: String,
    /// Milliseconds since 1970.
    pub ts: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub err: Option<Value>,
}

/// What came of one thing that a worker was asked to do. Nothing of it holds a secret of the run.
pub struct Outcome {
    /// What was answered; the exact form is that of what was asked.
    pub result: Result<Value, Failure>,
    pub gathered: Gathered,
    pub started_ms: i64,
    pub ended_ms: i64,
}

impl Outcome {
    /// `ok`, or what kind of failure it was, in one stable word.
    pub fn word(&self) -> &'static str {
        match &self.result {
            Ok(_) => "ok",
            Err(failure) => failure.code(),
        }
    }

    /// What was logged, and as the last item what failed.
    pub fn observations(&self) -> Vec<Observation> {
        let mut all = self.gathered.log.clone();
        if let Err(failure) = &self.result {
            all.push(observed(failure, self.ended_ms));
        }
        all
    }
}

/// A failure as an item of a log.
fn observed(failure: &Failure, at_ms: i64) -> Observation {
    let err = match failure {
        Failure::Thrown(it) | Failure::Load(it) => {
            json!({ "name": it.name, "message": it.message, "stack": it.stack,
                "status": it.status, "code": it.code })
        }
        other => {
            json!({ "name": name(other), "message": other.to_string(), "code": other.code() })
        }
    };
    Observation { k: "error".to_owned(), ts: at_ms, msg: None, err: Some(err) }
}

/// What JavaScript would call it.
fn name(failure: &Failure) -> &'static str {
    match failure {
        Failure::Timeout { .. } | Failure::Cpu { .. } => "TimeoutError",
        Failure::Memory { .. } => "OutOfMemoryError",
        _ => "RunError",
    }
}

/// A failure of options and of fields: a sentence, or name and message as one JSON text, which
/// clients read as such.
pub(super) fn as_text(failure: &Failure) -> String {
    match failure {
        Failure::Thrown(it) | Failure::Load(it) => {
            json!({ "name": it.name, "message": it.message }).to_string()
        }
        other => json!({ "name": name(other), "message": other.to_string() }).to_string(),
    }
}

/// The failure without secrets of the run: whatever is thrown was made by code.
pub(super) fn cleaned(scrubber: &Scrubber, failure: Failure) -> Failure {
    let thrown = |mut it: Box<Thrown>| {
        it.name = scrubber.text(it.name);
        it.message = scrubber.text(it.message);
        it.stack = it.stack.map(|it| scrubber.text(it));
        it.flow = it.flow.map(|it| scrubber.value(it));
        it.code = it.code.map(|it| scrubber.text(it));
        it
    };
    match failure {
        Failure::Thrown(it) => Failure::Thrown(thrown(it)),
        Failure::Load(it) => Failure::Load(thrown(it)),
        Failure::Ended { how, stderr } => Failure::Ended { how, stderr: scrubber.text(stderr) },
        Failure::Protocol(text) => Failure::Protocol(scrubber.text(text)),
        other => other,
    }
}
