//! Projects over HTTP.

use grantkeep::scope::Scopes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, worlds};

/// An access token that reaches every project.
async fn everywhere(world: &World) -> String {
    let scopes = Scopes::parse("*").unwrap();
    let made = grantkeep::projects::create_client(&world.app, None, "all", &scopes).await.unwrap();
    let body = json!({ "grant_type": "client_credentials", "client_id": made.client.id,
        "client_secret": made.secret.expose() });
    let reply = world.call(Method::POST, "/v1/oauth/token", None, Some(body)).await;
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_project_is_made_changed_shown_and_deleted() {
    for world in worlds().await {
        let all = everywhere(&world).await;
        let call =
            async |method, path: &str, body| world.call(method, path, Some(&all), body).await;
        let list = "/v1/connect/projects";
        let body = json!({ "name": "Second", "app_name": "Second Thing",
            "support_email": "help@second.example", "connect_require_key_auth_test": true });
        let made = call(Method::POST, list, Some(body)).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let one = format!("{list}/{id}");
        assert_eq!(call(Method::GET, &one, None).await.json(), made.json());
        let change = json!({ "app_name": null, "name": "Renamed" });
        let changed = call(Method::PATCH, &one, Some(change)).await.json();
        assert_eq!((&changed["name"], &changed["app_name"]), (&json!("Renamed"), &json!(null)));
        assert_eq!(changed["support_email"], "help@second.example", "absent leaves as it is");
        // Null takes away what may be absent, and leaves what may not.
        let nulls = json!({ "name": null, "support_email": null,
            "connect_require_key_auth_test": null, "verify_url": null, "scope_choice": null });
        let left = call(Method::PATCH, &one, Some(nulls)).await.json();
        assert_eq!((&left["name"], &left["support_email"]), (&json!("Renamed"), &json!(null)));
        assert_eq!(left["connect_require_key_auth_test"], true);
        let same = call(Method::PATCH, &one, Some(json!({}))).await.json();
        assert_eq!(same, left);
        let found = call(Method::GET, "/v1/connect/projects?q=renam", None).await.json();
        assert_eq!(found["page_info"]["total_count"], 1);
        assert_eq!(call(Method::DELETE, &one, None).await.status, 204);
        assert_eq!(call(Method::DELETE, &one, None).await.status, 404);
    }
}

#[tokio::test]
async fn bad_values_are_refused_and_name_their_field() {
    let world = World::sqlite(&[]).await;
    let all = everywhere(&world).await;
    for (body, field) in [
        (json!({ "name": " " }), "name"),
        (json!({ "name": "x".repeat(121) }), "name"),
        (json!({ "name": "a\u{202e}b" }), "name"),
        (json!({ "name": "x", "support_email": "nobody" }), "support_email"),
    ] {
        let reply = world.call(Method::POST, "/v1/connect/projects", Some(&all), Some(body)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_field".into()));
        assert_eq!(reply.json()["details"]["field"], field);
    }
}

#[tokio::test]
async fn a_client_of_one_project_makes_and_sees_no_others() {
    for world in worlds().await {
        let made = world.post("/v1/connect/projects", json!({ "name": "x" })).await;
        assert_eq!((made.status.as_u16(), made.code()), (403, "scope_missing".into()));
        world.another_project(grantkeep::projects::Settings::default()).await;
        let list = world.get("/v1/connect/projects").await.json();
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        assert_eq!(list["data"][0]["id"], world.project.id.as_str());
    }
}

/// Of more clients than a page holds.
#[tokio::test]
async fn projects_info_names_every_client() {
    use grantkeep::apps::{Edit, create_oauth_app};
    for world in worlds().await {
        let mut made = std::collections::BTreeSet::new();
        for nth in 0..101 {
            let edit = Edit { client_id: Some(format!("c{nth}")), ..Edit::default() };
            let (app, project) = (&world.app, &world.project.id);
            made.insert(create_oauth_app(app, project, "sim_static", edit).await.unwrap().id);
        }
        let browser = world.connect_token("ada").await;
        let paths = [world.path("/projects/info"), "/v1/connect/projects/info".to_owned()];
        for (path, bearer) in paths.iter().zip([&world.project.token, &browser]) {
            let info = world.call(Method::GET, path, Some(bearer), None).await.json();
            let apps = info["apps"].as_array().unwrap();
            let ids = apps.iter().map(|it| it["id"].as_str().unwrap());
            assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), made.len());
            assert!(apps.iter().all(|it| it["name_slug"] == "sim_static"), "{info}");
        }
    }
}

#[tokio::test]
async fn a_logo_is_an_image_and_is_served_as_one() {
    for world in worlds().await {
        let path = format!("/v1/connect/projects/{}/logo", world.project.id);
        let pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD\
                     hgGAWjR9awAAAABJRU5ErkJggg==";
        let set =
            world.post(&path, json!({ "logo": format!("data:image/png;base64,{pixel}") })).await;
        assert_eq!((set.status.as_u16(), set.text.as_str()), (200, ""));
        let shown = format!("/_static/logo/{}", world.project.id);
        let shown = world.call(Method::GET, &shown, None, None).await;
        assert_eq!(shown.headers["content-type"], "image/png");
        assert_eq!(shown.headers["content-security-policy"], "default-src 'none'; sandbox");
        let svg = "data:image/svg+xml;base64,PHN2Zy8+";
        let lie = format!("data:image/jpeg;base64,{pixel}");
        // Its other name is one too; what it holds decides.
        let jpeg = "data:image/jpg;base64,/9j/4AAQSkZJRg==";
        assert_eq!(world.post(&path, json!({ "logo": jpeg })).await.status, 200);
        for logo in [svg, &lie, "https://x.example/a.png", "data:image/png;base64,AA==", ""] {
            let reply = world.post(&path, json!({ "logo": logo })).await;
            assert_eq!(
                (reply.status.as_u16(), reply.code()),
                (400, "invalid_field".into()),
                "{logo}"
            );
        }
    }
}

#[tokio::test]
async fn development_takes_as_many_users_as_the_project_says() {
    for world in worlds().await {
        let path = format!("/v1/connect/projects/{}", world.project.id);
        let limit = async |most: Value| {
            let body = json!({ "development_users_max": most });
            let reply = world.call(Method::PATCH, &path, Some(&world.project.token), Some(body));
            let reply = reply.await;
            assert_eq!(reply.json()["development_users_max"], most, "{reply:?}");
        };
        let token = async |user: String| {
            world.post(&world.path("/tokens"), json!({ "external_user_id": user })).await
        };
        limit(json!(2)).await;
        for user in ["a", "b", "a"] {
            assert_eq!(token(user.into()).await.status, 200);
        }
        let refused = token("c".into()).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.code(), "too_many_development_users");
        let users = world.get(&world.path("/users")).await.json();
        assert_eq!(users["page_info"]["total_count"], 2, "nothing is left of it: {users}");

        limit(json!(5)).await;
        let many = (0..12).map(|it| token(format!("at-once-{it}")));
        let many = futures::future::join_all(many).await;
        assert_eq!(many.iter().filter(|it| it.status == 200).count(), 3, "no place twice");
        limit(json!(null)).await;
        assert_eq!(token("c".into()).await.status, 200);
    }
}
