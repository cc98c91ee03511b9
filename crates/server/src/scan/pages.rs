//! What the pages tell the browser that shows them.

use hyper::Method;
use serde_json::json;

use super::client::{Ask, Seen, Trouble, is_page};
use super::stage::{ORIGIN, Stage};
use super::{Attack, Verdict};

/// Seconds: half a year, as browsers' preload lists want at least.
const HSTS_MIN_S: u64 = 15_552_000;

pub const ATTACKS: &[Attack] = &[
    Attack {
        id: "transport",
        name: "Listen on the line",
        tried: "look at the server's scheme, and at HSTS",
        source: "RFC 6749 10.9, RFC 6797",
        run: |stage| Box::pin(transport(stage)),
    },
    Attack {
        id: "framing",
        name: "Frame a page to have its buttons pressed",
        tried: "look at who may frame the question, its errors and the other pages",
        source: "RFC 9700 4.16",
        run: |stage| Box::pin(framing(stage)),
    },
    Attack {
        id: "content-policy",
        name: "Run a script in a page",
        tried: "look at the content security policy and at types",
        source: "RFC 9700 4.16",
        run: |stage| Box::pin(content_policy(stage)),
    },
    Attack {
        id: "referrer",
        name: "Learn a secret from a referrer or a cache",
        tried: "look at the referrer policy and cache control of every page and redirect",
        source: "RFC 9700 4.2.4",
        run: |stage| Box::pin(referrer(stage)),
    },
    Attack {
        id: "cookies",
        name: "Read, set or send the flow's cookie from elsewhere",
        tried: "look at the attributes of every cookie, and at when one is set",
        source: "RFC 6265bis 4.1.3",
        run: |stage| Box::pin(cookies(stage)),
    },
    Attack {
        id: "redirect-status",
        name: "Have a form sent on to the app",
        tried: "look at the status of redirects after a form",
        source: "RFC 9700 4.12",
        run: |stage| Box::pin(redirect_status(stage)),
    },
    Attack {
        id: "open-redirects",
        name: "End a link at another site",
        tried: "addresses that are on no list, and odd spellings, in a connect token",
        source: "RFC 9700 4.11",
        run: |stage| Box::pin(open_redirects(stage)),
    },
    Attack {
        id: "scripts-as-addresses",
        name: "End a link in a script",
        tried: "javascript:, data: and file: addresses in a connect token",
        source: "RFC 9700 4.11",
        run: |stage| Box::pin(scripts(stage)),
    },
    Attack {
        id: "no-origins",
        name: "Frame the page anywhere",
        tried: "a connect token that names no origin",
        source: "RFC 9700 4.16",
        run: |stage| Box::pin(no_origins(stage)),
    },
    Attack {
        id: "host-headers",
        name: "Change where addresses lead",
        tried: "X-Forwarded-Host, X-Forwarded-Proto and Forwarded on what makes addresses",
        source: "RFC 9700 4.1.3",
        run: |stage| Box::pin(host_headers(stage)),
    },
];

/// Pages and redirects of every kind.
async fn all(stage: &Stage) -> Result<Vec<(&'static str, Seen)>, Trouble> {
    let away = stage.away().await?;
    let start = stage.client.send(Ask::get(away.started.path.as_str())).await?;
    let stranger = stage.client.send(Ask::get(away.denial())).await?;
    let ended = stage.client.send(Ask::get(away.denial()).of(&away.page.profile)).await?;
    let unknown = Ask::get("/_static/connect.html?token=ctok_00000000000000000000000000000000");
    let unknown = stage.client.send(unknown).await?;
    let result = stage.client.send(Ask::get("/connect/result/fl_attackscan")).await?;
    Ok(vec![
        ("the question", away.page.seen),
        ("the redirect to the app", away.left),
        ("the window's first page", start),
        ("a refused callback", stranger),
        ("an ended flow", ended),
        ("an unknown token", unknown),
        ("an unknown result", result),
    ])
}

/// The first page that is not as it must be.
fn each(pages: &[(&str, Seen)], good: impl Fn(&Seen) -> bool) -> Verdict {
    let bad = pages.iter().find(|(_, it)| !good(it));
    bad.map_or(Verdict::Held, |(name, _)| Verdict::NotHeld((*name).to_owned()))
}

async fn transport(stage: &Stage) -> Result<Verdict, Trouble> {
    if !stage.client.is_https() {
        // Only loopback may be without TLS, and nobody listens there.
        return Ok(Verdict::NotApplicable("the server is asked over plain http".to_owned()));
    }
    let page = stage.page().await?;
    let hsts = page.seen.header("strict-transport-security");
    let age = hsts.split(';').find_map(|it| it.trim().strip_prefix("max-age=")?.parse().ok());
    Ok(Verdict::of(age.is_some_and(|it: u64| it >= HSTS_MIN_S), || "no HSTS".to_owned()))
}

async fn framing(stage: &Stage) -> Result<Verdict, Trouble> {
    let mut pages = all(stage).await?;
    let (_, question) = pages.remove(0);
    let own = format!("frame-ancestors {ORIGIN}");
    let csp = question.header("content-security-policy");
    if !csp.split(';').any(|it| it.trim() == own) {
        return Ok(Verdict::NotHeld("the question may be framed by others".to_owned()));
    }
    pages.retain(|(name, it)| is_page(it) && *name != "an unknown token");
    Ok(each(&pages, |it| {
        it.header("content-security-policy").contains("frame-ancestors 'none'")
            && it.header("x-frame-options") == "DENY"
    }))
}

