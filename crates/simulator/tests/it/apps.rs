//! The pretend apps: their doors, their switches, their books. What each answers is seen by the
//! components that call it (`components/tests`).

use grantkeep_simulator::{AppFault, app_routes};
use reqwest::Response;
use serde_json::{Value, json};

use crate::world::{World, json as body};

const TOKEN: &str = "token-of-ada";

async fn call(world: &World, path: &str, token: &str) -> Response {
    let request = world.http.get(world.url(path)).header("user-agent", "tests");
    request.header("authorization", format!("Bearer {token}")).send().await.unwrap()
}

/// For each app an address that only asks who calls.
const FIRST: [(&str, &str); 9] = [
    ("airtable_oauth", "/apps/airtable_oauth/v0/meta/whoami"),
    ("github", "/apps/github/user"),
    ("gmail", "/apps/googleapis/gmail/v1/users/me/profile"),
    ("google_calendar", "/apps/googleapis/calendar/v3/users/me/calendarList"),
    ("google_sheets", "/apps/google_sheets/v4/spreadsheets/1SimOrders"),
    ("hubspot", "/apps/hubspot/account-info/v3/details"),
    ("notion", "/apps/notion/v1/users/me"),
    ("slack", "/apps/slack/api/auth.test"),
    ("stripe", "/apps/stripe/v1/account"),
];

/// Slack refuses with 200; a refusal of the others is 401.
async fn refused(app: &str, answer: Response) -> bool {
    let status = answer.status().as_u16();
    if app == "slack" { body(answer).await["ok"] == false } else { status == 401 }
}

#[tokio::test]
async fn every_app_judges_the_credential() {
    let world = World::new().await;
    for (app, path) in FIRST {
        let token = if app == "stripe" { "sk_test_0000" } else { TOKEN };
        let served = call(&world, path, token).await.status();
        // Notion wants its version first.
        assert!(served.is_success() || app == "notion" && served == 400, "{app}: {served}");
        let nothing = world.http.get(world.url(path)).header("user-agent", "t").send().await;
        assert!(refused(app, nothing.unwrap()).await, "{app} served without a credential");
        let blind = "gkblind_00000000000000000000000000000000";
        assert!(refused(app, call(&world, path, blind).await).await, "{app} took a stand-in");
        world.simulator.revoke_app(app, Some(token), true);
        assert!(refused(app, call(&world, path, token).await).await, "{app} took a dead one");
        world.simulator.revoke_app(app, Some(token), false);
        assert!(!refused(app, call(&world, path, token).await).await);
    }
}

#[tokio::test]
async fn calls_are_kept_and_faults_are_met_as_often_as_asked() {
    let world = World::new().await;
    let path = "/apps/github/user";
    let fault = AppFault { status: 429, retry_after_s: Some(9), times: 1, path: "/user".into() };
    world.simulator.fault_app("github", fault);
    let limited = call(&world, path, TOKEN).await;
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "9");
    assert!(body(limited).await["message"].as_str().unwrap().contains("rate limit"));
    assert_eq!(call(&world, &format!("{path}?a=1"), TOKEN).await.status(), 200);
    let calls = world.simulator.app_calls("github");
    let statuses: Vec<u16> = calls.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [429, 200]);
    assert_eq!((calls[1].path.as_str(), calls[1].query.as_str()), ("/user", "a=1"));
    assert_eq!(calls[1].credential.as_deref(), Some(TOKEN));
    world.simulator.forget_app_calls("github");
    assert!(world.simulator.app_calls("github").is_empty());
}

#[tokio::test]
async fn pages_are_as_short_as_asked_and_reset_brings_the_content_back() {
    let world = World::new().await;
    world.simulator.set_app_page_max("github", 1);
    let repos = call(&world, "/apps/github/user/repos?per_page=50", TOKEN).await;
    let link = repos.headers()["link"].to_str().unwrap().to_owned();
    assert!(link.contains("page=2>; rel=\"next\""), "{link}");
    assert_eq!(body(repos).await.as_array().unwrap().len(), 1);
    let issues = world.url("/apps/github/repos/ada/engine/issues");
    let request = world.http.post(&issues).bearer_auth(TOKEN).header("user-agent", "tests");
    let made = request.json(&json!({ "title": "One" })).send().await.unwrap();
    assert_eq!((made.status().as_u16(), &body(made).await["number"]), (201, &json!(5)));
    world.simulator.reset_app("github");
    let gone = call(&world, "/apps/github/repos/ada/engine/issues/5", TOKEN).await;
    assert_eq!(gone.status(), 404);
    let repos = body(call(&world, "/apps/github/user/repos", TOKEN).await).await;
    assert_eq!(repos.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn each_route_leads_to_an_app_that_is_there() {
    let world = World::new().await;
    let overview = body(world.get(&world.url("/_control/apps")).await).await;
    assert_eq!(overview["routes"].as_object().unwrap().len(), app_routes().len());
    for (host, base) in world.simulator.app_routes() {
        assert_eq!(overview["routes"][host], base.as_str());
        assert!(base.starts_with(world.simulator.base_url()));
    }
    let slugs: Vec<Value> = overview["apps"].as_array().unwrap().clone();
    assert_eq!(slugs.len(), 11);
    for (app, _) in FIRST {
        assert!(slugs.contains(&json!(app)), "{app}");
    }
    assert_eq!(call(&world, "/apps/nothing/x", TOKEN).await.status(), 404);
    assert_eq!(call(&world, "/_control/apps/nothing/calls", TOKEN).await.status(), 404);
}
