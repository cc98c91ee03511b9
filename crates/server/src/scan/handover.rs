//! Somebody else's addresses, opened by a victim
//! (draft-ietf-oauth-security-topics-update, cross-user session fixation).

use hyper::Method;
use serde_json::json;

use super::client::{Ask, Profile, Seen, Trouble};
use super::stage::{EVIL, Stage};
use super::{Attack, Tried, Verdict};

const FIXATION: &str = "OAuth security topics update: session fixation";

pub const ATTACKS: &[Attack] = &[
    Attack {
        id: "handed-over-frame",
        name: "Hand over the frame's address",
        tried: "open the connect page of a frame on top, in another browser",
        source: FIXATION,
        run: |stage| Box::pin(frame(stage)) as Tried<'_>,
    },
    Attack {
        id: "handed-over-link",
        name: "Hand over a connect link",
        tried: "open the link of another user's token",
        source: FIXATION,
        run: |stage| Box::pin(link(stage)),
    },
    Attack {
        id: "handed-over-window",
        name: "Hand over the window's address",
        tried: "open the start page in a browser without its opener",
        source: FIXATION,
        run: |stage| Box::pin(window(stage)),
    },
    Attack {
        id: "ticket-across-sites",
        name: "Submit a ticket from another site",
        tried: "POST the flow's ticket as cross-site, same-site, and from a foreign origin",
        source: "RFC 6749 10.12",
        run: |stage| Box::pin(across_sites(stage)),
    },
    Attack {
        id: "ticket-twice",
        name: "Use a ticket twice",
        tried: "POST a ticket again after its browser has left, and one that is made up",
        source: FIXATION,
        run: |stage| Box::pin(twice(stage)),
    },
    Attack {
        id: "handed-over-authorize",
        name: "Hand over the app's address",
        tried: "come back from the app in a browser that did not leave",
        source: "RFC 9700 4.7",
        run: |stage| Box::pin(authorize(stage)),
    },
    Attack {
        id: "other-flows-cookie",
        name: "Hand over a finished callback",
        tried: "open it in a browser that has a flow of its own under way",
        source: "RFC 9700 4.7",
        run: |stage| Box::pin(other_cookie(stage)),
    },
    Attack {
        id: "older-page",
        name: "Go on with a page that was loaded before",
        tried: "begin a flow from a page whose token was opened again elsewhere",
        source: FIXATION,
        run: |stage| Box::pin(older_page(stage)),
    },
    Attack {
        id: "confirm-as-browser",
        name: "Confirm somebody else's connection",
        tried: "confirm with a connect token, without one, and with ids that can be known",
        source: FIXATION,
        run: |stage| Box::pin(confirm(stage)),
    },
];

fn refused(seen: &Seen, status: u16, code: &str) -> Verdict {
    Verdict::of(seen.is(status, code) && seen.cookies().is_empty(), || seen.told())
}

async fn frame(stage: &Stage) -> Result<Verdict, Trouble> {
    let token = stage.token().await?;
    let ask = Ask::get(stage.page_path(&token, "")).header("sec-fetch-dest", "document");
    Ok(refused(&stage.client.send(ask).await?, 403, "must_be_embedded"))
}

async fn link(stage: &Stage) -> Result<Verdict, Trouble> {
    let token = stage.token().await?;
    let ask = Ask::get(stage.page_path(&token, "&connectLink=true"));
    let seen = stage.client.send(ask.header("sec-fetch-dest", "document")).await?;
    Ok(match seen.status {
        // With a verify URL nothing is connected before the product's backend confirms.
        200 if stage.verified => Verdict::Held,
        200 => Verdict::Permitted("the project allows links that nothing proves".to_owned()),
        _ => refused(&seen, 403, "links_off"),
    })
}

