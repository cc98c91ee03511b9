//! What a run showed, for people and for scripts.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use grantkeep::failpoint::POINTS;
use serde::Serialize;

use crate::race::{self, Raced};
use crate::stage::Engine;
use crate::tally::{Record, Tally, millis};
use crate::trouble::{Doing, Result};
use crate::workflows;

/// A run of the kill loop.
#[derive(Serialize)]
pub struct Refresh {
    pub seed: u64,
    pub took_ms: u64,
    pub good: bool,
    pub engines: Vec<OfEngine>,
    /// Failpoints where no server died.
    pub points_never_hit: Vec<&'static str>,
}

#[derive(Serialize)]
pub struct OfEngine {
    pub engine: &'static str,
    #[serde(flatten)]
    pub record: Record,
}

impl Refresh {
    pub fn new(seed: u64, took: Duration, records: Vec<(Engine, Record)>) -> Self {
        let hit = |point: &str| records.iter().any(|(_, it)| it.by_place.contains_key(point));
        let points_never_hit: Vec<_> = POINTS.into_iter().filter(|it| !hit(it)).collect();
        let good = points_never_hit.is_empty() && records.iter().all(|(_, it)| it.is_good());
        let of = |(engine, record): (Engine, Record)| OfEngine { engine: engine.name(), record };
        let engines = records.into_iter().map(of).collect();
        Self { seed, took_ms: millis(took), good, engines, points_never_hit }
    }

    pub fn print(&self) {
        line(&classes(&self.engines).to_string());
        line("");
        line(&places(&self.engines).to_string());
        for it in &self.engines {
            breaches(it.engine, &it.record);
        }
        for point in &self.points_never_hit {
            line(&format!("NEVER HIT: {point}"));
        }
        let kills: u64 = self.engines.iter().map(|it| it.record.kills).sum();
        let word = if self.good { "good" } else { "BAD" };
        line(&format!("\n{word}: {kills} kills in {} s, seed {}", self.took_ms / 1_000, self.seed));
    }
}

