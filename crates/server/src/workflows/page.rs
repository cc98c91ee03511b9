//! What people see behind an address that resumes or cancels a run: a page with a button, since
//! programs that look into mail follow every link.

use askama::Template;
use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};

use super::{Run, State};
use crate::app::App;
use crate::error::{Error, Result};
use crate::projects;

/// The page holds nothing but a form to its own address.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'";

/// What the address does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Resume,
    Cancel,
}

#[derive(Template)]
#[template(path = "workflows/ask.html")]
struct Page {
    sheet: String,
    title: String,
    text: String,
    button: Option<&'static str>,
}

/// Whether it is a browser's page that asks, and not a program.
pub(super) fn of_person(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    accepts.is_some_and(|it| it.contains("text/html"))
}

/// Asks whether the run shall go on, or end.
///
/// # Errors
/// Of the store.
pub(super) async fn asked(app: &App, run: &Run, deed: Deed) -> Result<Response<Body>> {
    let project = projects::find(&app.db, &run.tenant.project).await?;
    let who = project.product();
    let waits = run.state == State::Waiting;
    let (title, text, button) = match deed {
        _ if !waits => {
            let text = format!("What {who} has begun is not at the place yet. Load this again.");
            ("One moment".to_owned(), text, None)
        }
        Deed::Resume => {
            let text = format!("{who} waits for your word, and goes on once you give it.");
            ("Go on?".to_owned(), text, Some("Go on"))
        }
        Deed::Cancel => {
            let text = format!("{who} has begun something, and ends it here if you say so.");
            ("Stop here?".to_owned(), text, Some("Stop"))
        }
    };
    shown(app, StatusCode::OK, (title, text, button))
}

/// Tells a person what came of it.
pub(super) fn told(app: &App, done: Result<Deed>) -> Result<Response<Body>> {
    let (status, title, text) = match done {
        Ok(Deed::Resume) => (StatusCode::OK, "It goes on", "You can close this page."),
        Ok(Deed::Cancel) => (StatusCode::OK, "It has ended", "You can close this page."),
        Err(error) => return refused(app, &error),
    };
    shown(app, status, (title.to_owned(), text.to_owned(), None))
}

pub(super) fn refused(app: &App, error: &Error) -> Result<Response<Body>> {
    let status = StatusCode::from_u16(error.kind().status);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    shown(app, status, ("This does not work".to_owned(), error.text().to_owned(), None))
}

fn shown(
    app: &App,
    status: StatusCode,
    (title, text, button): (String, String, Option<&'static str>),
) -> Result<Response<Body>> {
    let sheet = app.url("/_static/connect.css").to_string();
    let page = Page { sheet, title, text, button };
    let html = page.render().map_err(|it| crate::error::INTERNAL.logging(it))?;
    let mut answer = Response::new(Body::from(html));
    *answer.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}
