//! The pages' routes: HTML in, HTML or a redirect out.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Form, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::response::IntoResponse;
use grantkeep_vault::{Secret, token};

use super::authorize::{self, Leaving, Left};
use super::callback::{Came, Return};
use super::fields::Again;
use super::open::{self, Names, Opened, Shown, Visit};
use super::{
    FLOW_LIFE_MS, Flow, Session, State as FlowState, callback, choose, device, landing, pages,
};
use crate::app::App;
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::ids::{FlowId, ProjectId};
use crate::query::Query;
use crate::{accounts, apps, projects, tokens};

/// Seconds that a browser is known as the one that went on with a link.
const LINK_COOKIE_LIFE_S: i64 = tokens::LIFE_S_MAX;

/// Where a request came from, if the middleware noted it.
pub(super) type From = Option<Extension<Origin>>;

pub(super) fn origin(from: From) -> Origin {
    from.map(|Extension(it)| it).unwrap_or_default()
}

/// `GET /_static/connect.html`: the question.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    from: From,
    method: Method,
    query: Query,
    headers: HeaderMap,
) -> Response<Body> {
    if let Some(answer) = not_a_visit(&method, &headers) {
        return answer;
    }
    let shown = shown(&headers);
    let link = query.flag("connectLink").ok().flatten().unwrap_or_default();
    let visited = match visit(&app, &query, &headers, (shown, link)) {
        Ok(visit) => open::open(&app, visit, &origin(from)).await,
        Err(error) => Err(error.into()),
    };
    finish(
        &app,
        match visited {
            Ok(opened) => show(&app, &opened, (came_from(&query), 0)).await,
            Err(refused) => pages::not_opened(&app, &refused, !link && shown != Shown::OnTop),
        },
    )
}

/// What the list was searched for, if the page is one that the list led to, or the list again.
fn came_from(query: &Query) -> Option<&str> {
    query.all("q").next()
}

/// The question, or the list where it is not yet known of which app. `listed` is what the list was
/// searched for, if there was one.
pub(super) async fn show(
    app: &Arc<App>,
    it: &Opened,
    (listed, from): (Option<&str>, usize),
) -> Result<Response<Body>> {
    let Some(wanted) = &it.wanted else {
        let of = (&it.token, it.session.binding, it.session.own_client);
        let query = listed.unwrap_or_default();
        return pages::list(app, it, choose::list(app, of, query, from).await?);
    };
    let free = it.token.app_slug.is_none() && it.session.reconnect.is_none();
    let listed = listed.filter(|_| free);
    // Whoever reconnects finds what he typed before, but for secrets.
    let typed = match &wanted.account {
        Some(account) => accounts::entered(app, account, &wanted.app).await,
        None => BTreeMap::default(),
    };
    pages::question(app, (it, wanted), &Again { typed, ..Again::default() }, listed)
}

fn visit<'a>(
    app: &App,
    query: &'a Query,
    headers: &HeaderMap,
    (shown, link): (Shown, bool),
) -> Result<Visit<'a>> {
    let token = query.one("token")?.ok_or(error::CONNECT_TOKEN_UNKNOWN)?;
    Ok(Visit {
        token,
        names: Names {
            app: query.one("app")?,
            oauth_app: query.one("oauthAppId")?,
            account: query.one("accountId")?,
            app_override: query.one("appOverrideId")?,
            own_client: wish(query, ["customOauthClient", "customOAuthClient"]),
        },
        profile: query.one("oauthScopeProfile")?,
        hide_close: query.flag("hideClose").ok().flatten().unwrap_or_default(),
        turned: came_from(query).is_some(),
        link,
        shown,
        browser: link_browser(app, headers, &token::digest(token)),
    })
}

fn wish(query: &Query, names: [&str; 2]) -> bool {
    names.into_iter().any(|name| query.flag(name).ok().flatten().unwrap_or_default())
}

/// Hash of the cookie of a browser that went on with a token's link before.
fn link_browser(app: &App, headers: &HeaderMap, token: &[u8; 32]) -> Option<[u8; 32]> {
    cookie(headers, &link_cookie_name(app, token)).map(|it| token::digest(&it))
}

