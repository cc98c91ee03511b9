//! A server that is root: as whom its workers run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::publishing::action;
use crate::world::worlds;

/// Where ids for workers begin.
const FIRST: u32 = 1_900_000_000;

/// The host's user ids of the Node processes below this one.
fn users_of_workers() -> BTreeSet<u32> {
    let mut left = vec![std::process::id()];
    let mut found = BTreeSet::new();
    while let Some(pid) = left.pop() {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let own = PathBuf::from(format!("/proc/{pid}"));
        for task in std::fs::read_dir(own.join("task")).into_iter().flatten().flatten() {
            let children = read(&task.path().join("children"));
            left.extend(children.split_whitespace().map(|it| it.parse::<u32>().unwrap()));
        }
        if read(&own.join("cmdline")).contains("runner.mjs") {
            let status = read(&own.join("status"));
            let uids = status.lines().find_map(|it| it.strip_prefix("Uid:")).unwrap_or_default();
            found.extend(uids.split_whitespace().map(|it| it.parse::<u32>().unwrap()));
        }
    }
    found
}

/// What the processes of a data folder say of their files outside.
fn elsewhere(data: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(data.join("workers")).unwrap();
    let said = all.map(|it| std::fs::read_to_string(it.unwrap().path().join("elsewhere")));
    said.flatten().map(PathBuf::from).collect()
}

#[tokio::test]
async fn j_01_each_worker_of_root_has_a_user_of_its_own_and_the_data_stays_private() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if !rustix::process::geteuid().is_root() {
        // Only root can give away user ids.
        return;
    }
    for world in worlds().await {
        let data = world.app.config.data_dir.clone();
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
        for name in ["one", "two"] {
            let text = action(name, "0.0.1", "props: {}, async run() { return 1; }");
            let key = world.published(&text).await;
            let reply = world.run_action(&key, json!({})).await;
            assert_eq!(reply.json()["ret"], 1, "{reply:?}");
        }
        let users = users_of_workers();
        assert!(users.len() >= 2 && users.iter().all(|it| *it >= FIRST), "{users:?}");
        let there = elsewhere(&data);
        assert_eq!(there.len(), 1);
        let metadata = there[0].metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (0, 0o711));
        assert_eq!(data.metadata().unwrap().mode() & 0o7777, 0o700);
        world.app.close().await;
        assert!(!there[0].exists());
    }
}
