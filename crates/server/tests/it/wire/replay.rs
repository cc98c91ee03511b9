//! Every method of the clients, one after another, as they call it.

use grantkeep::projects::{self, Change, Settings};
use grantkeep::scope::Scopes;

use super::requests::{
    ACCOUNTS, APPS, BROWSER, CLIENTS, PROJECTS, PROXY, PYTHON, RAW, REFUSED, SCRIPT, SIGN_IN,
    TOKENS, USED, USERS, WEBHOOKS,
};
use super::script::{Known, play};
use crate::tidy::none;
use crate::world::{World, worlds};

/// A project in the compatibility profile, accounts of three users, and a client of the whole
/// server.
pub async fn known(world: &World) -> Known {
    let change = Change { settings: Some(Settings::default().compatible()), ..Change::default() };
    projects::update(&world.app, &world.project.id, change).await.unwrap();
    let scopes = Scopes::parse("* credentials:read proxy:use").unwrap();
    let made = projects::create_client(&world.app, None, "sdk", &scopes).await.unwrap();
    let (key_id, key) =
        projects::create_key(&world.app, &world.project.id, "older", &scopes).await.unwrap();
    let account = world.connected("rotating", "ada").await;
    world.connected("static", "u 1/é").await;
    world.connected("short", "u/1 2").await;
    let mut known = Known::default();
    known.set("cid", made.client.id.as_str());
    known.set("sec", made.secret.expose());
    known.set("key", key.expose());
    known.set("key_id", key_id.id.as_str());
    known.set("project", world.project.id.as_str());
    known.set("account", account.id.as_str());
    known.set("client", account.oauth_app.unwrap().as_str());
    known
}

#[tokio::test]
async fn every_method_of_every_client_is_answered_as_strict_clients_want_it() {
    for world in worlds().await {
        let mut known = known(&world).await;
        let mut found = Vec::new();
        for cases in [SIGN_IN, TOKENS, ACCOUNTS, APPS, PROJECTS, WEBHOOKS, CLIENTS, PROXY] {
            found.extend(play(&world, &mut known, cases, SCRIPT).await);
        }
        // The page that connected an account used the token up.
        known.set("browser_token", world.connect_token("ada").await);
        found.extend(play(&world, &mut known, BROWSER, SCRIPT).await);
        found.extend(play(&world, &mut known, SIGN_IN, PYTHON).await);
        found.extend(play(&world, &mut known, RAW, PYTHON).await);
        found.extend(play(&world, &mut known, REFUSED, SCRIPT).await);
        // Where nothing is counted yet, there is nothing to ask for.
        if grantkeep::router::document().paths.paths.contains_key("/v1/connect/usage") {
            found.extend(play(&world, &mut known, USED, SCRIPT).await);
        }
        found.extend(play(&world, &mut known, USERS, SCRIPT).await);
        world.run_jobs().await;
        none(&found, world.engine);
    }
}
