//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

const STYLE: &str = "{msg} {wide_bar} {pos}/{len}  {per_sec}  {eta} left";

#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    /// When the last line was written; none on a terminal.
    lines: Option<Arc<Mutex<Instant>>>,
    what: &'static str,
}

impl Progress {
    /// `total` of `what` are to come.
    pub fn new(what: &'static str, total: u64) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let bar = if on_terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
        bar.set_length(total);
        bar.set_message(what);
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        let lines = (!on_terminal).then(|| Arc::new(Mutex::new(Instant::now())));
        Self { bar, lines, what }
    }

    /// Nobody is told.
    pub fn silent() -> Self {
        Self { bar: ProgressBar::hidden(), lines: None, what: "" }
    }

    pub fn step(&self, count: u64) {
        self.bar.inc(count);
        let Some(lines) = &self.lines else { return };
        let mut last = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            let (at, of) = (self.bar.position(), self.bar.length().unwrap_or(0));
            let rate = self.bar.per_sec();
            let left = self.bar.eta().as_secs();
            note(&format!("{} {at}/{of}, {rate:.1} a second, {left} s left", self.what));
        }
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A line for people that does not belong to the result.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
