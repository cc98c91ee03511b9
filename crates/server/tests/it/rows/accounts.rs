//! Rows 50 to 63: accounts, their credentials, and their end. Those that are not here stand with
//! the other tests of accounts.

use std::sync::Arc;

use grantkeep::app::App;
use grantkeep::clock::Clock;
use grantkeep::{accounts, boot, jobs};
use grantkeep_simulator::{Endpoint, Fault, Times};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{key, recorded, refused, stored, users};
use crate::world::{World, worlds};

#[tokio::test]
async fn row_52_credentials_need_their_own_scope() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let star = key(&world, "*").await;
        for path in [
            format!("/accounts/{}?include_credentials=true", account.id),
            "/accounts?include_credentials=true".to_owned(),
            "/users/ada/accounts?include_credentials=true".to_owned(),
        ] {
            let reply = world.call(Method::GET, &world.path(&path), Some(&star), None).await;
            refused(&world, &reply, (403, "scope_missing"), &path);
        }
        assert_eq!(recorded(&world, "credentials.read", "scope_missing").await, 3);
        assert_eq!(recorded(&world, "credentials.read", "ok").await, 0);
    }
}

/// `1` and `0` are what an older client sends, and are taken for what they mean.
#[tokio::test]
async fn row_53_flags_are_true_or_false() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        for flag in [
            "include_credentials=TRUE",
            "include_credentials=True",
            "include_credentials=yes",
            "include_credentials=2",
            "include_credentials=on",
            "include_credentials=%20true",
            "include_credentials=true&include_credentials=false",
            "include_credentials=1&include_credentials=0",
        ] {
            for path in [format!("/accounts/{}?{flag}", account.id), format!("/accounts?{flag}")] {
                let reply = world.get(&world.path(&path)).await;
                refused(&world, &reply, (400, "invalid_parameter"), &path);
            }
        }
        let path = world.path(&format!("/accounts/{}?revoke=TRUE", account.id));
        refused(&world, &world.delete(&path).await, (400, "invalid_parameter"), "revoke=TRUE");
        assert_eq!(recorded(&world, "credentials.read", "ok").await, 0);
        assert_eq!(world.count("select count(*) from accounts").await, 1);
    }
}

#[tokio::test]
async fn row_54_limits_that_are_none() {
    for world in worlds().await {
        for limit in [
            "0",
            "-1",
            "101",
            "1000000000",
            "99999999999999999999",
            "ten",
            "1.5",
            "1e1",
            "+",
            "0x1",
        ] {
            for list in ["/accounts", "/users"] {
                let reply = world.get(&world.path(&format!("{list}?limit={limit}"))).await;
                refused(&world, &reply, (400, "invalid_limit"), limit);
            }
        }
        let twice = world.get(&world.path("/users?limit=1&limit=2")).await;
        refused(&world, &twice, (400, "invalid_parameter"), "twice");
    }
}

#[tokio::test]
async fn row_55_cursors_of_another_list_or_altered() {
    for world in worlds().await {
        for user in ["ada", "grace"] {
            world.connected("rotating", user).await;
            world.app.clock.shift(1_000);
        }
        let cursor_of = async |world: &World, path: &str| {
            let page = world.get(&world.path(path)).await.json();
            page["page_info"]["end_cursor"].as_str().unwrap().to_owned()
        };
        let cursor = cursor_of(&world, "/accounts?limit=1").await;
        let of_users = cursor_of(&world, "/users?limit=1").await;
        let foreign = {
            let other = world.another_project(grantkeep::projects::Settings::default()).await;
            for user in ["a", "b"] {
                let body = json!({ "external_user_id": user });
                let path = format!("/v1/connect/{}/tokens", other.id);
                world.call(Method::POST, &path, Some(&other.token), Some(body)).await;
            }
            let path = format!("/v1/connect/{}/users?limit=1", other.id);
            let page = world.call(Method::GET, &path, Some(&other.token), None).await.json();
            page["page_info"]["end_cursor"].as_str().unwrap().to_owned()
        };
        let mut altered = cursor.clone().into_bytes();
        altered[0] ^= 1;
        let altered = String::from_utf8(altered).unwrap();
        let short = &cursor[..cursor.len() - 1];
        for query in [
            format!("/accounts?limit=1&after={altered}"),
            format!("/accounts?limit=1&after={short}"),
            format!("/accounts?limit=1&before={altered}"),
            format!("/accounts?limit=1&after={of_users}"),
            format!("/accounts?limit=1&app=sim_static&after={cursor}"),
            format!("/accounts?limit=1&external_user_id=ada&after={cursor}"),
            format!("/users?limit=1&after={foreign}"),
            format!("/users?limit=1&q=a&after={of_users}"),
            "/accounts?after=AAAA".to_owned(),
            "/accounts?after=%00".to_owned(),
            "/accounts?after='--".to_owned(),
        ] {
            let reply = world.get(&world.path(&query)).await;
            refused(&world, &reply, (400, "invalid_cursor"), &query);
        }
        let next = world.get(&world.path(&format!("/accounts?limit=1&after={cursor}"))).await;
        assert_eq!(next.status, 200);
    }
}