/// What the browser says that it loads the page into (Fetch Metadata).
pub(super) fn shown(headers: &HeaderMap) -> Shown {
    match headers.get("sec-fetch-dest").map(HeaderValue::as_bytes) {
        None => Shown::Unsaid,
        Some(b"iframe" | b"frame") => Shown::InFrame,
        Some(_) => Shown::OnTop,
    }
}

/// Only a person's visit counts: a guess of the browser or a scanner's `HEAD` uses nothing up.
fn not_a_visit(method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
    if method == Method::HEAD {
        let allow = [(header::ALLOW, "GET")];
        return Some((StatusCode::METHOD_NOT_ALLOWED, allow).into_response());
    }
    let guessed = ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        headers.get(*name).and_then(|it| it.to_str().ok()).is_some_and(|it| it.contains("prefetch"))
    });
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    guessed.then(|| (StatusCode::NO_CONTENT, no_store).into_response())
}

/// `GET /connect/start/{flow}`: the first page of a flow's window. Its address is no secret.
pub(crate) async fn start_page(
    State(app): State<Arc<App>>,
    method: Method,
    Path(flow): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    if let Some(answer) = not_a_visit(&method, &headers) {
        return answer;
    }
    finish(&app, start_of(&app, &flow).await)
}

async fn start_of(app: &Arc<App>, flow: &str) -> Result<Response<Body>> {
    let id = FlowId::parse(flow).ok_or(error::TICKET_INVALID)?;
    let (flow, session) = authorize::opened(app, &id).await?;
    let token = tokens::find_by_hash(app, &session.token_hash).await?;
    let receiver = pages::named(&token.ok_or(error::TICKET_INVALID)?);
    let project = projects::find(&app.db, &flow.tenant.project).await?;
    let found = apps::find(app, &flow.tenant.project, &flow.app_slug).await?;
    pages::start(app, (&flow, receiver), &project, &found)
}

/// `GET /connect/window/{project}`: what a window shows until its flow has begun.
pub(crate) async fn window(
    State(app): State<Arc<App>>,
    Path(project): Path<String>,
) -> Response<Body> {
    let page = async {
        let id = ProjectId::parse(&project).ok_or(error::NOT_FOUND)?;
        pages::opening(&app, &projects::find(&app.db, &id).await?)
    };
    finish(&app, page.await)
}

#[derive(serde::Deserialize)]
pub(crate) struct TicketForm {
    ticket: String,
    /// `link`: it stood in the address.
    #[serde(default)]
    by: String,
}

/// `POST /connect/start/{flow}`: with the ticket, on to the provider. Here the browser gets its
/// cookie, and not before.
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    from: From,
    Path(flow): Path<String>,
    headers: HeaderMap,
    form: Result<Form<TicketForm>, axum::extract::rejection::FormRejection>,
) -> Response<Body> {
    let left = match (from_our_page(&app, &headers), FlowId::parse(&flow), form) {
        (true, Some(id), Ok(Form(form))) => {
            let by_link = form.by == "link";
            let own = if by_link { own_link(&app, &id, &headers).await } else { Ok(()) };
            match own {
                Ok(()) => {
                    let ticket = (&*form.ticket, by_link);
                    authorize::leave(&app, &id, ticket, &origin(from)).await
                }
                Err(error) => Err(error),
            }
        }
        _ => Err(error::TICKET_INVALID.into()),
    };
    let answer = match left {
        Ok(Left::Now(it)) => depart(&app, &it.0, &it.1),
        Ok(Left::Not(over)) => end(&app, &over.0, &over.1).await,
        Err(error) => Err(error),
    };
    finish(&app, answer)
}

/// A flow's link, like a page's, is for the first browser that went on with it.
async fn own_link(app: &Arc<App>, flow: &FlowId, headers: &HeaderMap) -> Result<()> {
    let (_, session) = authorize::opened(app, flow).await?;
    let browser = link_browser(app, headers, &session.token_hash);
    open::free_for(app, &session.token_hash, browser.as_ref()).await
}

