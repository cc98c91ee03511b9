//! Every list in pages, forwards and back: each item once, in one order, wherever the pages end.

use grantkeep::accounts::{self, Binding, Credentials, NewGrant};
use grantkeep::apps::{self, Edit};
use grantkeep::callers::Origin;
use grantkeep::projects::{self, Change, Settings};
use grantkeep::scope::Scopes;
use grantkeep::tokens;
use grantkeep_vault::Secret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::custom_apps::PARCELS;
use crate::world::{World, worlds};

/// How many items there are when a list is walked through.
const COUNTS: [usize; 5] = [0, 1, 10, 11, 101];

/// A list, its items' name, and how one more is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum List {
    Users,
    Accounts,
    OAuthApps,
    Overrides,
    CustomApps,
    Projects,
    RateLimits,
}

impl List {
    const ALL: [Self; 7] = [
        Self::Users,
        Self::Accounts,
        Self::OAuthApps,
        Self::Overrides,
        Self::CustomApps,
        Self::Projects,
        Self::RateLimits,
    ];

    fn path(self, world: &World) -> String {
        match self {
            Self::Users => world.path("/users"),
            Self::Accounts => world.path("/accounts"),
            Self::OAuthApps => world.path("/oauth_apps"),
            Self::Overrides => world.path("/app_overrides"),
            Self::CustomApps => world.path("/custom_apps"),
            Self::Projects => "/v1/connect/projects".to_owned(),
            Self::RateLimits => "/v1/connect/rate_limits".to_owned(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::RateLimits => "token",
            Self::CustomApps => "slug",
            _ => "id",
        }
    }

    /// As many as are kept of a kind.
    fn most(self) -> usize {
        if self == Self::CustomApps { 100 } else { usize::MAX }
    }

    async fn make(self, world: &World, nth: usize, bearer: &str) {
        let post = async |path: &str, body: Value| {
            let reply = world.call(Method::POST, path, Some(bearer), Some(body)).await;
            assert!(reply.status.is_success(), "{self:?} {reply:?}");
        };
        match self {
            Self::Users => {
                world.connect_token(&format!("user-{nth}")).await;
            }
            Self::Accounts => account(world, nth).await,
            Self::OAuthApps => {
                let edit = Edit { client_id: Some(format!("c{nth}")), ..Edit::default() };
                let project = &world.project.id;
                apps::create_oauth_app(&world.app, project, "sim_static", edit).await.unwrap();
            }
            Self::Overrides => {
                let body = json!({ "app": "parcels", "name": format!("o{nth}"), "cfmap": {} });
                post(&self.path(world), body).await;
            }
            Self::CustomApps => {
                let text = PARCELS.replace("\"parcels\"", &format!("\"parcels_{nth}\""));
                world.custom_app(&text).await;
            }
            Self::Projects => {
                let change = Change::default();
                projects::create(&world.app, &format!("p{nth}"), change).await.unwrap();
            }
            Self::RateLimits => {
                let body = json!({ "window_size_seconds": 1, "requests_per_window": 1 });
                post(&self.path(world), body).await;
            }
        }
    }
}

async fn account(world: &World, nth: usize) {
    let token = world.connect_token(&format!("user-{}", nth % 3)).await;
    let token = tokens::find(&world.app, &token).await.unwrap().unwrap();
    let grant = NewGrant {
        tenant: world.tenant(),
        user: token.user,
        external_id: token.external_id,
        app_slug: "sim_keys".to_owned(),
        oauth_app: None,
        name: None,
        subject: None,
        credentials: Credentials { access_token: Some(Secret::new("t")), ..Credentials::default() },
        expires_at_ms: None,
        scopes: Vec::new(),
        missing_scopes: Vec::new(),
        binding: Binding::None,
        reconnect: None,
        token_hash: token.hash,
    };
    accounts::connect(&world.app, grant, &Origin::default()).await.unwrap();
}

/// A page: its items' names, and where it goes on.
async fn page(world: &World, bearer: &str, (list, query): (List, &str)) -> (Vec<String>, Value) {
    let path = format!("{}?{query}", list.path(world));
    let reply = world.call(Method::GET, &path, Some(bearer), None).await;
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    let body = reply.json();
    let data = body["data"].as_array().unwrap();
    assert_eq!(body["page_info"]["count"], data.len(), "{path}");
    let names = data.iter().map(|it| it[list.name()].as_str().unwrap().to_owned()).collect();
    (names, body["page_info"].clone())
}

async fn walk(world: &World, bearer: &str, (list, limit): (List, usize), expected: usize) {
    let what = format!("{list:?} of {expected} by {limit} on {}", world.engine);
    let (mut seen, mut cursors) = (Vec::new(), Vec::new());
    let mut query = format!("limit={limit}");
    let last = loop {
        let (names, info) = page(world, bearer, (list, &query)).await;
        assert_eq!(info["total_count"], expected, "{what}");
        assert!(names.len() <= limit && (seen.is_empty() || !names.is_empty()), "{what}");
        seen.extend(names);
        match info["end_cursor"].as_str() {
            Some(cursor) => {
                assert!(!cursors.contains(&cursor.to_owned()), "{what}: a cursor comes again");
                cursors.push(cursor.to_owned());
                query = format!("limit={limit}&after={cursor}");
            }
            None => break info,
        }
    };
    assert_eq!(seen.len(), expected, "{what}");
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), expected, "{what}: an item came twice");
    // And back, from the page that came last.
    let on_last = if expected == 0 { 0 } else { (expected - 1) % limit + 1 };
    let mut back = seen[expected - on_last..].to_vec();
    let mut cursor = last["start_cursor"].as_str().map(str::to_owned);
    while let Some(before) = cursor {
        let query = format!("limit={limit}&before={before}");
        let (mut names, info) = page(world, bearer, (list, &query)).await;
        names.extend(back);
        back = names;
        cursor = info["start_cursor"].as_str().map(str::to_owned);
    }
    assert_eq!(back, seen, "{what}: back is another way than forth");
    between(world, bearer, (list, limit), &seen).await;
}

