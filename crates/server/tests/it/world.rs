//! A whole installation in a test: the server on loopback, its store, and pretend providers. One
//! for each engine.

use std::net::SocketAddr;
use std::sync::Arc;

use grantkeep::app::App;
use grantkeep::apps::{self, Edit, OAuthApp};
use grantkeep::audit::Event;
use grantkeep::boot;
use grantkeep::callers::{Actor, Origin};
use grantkeep::clock::Clock;
use grantkeep::config::Config;
use grantkeep::ids::ProjectId;
use grantkeep::projects::{self, Change, Settings};
use grantkeep::scope::Scopes;
use grantkeep_simulator::{Simulator, Twin, client_id, client_secret};
use grantkeep_vault::{Secret, token};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, Row};
use tempfile::TempDir;

/// Set by `cargo xtask test`, and by hand from what `cargo xtask postgres` prints.
const POSTGRES_VARIABLE: &str = "GRANTKEEP_TEST_POSTGRES_URL";
/// A root key for tests only.
pub const ROOT_KEY: &str = "dNjUPZyczVLKoVY6BOE45Gkd0sZ+esFRrFQkObaIds4=";
/// That of another installation.
pub const OTHER_ROOT_KEY: &str = "OvkyjHKoL0oqrawCxtoo7sDcW7U1rqu3N5+MPkoCbr0=";
/// The web origin of the product that embeds the connect page.
pub const PRODUCT_ORIGIN: &str = "https://product.example";

pub struct World {
    pub engine: &'static str,
    pub app: Arc<App>,
    /// Base URL of the server, without a slash at the end.
    pub url: String,
    pub provider: Simulator,
    /// Those of the files that the world was made with.
    pub twins: Vec<Arc<Twin>>,
    pub project: Project,
    pub http: reqwest::Client,
    server: tokio::task::JoinHandle<()>,
    _dir: TempDir,
}

/// A project and the callers that belong to it.
#[derive(Clone)]
pub struct Project {
    pub id: ProjectId,
    /// An access token with every scope, those that no star covers too.
    pub token: String,
    /// A key in the older style, likewise.
    pub key: String,
}

/// An answer, read.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The stable code of an error.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A fresh world for each engine.
pub async fn worlds() -> Vec<World> {
    vec![World::sqlite(&[]).await, World::postgres(&[]).await]
}

/// The same with settings of one's own.
pub async fn worlds_with(settings: &[(&str, &str)]) -> Vec<World> {
    vec![World::sqlite(settings).await, World::postgres(settings).await]
}

impl World {
    pub async fn sqlite(settings: &[(&str, &str)]) -> Self {
        Self::open("sqlite", None, settings, &[]).await
    }

    pub async fn postgres(settings: &[(&str, &str)]) -> Self {
        Self::open("postgresql", Some(fresh_postgres().await), settings, &[]).await
    }

    /// A world in which the apps of these files are led to their twins.
    pub async fn sqlite_of_twins(files: &[String]) -> Self {
        Self::open("sqlite", None, &[], files).await
    }

    /// The same on the other engine.
    pub async fn postgres_of_twins(files: &[String]) -> Self {
        Self::open("postgresql", Some(fresh_postgres().await), &[], files).await
    }

    /// Another process on the same store, with its own memory. It lives no longer than `first`.
    pub async fn beside(first: &Self) -> Self {
        let (config, clock) = (first.app.config.clone(), first.app.clock.clone());
        let app = boot::open(config, clock).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = serve(&app, listener);
        Self {
            engine: first.engine,
            app,
            url,
            provider: Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap(),
            twins: Vec::new(),
            project: first.project.clone(),
            http: first.http.clone(),
            server,
            _dir: TempDir::new().unwrap(),
        }
    }

