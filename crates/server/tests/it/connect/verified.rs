//! Where no frame proves the person: what came back is held until the product's backend has said
//! whose browser it is.

use futures::future::join_all;
use grantkeep::accounts::Binding;
use grantkeep::on;
use grantkeep::projects::{Change, Settings, update};
use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, Page, boot, code_on, parameter, with_parameter};
use crate::receiver::{Post, Receiver};
use crate::world::{Project, Reply, World, worlds};

const VERIFY: &str = "https://product.example/verify?tab=apps&x=a%20b";
const SUCCESS: &str = "https://product.example/done?from=grantkeep";
const FAILURE: &str = "https://product.example/failed";
/// A held flow lives five minutes.
const TOO_LATE_MS: i64 = 300_001;

fn settings() -> Settings {
    Settings {
        verify_url: Some(VERIFY.to_owned()),
        redirect_uris: vec![SUCCESS.to_owned(), FAILURE.to_owned()],
        ..Settings::default()
    }
}

async fn set(world: &World, settings: Settings) {
    let change = Change { settings: Some(settings), ..Change::default() };
    update(&world.app, &world.project.id, change).await.unwrap();
}

/// A world whose project confirms, with a client at `provider`.
async fn ready(world: &World, provider: &str) {
    set(world, settings()).await;
    world.oauth_app(provider).await;
}

fn exchanges(world: &World) -> u64 {
    world.provider.counters("rotating").token_code
}

/// Opens a link, signs in, comes back; gives what the browser is told then.
async fn came_back(page: &Page<'_>, browser: &Browser<'_>) -> (super::browser::Started, Reply) {
    let started = page.start().await;
    let back = browser.consent(&started).await;
    let reply = browser.visit(&back).await;
    (started, reply)
}

/// The id that the product reads from its address.
fn flow_id(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{}", reply.text);
    parameter(reply.headers["location"].to_str().unwrap(), "flow_id").unwrap()
}

/// The whole way of a link up to the product's page; gives the id.
async fn held(world: &World, user: &str) -> String {
    let browser = Browser::new(world);
    let token = world.connect_token(user).await;
    let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
    flow_id(&came_back(&page, &browser).await.1)
}

async fn confirm(world: &World, id: &str, user: &str) -> Reply {
    world
        .post(&world.path(&format!("/flows/{id}/confirm")), json!({ "external_user_id": user }))
        .await
}

async fn accounts(world: &World) -> i64 {
    world.count("select count(*) from accounts").await
}

fn outcome(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), reply.code())
}

#[tokio::test]
async fn b_08_a_link_connects_once_the_backend_has_said_who_came_back() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let browser = Browser::new(&world);
        let redirects = json!({ "success_redirect_uri": SUCCESS, "error_redirect_uri": FAILURE });
        let token = world.connect_token_with("user-1", redirects).await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        assert!(!page.reply.text.contains(r#"class="receiver""#), "the product knows who it is");
        let (started, reply) = came_back(&page, &browser).await;
        let id = flow_id(&reply);
        let location = reply.headers["location"].to_str().unwrap();
        assert_eq!(location, format!("{VERIFY}&flow_id={id}"), "the product's query is kept");
        assert_eq!(reply.headers["referrer-policy"], "no-referrer");
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert_ne!(id, started.flow, "who began the flow does not know the id");
        assert_eq!((exchanges(&world), accounts(&world).await), (0, 0));
        assert_eq!(page.status(&started.flow).await["state"], "held");
        let waiting = browser.visit(&format!("/connect/result/{}", started.flow)).await;
        assert_eq!(
            (waiting.status.as_u16(), &boot(&waiting.text)["state"]),
            (200, &json!("waiting"))
        );

        let reply = confirm(&world, &id, "user-1").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let answer = reply.json();
        assert_eq!(answer["binding"], "verified", "{answer}");
        assert_eq!(answer["external_id"], "user-1");
        assert_eq!(answer["redirect_uri"], SUCCESS);
        assert_eq!(answer["credentials"], Value::Null);
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert_eq!((exchanges(&world), accounts(&world).await), (1, 1));
        let status = page.status(&started.flow).await;
        assert_eq!((&status["state"], &status["account_id"]), (&json!("done"), &answer["id"]));
        let done = browser.visit(&format!("/connect/result/{}", started.flow)).await;
        assert!(done.text.contains("is connected"), "{}", done.text);
    }
}