/// As iterators ask that began before an item: on from each page's end, with the beginning kept.
async fn between(world: &World, bearer: &str, (list, limit): (List, usize), all: &[String]) {
    let Some(first) = all.len().checked_sub(limit).filter(|it| *it > 0) else { return };
    let (_, info) = page(world, bearer, (list, &format!("limit={first}"))).await;
    let (_, rest) = page(world, bearer, (list, &format!("limit={limit}"))).await;
    let before = match info["end_cursor"].as_str() {
        Some(it) if first <= 100 => it.to_owned(),
        _ => return,
    };
    // Of those before the last of `first`, the nearest; then nothing more.
    let query = format!("limit={limit}&before={before}");
    let (names, info) = page(world, bearer, (list, &query)).await;
    let from = (first - 1).saturating_sub(limit);
    assert_eq!(names, all[from..first - 1]);
    if let Some(end) = info["end_cursor"].as_str() {
        let query = format!("{query}&after={end}");
        let (names, info) = page(world, bearer, (list, &query)).await;
        assert_eq!((names, info["end_cursor"].as_str()), (Vec::new(), None));
    }
    // All between the first page's end and that item, in as many pages as they take.
    let mut after = rest["end_cursor"].as_str().map(str::to_owned);
    let mut found = all[..limit].to_vec();
    while let Some(it) = after {
        let query = format!("limit={limit}&after={it}&before={before}");
        let (names, info) = page(world, bearer, (list, &query)).await;
        found.extend(names);
        after = info["end_cursor"].as_str().map(str::to_owned);
    }
    if limit < first {
        assert_eq!(found, all[..first - 1]);
    }
}

#[tokio::test]
async fn a_11_every_list_gives_each_item_once_forwards_and_back() {
    for world in worlds().await {
        let scopes = Scopes::parse("*").unwrap();
        let made = projects::create_client(&world.app, None, "all", &scopes).await.unwrap();
        let body = json!({ "grant_type": "client_credentials", "client_id": made.client.id,
            "client_secret": made.secret.expose() });
        let reply = world.call(Method::POST, "/v1/oauth/token", None, Some(body)).await;
        let all = reply.json()["access_token"].as_str().unwrap().to_owned();
        for list in List::ALL {
            if list == List::Overrides {
                // They want an app, which the next list has by then.
                world.custom_app(PARCELS).await;
            }
            let (mut nth, bearer) = (0, all.as_str());
            let (_, info) = page(&world, bearer, (list, "limit=1")).await;
            let mut there = usize::try_from(info["total_count"].as_i64().unwrap()).unwrap();
            for count in COUNTS.map(|it| it.min(list.most())) {
                while there < count {
                    list.make(&world, nth, bearer).await;
                    (there, nth) = (there + 1, nth + 1);
                    // Half of them share a time with another.
                    world.app.clock.shift(i64::from(nth % 2 == 0));
                }
                walk(&world, bearer, (list, 10), there).await;
                if there > 11 {
                    walk(&world, bearer, (list, 100), there).await;
                }
            }
        }
    }
}

