//! What is measured on: a store with as many accounts as wanted, and the server on it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use grantkeep::accounts::{self, Binding, Credentials, NewGrant};
use grantkeep::app::App;
use grantkeep::apps::{self, Edit};
use grantkeep::boot;
use grantkeep::callers::{Actor, Caller, Origin};
use grantkeep::clock::Clock;
use grantkeep::config::{self, Config};
use grantkeep::projects::{self, Change};
use grantkeep::scope::Scopes;
use grantkeep::tenant::{Environment, Tenant};
use grantkeep::tokens::{self, Wish};
use grantkeep_torture::outside::Outside;
use grantkeep_torture::server::{Recipe, Server, Start};
use grantkeep_torture::trouble::{Doing, Result, Trouble};
use grantkeep_vault::{RootKey, Secret, token};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::clones;
use crate::load::Shot;
use crate::upstream::Upstream;

/// The app of all accounts.
const SLUG: &str = "bench";
/// As long as tokens of the big suites are.
const TOKEN_CHARS: usize = 200;
/// What the accounts' tokens are good for where they are not to be refreshed.
const LIFE_MS: i64 = 30 * 24 * 3_600_000;

/// Where the accounts are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A store to be made.
pub struct Wanted<'a> {
    pub engine: Engine,
    pub accounts: u64,
    /// Whether every access token is over already.
    pub expired: bool,
    pub program: &'a Path,
    pub postgres: Option<&'a str>,
    pub upstream: &'a Upstream,
}

pub struct Stage {
    dir: TempDir,
    program: PathBuf,
    settings: Vec<(String, String)>,
    tenant: Tenant,
    key: String,
    pub accounts: u64,
    /// A real account, of which the others are clones.
    pub model: String,
}

/// The server on a stage.
pub struct Running {
    pub server: Server,
    pub url: String,
    pub outside: Outside,
    /// From its start until it answered.
    pub ready_in: Duration,
}

impl Stage {
    pub async fn make(wanted: &Wanted<'_>) -> Result<Self> {
        let dir = TempDir::with_prefix("grantkeep-bench-").doing("cannot make a folder")?;
        let catalog = dir.path().join("catalog");
        std::fs::create_dir(&catalog).doing("cannot make a folder")?;
        let file = catalog.join(format!("{SLUG}.toml"));
        std::fs::write(file, app_file(&wanted.upstream.url())).doing("cannot write")?;
        let root_key = RootKey::generate_text();
        let mut settings = vec![
            ("root_key", root_key.as_str().to_owned()),
            ("catalog_dir", text_of(&catalog)),
            ("data_dir", text_of(&dir.path().join("data"))),
            ("dev", "true".to_owned()),
            ("egress_allow_loopback", "true".to_owned()),
            ("proxy_per_account_max", "64".to_owned()),
            ("rate_limits", "false".to_owned()),
            ("log_filter", "warn".to_owned()),
        ];
        if wanted.expired {
            settings.push(("refresh_scheduler", "false".to_owned()));
            settings.push(("refresh_per_provider_max", "64".to_owned()));
            settings.push(("refresh_per_provider_per_second", "10000".to_owned()));
        }
        if wanted.engine == Engine::Postgres {
            let server = wanted.postgres.doing("no PostgreSQL was given")?;
            settings.push(("database_url", fresh_database(server).await?));
        }
        let config = Config::from_pairs(
            &settings.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(),
        );
        let app = boot::open(config.doing("the settings")?, Clock::system()).await;
        let app = app.doing("the store")?;
        let (tenant, key, model) = fill(&app, wanted).await?;
        let model_name = model.as_str().to_owned();
        clones::make(&app.db, &tenant, (&root_key, &model_name), wanted.accounts).await?;
        app.close().await;
        Ok(Self {
            dir,
            program: wanted.program.to_owned(),
            settings: settings.into_iter().map(|(name, it)| (name.to_owned(), it)).collect(),
            tenant,
            key,
            accounts: wanted.accounts,
            model: model_name,
        })
    }

    /// Starts the server, and waits for its first good answer.
    pub async fn start(&self) -> Result<Running> {
        self.start_with(&[]).await
    }

    /// The same with more settings.
    pub async fn start_with(&self, more: &[(&str, String)]) -> Result<Running> {
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let url = format!("http://{address}");
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let settings = self.settings.iter().cloned().chain(more);
        let settings = settings.chain([("listen".to_owned(), address)]);
        let recipe = Recipe {
            program: self.program.clone(),
            environment: settings.map(|(name, value)| (config::env_name(&name), value)).collect(),
            log: self.dir.path().join("server.log"),
        };
        let outside = Outside::new(&url, self.tenant.project.as_str(), &self.key)?;
        let started = Instant::now();
        let mut server = recipe.start(None)?;
        if server.ready(&outside).await? == Start::Died {
            return Err(Trouble("the server ended".to_owned()));
        }
        Ok(Running { server, url, outside, ready_in: started.elapsed() })
    }