#[tokio::test]
async fn b_08_row_46_another_user_ends_the_flow_and_nothing_is_exchanged() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let id = held(&world, "mallory").await;
        let reply = confirm(&world, &id, "victim").await;
        assert_eq!(outcome(&reply), (409, "user_mismatch".to_owned()));
        let result = reply.json()["details"]["redirect_uri"].as_str().unwrap().to_owned();
        let shown = Browser::new(&world).visit(&result).await;
        assert_eq!((shown.status.as_u16(), code_on(&shown).as_str()), (409, "user_mismatch"));
        assert!(shown.text.contains("begun for another person"), "{}", shown.text);
        // The right name is of no use any more.
        let reply = confirm(&world, &id, "mallory").await;
        assert_eq!(outcome(&reply), (409, "flow_used".to_owned()));
        assert_eq!((exchanges(&world), accounts(&world).await), (0, 0));
        world.app.audit.settle().await;
        let noted = world.dump("audit_events").await;
        assert!(noted.contains("connect.binding_failed") && noted.contains("victim"), "{noted}");
    }
}

#[tokio::test]
async fn b_08_row_46_the_wrong_person_and_a_late_one_are_news() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let receiver = Receiver::start().await;
        world.endpoint(&receiver.url).await;
        let id = held(&world, "mallory").await;
        confirm(&world, &id, "victim").await;
        held(&world, "u").await;
        world.app.clock.shift(TOO_LATE_MS);
        for _ in 0..2 {
            grantkeep::connect::forget_ended(&world.app).await.unwrap();
        }
        world.deliver().await;
        let posts = receiver.posts();
        assert_eq!(posts.len(), 2, "{posts:?}");
        assert!(posts.iter().all(|it| it.json()["event"] == "CONNECTION_ERROR"), "{posts:?}");
        // They are delivered at once, in any order.
        for words in ["begun for another person", "took too long"] {
            let told = |post: &Post| post.json()["error"].as_str().unwrap().contains(words);
            assert_eq!(posts.iter().filter(|it| told(it)).count(), 1, "{words}: {posts:?}");
        }
    }
}

#[tokio::test]
async fn b_08_row_47_a_flow_is_confirmed_once_in_time_and_by_its_own_project() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let id = held(&world, "u").await;
        let other = world.another_project(settings()).await;
        let path = |project: &Project| format!("/v1/connect/{}/flows/{id}/confirm", project.id);
        let body = json!({ "external_user_id": "u" });
        for (path, bearer) in [
            (path(&other), &other.key),
            (path(&world.project), &other.key),
            (path(&other), &world.project.key),
        ] {
            let reply = world.call(Method::POST, &path, Some(bearer), Some(body.clone())).await;
            assert_eq!(outcome(&reply), (404, "not_found".to_owned()), "{path}");
        }
        for unknown in ["flc_nobody", "x", "fl_00000000000000"] {
            assert_eq!(confirm(&world, unknown, "u").await.status, 404, "{unknown}");
        }
        let production = world.http.post(format!("{}{}", world.url, path(&world.project)));
        let production = production.header("x-pd-environment", "production").json(&body);
        let reply = crate::world::read(production.bearer_auth(&world.project.key)).await;
        assert_eq!(reply.status, 404, "another environment's flow");

        let account = confirm(&world, &id, "u").await.json();
        let again = confirm(&world, &id, "u").await;
        assert_eq!(outcome(&again), (409, "flow_used".to_owned()));
        assert_eq!(again.json()["details"]["account_id"], account["id"], "for a page loaded again");
        let reply = confirm(&world, &id, "other").await;
        assert_eq!((reply.status.as_u16(), &reply.json()["details"]), (409, &Value::Null));

        let id = held(&world, "u").await;
        world.app.clock.shift(TOO_LATE_MS);
        let reply = confirm(&world, &id, "u").await;
        assert_eq!(outcome(&reply), (410, "unconfirmed".to_owned()));
        assert_eq!(exchanges(&world), 1);
    }
}

