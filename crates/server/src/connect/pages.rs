//! Rendering the pages, each with the headers that keep it safe.

mod window;

use std::collections::BTreeSet;

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::token;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use url::Url;

use super::failure::{Failure, words};
use super::fields::{self, Again};
use super::open::{NotOpened, Opened, Wanted};
use super::view::{self, boot_json};
use super::{Flow, Mode, Session, State, accent, assets, authorize, open, own_client, scopes};
use crate::accounts::{Account, Binding};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::projects::Project;
use crate::tenant::Environment;
use crate::tokens::ConnectToken;

pub(super) use window::{device, opening, start};

/// Seconds that browsers keep to https here (RFC 6797): two years.
const HSTS: &str = "max-age=63072000; includeSubDomains";
const PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(), geolocation=(), \
     gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// What differs between the pages' headers.
struct Guard<'a> {
    /// Who may frame the page: sources of `frame-ancestors`.
    ancestors: &'a str,
    /// Where forms, and the redirects that follow, may go besides us.
    leads_to: Option<String>,
    opener: &'static str,
}

const CLOSED: Guard<'static> = Guard { ancestors: "'none'", leads_to: None, opener: "unsafe-none" };

/// The origins that may frame a page of this token: those named, or all where the project lets
/// tokens name none.
fn ancestors(origins: &[String]) -> String {
    if origins.is_empty() { "*".to_owned() } else { origins.join(" ") }
}

/// Browsers hold `form-action` against redirects too, and providers redirect on as they like; so
/// any https address. In development the provider and the product may be on loopback.
fn leads_to(app: &CatalogApp, project: &Project) -> String {
    let sign_in = match (app.oauth2(), app.oauth1()) {
        (Some(it), _) => Some(&it.authorization_url),
        (_, Some(it)) => Some(&it.authorize_url),
        _ => None,
    };
    let settings = &project.settings;
    let urls = sign_in.into_iter().chain(&settings.verify_url).chain(&settings.redirect_uris);
    let urls = urls.filter_map(|it| Url::parse(it).ok()).filter(|it| it.scheme() == "http");
    let plain: BTreeSet<String> = urls.map(|it| it.origin().ascii_serialization()).collect();
    plain.iter().fold("https:".to_owned(), |all, it| format!("{all} {it}"))
}

fn answer(
    app: &App,
    status: StatusCode,
    page: &impl Template,
    (nonce, guard): (&str, &Guard<'_>),
) -> Result<Response<Body>> {
    let html = page.render().map_err(|it| error::INTERNAL.logging(it))?;
    let leads_to = guard.leads_to.as_deref().map(|it| format!(" {it}")).unwrap_or_default();
    let csp = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; connect-src 'self'; form-action 'self'{leads_to}; \
         base-uri 'none'; object-src 'none'; \
         frame-ancestors {}",
        guard.ancestors
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let csp = HeaderValue::from_str(&csp).map_err(|it| error::INTERNAL.logging(it))?;
    headers.insert(header::CONTENT_SECURITY_POLICY, csp);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), guard.opener),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if guard.ancestors == "'none'" {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if app.config.public_url.scheme() == "https" {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    Ok(response)
}

/// What is around every page's words.
struct Surroundings<'a> {
    project: Option<&'a Project>,
    environment: Option<Environment>,
    embedded: bool,
    /// What the page needs besides the script and the stylesheet of all pages.
    more: Option<assets::More>,
}

fn frame(
    around: &Surroundings<'_>,
    nonce: &str,
    boot: &impl serde::Serialize,
) -> Result<view::Frame> {
    let color = around.project.and_then(|it| it.settings.accent.as_deref());
    let color = color.and_then(accent::Rgb::parse).unwrap_or(accent::DEFAULT);
    Ok(view::Frame {
        nonce: nonce.to_owned(),
        sheets: assets::sheets(around.more),
        scripts: assets::scripts(around.more),
        accent: accent::rules(color),
        boot: boot_json(boot).map_err(|it| error::INTERNAL.logging(it))?,
        embedded: around.embedded,
        development: around.environment == Some(Environment::Development),
        product: product(around.project),
    })
}

fn product(project: Option<&Project>) -> view::Product {
    view::Product {
        name: project.map(|it| it.product().to_owned()).unwrap_or_default(),
        logo: project.filter(|it| it.has_logo).map(|it| format!("/_static/logo/{}", it.id)),
        support_email: project.and_then(|it| it.support_email.clone()),
        privacy_url: project.and_then(|it| it.settings.privacy_url.clone()),
        terms_url: project.and_then(|it| it.settings.terms_url.clone()),
    }
}

fn shown_app(app: &CatalogApp) -> view::App {
    view::App { name: app.name.clone(), logo: Some(assets::icon_path(&app.slug)) }
}

fn nonce() -> String {
    token::base64url("", 16).expose().to_owned()
}

