//! Steps with their results and times.

use std::time::Instant;

use super::{Result, Trouble};

/// One step, done or failed.
#[derive(Clone, serde::Serialize)]
pub struct Step {
    pub name: &'static str,
    pub ok: bool,
    pub ms: u128,
    /// What was seen, or what failed.
    pub detail: String,
}

/// All steps so far. After the first that failed, nothing more is tried.
#[derive(serde::Serialize)]
pub struct Report {
    pub ok: bool,
    pub ms: u128,
    pub steps: Vec<Step>,
}

/// Runs steps one after the other and tells each as it ends.
pub(super) struct Steps<'a> {
    begun: Instant,
    tell: &'a mut dyn FnMut(&Step),
    done: Vec<Step>,
}

impl<'a> Steps<'a> {
    pub fn begin(tell: &'a mut dyn FnMut(&Step)) -> Self {
        Self { begun: Instant::now(), tell, done: Vec::new() }
    }

    /// Runs a step; it gives what it made, and a text that says what was seen.
    pub async fn run<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, String)>>,
    ) -> Result<T> {
        let begun = Instant::now();
        let done = work.await;
        let (ok, detail) = match &done {
            Ok((_, detail)) => (true, detail.clone()),
            Err(trouble) => (false, trouble.to_string()),
        };
        let step = Step { name, ok, ms: begun.elapsed().as_millis(), detail };
        (self.tell)(&step);
        self.done.push(step);
        done.map(|(made, _)| made)
    }

    pub fn finish(self, ended: &Result<()>) -> Report {
        let ok = ended.is_ok() && self.done.iter().all(|it| it.ok);
        Report { ok, ms: self.begun.elapsed().as_millis(), steps: self.done }
    }
}

/// Fails with `text` unless `holds`.
pub(super) fn check(holds: bool, text: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(Trouble::new(text)) }
}
