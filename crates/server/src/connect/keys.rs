//! The filled form of an app that is connected with keys, or with nothing.

use std::sync::Arc;

use super::fields::Typed;
use super::{Session, funnel};
use crate::accounts::{self, Account, Form};
use crate::app::App;
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::tokens;

/// Stores what was typed as an account, tried out first if the project asks for it.
///
/// # Errors
/// [`error::INVALID_FIELD`] with the field's name; [`error::CREDENTIALS_REFUSED`] when the app does
/// not take them. The form may be sent again then.
pub(super) async fn connect(
    app: &Arc<App>,
    session: &Session,
    (typed, name): (Typed, Option<String>),
    origin: &Origin,
) -> Result<Account> {
    let made = store(app, session, (typed, name), origin).await;
    match &made {
        Ok(account) => funnel::finished(app, session, account.id.as_str(), origin),
        Err(error) => funnel::refused(app, session, error.kind().code, origin),
    }
    made
}

async fn store(
    app: &Arc<App>,
    session: &Session,
    (typed, name): (Typed, Option<String>),
    origin: &Origin,
) -> Result<Account> {
    let token = tokens::find_by_hash(app, &session.token_hash).await?;
    let token = token.ok_or_else(|| Error::from(error::CONNECT_TOKEN_EXPIRED))?;
    let form = Form {
        app: session.app_slug.clone(),
        fields: typed,
        name,
        reconnect: session.reconnect.clone(),
        binding: session.binding,
    };
    accounts::connect_keys(app, &token, form, origin).await
}
