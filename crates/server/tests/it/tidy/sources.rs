//! The files of the clone, and the little reading of Rust and SQL that the rules need.

use std::path::{Path, PathBuf};

/// Never read: fetched, built, or not ours. `target` is a module's name too, below `src`.
const SKIPPED: [&str; 6] = ["target", "node_modules", ".git", "dist", "failures", "snapshots"];

pub struct Source {
    /// From the root of the clone, with `/`.
    pub path: String,
    pub text: String,
}

/// The root of the clone.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file under the folder with one of the extensions, in order of path.
pub fn walk(folder: &str, extensions: &[&str]) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let own = name == "target" && folder.ends_with("proxy");
            if path.is_dir() && (own || !SKIPPED.contains(&name.as_str())) {
                folders.push(path);
            } else if path.extension().is_some_and(|it| extensions.iter().any(|want| it == *want)) {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Source {
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The first step under `src/`: `accounts` for `crates/server/src/accounts/refresh.rs`.
    pub fn module(&self) -> String {
        let inside = self.path.split("/src/").nth(1).unwrap_or_default();
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()
    }

    /// Lines before the tests, without their comments.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let mark = if self.is_sql() { "--" } else { "//" };
        let lines = self.numbered().take_while(|(_, line)| *line != "#[cfg(test)]");
        lines.map(move |(number, line)| (number, without_comment(line, mark)))
    }

    fn is_sql(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|it| it == "sql")
    }

    /// Each line of code that has one of the words, as `path:line word`.
    pub fn code_with_any(&self, words: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (number, line) in self.code() {
            let parts = line.split(|it: char| !it.is_alphanumeric() && it != '_');
            for word in parts.filter(|part| words.contains(part)) {
                found.push(format!("{}:{number} {word}", self.path));
            }
        }
        found
    }

    /// Each line of code with SQL in it.
    pub fn sql(&self) -> Vec<String> {
        let starts = ["\"select ", "\"insert into ", "\"update ", "\"delete from ", "sqlx::query"];
        let has = |line: &str| {
            let line = line.to_ascii_lowercase();
            starts.iter().any(|start| line.contains(start))
        };
        let lines = self.code().filter(|(_, line)| has(line));
        lines.map(|(number, line)| format!("{}:{number} {}", self.path, line.trim())).collect()
    }
}

/// Cuts a comment off, but not the `//` of a URL.
fn without_comment<'a>(line: &'a str, mark: &str) -> &'a str {
    let starts = line.match_indices(mark).map(|(at, _)| at);
    let mut real = starts.filter(|at| !line[..*at].ends_with(':'));
    real.next().map_or(line, |at| &line[..at])
}

#[test]
fn a_url_is_no_comment() {
    assert_eq!(without_comment("let a = \"https://b\"; // c", "//"), "let a = \"https://b\"; ");
    assert_eq!(without_comment("a text, -- b", "--"), "a text, ");
}
