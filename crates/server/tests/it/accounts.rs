//! Accounts: who sees them, what is shown, and what becomes of them when they are deleted.

use futures::future::join_all;
use grantkeep::accounts;
use grantkeep::ids::AccountId;
use grantkeep::projects::Settings;
use grantkeep::scope::Scopes;
use grantkeep::tokens;
use grantkeep_simulator::{Endpoint, Fault, Times};
use reqwest::Method;
use serde_json::{Value, json};

use crate::grants::TWO_HOURS_MS;
use crate::world::{Reply, World, read, worlds};

fn revocation(reply: &Reply) -> &str {
    reply.headers.get("x-grantkeep-revocation").map_or("", |it| it.to_str().unwrap())
}

/// A bearer of the world's project with these scopes and no others.
async fn bearer(world: &World, scopes: &str) -> String {
    let scopes = Scopes::parse(scopes).unwrap();
    let made = grantkeep::projects::create_key(&world.app, &world.project.id, "x", &scopes).await;
    made.unwrap().1.expose().to_owned()
}

#[tokio::test]
async fn an_account_has_every_field_that_strict_clients_want() {
    for world in worlds().await {
        let account = world.connected("rotating", "u/1 2").await;
        let reply = world.get(&world.path(&format!("/accounts/{}", account.id))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let body = reply.json();
        for name in [
            "id",
            "name",
            "external_id",
            "healthy",
            "dead",
            "app",
            "created_at",
            "updated_at",
            "authorized_scopes",
            "missing_scopes",
            "binding",
            "status",
            "status_reason",
            "error",
            "credentials",
            "expires_at",
            "last_refreshed_at",
            "next_refresh_at",
        ] {
            assert!(body.get(name).is_some(), "{name} is missing in {body}");
        }
        assert_eq!(body["external_id"], "u/1 2");
        assert_eq!((&body["healthy"], &body["dead"]), (&true.into(), &false.into()));
        assert_eq!((&body["binding"], &body["status"]), (&"embedded".into(), &"healthy".into()));
        assert_eq!(body["credentials"], Value::Null);
        let of_app =
            ["name_slug", "name", "img_src", "categories", "featured_weight", "scope_profiles"];
        for name in of_app {
            assert!(!body["app"][name].is_null(), "app.{name} is missing in {body}");
        }
        assert_eq!(body["app"]["name_slug"], "sim_rotating");
        assert!(body["expires_at"].as_str().unwrap().ends_with("+00:00"));
    }
}

#[tokio::test]
async fn credentials_have_the_wire_names() {
    for world in worlds().await {
        let account = world.connected("tenant", "ada").await;
        let body = world.vend(&account).await.json();
        let credentials = body["credentials"].as_object().unwrap();
        let names: Vec<_> = credentials.keys().map(String::as_str).collect();
        let expected = ["oauth_access_token", "oauth_client_id", "oauth_uid", "workspace"];
        assert_eq!(names, expected);
        assert_eq!(credentials["workspace"], "acme");
        assert_eq!(credentials["oauth_uid"], "ada");
        let read = "select count(*) from audit_events where action = 'credentials.read'";
        assert_eq!(world.count(read).await, 1);
    }
}

#[tokio::test]
async fn row_50_m_04_accounts_of_others_are_not_there() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let other = world.another_project(Settings::default()).await;
        let nobody = AccountId::mint();
        let mut answers = Vec::new();
        for id in [account.id.as_str(), nobody.as_str(), "apn_", "x", "%00", "apn_a%2Fb"] {
            let path = format!("/v1/connect/{}/accounts/{id}", other.id);
            for method in [Method::GET, Method::DELETE] {
                answers.push(world.call(method, &path, Some(&other.token), None).await);
            }
        }
        for reply in &answers {
            assert_eq!((reply.status.as_u16(), &reply.text), (404, &answers[0].text));
        }
        // Nor with the own credential in another's project, nor in the other environment.
        let path = world.path(&format!("/accounts/{}", account.id));
        let stranger = world.call(Method::GET, &path, Some(&other.token), None).await;
        assert_eq!((stranger.status.as_u16(), &stranger.text), (404, &answers[0].text));
        let production = world.http.get(format!("{}{path}", world.url));
        let production = production.bearer_auth(&world.project.token);
        let production = read(production.header("x-pd-environment", "production")).await;
        assert_eq!((production.status.as_u16(), &production.text), (404, &answers[0].text));
        assert_eq!(world.get(&path).await.status, 200);
    }
}

