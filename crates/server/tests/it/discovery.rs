//! Apps that are made of what a server says of itself.

use grantkeep_simulator::{Endpoint, Fault, Times};
use reqwest::Method;
use serde_json::{Value, json};

use crate::connect::browser::{self, Browser, parameter};
use crate::world::{Reply, World, read, worlds};

/// A provider with a plain OAuth 2 server.
const PROVIDER: &str = "rotating";

impl World {
    fn mcp(&self) -> String {
        format!("{}/{PROVIDER}/mcp", self.provider.base_url())
    }

    fn issuer(&self) -> String {
        format!("{}/{PROVIDER}", self.provider.base_url())
    }

    async fn discover(&self, body: Value) -> Reply {
        self.post(&self.path("/custom_apps/discover"), body).await
    }

    /// Discovers the MCP server as `tools`.
    async fn tools(&self) -> Value {
        let made = self.discover(json!({ "url": self.mcp(), "slug": "tools" })).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()
    }
}

#[tokio::test]
async fn d_03_an_mcp_server_becomes_an_app_by_its_url_alone() {
    for world in worlds().await {
        let made = world.tools().await;
        assert_eq!(made["client"], "registered", "{made}");
        assert_eq!(made["custom_app"]["app"]["name"], "Lumen Chat for agents");
        assert_eq!(made["custom_app"]["discovered"]["issuer"], world.issuer());
        assert_eq!(made["custom_app"]["discovered"]["resource"], world.mcp());
        let connect = &made["custom_app"]["app"]["connect"];
        assert_eq!(connect["base_proxy_target_url"], world.mcp(), "its URL is its API");
        let client = made["oauth_app"]["client_id"].as_str().unwrap();
        assert!(client.starts_with("dyn-"), "{client}");
        assert!(!made.to_string().contains("sec-"), "the secret is not shown");

        let token = world.connect_token("ada").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "tools").await;
        let started = page.start().await;
        let leaving = browser.leave(&started).await;
        assert_eq!(parameter(&leaving, "resource").unwrap(), world.mcp());
        assert_eq!(parameter(&leaving, "client_id").unwrap(), client);
        // The pretend server exchanges the code only for the resource that was asked for.
        let back = world.provider.approve(&leaving, browser::PERSON).unwrap();
        assert_eq!(browser.visit(&back).await.status, 200);
        let status = page.status(&started.flow).await;
        assert_eq!(status["state"], "done", "{status}");
        let account = status["account_id"].as_str().unwrap();
        world.later(crate::grants::TWO_HOURS_MS);
        let path = format!("/accounts/{account}?include_credentials=true");
        let vended = world.get(&world.path(&path)).await.json();
        let access = vended["credentials"]["oauth_access_token"].as_str().unwrap();
        let asked = read(world.http.post(world.mcp()).bearer_auth(access)).await;
        assert_eq!(asked.status, 200, "refreshed, and good at the MCP server: {asked:?}");
        let log = world.dump("audit_events").await;
        assert!(log.contains("custom_app.discover"));
        assert!(!world.dump("oauth_apps").await.contains("sec-"), "sealed");
    }
}

#[tokio::test]
async fn an_issuer_is_found_in_each_of_its_forms() {
    let world = World::sqlite(&[]).await;
    let (base, issuer) = (world.provider.base_url().to_owned(), world.issuer());
    for (nth, url) in [
        issuer.clone(),
        format!("{issuer}/"),
        format!("{base}/.well-known/oauth-authorization-server/{PROVIDER}"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "url": url, "slug": format!("issuer_{nth}"), "name": "Ours" });
        let made = world.discover(body).await;
        assert_eq!(made.status, 201, "{url}: {made:?}");
        let made = made.json();
        assert_eq!(made["custom_app"]["discovered"]["issuer"], issuer, "{url}");
        assert_eq!(made["custom_app"]["discovered"]["resource"], Value::Null, "{url}");
        assert_eq!(made["custom_app"]["app"]["name"], "Ours");
    }
    // Without a name for callers, the host is one.
    let made = world.discover(json!({ "url": issuer })).await.json();
    assert_eq!(made["custom_app"]["slug"], "127_0_0_1", "{made}");
    let account = browser::connect(&world, "ada", "issuer_0").await;
    assert!(account.starts_with("apn_"));
}

