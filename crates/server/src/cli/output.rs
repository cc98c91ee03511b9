//! What the terminal shows: tables and colours for people, JSON for scripts.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Table};
use serde_json::Value;

use crate::config;

/// Whether colours may be used on a stream: a terminal, and nobody set `NO_COLOR`.
fn colours(terminal: bool) -> bool {
    terminal && config::variable("NO_COLOR").is_none()
}

/// Why a part of the result is lost.
static LOST: OnceLock<String> = OnceLock::new();

/// Writes a line; a closed pipe is no failure. For what is, see [`lost`].
pub(super) fn line(text: &str) {
    let mut out = std::io::stdout();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
}

/// Why the result could not be written: a disk that is full, for one. What the command did is done.
pub(super) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

pub(super) fn json(value: &Value) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

pub(super) fn failure(text: &str) {
    let mark =
        if colours(std::io::stderr().is_terminal()) { "\x1b[31merror:\x1b[0m" } else { "error:" };
    let _ = writeln!(std::io::stderr(), "{mark} {text}");
}

/// A line for people that does not belong to the result.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// `text` in a colour: 31 red, 32 green, 33 amber.
pub(super) fn paint(text: &str, colour: u8) -> String {
    if colours(std::io::stdout().is_terminal()) {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let bold = colours(std::io::stdout().is_terminal());
    table.set_header(header.iter().map(|text| {
        let cell = Cell::new(text);
        if bold { cell.add_attribute(Attribute::Bold) } else { cell }
    }));
    for row in rows {
        table.add_row(row.into_iter().map(Cell::new));
    }
    line(&table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
}

/// A time as people read it, or a dash.
pub(super) fn time(at_ms: Option<i64>) -> String {
    at_ms.map_or_else(
        || "-".to_owned(),
        |at_ms| crate::clock::iso(at_ms).chars().take(19).collect::<String>().replace('T', " "),
    )
}