#[tokio::test]
async fn row_56_filters_are_taken_literally() {
    for world in worlds().await {
        world.connected("rotating", "ada").await;
        let total = async |path: &str| {
            let reply = world.get(&world.path(path)).await;
            assert_eq!(reply.status, 200, "{path} {reply:?}");
            reply.json()["page_info"]["total_count"].as_i64().unwrap()
        };
        for text in [
            "%25",
            "_",
            "_da",
            "a%25",
            "'--",
            "a'%20or%20'1'='1",
            "%00",
            "a%00",
            ".*",
            "^a",
            "[a]",
            "\\",
            "%5C%25",
            "ADA",
            "%F0%9F%A6%80",
            "%FF",
        ] {
            for path in [
                "/accounts?external_user_id=",
                "/accounts?app=",
                "/accounts?oauth_app_id=",
                "/users?q=",
            ] {
                assert_eq!(total(&format!("{path}{text}")).await, 0, "{path}{text}");
            }
        }
        for (user, part) in [("50%_off", "%25_"), ("o'neil--", "'n"), ("a\\b", "%5C")] {
            world.connect_token(user).await;
            assert_eq!(total(&format!("/users?q={part}")).await, 1, "{part}");
        }
    }
}

#[tokio::test]
async fn row_58_a_provider_that_is_down_is_told_as_that() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let down = Fault::Status { status: 503, retry_after_s: None };
        world.provider.fault("rotating", Endpoint::TokenRefresh, down, Times::Always);
        let reply = world.vend(&account).await;
        refused(&world, &reply, (503, "provider_unavailable"), "vend");
        let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(wait >= 1);
    }
}

/// Another process on the same store.
async fn another_process(world: &World) -> Arc<App> {
    let clock = Clock::system();
    clock.shift(world.app.clock.now_ms() - clock.now_ms());
    boot::open(world.app.config.clone(), clock).await.unwrap()
}

#[tokio::test]
async fn row_59_o_07_what_is_frozen_is_not_handed_out() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let other = world.connected("static", "ada").await;
        let freezer = key(&world, "credentials:freeze").await;
        let switch = async |method, query: &str, bearer: &str| {
            let path = world.path(&format!("/freeze{query}"));
            world.call(method, &path, Some(bearer), None).await
        };
        let elsewhere = another_process(&world).await;
        let usable = async |app: &Arc<App>, it: &accounts::Account| {
            let done = accounts::usable(app, &world.tenant(), &it.id, None).await;
            done.map(|_| ()).map_err(|error| error.kind().code)
        };
        assert_eq!(usable(&elsewhere, &account).await, Ok(()));
        // Every scope but the one: whoever has stolen a key cannot lift a freeze.
        let reply = switch(Method::PUT, "", &key(&world, "* credentials:read").await).await;
        refused(&world, &reply, (403, "scope_missing"), "star");

        let reply = switch(Method::PUT, "?app=sim_rotating", &freezer).await;
        assert_eq!(reply.json(), json!({ "frozen": false, "apps": ["sim_rotating"] }));
        refused(&world, &world.vend(&account).await, (403, "frozen"), "the app");
        assert_eq!(world.vend(&other).await.status, 200);
        let list = world.get(&world.path("/accounts?include_credentials=true")).await.json();
        let shown = |slug: &str| {
            let data = list["data"].as_array().unwrap();
            let one = data.iter().find(|it| it["app"]["name_slug"] == slug).unwrap();
            !one["credentials"].is_null()
        };
        assert_eq!((shown("sim_rotating"), shown("sim_static")), (false, true));
        // What another process remembers, it remembers for a second.
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        assert_eq!(usable(&elsewhere, &account).await, Err("frozen"));
        assert_eq!(usable(&elsewhere, &other).await, Ok(()));

        let reply = switch(Method::PUT, "", &freezer).await;
        assert_eq!(reply.json()["frozen"], true);
        for path in
            ["/accounts?include_credentials=true", "/users/ada/accounts?include_credentials=1"]
        {
            let reply = world.get(&world.path(path)).await;
            refused(&world, &reply, (403, "frozen"), path);
        }
        assert_eq!(world.get(&world.path("/accounts")).await.status, 200);
        // Tokens are kept fresh meanwhile.
        world.later(crate::grants::TWO_HOURS_MS);
        accounts::refresh(&world.app, &account, accounts::Why::Ahead).await.unwrap();
        assert_eq!(world.provider.counters("rotating").refresh_ok, 1);

        let reply = switch(Method::DELETE, "", &freezer).await;
        assert_eq!(reply.json(), json!({ "frozen": false, "apps": ["sim_rotating"] }));
        assert_eq!(world.vend(&other).await.status, 200);
        refused(&world, &world.vend(&account).await, (403, "frozen"), "the app still");
        assert_eq!(switch(Method::DELETE, "?app=sim_rotating", &freezer).await.status, 200);
        assert_eq!(world.vend(&account).await.status, 200);
        let reply = switch(Method::DELETE, "", &freezer).await;
        refused(&world, &reply, (404, "not_found"), "twice");
        let reply = switch(Method::PUT, "?app=nothing", &freezer).await;
        refused(&world, &reply, (404, "app_not_found"), "nothing");
        assert_eq!(recorded(&world, "credentials.freeze", "ok").await, 2);
        assert!(recorded(&world, "credentials.read", "frozen").await >= 4);
        elsewhere.close().await;
    }
}