#[tokio::test]
async fn a_client_is_known_by_a_document_where_the_server_takes_that() {
    for world in worlds().await {
        let takes = json!({ "client_id_metadata_document_supported": true,
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"] });
        world.provider.describe(PROVIDER, takes, Value::Null);
        let made = world.tools().await;
        assert_eq!(made["client"], "document", "{made}");
        let id = made["oauth_app"]["client_id"].as_str().unwrap();
        assert!(id.ends_with("/client.json"), "{id}");
        let document = read(world.http.get(id)).await;
        assert_eq!(document.headers["content-type"], "application/json");
        let document = document.json();
        assert_eq!(document["client_id"], id);
        assert_eq!(document["client_name"], "Acme", "people are asked by the product's name");
        assert_eq!(document["redirect_uris"], json!([made["oauth_app"]["redirect_uri"]]));
        assert_eq!(document["token_endpoint_auth_method"], "private_key_jwt");
        let keys = read(world.http.get(document["jwks_uri"].as_str().unwrap())).await.json();
        assert_eq!(keys["keys"][0], made["oauth_app"]["public_jwk"]);
        // A client that was entered by hand has no such document.
        let entered =
            world.post(&world.path("/oauth_apps"), json!({ "app": "tools" })).await.json();
        let path = format!("/connect/oauth/{}/client.json", entered["id"].as_str().unwrap());
        assert_eq!(world.call(Method::GET, &path, None, None).await.status, 404);
    }
}

#[tokio::test]
async fn a_public_client_is_one_where_the_server_wants_nothing_else() {
    let world = World::sqlite(&[]).await;
    let takes = json!({ "client_id_metadata_document_supported": true,
        "token_endpoint_auth_methods_supported": ["none"] });
    world.provider.describe(PROVIDER, takes, Value::Null);
    let made = world.tools().await;
    assert_eq!(made["client"], "document", "{made}");
    assert_eq!(made["oauth_app"]["public_jwk"], Value::Null);
    assert!(browser::connect(&world, "ada", "tools").await.starts_with("apn_"));
}

#[tokio::test]
async fn a_server_that_registers_nobody_leaves_the_client_to_be_entered() {
    for world in worlds().await {
        let none = json!({ "registration_endpoint": null });
        world.provider.describe(PROVIDER, none, Value::Null);
        let made = world.tools().await;
        assert_eq!(
            (&made["client"], &made["oauth_app"]["client_id"]),
            (&json!("to_be_entered"), &json!(""))
        );
        assert!(made["remark"].as_str().unwrap().contains("no registration"), "{made}");
        world.provider.describe(PROVIDER, Value::Null, Value::Null);
        let refused = Fault::Status { status: 403, retry_after_s: None };
        world.provider.fault(PROVIDER, Endpoint::Register, refused, Times::Next(1));
        let made = world.discover(json!({ "url": world.mcp(), "slug": "more" })).await;
        assert_eq!(made.json()["client"], "to_be_entered", "{made:?}");
        // The app is there; an entered client makes it work.
        let one = world
            .path(&format!("/oauth_apps/{}", made.json()["oauth_app"]["id"].as_str().unwrap()));
        let entered = json!({ "client_id": grantkeep_simulator::client_id(PROVIDER),
            "client_secret": grantkeep_simulator::client_secret(PROVIDER) });
        let put = world.put(&one, entered).await.json();
        world.provider.add_redirect_uri(PROVIDER, put["redirect_uri"].as_str().unwrap());
        assert!(browser::connect(&world, "ada", "more").await.starts_with("apn_"));
    }
}

/// D-01: a document is believed only if it is one, small, soon there, and of whom it should be.
#[tokio::test]
async fn d_01_row_93_documents_that_cannot_be_believed_make_no_app() {
    let world = World::sqlite(&[]).await;
    let refused = async |why: &str| {
        let reply = world.discover(json!({ "url": world.issuer(), "slug": "tools" })).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (400, "discovery_failed".into()),
            "{why}"
        );
        assert!(reply.json()["details"]["url"].is_string(), "{reply:?}");
        world.provider.describe(PROVIDER, Value::Null, Value::Null);
        world.provider.clear_faults(PROVIDER);
    };
    let faults = [
        Fault::Redirect { to: format!("{}/elsewhere", world.issuer()) },
        Fault::Status { status: 500, retry_after_s: None },
        Fault::Html,
        Fault::InvalidJson,
        Fault::HugeBody { bytes: 300 * 1024 },
        Fault::LostAnswer,
    ];
    for fault in faults {
        let why = format!("{fault:?}");
        world.provider.fault(PROVIDER, Endpoint::Metadata, fault, Times::Always);
        refused(&why).await;
    }
    for (name, value) in [
        ("issuer", json!("https://other.example")),
        ("issuer", json!(format!("{}/x", world.issuer()))),
        ("issuer", Value::Null),
        ("token_endpoint", json!("http://evil.example/token")),
        ("token_endpoint", json!("javascript:alert(1)")),
        ("token_endpoint", json!("https://u:p@evil.example/token")),
        ("token_endpoint", Value::Null),
        ("authorization_endpoint", json!("file:///etc/passwd")),
        ("authorization_endpoint", json!(7)),
        ("registration_endpoint", json!("http://169.254.169.254/register")),
        ("response_types_supported", json!(["token"])),
        ("grant_types_supported", json!(["client_credentials"])),
    ] {
        let otherwise = json!({ name: value });
        world.provider.describe(PROVIDER, otherwise.clone(), Value::Null);
        refused(&otherwise.to_string()).await;
    }
    for url in [
        "",
        "x",
        "http://evil.example",
        "https://u:p@evil.example",
        "ftp://evil.example",
        "https://10.0.0.1",
        "http://169.254.169.254/latest",
        "https://evil.example/#x",
    ] {
        let reply = world.discover(json!({ "url": url })).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (400, "discovery_failed".into()),
            "{url}"
        );
    }
    let none = world.get(&world.path("/custom_apps")).await.json();
    assert_eq!(none["page_info"]["total_count"], 0);
    let clients = world.get(&world.path("/oauth_apps")).await.json();
    assert_eq!(clients["page_info"]["total_count"], 0);
}