#[tokio::test]
async fn b_08_only_a_backend_confirms() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let id = held(&world, "u").await;
        let token = world.connect_token("u").await;
        let body = json!({ "external_user_id": "u" });
        let path = world.path(&format!("/flows/{id}/confirm"));
        let reply = world.call(Method::POST, &path, Some(&token), Some(body.clone())).await;
        assert_eq!(outcome(&reply), (401, "wrong_token_type".to_owned()));
        assert_eq!(world.call(Method::POST, &path, None, Some(body.clone())).await.status, 401);
        assert_eq!(world.post(&path, json!({})).await.status, 400);
        assert_eq!(world.post(&path, json!({ "external_user_id": 7 })).await.status, 400);
        assert_eq!(exchanges(&world), 0);
        // None of them used the flow up; the path without a project is for keys.
        let path = format!("/v1/connect/flows/{id}/confirm");
        assert_eq!(world.post(&path, body).await.status, 200);
    }
}

#[tokio::test]
async fn b_08_of_many_confirms_at_once_one_gets_the_flow() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let id = held(&world, "u").await;
        let replies = join_all((0..32).map(|_| confirm(&world, &id, "u"))).await;
        let count = |status: u16| replies.iter().filter(|it| it.status == status).count();
        assert_eq!((count(200), count(409)), (1, 31), "{}", world.engine);
        assert_eq!((exchanges(&world), accounts(&world).await), (1, 1));
    }
}

#[tokio::test]
async fn b_08_a_flow_that_nobody_confirms_is_ended_and_emptied() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let (started, _) = came_back(&page, &browser).await;
        grantkeep::connect::forget_ended(&world.app).await.unwrap();
        assert_eq!(page.status(&started.flow).await["state"], "held", "it is not late yet");
        world.app.clock.shift(TOO_LATE_MS);
        let late = browser.visit(&format!("/connect/result/{}", started.flow)).await;
        assert_eq!((late.status.as_u16(), code_on(&late).as_str()), (410, "unconfirmed"));
        assert_eq!(page.status(&started.flow).await["code"], "unconfirmed");
        grantkeep::connect::forget_ended(&world.app).await.unwrap();
        let sealed = "select count(*) from connect_flows where length(sealed) > 0";
        assert_eq!(world.count(sealed).await, 0);
        world.app.audit.settle().await;
        assert!(world.dump("audit_events").await.contains("unconfirmed"));
        assert_eq!(exchanges(&world), 0);
        // The token was not used up.
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let id = flow_id(&came_back(&page, &browser).await.1);
        assert_eq!(confirm(&world, &id, "u").await.status, 200);
    }
}

#[tokio::test]
async fn b_08_what_is_held_is_sealed_and_the_id_is_a_hash() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let back = browser.consent(&page.start().await).await;
        let code = parameter(&back, "code").unwrap();
        let id = flow_id(&browser.visit(&back).await);
        world.app.audit.settle().await;
        for table in ["connect_flows", "connect_sessions", "audit_events"] {
            let all = world.dump(table).await;
            assert!(!all.contains(&code) && !all.contains(&id), "{table}");
        }
    }
}

/// A process that dies between confirm and exchange leaves the row as it is made here.
#[tokio::test]
async fn b_08_a_crash_after_the_confirm_leaves_a_clean_try_again() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let (started, reply) = came_back(&page, &browser).await;
        let id = flow_id(&reply);
        let sql = "update connect_flows set state = 'exchanging', expires_at_ms = $1 \
                   where state = 'held'";
        let now_ms = world.app.clock.now_ms();
        on!(world.app.db.write(), conn =>
            sqlx::query(sql).bind(now_ms).execute(conn).await.unwrap().rows_affected());
        assert_eq!(outcome(&confirm(&world, &id, "u").await), (409, "flow_used".to_owned()));
        world.app.clock.shift(61_000);
        let status = page.status(&started.flow).await;
        assert_eq!((&status["state"], &status["code"]), (&json!("failed"), &json!("flow_expired")));
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let id = flow_id(&came_back(&page, &browser).await.1);
        assert_eq!(confirm(&world, &id, "u").await.status, 200);
        assert_eq!(exchanges(&world), 1);
    }
}

