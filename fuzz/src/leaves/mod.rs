//! What the leaves read of what others wrote.

pub mod callback;
pub mod catalog_file;
pub mod challenge;
pub mod endpoint;
pub mod host_rule;
pub mod key_form;
pub mod metadata;
pub mod oauth1_answer;
pub mod revocation_answer;
pub mod root_key;
pub mod sealed_value;
pub mod signing_key;
pub mod template;
pub mod token_answer;

/// A target's name, which is that of its corpus too, and its body.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 14] = [
    ("callback", callback::run),
    ("catalog_file", catalog_file::run),
    ("challenge", challenge::run),
    ("endpoint", endpoint::run),
    ("host_rule", host_rule::run),
    ("key_form", key_form::run),
    ("metadata", metadata::run),
    ("oauth1_answer", oauth1_answer::run),
    ("revocation_answer", revocation_answer::run),
    ("root_key", root_key::run),
    ("sealed_value", sealed_value::run),
    ("signing_key", signing_key::run),
    ("template", template::run),
    ("token_answer", token_answer::run),
];

/// When the answers of the corpus were received. Milliseconds since 1970.
const NOW_MS: i64 = 1_700_000_000_000;

/// The first line, and the rest.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|it| *it == b'\n');
    end.map_or((data, &[]), |at| (&data[..at], &data[at + 1..]))
}

/// What one byte chooses; `0` is the first.
fn chosen<'a, T>(byte: Option<&u8>, choices: &'a [T]) -> &'a T {
    &choices[usize::from(byte.copied().unwrap_or(b'0').wrapping_sub(b'0')) % choices.len()]
}

/// A message that came from outside and may be shown as text.
fn assert_message(text: &str, chars_max: usize) {
    assert!(text.chars().count() <= chars_max, "{} characters", text.chars().count());
    let reorders = |it: char| matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.chars().any(|it| it.is_control() || reorders(it)), "{text:?}");
}
