//! What a server must do before clients of the wire may be pointed at it, item by item, and the
//! tests that show it. What no other test shows is shown here.

use reqwest::Method;
use serde_json::{Value, json};

use crate::proxy::lab::{Kind, Lab, escaped, labs, labs_of};
use crate::proxy::upstream::{answer, status};
use crate::tidy::none;
use crate::tidy::security_doc::Tests;
use crate::tidy::sources::walk;
use crate::world::{PRODUCT_ORIGIN, Reply, World, read, worlds};

/// The items that are about what is built, and what holds them.
const HELD: &[(&str, &[&str])] = &[
    (
        "1 every method of every client",
        &[
            "every_method_of_every_client_is_answered_as_strict_clients_want_it",
            "components_that_are_not_there_are_missed_and_not_deployed",
            "a_file_comes_back_as_it_went_in_whatever_its_size",
            "every method sends what the wire asks for",
        ],
    ),
    (
        "2 paths as each client writes them",
        &[
            "every_method_of_every_client_is_answered_as_strict_clients_want_it",
            "older_paths_bodies_and_aliases_are_served",
            "ids_of_users_may_hold_slashes_encoded_or_not",
            "both_forms_without_a_project_for_keys_and_connect_tokens",
            "row_116_a_path_means_one_thing",
        ],
    ),
    (
        "3 pages to their end",
        &["item_3_lists_of_any_length_end", "a list is walked to its end, page by page"],
    ),
    (
        "4 the proxy",
        &[
            "item_4_targets_in_either_alphabet_bodies_of_any_kind",
            "item_4_an_app_with_a_host_for_each_account",
            "p_05_row_71_row_115_the_app_sees_only_what_is_meant_for_it",
            "row_72_headers_that_no_app_may_get",
            "p_01_row_64_other_hosts_are_refused",
            "row_77_an_app_that_hangs_is_left",
        ],
    ),
    (
        "5 connect tokens",
        &[
            "item_5_a_connect_token_is_its_users_and_shows_no_secret",
            "a_token_connects_one_account",
            "w_10_only_named_origins_may_call_from_a_browser",
            "rows_31_to_33_what_is_not_yours_does_not_exist",
        ],
    ),
    (
        "6 the page",
        &[
            "frame and window: from the click to the account",
            "the window is closed half-way and opened again",
            "closed without connecting",
            "a connect link ends at the product",
            "a connect link without addresses ends on a page of ours",
            "a key: refused, then taken",
            "reconnecting keeps the account",
            "b-09 a product that keeps its windows apart is told",
            "w-04 a provider that cuts the opener off",
            "f_11_a_link_ends_at_the_products_own_addresses",
            "b_13_a_reconnect_keeps_the_id_and_the_person",
            "keys_that_the_app_refuses_are_told_and_a_typing_error_is_not",
        ],
    ),
    (
        "7 webhooks",
        &[
            "h_01_other_peoples_verifiers_take_what_we_sign",
            "h-01 both signatures of the server are taken",
            "the_wires_webhook_has_the_wires_fields",
            "events_go_to_the_triggers_addresses_or_else_to_the_default",
        ],
    ),
    (
        "9 strict clients can read every field of a component",
        &["item_9_strict_clients_can_read_every_field"],
    ),
    (
        "10 real components",
        &[
            "an_action_gives_what_it_returns_exports_and_logs",
            "options_come_page_by_page_and_failures_are_among_the_errors",
            "fields_that_a_choice_brings_are_remembered_for_a_day_for_their_user",
            "files_of_a_stash_go_into_the_run_and_new_ones_come_out",
            "what_code_throws_is_an_answer_and_not_a_failure_of_the_call",
            "a_source_lives_from_deploy_to_delete",
            "unique_remembers_a_hundred_and_forgets_the_oldest",
            "greatest_lets_only_larger_numbers_through",
            "last_lets_through_what_comes_after_the_last_one",
        ],
    ),
    (
        "8 bearers live as long as they say",
        &["access_tokens_live_an_hour_and_no_longer", "a_07_a_revoked_client_is_refused_at_once"],
    ),
];

#[test]
fn every_item_is_held_by_tests_that_exist() {
    let mut sources = walk("crates", &["rs"]);
    sources.extend(walk("tests", &["mjs"]));
    sources.extend(walk("sdk", &["mjs"]));
    let all = Tests::of(&sources);
    let mut missing = Vec::new();
    for (item, names) in HELD {
        let gone = names.iter().filter(|name| !all.have(name));
        missing.extend(gone.map(|name| format!("{item}: {name}")));
    }
    none(&missing, "The checklist names tests that are not there:");
}

