//! A world with an app at `raw.example`, another server at `other.example`, and a run that may use
//! an account.

use std::sync::Arc;

use axum::body::Body;
use grantkeep::accounts;
use grantkeep::app::App;
use grantkeep::callers::{Actor, Origin};
use grantkeep::error::Error;
use grantkeep::ids::AccountId;
use grantkeep::projects::Settings;
use grantkeep::relay::{self, RunBy, RunGrants};
use grantkeep_runtime::Authority;
use http_body_util::BodyExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::Method;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::proxy::upstream::Upstream;
use crate::world::World;

/// Nobody but the app may see it; and every place writes it in a way of its own.
pub const KEY: &str = "k3y/of+the=\"account\" & <more>";

pub struct Lab {
    pub world: World,
    /// At `raw.example`, where the credential may go.
    pub own: Upstream,
    /// At `other.example`, where it may not.
    pub other: Upstream,
    pub account: AccountId,
    _catalog: TempDir,
}

/// A run with one account.
pub struct Run {
    pub app: Arc<App>,
    pub grants: Arc<RunGrants>,
    pub authority: Arc<Authority>,
    /// `$auth`, as code gets it.
    pub auth: Map<String, Value>,
}

/// One lab for each engine.
pub async fn labs() -> Vec<Lab> {
    vec![Lab::open(false, &[]).await, Lab::open(true, &[]).await]
}

pub async fn labs_with(settings: &[(&str, &str)]) -> Vec<Lab> {
    vec![Lab::open(false, settings).await, Lab::open(true, settings).await]
}

const FILE: &str = r##"
slug = "raw"
name = "Raw"
description = "A server of tests."
homepage = "https://raw.example"
categories = ["Productivity"]
popularity = 1
color = "#000000"
purpose = "be called"
auth = "keys"

[[fields]]
name = "api_key"
label = "Key"
kind = "password"

[[fields]]
name = "region"
label = "Region"
kind = "text"

[proxy]
base_url = "https://raw.example/base"
hosts = ["*.files.example"]
[proxy.headers]
authorization = "Bearer ${api_key}"

[evidence]
confirmed = 1
checked_on = "2026-11-23"
"##;

impl Lab {
    pub async fn open(postgres: bool, settings: &[(&str, &str)]) -> Self {
        let (own, other) = (Upstream::start().await, Upstream::start().await);
        let catalog = TempDir::new().unwrap();
        std::fs::write(catalog.path().join("raw.toml"), FILE).unwrap();
        let routes = format!(
            "raw.example=http://{0}, cdn.files.example=http://{0}, other.example=http://{1}",
            own.address, other.address
        );
        let mut all = vec![
            ("catalog_dir", catalog.path().to_str().unwrap()),
            ("egress_dev_routes", routes.as_str()),
        ];
        all.extend_from_slice(settings);
        let world = if postgres { World::postgres(&all).await } else { World::sqlite(&all).await };
        let account = connect(&world, "ada").await;
        Self { world, own, other, account, _catalog: catalog }
    }

    pub async fn run(&self) -> Run {
        Run::of(&self.world, &self.account, Settings::default()).await
    }

    /// A run with one more account of the app, and that one's `$auth`.
    pub async fn run_of_two(&self) -> (Run, Map<String, Value>) {
        let another = connect(&self.world, "bob").await;
        let mut grants = RunGrants::new(by(&self.world), &Settings::default());
        let mut auths = Vec::new();
        for account in [&self.account, &another] {
            let usable = usable(&self.world, account).await;
            auths.push(grants.blind(&self.world.app, usable).await.unwrap());
        }
        let second = auths.pop().unwrap();
        (Run::with(&self.world, grants, auths.pop().unwrap()), second)
    }

    pub async fn raw_run(&self) -> Run {
        let mut grants = RunGrants::new(by(&self.world), &Settings::default());
        let usable = usable(&self.world, &self.account).await;
        let auth = grants.raw(&self.world.app, usable).await.unwrap();
        Run::with(&self.world, grants, auth)
    }
}

