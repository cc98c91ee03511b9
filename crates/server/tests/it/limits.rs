//! How many requests may be made: what the operator sets, and what customers set themselves.

use grantkeep::projects::Settings;
use grantkeep::scope::Scopes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{PRODUCT_ORIGIN, Project, Reply, World, read, worlds, worlds_with};

const MINUTES_5_MS: i64 = 300_000;

/// Turns the clock to the beginning of a window, so that none ends meanwhile.
pub fn to_a_window(world: &World) {
    let clock = &world.app.clock;
    clock.shift(MINUTES_5_MS - clock.now_ms() % MINUTES_5_MS + 1_000);
}

#[track_caller]
fn standing(reply: &Reply) -> (u32, u32) {
    let number = |name: &str| {
        let value = reply.headers.get(name).unwrap_or_else(|| panic!("no {name}: {reply:?}"));
        value.to_str().unwrap().parse::<u32>().unwrap()
    };
    (number("x-ratelimit-limit"), number("x-ratelimit-remaining"))
}

/// The published form of a refusal, to the second.
#[track_caller]
fn throttled(world: &World, reply: &Reply, window_s: i64) {
    assert_eq!(reply.status, 429, "{reply:?}");
    assert_eq!(reply.json()["error"], "Throttled");
    assert_eq!(reply.code(), "rate_limited");
    assert_eq!(standing(reply).1, 0);
    let number = |name: &str| reply.headers[name].to_str().unwrap().parse::<i64>().unwrap();
    let (reset_s, wait_s) = (number("x-ratelimit-reset"), number("retry-after"));
    let now_s = world.app.clock.now_ms() / 1_000;
    assert!(reset_s % window_s == 0 && reset_s > now_s && reset_s <= now_s + window_s);
    assert!((1..=window_s).contains(&wait_s), "{wait_s}");
}

async fn by(world: &World, project: &Project, method: Method, rest: &str) -> Reply {
    let path = format!("/v1/connect/{}{rest}", project.id);
    world.call(method, &path, Some(&project.token), None).await
}

#[tokio::test]
async fn a_08_accounts_of_a_project_have_a_published_limit() {
    let settings = [("rate_limits", "true"), ("accounts_per_project_per_5_minutes_max", "3")];
    for world in worlds_with(&settings).await {
        to_a_window(&world);
        let own = &world.project;
        let first = by(&world, own, Method::GET, "/accounts").await;
        assert_eq!((first.status.as_u16(), standing(&first)), (200, (3, 2)));
        // Whatever the path, the method and the answer, and without a project in the path.
        let gone = by(&world, own, Method::DELETE, "/accounts/apn_none").await;
        assert_eq!((gone.status.as_u16(), standing(&gone)), (404, (3, 1)));
        let third = world.get("/v1/connect/users/ada/accounts").await;
        assert_eq!((third.status.as_u16(), standing(&third)), (200, (3, 0)));
        for rest in ["/accounts", "/users/ada/accounts", "/accounts/apn_none"] {
            throttled(&world, &by(&world, own, Method::GET, rest).await, 300);
        }
        // Nothing else is held up, and nobody else.
        assert_eq!(by(&world, own, Method::GET, "/users").await.status, 200);
        let other = world.another_project(Settings::default()).await;
        let reply = by(&world, &other, Method::GET, "/accounts").await;
        assert_eq!((reply.status.as_u16(), standing(&reply)), (200, (3, 2)));
        world.app.clock.shift(MINUTES_5_MS);
        let reply = by(&world, own, Method::GET, "/accounts").await;
        assert_eq!((reply.status.as_u16(), standing(&reply)), (200, (3, 2)));
    }
}

