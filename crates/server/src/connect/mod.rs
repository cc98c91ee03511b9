//! The hosted flow: a person opens the page, agrees at the provider, comes back, and an account is
//! stored.
//!
//! Three things bind a flow to where it belongs: the ticket to the window that the page opened, the
//! cookie to the browser that pressed Continue, and the redirect URI to one OAuth client
//! (draft-ietf-oauth-security-topics-update). Where no frame of the product proves the person, a
//! fourth does: what came back is held until the product's backend has said whose browser it is.

mod accent;
pub mod api;
pub(crate) mod assets;
mod authorize;
mod callback;
mod choose;
mod confirm;
mod device;
mod ending;
mod failure;
mod fields;
mod finish;
mod funnel;
mod hold;
mod installation;
mod keys;
mod landing;
mod oauth1;
mod oauth2;
mod open;
mod own_client;
mod pages;
mod scopes;
mod secrets;
mod session;
mod start;
mod store;
mod validate;
mod view;
pub mod web;
pub(crate) mod web_forms;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::accounts::Binding;
use crate::app::App;
use crate::apps;
use crate::error::{self, Result};
use crate::ids::{AccountId, FlowId, OAuthAppId, OverrideId, SessionId, UserId};
use crate::tenant::Tenant;

use failure::Failure;

/// What every page session's secret begins with; 43 base64url characters follow.
const SESSION_PREFIX: &str = "cps_";
/// What every ticket begins with; 43 base64url characters follow.
const TICKET_PREFIX: &str = "ctk_";
/// A ticket goes from one window to the other at once.
const TICKET_LIFE_MS: i64 = 60_000;
/// What the id begins with by which the product's backend confirms; 43 base64url characters follow.
const CONFIRM_PREFIX: &str = "flc_";
/// What came back is held no longer than this for the product's backend.
const CONFIRM_LIFE_MS: i64 = 300_000;
/// From the click to the return of the browser (RFC 9700 section 4.7: `state` is short-lived).
const FLOW_LIFE_MS: i64 = 600_000;
/// Ended sessions are kept this long, so that a late question is answered.
const KEEP_ENDED_MS: i64 = 3_600_000;

/// How the page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// In a frame of the product's page; the provider gets a window of its own.
    Iframe,
    /// As a page of its own; the provider takes its place.
    Link,
}

impl Mode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Iframe => "iframe",
            Self::Link => "link",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Iframe, Self::Link].into_iter().find(|it| it.as_str() == text)
    }
}

/// One load of the page. Its secret is known to the page alone.
#[derive(Clone)]
struct Session {
    id: SessionId,
    token_hash: [u8; 32],
    tenant: Tenant,
    user: UserId,
    external_id: String,
    /// `None` while the person has not chosen one from the list.
    app_slug: Option<String>,
    /// The client that asks for the grant; `None` for apps without OAuth.
    oauth_app: Option<OAuthAppId>,
    /// The person is asked for a client of his own, where the app takes one.
    own_client: bool,
    /// The account to connect again.
    reconnect: Option<AccountId>,
    scope_profile: Option<String>,
    /// Whose values are not asked for.
    app_override: Option<OverrideId>,
    mode: Mode,
    binding: Binding,
    created_at_ms: i64,
    expires_at_ms: i64,
    ended_at_ms: Option<i64>,
}

impl Session {
    /// The app that is to be connected.
    ///
    /// # Errors
    /// [`error::INVALID_REQUEST`] before one is chosen.
    fn app(&self) -> Result<&str> {
        let none = || error::INVALID_REQUEST.saying("Choose an app first.");
        self.app_slug.as_deref().ok_or_else(none)
    }

    fn is_live(&self, now_ms: i64) -> bool {
        self.ended_at_ms.is_none() && self.expires_at_ms > now_ms
    }
}

/// How far a flow is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// For its window to open.
    Waiting,
    /// The window is open, and has not shown its ticket.
    Opened,
    /// The person is at the provider.
    Authorizing,
    /// The person came back; the code is being exchanged.
    Exchanging,
    /// The product's backend has yet to say whose browser came back.
    Held,
    Done {
        account: AccountId,
    },
    Failed(Failure),
}

impl State {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Opened => "opened",
            Self::Authorizing => "authorizing",
            Self::Exchanging => "exchanging",
            Self::Held => "held",
            Self::Done { .. } => "done",
            Self::Failed(_) => "failed",
        }
    }
}

/// One run, from the click to the result.
#[derive(Clone)]
struct Flow {
    id: FlowId,
    session: SessionId,
    tenant: Tenant,
    user: UserId,
    app_slug: String,
    /// `None` for a filled form.
    oauth_app: Option<OAuthAppId>,
    state: State,
    sealed: Vec<u8>,
    /// Sent to the provider twice, byte for byte.
    redirect_uri: String,
    /// What `iss` must be in the answer (RFC 9207).
    issuer: Option<String>,
    binding: Binding,
    asked_scopes: Vec<String>,
    created_at_ms: i64,
    expires_at_ms: i64,
}

impl Flow {
    /// The OAuth client, for flows that lead to a provider.
    fn client(&self) -> Result<&OAuthAppId> {
        self.oauth_app
            .as_ref()
            .ok_or_else(|| error::INTERNAL.logging("the flow of a form has no OAuth client"))
    }
}

/// How often ended sessions and flows that nobody confirmed are looked for.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Forgets what has ended until `stop`, then waits for the exchanges under way: each of them holds
/// a grant that nobody has stored yet.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = forget_ended(&app).await {
            tracing::error!(%error, "ended connect sessions cannot be forgotten");
        }
        tokio::select! {
            () = tokio::time::sleep(FORGET_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
    app.exchanges.close();
    app.exchanges.wait().await;
}

/// Ends flows that nobody confirmed in time; forgets sessions, and flows with them, that ended some
/// time ago, and users' own clients that nothing needs any more.
pub async fn forget_ended(app: &Arc<App>) -> Result<()> {
    confirm::end_unconfirmed(app).await?;
    apps::forget_unused(app).await?;
    Ok(store::forget(&app.db, app.clock.now_ms() - KEEP_ENDED_MS).await?)
}