/// A call that waits for the provider hands nothing out once it is frozen.
#[tokio::test]
async fn row_59_a_freeze_holds_for_calls_under_way() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let before = world.provider.counters("rotating").refresh_ok;
        let slow = Fault::DelayAnswer { ms: 1_000 };
        world.provider.fault("rotating", Endpoint::TokenRefresh, slow, Times::Next(1));
        let freezer = key(&world, "credentials:freeze").await;
        let freeze = async {
            while world.provider.counters("rotating").refresh_ok == before {
                tokio::task::yield_now().await;
            }
            world.call(Method::PUT, &world.path("/freeze"), Some(&freezer), None).await
        };
        let (vended, frozen) = tokio::join!(world.vend(&account), freeze);
        assert_eq!(frozen.status, 200);
        refused(&world, &vended, (403, "frozen"), "under way");
        // What the provider gave is kept.
        let path = world.path("/freeze");
        world.call(Method::DELETE, &path, Some(&freezer), None).await;
        assert_eq!(world.vend(&account).await.status, 200);
        assert_eq!(world.provider.counters("rotating").refresh_ok, before + 1);
    }
}

/// Everything of the server is frozen from the command line only.
#[tokio::test]
async fn row_59_a_freeze_of_all_projects() {
    use grantkeep::callers::{Actor, Origin};
    use grantkeep::projects::{FreezeScope, freeze, freezes, unfreeze};
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let freezer = key(&world, "credentials:freeze").await;
        let (all, by) = (FreezeScope::default(), (&Actor::Operator, &Origin::default()));
        freeze(&world.app, &all, by).await.unwrap();
        freeze(&world.app, &all, by).await.unwrap();
        assert_eq!(freezes(&world.app).await.unwrap().len(), 1);
        refused(&world, &world.vend(&account).await, (403, "frozen"), "all");
        let path = world.path("/freeze");
        let seen = world.call(Method::GET, &path, Some(&freezer), None).await.json();
        assert_eq!(seen["frozen"], true);
        let lift = world.call(Method::DELETE, &path, Some(&freezer), None).await;
        refused(&world, &lift, (404, "not_found"), "a client of one project");
        unfreeze(&world.app, &all, by).await.unwrap();
        assert_eq!(world.vend(&account).await.status, 200);
    }
}

/// Copies an account `count` times. What the copies hold can be opened by nobody, as their ids are
/// others.
async fn copies(world: &World, account: &accounts::Account, count: i64) {
    let sql = "with recursive n(i) as (select 1 union all select i + 1 from n where i < $2) \
               insert into accounts (id, project_id, environment, user_id, external_id, app_slug, \
               oauth_app_id, name, scopes, missing_scopes, binding, status, sealed, version, \
               expires_at_ms, next_refresh_at_ms, attempts, lease_until_ms, created_at_ms, \
               updated_at_ms) select a.id || 'x' || n.i, a.project_id, a.environment, a.user_id, \
               a.external_id, a.app_slug, a.oauth_app_id, a.name, a.scopes, a.missing_scopes, \
               a.binding, a.status, a.sealed, a.version, a.expires_at_ms, a.next_refresh_at_ms, 0, \
               0, a.created_at_ms + n.i, a.updated_at_ms from accounts a cross join n \
               where a.id = $1";
    grantkeep::on!(world.app.db.write(), conn => sqlx::query(sql)
        .bind(&account.id).bind(count).execute(conn).await.unwrap().rows_affected());
}