/// The question. `listed` is what the person searched for, if he came from the list.
pub(super) fn question(
    app: &App,
    (it, wanted): (&Opened, &Wanted),
    again: &Again<'_>,
    listed: Option<&str>,
) -> Result<Response<Body>> {
    let (session, found) = (&it.session, &wanted.app);
    let embedded = session.mode == Mode::Iframe;
    let kind = match found.wire_auth_type() {
        "oauth" => view::Kind::Oauth,
        "none" => view::Kind::None,
        _ => view::Kind::Keys,
    };
    let boot = boot(it, found.wire_auth_type());
    let fields = fields::shown(found, wanted.app_override.as_ref(), again);
    let own = own_client::shown(app, wanted, again);
    let around = Surroundings {
        project: Some(&it.project),
        environment: Some(session.tenant.environment),
        embedded,
        more: (own.is_some() || !fields.is_empty()).then_some(assets::More::Fields),
    };
    let nonce = nonce();
    let measures = measures(it, wanted, again);
    let page = view::ConnectPage {
        page: frame(&around, &nonce, &boot)?,
        app: shown_app(found),
        kind,
        abilities: if measures.is_empty() { abilities(it, wanted) } else { Vec::new() },
        fields,
        own,
        guide: None,
        host: authorize::host(found),
        reconnect: session.reconnect.is_some(),
        account_name: wanted.account.as_ref().and_then(|it| it.name.clone()),
        hide_close: it.hide_close,
        receiver: receiver(it),
        session: it.secret.expose().to_owned(),
        measures,
        listed: listed.is_some(),
        query: listed.unwrap_or_default().to_owned(),
        alert: again.alert.clone(),
    };
    let leads_to = (!embedded).then(|| leads_to(found, &it.project));
    let ancestors = ancestors_of(it);
    let guard = Guard { ancestors: &ancestors, leads_to, opener: "same-origin-allow-popups" };
    let status = if again.is_fresh() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    answer(app, status, &page, (&nonce, &guard))
}

/// The list of apps.
pub(super) fn list(app: &App, it: &Opened, listing: view::Listing) -> Result<Response<Body>> {
    let around = Surroundings {
        project: Some(&it.project),
        environment: Some(it.session.tenant.environment),
        embedded: it.session.mode == Mode::Iframe,
        more: Some(assets::More::List),
    };
    let nonce = nonce();
    let page = view::ListPage {
        page: frame(&around, &nonce, &boot(it, "list"))?,
        session: it.secret.expose().to_owned(),
        hide_close: it.hide_close,
        listing,
    };
    let ancestors = ancestors_of(it);
    let guard = Guard { ancestors: &ancestors, leads_to: None, opener: "same-origin-allow-popups" };
    answer(app, StatusCode::OK, &page, (&nonce, &guard))
}

fn ancestors_of(it: &Opened) -> String {
    match it.session.mode {
        Mode::Iframe => ancestors(&it.token.allowed_origins),
        Mode::Link => "'none'".to_owned(),
    }
}

fn boot(it: &Opened, kind: &'static str) -> view::ConnectBoot {
    view::ConnectBoot {
        session: it.secret.expose().to_owned(),
        mode: it.session.mode.as_str(),
        kind,
        target_origins: it.token.allowed_origins.clone(),
        hide_close: it.hide_close,
        scope_profile: it.session.scope_profile.clone(),
        success_url: it.token.success_redirect_uri.clone(),
        error_url: it.token.error_redirect_uri.clone(),
        window: format!("/connect/window/{}", it.project.id),
        links: open::unproved(&it.project.settings).is_some(),
    }
}

/// Who gets the access, where nothing proves that the reader is that person: he must judge himself.
fn receiver(it: &Opened) -> Option<String> {
    let unproved = it.session.mode == Mode::Link && it.session.binding == Binding::None;
    unproved.then(|| named(&it.token))
}

/// What the user is called who gets the access.
pub(super) fn named(token: &ConnectToken) -> String {
    token.external_name.as_ref().unwrap_or(&token.external_id).clone()
}

fn abilities(it: &Opened, wanted: &Wanted) -> Vec<view::Ability> {
    match &wanted.client {
        Some(client) => {
            let asked = scopes::asked(&wanted.app, client, it.session.scope_profile.as_deref());
            scopes::abilities(&wanted.app, &asked)
        }
        None if wanted.app.purpose.is_empty() => Vec::new(),
        None => vec![scopes::purpose(&wanted.app)],
    }
}

/// What the person may choose between, where the project leaves him the choice.
fn measures(it: &Opened, wanted: &Wanted, again: &Again<'_>) -> Vec<view::Measure> {
    match &wanted.client {
        Some(client) if scopes::are_chosen(&it.project, &it.token) => {
            let mut all =
                scopes::measures(&wanted.app, client, it.session.scope_profile.as_deref());
            if let Some(chosen) = &again.profile {
                for it in &mut all {
                    it.checked = it.value == chosen.as_str();
                }
            }
            all
        }
        _ => Vec::new(),
    }
}

