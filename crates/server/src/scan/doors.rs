//! The API's doors: whose credential opens what, and from where.

use hyper::Method;
use serde_json::json;

use super::client::{Ask, Trouble};
use super::stage::{EVIL, ORIGIN, Stage};
use super::{Attack, Verdict};

const OBJECTS: &str = "OWASP API1:2023";

pub const ATTACKS: &[Attack] = &[
    Attack {
        id: "cors",
        name: "Call the API from another site's page",
        tried: "a backend's and a browser's call with foreign origins",
        source: "RFC 9700 2.6",
        run: |stage| Box::pin(cors(stage)),
    },
    Attack {
        id: "other-tenants",
        name: "Name what belongs to somebody else",
        tried: "ids of other projects, accounts and OAuth clients",
        source: OBJECTS,
        run: |stage| Box::pin(other_tenants(stage)),
    },
    Attack {
        id: "connect-token-as-backend",
        name: "Do a backend's work with a browser's token",
        tried: "make tokens, read users, credentials and other users with a connect token",
        source: OBJECTS,
        run: |stage| Box::pin(browser_as_backend(stage)),
    },
    Attack {
        id: "page-without-session",
        name: "Act for a page",
        tried: "the page's calls without its secret, and with others",
        source: "RFC 6750 3.1",
        run: |stage| Box::pin(without_session(stage)),
    },
    Attack {
        id: "bad-bearers",
        name: "Learn from refusals",
        tried: "compare the answers to unknown, malformed and missing credentials",
        source: "RFC 6749 5.2",
        run: |stage| Box::pin(bad_bearers(stage)),
    },
    Attack {
        id: "secrets-in-addresses",
        name: "Have a secret put into an address",
        tried: "a client secret and a bearer in a query",
        source: "RFC 9700 4.3",
        run: |stage| Box::pin(in_addresses(stage)),
    },
    Attack {
        id: "token-lookup",
        name: "Guess connect tokens",
        tried: "unknown, cut off and odd tokens at the page",
        source: "RFC 6749 10.10",
        run: |stage| Box::pin(unknown_tokens(stage)),
    },
    Attack {
        id: "errors",
        name: "Learn of the inside from an error",
        tried: "broken bodies and paths, looking for stacks, SQL and file names",
        source: "OWASP API8:2023",
        run: |stage| Box::pin(errors(stage)),
    },
];

const ALLOW: &str = "access-control-allow-origin";

async fn cors(stage: &Stage) -> Result<Verdict, Trouble> {
    let accounts = stage.path("/accounts");
    for origin in [EVIL, ORIGIN, "null"] {
        let ask = stage.as_backend(Ask::get(accounts.as_str())).header("origin", origin);
        let seen = stage.client.send(ask).await?;
        if !seen.header(ALLOW).is_empty() {
            return Ok(Verdict::NotHeld(format!("a backend's call allows {origin}")));
        }
    }
    let token = stage.token().await?;
    for origin in [EVIL, "null", "https://attack-scan.invalid.evil.invalid"] {
        let ask = Ask::get(accounts.as_str()).bearer(&token).header("origin", origin);
        let seen = stage.client.send(ask).await?;
        if seen.status != 403 || !seen.header(ALLOW).is_empty() {
            return Ok(Verdict::NotHeld(format!("a connect token from {origin}: {}", seen.told())));
        }
    }
    let ask = Ask::get(accounts).bearer(&token).header("origin", ORIGIN);
    let seen = stage.client.send(ask).await?;
    let credentials = seen.header("access-control-allow-credentials");
    let good = seen.header(ALLOW) == ORIGIN && credentials.is_empty();
    Ok(Verdict::of(good, || "its own origin is not named exactly".to_owned()))
}

async fn other_tenants(stage: &Stage) -> Result<Verdict, Trouble> {
    let mut seen = Vec::new();
    for path in [
        "/v1/connect/proj_attackscan/accounts".to_owned(),
        "/v1/connect/projects/proj_attackscan".to_owned(),
        stage.path("/accounts/apn_attackscan"),
        stage.path("/oauth_apps/oa_attackscan"),
    ] {
        seen.push(stage.api(Method::GET, &path, None).await?);
    }
    let token = stage.token().await?;
    for more in ["&oauthAppId=oa_attackscan", "&accountId=apn_attackscan"] {
        let ask = Ask::get(stage.page_path(&token, more)).header("sec-fetch-dest", "iframe");
        seen.push(stage.client.send(ask).await?);
    }
    let bad = seen.iter().find(|it| it.status != 404);
    Ok(bad.map_or(Verdict::Held, |it| Verdict::NotHeld(it.told())))
}

