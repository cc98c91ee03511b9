//! The components that are shipped: described as they are, and each to be found.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use grantkeep::components::{Publication, describe, index};

use crate::tidy::none;
use crate::tidy::sources::{root, walk};
use crate::world::World;

/// Components that are loaded at once.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn the_index_says_what_the_shipped_components_say() {
    let world = World::sqlite(&[]).await;
    let sources = walk("components", &["mjs", "cjs", "js", "json"]);
    let texts: BTreeMap<String, String> = sources
        .into_iter()
        .map(|it| (it.path.trim_start_matches("components/").to_owned(), it.text))
        .collect();
    let mut stale = Vec::new();
    let entry = |path: &&String| {
        let parts: Vec<&str> = path.split('/').collect();
        matches!(parts.as_slice(), [_, "actions" | "sources", folder, file]
            if file.strip_suffix(".mjs") == Some(folder))
    };
    let mut all = Vec::new();
    let known: BTreeMap<_, _> = index().into_iter().map(|it| (it.entry, it.component)).collect();
    for path in texts.keys().filter(entry) {
        let files = grantkeep::components::closure(path, |it| texts.get(it).map(String::as_str));
        let files = files.into_iter().map(|it| (it.clone(), texts[&it].clone().into())).collect();
        all.push(Publication { files, entry: path.clone(), ..Publication::default() });
    }
    let app = &world.app;
    let described = stream::iter(&all).map(|it| async move { (it, describe(app, it).await) });
    let mut described = described.buffered(AT_ONCE);
    while let Some((new, found)) = described.next().await {
        let path = &new.entry;
        match found {
            Ok(found) if known.get(path) == Some(&found) => {}
            Ok(_) => stale.push(format!("{path}: run `cargo xtask components`")),
            Err(error) => stale.push(format!("{path}: {error}")),
        }
    }
    let gone = known.keys().filter(|it| !texts.contains_key(*it));
    stale.extend(gone.map(|it| format!("{it} is gone: run `cargo xtask components`")));
    none(&stale, "components/index.json is stale:");
    assert!(root().join("components/index.json").is_file());
    for it in known.values() {
        let key = it.key.as_deref().unwrap();
        let found = world.get(&world.path(&format!("/components/{key}"))).await;
        assert_eq!(found.status, 200, "{key}");
    }
}
