//! The pages people see: sign-in, consent, errors, and the account page with its connected apps.
//!
//! Plain forms, no scripts, so that a person and a test use them in the same way.

use askama::Template;
use http::{Method, StatusCode};

use crate::authorize;
use crate::brands::{Brand, PEOPLE, Person, person};
use crate::exchange::{Answer, Call, form_encoded};
use crate::faults::Active;
use crate::grants::Visit;
use crate::provider::Provider;
use crate::secrets;

/// The password of everybody here.
pub const PASSWORD: &str = "pretend";

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    brand: &'a Brand,
    root: &'a str,
    client: &'a str,
    visit: &'a str,
    people: &'a [Person],
    chosen: &'a str,
    wrong: bool,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    brand: &'a Brand,
    root: &'a str,
    client: &'a str,
    visit: &'a str,
    person: &'a Person,
    permissions: Vec<&'a str>,
    workspace: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    brand: &'a Brand,
    root: &'a str,
    title: &'a str,
    text: &'a str,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    brand: &'a Brand,
    root: &'a str,
    person: Option<&'a Person>,
    grants: Vec<ConnectedApp>,
}

struct ConnectedApp {
    id: String,
    name: String,
    permissions: String,
}

fn page(status: StatusCode, template: &impl Template) -> Answer {
    match template.render() {
        Ok(body) => Answer::html(status, body),
        Err(_) => Answer::new(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new()),
    }
}

/// A page for what must not be told to the redirect URI.
pub(crate) fn problem(provider: &Provider, call: &Call, title: &str, text: &str) -> Answer {
    let root = call.root();
    let template = ProblemPage { brand: provider.brand, root: &root, title, text };
    page(StatusCode::BAD_REQUEST, &template)
}

fn gone(provider: &Provider, call: &Call) -> Answer {
    let text =
        "It was used already, or left open for too long. Go back to the app and start again.";
    problem(provider, call, "This sign-in is no longer open", text)
}

/// Where a visit goes on: to the consent page when somebody is signed in, else to sign-in.
pub(crate) fn next_page(provider: &Provider, call: &Call, mut visit: Visit) -> Answer {
    let mut books = provider.books();
    visit.user = books.sessions.get(&secrets::hash(call.cookie(&cookie_name(provider)))).cloned();
    let place = if visit.user.is_some() { "consent" } else { "login" };
    let id = books.open_visit(visit);
    Answer::see_other(&format!("{}/{place}?visit={id}", call.root()))
}

fn cookie_name(provider: &Provider) -> String {
    format!("sim-{}", provider.brand.slug)
}

fn client_name(provider: &Provider, client_id: &str) -> String {
    provider.books().clients.get(client_id).map(|it| it.name.clone()).unwrap_or_default()
}

fn find_visit(provider: &Provider, id: &str) -> Option<Visit> {
    provider.books().visits.get(id).cloned()
}

pub(crate) fn login(provider: &Provider, call: &Call, _: &Active) -> Answer {
    if call.method == Method::POST {
        return sign_in(provider, call);
    }
    let query = call.query();
    match find_visit(provider, query.get("visit")) {
        Some(visit) => login_page(provider, call, (query.get("visit"), &visit), None),
        None => gone(provider, call),
    }
}

fn login_page(
    provider: &Provider,
    call: &Call,
    (id, visit): (&str, &Visit),
    failed: Option<&str>,
) -> Answer {
    let template = LoginPage {
        brand: provider.brand,
        root: &call.root(),
        client: &client_name(provider, &visit.client_id),
        visit: id,
        people: &PEOPLE,
        chosen: failed.filter(|it| person(it).is_some()).unwrap_or(PEOPLE[0].login),
        wrong: failed.is_some(),
    };
    page(StatusCode::OK, &template)
}

fn sign_in(provider: &Provider, call: &Call) -> Answer {
    let form = call.form();
    let (id, user) = (form.get("visit"), form.get("user"));
    let Some(visit) = find_visit(provider, id) else { return gone(provider, call) };
    if person(user).is_none() || form.get("password") != PASSWORD {
        return login_page(provider, call, (id, &visit), Some(user));
    }
    let cookie = secrets::fresh("");
    let mut books = provider.books();
    books.sessions.insert(secrets::hash(&cookie), user.to_owned());
    if let Some(visit) = books.visits.get_mut(id) {
        visit.user = Some(user.to_owned());
    }
    let (name, slug) = (cookie_name(provider), provider.brand.slug);
    Answer::see_other(&format!("{}/consent?visit={id}", call.root()))
        .with("set-cookie", &format!("{name}={cookie}; Path=/{slug}; HttpOnly; SameSite=Lax"))
}

