//! An OAuth client that the person enters himself.

use grantkeep::accounts::{self, Account};
use grantkeep::apps::{self, Edit};
use grantkeep::connect;
use grantkeep::projects::{Change, Settings, update};
use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, Page, Started, code_on, parameter};
use crate::grants::TWO_HOURS_MS;
use crate::world::{Reply, World, worlds};

const WISH: &str = "&customOauthClient=true";
const ID: &str = "hers-alone";
const SECRET: &str = "known-to-her";
const ASKED: &str = "name=\"f-own-client-id\"";
const ROWS: &str = "select count(*) from oauth_apps";

/// What the page says is to be registered; the person does it.
fn register(world: &World, provider: &str, page: &Reply) -> String {
    let (_, rest) = page.text.split_once("<code id=\"uri\" dir=\"ltr\">").unwrap();
    let uri = rest.split_once("</code>").unwrap().0.to_owned();
    world.provider.register_client(provider, ID, SECRET, &uri);
    uri
}

fn entered() -> Value {
    json!({ "own-client-id": ID, "own-client-secret": SECRET })
}

async fn begin(world: &World, page: &Page<'_>, provider: &str) -> Started {
    register(world, provider, &page.reply);
    page.start_with(entered()).await
}

/// Goes the whole way; gives the account.
async fn connect_own(world: &World, user: &str, more: &str, person: &str) -> Account {
    let browser = Browser::new(world);
    let token = world.connect_token(user).await;
    let page = browser.shown(browser.frame(&token, "sim_rotating", more).await);
    let started = begin(world, &page, "rotating").await;
    let provider = browser.leave(&started).await;
    browser.visit(&world.provider.approve(&provider, person).unwrap()).await;
    let status = page.status(&started.flow).await;
    assert_eq!(status["state"], "done", "{status}");
    let id = status["account_id"].as_str().unwrap();
    accounts::find(&world.app, &world.tenant(), id, Some(user)).await.unwrap()
}

async fn allow_links(world: &World) {
    let settings = Settings { allow_unverified_links: true, ..Settings::default() };
    let change = Change { settings: Some(settings), ..Change::default() };
    update(&world.app, &world.project.id, change).await.unwrap();
}

#[tokio::test]
async fn a_person_connects_with_a_client_of_his_own_where_the_project_has_none() {
    for world in worlds().await {
        let browser = Browser::new(&world);
        let token = world.connect_token("ada").await;
        let refused = browser.frame(&token, "sim_rotating", "").await;
        assert_eq!(code_on(&refused), "oauth_client_missing");
        let page = browser.shown(browser.frame(&token, "sim_rotating", WISH).await);
        assert!(page.reply.text.contains(ASKED), "{}", page.reply.text);
        let uri = register(&world, "rotating", &page.reply);
        let other_spelling = "&customOAuthClient=true";
        let page = browser.shown(browser.frame(&token, "sim_rotating", other_spelling).await);
        assert!(page.reply.text.contains(&uri), "a page that is loaded again has the same");
        let started = page.start_with(entered()).await;
        let provider = browser.leave(&started).await;
        assert_eq!(parameter(&provider, "client_id").as_deref(), Some(ID));
        assert_eq!(parameter(&provider, "redirect_uri"), Some(uri));
        assert_eq!(world.count(ROWS).await, 0, "there is no account yet");
        assert!(!world.dump("connect_flows").await.contains(SECRET), "sealed");
        browser.visit(&world.provider.approve(&provider, "ada").unwrap()).await;
        let status = page.status(&started.flow).await;
        assert_eq!(status["state"], "done", "{status}");

        let id = status["account_id"].as_str().unwrap();
        let account = accounts::find(&world.app, &world.tenant(), id, None).await.unwrap();
        assert_eq!(world.count(ROWS).await, 1);
        assert!(!world.dump("oauth_apps").await.contains(SECRET), "sealed");
        let made = "select count(*) from audit_events where action = 'oauth_app.create' \
                    and external_id = 'ada'";
        assert_eq!(world.count(made).await, 1);
        world.later(TWO_HOURS_MS);
        let body = world.vend(&account).await;
        assert_eq!(body.status, 200, "{body:?}");
        assert_eq!(body.json()["credentials"]["oauth_client_id"], ID);
        assert_eq!(world.provider.counters("rotating").refresh_ok, 1);
    }
}

