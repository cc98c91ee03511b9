//! The steps of connecting, as audit events. They cannot be added to the past, so they are always
//! kept.

use std::sync::Arc;

use serde_json::json;

use super::failure::Failure;
use super::{Flow, Session, store};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::error::{self, Result};
use crate::ids::UserId;
use crate::tenant::Tenant;
use crate::users;

/// Events taken from one load of the page.
const PAGE_EVENTS_MAX: i64 = 100;

/// What the page tells of itself.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Chosen,
    WindowClosed,
    WindowBlocked,
    Closed,
}

impl Told {
    fn action(self) -> &'static str {
        match self {
            Self::Chosen => "connect.chosen",
            Self::WindowClosed => "connect.window_closed",
            Self::WindowBlocked => "connect.window_blocked",
            Self::Closed => "connect.closed",
        }
    }
}

pub(super) fn opened(app: &Arc<App>, session: &Session, origin: &Origin) {
    let detail = json!({ "app": session.app_slug, "mode": session.mode.as_str() });
    note(app, of_session("connect.opened", session, origin).detail(detail));
}

/// The person chose an app from the list.
///
/// # Errors
/// [`error::RATE_LIMITED`] as for [`told`].
pub(super) async fn picked(app: &Arc<App>, session: &Session, origin: &Origin) -> Result<()> {
    count(app, "connect.picked", session, origin).await
}

/// # Errors
/// [`error::RATE_LIMITED`] when the page tells more than a page can have to tell.
pub(super) async fn told(
    app: &Arc<App>,
    session: &Session,
    what: Told,
    origin: &Origin,
) -> Result<()> {
    count(app, what.action(), session, origin).await
}

async fn count(
    app: &Arc<App>,
    action: &'static str,
    session: &Session,
    origin: &Origin,
) -> Result<()> {
    if !store::count_event(&app.db, session, PAGE_EVENTS_MAX).await? {
        return Err(error::RATE_LIMITED.into());
    }
    let detail = json!({ "app": session.app_slug });
    note(app, of_session(action, session, origin).detail(detail));
    Ok(())
}

pub(super) fn consent_started(app: &Arc<App>, flow: &Flow, origin: &Origin) {
    note(app, of_flow("connect.consent_started", flow, origin));
}

pub(super) fn came_back(app: &Arc<App>, flow: &Flow, origin: &Origin) {
    note(app, of_flow("connect.came_back", flow, origin));
}

/// What came back waits for the product's backend.
pub(super) fn held(app: &Arc<App>, flow: &Flow, origin: &Origin) {
    note(app, of_flow("connect.held", flow, origin));
}

/// The product's backend said that it is the right user.
pub(super) fn confirmed(app: &Arc<App>, flow: &Flow, by: &Actor, origin: &Origin) {
    note(app, of_backend("connect.confirmed", flow, by, origin));
}

/// The product's backend named another user.
pub(super) fn binding_failed(
    app: &Arc<App>,
    flow: &Flow,
    (by, named): (&Actor, &str),
    origin: &Origin,
) {
    let event = of_backend("connect.binding_failed", flow, by, origin).outcome("refused");
    let named: String = named.chars().take(users::EXTERNAL_ID_CHARS_MAX).collect();
    note(app, event.detail(json!({ "app": flow.app_slug, "named": named })));
}

pub(super) fn finished(app: &Arc<App>, session: &Session, account: &str, origin: &Origin) {
    let detail = json!({ "app": session.app_slug, "account": account });
    note(app, of_session("connect.finished", session, origin).detail(detail));
}

pub(super) fn failed(app: &Arc<App>, flow: &Flow, why: &Failure, origin: &Origin) {
    let detail = json!({ "app": flow.app_slug, "reason": why.code });
    note(app, of_flow("connect.failed", flow, origin).outcome("failed").detail(detail));
}

/// A form that was not taken.
pub(super) fn refused(app: &Arc<App>, session: &Session, reason: &str, origin: &Origin) {
    let detail = json!({ "app": session.app_slug, "reason": reason });
    note(app, of_session("connect.failed", session, origin).outcome("failed").detail(detail));
}

/// A page that was not shown to somebody whose token is known.
pub(super) fn not_shown(
    app: &Arc<App>,
    (tenant, user): (&Tenant, &UserId),
    reason: &'static str,
    origin: &Origin,
) {
    let event = Event::new("connect.refused", &Actor::User(user.clone()), origin);
    note(app, event.tenant(tenant).outcome("refused").detail(json!({ "reason": reason })));
}

/// A return to a flow that was refused before the flow was touched.
pub(super) fn callback_refused(app: &Arc<App>, reason: &'static str, at: &str, origin: &Origin) {
    let event = Event::new("connect.callback_refused", &Actor::System, origin);
    note(app, event.outcome("refused").detail(json!({ "reason": reason, "at": at })));
}

fn of_session(action: &'static str, session: &Session, origin: &Origin) -> Event {
    Event::new(action, &Actor::User(session.user.clone()), origin)
        .tenant(&session.tenant)
        .target("connect_session", session.id.as_str())
        .user(&session.external_id)
}

fn of_backend(action: &'static str, flow: &Flow, by: &Actor, origin: &Origin) -> Event {
    Event::new(action, by, origin)
        .tenant(&flow.tenant)
        .target("connect_flow", flow.id.as_str())
        .detail(json!({ "app": flow.app_slug, "session": flow.session }))
}

fn of_flow(action: &'static str, flow: &Flow, origin: &Origin) -> Event {
    Event::new(action, &Actor::User(flow.user.clone()), origin)
        .tenant(&flow.tenant)
        .target("connect_flow", flow.id.as_str())
        .detail(json!({ "app": flow.app_slug, "session": flow.session }))
}

fn note(app: &Arc<App>, event: Event) {
    metrics::counter!("grantkeep_connect_steps_total", "step" => event.action).increment(1);
    app.audit.note(event);
}