pub(crate) fn consent(provider: &Provider, call: &Call, faults: &Active) -> Answer {
    if call.method == Method::POST {
        return decide(provider, call, faults);
    }
    let query = call.query();
    let id = query.get("visit");
    let Some(visit) = find_visit(provider, id) else { return gone(provider, call) };
    let Some(person) = visit.user.as_deref().and_then(person) else {
        return Answer::see_other(&format!("{}/login?visit={id}", call.root()));
    };
    let template = ConsentPage {
        brand: provider.brand,
        root: &call.root(),
        client: &client_name(provider, &visit.client_id),
        visit: id,
        person,
        permissions: words(provider.brand, &visit.scopes),
        workspace: visit.workspace.as_deref(),
    };
    page(StatusCode::OK, &template)
}

fn words<'a>(brand: &'a Brand, scopes: &[String]) -> Vec<&'a str> {
    let asked = |name: &str| scopes.iter().any(|it| it == name);
    brand.scopes.iter().filter(|it| asked(it.name)).map(|it| it.words).collect()
}

fn decide(provider: &Provider, call: &Call, faults: &Active) -> Answer {
    let form = call.form();
    let visit = {
        let mut books = provider.books();
        let ready = books.visits.get(form.get("visit")).is_some_and(|it| it.user.is_some());
        if ready { books.visits.remove(form.get("visit")) } else { None }
    };
    let Some(visit) = visit else { return gone(provider, call) };
    authorize::finish(provider, call, (visit, form.get("decision") == "allow"), faults)
}

/// Who is signed in, and which apps that person has connected.
pub(crate) fn account(provider: &Provider, call: &Call, _: &Active) -> Answer {
    if call.method == Method::POST {
        return remove_app(provider, call);
    }
    let user = signed_in(provider, call);
    let books = provider.books();
    let grants = books
        .grants
        .iter()
        .filter(|(_, it)| !it.revoked && Some(&it.user) == user.as_ref())
        .map(|(id, it)| ConnectedApp {
            id: id.clone(),
            name: books.clients.get(&it.client_id).map(|it| it.name.clone()).unwrap_or_default(),
            permissions: words(provider.brand, &it.scopes).join(" · "),
        })
        .collect();
    drop(books);
    let root = call.root();
    let person = user.as_deref().and_then(person);
    let template = AccountPage { brand: provider.brand, root: &root, person, grants };
    page(StatusCode::OK, &template)
}

fn signed_in(provider: &Provider, call: &Call) -> Option<String> {
    let cookie = secrets::hash(call.cookie(&cookie_name(provider)));
    provider.books().sessions.get(&cookie).cloned()
}

/// The person takes an app's access away: its tokens end at once.
fn remove_app(provider: &Provider, call: &Call) -> Answer {
    let (user, form) = (signed_in(provider, call), call.form());
    let mut books = provider.books();
    let grant = form.get("grant");
    if books.grants.get(grant).is_some_and(|it| Some(&it.user) == user.as_ref()) {
        books.revoke_grant(grant);
    }
    Answer::see_other(&call.root())
}

pub(crate) fn logo(provider: &Provider, _: &Call, _: &Active) -> Answer {
    let brand = provider.brand;
    let body = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="7" fill="{}"/><g fill="#fff">{}</g></svg>"##,
        brand.accent_light, brand.mark
    );
    Answer::new(StatusCode::OK, "image/svg+xml", body).with("cache-control", "max-age=3600")
}

pub(crate) fn style() -> Answer {
    let body = include_str!("../templates/style.css").to_owned();
    Answer::new(StatusCode::OK, "text/css; charset=utf-8", body)
        .with("cache-control", "max-age=600")
}

/// The body of a sign-in, as its form would send it.
pub(crate) fn sign_in_form(visit: &str, user: &str) -> String {
    form_encoded(&[("visit", visit), ("user", user), ("password", PASSWORD)])
}

pub(crate) fn decision_form(visit: &str, allow: bool) -> String {
    form_encoded(&[("visit", visit), ("decision", if allow { "allow" } else { "deny" })])
}