#[tokio::test]
async fn row_62_l_07_a_user_with_very_many_accounts_is_erased_in_steps() {
    for world in worlds().await {
        let account = world.connected("static", "ada").await;
        copies(&world, &account, 2_500).await;
        let kept = world.connected("static", "grace").await;
        let token = world.connect_token("ada").await;
        let begun = world.delete(&world.path("/users/ada")).await;
        assert_eq!(begun.status, 202, "{begun:?}");
        let begun = begun.json();
        assert_eq!((&begun["status"], &begun["accounts"]), (&"erasing".into(), &2_501.into()));
        let progress = world.path(&format!("/erasures/{}", begun["id"].as_str().unwrap()));

        // Gone for every caller, though hardly anything is deleted yet.
        assert_eq!(world.count("select count(*) from accounts").await, 2_502);
        assert_eq!(world.get(&world.path("/accounts")).await.json()["page_info"]["total_count"], 1);
        assert_eq!(world.get(&world.path("/users")).await.json()["page_info"]["total_count"], 1);
        assert_eq!(world.get(&world.path("/users/ada/accounts")).await.json(), json!([]));
        let copy = format!("{}x7", account.id);
        for id in [account.id.as_str(), &copy] {
            let path = world.path(&format!("/accounts/{id}"));
            refused(&world, &world.get(&path).await, (404, "not_found"), id);
            refused(&world, &world.delete(&path).await, (404, "not_found"), id);
        }
        refused(&world, &world.vend(&account).await, (404, "not_found"), "vend");
        refused(&world, &users(&world, &token).await, (401, "invalid_token"), "his connect token");
        let page = format!("/_static/connect.html?token={token}&app=sim_static");
        assert_eq!(world.call(Method::GET, &page, None, None).await.status, 404);
        let twice = world.delete(&world.path("/users/ada")).await;
        refused(&world, &twice, (404, "not_found"), "twice");
        // Nor is what he granted kept fresh.
        world.later(crate::grants::TWO_HOURS_MS);
        accounts::due(&world.app, &CancellationToken::new()).await.unwrap();
        assert_eq!(world.provider.counters("static").refresh_ok, 1, "of the other user");

        half_way_and_on(&world, &progress).await;

        assert_eq!(world.count("select count(*) from accounts").await, 1);
        assert_eq!(world.count("select count(*) from external_users").await, 1);
        assert_eq!(world.count("select count(*) from revocations").await, 2_501);
        // Of the keys, the other user's and the project's are left.
        assert_eq!(world.count("select count(*) from owner_keys").await, 2);
        assert!(world.provider.ledger("static")[0].revoked);
        assert_eq!(world.vend(&kept).await.status, 200);
        assert_eq!(recorded(&world, "user.delete", "begun").await, 1);
        assert_eq!(recorded(&world, "user.erased", "ok").await, 1);
        // He is a new user when he comes back.
        assert_ne!(world.connected("static", "ada").await.user, account.user);
    }
}

/// The process ends after one run of the job, and another goes on.
async fn half_way_and_on(world: &World, progress: &str) {
    let told = async || world.get(progress).await.json();
    jobs::round(&world.app).await.unwrap();
    let half = told().await;
    assert_eq!((&half["status"], &half["erased"]), (&"erasing".into(), &500.into()), "{half}");
    let other = world.another_project(grantkeep::projects::Settings::default()).await;
    let foreign = progress.replace(world.project.id.as_str(), other.id.as_str());
    let foreign = world.call(Method::GET, &foreign, Some(&other.token), None).await;
    refused(world, &foreign, (404, "not_found"), "another project's");
    let next = another_process(world).await;
    while jobs::round(&next).await.unwrap() > 0 {}
    next.close().await;
    let done = told().await;
    assert_eq!((&done["status"], &done["erased"]), (&"done".into(), &2_501.into()), "{done}");
    assert!(done["finished_at"].is_string());
}

#[tokio::test]
async fn row_62_up_to_500_accounts_go_at_once() {
    for world in worlds().await {
        let account = world.connected("static", "ada").await;
        copies(&world, &account, accounts::ERASED_AT_ONCE_MAX - 1).await;
        assert_eq!(world.delete(&world.path("/users/ada")).await.status, 204);
        assert_eq!(world.count("select count(*) from accounts").await, 0);
        assert_eq!(world.count("select count(*) from erasures").await, 0);
        let before = stored(&world).await;
        let path = world.path("/erasures/era_nothere");
        refused(&world, &world.get(&path).await, (404, "not_found"), "none");
        let nothing: Vec<Value> = Vec::new();
        assert_eq!(world.get(&world.path("/users/ada/accounts")).await.json(), json!(nothing));
        assert_eq!(stored(&world).await, before);
    }
}