#[tokio::test]
async fn row_51_m_05_an_account_of_another_user_is_not_there() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let path = world.path(&format!("/accounts/{}", account.id));
        assert_eq!(world.get(&format!("{path}?external_user_id=ada")).await.status, 200);
        assert_eq!(world.get(&format!("{path}?external_user_id=grace")).await.status, 404);
        let grace = world.connect_token("grace").await;
        let ada = world.connect_token("ada").await;
        let short = format!("/v1/connect/accounts/{}", account.id);
        for path in [&path, &short] {
            let call = |method, token| world.call(method, path, Some(token), None);
            assert_eq!(call(Method::GET, grace.as_str()).await.status, 404);
            assert_eq!(call(Method::DELETE, grace.as_str()).await.status, 404);
            assert_eq!(call(Method::GET, ada.as_str()).await.status, 200);
        }
        let list = |token| world.call(Method::GET, "/v1/connect/accounts", Some(token), None);
        assert_eq!(list(ada.as_str()).await.json()["page_info"]["total_count"], 1);
        assert_eq!(list(grace.as_str()).await.json()["page_info"]["total_count"], 0);
        let asked = "/v1/connect/accounts?external_user_id=ada";
        assert_eq!(world.call(Method::GET, asked, Some(&grace), None).await.status, 404);
    }
}

#[tokio::test]
async fn row_52_credentials_need_their_own_scope_and_never_go_to_browsers() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let one = world.path(&format!("/accounts/{}?include_credentials=true", account.id));
        let all = world.path("/accounts?include_credentials=1");
        let user = world.path("/users/ada/accounts?include_credentials=true");
        let key = bearer(&world, "*").await;
        let browser = world.connect_token("ada").await;
        for path in [&one, &all, &user] {
            let refused = world.call(Method::GET, path, Some(&key), None).await;
            assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "scope_missing"));
            let shown = world.call(Method::GET, path, Some(&browser), None).await;
            assert_eq!(shown.status, 200);
            assert!(!shown.text.contains("oauth_access_token"), "{}", shown.text);
            assert!(world.get(path).await.text.contains("oauth_access_token"));
        }
        let read = "select count(*) from audit_events where action = 'credentials.read' and \
                    outcome = 'ok'";
        assert_eq!(world.count(read).await, 3);
    }
}

#[tokio::test]
async fn lists_are_filtered_and_paged_to_their_end() {
    for world in worlds().await {
        let client = world.oauth_app("static").await;
        let other = world.oauth_app("rotating").await;
        for nth in 0..11 {
            let user = format!("u{}", nth % 2);
            world.connected_with(&client, &user, "ada", None).await.unwrap();
            world.app.clock.shift(if nth % 3 == 0 { 0 } else { 5 });
        }
        world.connected_with(&other, "u1", "ada", None).await.unwrap();
        for (query, total) in [
            ("", 12),
            ("app=sim_static", 11),
            ("external_user_id=u1", 6),
            ("external_user_id=u1&app=sim_static", 5),
            ("app=nothing", 0),
            ("external_user_id=nobody", 0),
        ] {
            let mut seen: Vec<String> = Vec::new();
            let mut after = String::new();
            loop {
                let path = world.path(&format!("/accounts?limit=4&{query}{after}"));
                let body = world.get(&path).await.json();
                assert_eq!(body["page_info"]["total_count"], total, "{query}");
                let data = body["data"].as_array().unwrap();
                seen.extend(data.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
                let Some(cursor) = body["page_info"]["end_cursor"].as_str() else { break };
                after = format!("&after={cursor}");
            }
            let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
            assert_eq!((seen.len(), distinct.len()), (total, total), "{query}");
        }
        let by_client = world.path(&format!("/accounts?oauth_app_id={}", other.id));
        assert_eq!(world.get(&by_client).await.json()["page_info"]["total_count"], 1);
    }
}

#[tokio::test]
async fn the_older_paths_with_a_users_id_work_with_a_key() {
    for world in worlds().await {
        let account = world.connected("rotating", "user-1").await;
        world.connected("static", "user-2").await;
        let key = Some(world.project.key.as_str());
        let list = world.call(Method::GET, "/v1/connect/user-1/accounts", key, None).await.json();
        assert_eq!(list["accounts"].as_array().unwrap().len(), 1);
        assert_eq!(list["accounts"], list["data"]);
        assert_eq!(list["accounts"][0]["id"], account.id.as_str());
        let strange = format!("/v1/connect/user-2/accounts/{}", account.id);
        assert_eq!(world.call(Method::DELETE, &strange, key, None).await.status, 404);
        let own = format!("/v1/connect/user-1/accounts/{}", account.id);
        assert_eq!(world.call(Method::DELETE, &own, key, None).await.status, 204);
        let list = world.call(Method::GET, "/v1/connect/user-1/accounts", key, None).await.json();
        assert_eq!(list["accounts"], json!([]));
    }
}

#[tokio::test]
async fn ids_of_users_may_hold_slashes_encoded_or_not() {
    for world in worlds().await {
        world.connected("static", "u/1 2").await;
        for user in ["u/1%202", "u%2F1%202"] {
            let reply = world.get(&world.path(&format!("/users/{user}/accounts"))).await;
            assert_eq!(reply.json().as_array().unwrap().len(), 1, "{user} {reply:?}");
        }
        assert_eq!(world.get(&world.path("/users/nobody/accounts")).await.json(), json!([]));
        assert_eq!(world.delete(&world.path("/users/nobody")).await.status, 404);
        assert_eq!(world.delete(&world.path("/users/u/1%202")).await.status, 204);
        world.run_jobs().await;
    }
}

#[tokio::test]
async fn row_57_a_dead_account_is_listed_and_not_vended() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        world.provider.revoke_user_grants("rotating", "ada");
        let reply = world.vend(&account).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (409, "reauth_required"));
        let list = world.get(&world.path("/accounts?include_credentials=true")).await.json();
        let first = &list["data"][0];
        assert_eq!((&first["dead"], &first["credentials"]), (&true.into(), &Value::Null));
    }
}