#[tokio::test]
async fn a_08_connect_tokens_have_a_limit_for_each_user() {
    let settings = [("rate_limits", "true"), ("connect_tokens_per_user_per_minute_max", "2")];
    for world in worlds_with(&settings).await {
        to_a_window(&world);
        let make = async |user: &str| {
            world.post(&world.path("/tokens"), json!({ "external_user_id": user })).await
        };
        assert_eq!(standing(&make("ada").await), (2, 1));
        assert_eq!(standing(&make("ada").await), (2, 0));
        throttled(&world, &make("ada").await, 60);
        assert_eq!(make("grace").await.status, 200);
        world.app.clock.shift(60_000);
        assert_eq!(make("ada").await.status, 200);
    }
}

#[tokio::test]
async fn a_08_the_published_limits_are_the_default() {
    use grantkeep::config::Config;
    use grantkeep::limits::{Limit, Quota};
    let published = Config::from_pairs(&[]).unwrap();
    let zero = Config::from_pairs(&[("proxy_per_project_per_5_minutes_max", "0")]).unwrap();
    let off = Config::from_pairs(&[("rate_limits", "false")]).unwrap();
    for (limit, most, window_s) in [
        (Limit::ConnectTokens, 100, 60),
        (Limit::Accounts, 2_000, 300),
        (Limit::ComponentsGet, 3_000, 300),
        (Limit::ComponentsPost, 2_000, 300),
        (Limit::Proxy, 1_000, 300),
    ] {
        assert_eq!(limit.quota(&published), Some(Quota { most, window_s }), "{limit:?}");
        assert_eq!(limit.quota(&off), None, "{limit:?}");
    }
    assert_eq!(Limit::Proxy.quota(&zero), None);
    let world = World::sqlite(&[]).await;
    let reply = by(&world, &world.project, Method::GET, "/accounts").await;
    assert!(!reply.headers.contains_key("x-ratelimit-limit"), "{reply:?}");
}

/// A browser reads the headers too, of good answers and of refusals.
#[tokio::test]
async fn a_08_pages_of_the_product_may_read_the_limit() {
    let settings = [("rate_limits", "true"), ("accounts_per_project_per_5_minutes_max", "1")];
    let world = World::sqlite(&settings).await;
    to_a_window(&world);
    let token = world.connect_token("ada").await;
    for status in [200, 429] {
        let request = world.http.get(format!("{}/v1/connect/accounts", world.url));
        let request = request.bearer_auth(&token).header("origin", PRODUCT_ORIGIN);
        let reply = read(request).await;
        assert_eq!(reply.status, status, "{reply:?}");
        standing(&reply);
        assert_eq!(reply.headers["access-control-allow-origin"], PRODUCT_ORIGIN);
        let exposed = reply.headers["access-control-expose-headers"].to_str().unwrap();
        for name in ["retry-after", "x-ratelimit-limit", "x-ratelimit-reset"] {
            assert!(exposed.split(", ").any(|it| it == name), "{name}: {exposed}");
        }
    }
}

async fn make(world: &World, bearer: &str, window_s: i64, requests: i64) -> Reply {
    let wish = json!({ "window_size_seconds": window_s, "requests_per_window": requests });
    world.call(Method::POST, "/v1/connect/rate_limits", Some(bearer), Some(wish)).await
}

async fn named(world: &World, bearer: &str, path: &str, limit: &str) -> Reply {
    let request = world.http.get(format!("{}{path}", world.url)).bearer_auth(bearer);
    let request = request.header("x-pd-environment", "development");
    read(request.header("x-pd-rate-limit", limit)).await
}

