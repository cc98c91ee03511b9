//! What is wrong with the YAML of a workflow's file, in words for whoever wrote it.

use serde::de::DeserializeOwned;
use serde_json::json;
use serde_saphyr::Error as Wrong;

use crate::error::{self, Result};

/// Letters by which a field's name may differ from the one that was meant.
const SLIPS_MAX: usize = 3;

/// Reads a file.
///
/// # Errors
/// [`error::WORKFLOW_BROKEN`], with the line and column where they are known.
pub(super) fn read<T: DeserializeOwned>(path: &str, text: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|it| {
        let it = it.without_snippet();
        let place = it.location().map(|it| json!({ "line": it.line(), "column": it.column() }));
        let at = it.location().map(|it| format!("{path}:{}:{}", it.line(), it.column()));
        let at = at.unwrap_or_else(|| path.to_owned());
        let why = said(it);
        let stop = if why.ends_with('?') { "" } else { "." };
        error::WORKFLOW_BROKEN
            .saying(format!("{at}: {why}{stop}"))
            .with(json!({ "file": path, "position": place, "message": why }))
    })
}

fn said(it: &Wrong) -> String {
    match it {
        Wrong::SerdeMissingField { field, .. } => format!("`{field}` is missing here"),
        Wrong::SerdeUnknownField { field, expected, .. } => unknown(field, expected),
        Wrong::SerdeUnknownVariant { variant, expected, .. } => {
            format!("`{variant}` is none of {}", listed(expected))
        }
        Wrong::SerdeInvalidType { unexpected, expected, .. }
        | Wrong::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("this must be {}, and is {}", wanted(expected), found(unexpected))
        }
        Wrong::Unexpected { expected, .. } => format!("this must be {}", wanted(expected)),
        Wrong::InvalidScalar { ty, .. } => format!("this must be {}", wanted(ty)),
        Wrong::DuplicateMappingKey { key: Some(key), .. } => format!("`{key}` stands here twice"),
        Wrong::NullIntoString { .. } => "this must be a text, and is empty".to_owned(),
        Wrong::Eof { .. } => "the file ends too early".to_owned(),
        Wrong::MultipleDocuments { .. } => "a file holds one workflow, without `---`".to_owned(),
        Wrong::UnknownAnchor { .. } => "no anchor of this name stands before".to_owned(),
        other => plain(&other.to_string()),
    }
}

/// A message that has no form of its own.
fn plain(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default().trim_end_matches('.');
    if first.contains("UsersText") {
        return "`users` is `all`, or `{ app: slack }`".to_owned();
    }
    // The place stands before it already.
    let first = first.split(" at line ").next().unwrap_or(first);
    format!("this cannot be read as YAML: {first}")
}

fn unknown(field: &str, all: &[&str]) -> String {
    let far = |it: &&str| strsim::osa_distance(field, it);
    let near = all.iter().map(|it| (far(it), *it)).min();
    match near.filter(|(far, _)| *far <= SLIPS_MAX.min(field.chars().count() / 2)) {
        Some((_, near)) => format!("there is no field `{field}`. Did you mean `{near}`?"),
        None if all.is_empty() => format!("there is no field `{field}` here, nor any other"),
        None => format!("there is no field `{field}` here. There are {}", listed(all)),
    }
}

fn listed(all: &[&str]) -> String {
    all.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}

/// What a field takes. Its type in our code says nothing to whoever wrote the file.
fn wanted(type_name: &str) -> &'static str {
    match type_name {
        "u32" | "i64" | "u64" | "usize" => "a whole number that is not negative",
        "bool" | "a boolean" | "boolean" => "`true` or `false`",
        "a string" | "string" | "str" | "String" | "scalar" | "string scalar" => "a text",
        "a sequence" | "sequence start" => "a list",
        "a map" | "mapping start" => "fields with values",
        _ if type_name.starts_with("struct ") => "fields with values",
        _ => "something else",
    }
}

fn found(unexpected: &str) -> String {
    let (kind, value) = unexpected.split_once(' ').unwrap_or((unexpected, ""));
    match kind {
        "string" => format!("the text {value}"),
        "integer" | "floating" => {
            format!("the number {}", value.trim_start_matches("point ").trim_matches('`'))
        }
        "boolean" => value.to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "fields with values".to_owned(),
        "unit" | "null" | "Option" => "empty".to_owned(),
        _ => unexpected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Sheet {
        name: String,
        #[serde(default)]
        runs: u32,
        #[serde(default)]
        kind: Kind,
        #[serde(default)]
        steps: Vec<Sheet>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        #[default]
        Newest,
        Oldest,
    }

    #[test]
    fn no_error_speaks_of_our_types() {
        for (text, wanted) in [
            ("nme: a", "x.yaml:1:1: there is no field `nme`. Did you mean `name`?"),
            ("name: a\ncolour: 1", "x.yaml:2:1: there is no field `colour` here. There are `name`"),
            ("runs: 1", "x.yaml:1:1: `name` is missing here."),
            ("name: a\nkind: best", "x.yaml:2:7: `best` is none of `newest`, `oldest`."),
            ("name: a\nruns: many", "x.yaml:2:7: this must be a whole number that is not negative"),
            ("name: a\nname: b", "x.yaml:2:1: `name` stands here twice."),
            ("name: a\nsteps: b", "x.yaml:2:8: this must be a list."),
            ("name: [a]", "x.yaml:1:7: this must be a text."),
            ("name: [", "x.yaml:"),
            ("- a", "x.yaml:1:"),
            ("a: b: c", "x.yaml:1:"),
            ("", "x.yaml"),
        ] {
            let error = read::<Sheet>("x.yaml", text).unwrap_err();
            let said = error.text();
            assert!(said.starts_with(wanted), "{text:?}: {said}");
            for word in ["struct", "u32", "enum", "variant", "expected", "unexpected", "serde"] {
                assert!(!said.contains(word), "{text:?}: {said}");
            }
        }
    }
}