#[tokio::test]
async fn row_60_of_eight_deletions_one_succeeds_and_revokes_once() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let path = world.path(&format!("/accounts/{}", account.id));
        let replies = join_all((0..8).map(|_| world.delete(&path))).await;
        let done: Vec<_> = replies.iter().filter(|it| it.status == 204).collect();
        assert_eq!(done.len(), 1);
        assert_eq!((revocation(done[0]), done[0].text.as_str()), ("revoked", ""));
        assert!(replies.iter().all(|it| it.status == 204 || it.status == 404));
        assert_eq!(world.provider.counters("rotating").revoke, 1);
        assert!(world.provider.ledger("rotating")[0].revoked);
        world.run_jobs().await;
        assert_eq!(grantkeep::outbox::left(&world.app.db).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn t_10_the_outcome_of_a_revocation_is_told_stored_and_shown() {
    for world in worlds().await {
        let revoked = world.connected("static", "ada").await;
        let unsupported = world.connected("grace", "ada").await;
        let kept = world.connected("rotating", "ada").await;
        let outcome = |id: &AccountId| world.path(&format!("/accounts/{id}/revocation"));
        for (account, expected) in [(&revoked, "revoked"), (&unsupported, "unsupported")] {
            let reply = world.delete(&world.path(&format!("/accounts/{}", account.id))).await;
            assert_eq!((reply.status.as_u16(), revocation(&reply)), (204, expected));
            let shown = world.get(&outcome(&account.id)).await.json();
            assert_eq!(shown["revocation"], expected, "{shown}");
            assert_eq!(shown["retrying"], false);
        }
        let path = world.path(&format!("/accounts/{}?revoke=false", kept.id));
        let reply = world.delete(&path).await;
        assert_eq!((reply.status.as_u16(), revocation(&reply)), (204, ""));
        assert!(!world.provider.ledger("rotating")[0].revoked);
        assert_eq!(world.get(&outcome(&kept.id)).await.status, 404);
        let left = "select count(*) from revocations where sealed is not null";
        assert_eq!(world.count(left).await, 0);
    }
}

#[tokio::test]
async fn t_10_a_provider_that_is_down_is_asked_for_a_day_and_no_longer() {
    for world in worlds().await {
        for comes_back in [true, false] {
            let account = world.connected("static", "ada").await;
            let down = Fault::Status { status: 503, retry_after_s: None };
            world.provider.fault("static", Endpoint::Revoke, down, Times::Always);
            let reply = world.delete(&world.path(&format!("/accounts/{}", account.id))).await;
            assert_eq!((reply.status.as_u16(), revocation(&reply)), (204, "pending"));
            for _ in 0..5 {
                world.app.clock.shift(3_600_000);
                world.run_jobs().await;
            }
            if comes_back {
                world.provider.clear_faults("static");
            }
            for _ in 0..20 {
                world.app.clock.shift(3_600_000);
                world.run_jobs().await;
            }
            let path = world.path(&format!("/accounts/{}/revocation", account.id));
            let shown = world.get(&path).await.json();
            let expected = if comes_back { "revoked" } else { "failed" };
            assert_eq!(shown["revocation"].as_str(), Some(expected));
            assert_eq!(shown["retrying"], false);
            assert_eq!(grantkeep::outbox::left(&world.app.db).await.unwrap(), 0);
            world.provider.clear_faults("static");
        }
    }
}

#[tokio::test]
async fn row_61_an_account_deleted_while_it_is_refreshed_never_returns() {
    for world in worlds().await {
        for whole_user in [false, true] {
            let account = world.expired("rotating", "ada").await;
            let before = world.provider.counters("rotating");
            let slow = Fault::DelayAnswer { ms: 1_000 };
            world.provider.fault("rotating", Endpoint::TokenRefresh, slow, Times::Next(1));
            let delete = async {
                while world.provider.counters("rotating").refresh_ok == before.refresh_ok {
                    tokio::task::yield_now().await;
                }
                let user = world.path("/users/ada?revoke=true");
                let one = world.path(&format!("/accounts/{}", account.id));
                world.delete(if whole_user { &user } else { &one }).await
            };
            let (vended, deleted) = tokio::join!(world.vend(&account), delete);
            assert_eq!((vended.status.as_u16(), deleted.status.as_u16()), (404, 204), "{vended:?}");
            assert_eq!(world.count("select count(*) from accounts").await, 0);
            world.run_jobs().await;
            // What the late refresh brought does not outlive the account either.
            let ledger = world.provider.ledger("rotating");
            assert!(ledger.iter().all(|it| it.revoked), "{ledger:?}");
            assert_eq!(grantkeep::outbox::left(&world.app.db).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn deleting_by_app_spares_other_apps_users_and_environments() {
    for world in worlds().await {
        let client = world.oauth_app("static").await;
        for user in ["ada", "ada", "grace"] {
            world.connected_with(&client, user, user, None).await.unwrap();
        }
        world.connected("rotating", "ada").await;
        let by = |rest: &str| world.path(&format!("/apps/{rest}/accounts"));
        assert_eq!(world.delete(&by("nothing")).await.status, 404);
        let browser = world.connect_token("grace").await;
        let own = "/v1/connect/apps/sim_static/accounts";
        let reply = world.call(Method::DELETE, own, Some(&browser), None).await;
        assert_eq!(reply.status, 204);
        assert_eq!(world.count("select count(*) from accounts").await, 3);
        assert_eq!(world.delete(&by(client.id.as_str())).await.status, 204);
        assert_eq!(world.count("select count(*) from accounts").await, 1);
        world.run_jobs().await;
        assert!(world.provider.ledger("static").iter().all(|it| it.revoked));
        assert!(!world.provider.ledger("rotating")[0].revoked);
    }
}

#[tokio::test]
async fn an_erased_user_leaves_nothing_that_can_be_read() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        world.connected("grace", "ada").await;
        let other = world.connected("static", "grace").await;
        let token = world.connect_token("ada").await;
        let sealed: Vec<u8> = grantkeep::on!(world.app.db.read(), conn =>
            sqlx::query_scalar("select sealed from accounts where id = $1")
                .bind(&account.id).fetch_one(conn).await.unwrap());
        let keys = &world.app.keys;
        let tenant = world.tenant();
        assert!(keys.user(&world.app.db, &tenant, &account.user).await.is_ok());
        assert_eq!(world.delete(&world.path("/users/ada")).await.status, 204);
        // A copy of the row, as in a backup, is of no use: its key is destroyed.
        assert!(keys.user(&world.app.db, &tenant, &account.user).await.is_err());
        let owner = grantkeep_vault::owner_key_id_of(&sealed).unwrap();
        let project = keys.project(&world.app.db, &tenant.project).await.unwrap();
        assert_ne!(project.id(), owner);
        assert_eq!(world.count("select count(*) from external_users").await, 1);
        assert!(tokens::find(&world.app, &token).await.unwrap().is_none());
        // The provider is told although the user's key is gone.
        world.run_jobs().await;
        assert!(world.provider.ledger("rotating")[0].revoked);
        assert_eq!(world.vend(&other).await.status, 200);
        // The same person is a new user when he comes back.
        let again = world.connected("rotating", "ada").await;
        assert_ne!(again.user, account.user);
        assert_eq!(world.vend(&again).await.status, 200);
    }
}

#[tokio::test]
async fn a_reconnect_keeps_the_id_and_heals_the_account() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let account = world.connected_with(&client, "ada", "ada", None).await.unwrap();
        world.later(TWO_HOURS_MS);
        world.provider.revoke_user_grants("rotating", "ada");
        assert_eq!(world.vend(&account).await.status, 409);
        let again = world.connected_with(&client, "ada", "ada", Some(&account.id)).await.unwrap();
        assert_eq!(again.id, account.id);
        let body = world.vend(&account).await.json();
        assert_eq!((&body["healthy"], &body["dead"]), (&true.into(), &false.into()));
        assert_eq!(world.count("select count(*) from accounts").await, 1);
    }
}

#[tokio::test]
async fn b_13_a_reconnect_by_another_person_is_refused_and_changes_nothing() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let account = world.connected_with(&client, "ada", "ada", None).await.unwrap();
        let before = world.vend(&account).await.json();
        let swapped = world.connected_with(&client, "ada", "grace", Some(&account.id)).await;
        assert_eq!(swapped.err().unwrap().kind().code, "different_account");
        assert_eq!(world.vend(&account).await.json()["credentials"], before["credentials"]);
        // Nor may the account of another user, or of another app, be taken over.
        let stranger = world.connected_with(&client, "grace", "ada", Some(&account.id)).await;
        assert_eq!(stranger.err().unwrap().kind().code, "not_found");
        let other = world.oauth_app("static").await;
        let elsewhere = world.connected_with(&other, "ada", "ada", Some(&account.id)).await;
        assert_eq!(elsewhere.err().unwrap().kind().code, "not_found");
    }
}