async fn window(stage: &Stage) -> Result<Verdict, Trouble> {
    let page = stage.page().await?;
    let started = stage.start(&page).await?;
    let seen = stage.client.send(Ask::get(started.path.as_str())).await?;
    let leaks = [&started.ticket, &page.session, &page.token]
        .iter()
        .any(|it| seen.text.contains(it.as_str()) || started.path.contains(it.as_str()));
    let by_link = seen.boot()["byLink"] == true;
    let good = seen.status == 200 && !leaks && !by_link && seen.cookies().is_empty();
    Ok(Verdict::of(good, || if leaks { "the page holds a secret".to_owned() } else { seen.told() }))
}

async fn across_sites(stage: &Stage) -> Result<Verdict, Trouble> {
    let page = stage.page().await?;
    let started = stage.start(&page).await?;
    for site in ["cross-site", "same-site", "none"] {
        let seen = stage.submit(&Profile::default(), &started, site).await?;
        if refused(&seen, 403, "ticket_invalid") != Verdict::Held {
            return Ok(Verdict::NotHeld(format!("as {site}: {}", seen.told())));
        }
    }
    let post = Ask::new(Method::POST, started.path.as_str()).form(&[("ticket", &started.ticket)]);
    let seen = stage.client.send(post.header("origin", EVIL)).await?;
    Ok(refused(&seen, 403, "ticket_invalid"))
}

async fn twice(stage: &Stage) -> Result<Verdict, Trouble> {
    let away = stage.away().await?;
    let again = stage.submit(&Profile::default(), &away.started, "same-origin").await?;
    if refused(&again, 403, "ticket_invalid") != Verdict::Held {
        return Ok(Verdict::NotHeld(again.told()));
    }
    let page = stage.page().await?;
    let mut started = stage.start(&page).await?;
    started.ticket = String::from("ctk_made-up");
    let seen = stage.submit(&page.profile, &started, "same-origin").await?;
    Ok(refused(&seen, 403, "ticket_invalid"))
}

async fn authorize(stage: &Stage) -> Result<Verdict, Trouble> {
    let away = stage.away().await?;
    let seen = stage.client.send(Ask::get(away.denial())).await?;
    if refused(&seen, 400, "flow_not_started_here") != Verdict::Held {
        return Ok(Verdict::NotHeld(seen.told()));
    }
    // The right browser can still end it: a stranger's visit used nothing up.
    let seen = stage.client.send(Ask::get(away.denial()).of(&away.page.profile)).await?;
    Ok(Verdict::of(seen.ended_by_a_no(), || format!("used up: {}", seen.told())))
}

async fn other_cookie(stage: &Stage) -> Result<Verdict, Trouble> {
    let (attacker, victim) = (stage.away().await?, stage.away().await?);
    let seen = stage.client.send(Ask::get(attacker.denial()).of(&victim.page.profile)).await?;
    Ok(refused(&seen, 400, "flow_not_started_here"))
}

async fn older_page(stage: &Stage) -> Result<Verdict, Trouble> {
    let older = stage.page().await?;
    let again = Ask::get(stage.page_path(&older.token, "")).header("sec-fetch-dest", "iframe");
    stage.client.send(again).await?;
    let start = Ask::new(Method::POST, "/connect/session/start").bearer(&older.session);
    let seen = stage.client.send(start.json(&json!({ "fields": {} }))).await?;
    Ok(refused(&seen, 410, "page_ended"))
}

async fn confirm(stage: &Stage) -> Result<Verdict, Trouble> {
    let page = stage.page().await?;
    let started = stage.start(&page).await?;
    let path = |id: &str| stage.path(&format!("/flows/{id}/confirm"));
    let body = json!({ "external_user_id": "attack-scan" });
    for bearer in [Some(page.token.as_str()), None] {
        let ask = Ask::new(Method::POST, path(&started.flow)).json(&body);
        let ask = if let Some(bearer) = bearer { ask.bearer(bearer) } else { ask };
        let seen = stage.client.send(ask).await?;
        if seen.status != 401 {
            return Ok(Verdict::NotHeld(seen.told()));
        }
    }
    for id in [started.flow.as_str(), "flc_made-up"] {
        let seen = stage.api(Method::POST, &path(id), Some(body.clone())).await?;
        if seen.status != 404 {
            return Ok(Verdict::NotHeld(seen.told()));
        }
    }
    Ok(Verdict::Held)
}
