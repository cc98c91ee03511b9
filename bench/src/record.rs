//! What came out: a table for people, and a record of machine, commit, medians and ratios.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use grantkeep_torture::progress::note;
use grantkeep_torture::trouble::{Doing, Result};
use serde::Serialize;
use serde_json::json;

use crate::goals::{self, Judged, at_least, at_most};
use crate::load::Round;
use crate::measures::Plan;
use crate::stage::Engine;

/// The connections at which goals are judged.
const JUDGED_AT: u32 = 16;

/// One line of the table: something measured beside what it is compared with.
#[derive(Serialize)]
struct Line {
    what: String,
    connections: u32,
    contender: &'static str,
    round: Round,
    /// Of the line that it is compared with, in percent.
    percent: Option<f64>,
}

/// What came of running an action.
pub struct Runs {
    /// Connections, the resident process, the server.
    pub rounds: Vec<(u32, [Round; 2])>,
    /// The first run of a user, in milliseconds, and the same where no process waits.
    pub first: f64,
    pub from_nothing: f64,
    pub worker_mib: f64,
}

/// When timers that were due at once began, in seconds after that.
pub struct Started {
    middle: f64,
    last: f64,
}

impl Started {
    pub fn of(mut at_ms: Vec<i64>, due_ms: i64) -> Result<Self> {
        at_ms.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "minutes at most")]
        let after = |at: Option<&i64>| at.map(|it| (it - due_ms) as f64 / 1e3).doing("a time");
        Ok(Self { middle: after(at_ms.get(at_ms.len() / 2))?, last: after(at_ms.last())? })
    }
}