#[tokio::test]
async fn row_63_altered_or_moved_ciphertext_is_refused_without_a_word_of_it() {
    for world in worlds().await {
        let one = world.connected("rotating", "ada").await;
        let two = world.connected("static", "ada").await;
        let sql = "update accounts set sealed = (select sealed from accounts where id = $2) \
                   where id = $1";
        grantkeep::on!(world.app.db.write(), conn => sqlx::query(sql)
            .bind(&one.id).bind(&two.id).execute(conn).await.unwrap().rows_affected());
        let reply = world.vend(&one).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (500, "decrypt_failed"));
        assert_eq!(world.vend(&two).await.status, 200);
        // It can still be deleted.
        let reply = world.delete(&world.path(&format!("/accounts/{}", one.id))).await;
        assert_eq!((reply.status.as_u16(), revocation(&reply)), (204, "failed"));
    }
}

#[tokio::test]
async fn one_connect_token_connects_one_account() {
    for world in worlds().await {
        let token = world.connect_token("ada").await;
        let token = tokens::find(&world.app, &token).await.unwrap().unwrap();
        let grant = || accounts::NewGrant {
            tenant: world.tenant(),
            user: token.user.clone(),
            external_id: "ada".to_owned(),
            app_slug: "sim_keys".to_owned(),
            oauth_app: None,
            name: None,
            subject: None,
            credentials: accounts::Credentials::default(),
            expires_at_ms: None,
            scopes: Vec::new(),
            missing_scopes: Vec::new(),
            binding: accounts::Binding::None,
            reconnect: None,
            token_hash: token.hash,
        };
        let origin = grantkeep::callers::Origin::default();
        let made = join_all((0..8).map(|_| accounts::connect(&world.app, grant(), &origin))).await;
        assert_eq!(made.iter().filter(|it| it.is_ok()).count(), 1);
        let others = made.into_iter().filter_map(Result::err);
        assert!(others.into_iter().all(|it| it.kind().code == "connect_token_used"));
        assert_eq!(world.count("select count(*) from accounts").await, 1);
    }
}