async fn browser_as_backend(stage: &Stage) -> Result<Verdict, Trouble> {
    let token = stage.token().await?;
    let ask = |method: Method, rest: &str| {
        let ask = Ask::new(method, stage.path(rest)).bearer(&token);
        ask.header("x-pd-environment", "production")
    };
    let body = json!({ "external_user_id": "attack-scan" });
    for (what, it) in [
        ("tokens", ask(Method::POST, "/tokens").json(&body)),
        ("users", ask(Method::GET, "/users")),
        ("another user", ask(Method::GET, "/accounts?external_user_id=somebody-else")),
        ("OAuth clients", ask(Method::POST, "/oauth_apps").json(&json!({ "app_id": "github" }))),
        ("projects", Ask::get("/v1/connect/projects").bearer(&token)),
    ] {
        let seen = stage.client.send(it).await?;
        if ![401, 403, 404].contains(&seen.status) {
            return Ok(Verdict::NotHeld(format!("{what}: {}", seen.told())));
        }
    }
    let seen = stage.client.send(ask(Method::GET, "/accounts?include_credentials=true")).await?;
    let shown = seen.status == 200 && seen.text.contains("access_token");
    Ok(Verdict::of(!shown, || "credentials are shown".to_owned()))
}

async fn without_session(stage: &Stage) -> Result<Verdict, Trouble> {
    let token = stage.token().await?;
    let body = json!({ "fields": {} });
    for bearer in [None, Some(token.as_str()), Some("cps_made-up")] {
        for path in ["/connect/session/start", "/connect/session/account"] {
            let ask = Ask::new(Method::POST, path).json(&body);
            let ask = if let Some(bearer) = bearer { ask.bearer(bearer) } else { ask };
            let seen = stage.client.send(ask).await?;
            if seen.status != 401 {
                return Ok(Verdict::NotHeld(format!("{path}: {}", seen.told())));
            }
        }
    }
    let seen = stage.client.send(Ask::get("/connect/session/start")).await?;
    Ok(Verdict::of(seen.status == 405, || format!("GET: {}", seen.told())))
}

async fn bad_bearers(stage: &Stage) -> Result<Verdict, Trouble> {
    let path = stage.path("/accounts");
    let mut bodies = Vec::new();
    for bearer in ["x", "gk_access_0000000000000000000000000000000000", ""] {
        let ask = Ask::get(path.as_str()).header("x-pd-environment", "development");
        let ask = if bearer.is_empty() { ask } else { ask.bearer(bearer) };
        let seen = stage.client.send(ask).await?;
        bodies.push((seen.status, seen.text));
    }
    let mut answers = Vec::new();
    for id in ["gkc_attackscan", "nobody"] {
        let body = json!({ "grant_type": "client_credentials", "client_id": id,
            "client_secret": "wrong" });
        let ask = Ask::new(Method::POST, "/v1/oauth/token").json(&body);
        let seen = stage.client.send(ask).await?;
        answers.push((seen.status, seen.text));
    }
    let same = |all: &[(u16, String)]| all.iter().all(|it| it.0 == 401 && *it == all[0]);
    Ok(Verdict::of(same(&bodies) && same(&answers), || "refusals differ".to_owned()))
}

async fn in_addresses(stage: &Stage) -> Result<Verdict, Trouble> {
    let query = "?grant_type=client_credentials&client_id=x&client_secret=y";
    let token = Ask::new(Method::POST, format!("/v1/oauth/token{query}"));
    let token = stage.client.send(token.form(&[])).await?;
    let bearer = Ask::get(stage.path("/accounts?access_token=made-up"));
    let bearer = stage.client.send(bearer.header("x-pd-environment", "development")).await?;
    let good = [400, 401].contains(&token.status) && bearer.status == 401;
    Ok(Verdict::of(good, || format!("{}; {}", token.told(), bearer.told())))
}

async fn unknown_tokens(stage: &Stage) -> Result<Verdict, Trouble> {
    let known = stage.token().await?;
    let cut = known.get(..known.len() - 1).unwrap_or_default();
    for token in ["ctok_00000000000000000000000000000000", cut, "x", "%00", ""] {
        let seen = stage.client.send(Ask::get(stage.page_path(token, ""))).await?;
        if !seen.is(404, "connect_token_unknown") {
            return Ok(Verdict::NotHeld(seen.told()));
        }
    }
    Ok(Verdict::Held)
}

async fn errors(stage: &Stage) -> Result<Verdict, Trouble> {
    let tells = ["panicked", "sqlx", "select ", "stack backtrace", ".rs:", "/root/", "sqlite"];
    let broken = |path: String| {
        let ask = stage.as_backend(Ask::new(Method::POST, path));
        ask.header("content-type", "application/json")
    };
    for ask in [
        broken(stage.path("/tokens")),
        broken("/v1/oauth/token".to_owned()),
        stage.as_backend(Ask::get(stage.path("/accounts?limit=x&after=%27%22"))),
        Ask::get("/connect/start/%00"),
        Ask::get("/connect/oauth/%2e%2e/callback?state=%27"),
        Ask::get("/_static/apps/..%2f..%2fetc%2fpasswd"),
        Ask::get("/no/such/path"),
    ] {
        let seen = stage.client.send(ask).await?;
        let said = seen.text.to_lowercase();
        if seen.status >= 500 || tells.iter().any(|it| said.contains(it)) {
            return Ok(Verdict::NotHeld(seen.told()));
        }
    }
    Ok(Verdict::Held)
}
