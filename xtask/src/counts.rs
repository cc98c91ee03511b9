//! How many tests passed and failed, read from what each runner prints.

use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// `Summary [ 0.1s] 3 tests run: 2 passed (1 slow), 1 failed, 0 skipped`
pub fn nextest(output: &str) -> Counts {
    let mut counts = Counts::default();
    let summaries = output.lines().filter(|line| line.trim_start().starts_with("Summary ["));
    for (_, list) in summaries.filter_map(|line| line.split_once(" run: ")) {
        counts += sum(list.split(','));
    }
    counts
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out`
pub fn cargo_test(output: &str) -> Counts {
    let mut counts = Counts::default();
    let results = output.lines().filter_map(|line| line.trim_start().strip_prefix("test result: "));
    for (_, list) in results.filter_map(|line| line.split_once(". ")) {
        counts += sum(list.split(';'));
    }
    counts
}

/// `# pass 3` in the TAP form, `ℹ pass 3` in the form for people.
pub fn node(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines().map(str::trim) {
        let Some(line) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else {
            continue;
        };
        let (word, number) = line.split_once(' ').unwrap_or_default();
        add(&mut counts, word, number.parse().unwrap_or(0));
    }
    counts
}

/// The names of the tests that failed, from lines like `not ok 3 - it connects`.
pub fn node_failures(output: &str) -> Vec<&str> {
    let failed = output.lines().filter_map(|line| line.strip_prefix("not ok "));
    failed.filter_map(|line| line.split_once(" - ")).map(|(_, name)| name).collect()
}

/// A pattern that fits this name of a test and no other.
pub fn exactly(name: &str) -> String {
    let plain = |it: char| it.is_alphanumeric() || it == ' ' || it == '-';
    let one = |it: char| if plain(it) { it.to_string() } else { format!("\\{it}") };
    format!("/^{}$/", name.chars().map(one).collect::<String>())
}

/// What is said of the tests that failed, without all that is said of the others.
pub fn node_reports(output: &str) -> String {
    let mut reports = Vec::new();
    let mut inside = false;
    for line in output.lines() {
        inside |= line.trim_start().starts_with("not ok ");
        if inside {
            reports.push(line);
        }
        inside &= line.trim() != "...";
    }
    reports.join("\n")
}

/// `3 passed, 0 failed` as the last line: what our own scripts end with.
pub fn last_line(output: &str) -> Counts {
    sum(output.trim_end().lines().next_back().unwrap_or_default().split(','))
}

/// `1 failed, 3 passed, 1 error in 0.12s` as the last line, perhaps between equals signs.
pub fn pytest(output: &str) -> Counts {
    let line = output.trim_end().lines().next_back().unwrap_or_default();
    let (counted, _time) = line.trim_matches(['=', ' ']).rsplit_once(" in ").unwrap_or_default();
    sum(counted.split(','))
}

fn sum<'a>(parts: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        let (number, words) = part.trim().split_once(' ').unwrap_or_default();
        let word = words.split(" (").next().unwrap_or_default();
        add(&mut counts, word, number.parse().unwrap_or(0));
    }
    counts
}

fn add(counts: &mut Counts, word: &str, number: u64) {
    match word {
        "passed" | "pass" => counts.passed += number,
        "failed" | "fail" | "cancelled" | "timed out" | "exec failed" | "error" | "errors" => {
            counts.failed += number;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_named_and_told() {
        let output =
            "ok 1 - a\n  ---\n  ...\nnot ok 2 - b-11 it (c)\n  ---\n  error: x\n  ...\n# pass 1";
        assert_eq!(node_failures(output), ["b-11 it (c)"]);
        assert_eq!(node_reports(output), "not ok 2 - b-11 it (c)\n  ---\n  error: x\n  ...");
        assert_eq!(exactly("b-11 it (c)"), r"/^b-11 it \(c\)$/");
    }

    #[test]
    fn nextest_summary_is_read_with_every_kind_of_failure() {
        let line = "     Summary [   1.2s] 9 tests run: 4 passed (1 slow, 1 flaky), 2 failed, \
                    1 timed out, 2 exec failed, 5 skipped";
        assert_eq!(nextest(line), Counts { passed: 4, failed: 5 });
        assert_eq!(
            nextest("Summary [ 0.1s] 1 test run: 1 passed"),
            Counts { passed: 1, failed: 0 }
        );
    }

    #[test]
    fn cargo_test_results_are_summed_over_binaries() {
        let text = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured\n\
                    test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(cargo_test(text), Counts { passed: 4, failed: 2 });
    }

    #[test]
    fn node_counts_are_read_in_both_forms_and_cancelled_means_failed() {
        let tap = "ok 1 - passes\n# tests 4\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 3\n";
        assert_eq!(node(tap), Counts { passed: 2, failed: 2 });
        assert_eq!(node("ℹ tests 1\nℹ pass 1\nℹ fail 0\n"), Counts { passed: 1, failed: 0 });
    }

    #[test]
    fn a_script_counts_by_its_last_line_alone() {
        let text = "1 passed, 1 failed\n12 passed, 3 failed\n";
        assert_eq!(last_line(text), Counts { passed: 12, failed: 3 });
    }

    #[test]
    fn pytest_counts_are_read_and_errors_mean_failed() {
        let line = "== 2 failed, 59 passed, 3 skipped, 1 error in 4.10s (0:00:04) ==\n";
        assert_eq!(pytest(line), Counts { passed: 59, failed: 3 });
        assert_eq!(pytest("61 passed in 5.29s"), Counts { passed: 61, failed: 0 });
    }

    #[test]
    fn output_without_a_summary_counts_nothing() {
        let text = "error: could not compile `x` due to 3 previous errors";
        assert_eq!(nextest(text), Counts::default());
        assert_eq!(cargo_test(text), Counts::default());
        assert_eq!(node(text), Counts::default());
        assert_eq!(last_line(text), Counts::default());
        assert_eq!(pytest(text), Counts::default());
    }
}
