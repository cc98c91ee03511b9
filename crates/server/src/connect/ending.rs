//! A flow that ends badly: noted in its row and told to the product, in one transaction.

use std::sync::Arc;

use super::failure::Failure;
use super::{Flow, Session, funnel, store};
use crate::accounts::{Asker, not_connected};
use crate::app::App;
use crate::callers::Origin;
use crate::error::Result;

/// Ends `flow` for `why`. `false`: it was over already, and nobody is told anything.
pub(super) async fn fail(
    app: &Arc<App>,
    flow: &Flow,
    session: &Session,
    why: &Failure,
    origin: &Origin,
) -> Result<bool> {
    let asker = Asker::of(app, &session.token_hash).await?;
    let mut tx = app.db.begin().await?;
    if !store::set_failed(&mut tx, flow, why).await? {
        return Ok(false);
    }
    let whose = (&flow.tenant, session.reconnect.as_ref());
    not_connected(app, &mut tx, whose, &why.text, &asker).await?;
    tx.commit().await?;
    funnel::failed(app, flow, why, origin);
    Ok(true)
}