#[tokio::test]
async fn m_05_nobody_else_has_a_users_own_client() {
    for world in worlds().await {
        let account = connect_own(&world, "ada", WISH, "ada").await;
        let client = account.oauth_app.unwrap();
        let list = world.get(&world.path("/oauth_apps")).await.json();
        assert_eq!(list["data"], json!([]));
        let one = world.path(&format!("/oauth_apps/{client}"));
        for method in [Method::GET, Method::DELETE] {
            let key = Some(world.project.key.as_str());
            assert_eq!(world.call(method, &one, key, None).await.status, 404);
        }
        let body = json!({ "external_user_id": "grace", "oauth_app_id": client,
            "app_id": "sim_rotating" });
        assert_eq!(world.post(&world.path("/tokens"), body).await.status, 404);
        let browser = Browser::new(&world);
        let token = world.connect_token("grace").await;
        let named = format!("&oauthAppId={client}");
        let refused = browser.frame(&token, "sim_rotating", &named).await;
        assert_eq!(code_on(&refused), "not_found");
        let refused = browser.frame(&token, "sim_rotating", "").await;
        assert_eq!(code_on(&refused), "oauth_client_missing");
        // Another project may have its own client registered under that id, as before.
        let other = world.another_project(Settings::default()).await;
        let edit = Edit { client_id: Some(ID.to_owned()), ..Edit::default() };
        apps::create_oauth_app(&world.app, &other.id, "sim_rotating", edit).await.unwrap();
    }
}

#[tokio::test]
async fn it_goes_with_its_account_and_stays_while_the_grant_is_to_be_revoked() {
    for world in worlds().await {
        let account = connect_own(&world, "ada", WISH, "ada").await;
        let path = world.path(&format!("/accounts/{}", account.id));
        assert_eq!(world.delete(&path).await.status, 204);
        world.run_jobs().await;
        let grants = world.provider.ledger("rotating");
        assert!(grants.iter().all(|it| it.revoked), "its client asked for it: {grants:?}");
        world.later(TWO_HOURS_MS);
        connect::forget_ended(&world.app).await.unwrap();
        assert_eq!(world.count(ROWS).await, 0);

        connect_own(&world, "grace", WISH, "grace").await;
        assert_eq!(world.delete(&world.path("/users/grace")).await.status, 204);
        world.run_jobs().await;
        world.later(TWO_HOURS_MS);
        connect::forget_ended(&world.app).await.unwrap();
        assert_eq!(world.count(ROWS).await, 0, "{}", world.engine);
    }
}

#[tokio::test]
async fn of_a_flow_that_fails_nothing_is_left() {
    for world in worlds().await {
        let browser = Browser::new(&world);
        let token = world.connect_token("ada").await;
        let page = browser.shown(browser.frame(&token, "sim_rotating", WISH).await);
        let started = begin(&world, &page, "rotating").await;
        let provider = browser.leave(&started).await;
        browser.visit(&world.provider.deny(&provider, "ada").unwrap()).await;
        assert_eq!(page.status(&started.flow).await["code"], "access_denied");
        // A secret that the app does not know: told by the app, at the end.
        let wrong = json!({ "own-client-id": ID, "own-client-secret": "wrong" });
        let started = page.start_with(wrong).await;
        browser.visit(&browser.consent(&started).await).await;
        assert_eq!(page.status(&started.flow).await["code"], "oauth_client_refused");
        // Begun, and given up.
        page.start_with(entered()).await;
        assert_eq!(page.call("cancel", json!({})).await.status, 204);
        assert_eq!(world.count(ROWS).await, 0);
        let kept = "select count(*) from connect_flows where length(sealed) > 0";
        assert_eq!(world.count(kept).await, 0);
        let started = page.start_with(entered()).await;
        browser.visit(&browser.consent(&started).await).await;
        assert_eq!(page.status(&started.flow).await["state"], "done", "the page goes on");
    }
}

