//! A world with one more app, whose server does what a test says, and a connected account of it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use grantkeep::accounts::{self, Binding, Credentials, NewGrant};
use grantkeep::apps::{self, Edit};
use grantkeep::callers::Origin;
use grantkeep::ids::{AccountId, OAuthAppId};
use grantkeep::projects::{Change, Settings};
use grantkeep::tokens;
use grantkeep_vault::Secret;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::upstream::Upstream;
use crate::world::{Reply, World, read};

/// The credential of the account; nobody but the app may see it.
pub const KEY: &str = "k3y/of+the=account";

pub struct Lab {
    pub world: World,
    pub upstream: Upstream,
    pub account: String,
    _catalog: TempDir,
}

/// What differs from the usual app: its `[proxy]` part, its fields.
pub struct Kind<'a> {
    pub base: &'a str,
    pub proxy: &'a str,
    pub fields: &'a [(&'a str, &'a str)],
    pub settings: &'a [(&'a str, &'a str)],
    /// Whether its token came by OAuth and is bound to a key of the account.
    pub bound: bool,
}

impl Default for Kind<'_> {
    fn default() -> Self {
        Self {
            base: "http://UPSTREAM/base",
            proxy: "[proxy.headers]\nauthorization = \"Bearer ${api_key}\"",
            fields: &[("api_key", KEY)],
            settings: &[],
            bound: false,
        }
    }
}

/// One lab for each engine.
pub async fn labs() -> Vec<Lab> {
    labs_of(Kind::default()).await
}

pub async fn labs_with(settings: &[(&str, &str)]) -> Vec<Lab> {
    labs_of(Kind { settings, ..Kind::default() }).await
}

pub async fn labs_of(kind: Kind<'_>) -> Vec<Lab> {
    vec![Lab::open(&kind, false).await, Lab::open(&kind, true).await]
}

impl Lab {
    async fn open(kind: &Kind<'_>, postgres: bool) -> Self {
        let upstream = Upstream::start().await;
        let catalog = TempDir::new().unwrap();
        std::fs::write(catalog.path().join("raw.toml"), file(kind, &upstream)).unwrap();
        let mut settings = vec![("catalog_dir", catalog.path().to_str().unwrap())];
        settings.extend_from_slice(kind.settings);
        let world = if postgres {
            World::postgres(&settings).await
        } else {
            World::sqlite(&settings).await
        };
        let account = if kind.bound {
            bound(&world, kind.fields).await.to_string()
        } else {
            connect(&world, "ada", kind.fields).await
        };
        Self { world, upstream, account, _catalog: catalog }
    }

    /// One more account.
    pub async fn another(&self, user: &str) -> String {
        connect(&self.world, user, &[("api_key", KEY)]).await
    }

    /// A call with the target in a header, by the project's key.
    pub fn request(&self, method: Method, target: &str) -> RequestBuilder {
        self.request_for("ada", method, target)
    }

    pub fn request_for(&self, user: &str, method: Method, target: &str) -> RequestBuilder {
        let world = &self.world;
        let path = format!("/proxy?account_id={}&external_user_id={user}", self.account);
        let url = format!("{}{}", world.url, world.path(&path));
        let request = world.http.request(method, url).header("x-pd-environment", "development");
        request.bearer_auth(&world.project.key).header("x-grantkeep-target", target)
    }

    pub async fn get(&self, target: &str) -> Reply {
        read(self.request(Method::GET, target)).await
    }

    pub async fn post(&self, target: &str, body: Value) -> Reply {
        read(self.request(Method::POST, target).json(&body)).await
    }

    /// The whole request as it goes over the wire, for tests that write it themselves.
    pub fn raw(&self, method: &str, head: &str) -> String {
        let world = &self.world;
        let path = format!("/proxy?account_id={}&external_user_id=ada", self.account);
        format!(
            "{method} {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             x-pd-environment: development\r\nx-grantkeep-target: /r\r\n{head}",
            world.path(&path),
            world.project.key
        )
    }

    /// The person connects the account again, with other fields.
    pub async fn reconnect(&self, fields: &[(&str, &str)]) {
        let (app, tenant) = (&self.world.app, self.world.tenant());
        let id = AccountId::parse(&self.account).unwrap();
        let client =
            accounts::find(app, &tenant, &self.account, None).await.unwrap().oauth_app.unwrap();
        assert_eq!(granted(&self.world, client, (fields, Some(id.clone()))).await, id);
    }