async fn connect(world: &World, user: &str) -> AccountId {
    let token = world.connect_token(user).await;
    let fields = json!({ "api_key": KEY, "region": "eu" }).to_string();
    let body = json!({ "app_slug": "raw", "cfmap_json": fields });
    let reply = world.call(Method::POST, &world.path("/accounts"), Some(&token), Some(body)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    AccountId::parse(reply.json()["id"].as_str().unwrap()).unwrap()
}

fn by(world: &World) -> RunBy {
    RunBy { tenant: world.tenant(), actor: Actor::System, origin: Origin::default() }
}

async fn usable(world: &World, account: &AccountId) -> accounts::Usable {
    accounts::usable(&world.app, &world.tenant(), account, None).await.unwrap()
}

impl Run {
    pub async fn of(world: &World, account: &AccountId, settings: Settings) -> Self {
        let mut grants = RunGrants::new(by(world), &settings);
        let usable = usable(world, account).await;
        let auth = grants.blind(&world.app, usable).await.unwrap();
        Self::with(world, grants, auth)
    }

    fn with(world: &World, grants: RunGrants, auth: Map<String, Value>) -> Self {
        let app = Arc::clone(&world.app);
        let authority = Arc::new(Authority::new().unwrap());
        Self { app, grants: Arc::new(grants), authority, auth }
    }

    pub fn token(&self, name: &str) -> &str {
        self.auth[name].as_str().unwrap()
    }

    pub fn admit(&self, host: &str, port: u16) -> Result<relay::Way, Error> {
        relay::admit(&self.app, &self.grants, (host, port))
    }

    /// A connection that the relay took, raw.
    pub fn plain(&self, host: &str, port: u16) -> UnixStream {
        let way = self.admit(host, port).unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        let (app, grants) = (Arc::clone(&self.app), Arc::clone(&self.grants));
        let authority = Arc::clone(&self.authority);
        tokio::spawn(async move { relay::serve(&app, &grants, way, &authority, there).await });
        here
    }

    /// The same under TLS, asking for `name`.
    pub async fn secure(
        &self,
        host: &str,
        name: &str,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<UnixStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        connector.connect(name, self.plain(host, 443)).await
    }

    pub async fn client(&self, host: &str) -> SendRequest<Body> {
        client(self.secure(host, host).await.unwrap()).await
    }

    /// One request on a connection of its own.
    pub async fn send(&self, host: &str, request: hyper::Request<Body>) -> Got {
        got(self.client(host).await.send_request(with_host(request, host)).await.unwrap()).await
    }

    pub async fn get(&self, host: &str, path: &str) -> Got {
        self.send(host, hyper::Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, host: &str, kind: &str, body: impl Into<Body>) -> Got {
        let request = hyper::Request::post("/x").header("content-type", kind);
        self.send(host, request.body(body.into()).unwrap()).await
    }

    /// What is answered to these bytes, until the relay closes.
    pub async fn bytes(&self, host: &str, sent: &[u8]) -> String {
        until_closed(self.secure(host, host).await.unwrap(), sent).await
    }
}

pub async fn client<S>(stream: S) -> SendRequest<Body>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub async fn until_closed<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, sent: &[u8]) -> String {
    stream.write_all(sent).await.unwrap();
    let mut all = Vec::new();
    // The relay need not say goodbye in TLS when it refuses.
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

pub fn with_host(mut request: hyper::Request<Body>, host: &str) -> hyper::Request<Body> {
    request.headers_mut().entry("host").or_insert(host.parse().unwrap());
    request
}

#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub text: String,
}

impl Got {
    pub fn code(&self) -> &str {
        self.headers.get("x-grantkeep-error").map_or("", |it| it.to_str().unwrap())
    }
}

pub async fn got(response: hyper::Response<hyper::body::Incoming>) -> Got {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Got { status: head.status.as_u16(), headers: head.headers, text }
}
