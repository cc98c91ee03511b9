//! `POST /connect/page`: the page's own forms, with which everything is done in a browser without
//! scripts. The page stays the same session.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, Response};
use grantkeep_vault::Secret;

use super::authorize::{self, Left};
use super::fields::{Again, Typed};
use super::keys::{self, Taken};
use super::open::{self, NotOpened, Opened, Shown};
use super::web::{self, From, depart, end, finish, from_our_page, see_other};
use super::{Mode, Session, choose, landing, pages, session, start};
use crate::app::App;
use crate::callers::Origin;
use crate::error::{self, Error, Result};

/// What the name of each field of an app begins with, so that it is none of the form's own.
const FIELD_PREFIX: &str = "f-";
/// Refusals that the person mends in the form.
const MENDED: [&str; 3] =
    [error::INVALID_FIELD.code, error::CREDENTIALS_REFUSED.code, error::PROVIDER_UNAVAILABLE.code];

/// What a form holds.
struct Sent(Vec<(String, String)>);

impl Sent {
    fn one(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|it| !it.is_empty())
    }

    /// What was typed into the app's fields.
    fn typed(&self) -> Typed {
        let field = |(name, value): &(String, String)| {
            Some((name.strip_prefix(FIELD_PREFIX)?.to_owned(), value.clone()))
        };
        self.0.iter().filter_map(field).collect()
    }
}

pub(crate) async fn sent(
    State(app): State<Arc<App>>,
    from: From,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response<Body> {
    let framed = web::shown(&headers) == Shown::InFrame;
    let answer = match (from_our_page(&app, &headers), form) {
        (true, Ok(Form(pairs))) => {
            Box::pin(judged(&app, &Sent(pairs), (&web::origin(from), framed))).await
        }
        _ => Err(error::TICKET_INVALID.into()),
    };
    finish(&app, answer)
}

async fn judged(
    app: &Arc<App>,
    sent: &Sent,
    (origin, framed): (&Origin, bool),
) -> Result<Response<Body>> {
    let secret = sent.one("session").unwrap_or_default();
    let Ok(session) = session::by_secret(app, secret).await else {
        // Whose page it was is not known any more; a frame that stays blank would help nobody, and
        // what is said is the same for all.
        return pages::not_opened(app, &Error::from(error::PAGE_ENDED).into(), framed);
    };
    let framed = session.mode == Mode::Iframe;
    let done = if session.is_live(app.clock.now_ms()) {
        Box::pin(done(app, (session.clone(), secret), sent, origin)).await
    } else {
        Err(error::PAGE_ENDED.into())
    };
    match done {
        Ok(answer) => Ok(answer),
        Err(refused) => {
            let named = sent.one("app");
            let told = told(app, (session, secret), (refused, named)).await;
            pages::not_opened(app, &told, framed)
        }
    }
}

/// Who is to be told of a refusal stands in the session.
async fn told(
    app: &Arc<App>,
    (session, secret): (Session, &str),
    (it, named): (NotOpened, Option<&str>),
) -> NotOpened {
    if it.project.is_some() {
        return it;
    }
    let named = named.or(session.app_slug.as_deref()).map(str::to_owned);
    match open::again(app, (session, Secret::new(secret)), false).await {
        Ok(opened) => {
            let whose = (opened.token, opened.project);
            open::refused(app, whose, (it.error, named.as_deref())).await
        }
        Err(other) => NotOpened { error: it.error, ..other },
    }
}

async fn done(
    app: &Arc<App>,
    (session, secret): (Session, &str),
    sent: &Sent,
    origin: &Origin,
) -> Result<Response<Body>, NotOpened> {
    let bare = sent.one("bare").is_some();
    let (query, listed) = (sent.one("q").unwrap_or_default(), sent.one("listed"));
    let opened = |session| open::again(app, (session, Secret::new(secret)), bare);
    if let Some(name) = sent.one("app") {
        let session = choose::choose(app, &session, name, origin).await?;
        let opened = opened(session).await?;
        let wanted = opened.wanted.as_ref().ok_or(error::APP_NOT_FOUND)?;
        return Ok(pages::question(app, (&opened, wanted), &Again::default(), Some(query))?);
    }
    if sent.one("do") == Some("form") {
        let opened = opened(session).await?;
        return Ok(submitted(app, &opened, (sent, listed.map(|_| query)), origin).await?);
    }
    let free = choose::leave(app, &session).await?;
    let from = sent.one("from").and_then(|it| it.parse().ok()).unwrap_or_default();
    Ok(web::show(app, &opened(free).await?, (Some(query), from)).await?)
}

/// The question's form, as a browser without scripts sends it. In a frame there is no such form:
/// the app's sign-in would have to run in it.
async fn submitted(
    app: &Arc<App>,
    it: &Opened,
    (sent, listed): (&Sent, Option<&str>),
    origin: &Origin,
) -> Result<Response<Body>> {
    let wanted = it.wanted.as_ref().ok_or(error::APP_NOT_FOUND)?;
    if it.session.mode == Mode::Iframe {
        return Err(error::INVALID_REQUEST.into());
    }
    let profile = sent.one("profile");
    let taken = if wanted.client.is_some() {
        signed_in(app, &it.session, (sent.typed(), profile), origin).await
    } else {
        stored(app, it, sent.typed(), origin).await
    };
    let error = match taken {
        Err(error) if MENDED.contains(&error.kind().code) => error,
        other => return other,
    };
    let field = error.details().and_then(|it| it["field"].as_str()).unwrap_or_default();
    let again = Again {
        typed: sent.typed(),
        wrong: (!field.is_empty()).then_some((field, error.text())),
        alert: field.is_empty().then(|| error.text().to_owned()),
        profile: Some(profile.unwrap_or_default().to_owned()),
    };
    pages::question(app, (it, wanted), &again, listed)
}

/// On to the app in the page's place: its ticket goes through no other hand.
async fn signed_in(
    app: &Arc<App>,
    session: &Session,
    (typed, profile): (Typed, Option<&str>),
    origin: &Origin,
) -> Result<Response<Body>> {
    let (flow, ticket) = start::start(app, session, typed, profile).await?;
    match authorize::leave(app, &flow.id, (ticket.expose(), false), origin).await? {
        Left::Now(it) => depart(app, &it.0, &it.1),
        Left::Not(over) => end(app, &over.0, &over.1).await,
    }
}

async fn stored(
    app: &Arc<App>,
    it: &Opened,
    typed: Typed,
    origin: &Origin,
) -> Result<Response<Body>> {
    match keys::connect(app, &it.session, (typed, None), origin).await? {
        Taken::Held { verify_url, .. } => see_other(verify_url.expose()),
        Taken::Connected(account) => match landing::redirect(app, &it.session, true).await? {
            Some(url) => see_other(&url),
            None => pages::connected(app, it, &account),
        },
    }
}
