//! What may come back, and what is done with it.

use futures::future::join_all;
use grantkeep_simulator::{Endpoint, Fault, Times};
use serde_json::Value;

use super::browser::{Browser, code_on, with_parameter};
use crate::world::{Reply, World, read, worlds};

/// A started flow and the address with which its person comes back.
struct Ready {
    page_status: Value,
    reply: Reply,
}

type Change = Box<dyn Fn(&str) -> String>;

/// Goes the whole way with `change` made to the address that leads back.
async fn come_back(world: &World, change: impl Fn(&str) -> String) -> Ready {
    let token = world.connect_token("u").await;
    let browser = Browser::new(world);
    let page = browser.page(&token, "sim_rotating").await;
    let started = page.start().await;
    let back = browser.consent(&started).await;
    let reply = browser.visit(&change(&back)).await;
    Ready { page_status: page.status(&started.flow).await, reply }
}

fn exchanges(world: &World) -> u64 {
    world.provider.counters("rotating").token_code
}

#[tokio::test]
async fn f_02_a_state_must_be_there_known_unused_and_young() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let path = format!("/connect/oauth/{}/callback", client.id);
        for query in ["", "?code=abc", "?code=abc&state=", "?code=abc&state=unknown", "?state=x"] {
            let reply = browser.visit(&format!("{path}{query}")).await;
            assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (400, "state_invalid"));
        }
        let token = world.connect_token("u").await;
        let page = browser.page(&token, "sim_rotating").await;
        let back = browser.consent(&page.start().await).await;
        world.app.clock.shift(11 * 60_000);
        let reply = browser.visit(&back).await;
        assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (400, "state_invalid"));
        assert_eq!(exchanges(&world), 0);

        let token = world.connect_token("u").await;
        let page = browser.page(&token, "sim_rotating").await;
        let back = browser.consent(&page.start().await).await;
        assert_eq!(browser.visit(&back).await.status, 200);
        let reply = browser.visit(&back).await;
        assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (400, "state_invalid"));
        assert_eq!(exchanges(&world), 1);
    }
}

#[tokio::test]
async fn f_03_a_hundred_answers_at_once_make_one_exchange() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let back = browser.consent(&page.start().await).await;
        let replies = join_all((0..100).map(|_| browser.visit(&back))).await;
        let good = replies.iter().filter(|it| it.status == 200).count();
        let refused = replies.iter().filter(|it| it.status == 400).count();
        assert_eq!((good, refused), (1, 99), "{}", world.engine);
        assert_eq!(exchanges(&world), 1);
        assert_eq!(world.count("select count(*) from accounts").await, 1);
    }
}

#[tokio::test]
async fn f_07_row_39_doubtful_answers_are_refused() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let long = "a".repeat(40_000);
        let changes: Vec<Change> = vec![
            Box::new(|url| format!("{url}&code=other")),
            Box::new(|url| format!("{url}&error=access_denied")),
            Box::new(|url| format!("{url}&iss=https%3A%2F%2Fa&iss=https%3A%2F%2Fb")),
            Box::new(|url| with_parameter(url, "code", Some(""))),
            Box::new(|url| with_parameter(url, "code", Some("<script>"))),
            Box::new(|url| with_parameter(url, "code", None)),
        ];
        for change in &changes {
            let it = come_back(&world, change).await;
            assert_eq!(
                (it.reply.status.as_u16(), code_on(&it.reply).as_str()),
                (400, "callback_invalid")
            );
            assert_eq!(it.page_status["code"], "callback_invalid");
        }
        let it = come_back(&world, |url| format!("{url}&state=other")).await;
        assert_eq!(code_on(&it.reply), "state_invalid");
        let it = come_back(&world, |url| with_parameter(url, "code", Some(&long))).await;
        assert!(it.reply.status.is_client_error(), "{}", it.reply.status);
        assert_eq!(exchanges(&world), 0);
    }
}

#[tokio::test]
async fn f_08_row_40_a_no_is_told_as_text() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let provider = browser.leave(&started).await;
        let back = world.provider.deny(&provider, "ada").unwrap();
        let reply = browser.visit(&back).await;
        assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (200, "access_denied"));
        let status = page.status(&started.flow).await;
        assert_eq!(
            (&status["state"], &status["code"]),
            (&"failed".into(), &"access_denied".into())
        );

        let it = come_back(&world, |url| {
            let url = with_parameter(url, "code", None);
            let text = format!("<img src=x onerror=alert(1)>{}", "x ".repeat(400));
            let url = with_parameter(&url, "error_description", Some(&text));
            with_parameter(&url, "error", Some("server_error"))
        })
        .await;
        assert!(!it.reply.text.contains("<img src=x"), "{}", it.reply.text);
        assert!(it.reply.text.contains("img src=x"), "it is shown as text: {}", it.reply.text);
        let said = it.page_status["error"].as_str().unwrap();
        assert!(said.chars().count() < 400, "{said}");
        assert_eq!(exchanges(&world), 0);
    }
}

