//! What a lane of torture stands on: pretend providers of all classes, a store, accounts in it,
//! and the recipe by which the server is started on them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use grantkeep::accounts::{self, Binding, Credentials, NewGrant};
use grantkeep::app::App;
use grantkeep::apps::{self, Edit};
use grantkeep::boot;
use grantkeep::callers::{Actor, Caller, Origin};
use grantkeep::clock::Clock;
use grantkeep::config::{self, Config};
use grantkeep::ids::OAuthAppId;
use grantkeep::projects::{self, Change};
use grantkeep::scope::Scopes;
use grantkeep::tenant::{Environment, Tenant};
use grantkeep::tokens::{self, Wish};
use grantkeep_simulator::{Endpoint, Fault, Simulator, Times, client_id, client_secret};
use grantkeep_vault::{RootKey, Secret, token};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::outside::Outside;
use crate::progress::note;
use crate::server::Recipe;
use crate::trouble::{Doing, Result};

/// The classes of rotation, which are the providers' names too.
pub const CLASSES: [&str; 8] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];

/// Where the accounts are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// What a stage is made from.
#[derive(Clone)]
pub struct Ground {
    /// Called as `<program> serve`.
    pub program: PathBuf,
    /// Base URL of a PostgreSQL server that databases may be made on.
    pub postgres: Option<String>,
    /// Whether data and logs stay when all is over.
    pub keeps: bool,
}

/// One account, and the grant behind it at its provider.
#[derive(Clone, Debug)]
pub struct Account {
    /// Index into [`CLASSES`].
    pub class: usize,
    pub id: String,
    pub grant: String,
}

pub struct Stage {
    pub engine: Engine,
    pub simulator: Simulator,
    pub outside: Outside,
    dir: TempDir,
    program: PathBuf,
    keeps: bool,
    /// URL of the database on PostgreSQL.
    database: Option<String>,
    /// Settings that all servers on this store share.
    settings: Vec<(String, String)>,
    tenant: Tenant,
    clients: BTreeMap<usize, OAuthAppId>,
}

impl Stage {
    /// A fresh store with a project, and an OAuth client at each provider.
    pub async fn open(ground: &Ground, engine: Engine) -> Result<Self> {
        let dir = TempDir::with_prefix("grantkeep-torture-").doing("cannot make a folder")?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start_classes(any).await.doing("the pretend providers")?;
        let catalog = dir.path().join("catalog");
        std::fs::create_dir(&catalog).doing("cannot make a folder")?;
        for (slug, text) in simulator.catalog_files() {
            std::fs::write(catalog.join(format!("{slug}.toml")), text).doing("cannot write")?;
        }
        let key = RootKey::generate_text();
        let mut settings = vec![
            ("root_key", key.as_str().to_owned()),
            ("catalog_dir", text_of(&catalog)),
            ("dev", "true".to_owned()),
            ("egress_allow_loopback", "true".to_owned()),
            ("refresh_scheduler", "false".to_owned()),
            // Thousands of accounts are read in a few minutes.
            ("rate_limits", "false".to_owned()),
            ("log_filter", "warn".to_owned()),
            // So that a store that is blocked is given up soon.
            ("db_busy_timeout_ms", "300".to_owned()),
            ("db_statement_timeout_ms", "300".to_owned()),
        ];
        let mut database = None;
        if engine == Engine::Postgres {
            let server = ground.postgres.as_deref().doing("no PostgreSQL was given")?;
            let url = database.insert(fresh_database(server).await?);
            settings.push(("database_url", url.clone()));
        }
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut stage = Self {
            engine,
            simulator,
            outside: Outside::new("", "", "")?,
            dir,
            program: ground.program.clone(),
            keeps: ground.keeps,
            database,
            settings,
            tenant: Tenant {
                project: grantkeep::ids::ProjectId::mint(),
                environment: Environment::Development,
            },
            clients: BTreeMap::new(),
        };
        stage.enter_product().await?;
        Ok(stage)
    }