#[tokio::test]
async fn a_08_customers_set_limits_themselves_and_name_them() {
    for world in worlds().await {
        to_a_window(&world);
        let own = world.project.token.as_str();
        let made = make(&world, own, 60, 2).await;
        assert_eq!(made.status, 200, "{made:?}");
        let limit = made.json()["token"].as_str().unwrap().to_owned();
        let users = world.path("/users");
        assert_eq!(standing(&named(&world, own, &users, &limit).await), (2, 1));
        // All that name it share it: another route, a browser's token.
        let browser = world.connect_token("ada").await;
        let reply = named(&world, &browser, "/v1/connect/accounts", &limit).await;
        assert_eq!((reply.status.as_u16(), standing(&reply)), (200, (2, 0)));
        throttled(&world, &named(&world, own, &users, &limit).await, 60);
        assert_eq!(world.get(&users).await.status, 200, "without the header there is no limit");
        world.app.clock.shift(60_000);
        assert_eq!(named(&world, own, &users, &limit).await.status, 200);
        // Another project cannot use it up, see it or delete it.
        let other = world.another_project(Settings::default()).await;
        let foreign = format!("/v1/connect/{}/users", other.id);
        let unknown = named(&world, &other.token, &foreign, &limit).await;
        assert_eq!((unknown.status.as_u16(), unknown.code()), (400, "unknown_rate_limit".into()));
        let delete = format!("/v1/connect/rate_limits/{limit}");
        let list = "/v1/connect/rate_limits";
        let call = async |bearer: &str, method, path: &str| {
            world.call(method, path, Some(bearer), None).await
        };
        assert_eq!(call(&other.token, Method::DELETE, &delete).await.status, 404);
        assert_eq!(call(&other.token, Method::GET, list).await.json()["data"], json!([]));
        let listed = call(own, Method::GET, list).await.json();
        let expected = json!({ "token": limit, "window_size_seconds": 60,
            "requests_per_window": 2, "created_at": listed["data"][0]["created_at"] });
        assert_eq!(listed["data"], Value::Array(vec![expected]));
        assert_eq!(call(own, Method::DELETE, &delete).await.status, 204);
        assert_eq!(call(own, Method::DELETE, &delete).await.status, 404);
        assert_eq!(named(&world, own, &users, &limit).await.code(), "unknown_rate_limit");
        for junk in ["x", "rl_none", "rl_", ""] {
            let reply = named(&world, own, &users, junk).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "unknown_rate_limit".into()));
        }
    }
}

/// A client of no project makes limits for all of them.
#[tokio::test]
async fn a_08_a_limit_of_the_whole_server_is_every_projects() {
    for world in worlds().await {
        to_a_window(&world);
        let all = everywhere(&world).await;
        let limit = make(&world, &all, 300, 1).await.json()["token"].as_str().unwrap().to_owned();
        let other = world.another_project(Settings::default()).await;
        let users = |project: &Project| format!("/v1/connect/{}/users", project.id);
        let own = world.project.token.as_str();
        assert_eq!(named(&world, own, &users(&world.project), &limit).await.status, 200);
        let second = named(&world, &other.token, &users(&other), &limit).await;
        throttled(&world, &second, 300);
        let listed = world.call(Method::GET, "/v1/connect/rate_limits", Some(own), None).await;
        assert_eq!(listed.json()["page_info"]["total_count"], 0, "it is not the project's own");
        let delete = format!("/v1/connect/rate_limits/{limit}");
        assert_eq!(world.call(Method::DELETE, &delete, Some(own), None).await.status, 404);
        assert_eq!(world.call(Method::DELETE, &delete, Some(&all), None).await.status, 204);
    }
}

async fn everywhere(world: &World) -> String {
    let scopes = Scopes::parse("*").unwrap();
    let made = grantkeep::projects::create_client(&world.app, None, "all", &scopes).await.unwrap();
    let body = json!({ "grant_type": "client_credentials", "client_id": made.client.id,
        "client_secret": made.secret.expose() });
    let reply = world.call(Method::POST, "/v1/oauth/token", None, Some(body)).await;
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_08_a_limit_must_make_sense() {
    let world = World::sqlite(&[]).await;
    let own = world.project.token.as_str();
    for (window_s, requests) in [(0, 1), (-1, 1), (86_401, 1), (1, 0), (1, -1), (1, 100_000_001)] {
        let reply = make(&world, own, window_s, requests).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_field".into()));
        assert!(reply.json()["details"]["field"].is_string(), "{reply:?}");
    }
    for body in [json!({}), json!({ "window_size_seconds": "60", "requests_per_window": 1 })] {
        let path = "/v1/connect/rate_limits";
        let reply = world.call(Method::POST, path, Some(own), Some(body)).await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }
}
