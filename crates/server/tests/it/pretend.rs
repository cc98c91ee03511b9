//! A world in which the apps of the shipped components are led to their stand-ins, and a user who
//! has connected an account of each.

use std::collections::BTreeMap;

use grantkeep::accounts::{self, Binding, Credentials, NewGrant};
use grantkeep::apps::{self, Edit};
use grantkeep::callers::Origin;
use grantkeep::components::index;
use grantkeep::tokens;
use grantkeep_simulator::{AppCall, Simulator};
use grantkeep_vault::Secret;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::{Reply, World, read};

/// The one app that is connected by a key.
const KEY_APP: &str = "stripe";
/// It looks as that app's keys do.
const KEY: &str = "sk_test_ofAdaAlone000000";

pub struct Pretend {
    pub world: World,
    pub provider: Simulator,
    /// The account's id by the app's slug.
    accounts: BTreeMap<String, String>,
}

/// One for each engine.
pub async fn pretends() -> Vec<Pretend> {
    vec![Pretend::open(false).await, Pretend::open(true).await]
}

/// The credential of Ada's account of an app.
pub fn credential(slug: &str) -> String {
    if slug == KEY_APP { KEY.to_owned() } else { format!("token-of-ada-at-{slug}") }
}

impl Pretend {
    async fn open(postgres: bool) -> Self {
        let provider = Simulator::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let routes = provider.app_routes();
        let routes: Vec<String> = routes.iter().map(|(host, to)| format!("{host}={to}")).collect();
        let routes = routes.join(",");
        let settings = [("egress_dev_routes", routes.as_str())];
        let world = if postgres {
            World::postgres(&settings).await
        } else {
            World::sqlite(&settings).await
        };
        let mut it = Self { world, provider, accounts: BTreeMap::new() };
        let slugs = index().into_iter().flat_map(|it| it.component.props);
        let slugs = slugs.filter_map(|prop| prop["app"].as_str().map(str::to_owned));
        for slug in slugs.collect::<std::collections::BTreeSet<_>>() {
            let id = it.connect(&slug).await;
            it.accounts.insert(slug, id);
        }
        it
    }

    async fn connect(&self, slug: &str) -> String {
        let world = &self.world;
        let token = world.connect_token("ada").await;
        if slug == KEY_APP {
            let fields = json!({ "api_key": KEY }).to_string();
            let body = json!({ "app_slug": slug, "cfmap_json": fields });
            let path = world.path("/accounts");
            let reply = world.call(Method::POST, &path, Some(&token), Some(body)).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            return reply.json()["id"].as_str().unwrap().to_owned();
        }
        let edit = Edit { client_id: Some("client".to_owned()), ..Edit::default() };
        let client = apps::create_oauth_app(&world.app, &world.project.id, slug, edit);
        let client = client.await.unwrap();
        let token = tokens::find(&world.app, &token).await.unwrap().unwrap();
        let grant = NewGrant {
            tenant: world.tenant(),
            user: token.user,
            external_id: token.external_id,
            app_slug: slug.to_owned(),
            oauth_app: Some(client.id),
            name: None,
            subject: None,
            credentials: Credentials {
                access_token: Some(Secret::new(credential(slug))),
                ..Credentials::default()
            },
            expires_at_ms: None,
            scopes: Vec::new(),
            missing_scopes: Vec::new(),
            binding: Binding::Embedded,
            reconnect: None,
            token_hash: token.hash,
        };
        let made = accounts::connect(&world.app, grant, &Origin::default()).await.unwrap();
        made.id.to_string()
    }

    /// A field's value that names Ada's account of an app.
    pub fn account(&self, slug: &str) -> Value {
        json!({ "authProvisionId": self.accounts[slug] })
    }

    /// The values with an account in each of the component's fields that want one.
    pub fn with_accounts(&self, key: &str, mut props: Value) -> Value {
        let known = index().into_iter().find(|it| it.component.key.as_deref() == Some(key));
        for prop in known.into_iter().flat_map(|it| it.component.props) {
            if let Some(slug) = prop["app"].as_str() {
                props[prop["name"].as_str().unwrap()] = self.account(slug);
            }
        }
        props
    }

    /// What the app was asked since the last look.
    pub fn calls(&self, slug: &str) -> Vec<AppCall> {
        let calls = self.provider.app_calls(slug);
        self.provider.forget_app_calls(slug);
        calls
    }

    /// Something that happens in an app without any component.
    pub async fn happen(&self, slug: &str, method: Method, address: &str, body: &Value) -> Value {
        let url = url::Url::parse(address).unwrap();
        let routes = self.provider.app_routes();
        let (_, base) = routes.iter().find(|(host, _)| url.host_str() == Some(host)).unwrap();
        let query = url.query().map(|it| format!("?{it}")).unwrap_or_default();
        let request = self.world.http.request(method, format!("{base}{}{query}", url.path()));
        let request = request.bearer_auth(credential(slug)).header("user-agent", "tests");
        let reply = read(sent(slug, request.header("notion-version", "2022-06-28"), body)).await;
        assert!(reply.status.is_success(), "{address}: {reply:?}");
        self.provider.forget_app_calls(slug);
        reply.json()
    }

    /// Asks for the fields that the choices bring, and gives their id.
    pub async fn dynamic_props(&self, key: &str, props: &Value) -> Value {
        let body = json!({ "id": key, "external_user_id": "ada", "configured_props": props });
        let reply = self.world.post(&self.world.path("/actions/props"), body).await;
        assert_eq!(reply.status, 200, "{key}: {reply:?}");
        assert_eq!(reply.json()["errors"], json!([]), "{key}: {reply:?}");
        reply.json()["dynamicProps"]["id"].clone()
    }

    pub async fn run(&self, body: Value) -> Reply {
        self.world.post(&self.world.path("/actions/run"), body).await
    }
}

/// One app takes forms, all others JSON.
fn sent(slug: &str, request: RequestBuilder, body: &Value) -> RequestBuilder {
    if slug != KEY_APP {
        return request.json(body);
    }
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in body.as_object().unwrap() {
        form.append_pair(name, value.as_str().unwrap());
    }
    let kind = "application/x-www-form-urlencoded";
    request.header("content-type", kind).body(form.finish())
}