#[tokio::test]
async fn what_cannot_be_a_client_is_told_at_its_field() {
    for world in worlds().await {
        let other = world.another_project(Settings::default()).await;
        let edit = Edit { client_id: Some("theirs".to_owned()), ..Edit::default() };
        apps::create_oauth_app(&world.app, &other.id, "sim_rotating", edit).await.unwrap();
        allow_links(&world).await;
        let browser = Browser::new(&world);
        let token = world.connect_token("ada").await;
        let page = browser.shown(browser.link(&token, "sim_rotating", WISH).await);
        for (id, secret, field) in [
            ("", SECRET, "own-client-id"),
            (ID, " ", "own-client-secret"),
            ("theirs", SECRET, "own-client-id"),
            ("a\nb", SECRET, "own-client-id"),
        ] {
            let fields = json!({ "own-client-id": id, "own-client-secret": secret });
            let reply = page.call("start", json!({ "fields": fields })).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_field"));
            assert_eq!(reply.json()["details"]["field"], field, "{id:?} {secret:?}");
        }
        // The same without scripts.
        let form =
            |id, secret| [("do", "form"), ("f-own-client-id", id), ("f-own-client-secret", secret)];
        let reply = page.form(&form("theirs", SECRET)).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text.contains("belongs to another product"), "{}", reply.text);
        assert!(reply.text.contains("value=\"theirs\"") && !reply.text.contains(SECRET));
        let uri = register(&world, "rotating", &reply);
        let left = page.form(&form(ID, SECRET)).await;
        assert_eq!(left.status, 303, "{}", left.text);
        let provider = left.headers["location"].to_str().unwrap();
        assert_eq!(parameter(provider, "redirect_uri"), Some(uri));
        let back = browser.visit(&world.provider.approve(provider, "ada").unwrap()).await;
        assert!(back.text.contains("is connected"), "{}", back.text);
        assert_eq!(world.count(ROWS).await, 2);
    }
}

#[tokio::test]
async fn a_client_that_is_fixed_wins_and_apps_without_clients_ask_for_none() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("ada").await;
        let named = format!("{WISH}&oauthAppId={}", client.id);
        for (app, more) in [("sim_rotating", named.as_str()), ("sim_basic", WISH)] {
            let page = browser.shown(browser.frame(&token, app, more).await);
            assert!(!page.reply.text.contains(ASKED), "{app}");
        }
        let fixed = json!({ "app_id": "sim_rotating", "oauth_app_id": client.id });
        let token = world.connect_token_with("ada", fixed).await;
        let page = browser.shown(browser.frame(&token, "sim_rotating", WISH).await);
        assert!(!page.reply.text.contains(ASKED));
        let provider = browser.leave(&page.start_with(entered()).await).await;
        assert_eq!(parameter(&provider, "client_id").as_deref(), Some("rotating-client"));
    }
}

