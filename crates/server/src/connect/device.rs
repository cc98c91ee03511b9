//! The device flow (RFC 8628): the window shows a code, and asks the provider each time it is
//! loaded again whether the person has entered it. So no task runs on its own, and any process can
//! go on.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use grantkeep_oauth as oauth;
use grantkeep_oauth::device::{self, Polled};
use grantkeep_vault::{OwnerKey, Secret, token};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::finish::{self, Asked, Granted, Run, got};
use super::secrets::Kept;
use super::{Flow, Session, State, callback, ending, own_client, store, web};
use crate::accounts::Binding;
use crate::app::App;
use crate::apps;
use crate::apps::protocol::{self, ClientKeys, Values};
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::ids::FlowId;
use crate::projects;

/// How long the provider may take for one question: the person waits.
const STEP: Duration = Duration::from_secs(20);

/// What is kept of a code between two questions. Sealed with the flow.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Device {
    /// Known to the provider and to nobody else.
    secret: String,
    pub user_code: String,
    pub verification_uri: String,
    pub verification_uri_complete: Option<String>,
    /// Seconds between two questions.
    pub interval_s: u64,
    next_at_ms: i64,
    expires_at_ms: i64,
    /// What stands for the state of other flows: it is used up once.
    state: String,
}

impl Drop for Device {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.secret.zeroize();
    }
}

/// Asks for a code (section 3.1). Gives the address of our own page, which shows it.
pub(super) async fn begin(
    asked: &Asked<'_>,
    kept: &mut Kept,
    state: &Secret,
) -> Result<Secret, Failure> {
    // What is granted comes at once, and could not be held until the product's backend confirms.
    if asked.flow.binding == Binding::Verified {
        return Err(Failure::not_confirmable(&asked.found.name));
    }
    let keys = open_keys(asked).await?;
    let mut values = Values::of(asked.found, &kept.fields);
    values.client_id = Some(&keys.id);
    let scope = asked.flow.asked_scopes.join(&asked.oauth2()?.scopes.separator);
    let request = protocol::device_request(asked.app, (&values, &keys), &scope);
    let request = request.map_err(|it| asked.unaskable(&it))?;
    let answered = protocol::send_by(keys.egress(asked.app), request, STEP).await;
    let answered = answered.map_err(|it| asked.no_answer(&it))?;
    let now_ms = asked.app.clock.now_ms();
    let rules = oauth::answer::Rules::default();
    let loopback = asked.app.config.egress_allow_loopback;
    let started = device::read_start(&rules, &answered.response(), now_ms, loopback);
    let started = started.map_err(|it| asked.refused(&it))?;
    kept.device = Some(Device {
        secret: started.device_code.expose().to_owned(),
        user_code: started.user_code,
        verification_uri: started.verification_uri,
        verification_uri_complete: started.verification_uri_complete,
        interval_s: started.interval_s,
        next_at_ms: now_ms + ms(started.interval_s),
        expires_at_ms: started.expires_at_ms,
        state: state.expose().to_owned(),
    });
    Ok(Secret::new(asked.app.url(&format!("/connect/device/{}", asked.flow.id))))
}

/// What the page shows.
pub(super) enum Shown {
    /// The code, still.
    Waiting(Box<(Flow, Device)>),
    /// The flow has ended.
    Over(Box<(Flow, Session)>),
}

/// Asks once more, if it is time and nobody else does. Only the browser that left may. To be run
/// apart from the request: what the provider gives must not be lost with a browser that goes away.
///
/// # Errors
/// [`error::NOT_FOUND`] for a flow that is not of this kind or not of this browser.
pub(super) async fn look(
    app: &Arc<App>,
    id: &FlowId,
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Shown> {
    let missing = || Error::from(error::NOT_FOUND);
    let flow = store::peek_flow(&app.db, id).await?.ok_or_else(missing)?;
    let session = store::session_of(&app.db, &flow).await?.ok_or_else(missing)?;
    if matches!(flow.state, State::Done { .. } | State::Failed(_)) {
        return Ok(Shown::Over(Box::new((flow, session))));
    }
    let key = app.keys.user(&app.db, &flow.tenant, &flow.user).await?;
    let kept = Kept::open(&key, &flow)?;
    let held = kept.device.clone().ok_or_else(missing)?;
    let cookie = web::flow_cookie(app, headers, &flow.id).ok_or_else(missing)?;
    let hash = callback::handle_of_state(&held.state);
    let now_ms = app.clock.now_ms();
    let left = store::find_by_state(&app.db, &hash, now_ms).await?.ok_or_else(missing)?;
    let cookie = token::digest(cookie.expose());
    if left.flow != flow.id || !token::equal(&cookie, &left.cookie_hash) {
        return Err(missing());
    }
    if now_ms < held.next_at_ms {
        return Ok(Shown::Waiting(Box::new((flow, held))));
    }
    let mut turn = Turn { app, key: &key, flow, kept, held };
    // A second page that is loaded meanwhile would use the code up, or be told to slow down.
    if !turn.next_after(STEP).await? {
        return Ok(Shown::Waiting(Box::new((turn.flow, turn.held))));
    }
    let Turn { flow, kept, held, .. } = &turn;
    let product = projects::find(&app.db, &flow.tenant.project).await?.product().to_owned();
    let asking = Asking { app, flow, session: &session, product: &product };
    match asking.ask(kept, held, now_ms).await {
        Ok(Polled::Granted(tokens)) => {
            let taken = store::take_state(&app.db, &hash, &left.oauth_app, &cookie, now_ms).await?;
            let flow = taken.ok_or_else(missing)?;
            let granted = Granted::Tokens(Box::new(got(*tokens)));
            asking.end(flow, granted, origin).await
        }
        Ok(Polled::Pending { interval_s }) => {
            turn.held.interval_s = interval_s;
            turn.again().await
        }
        Ok(Polled::Failed(oauth::answer::Failure::Transient { .. })) => turn.again().await,
        Ok(Polled::Expired) => asking.fail(flow, Failure::expired(), origin).await,
        Ok(Polled::Denied) => {
            let why = Failure::access_denied(&asking.name().await);
            asking.fail(flow, why, origin).await
        }
        Ok(Polled::Failed(_)) => {
            let why = Failure::code_refused(&asking.name().await);
            asking.fail(flow, why, origin).await
        }
        Err(why) => asking.fail(flow, why, origin).await,
    }
}

/// The right to ask. Whoever dies with it keeps others from asking for [`STEP`].
struct Turn<'a> {
    app: &'a App,
    key: &'a OwnerKey,
    flow: Flow,
    kept: Kept,
    held: Device,
}