/// D-02: what a resource says is of that resource, and its server is the one that it names.
#[tokio::test]
async fn d_02_a_resource_is_believed_of_itself_alone() {
    let world = World::sqlite(&[]).await;
    let ask = async |resource: Value, more: Value| {
        world.provider.describe(PROVIDER, Value::Null, resource);
        let mut body = json!({ "url": world.mcp(), "slug": "tools" });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        world.discover(body).await
    };
    for otherwise in [
        json!({ "resource": "https://other.example/mcp" }),
        json!({ "resource": world.issuer() }),
        json!({ "resource": null }),
        json!({ "authorization_servers": [] }),
        json!({ "authorization_servers": ["http://evil.example"] }),
        json!({ "authorization_servers": "x" }),
    ] {
        let reply = ask(otherwise.clone(), json!({})).await;
        assert_eq!(reply.code(), "discovery_failed", "{otherwise}");
    }
    let other = json!({ "issuer": "https://other.example" });
    assert_eq!(ask(Value::Null, other).await.code(), "discovery_failed");
    // Without a word that it checks PKCE, an MCP server's server is not taken.
    let silent = json!({ "code_challenge_methods_supported": null });
    world.provider.describe(PROVIDER, silent, Value::Null);
    let reply = world.discover(json!({ "url": world.mcp(), "slug": "tools" })).await;
    assert_eq!(reply.code(), "discovery_failed", "{reply:?}");
    let chosen = json!({ "issuer": world.issuer() });
    assert_eq!(ask(Value::Null, chosen).await.status, 201);
}

