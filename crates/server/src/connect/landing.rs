//! Where a browser goes once its flow has ended.

use super::failure::Failure;
use super::{Flow, Mode, Session, State, store};
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::FlowId;
use crate::tokens;

/// The address that the product gave with the token of a link, as it is; `None` where a page of
/// ours tells the end.
pub(super) async fn redirect(app: &App, session: &Session, done: bool) -> Result<Option<String>> {
    if session.mode == Mode::Iframe {
        return Ok(None);
    }
    let token = tokens::find_by_hash(app, &session.token_hash).await?;
    Ok(token.and_then(|it| if done { it.success_redirect_uri } else { it.error_redirect_uri }))
}

/// The same, with the address of our own page where the product gave none.
pub(super) async fn address(
    app: &App,
    flow: &Flow,
    session: &Session,
    done: bool,
) -> Result<String> {
    let chosen = redirect(app, session, done).await?;
    Ok(chosen.unwrap_or_else(|| app.url(&format!("/connect/result/{}", flow.id)).into()))
}

/// A flow that has come back, to be shown with how it ended or that it waits to be confirmed.
///
/// # Errors
/// [`error::NOT_FOUND`] when there is no such flow, or it has not come back.
pub(super) async fn of(app: &App, id: &FlowId) -> Result<(Flow, Session)> {
    let mut flow = store::peek_flow(&app.db, id).await?.ok_or(error::NOT_FOUND)?;
    let session = store::session_of(&app.db, &flow).await?.ok_or(error::NOT_FOUND)?;
    let late = flow.expires_at_ms <= app.clock.now_ms();
    match flow.state {
        State::Waiting | State::Opened | State::Authorizing => Err(error::NOT_FOUND.into()),
        State::Held if late => {
            flow.state = State::Failed(Failure::unconfirmed());
            Ok((flow, session))
        }
        _ => Ok((flow, session)),
    }
}