/// Whether a form was sent by a page of ours. With `no-referrer` browsers send `Origin: null`, so
/// what counts is Fetch Metadata; browsers without it must name our origin.
pub(super) fn from_our_page(app: &App, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site.as_bytes() == b"same-origin";
    }
    let ours = app.config.public_url.origin().ascii_serialization();
    headers.get(header::ORIGIN).is_some_and(|it| it.as_bytes() == ours.as_bytes())
}

pub(super) fn depart(app: &App, flow: &Flow, leaving: &Leaving) -> Result<Response<Body>> {
    let mut response = see_other(leaving.url.expose())?;
    let life_s = FLOW_LIFE_MS / 1_000;
    let name = flow_cookie_name(app, &flow.id);
    set_cookie(app, &mut response, (&name, leaving.cookie.expose()), life_s)?;
    if let Some((token, browser)) = &leaving.link {
        let name = link_cookie_name(app, token);
        set_cookie(app, &mut response, (&name, browser.expose()), LINK_COOKIE_LIFE_S)?;
    }
    Ok(response)
}

/// `GET /connect/oauth/{oauth_app}/callback`: back from the provider.
pub(crate) async fn returned(
    State(app): State<Arc<App>>,
    from: From,
    Path(context): Path<String>,
    request: Request,
) -> Response<Body> {
    if let Some(answer) = not_a_visit(request.method(), request.headers()) {
        return answer;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (parts, _) = request.into_parts();
    let back = Return { context, query, headers: parts.headers, origin: origin(from) };
    let judged = app.exchanges.spawn(callback::judge(Arc::clone(&app), back)).await;
    let judged = judged.unwrap_or_else(|it| Err(error::INTERNAL.logging(it)));
    finish(
        &app,
        match judged {
            Ok(mut it) => match it.outcome {
                Ok(Came::Held(url)) => pass_on(&app, &it.flow, &url),
                Ok(Came::Connected(account)) => {
                    it.flow.state = FlowState::Done { account };
                    end(&app, &it.flow, &it.session).await
                }
                Err(why) => {
                    it.flow.state = FlowState::Failed(why);
                    end(&app, &it.flow, &it.session).await
                }
            },
            Err(error) => Err(error),
        },
    )
}

/// `GET /connect/device/{flow}`: the code of a device flow, or how it ended.
pub(crate) async fn device(
    State(app): State<Arc<App>>,
    from: From,
    Path(flow): Path<String>,
    request: Request,
) -> Response<Body> {
    if let Some(answer) = not_a_visit(request.method(), request.headers()) {
        return answer;
    }
    finish(&app, device_of(&app, &flow, request.headers().clone(), origin(from)).await)
}

async fn device_of(
    app: &Arc<App>,
    flow: &str,
    headers: HeaderMap,
    origin: Origin,
) -> Result<Response<Body>> {
    let id = FlowId::parse(flow).ok_or(error::NOT_FOUND)?;
    let asker = Arc::clone(app);
    let look = async move { device::look(&asker, &id, &headers, &origin).await };
    let looked = app.exchanges.spawn(look).await;
    match looked.unwrap_or_else(|it| Err(error::INTERNAL.logging(it)))? {
        device::Shown::Over(over) => end(app, &over.0, &over.1).await,
        device::Shown::Waiting(it) => {
            let (flow, held) = &*it;
            let project = projects::find(&app.db, &flow.tenant.project).await?;
            let found = apps::find(app, &flow.tenant.project, &flow.app_slug).await?;
            pages::device(app, (flow, held), &project, &found)
        }
    }
}

/// To the product, which knows whose browser this is.
fn pass_on(app: &App, flow: &Flow, url: &Secret) -> Result<Response<Body>> {
    let mut response = see_other(url.expose())?;
    set_cookie(app, &mut response, (&flow_cookie_name(app, &flow.id), ""), 0)?;
    Ok(response)
}

/// `GET /connect/result/{flow}`: how a flow ended, for a browser that the product sends on after
/// its backend was asked. Its address is no secret, and it says nothing of the account.
pub(crate) async fn result(
    State(app): State<Arc<App>>,
    method: Method,
    Path(flow): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    if let Some(answer) = not_a_visit(&method, &headers) {
        return answer;
    }
    finish(&app, result_of(&app, &flow).await)
}

async fn result_of(app: &Arc<App>, flow: &str) -> Result<Response<Body>> {
    let id = FlowId::parse(flow).ok_or(error::NOT_FOUND)?;
    let (flow, session) = landing::of(app, &id).await?;
    let project = projects::find(&app.db, &flow.tenant.project).await?;
    let found = apps::find(app, &flow.tenant.project, &flow.app_slug).await?;
    pages::result(app, (&flow, &session), &project, &found)
}

/// The end of a flow: the address that the product gave with the token, as it is; else a page of
/// ours.
pub(super) async fn end(app: &App, flow: &Flow, session: &Session) -> Result<Response<Body>> {
    let done = matches!(flow.state, FlowState::Done { .. });
    let redirect = landing::redirect(app, session, done).await?;
    let mut response = if let Some(url) = redirect {
        see_other(&url)?
    } else {
        let project = projects::find(&app.db, &flow.tenant.project).await?;
        let found = apps::find(app, &flow.tenant.project, &flow.app_slug).await?;
        pages::result(app, (flow, session), &project, &found)?
    };
    set_cookie(app, &mut response, (&flow_cookie_name(app, &flow.id), ""), 0)?;
    Ok(response)
}

/// 303: the browser comes with GET, whatever it came with here (RFC 9700 section 4.12).
pub(super) fn see_other(url: &str) -> Result<Response<Body>> {
    let location = HeaderValue::from_str(url).map_err(|it| error::INTERNAL.logging(it))?;
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// Every failure of these routes is a page too.
pub(super) fn finish(app: &App, answer: Result<Response<Body>>) -> Response<Body> {
    answer
        .or_else(|error| pages::plain_error(app, &error))
        .unwrap_or_else(IntoResponse::into_response)
}

fn is_secure(app: &App) -> bool {
    app.config.public_url.scheme() == "https"
}

/// `__Host-` keeps other hosts of the domain from setting it; browsers take it over https only.
fn flow_cookie_name(app: &App, flow: &FlowId) -> String {
    format!("{}cf-{flow}", if is_secure(app) { "__Host-" } else { "" })
}

/// One for each connect token, named by a part of the token's hash.
fn link_cookie_name(app: &App, token: &[u8; 32]) -> String {
    let name = u64::from_be_bytes(std::array::from_fn(|at| token[at]));
    format!("{}cl-{name:016x}", if is_secure(app) { "__Host-" } else { "" })
}

/// The cookie that binds a flow to its browser.
pub(super) fn flow_cookie(app: &App, headers: &HeaderMap, flow: &FlowId) -> Option<Secret> {
    cookie(headers, &flow_cookie_name(app, flow)).map(Secret::new)
}

/// The one value of a cookie; `None` also when it comes twice.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    let mut values = texts
        .flat_map(|it| it.split(';'))
        .filter_map(|it| it.trim().split_once('='))
        .filter(|(key, _)| *key == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) if !value.is_empty() => Some(value.to_owned()),
        _ => None,
    }
}

