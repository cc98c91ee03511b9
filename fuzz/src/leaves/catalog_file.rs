//! An app's file. The first line is what the user types into its fields; the file follows.

use std::path::Path;

use grantkeep_catalog::check::{self, Severity};
use grantkeep_catalog::{Catalog, Options};

use super::line;

pub fn run(data: &[u8]) {
    let (first, rest) = line(data);
    let (Ok(typed), Ok(text)) = (std::str::from_utf8(first), std::str::from_utf8(rest)) else {
        return;
    };
    let slug = text.lines().find_map(|it| it.strip_prefix("slug = \"")?.strip_suffix('"'));
    let path = format!("apps/{}.toml", slug.unwrap_or("x"));
    let problems = check::file(&path, text, Options::default());
    for problem in &problems {
        assert!(!problem.wrong.is_empty() && !problem.fix.is_empty());
        assert!(problem.place.starts_with(&path), "{}", problem.place);
    }
    let wrong = problems.iter().any(|it| it.severity == Severity::Error);
    let catalog = Catalog::from_files([(path.as_str(), text)], Options::default());
    assert_eq!(catalog.is_err(), wrong, "checked and loaded by different rules");
    let Ok(catalog) = catalog else { return };
    let apps: Vec<_> = catalog.apps().collect();
    let [app] = apps.as_slice() else { panic!("one file, {} apps", apps.len()) };
    assert!(catalog.find(&app.slug).is_some() && catalog.find(&app.id).is_some());
    assert!(catalog.search(&app.name).iter().any(|it| it.slug == app.slug), "not found by name");
    let _ = (catalog.search(typed), Path::new(&path).file_stem());
    for field in &app.fields {
        if let Err(error) = field.check(typed) {
            // The error is the user's to read, and the value may be a secret.
            let told = error.to_string();
            assert!(!told.contains("the app's file is wrong"), "{told}");
        }
    }
}