    /// `GET account?include_credentials=true` of a clone, another each time.
    pub fn vend(&self, url: &str) -> Shot {
        let project = &self.tenant.project;
        let name = clones::account("{}");
        self.shot(
            url,
            "GET",
            format!("/v1/connect/{project}/accounts/{name}?include_credentials=true"),
        )
    }

    /// A call of the model's app through the proxy.
    pub fn proxied(&self, url: &str, method: &'static str, target: &str) -> Shot {
        let (project, model) = (&self.tenant.project, &self.model);
        let path = format!("/v1/connect/{project}/proxy?account_id={model}&external_user_id=model");
        let mut shot = self.shot(url, method, path);
        shot.headers.push(("X-Grantkeep-Target".to_owned(), target.to_owned()));
        shot
    }

    fn shot(&self, url: &str, method: &'static str, path: String) -> Shot {
        let headers = [
            ("Authorization", format!("Bearer {}", self.key)),
            ("X-PD-Environment", "development".to_owned()),
        ];
        Shot {
            url: url.to_owned(),
            method,
            path,
            count: self.accounts,
            headers: headers.into_iter().map(|(name, it)| (name.to_owned(), it)).collect(),
            body_bytes: 0,
            json: None,
        }
    }

    /// A call below the project, with JSON.
    pub fn posting(&self, url: &str, path: &str, json: String) -> Shot {
        let path = format!("/v1/connect/{}/{path}", self.tenant.project);
        Shot { json: Some(json), ..self.shot(url, "POST", path) }
    }

    /// One such call, and its answer.
    ///
    /// # Errors
    /// Any answer that is not a good one.
    pub async fn post(&self, url: &str, path: &str, body: &Value) -> Result<Value> {
        let shot = self.posting(url, path, body.to_string());
        let mut request = hyper::Request::post(format!("{url}{}", shot.path));
        for (name, value) in &shot.headers {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body.to_string()))).doing("a request")?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await.doing("the server")?;
        let status = answer.status();
        let said = answer.into_body().collect().await.doing("the answer")?.to_bytes();
        if !status.is_success() {
            let said = String::from_utf8_lossy(&said).into_owned();
            return Err(Trouble(format!("{path} answered {status}: {said}")));
        }
        serde_json::from_slice(&said).doing("the answer")
    }

    /// A folder that lives as long as this.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }
}

/// A project, a key, a client, and the model account.
async fn fill(
    app: &Arc<App>,
    wanted: &Wanted<'_>,
) -> Result<(Tenant, String, grantkeep::ids::AccountId)> {
    let project = projects::create(app, "Bench", Change::default()).await.doing("the project")?.id;
    let scopes = Scopes::parse("* credentials:read connect:proxy").doing("the key's scopes")?;
    let key = projects::create_key(app, &project, "bench", &scopes).await.doing("the key")?.1;
    let edit = Edit {
        client_id: Some("bench".to_owned()),
        client_secret: Some(Secret::new("bench-secret")),
        ..Edit::default()
    };
    let client = apps::create_oauth_app(app, &project, SLUG, edit).await.doing("the client")?;
    let tenant = Tenant { project, environment: Environment::Development };
    let caller = Caller {
        actor: Actor::Operator,
        scopes: Scopes::parse("*").doing("scopes")?,
        project: None,
        connect: None,
        reach: None,
    };
    let wish = Wish { external_user_id: "model".into(), ..Wish::default() };
    let (token, _) = tokens::create(app, &caller, &tenant, wish).await.doing("a connect token")?;
    let now_ms = app.clock.now_ms();
    let grant = NewGrant {
        tenant: tenant.clone(),
        user: token.user,
        external_id: token.external_id,
        app_slug: SLUG.to_owned(),
        oauth_app: Some(client.id),
        name: Some("ada@example.com".to_owned()),
        subject: Some("1234567".to_owned()),
        credentials: Credentials {
            access_token: Some(token::base62("at-", TOKEN_CHARS)),
            refresh_token: Some(token::base62("rt-", TOKEN_CHARS)),
            token_secret: None,
            dpop_key: None,
            fields: BTreeMap::new(),
        },
        expires_at_ms: Some(if wanted.expired { now_ms } else { now_ms + LIFE_MS }),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        missing_scopes: Vec::new(),
        binding: Binding::None,
        reconnect: None,
        token_hash: token.hash,
    };
    let model = accounts::connect(app, grant, &Origin::default()).await.doing("an account")?;
    Ok((tenant, key.expose().to_owned(), model.id))
}

fn app_file(upstream: &str) -> String {
    include_str!("bench.toml").replace("UPSTREAM", upstream)
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("no free port")?;
    Ok(listener.local_addr().doing("no free port")?.port())
}

async fn fresh_database(server: &str) -> Result<String> {
    let what = "cannot make a database";
    let name = token::hex("gk_bench_", 6).expose().to_owned();
    let mut url = url::Url::parse(server).doing(what)?;
    let mut admin = PgConnection::connect(server).await.doing(what)?;
    // Nothing outside is in this text: the name was made two lines above.
    let sql = sqlx::AssertSqlSafe(format!("create database {name}"));
    sqlx::query(sql).execute(&mut admin).await.doing(what)?;
    url.set_path(&name);
    Ok(url.to_string())
}
