//! Lists of accounts as the oldest clients ask for them: by app or by user in the path, without a
//! project, and read by another name.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::Filter;
use super::api::{NamedApp, Rest, listed};
use super::view::AccountView;
use crate::app::App;
use crate::callers::{Anyone, InTenant};
use crate::error::Result;
use crate::ids::OAuthAppId;
use crate::paging::PageInfo;
use crate::path::Path;
use crate::query::Query;
use crate::scope::need;

/// Items on a page when the caller does not say: these clients know no pages.
pub(super) const LIMIT: i64 = 100;

/// The same list by two names: some read the one, some the other.
#[derive(Serialize)]
pub(super) struct OlderList<'a> {
    pub accounts: &'a [AccountView],
    pub data: &'a [AccountView],
    pub page_info: PageInfo,
}

/// `GET /v1/connect/accounts/app/{app}`: the accounts of an app or of an OAuth client.
pub(crate) async fn of_app(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsRead>,
    Path(NamedApp { app: name }): Path<NamedApp>,
    query: Query,
) -> Result<Response> {
    let user = call.only_user(query.narrowing("external_user_id")?)?;
    let is_client = OAuthAppId::parse(&name).is_some();
    let name = Some(name.as_str());
    let (of, oauth_app) = if is_client { (None, name) } else { (name, None) };
    let filter = Filter { external_id: user.as_deref(), app: of, oauth_app };
    listed(&app, &call, &query, (filter, true)).await
}

/// `GET /v1/connect/accounts/external_id/{user}`: the accounts of a user.
pub(crate) async fn of_user(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsRead>,
    Path(Rest { rest }): Path<Rest>,
    query: Query,
) -> Result<Response> {
    let user = call.only_user(Some(&rest))?;
    let (of, oauth_app) = (query.narrowing("app")?, query.narrowing("oauth_app_id")?);
    let filter = Filter { external_id: user.as_deref(), app: of, oauth_app };
    listed(&app, &call, &query, (filter, true)).await
}