impl Turn<'_> {
    /// Has nobody ask before so long. `false`: another was quicker.
    async fn next_after(&mut self, wait: Duration) -> Result<bool> {
        self.held.next_at_ms = self.app.clock.now_ms() + ms(wait.as_secs());
        self.kept.device = Some(self.held.clone());
        let sealed = self.kept.seal(self.key, &self.flow)?;
        let done = store::set_kept(&self.app.db, &self.flow, &sealed).await?;
        if done {
            self.flow.sealed = sealed;
        }
        Ok(done)
    }

    async fn again(mut self) -> Result<Shown> {
        self.next_after(Duration::from_secs(self.held.interval_s)).await?;
        Ok(Shown::Waiting(Box::new((self.flow, self.held))))
    }
}

struct Asking<'a> {
    app: &'a Arc<App>,
    flow: &'a Flow,
    session: &'a Session,
    product: &'a str,
}

impl Asking<'_> {
    async fn name(&self) -> String {
        let found = apps::find(self.app, &self.flow.tenant.project, &self.flow.app_slug).await;
        found.map_or_else(|_| self.flow.app_slug.clone(), |it| it.name.clone())
    }

    async fn ask(&self, kept: &Kept, held: &Device, now_ms: i64) -> Result<Polled, Failure> {
        if now_ms >= held.expires_at_ms {
            return Ok(Polled::Expired);
        }
        let ours = |it: Error| Failure::of(&it, self.product);
        let project = &self.flow.tenant.project;
        let found = apps::find(self.app, project, &self.flow.app_slug).await.map_err(ours)?;
        let client = own_client::of_flow(self.app, self.flow, kept, &found).await.map_err(ours)?;
        let asked = Asked {
            app: self.app,
            found: &found,
            client: &client,
            flow: self.flow,
            product: self.product,
        };
        let keys = open_keys(&asked).await?;
        let mut values = Values::of(&found, &kept.fields);
        values.client_id = Some(&keys.id);
        let code = oauth::Secret::new(held.secret.as_str());
        let request = protocol::poll_request(self.app, (&values, &keys), &code);
        let request = request.map_err(|it| asked.unaskable(&it))?;
        let answered = protocol::send_by(keys.egress(self.app), request, STEP).await;
        // No answer says nothing of the grant: it is asked again.
        let Ok(answered) = answered else {
            return Ok(Polled::Pending { interval_s: held.interval_s });
        };
        let it = asked.oauth2()?;
        Ok(protocol::read_poll(it, &answered.response(), now_ms, held.interval_s))
    }

    async fn end(&self, mut flow: Flow, granted: Granted, origin: &Origin) -> Result<Shown> {
        let run = Run {
            app: Arc::clone(self.app),
            flow: flow.clone(),
            session: self.session.clone(),
            product: self.product.to_owned(),
            granted,
            others: std::collections::BTreeMap::new(),
            origin: origin.clone(),
        };
        match Box::pin(finish::finish(run)).await {
            Ok(account) => flow.state = State::Done { account },
            Err(why) => return self.fail(&flow, why, origin).await,
        }
        Ok(Shown::Over(Box::new((flow, self.session.clone()))))
    }

    async fn fail(&self, flow: &Flow, why: Failure, origin: &Origin) -> Result<Shown> {
        ending::fail(self.app, flow, self.session, &why, origin).await?;
        let flow = Flow { state: State::Failed(why), ..flow.clone() };
        Ok(Shown::Over(Box::new((flow, self.session.clone()))))
    }
}

async fn open_keys(asked: &Asked<'_>) -> Result<ClientKeys, Failure> {
    let keys = ClientKeys::open(asked.app, asked.client).await;
    keys.map_err(|it| Failure::of(&it, asked.product))
}

fn ms(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX / 1_000) * 1_000
}
