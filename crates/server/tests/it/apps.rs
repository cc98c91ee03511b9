//! The catalogue and the project's own OAuth clients, over HTTP.

use grantkeep::projects::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, worlds};

/// Every field that strict clients refuse to do without.
const APP_FIELDS: [&str; 9] = [
    "name_slug",
    "name",
    "auth_type",
    "img_src",
    "custom_fields_json",
    "categories",
    "featured_weight",
    "scope_profiles",
    "connect",
];

#[tokio::test]
async fn apps_are_listed_with_all_that_strict_clients_need() {
    let world = World::sqlite(&[]).await;
    let mut seen = Vec::new();
    let mut path = "/v1/connect/apps?limit=100&sort_key=name_slug&sort_direction=asc".to_owned();
    let start = path.clone();
    loop {
        let page = world.get(&path).await.json();
        for app in page["data"].as_array().unwrap() {
            for field in APP_FIELDS {
                assert!(!app[field].is_null(), "{field} of {app}");
            }
            let fields: Value =
                serde_json::from_str(app["custom_fields_json"].as_str().unwrap()).unwrap();
            assert!(fields.is_array());
            seen.push(app["name_slug"].as_str().unwrap().to_owned());
        }
        match page["page_info"]["end_cursor"].as_str() {
            Some(cursor) => path = format!("{start}&after={cursor}"),
            None => break,
        }
    }
    assert!(seen.len() >= 60, "{}", seen.len());
    assert!(seen.is_sorted(), "{seen:?}");
    let connect = world.connect_token("ada").await;
    let by_browser = world.call(Method::GET, "/v1/connect/apps", Some(&connect), None).await;
    assert_eq!(by_browser.status, 200);
    assert_eq!(world.call(Method::GET, "/v1/connect/apps", None, None).await.status, 401);
}

#[tokio::test]
async fn an_app_is_found_by_slug_by_id_and_by_search() {
    let world = World::sqlite(&[]).await;
    let by_slug = world.get("/v1/connect/apps/slack").await.json();
    assert_eq!(by_slug["data"]["name"], "Slack");
    let id = by_slug["data"]["id"].as_str().unwrap();
    let by_id = world.get(&format!("/v1/connect/apps/{id}")).await.json();
    assert_eq!(by_id, by_slug);
    assert_eq!(world.get("/v1/apps/slack").await.json(), by_slug);
    let found = world.get("/v1/connect/apps?q=goog").await.json();
    let names: Vec<_> = found["data"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert!(names.iter().any(|it| it.as_str().unwrap().contains("Google")), "{names:?}");
    for (path, status, code) in [
        ("/v1/connect/apps/nothing", 404, "app_not_found"),
        ("/v1/connect/apps?sort_key=size", 400, "invalid_parameter"),
        ("/v1/connect/apps?sort_direction=up", 400, "invalid_parameter"),
        ("/v1/connect/apps?limit=0", 400, "invalid_limit"),
        ("/v1/connect/apps?limit=ten", 400, "invalid_limit"),
    ] {
        let reply = world.get(path).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code.into()), "{path}");
    }
}

#[tokio::test]
async fn categories_are_bare_and_filter_the_list() {
    let world = World::sqlite(&[]).await;
    let all = world.get("/v1/connect/app_categories").await.json();
    let first = &all.as_array().unwrap()[0];
    let id = first["id"].as_str().unwrap();
    assert_eq!(world.get(&format!("/v1/connect/app_categories/{id}")).await.json(), *first);
    let misspelt = id.replace("appcat_", "appcar_");
    assert_eq!(world.get(&format!("/v1/connect/app_categories/{misspelt}")).await.json(), *first);
    assert_eq!(world.get("/v1/connect/app_categories/appcat_x").await.status, 404);
    assert_eq!(world.get("/v1/connect/app_categories/%FF").await.code(), "not_found");
    let total = async |path: &str| world.get(path).await.json()["page_info"]["total_count"].clone();
    let every = total("/v1/connect/apps").await.as_i64().unwrap();
    let some = total(&format!("/v1/connect/apps?category_ids={id}")).await.as_i64().unwrap();
    assert!((0..every).contains(&some), "{some} of {every}");
    let all = total("/v1/connect/apps?has_components=true").await.as_i64().unwrap();
    let actions = total("/v1/connect/apps?has_actions=true").await.as_i64().unwrap();
    let triggers = total("/v1/connect/apps?has_triggers=true").await.as_i64().unwrap();
    assert!(0 < triggers && 0 < actions && all >= actions.max(triggers) && all < every);
    let listed = world.get("/v1/connect/apps?has_actions=true&limit=100").await.json();
    let slugs = |it: &Value| it["name_slug"].as_str().unwrap().to_owned();
    let slugs: Vec<String> = listed["data"].as_array().unwrap().iter().map(slugs).collect();
    assert_eq!(slugs.len(), usize::try_from(actions).unwrap());
    assert!(slugs.contains(&"slack".to_owned()), "{slugs:?}");
}