#[tokio::test]
async fn b_05_row_38_the_issuer_must_be_the_one_that_was_asked() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let mut right = None;
        let it = come_back(&world, str::to_owned).await;
        assert_eq!(it.page_status["state"], "done");
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let back = browser.consent(&page.start().await).await;
        if let Some(iss) = super::browser::parameter(&back, "iss") {
            right = Some(iss);
        }
        let right = right.expect("this provider names its issuer");
        let wrong = [
            format!("{right}/"),
            right.to_uppercase(),
            right.replace("http:", "https:"),
            "https://evil.example".to_owned(),
        ];
        let before = exchanges(&world);
        for iss in &wrong {
            let it = come_back(&world, |url| with_parameter(url, "iss", Some(iss))).await;
            assert_eq!(
                (it.reply.status.as_u16(), code_on(&it.reply).as_str()),
                (400, "issuer_mismatch")
            );
        }
        let it = come_back(&world, |url| with_parameter(url, "iss", None)).await;
        assert_eq!(code_on(&it.reply), "issuer_mismatch");
        // Nothing of an answer from elsewhere is shown.
        let it = come_back(&world, |url| {
            let url = with_parameter(url, "iss", Some("https://evil.example"));
            let url = with_parameter(&url, "code", None);
            format!("{url}&error=evil&error_description=call+0900")
        })
        .await;
        assert!(!it.reply.text.contains("0900"), "{}", it.reply.text);
        assert_eq!(exchanges(&world), before);
    }
}

#[tokio::test]
async fn row_42_guesses_and_heads_use_nothing_up() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let back = browser.consent(&page.start().await).await;
        assert_eq!(browser.http.head(&back).send().await.unwrap().status(), 405);
        for name in ["sec-purpose", "purpose"] {
            let reply = read(browser.get(&back).header(name, "prefetch")).await;
            assert_eq!(reply.status, 204);
        }
        assert_eq!(browser.http.post(&back).send().await.unwrap().status(), 405);
        assert_eq!(browser.visit(&back).await.status, 200);
        assert_eq!(exchanges(&world), 1);
    }
}

#[tokio::test]
async fn row_44_a_provider_that_answers_rubbish_makes_no_account() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let elsewhere = format!("{}/elsewhere", world.url);
        for fault in [
            Fault::Html,
            Fault::InvalidJson,
            Fault::HugeBody { bytes: 10_000_000 },
            Fault::Redirect { to: elsewhere },
            Fault::LostAnswer,
        ] {
            world.provider.fault("rotating", Endpoint::TokenCode, fault.clone(), Times::Next(1));
            let it = come_back(&world, str::to_owned).await;
            assert_eq!(it.reply.status, 502, "{fault:?}: {}", it.page_status);
            assert_eq!(it.page_status["code"], "provider_bad_response", "{fault:?}");
        }
        let down = Fault::Status { status: 503, retry_after_s: None };
        world.provider.fault("rotating", Endpoint::TokenCode, down, Times::Next(1));
        let it = come_back(&world, str::to_owned).await;
        assert_eq!(it.page_status["code"], "provider_unavailable");
        world.provider.fault("rotating", Endpoint::TokenCode, Fault::InvalidGrant, Times::Next(1));
        let it = come_back(&world, str::to_owned).await;
        assert_eq!(it.page_status["code"], "provider_refused");
        assert_eq!(world.count("select count(*) from accounts").await, 0);
    }
}

#[tokio::test]
async fn t_08_an_app_that_does_not_say_whose_account_it_is_keeps_the_grant() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let down = Fault::Status { status: 500, retry_after_s: None };
        world.provider.fault("rotating", Endpoint::Me, down, Times::Always);
        let it = come_back(&world, str::to_owned).await;
        assert_eq!(it.page_status["state"], "done", "{}", it.page_status);
        assert_eq!(it.page_status["account_name"], Value::Null);
    }
}

#[tokio::test]
async fn a_closed_browser_does_not_lose_the_grant() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let back = browser.consent(&started).await;
        let slow = Fault::DelayAnswer { ms: 1_500 };
        world.provider.fault("rotating", Endpoint::TokenCode, slow, Times::Next(1));
        let gone = browser.get(&back).timeout(std::time::Duration::from_millis(700)).send().await;
        assert!(gone.is_err(), "the browser went away");
        for _ in 0..100 {
            if page.status(&started.flow).await["state"] == "done" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(page.status(&started.flow).await["state"], "done");
    }
}

#[tokio::test]
async fn f_19_oauth_1_binds_the_request_token_to_the_flow() {
    for world in worlds().await {
        world.oauth_app("oauth1").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_oauth1").await;
        let started = page.start().await;
        let back = browser.consent(&started).await;
        let reply = browser.visit(&with_parameter(&back, "oauth_token", Some("another"))).await;
        assert_eq!(code_on(&reply), "state_invalid", "{}", reply.text);
        // Another flow's token in this browser.
        let other = Browser::new(&world);
        let token = world.connect_token("v").await;
        let other_page = other.page(&token, "sim_oauth1").await;
        let theirs = other.consent(&other_page.start().await).await;
        assert_eq!(code_on(&browser.visit(&theirs).await), "flow_not_started_here");
        assert_eq!(world.provider.counters("oauth1").access_token, 0);
        let started = page.start().await;
        let provider = browser.leave(&started).await;
        let denied = browser.visit(&world.provider.deny(&provider, "ada").unwrap()).await;
        assert_eq!(code_on(&denied), "access_denied", "{}", denied.text);
        let started = page.start().await;
        let back = browser.consent(&started).await;
        assert_eq!(browser.visit(&back).await.status, 200);
        assert_eq!(page.status(&started.flow).await["state"], "done");
        assert_eq!(world.provider.counters("oauth1").bad_signature, 0);
    }
}