/// Walks as both clients do: on with `after` while there is an `end_cursor`.
async fn walked(world: &World, path: &str) -> Vec<String> {
    const PAGES_MAX: usize = 30;
    let join = if path.contains('?') { '&' } else { '?' };
    let (mut seen, mut next) = (Vec::new(), world.path(path));
    for _ in 0..PAGES_MAX {
        let page = world.get(&next).await.json();
        let items = page["data"].as_array().unwrap();
        assert_eq!(page["page_info"]["count"], items.len());
        seen.extend(items.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        match page["page_info"]["end_cursor"].as_str().filter(|it| !it.is_empty()) {
            Some(cursor) => next = format!("{}{join}after={cursor}", world.path(path)),
            None => return seen,
        }
    }
    panic!("{path} does not end");
}

#[tokio::test]
async fn item_3_lists_of_any_length_end() {
    for world in worlds().await {
        let mut made = 0;
        for count in [0, 1, 10, 11, 101] {
            while made < count {
                world.connect_token(&format!("user-{made}")).await;
                made += 1;
            }
            for path in ["/users", "/users?limit=100", "/users?limit=7&q=user"] {
                let mut seen = walked(&world, path).await;
                assert_eq!(seen.len(), count, "{path}");
                seen.sort();
                seen.dedup();
                assert_eq!(seen.len(), count, "{path} gives one twice");
            }
        }
        let own = json!({ "app": "github", "client_id": "c" });
        for nth in 0..11 {
            let accounts = walked(&world, "/accounts").await;
            let clients = walked(&world, "/oauth_apps").await;
            assert_eq!((accounts.len(), clients.len()), (nth, nth));
            let token = world.connect_token(&format!("user-{nth}")).await;
            let form = json!({ "app_slug": "sim_keys", "cfmap_json": "{\"api_key\":\"k\"}" });
            let path = world.path("/accounts");
            let made = world.call(Method::POST, &path, Some(&token), Some(form)).await;
            assert_eq!(made.status, 200, "{made:?}");
            assert_eq!(world.post(&world.path("/oauth_apps"), own.clone()).await.status, 201);
        }
    }
}

async fn by_path(lab: &Lab, coded: &str) -> Reply {
    let query = format!("external_user_id=ada&account_id={}", lab.account);
    lab.world.get(&lab.world.path(&format!("/proxy/{coded}?{query}"))).await
}

#[tokio::test]
async fn item_4_targets_in_either_alphabet_bodies_of_any_kind() {
    // In base64 it has all that differs: `+`, `/` and `=`.
    let target = "/a?x=~~>>??&y=1";
    let standard = "L2E/eD1+fj4+Pz8meT0x";
    let url_safe = "L2E_eD1-fj4-Pz8meT0x";
    for lab in labs().await {
        let one_more = format!("{target}2");
        let forms = [
            (standard.to_owned(), target),
            (standard.replace('+', "%2B").replace('/', "%2F"), target),
            (url_safe.to_owned(), target),
            (escaped(&one_more), one_more.as_str()),
            ("L2E/eD1+fj4+Pz8meT0xMg==".to_owned(), one_more.as_str()),
            ("L2E_eD1-fj4-Pz8meT0xMg==".to_owned(), one_more.as_str()),
            ("L2E_eD1-fj4-Pz8meT0xMg".to_owned(), one_more.as_str()),
        ];
        for (coded, target) in forms {
            let reply = by_path(&lab, &coded).await;
            assert_eq!(reply.status, 200, "{coded}: {reply:?}");
            // A URL has no angle brackets of its own.
            let line = format!("GET /base{} HTTP/1.1", target.replace('>', "%3E"));
            assert_eq!(lab.upstream.last().line, line, "{coded}");
        }
        // Bytes that are no text come back as they are, and nothing stays nothing.
        let head = "content-type: image/png\r\n";
        let picture: &[u8] = &[0x89, b'P', 0, 0xff, 0xfe, 13, 10];
        let mut steps = answer(head, "");
        let text = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n{head}\r\n", picture.len());
        steps.truncate(1);
        steps.push(crate::proxy::upstream::Do::Send([text.as_bytes(), picture].concat()));
        lab.upstream.script([steps]);
        let got = lab.request(Method::GET, "/picture").send().await.unwrap();
        assert_eq!(got.headers()["content-type"], "image/png");
        assert_eq!(got.bytes().await.unwrap(), picture);
        lab.upstream.script([status(204, "", "")]);
        let none = lab.get("/none").await;
        assert_eq!((none.status.as_u16(), none.text.as_str()), (204, ""));
        // A client that sends three times is answered three times; nothing is added to it.
        let before = lab.upstream.seen().len();
        lab.upstream.script((0..3).map(|_| status(500, "", "broken")));
        for _ in 0..3 {
            assert_eq!(lab.post("/x", json!({})).await.status, 500);
        }
        assert_eq!(lab.upstream.seen().len(), before + 3);
    }
}

#[tokio::test]
async fn item_4_an_app_with_a_host_for_each_account() {
    let fields = [("api_key", "k"), ("room", "base")];
    let kind = Kind { base: "http://UPSTREAM/${room}", fields: &fields, ..Kind::default() };
    for lab in labs_of(kind).await {
        assert_eq!(by_path(&lab, &escaped("/x?y=1")).await.status, 200);
        assert_eq!(lab.upstream.last().line, "GET /base/x?y=1 HTTP/1.1");
        let own = format!("http://{}/base/z", lab.upstream.address);
        assert_eq!(by_path(&lab, &escaped(&own)).await.status, 200, "its own base, absolute");
        let refused = by_path(&lab, &escaped("https://elsewhere.example/x")).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "host_not_allowed".into()));
    }
}