#[tokio::test]
async fn lists_are_filtered_by_kind_and_by_how_well_an_app_is_known() {
    let world = World::sqlite(&[]).await;
    let total = async |query: &str| {
        let reply = world.get(&format!("/v1/connect/apps?limit=1&{query}")).await.json();
        reply["page_info"]["total_count"].as_i64().unwrap()
    };
    let every = total("").await;
    let mut kinds = 0;
    for kind in ["oauth", "keys", "none"] {
        let some = total(&format!("auth_type={kind}")).await;
        assert!((1..every).contains(&some), "{some} of {every} by {kind}");
        kinds += some;
    }
    assert_eq!(kinds, every);
    let known = total("evidence=confirmed").await + total("evidence=single_source").await;
    assert_eq!(known, every, "what is incomplete is not listed");
    assert!(total("include_unconnectable=true").await > every);
    assert!(total("evidence=incomplete").await > 0);
    assert!(total("confirmed_min=2").await > total("confirmed_min=5").await);
    let found = world.get("/v1/connect/apps?q=githb").await.json();
    assert_eq!(found["data"][0]["name_slug"], "github", "errors are forgiven");
    assert_eq!(found["data"][0]["evidence"]["status"], "confirmed");
    for query in ["auth_type=magic", "evidence=perhaps", "confirmed_min=many"] {
        let reply = world.get(&format!("/v1/connect/apps?{query}")).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_parameter".into()));
    }
}

#[tokio::test]
async fn an_app_of_which_too_little_is_known_says_what_is_missing() {
    let world = World::sqlite(&[]).await;
    let path = "/v1/connect/apps?limit=1&evidence=incomplete&auth_type=oauth";
    let app = world.get(path).await.json()["data"][0].clone();
    assert_eq!(app["evidence"]["connectable"], false);
    let reply = world.post(&world.path("/oauth_apps"), json!({ "app": app["name_slug"] })).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (400, "app_incomplete".into()));
    assert!(reply.text.contains("Missing: "), "{reply:?}");
}

#[tokio::test]
async fn an_oauth_client_is_entered_in_two_steps_and_never_shows_its_secret() {
    for world in worlds().await {
        let list = world.path("/oauth_apps");
        let made = world.post(&list, json!({ "app": "github" })).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let expected = format!("{}/connect/oauth/{id}/callback", world.url);
        assert_eq!(made.json()["redirect_uri"], expected);
        let one = format!("{list}/{id}");
        let secret = "canary-of-the-client-secret";
        let body = json!({ "client_id": "cid", "client_secret": secret, "scopes": ["repo"] });
        let put = world.call(Method::PUT, &one, Some(&world.project.token), Some(body)).await;
        assert_eq!((put.status.as_u16(), &put.json()["scopes"]), (200, &json!(["repo"])));
        let blank = json!({ "name": "Ours", "client_secret": "" });
        let put = world.call(Method::PUT, &one, Some(&world.project.token), Some(blank)).await;
        assert_eq!(put.json()["name"], "Ours");
        let read = world.get(&one).await;
        assert!(!read.text.contains("canary"), "{read:?}");
        assert_eq!(read.json()["client_id"], "cid");
        let project = &world.project.id;
        let kept = grantkeep::apps::find_oauth_app(&world.app, project, &id).await.unwrap();
        let kept = grantkeep::apps::oauth_app_secret(&world.app, &kept).await.unwrap().unwrap();
        assert_eq!(kept.expose(), secret, "a blank secret keeps the stored one");
        assert_eq!(world.get(&list).await.json()["page_info"]["total_count"], 1);
        let info = world.get(&world.path("/projects/info")).await.json();
        assert_eq!(info["apps"], json!([{ "id": id, "name_slug": "github" }]));
        assert_eq!(world.delete(&one).await.status, 204);
        assert_eq!(world.get(&one).await.status, 404);
    }
}

#[tokio::test]
async fn b_04_a_registration_belongs_to_one_project() {
    for world in worlds().await {
        let body = json!({ "app": "github", "client_id": "shared", "client_secret": "s" });
        let made = world.post(&world.path("/oauth_apps"), body.clone()).await;
        assert_eq!(made.status, 201);
        let other = world.another_project(Settings::default()).await;
        let path = format!("/v1/connect/{}/oauth_apps", other.id);
        let ask = || world.call(Method::POST, &path, Some(&other.token), Some(body.clone()));
        assert_eq!(ask().await.code(), "invalid_field");
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(world.delete(&world.path(&format!("/oauth_apps/{id}"))).await.status, 204);
        assert_eq!(ask().await.status, 201, "freed when its owner gave it up");
    }
}

#[tokio::test]
async fn row_32_another_projects_client_looks_like_none() {
    for world in worlds().await {
        let made = world.post(&world.path("/oauth_apps"), json!({ "app": "github" })).await.json();
        let other = world.another_project(Settings::default()).await;
        let path = |id: &str| format!("/v1/connect/{}/oauth_apps/{id}", other.id);
        let id = made["id"].as_str().unwrap();
        let foreign = world.call(Method::GET, &path(id), Some(&other.token), None).await;
        let random = world.call(Method::GET, &path("oa_nothere"), Some(&other.token), None).await;
        assert_eq!((foreign.status.as_u16(), foreign.text), (404, random.text));
    }
}

#[tokio::test]
async fn an_app_with_keys_takes_no_oauth_client() {
    let world = World::sqlite(&[]).await;
    let reply = world.post(&world.path("/oauth_apps"), json!({ "app": "sim_keys" })).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_field".into()));
}