/// `life_s` of 0 takes the cookie away.
fn set_cookie(
    app: &App,
    response: &mut Response<Body>,
    (name, value): (&str, &str),
    life_s: i64,
) -> Result<()> {
    let secure = if is_secure(app) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={life_s}{secure}");
    let value =
        HeaderValue::from_str(&text).map_err(|it| Error::from(error::INTERNAL).logging(it))?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|it| (header::COOKIE, HeaderValue::from_str(it).unwrap())).collect()
    }

    proptest! {
        /// What a browser sends besides has no say in a flow's cookie, and two of it count as none.
        #[test]
        fn b_03_a_cookie_is_its_one_value_or_none(
            others in "([a-z=; ,\"]|__Host-cf-|cf-fl_2=x){0,30}",
            value in "[0-9A-Za-z]{1,43}",
        ) {
            let name = "__Host-cf-fl_1";
            prop_assert_eq!(cookie(&headers(&[&others]), name), None);
            let own = format!("{name}={value}");
            for sent in [format!("{others};{own}"), format!("{own}; {others}"), own.clone()] {
                prop_assert_eq!(cookie(&headers(&[&sent]), name), Some(value.clone()));
                prop_assert_eq!(cookie(&headers(&[&sent, &own]), name), None);
            }
        }
    }
}
