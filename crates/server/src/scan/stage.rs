//! The set-up that attacks begin from: a throw-away user with connect tokens, pages and flows.

use hyper::Method;
use serde_json::{Value, json};
use url::Url;

use grantkeep_vault::Secret;

use super::client::{Ask, Client, Profile, Seen, Trouble};
use crate::config::Config;
use crate::ids::UserId;

/// The origin in the scan's connect tokens. The name exists nowhere (RFC 2606 section 2).
pub const ORIGIN: &str = "https://attack-scan.invalid";
/// Where an attacker would like a browser to go.
pub const EVIL: &str = "https://evil.invalid";

/// What is to be looked at, as the operator names it.
pub struct Target {
    pub url: Url,
    pub project: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// Slug of an app with OAuth; any that the project has a client for when absent.
    pub app: Option<String>,
    pub environment: String,
}

pub struct Stage {
    pub client: Client,
    pub project: String,
    pub app: String,
    environment: String,
    access: String,
    user: String,
    /// Whether links are confirmed by the product's backend.
    pub verified: bool,
}

/// A loaded page, and its browser.
pub struct Page {
    pub profile: Profile,
    pub token: String,
    pub session: String,
    pub seen: Seen,
}

/// A flow that a page has begun.
pub struct Started {
    pub flow: String,
    pub path: String,
    pub ticket: String,
}

/// A flow whose browser was sent to the app, where it never goes.
pub struct Away {
    pub page: Page,
    pub started: Started,
    pub left: Seen,
    pub authorize: Url,
    /// The address for answers, without a query.
    pub callback: Url,
    pub state: String,
}

impl Stage {
    pub async fn set_up(config: &Config, target: Target) -> Result<Self, Trouble> {
        let Target { url, project, client_id, client_secret, app, environment } = target;
        let client = Client::new(config, url)?;
        let body = json!({ "grant_type": "client_credentials", "client_id": client_id,
            "client_secret": client_secret.expose() });
        let post = Ask::new(Method::POST, "/v1/oauth/token").json(&body);
        let answer = client.send(post).await?;
        let access =
            answer.json()["access_token"].as_str().map(str::to_owned).ok_or_else(|| {
                refused(&answer, "Client id and secret were not taken", "grantkeep client create")
            })?;
        let mut stage = Self {
            client,
            project,
            app: String::new(),
            environment,
            access,
            user: format!("attack-scan-{}", UserId::mint()),
            verified: false,
        };
        let found = stage.api(Method::GET, &stage.project_path(), None).await?;
        if found.status != 200 {
            return Err(refused(&found, "The client cannot read the project", "--project"));
        }
        stage.verified = found.json()["verify_url"].is_string();
        stage.app = match app {
            Some(app) => stage.usable(app).await?,
            None => stage.any_app().await?,
        };
        let made = stage.create_token(json!({})).await?;
        if made.status != 200 {
            return Err(refused(&made, "No connect token can be made", "the client's scopes"));
        }
        let link = made.json()["connect_link_url"].as_str().and_then(|it| Url::parse(it).ok());
        match link {
            Some(link) if stage.client.is_here(&link) => Ok(stage),
            link => Err(Trouble::SetUp(format!(
                "The server says that its address is {}. Give that as --url.",
                link.map(|it| it.origin().ascii_serialization()).unwrap_or_default()
            ))),
        }
    }

    /// The app, if flows can begin with it: otherwise every attack would fail for a wrong reason.
    async fn usable(&self, app: String) -> Result<String, Trouble> {
        let listed = self.api(Method::GET, &self.path("/oauth_apps?limit=100"), None).await?;
        let all = listed.json()["data"].as_array().cloned().unwrap_or_default();
        let ours = |it: &Value| {
            it["name_slug"] == app.as_str()
                && it["client_id"].as_str().is_some_and(|id| !id.is_empty())
        };
        if all.iter().any(ours) {
            return Ok(app);
        }
        Err(Trouble::SetUp(format!(
            "The project has no complete OAuth client for {app:?}. Look at --app, or enter one \
             (`grantkeep oauth-app create`)."
        )))
    }

    async fn any_app(&self) -> Result<String, Trouble> {
        let listed = self.api(Method::GET, &self.path("/oauth_apps?limit=100"), None).await?;
        let all = listed.json()["data"].as_array().cloned().unwrap_or_default();
        let complete = |it: &&Value| it["client_id"].as_str().is_some_and(|id| !id.is_empty());
        // One that asks for nothing before its sign-in lets every attack be tried.
        let plain = |it: &&Value| it["custom_fields_json"] == "[]";
        let found = all.iter().filter(complete).find(plain);
        let found = found.or_else(|| all.iter().find(complete));
        let slug = found.and_then(|it| it["name_slug"].as_str().map(str::to_owned));
        slug.ok_or_else(|| {
            Trouble::SetUp(
                "The project has no complete OAuth client, and the scan needs one to begin \
                 flows with. Enter one (`grantkeep oauth-app create`), or name an app by --app."
                    .to_owned(),
            )
        })
    }

