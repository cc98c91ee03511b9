//! A browser of tests: it keeps cookies, says what it loads pages into, and follows nothing
//! unasked.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::world::{Reply, World, read};

/// The person at the pretend providers.
pub const PERSON: &str = "ada";

/// One browser profile.
pub struct Browser<'w> {
    pub world: &'w World,
    pub http: reqwest::Client,
}

/// A loaded connect page.
pub struct Page<'b> {
    browser: &'b Browser<'b>,
    pub reply: Reply,
    pub boot: Value,
}

/// A flow that was started by a page.
#[derive(Clone)]
pub struct Started {
    pub flow: String,
    pub path: String,
    pub ticket: String,
}

impl<'w> Browser<'w> {
    pub fn new(world: &'w World) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { world, http }
    }

    pub fn get(&self, url: &str) -> RequestBuilder {
        let url =
            if url.starts_with('/') { format!("{}{url}", self.world.url) } else { url.into() };
        self.http.get(url)
    }

    /// Loads the page in a frame of the product. `more` is a further part of the query.
    pub async fn frame(&self, token: &str, app: &str, more: &str) -> Reply {
        let url = format!("/_static/connect.html?token={token}&app={app}{more}");
        read(self.get(&url).header("sec-fetch-dest", "iframe")).await
    }

    /// Opens a connect link.
    pub async fn link(&self, token: &str, app: &str, more: &str) -> Reply {
        let url = format!("/_static/connect.html?token={token}&app={app}&connectLink=true{more}");
        read(self.get(&url).header("sec-fetch-dest", "document")).await
    }

    /// The page in a frame, which must be shown.
    pub async fn page(&self, token: &str, app: &str) -> Page<'_> {
        self.shown(self.frame(token, app, "").await)
    }

    pub fn shown(&self, reply: Reply) -> Page<'_> {
        assert_eq!(reply.status, 200, "{}", reply.text);
        let boot = boot(&reply.text);
        Page { browser: self, reply, boot }
    }

    /// Submits the ticket, as the flow's window does.
    pub async fn submit(&self, started: &Started) -> Reply {
        self.post_ticket(&started.path, &started.ticket, "same-origin").await
    }

    pub async fn post_ticket(&self, path: &str, ticket: &str, site: &str) -> Reply {
        let url = format!("{}{path}", self.world.url);
        let post = self.http.post(url).form(&[("ticket", ticket)]);
        read(post.header("sec-fetch-site", site).header("origin", "null")).await
    }

    /// Submits the ticket and gives the provider's address.
    pub async fn leave(&self, started: &Started) -> String {
        let reply = self.submit(started).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text);
        reply.headers["location"].to_str().unwrap().to_owned()
    }

    /// Leaves, and lets the person allow the access; gives the address that leads back.
    pub async fn consent(&self, started: &Started) -> String {
        self.world.provider.approve(&self.leave(started).await, PERSON).unwrap()
    }

    pub async fn visit(&self, url: &str) -> Reply {
        read(self.get(url)).await
    }
}

impl<'b> Page<'b> {
    /// A page of somebody who has made its secret up.
    pub fn with_session(browser: &'b Browser<'b>, secret: &str) -> Self {
        let reply = Reply {
            status: StatusCode::OK,
            headers: reqwest::header::HeaderMap::new(),
            text: String::new(),
        };
        Self { browser, reply, boot: json!({ "session": secret }) }
    }

    fn session(&self) -> &str {
        self.boot["session"].as_str().unwrap()
    }

    pub async fn call(&self, path: &str, body: Value) -> Reply {
        let url = format!("{}/connect/session/{path}", self.browser.world.url);
        read(self.browser.http.post(url).bearer_auth(self.session()).json(&body)).await
    }

    /// Asks for a part of the list of apps.
    pub async fn apps(&self, query: &str) -> Value {
        let url = format!("/connect/session/apps?{query}");
        let reply = read(self.browser.get(&url).bearer_auth(self.session())).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    /// Sends a form of the page, as a browser without scripts does.
    pub async fn form(&self, pairs: &[(&str, &str)]) -> Reply {
        self.form_from("same-origin", pairs).await
    }

    pub async fn form_from(&self, site: &str, pairs: &[(&str, &str)]) -> Reply {
        let all: Vec<_> = [("session", self.session())].iter().chain(pairs).copied().collect();
        let post = self.browser.http.post(format!("{}/connect/page", self.browser.world.url));
        read(post.form(&all).header("sec-fetch-site", site).header("origin", "null")).await
    }

    /// Chooses an app from the list; gives the page that follows.
    pub async fn choose(&self, app: &str) -> Page<'_> {
        self.browser.shown(self.form(&[("app", app), ("q", "")]).await)
    }

    pub async fn start(&self) -> Started {
        self.start_with(json!({})).await
    }

    pub async fn start_with(&self, fields: Value) -> Started {
        Self::started(&self.call("start", json!({ "fields": fields })).await)
    }

    pub fn started(reply: &Reply) -> Started {
        assert_eq!(reply.status, 200, "{}", reply.text);
        let it = reply.json();
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        Started { flow: text("flow"), path: text("start_path"), ticket: text("ticket") }
    }

    pub async fn status(&self, flow: &str) -> Value {
        self.status_reply(flow).await.json()
    }

    pub async fn status_reply(&self, flow: &str) -> Reply {
        let url = format!("/connect/session/status?flow={flow}");
        read(self.browser.get(&url).bearer_auth(self.session())).await
    }
}

/// The whole way in a frame; gives the account's id.
pub async fn connect(world: &World, user: &str, app: &str) -> String {
    let token = world.connect_token(user).await;
    let browser = Browser::new(world);
    let page = browser.page(&token, app).await;
    let started = page.start().await;
    let back = browser.consent(&started).await;
    let reply = browser.visit(&back).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let status = page.status(&started.flow).await;
    assert_eq!(status["state"], "done", "{status}");
    status["account_id"].as_str().unwrap().to_owned()
}

/// What the page tells its script.
pub fn boot(html: &str) -> Value {
    let (_, rest) = html.split_once(r#"id="boot">"#).unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// A parameter of an address.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The address with one parameter set to `value`, or taken away.
pub fn with_parameter(url: &str, name: &str, value: Option<&str>) -> String {
    let mut url = url::Url::parse(url).unwrap();
    let mut pairs: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
    pairs.extend(value.map(|it| (name.to_owned(), it.to_owned())));
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url.to_string()
}

/// The code that a page of ours gives for support.
pub fn code_on(reply: &Reply) -> String {
    let (_, rest) = reply.text.rsplit_once("<code>").unwrap_or(("", ""));
    rest.split_once("</code>").map(|it| it.0.to_owned()).unwrap_or_default()
}