    async fn enter_product(&mut self) -> Result<()> {
        let app = self.store().await?;
        let project = projects::create(&app, "Torture", Change::default()).await;
        self.tenant.project = project.doing("the project")?.id;
        let project = &self.tenant.project;
        let scopes = Scopes::parse("* credentials:read").doing("the key's scopes")?;
        let (_, key) =
            projects::create_key(&app, project, "torture", &scopes).await.doing("key")?;
        self.outside = Outside::new("", project.as_str(), key.expose())?;
        for (class, provider) in CLASSES.iter().enumerate() {
            let edit = Edit {
                client_id: Some(client_id(provider)),
                client_secret: Some(Secret::new(client_secret(provider))),
                ..Edit::default()
            };
            let slug = format!("sim_{provider}");
            let made = apps::create_oauth_app(&app, project, &slug, edit).await;
            self.clients.insert(class, made.doing("the OAuth client")?.id);
        }
        app.close().await;
        Ok(())
    }

    /// Servers that are started from now on have this setting too.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|it| it.0 != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Two texts and a number of each row that this asks for. Only while no server runs on SQLite.
    pub async fn rows(&self, sql: &'static str) -> Result<Vec<(String, String, i64)>> {
        let what = "cannot look into the store";
        match self.engine {
            Engine::Sqlite => {
                let file = self.data(0).join("grantkeep.db");
                let options = SqliteConnectOptions::new().filename(file);
                let mut conn = SqliteConnection::connect_with(&options).await.doing(what)?;
                let rows = sqlx::query_as(sql).fetch_all(&mut conn).await.doing(what)?;
                conn.close().await.doing(what)?;
                Ok(rows)
            }
            Engine::Postgres => {
                let url = self.database.as_deref().doing(what)?;
                let mut conn = PgConnection::connect(url).await.doing(what)?;
                let rows = sqlx::query_as(sql).fetch_all(&mut conn).await.doing(what)?;
                conn.close().await.doing(what)?;
                Ok(rows)
            }
        }
    }

    /// The store, opened from here while no server is killed on it.
    async fn store(&self) -> Result<Arc<App>> {
        let data = text_of(&self.data(0));
        let mut pairs = vec![("data_dir", data.as_str())];
        pairs.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let config = Config::from_pairs(&pairs).doing("the settings")?;
        boot::open(config, Clock::system()).await.doing("the store")
    }

    /// Makes an account of each of these classes, its access token over already. Only while no
    /// server runs on SQLite: what is killed must be the last that has the file open.
    pub async fn connect(&self, classes: &[usize]) -> Result<Vec<Account>> {
        if classes.is_empty() {
            return Ok(Vec::new());
        }
        let app = self.store().await?;
        let mut made = Vec::with_capacity(classes.len());
        for class in classes {
            made.push(self.connect_one(&app, *class).await?);
        }
        app.close().await;
        Ok(made)
    }

    async fn connect_one(&self, app: &Arc<App>, class: usize) -> Result<Account> {
        let given = self.simulator.grant(CLASSES[class], "ada");
        let caller = Caller {
            actor: Actor::Operator,
            scopes: Scopes::parse("*").doing("scopes")?,
            project: None,
            connect: None,
            reach: None,
        };
        let wish =
            Wish { external_user_id: token::base62("u-", 12).expose().into(), ..Wish::default() };
        let (token, _) =
            tokens::create(app, &caller, &self.tenant, wish).await.doing("a connect token")?;
        let grant = NewGrant {
            tenant: self.tenant.clone(),
            user: token.user,
            external_id: token.external_id,
            app_slug: format!("sim_{}", CLASSES[class]),
            oauth_app: self.clients.get(&class).cloned(),
            name: None,
            subject: None,
            credentials: Credentials {
                access_token: Some(Secret::new(given.access_token)),
                refresh_token: Some(Secret::new(given.refresh_token)),
                token_secret: None,
                dpop_key: None,
                fields: BTreeMap::new(),
            },
            expires_at_ms: Some(app.clock.now_ms()),
            scopes: Vec::new(),
            missing_scopes: Vec::new(),
            binding: Binding::None,
            reconnect: None,
            token_hash: token.hash,
        };
        let account =
            accounts::connect(app, grant, &Origin::default()).await.doing("an account")?;
        Ok(Account { class, id: account.id.as_str().to_owned(), grant: given.id })
    }