#[tokio::test]
async fn b_08_oauth_1_is_held_likewise() {
    for world in worlds().await {
        ready(&world, "oauth1").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_oauth1", "").await);
        let (_, reply) = came_back(&page, &browser).await;
        let id = flow_id(&reply);
        assert_eq!(accounts(&world).await, 0);
        let reply = confirm(&world, &id, "u").await;
        assert_eq!((reply.status.as_u16(), &reply.json()["binding"]), (200, &json!("verified")));
    }
}

#[tokio::test]
async fn b_08_a_form_on_a_link_is_stored_after_the_confirm() {
    for world in worlds().await {
        set(&world, settings()).await;
        let change = Change { require_key_test: Some(true), ..Change::default() };
        update(&world.app, &world.project.id, change).await.unwrap();
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_keys", "").await);
        let send = |key: &str| page.call("account", json!({ "fields": { "api_key": key } }));
        assert_eq!(outcome(&send("not-a-key").await), (400, "credentials_refused".to_owned()));
        let reply = send("sim_live_demo").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let answer = reply.json();
        assert_eq!(answer["account_id"], Value::Null);
        let id = parameter(answer["verify_url"].as_str().unwrap(), "flow_id").unwrap();
        assert_eq!(accounts(&world).await, 0);
        assert!(!world.dump("connect_flows").await.contains("sim_live_demo"));
        let flow = answer["flow"].as_str().unwrap().to_owned();
        assert_eq!(page.status(&flow).await["state"], "held");

        // The same form sent again takes the first one's place.
        let answer = send("sim_live_demo").await.json();
        let newer = parameter(answer["verify_url"].as_str().unwrap(), "flow_id").unwrap();
        assert_eq!(outcome(&confirm(&world, &id, "u").await), (409, "flow_used".to_owned()));
        assert_eq!(confirm(&world, &newer, "u").await.json()["binding"], "verified");
        assert_eq!(accounts(&world).await, 1);
        assert_eq!(
            page.status_reply(answer["flow"].as_str().unwrap()).await.json()["state"],
            "done"
        );

        let token = world.connect_token("mallory").await;
        let page = browser.shown(browser.link(&token, "sim_keys", "").await);
        let body = json!({ "fields": { "api_key": "sim_live_demo" } });
        let answer = page.call("account", body).await.json();
        let id = parameter(answer["verify_url"].as_str().unwrap(), "flow_id").unwrap();
        assert_eq!(outcome(&confirm(&world, &id, "u").await), (409, "user_mismatch".to_owned()));
        assert_eq!(accounts(&world).await, 1);
    }
}

/// The one who begins a flow in his own frame and hands the loosened window's address over knows
/// the flow's id, and still cannot confirm what the other person granted.
#[tokio::test]
async fn b_08_b_09_a_cut_off_window_goes_on_as_verified() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let (attacker, victim) = (Browser::new(&world), Browser::new(&world));
        let token = world.connect_token("mallory").await;
        let page = attacker.page(&token, "sim_rotating").await;
        assert_eq!(page.boot["links"], true);
        let started = page.start().await;
        let reply = page.call("link", json!({ "flow": started.flow })).await;
        let ticket = reply.json()["ticket"].as_str().unwrap().to_owned();
        let loose = super::browser::Started { ticket, ..started.clone() };
        let back = victim.consent(&loose).await;
        let id = flow_id(&victim.visit(&back).await);
        assert_eq!(confirm(&world, &started.flow, "mallory").await.status, 404);
        assert_eq!(page.status(&started.flow).await["state"], "held");
        assert!(!page.status_reply(&started.flow).await.text.contains(&id));
        assert_eq!(
            outcome(&confirm(&world, &id, "victim").await),
            (409, "user_mismatch".to_owned())
        );
        assert_eq!((exchanges(&world), accounts(&world).await), (0, 0));

        // With his own page and window the person himself is connected.
        let token = world.connect_token("victim").await;
        let page = victim.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let reply = page.call("link", json!({ "flow": started.flow })).await;
        let ticket = reply.json()["ticket"].as_str().unwrap().to_owned();
        let back = victim.consent(&super::browser::Started { ticket, ..started.clone() }).await;
        let id = flow_id(&victim.visit(&back).await);
        let answer = confirm(&world, &id, "victim").await.json();
        assert_eq!(answer["binding"], Binding::Verified.as_str());
        assert!(answer["redirect_uri"].as_str().unwrap().ends_with(&started.flow), "{answer}");
    }
}