async fn content_policy(stage: &Stage) -> Result<Verdict, Trouble> {
    let mut pages = all(stage).await?;
    pages.retain(|(_, it)| is_page(it));
    Ok(each(&pages, |it| {
        let csp = it.header("content-security-policy");
        let has = |part: &str| csp.split(';').any(|it| it.trim().starts_with(part));
        !csp.contains("unsafe-")
            && has("default-src 'none'")
            && has("base-uri 'none'")
            && has("form-action 'self'")
            && it.header("x-content-type-options") == "nosniff"
    }))
}

async fn referrer(stage: &Stage) -> Result<Verdict, Trouble> {
    let pages = all(stage).await?;
    Ok(each(&pages, |it| {
        it.header("referrer-policy") == "no-referrer"
            && it.header("cache-control").contains("no-store")
    }))
}

async fn cookies(stage: &Stage) -> Result<Verdict, Trouble> {
    /// Seconds that a flow's cookie may live.
    const LIFE_MAX_S: u64 = 600;
    let away = stage.away().await?;
    if !away.page.seen.cookies().is_empty() {
        return Ok(Verdict::NotHeld("a cookie is set before the click".to_owned()));
    }
    let set = away.left.cookies();
    let secure = stage.client.is_https();
    let good = |text: &&str| {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let rest: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
        let has = |wanted: &str| rest.iter().any(|it| it == wanted);
        let life = rest.iter().find_map(|it| it.strip_prefix("max-age=")?.parse().ok());
        has("httponly")
            && has("path=/")
            && (has("samesite=lax") || has("samesite=strict"))
            && !rest.iter().any(|it| it.starts_with("domain="))
            && life.is_some_and(|it: u64| it <= LIFE_MAX_S)
            && (!secure || (has("secure") && name.starts_with("__Host-")))
    };
    let all_good = !set.is_empty() && set.iter().all(good);
    Ok(Verdict::of(all_good, || "the flow's cookie lacks an attribute, or is not set".to_owned()))
}

async fn redirect_status(stage: &Stage) -> Result<Verdict, Trouble> {
    let away = stage.away().await?;
    Ok(Verdict::of(away.left.status == 303, || away.left.told()))
}

async fn with_redirect(stage: &Stage, address: &str) -> Result<Seen, Trouble> {
    stage.create_token(json!({ "success_redirect_uri": address })).await
}

async fn open_redirects(stage: &Stage) -> Result<Verdict, Trouble> {
    for address in
        ["//evil.invalid", "https:evil.invalid", "http:///evil.invalid", "http://evil.invalid/"]
    {
        if with_redirect(stage, address).await?.status == 200 {
            return Ok(Verdict::NotHeld(format!("{address} is taken")));
        }
    }
    let seen = with_redirect(stage, "https://evil.invalid/").await?;
    Ok(match seen.status {
        200 => Verdict::Permitted("the project takes redirects that are on no list".to_owned()),
        _ => Verdict::of(seen.is(400, "redirect_uri_not_allowed"), || seen.told()),
    })
}

async fn scripts(stage: &Stage) -> Result<Verdict, Trouble> {
    for address in [
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "https://ok.invalid@evil.invalid/",
        "https://ok.invalid\\@evil.invalid/",
        "https://ok.invalid/#x",
    ] {
        let seen = with_redirect(stage, address).await?;
        if !seen.is(400, "redirect_uri_not_allowed") {
            return Ok(Verdict::NotHeld(format!("{address}: {}", seen.told())));
        }
    }
    Ok(Verdict::Held)
}

async fn no_origins(stage: &Stage) -> Result<Verdict, Trouble> {
    for origin in ["*", "null", "https://ok.invalid/path"] {
        let seen = stage.create_token(json!({ "allowed_origins": [origin] })).await?;
        if seen.status == 200 {
            return Ok(Verdict::NotHeld(format!("{origin} is taken as an origin")));
        }
    }
    let made = stage.create_token(json!({ "allowed_origins": [] })).await?;
    let Some(token) = made.json()["token"].as_str().map(str::to_owned) else {
        return Ok(Verdict::Held);
    };
    let ask = Ask::get(stage.page_path(&token, "")).header("sec-fetch-dest", "iframe");
    let seen = stage.client.send(ask).await?;
    Ok(match seen.status {
        200 if stage.verified => Verdict::Held,
        200 => Verdict::Permitted("the project takes tokens without origins".to_owned()),
        _ => Verdict::of(seen.is(403, "origins_missing"), || seen.told()),
    })
}

async fn host_headers(stage: &Stage) -> Result<Verdict, Trouble> {
    let body = json!({ "external_user_id": "attack-scan", "expires_in": 60 });
    let ask = stage.as_backend(Ask::new(Method::POST, stage.path("/tokens"))).json(&body);
    let ask = ask
        .header("x-forwarded-host", "evil.invalid")
        .header("x-forwarded-proto", "http")
        .header("forwarded", "host=evil.invalid");
    let seen = stage.client.send(ask).await?;
    let good = seen.status == 200 && !seen.text.contains("evil.invalid");
    let user = stage.path("/users/attack-scan");
    stage.api(Method::DELETE, &user, None).await?;
    Ok(Verdict::of(good, || seen.told()))
}