/// Why the question is not put. In a frame it must be seen, so it may be framed by whoever was
/// meant to.
pub(super) fn not_opened(app: &App, it: &NotOpened, framed: bool) -> Result<Response<Body>> {
    let origins = it.token.as_ref().map(|it| it.allowed_origins.clone()).unwrap_or_default();
    let sources = ancestors(&origins);
    let guard = Guard { ancestors: if framed { &sources } else { "'none'" }, ..CLOSED };
    let around = Surroundings {
        project: it.project.as_ref(),
        environment: it.token.as_ref().map(|it| it.tenant.environment),
        embedded: framed,
        more: None,
    };
    let back = it.token.as_ref().filter(|_| !framed).and_then(|it| it.error_redirect_uri.clone());
    failed(app, (&it.error, it.app.as_deref()), &around, (origins, &guard, back))
}

/// An error where nothing is known of the product.
pub(super) fn plain_error(app: &App, error: &Error) -> Result<Response<Body>> {
    let around = Surroundings { project: None, environment: None, embedded: false, more: None };
    failed(app, (error, None), &around, (Vec::new(), &CLOSED, None))
}

fn failed(
    app: &App,
    (error, named): (&Error, Option<&str>),
    around: &Surroundings<'_>,
    (origins, guard, back): (Vec<String>, &Guard<'_>, Option<String>),
) -> Result<Response<Body>> {
    if error.kind().status >= 500 {
        tracing::error!(code = error.kind().code, log = error.log(), "a page could not be made");
    }
    let product = around.project.map(Project::product).unwrap_or_default();
    let words = words(error, (product, around.embedded), named);
    let boot = view::ErrorBoot {
        mode: if around.embedded { "iframe" } else { "link" },
        target_origins: origins,
        error: words.message.to_string(),
    };
    let nonce = nonce();
    let about = format!("{} ({})", words.title, error.kind().code);
    let subject = percent_encode(about.as_bytes(), NON_ALPHANUMERIC).to_string();
    let page = view::ErrorPage {
        page: frame(around, &nonce, &boot)?,
        title: words.title.into_owned(),
        message: words.message.into_owned(),
        next_step: words.next_step.into_owned(),
        back,
        ask: words.ask,
        subject,
        code: error.kind().code.to_owned(),
    };
    let status = StatusCode::from_u16(error.kind().status);
    answer(app, status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &page, (&nonce, guard))
}

/// The end of a flow, where no redirect was asked for.
pub(super) fn result(
    app: &App,
    (flow, session): (&Flow, &Session),
    project: &Project,
    found: &CatalogApp,
) -> Result<Response<Body>> {
    let around = Surroundings {
        project: Some(project),
        environment: Some(flow.tenant.environment),
        embedded: false,
        more: Some(assets::More::Window),
    };
    let failure = match &flow.state {
        State::Failed(failure) => Some(failure),
        _ => None,
    };
    let popup = session.mode == Mode::Iframe;
    let done = matches!(flow.state, State::Done { .. });
    let waiting = !done && failure.is_none();
    let state = match (&failure, done) {
        (Some(_), _) => "failed",
        (None, true) => "done",
        (None, false) => "waiting",
    };
    let boot = view::FlowBoot { flow: flow.id.as_str().to_owned(), popup, state, by_link: false };
    let nonce = nonce();
    let page = view::ResultPage {
        page: frame(&around, &nonce, &boot)?,
        app: shown_app(found),
        popup,
        done,
        waiting,
        account_name: None,
        message: failure.map(|it| it.text.to_string()).unwrap_or_default(),
        code: failure.map(|it| it.code.to_string()),
    };
    let status = failure.map_or(StatusCode::OK, status);
    answer(app, status, &page, (&nonce, &CLOSED))
}

/// The end of a form that came without a script, where no redirect was asked for.
pub(super) fn connected(app: &App, it: &Opened, account: &Account) -> Result<Response<Body>> {
    let found = it.wanted.as_ref().map(|it| &it.app);
    let found = found.ok_or_else(|| error::INTERNAL.logging("an account without an app"))?;
    let around = Surroundings {
        project: Some(&it.project),
        environment: Some(it.session.tenant.environment),
        embedded: false,
        more: Some(assets::More::Window),
    };
    let boot = view::FlowBoot { flow: String::new(), popup: false, state: "done", by_link: false };
    let nonce = nonce();
    let page = view::ResultPage {
        page: frame(&around, &nonce, &boot)?,
        app: shown_app(found),
        popup: false,
        done: true,
        waiting: false,
        account_name: account.name.clone(),
        message: String::new(),
        code: None,
    };
    answer(app, StatusCode::OK, &page, (&nonce, &CLOSED))
}

/// A person's no is an answer like any other; a doubtful answer or a broken provider is not.
fn status(failure: &Failure) -> StatusCode {
    match failure.code.as_ref() {
        "callback_invalid" | "issuer_mismatch" => StatusCode::BAD_REQUEST,
        "unconfirmed" | "page_ended" | "connect_token_used" | "connect_token_expired" => {
            StatusCode::GONE
        }
        "different_account" | "user_mismatch" => StatusCode::CONFLICT,
        "provider_bad_response" | "provider_unavailable" | "oauth_client_refused" => {
            StatusCode::BAD_GATEWAY
        }
        "internal" | "decrypt_failed" | "store_unavailable" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    }
}
