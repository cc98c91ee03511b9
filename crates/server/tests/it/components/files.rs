//! Files and values that runs hand on: the stash and data stores.

use serde_json::{Value, json};

use super::publishing::action;
use crate::world::{worlds, worlds_with};

#[tokio::test]
async fn files_of_a_stash_go_into_the_run_and_new_ones_come_out() {
    for world in worlds().await {
        let rest = "async run() {
            const fs = await import('node:fs/promises');
            const before = await fs.readdir('/tmp/stash').catch(() => []);
            await fs.mkdir('/tmp/stash', { recursive: true });
            await fs.writeFile(`/tmp/stash/report-${before.length}.txt`, `n${before.length}`);
            return before.sort();
          }";
        let key = world.published(&action("file", "0.0.1", rest)).await;
        let run = async |stash: Value| {
            let body = json!({ "id": key, "external_user_id": "ada", "stash_id": stash });
            world.post(&world.path("/actions/run"), body).await
        };
        let first = run(json!("NEW")).await.json();
        let id = first["stash_id"].as_str().unwrap_or_else(|| panic!("{first}")).to_owned();
        assert_eq!((&first["stashId"], &first["ret"]), (&json!(id), &json!([])), "{first}");
        let upload = &first["exports"]["$filestash_uploads"][0];
        assert_eq!(upload["localPath"], "/tmp/report-0.txt", "{first}");
        assert!(upload["s3Key"].as_str().unwrap().ends_with(&format!("{id}/u/report-0.txt")));
        let link = world.http.get(upload["get_url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(link.text().await.unwrap(), "n0");
        let second = run(json!(id)).await.json();
        assert_eq!(second["ret"], json!(["report-0.txt"]), "{second}");
        assert_eq!(second["stash_id"], json!(id));
        for none in [Value::Null, json!(false)] {
            assert_eq!(run(none).await.json()["stash_id"], Value::Null);
        }
        assert_eq!(run(json!("../../etc")).await.code(), "invalid_field");
    }
}

#[tokio::test]
async fn a_file_is_there_until_the_one_that_takes_its_place_is_whole() {
    for world in worlds_with(&[("stash_file_bytes_max", "1024")]).await {
        let rest = "props: { size: \"integer\" }, async run() {
            const fs = await import('node:fs/promises');
            await fs.mkdir('/tmp/stash', { recursive: true });
            await fs.writeFile('/tmp/stash/a.txt', 'x'.repeat(this.size));
          }";
        let key = world.published(&action("write", "0.0.1", rest)).await;
        let run = async |stash: &str, size: usize| {
            let body = json!({ "id": key, "external_user_id": "ada", "stash_id": stash,
                "configured_props": { "size": size } });
            world.post(&world.path("/actions/run"), body).await.json()
        };
        let first = run("NEW", 10).await;
        let stash = first["stash_id"].as_str().unwrap_or_else(|| panic!("{first}"));
        let link = first["exports"]["$filestash_uploads"][0]["get_url"].as_str().unwrap();
        let length = async || {
            let file = world.http.get(link).send().await.unwrap();
            file.bytes().await.unwrap().len()
        };
        for (size, kept) in [(2_000, 10), (20, 20), (300, 300)] {
            run(stash, size).await;
            assert_eq!(length().await, kept);
            assert_eq!(world.count("select count(*) from stash_files").await, 1);
        }
    }
}

#[tokio::test]
async fn a_data_store_is_its_users_and_sealed() {
    for world in worlds().await {
        let rest = "props: { store: { type: \"data_store\" }, value: \"string\" },
          async run() {
            const before = await this.store.get('last');
            await this.store.set('last', { value: this.value });
            return { before: before ?? null, keys: await this.store.keys(),
              has: await this.store.has('none') };
          }";
        let key = world.published(&action("keep", "0.0.1", rest)).await;
        let run = async |user: &str, value: &str| {
            let body = json!({ "id": key, "external_user_id": user,
                "configured_props": { "store": "mine", "value": value } });
            world.post(&world.path("/actions/run"), body).await.json()["ret"].clone()
        };
        let first = run("ada", "canary-of-a-store").await;
        assert_eq!(first, json!({ "before": null, "keys": ["last"], "has": false }));
        assert_eq!(run("ada", "two").await["before"], json!({ "value": "canary-of-a-store" }));
        assert_eq!(run("grace", "three").await["before"], Value::Null);
        run("ada", "canary-of-a-store").await;
        let stored = world.dump("data_store_records").await;
        assert!(!stored.contains("canary"), "sealed");
    }
}