/// The project's rule that keys are tried out before they are stored.
async fn require_key_test(world: &World) {
    let change = grantkeep::projects::Change { require_key_test: Some(true), ..Default::default() };
    grantkeep::projects::update(&world.app, &world.project.id, change).await.unwrap();
}

fn key_form(key: &str) -> Value {
    let fields = json!({ "api_key": key }).to_string();
    json!({ "app_slug": "sim_keys", "cfmap_json": fields, "async_handle": "ignored" })
}

#[tokio::test]
async fn keys_are_connected_by_the_api_with_a_connect_token_only() {
    for world in worlds().await {
        let token = world.connect_token("ada").await;
        let path = "/v1/connect/accounts?external_user_id=ada";
        let form = Some(key_form("sim_live_demo"));
        let server = world.call(Method::POST, path, Some(&world.project.key), form.clone()).await;
        assert_eq!((server.status.as_u16(), server.code().as_str()), (401, "wrong_token_type"));
        let reply = world.call(Method::POST, path, Some(&token), form.clone()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let body = reply.json();
        assert_eq!((&body["healthy"], &body["credentials"]), (&true.into(), &Value::Null));
        assert_eq!(body["authorized_scopes"], json!([]));
        assert_eq!(world.call(Method::POST, path, Some(&token), form).await.status, 401);
        let one = world.path(&format!("/accounts/{}", body["id"].as_str().unwrap()));
        let vended = world.get(&format!("{one}?include_credentials=true")).await.json();
        assert_eq!(vended["credentials"], json!({ "api_key": "sim_live_demo" }));
        let deleted = world.delete(&one).await;
        assert_eq!((deleted.status.as_u16(), revocation(&deleted)), (204, "unsupported"));
    }
}

#[tokio::test]
async fn a_wrong_form_leaves_the_token_usable_and_names_the_field() {
    for world in worlds().await {
        let token = world.connect_token("ada").await;
        let path = world.path("/accounts");
        let send = |body: Value| world.call(Method::POST, &path, Some(&token), Some(body));
        let form = |map: &str| json!({ "app_slug": "sim_keys", "cfmap_json": map });
        for (body, field) in [
            (form("{"), "cfmap_json"),
            (form("[]"), "cfmap_json"),
            (form("{}"), "api_key"),
            (form(r#"{"api_key": {}}"#), "api_key"),
            (form(r#"{"api_key": "a", "base_url": "https://evil.example"}"#), "base_url"),
        ] {
            let reply = send(body.clone()).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_field"));
            assert_eq!(reply.json()["details"]["field"], field, "{body}");
        }
        let other = json!({ "app_slug": "sim_rotating", "cfmap_json": "{}" });
        assert_eq!(send(other).await.code(), "invalid_request");
        let unknown = json!({ "app_slug": "nothing", "cfmap_json": "{}" });
        assert_eq!(send(unknown).await.status, 404);
        let mut strange = key_form("sim_live_demo");
        strange["connect_token"] = json!("ctok_00000000000000000000000000000000");
        assert_eq!(send(strange).await.code(), "invalid_request");
        assert_eq!(send(key_form("sim_live_demo")).await.status, 200);
    }
}

#[tokio::test]
async fn keys_are_tried_out_where_the_project_asks_for_it() {
    for world in worlds().await {
        require_key_test(&world).await;
        let token = world.connect_token("ada").await;
        let path = world.path("/accounts");
        let send = |key: &str| world.call(Method::POST, &path, Some(&token), Some(key_form(key)));
        let reply = send("nonsense").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "credentials_refused"));
        let down = Fault::Status { status: 503, retry_after_s: None };
        world.provider.fault("keys", Endpoint::Any, down, Times::Next(1));
        let reply = send("sim_live_demo").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "provider_unavailable"));
        assert_eq!(send("sim_live_demo").await.status, 200);
        assert_eq!(world.count("select count(*) from accounts").await, 1);
    }
}

#[tokio::test]
async fn keys_are_reconnected_in_place() {
    for world in worlds().await {
        let path = world.path("/accounts");
        let token = world.connect_token("ada").await;
        let form = Some(key_form("sim_live_demo"));
        let made = world.call(Method::POST, &path, Some(&token), form).await.json();
        let token = world.connect_token("ada").await;
        let mut form = key_form("sim_live_other");
        form["account_id"] = made["id"].clone();
        let again = world.call(Method::POST, &path, Some(&token), Some(form.clone())).await;
        assert_eq!(again.json()["id"], made["id"], "{again:?}");
        // B-13: the key of another person does not come to stand behind the id.
        let token = world.connect_token("ada").await;
        let mut swapped = key_form("sim_key_grace");
        swapped["account_id"] = made["id"].clone();
        let swapped = world.call(Method::POST, &path, Some(&token), Some(swapped)).await;
        assert_eq!((swapped.status.as_u16(), swapped.code().as_str()), (409, "different_account"));
        let token = world.connect_token("grace").await;
        let stranger = world.call(Method::POST, &path, Some(&token), Some(form)).await;
        assert_eq!(stranger.status, 404, "{stranger:?}");
        assert_eq!(world.count("select count(*) from accounts").await, 1);
    }
}