    fn project_path(&self) -> String {
        format!("/v1/connect/projects/{}", self.project)
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/connect/{}{rest}", self.project)
    }

    /// A call of the product's backend.
    pub async fn api(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Seen, Trouble> {
        let ask = self.as_backend(Ask::new(method, path));
        self.client.send(if let Some(body) = body { ask.json(&body) } else { ask }).await
    }

    pub fn as_backend<'a>(&self, ask: Ask<'a>) -> Ask<'a> {
        ask.bearer(&self.access).header("x-pd-environment", self.environment.clone())
    }

    pub async fn create_token(&self, more: Value) -> Result<Seen, Trouble> {
        let mut body = json!({ "external_user_id": self.user, "allowed_origins": [ORIGIN],
            "expires_in": 600 });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.api(Method::POST, &self.path("/tokens"), Some(body)).await
    }

    pub async fn token(&self) -> Result<String, Trouble> {
        let made = self.create_token(json!({})).await?;
        let token = made.json()["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| Trouble::Unexpected(format!("no connect token: {}", made.told())))
    }

    /// The address of the page. `more` is a further part of the query.
    pub fn page_path(&self, token: &str, more: &str) -> String {
        format!("/_static/connect.html?token={token}&app={}{more}", self.app)
    }

    /// The page in a frame, as the scan's own user sees it.
    pub async fn page(&self) -> Result<Page, Trouble> {
        let (token, profile) = (self.token().await?, Profile::default());
        let ask = Ask::get(self.page_path(&token, "")).header("sec-fetch-dest", "iframe");
        let seen = self.client.send(ask.of(&profile)).await?;
        let session = seen.boot()["session"].as_str().map(str::to_owned);
        let session =
            session.ok_or_else(|| Trouble::Unexpected(format!("no page: {}", seen.told())))?;
        Ok(Page { profile, token, session, seen })
    }

    /// The click.
    pub async fn start(&self, page: &Page) -> Result<Started, Trouble> {
        let ask = Ask::new(Method::POST, "/connect/session/start").bearer(&page.session);
        let seen = self.client.send(ask.json(&json!({ "fields": {} })).of(&page.profile)).await?;
        if seen.code() == "invalid_field" {
            return Err(Trouble::NotAsked(format!(
                "{} asks for a field before its sign-in. Name another app by --app",
                self.app
            )));
        }
        let answer = seen.json();
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        match (text("flow"), text("start_path"), text("ticket")) {
            (Some(flow), Some(path), Some(ticket)) => Ok(Started { flow, path, ticket }),
            _ => Err(Trouble::Unexpected(format!("no flow begins: {}", seen.told()))),
        }
    }

    /// Hands the ticket in, as the flow's window does.
    pub async fn submit(
        &self,
        profile: &Profile,
        started: &Started,
        site: &str,
    ) -> Result<Seen, Trouble> {
        let ask =
            Ask::new(Method::POST, started.path.as_str()).form(&[("ticket", &started.ticket)]);
        let ask = ask.header("sec-fetch-site", site).header("origin", "null");
        self.client.send(ask.of(profile)).await
    }

    /// A flow up to the app's door.
    pub async fn away(&self) -> Result<Away, Trouble> {
        let page = self.page().await?;
        let started = self.start(&page).await?;
        let left = self.submit(&page.profile, &started, "same-origin").await?;
        let authorize = Url::parse(left.header("location"))
            .map_err(|_| Trouble::Unexpected(format!("nobody is sent on: {}", left.told())))?;
        let find = |name: &str| {
            authorize.query_pairs().find(|(key, _)| key == name).map(|(_, it)| it.into_owned())
        };
        let oauth2 = || Trouble::NotAsked(format!("{} is not an OAuth 2 app", self.app));
        let state = find("state").ok_or_else(oauth2)?;
        let callback = find("redirect_uri").and_then(|it| Url::parse(&it).ok());
        let callback = callback.ok_or_else(oauth2)?;
        Ok(Away { page, started, left, authorize, callback, state })
    }

    /// The throw-away user and his tokens go. A client without the scope leaves them to end alone.
    pub async fn clear_away(&self) {
        let path = self.path(&format!("/users/{}", self.user));
        let _ = self.api(Method::DELETE, &path, None).await;
    }

    pub fn requests(&self) -> u32 {
        self.client.sent()
    }
}

impl Away {
    /// An answer in the place of the app's. None holds a usable code, so none is ever exchanged.
    pub fn answer(&self, pairs: &[(&str, &str)]) -> String {
        self.answer_at(self.callback.clone(), pairs)
    }

    pub fn answer_at(&self, mut place: Url, pairs: &[(&str, &str)]) -> String {
        place.query_pairs_mut().append_pair("state", &self.state).extend_pairs(pairs);
        place.into()
    }

    /// A person's no, which ends the flow.
    pub fn denial(&self) -> String {
        self.answer(&[("error", "access_denied")])
    }
}

fn refused(seen: &Seen, what: &str, look_at: &str) -> Trouble {
    Trouble::SetUp(format!("{what} ({}). Look at {look_at}.", seen.told()))
}
