//! Answers of apps, forged. None of them holds a code that would be sent to the app: those that
//! come with one are doubtful, and refused before.

use hyper::Method;

use super::client::{Ask, Seen, Trouble};
use super::stage::{Away, EVIL, Stage};
use super::{Attack, Verdict};

const CONTEXTS: &str = "OAuth security topics update: cross-toolkit";

pub const ATTACKS: &[Attack] = &[
    Attack {
        id: "state",
        name: "Forge an answer",
        tried: "no state, an empty, a made-up, a doubled one",
        source: "RFC 6749 10.12",
        run: |stage| Box::pin(state(stage)),
    },
    Attack {
        id: "state-again",
        name: "Repeat an answer",
        tried: "open a callback again after it was used",
        source: "RFC 9700 4.2.4",
        run: |stage| Box::pin(state_again(stage)),
    },
    Attack {
        id: "fresh-request",
        name: "Guess or reuse what binds a flow",
        tried: "compare two requests to the app: state, challenge, response type",
        source: "RFC 9700 2.1.1",
        run: |stage| Box::pin(fresh_request(stage)),
    },
    Attack {
        id: "other-context",
        name: "Send an answer to another client's address",
        tried: "the right state and browser at the redirect URI of another OAuth client",
        source: CONTEXTS,
        run: |stage| Box::pin(other_context(stage)),
    },
    Attack {
        id: "doubled-parameters",
        name: "Pollute the answer's parameters",
        tried: "two codes, a code beside an error, two issuers, an empty code",
        source: "RFC 6749 3.1",
        run: |stage| Box::pin(doubled(stage)),
    },
    Attack {
        id: "wrong-issuer",
        name: "Mix the app's server up",
        tried: "an answer with another issuer",
        source: "RFC 9207 2.4",
        run: |stage| Box::pin(wrong_issuer(stage)),
    },
    Attack {
        id: "prefetch",
        name: "Use a state up by a scanner's visit",
        tried: "HEAD, POST and prefetch on a callback",
        source: "RFC 9110 9.2.1",
        run: |stage| Box::pin(prefetch(stage)),
    },
    Attack {
        id: "redirect-by-query",
        name: "Be sent on to an address in the answer",
        tried: "redirect parameters in the callback's query",
        source: "RFC 9700 4.11",
        run: |stage| Box::pin(redirect_by_query(stage)),
    },
    Attack {
        id: "reflection",
        name: "Put markup into a page",
        tried: "markup as an app's name, and as the app's error text",
        source: "RFC 9207 2.4",
        run: |stage| Box::pin(reflection(stage)),
    },
];

async fn visit(stage: &Stage, away: &Away, address: String) -> Result<Seen, Trouble> {
    stage.client.send(Ask::get(address).of(&away.page.profile)).await
}

/// Each way in which an answer was taken that must not be.
fn all_refused(seen: &[(&str, Seen)], status: u16, code: &str) -> Verdict {
    let taken = seen.iter().find(|(_, it)| !it.is(status, code));
    taken.map_or(Verdict::Held, |(how, it)| Verdict::NotHeld(format!("{how}: {}", it.told())))
}

async fn state(stage: &Stage) -> Result<Verdict, Trouble> {
    let away = stage.away().await?;
    let place = away.callback.as_str();
    let mut seen = Vec::new();
    for (how, query) in [
        ("none", "error=access_denied"),
        ("empty", "error=access_denied&state="),
        ("made up", "error=access_denied&state=attack-scan"),
    ] {
        seen.push((how, visit(stage, &away, format!("{place}?{query}")).await?));
    }
    seen.push(("doubled", visit(stage, &away, away.answer(&[("state", "other")])).await?));
    Ok(all_refused(&seen, 400, "state_invalid"))
}

async fn state_again(stage: &Stage) -> Result<Verdict, Trouble> {
    let away = stage.away().await?;
    let first = visit(stage, &away, away.denial()).await?;
    if !first.ended_by_a_no() {
        return Ok(Verdict::NotHeld(format!("a person's no is answered {}", first.told())));
    }
    let again = visit(stage, &away, away.denial()).await?;
    Ok(all_refused(&[("again", again)], 400, "state_invalid"))
}

async fn fresh_request(stage: &Stage) -> Result<Verdict, Trouble> {
    /// Base64url characters of 128 bits (RFC 6749 section 10.10).
    const STATE_CHARS_MIN: usize = 22;
    let (one, two) = (stage.away().await?, stage.away().await?);
    let find = |away: &Away, name: &str| {
        let mut all = away.authorize.query_pairs().filter(|(key, _)| key == name);
        all.next().map(|(_, it)| it.into_owned()).unwrap_or_default()
    };
    if one.state == two.state || one.state.len() < STATE_CHARS_MIN {
        return Ok(Verdict::NotHeld("a state is short or used twice".to_owned()));
    }
    if find(&one, "response_type") != "code" {
        return Ok(Verdict::NotHeld("something else than a code is asked for".to_owned()));
    }
    let challenges = (find(&one, "code_challenge"), find(&two, "code_challenge"));
    if challenges.0.is_empty() {
        // The app's file says why; state and cookie bind the flow all the same.
        return Ok(Verdict::Held);
    }
    let fresh = challenges.0 != challenges.1 && find(&one, "code_challenge_method") == "S256";
    Ok(Verdict::of(fresh, || "the challenge is not S256, or used twice".to_owned()))
}