/// A column: its head, and the number it shows.
type Column = (&'static str, fn(&Tally) -> u64);

const COLUMNS: [Column; 17] = [
    ("asked", |it| it.asked),
    ("refreshes", |it| it.refreshes),
    ("granted", |it| it.granted),
    ("double", |it| it.double),
    ("illegal", |it| it.illegal),
    ("..mending", |it| it.illegal_in_recovery),
    ("shaken", |it| it.shaken),
    ("journaled", |it| it.in_journal),
    ("untouched", |it| it.untouched),
    ("kept", |it| it.kept),
    ("retried", |it| it.retried),
    ("otherwise", |it| it.otherwise),
    ("explained", |it| it.lost_explained),
    ("LOST", |it| it.lost),
    ("WRONG", |it| it.wrong),
    ("named ms", |it| it.named_ms_max),
    ("taken up ms", |it| it.taken_up_ms_max),
];

fn classes(engines: &[OfEngine]) -> Table {
    let mut table = plain();
    table.set_header(["", ""].into_iter().chain(COLUMNS.iter().map(|it| it.0)));
    for it in engines {
        let mut sum = Tally::default();
        for (class, tally) in &it.record.classes {
            sum.add(tally);
            table.add_row(row(it.engine, class, tally));
        }
        table.add_row(row(it.engine, "all", &sum));
    }
    to_the_right(&mut table, 2);
    table
}

fn row(engine: &str, class: &str, tally: &Tally) -> Vec<String> {
    let numbers = COLUMNS.iter().map(|(_, of)| of(tally).to_string());
    [engine.to_owned(), class.to_owned()].into_iter().chain(numbers).collect()
}

/// Where the servers died.
fn places(engines: &[OfEngine]) -> Table {
    let mut table = plain();
    let names = engines.iter().flat_map(|it| [it.engine, "missed"]);
    table.set_header(std::iter::once("died at").chain(names));
    for place in POINTS.into_iter().chain(["any time", "start", "store away", "idle"]) {
        let counts = engines.iter().flat_map(|it| {
            let of = |map: &std::collections::BTreeMap<String, u64>| {
                map.get(place).copied().unwrap_or(0).to_string()
            };
            [of(&it.record.by_place), of(&it.record.missed)]
        });
        table.add_row(std::iter::once(place.to_owned()).chain(counts));
    }
    to_the_right(&mut table, 1);
    table
}

/// Races of some numbers of servers.
#[derive(Serialize)]
pub struct Race {
    pub seed: u64,
    pub took_ms: u64,
    pub good: bool,
    pub fields: Vec<race::Record>,
}

type RaceColumn = (&'static str, fn(&Raced) -> u64);

const RACE_COLUMNS: [RaceColumn; 17] = [
    ("races", |it| it.races),
    ("callers", |it| it.callers),
    ("refreshes", |it| it.refreshes),
    ("NOT ONE", |it| it.not_one),
    ("OVERLAPS", |it| it.overlaps),
    ("ILLEGAL", |it| it.illegal),
    ("ERRORS", |it| it.errors),
    ("void", |it| it.void),
    ("p50 ms", |it| it.waited_ms_at(50)),
    ("p99 ms", |it| it.waited_ms_at(99)),
    ("max ms", |it| it.waited_ms_max),
    ("frozen", |it| it.zombies),
    ("alive", |it| it.zombies_alive),
    ("explained", |it| it.lost_explained),
    ("LOST", |it| it.lost),
    ("..mending", |it| it.illegal_in_recovery),
    ("named ms", |it| it.named_ms_max),
];

impl Race {
    pub fn new(seed: u64, took: Duration, fields: Vec<race::Record>) -> Self {
        let good = fields.iter().all(race::Record::is_good);
        Self { seed, took_ms: millis(took), good, fields }
    }

    pub fn print(&self) {
        let mut table = plain();
        table.set_header(["servers", ""].into_iter().chain(RACE_COLUMNS.iter().map(|it| it.0)));
        let row = |nodes: usize, class: &str, raced: &Raced| {
            let numbers = RACE_COLUMNS.iter().map(|(_, of)| of(raced).to_string());
            let names = [nodes.to_string(), class.to_owned()];
            names.into_iter().chain(numbers).collect::<Vec<_>>()
        };
        for field in &self.fields {
            let mut sum = Raced::default();
            for (class, raced) in &field.classes {
                sum.add(raced);
                table.add_row(row(field.nodes, class, raced));
            }
            table.add_row(row(field.nodes, "all", &sum));
        }
        to_the_right(&mut table, 2);
        line(&table.to_string());
        for text in self.fields.iter().flat_map(|it| &it.breaches) {
            line(&format!("BREACH: {text}"));
        }
        let word = if self.good { "good" } else { "BAD" };
        line(&format!("\n{word}: {} s, seed {}", self.took_ms / 1_000, self.seed));
    }
}

/// Runs of workflows that were killed.
#[derive(Serialize)]
pub struct Workflows {
    pub seed: u64,
    pub took_ms: u64,
    pub good: bool,
    pub engines: Vec<workflows::Record>,
}

impl Workflows {
    pub fn new(seed: u64, took: Duration, engines: Vec<workflows::Record>) -> Self {
        let good = engines.iter().all(workflows::Record::is_good);
        Self { seed, took_ms: millis(took), good, engines }
    }

    pub fn print(&self) {
        let mut table = plain();
        let names =
            ["", "kills", "runs", "steps", "done", "again", "LOST", "REPEATED", "settled ms"];
        table.set_header(names);
        for it in &self.engines {
            let numbers = [
                it.kills,
                it.runs,
                it.recorded,
                it.done,
                it.again,
                it.lost,
                it.repeated,
                it.settled_ms,
            ];
            let numbers = numbers.iter().map(u64::to_string);
            table.add_row(std::iter::once(it.engine.to_owned()).chain(numbers));
        }
        to_the_right(&mut table, 1);
        line(&table.to_string());
        for it in &self.engines {
            let places = it.by_place.iter().map(|(place, count)| format!("{place} {count}"));
            line(&format!("{} died at: {}", it.engine, places.collect::<Vec<_>>().join(", ")));
            for text in &it.breaches {
                line(&format!("BREACH: {text}"));
            }
            for point in it.never_hit() {
                line(&format!("NEVER HIT: {point}"));
            }
        }
        let kills: u64 = self.engines.iter().map(|it| it.kills).sum();
        let word = if self.good { "good" } else { "BAD" };
        let took_s = self.took_ms / 1_000;
        line(&format!("\n{word}: {kills} kills in {took_s} s, seed {}", self.seed));
    }
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

fn to_the_right(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn breaches(name: &str, record: &Record) {
    for text in &record.breaches {
        line(&format!("BREACH: {text}"));
    }
    let more = record.breaches_total.saturating_sub(record.breaches.len() as u64);
    if more > 0 {
        line(&format!("and {more} more on {name}"));
    }
}

/// Writes a line of the result; a closed pipe is no failure.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes the record, if a file was named.
pub fn write(file: Option<&Path>, record: &impl Serialize) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let text = serde_json::to_string_pretty(record).doing("the record")?;
    std::fs::write(file, text + "\n").doing("cannot write the record")
}