#[tokio::test]
async fn item_5_a_connect_token_is_its_users_and_shows_no_secret() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let theirs = world.connected("rotating", "grace").await;
        let token = world.connect_token_with("ada", json!({ "expires_in": 60 })).await;
        let ask = async |path: &str, origin: &str, environment: &str| {
            let request = world.http.get(format!("{}{path}", world.url)).bearer_auth(&token);
            let request = request.header("x-pd-environment", environment);
            read(request.header("origin", origin)).await
        };
        let one = |id: &str| world.path(&format!("/accounts/{id}?include_credentials=true"));
        let own = ask(&one(account.id.as_str()), PRODUCT_ORIGIN, "development").await;
        assert_eq!((own.status.as_u16(), &own.json()["credentials"]), (200, &Value::Null));
        assert_eq!(own.headers["access-control-allow-origin"], PRODUCT_ORIGIN);
        // Its environment is its own, whatever old clients send.
        let other = ask(&one(account.id.as_str()), PRODUCT_ORIGIN, "production").await;
        assert_eq!(other.status, 200);
        let evil = ask(&one(account.id.as_str()), "https://evil.example", "development").await;
        assert_eq!((evil.status.as_u16(), evil.code()), (403, "origin_not_allowed".into()));
        assert!(!evil.headers.contains_key("access-control-allow-origin"));
        assert_eq!(ask(&one(theirs.id.as_str()), PRODUCT_ORIGIN, "development").await.status, 404);
        let list = ask(&world.path("/accounts"), PRODUCT_ORIGIN, "development").await.json();
        assert_eq!(list["page_info"]["total_count"], 1, "ada's alone");
        let named = world.path("/accounts?external_user_id=grace");
        assert_eq!(ask(&named, PRODUCT_ORIGIN, "development").await.status, 404);
        // Signing keys are for servers.
        for path in ["/webhook", "/webhooks", "/deployed-triggers/dc_1/webhooks/wh_1"] {
            let reply = ask(&world.path(path), PRODUCT_ORIGIN, "development").await;
            assert_eq!(reply.code(), "wrong_token_type", "{path}");
        }
        world.app.clock.shift(61_000);
        let late = ask(&one(account.id.as_str()), PRODUCT_ORIGIN, "development").await;
        assert_eq!((late.status.as_u16(), late.code()), (401, "invalid_token".into()));
        // One connection uses a token up, for calls too.
        let fresh = world.connect_token("ada").await;
        let form = json!({ "app_slug": "sim_keys", "cfmap_json": "{\"api_key\":\"k\"}" });
        let path = world.path("/accounts");
        let made = world.call(Method::POST, &path, Some(&fresh), Some(form.clone())).await;
        assert_eq!(made.status, 200, "{made:?}");
        for method in [Method::GET, Method::POST] {
            let body = (method == Method::POST).then(|| form.clone());
            assert_eq!(world.call(method, &path, Some(&fresh), body).await.status, 401);
        }
    }
}