/// D-02: credentials registered at one server are for no other, whatever the resource says later.
#[tokio::test]
async fn d_02_a_client_of_one_server_is_never_used_at_another() {
    for world in worlds().await {
        let made = world.tools().await;
        let elsewhere = format!("{}/grace", world.provider.base_url());
        let moved = json!({ "authorization_servers": [elsewhere] });
        world.provider.describe(PROVIDER, Value::Null, moved);
        let body = json!({ "url": world.mcp(), "slug": "tools", "confirm_endpoint_change": true });
        let reply = world.discover(body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (409, "other_server".into()),
            "{reply:?}"
        );
        let kept = world.get(&world.path("/custom_apps/tools")).await.json();
        assert_eq!(kept["definition"], made["custom_app"]["definition"]);
        // Under another name it is another app, with a client of its own.
        let other = world.discover(json!({ "url": world.mcp(), "slug": "tools_2" })).await.json();
        assert_ne!(other["oauth_app"]["client_id"], made["oauth_app"]["client_id"]);
    }
}

/// D-01: an app that is read anew moves to other addresses only when that is confirmed.
#[tokio::test]
async fn d_01_an_app_read_anew_moves_only_when_that_is_confirmed() {
    for world in worlds().await {
        let made = world.tools().await;
        let body = json!({ "url": world.mcp(), "slug": "tools" });
        let again = world.discover(body.clone()).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(again.json()["oauth_app"]["id"], made["oauth_app"]["id"], "the same client");
        let moved = json!({ "token_endpoint": format!("{}/elsewhere", world.issuer()) });
        world.provider.describe(PROVIDER, moved, Value::Null);
        let silent = world.discover(body.clone()).await;
        assert_eq!((silent.status.as_u16(), silent.code()), (409, "endpoints_changed".into()));
        let mut loud = body;
        loud["confirm_endpoint_change"] = json!(true);
        assert_eq!(world.discover(loud).await.status, 200);
        let kept = world.get(&world.path("/custom_apps/tools")).await.json();
        assert!(kept["definition"].as_str().unwrap().contains("/elsewhere"), "{kept}");
        // An app that was described by hand is not written over.
        world.custom_app(crate::custom_apps::PARCELS).await;
        let taken = world.discover(json!({ "url": world.mcp(), "slug": "parcels" })).await;
        assert_eq!(taken.code(), "slug_taken");
        let taken = world.discover(json!({ "url": world.mcp(), "slug": "github" })).await;
        assert_eq!(taken.code(), "slug_taken", "{taken:?}");
    }
}

#[tokio::test]
async fn what_a_server_says_cannot_write_into_the_app_file() {
    let world = World::sqlite(&[]).await;
    let name = "x\" \\ ${oauth_access_token} \u{2028} [proxy]";
    let scopes = json!(["a\"b", "read", "read", "bad scope", "ü"]);
    let resource = json!({ "resource_name": name, "scopes_supported": scopes });
    world.provider.describe(PROVIDER, Value::Null, resource);
    // Without a challenge, the document's scopes count.
    let nothing = Fault::Status { status: 404, retry_after_s: None };
    world.provider.fault(PROVIDER, Endpoint::Mcp, nothing, Times::Always);
    let made = world.tools().await;
    let app = &made["custom_app"]["app"];
    assert_eq!(app["name"], "x\" \\ $ {oauth_access_token} \u{2028} [proxy]");
    assert_eq!(made["oauth_app"]["scopes"], json!(["read"]));
    assert_eq!(app["connect"]["base_proxy_target_url"], world.mcp());
}
