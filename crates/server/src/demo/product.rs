//! Acme Today, the sample product: one page and four calls, on an origin of its own.
//!
//! The page embeds the script of the server; everything else goes through Acme's own backend, which
//! knows who is signed in and holds the secrets.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::acme::{Acme, Connected};
use super::world::{Options, PROVIDERS, World, origin};
use super::{Doing, Result, Trouble, morning};

const PAGE: &str = include_str!("../../../../web/demo/today.html");
const STYLE: &str = include_str!("../../../../web/demo/today.css");
const SCRIPT: &str = include_str!("../../../../web/demo/today.js");
const MARK: &str = include_str!("../../../../web/demo/acme.svg");
/// The logo for the connect page.
pub(super) const LOGO_PNG: &[u8] = include_bytes!("../../../../web/demo/acme.png");

/// Who is signed in. Your product takes this from its own session, never from the browser's words.
const USER: &str = "robin";

/// How long a request under way may take at the end.
const STOP: Duration = Duration::from_secs(2);

/// What each app is good for in Acme.
const PURPOSES: [&str; PROVIDERS.len()] =
    ["What is on today", "What was said while you were away", "What came in the post"];

/// The running product.
pub struct Shop {
    pub url: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

struct Product {
    acme: Acme,
    /// Acme's own origin: who may call its backend, and frame the connect page.
    origin: String,
    server: String,
    providers: String,
    names: [&'static str; PROVIDERS.len()],
    /// Whether the morning note is deployed, once that is known.
    note: Shared<BoxFuture<'static, std::result::Result<(), String>>>,
}

impl Shop {
    /// Enters Acme at the server and opens it, under `localhost` so that its origin is another one.
    pub async fn open(options: &Options, world: &World) -> Result<Self> {
        let entered = world.enter_product().await?;
        let egress = world.outside()?;
        let listener = TcpListener::bind(options.address(0)).await.doing("the product's port")?;
        let port = listener.local_addr().doing("the product's port")?.port();
        let url = format!("http://localhost:{port}/");
        // It starts a process for its code, which nobody need wait for before the page is there.
        let (app, project) = (Arc::clone(world.app()), entered.project.id.clone());
        let deploying = tokio::spawn(async move { morning::deploy(&app, &project).await });
        let deployed = deploying.map(|done| match done {
            Ok(done) => done.map_err(|it| it.to_string()),
            Err(error) => Err(error.to_string()),
        });
        let product = Product {
            note: deployed.boxed().shared(),
            acme: Acme::new(egress, world.server(), &entered),
            origin: origin(&url)?,
            server: world.server(),
            providers: world.simulator.base_url().to_owned(),
            names: PROVIDERS.map(|it| world.simulator.brand_name(it)),
        };
        let stop = CancellationToken::new();
        let (router, stopped) = (router(Arc::new(product)), stop.clone());
        let task = tokio::spawn(async move {
            let serving = axum::serve(listener, router);
            let _ = serving.with_graceful_shutdown(stopped.cancelled_owned()).await;
        });
        Ok(Self { url, stop, task })
    }

