//! The pages as a browser walks them: plain forms, one cookie.

use grantkeep_simulator::PASSWORD;
use reqwest::{Client, redirect};

use crate::world::{CALLBACK, World, location, query};

fn browser() -> Client {
    let builder = Client::builder().redirect(redirect::Policy::none()).no_proxy();
    builder.cookie_store(true).build().unwrap()
}

fn visit(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"visit\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn open(browser: &Client, world: &World, path: &str) -> String {
    let answer = browser.get(world.url(path)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-frame-options"], "DENY");
    answer.text().await.unwrap()
}

/// Goes to the authorization address and gives the path of the page it leads to.
async fn arrive(browser: &Client, world: &World) -> String {
    let address = world.authorize_url("rotating", &[("scope", "profile chat.write")]);
    location(&browser.get(address).send().await.unwrap())
}

#[tokio::test]
async fn a_person_signs_in_allows_and_later_removes_the_app() {
    let (world, browser) = (World::new().await, browser());
    let path = arrive(&browser, &world).await;
    assert!(path.starts_with("/rotating/login?visit="));
    let page = open(&browser, &world, &path).await;
    assert!(page.contains("Lumen Chat") && page.contains("Ada Lovelace"));

    let form = [("visit", visit(&page)), ("user", "ada".into()), ("password", "guess".into())];
    let login = world.url("/rotating/login");
    let wrong = browser.post(&login).form(&form).send().await.unwrap();
    assert_eq!(wrong.status(), 200);
    assert!(wrong.text().await.unwrap().contains("does not match"));

    let form = [("visit", visit(&page)), ("user", "ada".into()), ("password", PASSWORD.into())];
    let consent = location(&browser.post(&login).form(&form).send().await.unwrap());
    let page = open(&browser, &world, &consent).await;
    assert!(page.contains("Post messages in your name"));
    assert!(!page.contains("Read the channels"), "not asked for");

    let form = [("visit", visit(&page)), ("decision", "allow".into())];
    let decide = browser.post(world.url("/rotating/consent")).form(&form);
    let back = location(&decide.send().await.unwrap());
    assert!(back.starts_with(CALLBACK));
    assert_eq!(world.exchange("rotating", &query(&back, "code")).await.status(), 200);
    let again = browser.post(world.url("/rotating/consent")).form(&form);
    assert_eq!(again.send().await.unwrap().status(), 400);

    // Signed in by now: straight to consent.
    assert!(arrive(&browser, &world).await.starts_with("/rotating/consent?visit="));
    let page = open(&browser, &world, "/rotating").await;
    assert!(page.contains("Acme"));
    let grant = world.simulator.ledger("rotating")[0].id.clone();
    let form = [("grant", grant.as_str())];
    let stranger = world.http.post(world.url("/rotating")).form(&form).send().await.unwrap();
    assert_eq!(stranger.status(), 303);
    assert!(!world.simulator.ledger("rotating")[0].revoked);
    browser.post(world.url("/rotating")).form(&form).send().await.unwrap();
    assert!(world.simulator.ledger("rotating")[0].revoked);
}

#[tokio::test]
async fn consent_is_not_reached_without_signing_in() {
    let (world, browser) = (World::new().await, browser());
    let path = arrive(&browser, &world).await.replace("/login", "/consent");
    let answer = browser.get(world.url(&path)).send().await.unwrap();
    assert!(location(&answer).contains("/login"));
    let form = [("visit", query(&world.url(&path), "visit")), ("decision", "allow".into())];
    let answer = browser.post(world.url("/rotating/consent")).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn deny_goes_back_with_access_denied() {
    let world = World::new().await;
    let back = world.simulator.deny(&world.authorize_url("rotating", &[]), "ada").unwrap();
    assert_eq!(query(&back, "error"), "access_denied");
    assert_eq!(query(&back, "state"), "state-1");
    assert_eq!(query(&back, "iss"), world.url("/rotating"));
    let counters = world.simulator.counters("rotating");
    assert_eq!((counters.denied, counters.consented), (1, 0));
}

#[tokio::test]
async fn what_a_stranger_writes_into_an_address_is_not_markup() {
    let world = World::new().await;
    let address = world.url("/rotating/login?visit=<script>alert(1)</script>");
    let page = world.get(&address).await.text().await.unwrap();
    assert!(!page.contains("<script>"));
}