/// Deleting what was just listed does not end the way.
#[tokio::test]
async fn a_11_a_page_goes_on_though_its_last_item_is_gone() {
    for world in worlds().await {
        let own = world.project.token.clone();
        for nth in 0..5 {
            List::RateLimits.make(&world, nth, &own).await;
            world.app.clock.shift(1_000);
        }
        let mut left = 5;
        let mut query = "limit=2".to_owned();
        loop {
            let (names, info) = page(&world, &own, (List::RateLimits, &query)).await;
            for name in &names {
                let path = format!("/v1/connect/rate_limits/{name}");
                let gone = world.call(Method::DELETE, &path, Some(&own), None).await;
                assert_eq!(gone.status, 204);
                left -= 1;
            }
            match info["end_cursor"].as_str() {
                Some(cursor) => query = format!("limit=2&after={cursor}"),
                None => break,
            }
        }
        assert_eq!(left, 0, "{}", world.engine);
    }
}

#[tokio::test]
async fn a_11_a_cursor_is_of_one_list_one_filter_and_one_tenant() {
    for world in worlds().await {
        let own = world.project.token.clone();
        for nth in 0..3 {
            for list in [List::Users, List::RateLimits, List::OAuthApps] {
                list.make(&world, nth, &own).await;
            }
        }
        let other = world.another_project(Settings::default()).await;
        for list in [List::Users, List::RateLimits, List::OAuthApps] {
            let (_, info) = page(&world, &own, (list, "limit=1")).await;
            let cursor = info["end_cursor"].as_str().unwrap();
            let foreign = list.path(&world).replace(world.project.id.as_str(), other.id.as_str());
            let elsewhere = if list == List::Users { List::OAuthApps } else { List::Users };
            for (path, bearer) in [
                (format!("{}?after={cursor}", elsewhere.path(&world)), &own),
                (format!("{foreign}?after={cursor}"), &other.token),
                (format!("{}?before=x", list.path(&world)), &own),
            ] {
                let reply = world.call(Method::GET, &path, Some(bearer), None).await;
                assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_cursor".into()));
            }
        }
        let (_, info) = page(&world, &own, (List::Users, "limit=1")).await;
        let cursor = info["end_cursor"].as_str().unwrap();
        let path = format!("{}?q=user&after={cursor}", List::Users.path(&world));
        assert_eq!(world.call(Method::GET, &path, Some(&own), None).await.code(), "invalid_cursor");
    }
}

#[tokio::test]
async fn the_same_query_in_each_way_of_writing_it() {
    let world = World::sqlite(&[]).await;
    let all = world.get("/v1/connect/app_categories").await.json();
    let ids: Vec<&str> =
        all.as_array().unwrap().iter().take(2).map(|it| it["id"].as_str().unwrap()).collect();
    let total = async |query: &str| {
        let reply = world.get(&format!("/v1/connect/apps?limit=1&{query}")).await;
        assert_eq!(reply.status, 200, "{query}: {reply:?}");
        reply.json()["page_info"]["total_count"].as_i64().unwrap()
    };
    let (one, two) = (ids[0], ids[1]);
    let repeated = total(&format!("category_ids={one}&category_ids={two}")).await;
    assert_eq!(total(&format!("category_ids={one},{two}")).await, repeated);
    assert_eq!(total(&format!("category_ids={one},,{two}&category_ids=")).await, repeated);
    assert!(repeated > total(&format!("category_ids={one}")).await);
    assert_eq!(total("category_ids=").await, total("").await, "nothing is asked for");
    assert_eq!(total("category_ids=appcat_none").await, 0);
    assert_eq!(total("has_actions=0").await, total("has_actions=false").await);
    assert_eq!(total("has_actions=1").await, total("has_actions=true").await);
}
