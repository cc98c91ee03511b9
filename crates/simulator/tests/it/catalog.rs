use toml::Value;

use crate::world::World;

#[tokio::test]
async fn the_app_files_name_endpoints_that_answer() {
    let world = World::new().await;
    let files = world.simulator.catalog_files();
    assert_eq!(files.len(), 10);
    for (slug, text) in files {
        let file: Value = toml::from_str(&text).unwrap();
        assert_eq!(file["slug"].as_str(), Some(slug.as_str()));
        let fill = |url: &Value| url.as_str().unwrap().replace("${workspace}", "acme");
        let verify = fill(&file["verify"]["url"]);
        assert_eq!(world.get(&verify).await.status(), 401, "{verify}");
        if let Some(oauth2) = file.get("oauth2") {
            let authorize = fill(&oauth2["authorization_url"]);
            assert_eq!(world.get(&authorize).await.status(), 400, "{authorize}: no client");
            for url in [Some(&oauth2["token_url"]), oauth2.get("revocation").map(|it| &it["url"])] {
                let Some(url) = url.map(fill) else { continue };
                assert_ne!(world.http.post(&url).send().await.unwrap().status(), 404, "{url}");
            }
        }
    }
}