#[tokio::test]
async fn an_account_keeps_its_client_unless_another_is_asked_for() {
    for world in worlds().await {
        let account = connect_own(&world, "ada", WISH, "ada").await;
        // One of the project's, entered since, changes nothing for it.
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("ada").await;
        let more = format!("&accountId={}", account.id);
        let page = browser.shown(browser.frame(&token, "sim_rotating", &more).await);
        assert!(!page.reply.text.contains(ASKED));
        let started = page.start().await;
        let provider = browser.leave(&started).await;
        assert_eq!(parameter(&provider, "client_id").as_deref(), Some(ID));
        browser.visit(&world.provider.approve(&provider, "ada").unwrap()).await;
        assert_eq!(page.status(&started.flow).await["state"], "done");
        // Asked again, at the redirect URI that is registered already.
        let again = connect_own(&world, "ada", &format!("{WISH}{more}"), "ada").await;
        assert_eq!((&again.id, &again.oauth_app), (&account.id, &account.oauth_app));
        assert_eq!(world.count(ROWS).await, 2);
        world.later(TWO_HOURS_MS);
        assert_eq!(world.vend(&again).await.status, 200);
        // From its own client to the project's: nothing needs the former.
        let client = apps::oauth_app_for(&world.app, &world.project.id, "sim_rotating").await;
        let token = world.connect_token("ada").await;
        let more = format!("{more}&oauthAppId={}", client.unwrap().id);
        let page = browser.shown(browser.frame(&token, "sim_rotating", &more).await);
        let started = page.start().await;
        browser.visit(&browser.consent(&started).await).await;
        assert_eq!(page.status(&started.flow).await["state"], "done");
        assert_eq!(world.count(ROWS).await, 1);
    }
}

#[tokio::test]
async fn an_own_client_that_is_refused_is_the_trouble_of_one_account() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let ours = world.connected_with(&client, "grace", "grace", None).await.unwrap();
        let hers = connect_own(&world, "ada", WISH, "ada").await;
        world.provider.register_client("rotating", ID, "another", "https://elsewhere.example");
        world.later(TWO_HOURS_MS);
        let reply = world.vend(&hers).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "provider_unavailable"));
        let seen = world.get(&world.path(&format!("/accounts/{}", hers.id))).await.json();
        assert_eq!(seen["status_reason"], "client_broken", "{seen}");
        assert_eq!(world.vend(&ours).await.status, 200);
    }
}

#[tokio::test]
async fn oauth_1_and_a_held_grant_take_it_too() {
    for world in worlds().await {
        let settings = Settings {
            verify_url: Some("https://product.example/verify".to_owned()),
            ..Settings::default()
        };
        let change = Change { settings: Some(settings), ..Change::default() };
        update(&world.app, &world.project.id, change).await.unwrap();
        for provider in ["oauth1", "rotating"] {
            let browser = Browser::new(&world);
            let token = world.connect_token("ada").await;
            let app = format!("sim_{provider}");
            let page = browser.shown(browser.link(&token, &app, WISH).await);
            let started = begin(&world, &page, provider).await;
            let back = browser.visit(&browser.consent(&started).await).await;
            let flow = parameter(back.headers["location"].to_str().unwrap(), "flow_id").unwrap();
            let confirm = world.path(&format!("/flows/{flow}/confirm"));
            let made = world.post(&confirm, json!({ "external_user_id": "ada" })).await;
            assert_eq!(made.status, 200, "{provider}: {made:?}");
        }
        assert_eq!(world.count(ROWS).await, 2);
    }
}

#[tokio::test]
async fn the_list_has_apps_for_which_the_project_has_no_client() {
    for world in worlds().await {
        let browser = Browser::new(&world);
        let token = world.connect_token("ada").await;
        let page = browser.shown(browser.frame(&token, "", "").await);
        let with = |apps: &Value| {
            apps["apps"].as_array().unwrap().iter().any(|it| it["slug"] == "sim_rotating")
        };
        assert!(!with(&page.apps("q=Lumen").await));
        let page = browser.shown(browser.frame(&token, "", WISH).await);
        assert!(with(&page.apps("q=Lumen").await));
        let chosen = page.choose("sim_rotating").await;
        assert!(chosen.reply.text.contains(ASKED));
        let started = begin(&world, &chosen, "rotating").await;
        browser.visit(&browser.consent(&started).await).await;
        assert_eq!(chosen.status(&started.flow).await["state"], "done");
    }
}