    /// Another installation with a store of its own, which lives in the same time and has the same
    /// apps as `first`.
    pub async fn apart(first: &Self, engine: &'static str) -> Self {
        let dir = TempDir::new().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = tokio::net::TcpListener::bind(any).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let database = match engine {
            "postgresql" => Some(fresh_postgres().await),
            _ => None,
        };
        let (data, apps) = (dir.path().join("data"), first.app.config.catalog_dir.clone().unwrap());
        let mut pairs = vec![
            ("public_url", url.as_str()),
            ("data_dir", data.to_str().unwrap()),
            ("root_key", OTHER_ROOT_KEY),
            ("dev", "true"),
            ("egress_allow_loopback", "true"),
            ("catalog_dir", apps.to_str().unwrap()),
            ("db_connections_max", "4"),
            ("rate_limits", "false"),
        ];
        pairs.extend(database.as_ref().map(|it| ("database_url", it.as_str())));
        let config = Config::from_pairs(&pairs).unwrap();
        let app = boot::open(config, first.app.clock.clone()).await.unwrap();
        let server = serve(&app, listener);
        let project = new_project(&app, "Acme", Settings::default()).await;
        let provider = Simulator::start(any).await.unwrap();
        let (http, twins) = (first.http.clone(), Vec::new());
        Self { engine, app, url, provider, twins, project, http, server, _dir: dir }
    }

    async fn open(
        engine: &'static str,
        database: Option<String>,
        settings: &[(&str, &str)],
        twins: &[String],
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let provider = Simulator::start(any).await.unwrap();
        let given = settings.iter().find(|(name, _)| *name == "catalog_dir");
        let catalog = given.map_or_else(|| dir.path().join("apps"), |(_, path)| path.into());
        std::fs::create_dir_all(&catalog).unwrap();
        for (slug, text) in provider.catalog_files() {
            std::fs::write(catalog.join(format!("{slug}.toml")), text).unwrap();
        }
        let twins: Vec<Arc<Twin>> =
            twins.iter().map(|text| provider.add_twin(text).unwrap()).collect();
        for twin in &twins {
            std::fs::write(catalog.join(format!("{}.toml", twin.slug())), twin.file()).unwrap();
        }
        let listener = tokio::net::TcpListener::bind(any).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let data = dir.path().join("data");
        let mut pairs = vec![
            ("public_url", url.as_str()),
            ("data_dir", data.to_str().unwrap()),
            ("root_key", ROOT_KEY),
            ("dev", "true"),
            ("egress_allow_loopback", "true"),
            ("catalog_dir", catalog.to_str().unwrap()),
            ("db_connections_max", "4"),
            // Whoever tests them sets them.
            ("rate_limits", "false"),
        ];
        if let Some(database) = &database {
            pairs.push(("database_url", database));
        }
        pairs.extend_from_slice(settings);
        let config = Config::from_pairs(&pairs).unwrap();
        let app = boot::open(config, Clock::system()).await.unwrap();
        let server = serve(&app, listener);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let project = new_project(&app, "Acme", Settings::default()).await;
        Self { engine, app, url, provider, twins, project, http, server, _dir: dir }
    }

    /// One more project with callers of its own.
    pub async fn another_project(&self, settings: Settings) -> Project {
        new_project(&self.app, "Other", settings).await
    }