#[derive(Serialize)]
pub struct Record {
    date: String,
    commit: String,
    machine: Machine,
    quick: bool,
    accounts: u64,
    lines: Vec<Line>,
    judged: Vec<Judged>,
    others: Vec<(String, f64, &'static str)>,
    left_out: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Machine {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
}

impl Record {
    pub fn begin(plan: &Plan) -> Result<Self> {
        Ok(Self {
            date: said("date", &["-u", "+%Y-%m-%dT%H:%MZ"])?,
            commit: commit(),
            machine: Machine::this()?,
            quick: plan.quick,
            accounts: plan.many,
            lines: Vec::new(),
            judged: Vec::new(),
            others: Vec::new(),
            left_out: Vec::new(),
        })
    }

    /// A bare server, the small store, the large one.
    pub fn vend(&mut self, engine: Engine, connections: u32, [bare, few, many]: [Round; 3]) {
        let what = format!("vend, {}", engine.name());
        let contenders = [("bare hyper", bare), ("1,000 accounts", few), ("all accounts", many)];
        self.lines(&what, connections, contenders, bare);
        if connections != JUDGED_AT {
            return;
        }
        let flat = few.per_second / many.per_second;
        let what = format!("all accounts against 1,000, {}", engine.name());
        self.judged.push(at_most(&what, flat, "times slower", goals::FLATNESS));
        if engine == Engine::Sqlite {
            let percent = few.per_second / bare.per_second * 100.0;
            self.judged.extend([
                at_least("vends, of bare hyper", percent, "%", goals::VEND_PERCENT),
                at_least(
                    "vends",
                    few.per_second,
                    "/s",
                    (goals::VENDS_PER_SECOND, goals::VENDS_PER_SECOND),
                ),
                at_most("vend, p99", few.p99_us / 1e3, "ms", goals::VEND_P99_MS),
            ]);
        }
    }

    /// The app itself, nginx before it, the proxy before it.
    pub fn proxy(&mut self, method: &str, connections: u32, [direct, nginx, ours]: [Round; 3]) {
        let what = format!("proxy, {method}");
        let contenders = [("the app itself", direct), ("nginx", nginx), ("Grantkeep", ours)];
        self.lines(&what, connections, contenders, nginx);
        if connections == JUDGED_AT {
            let percent = ours.per_second / nginx.per_second * 100.0;
            let what = format!("proxied {method}, of nginx");
            self.judged.push(at_least(&what, percent, "%", goals::PROXY_PERCENT));
            if method == "GET" {
                let mark = goals::PROXIED_PER_SECOND;
                self.judged.push(at_least("proxied GET", ours.per_second, "/s", (mark, mark)));
            }
        } else if method == "GET" {
            let added = (ours.p50_us - direct.p50_us) / 1e3;
            self.judged.push(at_most(
                "the proxy adds, p50 at 1",
                added,
                "ms",
                goals::PROXY_ADDED_MS,
            ));
        }
    }

    pub fn refresh(&mut self, calls_for_one: u64, calls: u64, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are small")]
        let (one, all) = (calls_for_one as f64, calls as f64);
        let what = "token requests for 64 callers of one account";
        self.judged.push(at_most(what, one, "", goals::REFRESH_CALLS));
        self.others.push(("token requests for 10,000 accounts".to_owned(), all, ""));
        self.others.push(("refreshes, 64 callers".to_owned(), all / took.as_secs_f64(), "/s"));
    }

    pub fn start(&mut self, engine: Engine, ms: f64) {
        let what = format!("start to first answer, {}", engine.name());
        if engine == Engine::Sqlite {
            self.judged.push(at_most(&what, ms, "ms", goals::START_MS));
        } else {
            self.others.push((what, ms, "ms"));
        }
    }

    pub fn runs(&mut self, it: &Runs) {
        for (connections, [bare, ours]) in &it.rounds {
            let contenders = [("resident Node", *bare), ("Grantkeep", *ours)];
            self.lines("run", *connections, contenders, *bare);
            let (added, mark) = ((ours.p50_us - bare.p50_us) / 1e3, goals::RUNS_PER_SECOND);
            self.judged.push(if *connections == JUDGED_AT {
                at_least("runs of an action", ours.per_second, "/s", (mark, mark))
            } else {
                at_most("a run adds, p50 at 1", added, "ms", goals::RUN_ADDED_MS)
            });
        }
        self.judged.push(at_most("a user's first run", it.first, "ms", goals::FIRST_RUN_MS));
        let cold = "a user's first run, no process ready".to_owned();
        self.others.push((cold, it.from_nothing, "ms"));
        self.others.push(("memory of an idle worker".to_owned(), it.worker_mib, "MiB"));
    }

    /// Without code, of five users, and of a thousand.
    pub fn timers(&mut self, clocks: &Started, sources: &Started, each: &Started) {
        for (what, it) in [("without code", clocks), ("of five users", sources)] {
            let what = format!("1,000 timers {what}, the last");
            self.judged.push(at_most(&what, it.last, "s", goals::TIMERS_S));
        }
        self.others.push(("1,000 timers of 1,000 users, the last".to_owned(), each.last, "s"));
        for (what, it) in [("five users", sources), ("1,000 users", each)] {
            self.others.push((format!("1,000 timers of {what}, the middle one"), it.middle, "s"));
        }
    }

    pub fn memory(&mut self, idle: f64, most: f64) {
        self.judged.push(at_most("memory, idle", idle, "MiB", goals::IDLE_MIB));
        self.others.push(("memory, at the most under load".to_owned(), most, "MiB"));
    }

    pub fn page(&mut self, bytes: f64, requests: f64, interactive_ms: f64) {
        self.others.push(("connect page, over the wire".to_owned(), bytes, "bytes"));
        self.others.push(("connect page, requests".to_owned(), requests, ""));
        self.others.push(("connect page, until usable".to_owned(), interactive_ms, "ms"));
    }

    pub fn left_out(&mut self, what: &str, why: &str) {
        self.left_out.push((what.to_owned(), why.to_owned()));
    }

    /// Whether every floor holds.
    pub fn judge(&self) -> bool {
        self.judged.iter().all(Judged::holds)
    }

    fn lines<const N: usize>(
        &mut self,
        what: &str,
        connections: u32,
        contenders: [(&'static str, Round); N],
        base: Round,
    ) {
        for (contender, round) in contenders {
            let percent = Some(round.per_second / base.per_second * 100.0);
            let what = what.to_owned();
            self.lines.push(Line { what, connections, contender, round, percent });
        }
    }

    pub fn print(&self) {
        let mut out = std::io::stdout().lock();
        for text in [self.rounds_table(), self.others_table(), self.goals_table()] {
            let _ = writeln!(out, "{text}\n");
        }
        for (what, why) in &self.left_out {
            let _ = writeln!(out, "left out: {what}: {why}");
        }
        let end = if self.judge() { "every floor holds" } else { "BELOW A FLOOR" };
        let _ = writeln!(out, "{end}");
    }

    fn rounds_table(&self) -> Table {
        let mut table = fresh(&["measured", "at once", "by", "/s", "p50", "p99", "of it"]);
        let mut last = String::new();
        for line in &self.lines {
            let what = format!("{} {}", line.what, line.connections);
            let (name, at) = if what == last {
                ("", String::new())
            } else {
                (line.what.as_str(), line.connections.to_string())
            };
            last = what;
            table.add_row([
                Cell::new(name),
                number(at),
                Cell::new(line.contender),
                number(grouped(line.round.per_second)),
                number(format!("{:.2} ms", line.round.p50_us / 1e3)),
                number(format!("{:.2} ms", line.round.p99_us / 1e3)),
                number(line.percent.map_or_else(String::new, |it| format!("{it:.0} %"))),
            ]);
        }
        table
    }

    fn others_table(&self) -> Table {
        let mut table = fresh(&["also measured", "value"]);
        for (what, value, unit) in &self.others {
            table.add_row([Cell::new(what), number(shown(*value, unit))]);
        }
        table
    }

    fn goals_table(&self) -> Table {
        let mut table = fresh(&["promised", "value", "floor", "goal", ""]);
        for it in &self.judged {
            let word = match (it.holds(), it.is_met()) {
                (false, _) => "BELOW",
                (true, false) => "holds",
                (true, true) => "goal met",
            };
            table.add_row([
                Cell::new(&it.what),
                number(shown(it.value, it.unit)),
                number(shown(it.floor, it.unit)),
                number(shown(it.goal, it.unit)),
                Cell::new(word),
            ]);
        }
        table
    }

    /// Writes the record, for machines and as the tables.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let what = "cannot write the record";
        std::fs::create_dir_all(folder).doing(what)?;
        let name = format!("{}-{}", &self.date[..10], self.commit);
        let text = serde_json::to_string_pretty(&json!(self)).doing(what)?;
        std::fs::write(folder.join(format!("{name}.json")), text + "\n").doing(what)?;
        let Machine { processor, cores, memory_mib, kernel } = &self.machine;
        let kind = if self.quick { "Quick" } else { "Whole" };
        let page = format!(
            "{kind} run of {} on commit {}: {processor}, {cores} cores, {memory_mib} MiB, Linux \
             {kernel}.\n\n```\n{}\n\n{}\n\n{}\n```\n",
            self.date,
            self.commit,
            self.rounds_table(),
            self.others_table(),
            self.goals_table()
        );
        let file = folder.join(format!("{name}.md"));
        std::fs::write(&file, page).doing(what)?;
        note(&format!("written: {}", file.display()));
        Ok(())
    }
}

impl Machine {
    fn this() -> Result<Self> {
        let file = |name: &str| std::fs::read_to_string(name).doing(name);
        let line = |text: &str, name: &str| {
            let found = text.lines().find(|it| it.starts_with(name));
            found.and_then(|it| it.split_once(':')).map(|it| it.1.trim().to_owned())
        };
        let memory = line(&file("/proc/meminfo")?, "MemTotal").unwrap_or_default();
        let memory: u64 = memory.trim_end_matches(" kB").parse().doing("/proc/meminfo")?;
        Ok(Self {
            processor: line(&file("/proc/cpuinfo")?, "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().doing("the cores")?.get(),
            memory_mib: memory / 1024,
            kernel: file("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        })
    }
}

/// The commit's short name; `-changed` when files differ from it.
fn commit() -> String {
    let name = said("git", &["rev-parse", "--short=8", "HEAD"]).unwrap_or_default();
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]);
    let mark = if changed.is_ok_and(|it| it.is_empty()) { "" } else { "-changed" };
    format!("{name}{mark}")
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().doing(program)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn fresh(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(head);
    table
}

fn number(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn shown(value: f64, unit: &str) -> String {
    let digits = if value.abs() < 10.0 && !unit.is_empty() { 2 } else { 0 };
    let text = if value.abs() >= 1_000.0 { grouped(value) } else { format!("{value:.digits$}") };
    format!("{text} {unit}").trim_end().to_owned()
}

/// A whole number with commas.
fn grouped(value: f64) -> String {
    let text = format!("{value:.0}");
    let mut out = String::new();
    for (nth, digit) in text.chars().enumerate() {
        if nth > 0 && (text.len() - nth) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_threes() {
        assert_eq!(grouped(7.4), "7");
        assert_eq!(grouped(123.0), "123");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(shown(0.25, "ms"), "0.25 ms");
        assert_eq!(shown(10_680.0, "/s"), "10,680 /s");
    }
}