    pub async fn stop(self) {
        self.stop.cancel();
        // A browser that keeps its connection open does not keep the demo from ending.
        let _ = tokio::time::timeout(STOP, self.task).await;
    }
}

fn router(product: Arc<Product>) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    Router::new()
        .route("/", get(page))
        .route("/today.css", file("text/css; charset=utf-8", STYLE))
        .route("/today.js", file("text/javascript; charset=utf-8", SCRIPT))
        .route("/acme.svg", file("image/svg+xml", MARK))
        .route("/api/apps", get(apps))
        .route("/api/connect-token", post(connect_token))
        .route("/api/use", post(use_account))
        .route("/api/disconnect", post(disconnect))
        .route("/api/note", post(start_note))
        .route("/api/note/{run}", get(look_at_note))
        .layer(middleware::from_fn_with_state(Arc::clone(&product), only_own_page))
        .with_state(product)
}

/// Other sites may not use the backend through a visitor's browser, under no name of this machine.
async fn only_own_page(
    State(product): State<Arc<Product>>,
    request: Request,
    next: Next,
) -> Response {
    if product.is_own(request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, format!("Open {} instead.", product.origin)).into_response()
}

async fn page(State(product): State<Arc<Product>>) -> (HeaderMap, Html<String>) {
    let Product { server, providers, .. } = &*product;
    // What a page needs to allow, and no more: the server's script and frame, and logos.
    let policy = format!(
        "default-src 'none'; script-src 'self' {server}; frame-src {server}; connect-src 'self'; \
         style-src 'self'; img-src 'self' {providers}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let mut headers = HeaderMap::new();
    if let Ok(policy) = policy.parse() {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    (headers, Html(PAGE.replace("{{ server }}", server)))
}

/// The apps that Acme works with, and what the user has connected of them.
async fn apps(State(product): State<Arc<Product>>) -> Answer {
    let accounts = product.acme.accounts(USER).await?;
    let known = PROVIDERS.iter().zip(product.names).zip(PURPOSES);
    let apps: Vec<Value> = known
        .map(|((provider, name), purpose)| {
            let slug = format!("sim_{provider}");
            let account = accounts.iter().find(|it| it.app == slug);
            json!({
                "slug": slug,
                "name": name,
                "purpose": purpose,
                "logo": format!("{}/{provider}/logo.svg", product.providers),
                "account": account.map(shown),
            })
        })
        .collect();
    answer(&product, json!({ "apps": apps }))
}

fn shown(account: &Connected) -> Value {
    json!({ "id": account.id, "name": account.name, "healthy": account.healthy })
}

#[derive(Deserialize)]
struct Choice {
    app: String,
}

/// A connect token for the user who is signed in, good for Acme's own pages.
async fn connect_token(State(product): State<Arc<Product>>, Json(choice): Json<Choice>) -> Answer {
    provider(&choice.app)?;
    let token = product.acme.connect_token(USER, &choice.app, &product.origin).await?;
    answer(&product, json!({ "token": token.expose() }))
}

#[derive(Deserialize)]
struct Account {
    id: String,
}

/// Calls the provider's API with the account's token, which is fresh whenever it is asked for.
async fn use_account(State(product): State<Arc<Product>>, Json(it): Json<Account>) -> Answer {
    let account = product.own(&it.id).await?;
    let provider = provider(&account.app)?;
    let grant = product.acme.grant(&account.id).await?;
    let url = format!("{}/{provider}/api/items", product.providers);
    let reply = product.acme.call_provider(&url, &grant).await?.success("the provider's API")?;
    let items = reply.json()?["items"].clone();
    answer(
        &product,
        json!({
            "items": items,
            "fingerprint": grant.fingerprint(),
            "is_key": grant.is_key,
            "expires_at": grant.expires_at,
            "last_refreshed_at": grant.last_refreshed_at,
        }),
    )
}

/// Ends it, here and at the provider.
async fn disconnect(State(product): State<Arc<Product>>, Json(it): Json<Account>) -> Answer {
    let account = product.own(&it.id).await?;
    let outcome = product.acme.disconnect(&account.id).await?;
    answer(&product, json!({ "outcome": outcome }))
}

/// Starts the morning note, and tells by which id it can be looked at.
async fn start_note(State(product): State<Arc<Product>>) -> Answer {
    product.note.clone().await.map_err(Trouble::new)?;
    let run = morning::start(&product.acme, USER, &product.providers).await?;
    answer(&product, json!({ "run": run }))
}

/// How far it is. Only the last look is worth showing among the calls.
async fn look_at_note(State(product): State<Arc<Product>>, Path(run): Path<String>) -> Answer {
    let looked = morning::look(&product.acme, &run).await?;
    if looked["ended"] == false {
        product.acme.take_journal();
    }
    answer(&product, looked)
}

impl Product {
    fn is_own(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
        let own_name =
            text(header::HOST).is_some_and(|host| self.origin == format!("http://{host}"));
        own_name && text(header::ORIGIN).is_none_or(|origin| origin == self.origin)
    }

    /// The account, if it is one of the user who is signed in. A browser may name any.
    async fn own(&self, id: &str) -> Result<Connected> {
        let accounts = self.acme.accounts(USER).await?;
        let found = accounts.into_iter().find(|it| it.id == id);
        found.ok_or_else(|| Trouble::new("You have no such account."))
    }
}

/// The provider behind an app, if Acme works with it.
fn provider(app: &str) -> Result<&'static str> {
    let found = PROVIDERS.iter().find(|it| app == format!("sim_{it}"));
    found.copied().ok_or_else(|| Trouble::new("Acme does not work with this app."))
}

/// The answer, and for the curious the calls that were made for it.
#[expect(clippy::unnecessary_wraps, reason = "it ends every handler")]
fn answer(product: &Product, mut body: Value) -> Answer {
    body["calls"] = json!(product.acme.take_journal());
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

type Answer = std::result::Result<Response, Failed>;

/// What the page is told when something did not work.
struct Failed(Trouble);

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self(trouble)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::BAD_GATEWAY, Json(json!({ "error": self.0.to_string() }))).into_response()
    }
}
