//! What a flow's window shows before the app does.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use grantkeep_catalog::App as CatalogApp;
use url::Url;

use super::super::device::Device;
use super::super::{Flow, assets, authorize, view};
use super::{CLOSED, Guard, Surroundings, answer, frame, leads_to, nonce, shown_app};
use crate::accounts::Binding;
use crate::app::App;
use crate::error::Result;
use crate::projects::Project;

fn around(project: &Project) -> Surroundings<'_> {
    let more = Some(assets::More::Window);
    Surroundings { project: Some(project), environment: None, embedded: false, more }
}

/// A window is opened within the click, before there is a flow: a page that leads nowhere, as long
/// as nobody sends it on.
pub(in super::super) fn opening(app: &App, project: &Project) -> Result<Response<Body>> {
    let boot =
        view::FlowBoot { flow: String::new(), popup: true, state: "opening", by_link: false };
    let nonce = nonce();
    let mut page = frame(&around(project), &nonce, &boot)?;
    // It does nothing by itself.
    page.scripts.clear();
    answer(app, StatusCode::OK, &view::WindowPage { page }, (&nonce, &CLOSED))
}

/// The first page of a flow's window. `receiver` is who gets the access.
pub(in super::super) fn start(
    app: &App,
    (flow, receiver): (&Flow, String),
    project: &Project,
    found: &CatalogApp,
) -> Result<Response<Body>> {
    let environment = Some(flow.tenant.environment);
    let around = Surroundings { environment, ..around(project) };
    // A window that lost its page takes its ticket from the address, if the flow allows that.
    let by_link = flow.binding != Binding::Embedded;
    let boot = view::FlowBoot {
        flow: flow.id.as_str().to_owned(),
        popup: true,
        state: "starting",
        by_link,
    };
    let nonce = nonce();
    let page = view::StartPage {
        page: frame(&around, &nonce, &boot)?,
        app: shown_app(found),
        host: authorize::host(found),
        action: format!("/connect/start/{}", flow.id),
        receiver: (flow.binding == Binding::None).then_some(receiver),
    };
    let guard = Guard { leads_to: Some(leads_to(found, project)), ..CLOSED };
    answer(app, StatusCode::OK, &page, (&nonce, &guard))
}

/// The code of a device flow.
pub(in super::super) fn device(
    app: &App,
    (flow, held): (&Flow, &Device),
    project: &Project,
    found: &CatalogApp,
) -> Result<Response<Body>> {
    let environment = Some(flow.tenant.environment);
    let around = Surroundings { environment, ..around(project) };
    let id = flow.id.as_str().to_owned();
    let boot = view::FlowBoot { flow: id, popup: false, state: "waiting", by_link: false };
    let host = Url::parse(&held.verification_uri).ok();
    let host = host.and_then(|it| it.host_str().map(str::to_owned)).unwrap_or_default();
    let nonce = nonce();
    let page = view::DevicePage {
        page: frame(&around, &nonce, &boot)?,
        app: shown_app(found),
        user_code: held.user_code.clone(),
        host,
        link: held.verification_uri_complete.as_ref().unwrap_or(&held.verification_uri).clone(),
        again_s: held.interval_s + 1,
    };
    answer(app, StatusCode::OK, &page, (&nonce, &CLOSED))
}
