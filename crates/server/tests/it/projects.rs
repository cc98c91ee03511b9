//! Projects over HTTP.

use grantkeep::scope::Scopes;
use reqwest::Method;
use serde_json::json;

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
