//! The files in `apps/` and `icons/`, compiled in by `build.rs`.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The SVG text of an icon, by its name in Simple Icons.
pub(crate) fn icon(name: &str) -> Option<&'static str> {
    let path = format!("icons/{name}.svg");
    let at = ICON_FILES.binary_search_by(|(it, _)| (*it).cmp(path.as_str())).ok()?;
    ICON_FILES.get(at).map(|(_, text)| *text)
}