    pub async fn change(&self, settings: Settings) {
        let change = Change { settings: Some(settings), ..Change::default() };
        let id = &self.world.project.id;
        grantkeep::projects::update(&self.world.app, id, change).await.unwrap();
    }
}

fn file(kind: &Kind<'_>, upstream: &Upstream) -> String {
    let mut fields = String::new();
    for (name, _) in kind.fields {
        let kind = if *name == "api_key" { "password" } else { "text" };
        let optional = *name == "other";
        let lines = [
            "[[fields]]".to_owned(),
            format!("name = \"{name}\""),
            format!("label = \"{name}\""),
            format!("kind = \"{kind}\""),
            format!("optional = {optional}\n"),
        ];
        fields.push_str(&lines.join("\n"));
        if *name == "site" {
            fields.push_str("host = { form = \"url\" }\n");
        }
    }
    let auth = if kind.bound { OAUTH2 } else { "auth = \"keys\"" };
    format!(
        "slug = \"raw\"\nname = \"Raw\"\ndescription = \"A server of tests.\"\n\
         homepage = \"https://raw.example\"\ncategories = [\"Productivity\"]\npopularity = 1\n\
         color = \"#000000\"\npurpose = \"be called\"\n{auth}\n{fields}\n\
         [proxy]\nbase_url = \"{}\"\n{}\n\n[evidence]\nconfirmed = 1\n\
         checked_on = \"2026-11-23\"\n",
        kind.base, kind.proxy,
    )
    .replace("UPSTREAM", &upstream.address.to_string())
}

async fn connect(world: &World, user: &str, fields: &[(&str, &str)]) -> String {
    let token = world.connect_token(user).await;
    let fields: BTreeMap<_, _> = fields.iter().copied().collect();
    let body = json!({ "app_slug": "raw", "cfmap_json": json!(fields).to_string() });
    let reply = world.call(Method::POST, &world.path("/accounts"), Some(&token), Some(body)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["id"].as_str().unwrap().to_owned()
}

const OAUTH2: &str = "auth = \"oauth2\"\n[oauth2]\n\
    authorization_url = \"http://UPSTREAM/authorize\"\ntoken_url = \"http://UPSTREAM/token\"\n\
    client_auth = \"post\"";

/// An account whose token is [`KEY`], bound to a key of its own.
async fn bound(world: &World, fields: &[(&str, &str)]) -> AccountId {
    let edit = Edit { client_id: Some("client".to_owned()), ..Edit::default() };
    let client = apps::create_oauth_app(&world.app, &world.project.id, "raw", edit).await.unwrap();
    granted(world, client.id, (fields, None)).await
}

async fn granted(
    world: &World,
    client: OAuthAppId,
    (fields, reconnect): (&[(&str, &str)], Option<AccountId>),
) -> AccountId {
    let token = world.connect_token("ada").await;
    let token = tokens::find(&world.app, &token).await.unwrap().unwrap();
    let (_, key) = apps::bound::new_key().unwrap();
    let fields = fields.iter().map(|(name, it)| ((*name).to_owned(), Secret::new(*it)));
    let grant = NewGrant {
        tenant: world.tenant(),
        user: token.user,
        external_id: token.external_id,
        app_slug: "raw".to_owned(),
        oauth_app: Some(client),
        name: None,
        subject: None,
        credentials: Credentials {
            access_token: Some(Secret::new(KEY)),
            refresh_token: Some(Secret::new("refresh")),
            dpop_key: Some(key),
            fields: fields.collect(),
            ..Credentials::default()
        },
        expires_at_ms: None,
        scopes: Vec::new(),
        missing_scopes: Vec::new(),
        binding: Binding::Embedded,
        reconnect,
        token_hash: token.hash,
    };
    accounts::connect(&world.app, grant, &Origin::default()).await.unwrap().id
}

/// A path as one client of the wire writes it: the standard alphabet, padded and escaped.
pub fn escaped(target: &str) -> String {
    let coded = BASE64_STANDARD.encode(target);
    coded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// As the other writes it, and a third without padding.
pub fn plain(target: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(target)
}