async fn other_context(stage: &Stage) -> Result<Verdict, Trouble> {
    let mut seen = Vec::new();
    for context in ["oa_attackscan", "x"] {
        let away = stage.away().await?;
        let mut place = away.callback.clone();
        let path = place.path().to_owned();
        let own = path.rsplit('/').nth(1).unwrap_or_default();
        if own.is_empty() {
            return Ok(Verdict::NotHeld("the redirect URI names no client".to_owned()));
        }
        place.set_path(&path.replace(own, context));
        let address = away.answer_at(place, &[("error", "access_denied")]);
        seen.push((context, visit(stage, &away, address).await?));
    }
    Ok(all_refused(&seen, 400, "context_mismatch"))
}

async fn doubled(stage: &Stage) -> Result<Verdict, Trouble> {
    let answers: [(&str, &[(&str, &str)]); 4] = [
        ("two codes", &[("code", "a"), ("code", "b")]),
        ("code and error", &[("code", "a"), ("error", "access_denied")]),
        ("two issuers", &[("code", "a"), ("iss", EVIL), ("iss", "https://other.invalid")]),
        ("empty code", &[("code", "")]),
    ];
    let mut seen = Vec::new();
    for (how, pairs) in answers {
        let away = stage.away().await?;
        seen.push((how, visit(stage, &away, away.answer(pairs)).await?));
    }
    Ok(all_refused(&seen, 400, "callback_invalid"))
}

async fn wrong_issuer(stage: &Stage) -> Result<Verdict, Trouble> {
    let away = stage.away().await?;
    let answer = away.answer(&[("error", "access_denied"), ("iss", EVIL)]);
    let seen = visit(stage, &away, answer).await?;
    if seen.is(200, "access_denied") {
        let why = format!("no issuer is known for {}; redirect URIs tell apps apart", stage.app);
        return Ok(Verdict::NotApplicable(why));
    }
    Ok(all_refused(&[("issuer", seen)], 400, "issuer_mismatch"))
}

async fn prefetch(stage: &Stage) -> Result<Verdict, Trouble> {
    let away = stage.away().await?;
    let profile = &away.page.profile;
    for method in [Method::HEAD, Method::POST] {
        let seen = stage.client.send(Ask::new(method.clone(), away.denial()).of(profile)).await?;
        if seen.status != 405 {
            return Ok(Verdict::NotHeld(format!("{method}: {}", seen.told())));
        }
    }
    let guess = Ask::get(away.denial()).header("sec-purpose", "prefetch;prerender");
    let seen = stage.client.send(guess.of(profile)).await?;
    if seen.status != 204 {
        return Ok(Verdict::NotHeld(format!("prefetch: {}", seen.told())));
    }
    let seen = visit(stage, &away, away.denial()).await?;
    Ok(Verdict::of(seen.ended_by_a_no(), || format!("used up: {}", seen.told())))
}

async fn redirect_by_query(stage: &Stage) -> Result<Verdict, Trouble> {
    let away = stage.away().await?;
    let names = ["success_redirect_uri", "error_redirect_uri", "redirect_uri", "next", "url"];
    let mut pairs = vec![("error", "access_denied")];
    pairs.extend(names.map(|name| (name, EVIL)));
    let seen = visit(stage, &away, away.answer(&pairs)).await?;
    let led =
        seen.header("location").contains("evil.invalid") || seen.text.contains("evil.invalid");
    Ok(Verdict::of(!led, || format!("the address is used: {}", seen.told())))
}

async fn reflection(stage: &Stage) -> Result<Verdict, Trouble> {
    const MARKUP: &str = "<img src=x onerror=alert(1)>";
    let away = stage.away().await?;
    let pairs = [("error", "server_error"), ("error_description", MARKUP)];
    let told = visit(stage, &away, away.answer(&pairs)).await?;
    let token = stage.token().await?;
    let mut named = format!("/_static/connect.html?token={token}&app=");
    named.extend(url::form_urlencoded::byte_serialize(MARKUP.as_bytes()));
    let named = stage.client.send(Ask::get(named).header("sec-fetch-dest", "iframe")).await?;
    let good = !told.text.contains(MARKUP) && !named.text.contains(MARKUP);
    Ok(Verdict::of(good, || "markup stands in the page as it came".to_owned()))
}
