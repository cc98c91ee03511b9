//! A name as search sees it. Read by the build script too, so it uses nothing of this crate.

/// Between two names of one app in a folded text; words of a name are parted by a space.
pub(crate) const NAMES: char = '\n';

/// Lower-case letters and digits; whatever stands between them becomes one space.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            folded.extend(letter.to_lowercase());
        } else if !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// All names of an app, each once.
pub(crate) fn fold_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut folded: Vec<String> = Vec::new();
    for name in names.into_iter().map(fold) {
        if !name.is_empty() && !folded.contains(&name) {
            folded.push(name);
        }
    }
    folded.join(&NAMES.to_string())
}
