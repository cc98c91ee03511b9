//! Paths and habits of older clients, one table: each is served, or refused for a reason.

use reqwest::Method;

use super::models::{ACCOUNT, APP, CATEGORY, CONNECT_TOKEN, PROJECT_INFO, Shape, VALIDATION};
use super::replay::known;
use super::requests::{SCRIPT, SIGN_IN};
use super::script::{By, Case, Known, case, play, send};
use crate::tidy::none;
use crate::world::{Reply, World, read, worlds};

use By::{Basic, Browser, Key, Nobody, Server};
use Shape::{Bare, BareList, Empty, Error, Page, Wrapped};

/// Older code sends these and no more.
const PLAIN: &[(&str, &str)] =
    &[("content-type", "application/json"), ("x-pd-environment", "development")];

/// With an API key, and a user's id where the project's stands today.
const FIRST_STYLE: &[Case] = &[
    case("a token", Key, "POST /v1/connect/tokens", (200, Bare(CONNECT_TOKEN)))
        .body(r#"{"external_user_id":"ada","allowed_origins":["https://product.example"]}"#)
        .keep(&[("first_token", "/token")]),
    case("a user's accounts", Key, "GET /v1/connect/ada/accounts", (200, Page(ACCOUNT))),
    case("a user's account", Key, "GET /v1/connect/ada/accounts/{account}", (200, Bare(ACCOUNT))),
    case(
        "another user's account",
        Key,
        "DELETE /v1/connect/grace/accounts/{account}",
        (404, Error("not_found")),
    ),
    case(
        "an access token has no user's path",
        Server,
        "GET /v1/connect/ada/accounts",
        (404, Error("not_found")),
    ),
    case(
        "nor has a connect token",
        Browser,
        "GET /v1/connect/ada/accounts",
        (404, Error("not_found")),
    ),
    case(
        "such a path has accounts alone",
        Key,
        "GET /v1/connect/ada/users",
        (404, Error("not_found")),
    ),
];

/// With id and key by HTTP Basic, without a project.
const BASIC_STYLE: &[Case] = &[
    case("a token", Basic, "POST /v1/connect/tokens", (200, Bare(CONNECT_TOKEN)))
        .body(r#"{"app_slug":"sim_rotating","oauth_app_id":"{client}","external_id":"ada"}"#)
        .keep(&[("basic_token", "/token")]),
    case(
        "all accounts",
        Basic,
        "GET /v1/connect/accounts?include_credentials=1",
        (200, Page(ACCOUNT)),
    ),
    case(
        "an account",
        Basic,
        "GET /v1/connect/accounts/{account}?include_credentials=1",
        (200, Bare(ACCOUNT)),
    ),
    case(
        "of an app",
        Basic,
        "GET /v1/connect/accounts/app/sim_rotating?include_credentials=1",
        (200, Page(ACCOUNT)),
    ),
    case(
        "of an OAuth client",
        Basic,
        "GET /v1/connect/accounts/app/{client}",
        (200, Page(ACCOUNT)),
    ),
    case("of a user", Basic, "GET /v1/connect/accounts/external_id/ada", (200, Page(ACCOUNT))),
    case(
        "of a user with a slash",
        Basic,
        "GET /v1/connect/accounts/external_id/u%2F1%202",
        (200, Page(ACCOUNT)),
    ),
    case("all of an app go", Basic, "DELETE /v1/connect/accounts/app/sim_static", (204, Empty)),
    case("an account goes", Basic, "DELETE /v1/connect/accounts/{short}", (204, Empty)),
    case("a user goes", Basic, "DELETE /v1/connect/users/u%201%2F%C3%A9", (204, Empty)),
];

/// With today's paths, yesterday's bodies and headers.
const FORMER_STYLE: &[Case] = &[
    case("a token", Server, "POST /v1/connect/{project}/tokens", (200, Bare(CONNECT_TOKEN)))
        .with(&[("x-pd-sdk-version", "1.8.0")])
        .body(
            r#"{"external_user_id":"ada","environment_name":"production",
            "async_handle":"abcdefghijkl","project_id":"proj_other"}"#,
        )
        .keep(&[("ctok", "/token")]),
    case(
        "an account with filters",
        Server,
        "GET /v1/connect/{project}/accounts/{account}?external_user_id=ada&app=sim_rotating",
        (200, Bare(ACCOUNT)),
    )
    .with(&[("x-pd-sdk-version", "1.8.0")]),
];

/// Other paths to the same.
const ALIASES: &[Case] = &[
    case("apps", Server, "GET /v1/apps?limit=2", (200, Page(APP))),
    case("an app", Server, "GET /v1/apps/slack", (200, Wrapped(APP))),
    case("categories", Server, "GET /v1/app_categories", (200, BareList(CATEGORY)))
        .keep(&[("category", "/0/id")]),
    case("a category", Server, "GET /v1/app_categories/{category}", (200, Bare(CATEGORY))),
    case("many slashes", Browser, "GET //v1///connect//accounts", (200, Page(ACCOUNT))),
    case(
        "an escaped slash is no slash",
        Browser,
        "GET /v1/connect%2Faccounts",
        (404, Error("not_found")),
    ),
];

/// What a word after `/v1/connect/` means, where it could mean two things.
const COLLISIONS: &[Case] = &[
    case(
        "a browser's project",
        Browser,
        "GET /v1/connect/projects/info",
        (200, Bare(PROJECT_INFO)),
    ),
    case("a key's project", Key, "GET /v1/connect/projects/info", (200, Bare(PROJECT_INFO))),
    case(
        "nobody's project for a client of all",
        Server,
        "GET /v1/connect/projects/info",
        (404, Error("not_found")),
    ),
    case("one app", Browser, "GET /v1/connect/apps/sim_rotating", (200, Wrapped(APP))),
    case("a token's use", Nobody, "GET /v1/connect/tokens/{ctok}/validate?app_id=sim_rotating", {
        (200, Bare(VALIDATION))
    }),
    case(
        "a user called apps is an app",
        Key,
        "GET /v1/connect/apps/accounts",
        (404, Error("app_not_found")),
    ),
    case(
        "accounts of an app go",
        Browser,
        "DELETE /v1/connect/apps/sim_static/accounts",
        (204, Empty),
    ),
    case(
        "a user called users is nobody",
        Key,
        "GET /v1/connect/users/accounts",
        (404, Error("not_found")),
    ),
];

async fn found(world: &World) -> (Known, Vec<String>) {
    let mut known = known(world).await;
    let found = play(world, &mut known, SIGN_IN, SCRIPT).await;
    known.set("browser_token", world.connect_token("ada").await);
    let short = world.get(&world.path("/users/u%2F1%202/accounts")).await.json();
    known.set("short", short[0]["id"].as_str().unwrap());
    (known, found)
}

#[tokio::test]
async fn older_paths_bodies_and_aliases_are_served() {
    for world in worlds().await {
        let (mut known, mut all) = found(&world).await;
        all.extend(play(&world, &mut known, FIRST_STYLE, PLAIN).await);
        all.extend(play(&world, &mut known, FORMER_STYLE, SCRIPT).await);
        all.extend(play(&world, &mut known, ALIASES, SCRIPT).await);
        all.extend(play(&world, &mut known, COLLISIONS, SCRIPT).await);
        all.extend(play(&world, &mut known, BASIC_STYLE, PLAIN).await);
        world.run_jobs().await;
        none(&all, world.engine);
    }
}

#[tokio::test]
async fn older_lists_have_both_names_and_hold_what_was_asked_for() {
    for world in worlds().await {
        let (known, _) = found(&world).await;
        for (path, count) in [
            ("accounts/app/sim_rotating", 1),
            ("accounts/app/nothing", 0),
            ("accounts/external_id/ada", 1),
            ("accounts/external_id/u%2F1%202", 1),
            ("accounts/external_id/nobody", 0),
        ] {
            let list = world.get(&format!("/v1/connect/{path}")).await.json();
            assert_eq!(list["accounts"].as_array().unwrap().len(), count, "{path}: {list}");
            assert_eq!(list["accounts"], list["data"]);
        }
        // A browser gets its own user's, whatever it asks for.
        let browser = Some(known.get("browser_token"));
        let path = "/v1/connect/accounts/app/sim_static";
        let list = world.call(Method::GET, path, browser, None).await.json();
        assert_eq!(list["accounts"].as_array().unwrap().len(), 0);
        let path = "/v1/connect/accounts/external_id/grace";
        assert_eq!(world.call(Method::GET, path, browser, None).await.status, 404);
    }
}

#[tokio::test]
async fn a_key_by_http_basic_is_that_key_and_no_other_credential_is() {
    for world in worlds().await {
        let (known, _) = found(&world).await;
        let list = format!("{}/v1/connect/accounts", world.url);
        let ask = async |name: &str, word: &str| -> Reply {
            let request = world.http.get(&list).basic_auth(name, Some(word));
            read(request.header("x-pd-environment", "development")).await
        };
        let (id, key) = (known.get("key_id"), known.get("key"));
        assert_eq!(ask(id, key).await.status, 200);
        for (name, word) in [
            ("", key),
            ("gkk_somebody", key),
            (id, "gk_key_wrong"),
            (id, known.get("access_token")),
            (known.get("cid"), known.get("sec")),
            (id, known.get("browser_token")),
        ] {
            let reply = ask(name, word).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (401, "invalid_token".to_owned()));
        }
        for header in ["Basic", "Basic !!", "Basic Z2s", "basic "] {
            let request = world.http.get(&list).header("authorization", header);
            assert_eq!(read(request).await.status, 401, "{header}");
        }
    }
}

/// A base URL may have a path of its own: all that clients append is found below it.
#[tokio::test]
async fn everything_is_found_below_a_prefix_too() {
    for world in worlds().await {
        let (mut known, _) = found(&world).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = world.app.config.clone();
        let url = format!("http://{}/broker/api", listener.local_addr().unwrap());
        config.public_url = url.parse().unwrap();
        let bound = grantkeep::serve::on(listener, &config).await.unwrap();
        let router = grantkeep::router::router(&world.app);
        let serving = tokio::spawn(bound.run(router, std::future::pending()));
        let mut mounted = world;
        mounted.url = url;
        let mut all = play(&mounted, &mut known, ALIASES, SCRIPT).await;
        all.extend(play(&mounted, &mut known, FIRST_STYLE, PLAIN).await);
        none(&all, mounted.engine);
        let own = &FIRST_STYLE[1];
        assert_eq!(send(&mounted, &known, own, PLAIN).await.json()["page_info"]["total_count"], 1);
        serving.abort();
    }
}