#[tokio::test]
async fn b_08_a_refusal_at_the_app_is_told_without_the_product() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let provider = browser.leave(&page.start().await).await;
        let denied = browser.visit(&world.provider.deny(&provider, "ada").unwrap()).await;
        assert_eq!((denied.status.as_u16(), code_on(&denied).as_str()), (200, "access_denied"));
        // Nor is a code held that came with a wrong issuer or beside an error.
        let back = browser.consent(&page.start().await).await;
        let reply = browser.visit(&format!("{back}&error=access_denied")).await;
        assert_eq!(code_on(&reply), "callback_invalid");
        let back = browser.consent(&page.start().await).await;
        let reply =
            browser.visit(&with_parameter(&back, "iss", Some("https://evil.example"))).await;
        assert_eq!(code_on(&reply), "issuer_mismatch");
    }
}

#[tokio::test]
async fn b_08_a_code_that_the_app_does_not_take_is_told_to_the_backend() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let back = browser.consent(&page.start().await).await;
        let back = with_parameter(&back, "code", Some("made-up"));
        let id = flow_id(&browser.visit(&back).await);
        let reply = confirm(&world, &id, "u").await;
        assert_eq!(outcome(&reply), (409, "connection_failed".to_owned()));
        assert_eq!(reply.json()["details"]["reason"], "provider_refused");
        assert_eq!(accounts(&world).await, 0);
    }
}

#[tokio::test]
async fn b_08_a_verify_url_taken_away_ends_what_was_begun_with_it() {
    for world in worlds().await {
        ready(&world, "rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let back = browser.consent(&page.start().await).await;
        set(&world, Settings { allow_unverified_links: true, ..Settings::default() }).await;
        let reply = browser.visit(&back).await;
        assert_eq!(code_on(&reply), "links_off", "{}", reply.text);
        assert_eq!((exchanges(&world), accounts(&world).await), (0, 0));
    }
}

#[tokio::test]
async fn f_11_verify_urls_are_judged_like_redirects() {
    for world in worlds().await {
        let path = format!("/v1/connect/projects/{}", world.project.id);
        let patch = |url: Value| {
            world.call(
                Method::PATCH,
                &path,
                Some(&world.project.token),
                Some(json!({ "verify_url": url })),
            )
        };
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.example/x",
            "https:evil.example",
            "http://product.example/verify",
            "https://product.example@evil.example/",
            "https://product.example\\@evil.example/",
            "https://PRODUCT.example/verify",
            "https://product.example:443/verify",
            "https://product.example/verify#f",
            "https://product.example/verify?flow_id=x",
            "",
        ] {
            let reply = patch(json!(bad)).await;
            assert_eq!(
                (reply.status.as_u16(), reply.code().as_str()),
                (400, "invalid_field"),
                "{bad}"
            );
            assert_eq!(reply.json()["details"]["field"], "verify_url", "{bad}");
        }
        for good in [VERIFY, "http://localhost:3000/verify"] {
            assert_eq!(patch(json!(good)).await.json()["verify_url"], good);
        }
        assert_eq!(patch(Value::Null).await.json()["verify_url"], Value::Null);
    }
}