    /// A call with any bearer, or none, in the development environment.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        body: Option<Value>,
    ) -> Reply {
        let url = format!("{}{path}", self.url);
        let mut request = self.http.request(method, url).header("x-pd-environment", "development");
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request).await
    }

    /// `GET`, with the project's key: it does not end when a test moves the clock.
    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, Some(&self.project.key), None).await
    }

    /// `POST`, likewise.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(&self.project.key), Some(body)).await
    }

    /// `DELETE`, likewise.
    pub async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, Some(&self.project.key), None).await
    }

    /// A path below the world's own project: `/accounts` and so on.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/connect/{}{rest}", self.project.id)
    }

    /// A connect token for a user, usable from the product's pages.
    pub async fn connect_token(&self, user: &str) -> String {
        self.connect_token_with(user, json!({})).await
    }

    /// The same with more fields in the request.
    pub async fn connect_token_with(&self, user: &str, more: Value) -> String {
        let mut body = json!({ "external_user_id": user, "allowed_origins": [PRODUCT_ORIGIN] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = self.post(&self.path("/tokens"), body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// Enters the simulator's own client for `sim_<provider>` and registers our redirect URI there.
    pub async fn oauth_app(&self, provider: &str) -> OAuthApp {
        let edit = Edit {
            client_id: Some(client_id(provider)),
            client_secret: Some(Secret::new(client_secret(provider))),
            ..Edit::default()
        };
        let slug = format!("sim_{provider}");
        let made = apps::create_oauth_app(&self.app, &self.project.id, &slug, edit).await.unwrap();
        self.provider.add_redirect_uri(provider, &made.redirect_uri(&self.app));
        made
    }

    /// Runs every job that is due now, until none is.
    pub async fn run_jobs(&self) {
        while grantkeep::jobs::round(&self.app).await.unwrap() > 0 {}
    }

    /// All of a table, as text. SQLite gives bytes as they are, so that text in them is found.
    pub async fn dump(&self, table: &'static str) -> String {
        self.app.audit.settle().await;
        let mut all = String::new();
        match &self.app.db {
            grantkeep::db::Db::Lite { readers, .. } => {
                let sql = sqlx::AssertSqlSafe(format!("select * from {table}"));
                for row in sqlx::query(sql).fetch_all(readers).await.unwrap() {
                    for at in 0..row.columns().len() {
                        let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).unwrap();
                        all.push_str(&String::from_utf8_lossy(&bytes.unwrap_or_default()));
                        all.push('\n');
                    }
                }
            }
            grantkeep::db::Db::Pg(pool) => {
                let sql = sqlx::AssertSqlSafe(format!("select t::text from {table} t"));
                for row in sqlx::query(sql).fetch_all(pool).await.unwrap() {
                    all.push_str(&row.get::<String, _>(0));
                    all.push('\n');
                }
            }
        }
        all
    }

    /// One number from the store, for what no endpoint tells. The statement must work on both
    /// engines.
    /// Has the store take no audit events. Whether the writer knows that at the first event is not
    /// promised, so it is told here.
    pub async fn break_audit(&self) {
        self.rename("alter table audit_events rename to audit_events_away").await;
        self.app.audit.note(Event::new("test.note", &Actor::System, &Origin::default()));
        self.app.audit.settle().await;
    }

    pub async fn mend_audit(&self) {
        self.rename("alter table audit_events_away rename to audit_events").await;
        self.app.audit.settle().await;
    }

    async fn rename(&self, sql: &'static str) {
        grantkeep::on!(self.app.db.write(), conn =>
            sqlx::query(sql).execute(conn).await.unwrap().rows_affected());
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        self.app.audit.settle().await;
        grantkeep::on!(self.app.db.read(), conn =>
            sqlx::query_scalar(sql).fetch_one(conn).await.unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Sends and reads the whole answer.
pub fn write_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The answer, whatever its status.
pub async fn read(request: reqwest::RequestBuilder) -> Reply {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Reply { status, headers, text: answer.text().await.unwrap() }
}

async fn new_project(app: &Arc<App>, name: &str, settings: Settings) -> Project {
    let change = Change {
        settings: Some(settings),
        support_email: Some(Some("help@acme.example".to_owned())),
        ..Change::default()
    };
    let project = projects::create(app, name, change).await.unwrap();
    let scopes = Scopes::parse("* credentials:read proxy:use credentials:freeze").unwrap();
    let made = projects::create_client(app, Some(&project.id), "tests", &scopes).await.unwrap();
    let (_, key) = projects::create_key(app, &project.id, "tests", &scopes).await.unwrap();
    let body = json!({ "grant_type": "client_credentials", "client_id": made.client.id,
        "client_secret": made.secret.expose() });
    let answer = reqwest::Client::new().post(app.url("/v1/oauth/token")).json(&body).send().await;
    let answer: Value = answer.unwrap().json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    Project { id: project.id, token, key: key.expose().to_owned() }
}

fn serve(app: &Arc<App>, listener: tokio::net::TcpListener) -> tokio::task::JoinHandle<()> {
    let router = grantkeep::router::router(app);
    let config = app.config.clone();
    tokio::spawn(async move {
        let bound = grantkeep::serve::on(listener, &config).await.unwrap();
        bound.run(router, std::future::pending()).await.unwrap();
    })
}

/// An empty database on the server of the tests.
async fn fresh_postgres() -> String {
    #[expect(clippy::disallowed_methods, reason = "a test is told its server this way")]
    let server = std::env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| {
        panic!("{POSTGRES_VARIABLE} is not set: run `cargo xtask test` or `cargo xtask postgres`")
    });
    fresh_database(&server).await
}

/// Makes an empty database on the server and gives its URL.
async fn fresh_database(server: &str) -> String {
    let name = token::hex("gk_", 8).expose().to_owned();
    let mut url = url::Url::parse(server).unwrap();
    let mut admin = sqlx::PgConnection::connect(server).await.unwrap();
    // Nothing outside is in this text: the name was made one line above.
    let sql = sqlx::AssertSqlSafe(format!("create database {name}"));
    sqlx::query(sql).execute(&mut admin).await.unwrap();
    url.set_path(&name);
    url.to_string()
}
