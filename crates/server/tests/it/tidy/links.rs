//! Links between the documents lead somewhere.

use super::none;
use super::sources::{Source, root, walk};

/// The targets of `[text](target)` in a document, without code blocks and without the web.
fn targets(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in source.numbered() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        for (at, _) in line.match_indices("](").filter(|_| !in_code) {
            let target = line[at + 2..].split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The name by which a heading can be linked to, as the usual hosts make it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|it| it.is_alphanumeric() || *it == '-' || *it == '_').collect()
}

fn has_anchor(document: &str, wanted: &str) -> bool {
    document.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == wanted)
}

#[test]
fn every_link_leads_somewhere() {
    let mut breaches = Vec::new();
    for source in walk(".", &["md"]) {
        let folder = root().join(&source.path).parent().unwrap().to_path_buf();
        for (number, target) in targets(&source) {
            let (path, wanted) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { root().join(&source.path) } else { folder.join(path) };
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if !file.exists() || !(wanted.is_empty() || has_anchor(&text, wanted)) {
                breaches.push(format!("{}:{number} {target}", source.path));
            }
        }
    }
    none(&breaches, "A link in a document leads to no file or no heading:");
}

#[test]
fn anchors_are_made_as_hosts_make_them() {
    assert_eq!(anchor("## Who may call whom?"), "who-may-call-whom");
    assert!(has_anchor("# One\n\n## The `demo`, once\n", "the-demo-once"));
}