    /// How the `nth` server on this store is started, and who calls it. On SQLite there is one.
    pub fn node(&self, nth: usize) -> Result<(Recipe, Outside)> {
        let port = free_port().doing("no free port")?;
        let address = format!("127.0.0.1:{port}");
        let outside = self.outside.at(&format!("http://{address}"));
        let folder = self.data(nth);
        let own = [("data_dir".to_owned(), text_of(&folder)), ("listen".to_owned(), address)];
        let environment = self.settings.iter().cloned().chain(own);
        let environment = environment.map(|(name, value)| (config::env_name(&name), value));
        let recipe = Recipe {
            program: self.program.clone(),
            environment: environment.collect(),
            log: self.dir.path().join(format!("server-{nth}.log")),
        };
        Ok((recipe, outside))
    }

    /// Keeps everybody else from writing into the store for so long; on PostgreSQL from reading
    /// accounts too. Only while a server runs: see [`Self::connect`].
    pub async fn block(&self, time: Duration) -> Result<()> {
        let what = "cannot block the store";
        match self.engine {
            Engine::Sqlite => {
                let options =
                    SqliteConnectOptions::new().filename(self.data(0).join("grantkeep.db"));
                let mut conn = SqliteConnection::connect_with(&options).await.doing(what)?;
                let held = conn.begin_with("begin immediate").await.doing(what)?;
                tokio::time::sleep(time).await;
                held.rollback().await.doing(what)?;
                conn.close().await.doing(what)
            }
            Engine::Postgres => {
                let url = self.database.as_deref().doing(what)?;
                let mut conn = PgConnection::connect(url).await.doing(what)?;
                let mut held = conn.begin().await.doing(what)?;
                let sql = "lock table accounts in access exclusive mode";
                sqlx::query(sql).execute(&mut *held).await.doing(what)?;
                tokio::time::sleep(time).await;
                held.rollback().await.doing(what)?;
                conn.close().await.doing(what)
            }
        }
    }

    /// The data folder of the `nth` server.
    pub fn data(&self, nth: usize) -> PathBuf {
        self.dir.path().join(format!("data-{nth}"))
    }

    /// Sets a fault at the refreshes of every provider.
    pub fn disturb(&self, fault: &Fault, times: Times) {
        for class in CLASSES {
            self.simulator.fault(class, Endpoint::TokenRefresh, fault.clone(), times);
        }
    }

    /// Ends all faults.
    pub fn calm(&self) {
        for class in CLASSES {
            self.simulator.clear_faults(class);
        }
    }

    /// What every provider says of its access tokens' life from now on, in seconds.
    pub fn announce_life(&self, seconds: u64) {
        for class in CLASSES {
            self.simulator.announce_life(class, Some(seconds));
        }
    }

    /// Removes the folder; or says where it stays, if that was wished or there was trouble.
    pub fn end(self, trouble: bool) {
        if self.keeps || trouble {
            note(&format!("kept: {}", self.dir.keep().display()));
        }
    }
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A port that nobody listens on, below those that the system hands out: between two lives of a
/// server no outgoing connection may take it.
fn free_port() -> Option<u16> {
    const FIRST: u16 = 18_000;
    const COUNT: u16 = 14_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or(0);
    (0..COUNT).find_map(|_| {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (own + nth) % COUNT;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(port)
    })
}

/// Makes an empty database on the server and gives its URL.
async fn fresh_database(server: &str) -> Result<String> {
    let what = "cannot make a database";
    let name = token::hex("gk_torture_", 6).expose().to_owned();
    let mut url = url::Url::parse(server).doing(what)?;
    let mut admin = PgConnection::connect(server).await.doing(what)?;
    // Nothing outside is in this text: the name was made three lines above.
    let sql = sqlx::AssertSqlSafe(format!("create database {name}"));
    sqlx::query(sql).execute(&mut admin).await.doing(what)?;
    url.set_path(&name);
    Ok(url.to_string())
}
