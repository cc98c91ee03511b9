//! OAuth 2: the address of the consent page (RFC 6749 section 4.1.1), with the request in it or
//! with a reference to where it was left beforehand. Made anew, and judged anew, for each flow.

use std::time::Duration;

use grantkeep_catalog::OAuth2;
use grantkeep_oauth as oauth;
use grantkeep_oauth::authorize::{Authorize, read_push};
use grantkeep_oauth::pkce::Verifier;
use grantkeep_vault::{Secret, token};

use super::failure::Failure;
use super::finish::Asked;
use super::secrets::Kept;
use crate::apps::bound;
use crate::apps::protocol::{self, ClientKeys, Unaskable, Values};

/// How long the provider may take to keep a request: the person waits.
const STEP: Duration = Duration::from_secs(20);

/// Where the browser goes. What the way back needs is put into `kept`.
pub(super) async fn begin(
    asked: &Asked<'_>,
    kept: &mut Kept,
    state: &Secret,
) -> Result<Secret, Failure> {
    let wrong = |it: &dyn std::fmt::Display| asked.unaskable(it);
    let it = asked.found.oauth2().ok_or_else(|| Failure::callback_invalid(&asked.found.name))?;
    // 256 bits, from the system's generator (RFC 7636 section 4.1).
    kept.verifier = it.pkce.then(|| token::base64url("", 32));
    let verifier = kept.verifier.as_ref().map(|it| Verifier::new(it.expose()));
    let verifier = verifier.transpose().map_err(|it| wrong(&it))?;
    let mut thumbprint = None;
    if it.dpop {
        let (key, text) = bound::new_key().map_err(|it| wrong(&it))?;
        thumbprint = Some(key.thumbprint().map_err(|it| wrong(&it))?);
        kept.dpop_key = Some(text);
    }
    let mut values = Values::of(asked.found, &kept.fields);
    values.client_id = Some(&asked.client.client_id);
    let endpoint = values.url(asked.app, &it.authorization_url).map_err(|it| wrong(&it))?;
    let params = protocol::filled(&values, &it.authorization_params).map_err(|it| wrong(&it))?;
    let scopes: Vec<&str> = asked.flow.asked_scopes.iter().map(String::as_str).collect();
    let request = Authorize {
        endpoint: &endpoint,
        client_id: &asked.client.client_id,
        redirect_uri: &asked.flow.redirect_uri,
        state: state.expose(),
        verifier: verifier.as_ref(),
        scopes: &scopes,
        scope_separator: &it.scopes.separator,
        scope_param: &it.scopes.param,
        app_params: &params,
        tenant_params: &oauth::Params::new(),
        param_names: &it.param_names,
        resources: &protocol::resources(it),
        dpop_jkt: thumbprint.as_deref(),
        allow_loopback_http: asked.app.config.egress_allow_loopback,
    };
    if it.par_url.is_none() && !it.request_object {
        return request.url().map(Secret::new).map_err(|it| wrong(&it));
    }
    let keys = ClientKeys::open(asked.app, asked.client).await;
    let keys = keys.map_err(|it| Failure::of(&it, asked.product))?;
    let object = if it.request_object {
        Some(protocol::request_object(asked.app, it, (&request, &keys)).map_err(|it| wrong(&it))?)
    } else {
        None
    };
    match (&it.par_url, &object) {
        (None, Some(object)) => {
            request.object_url(object).map(Secret::new).map_err(|it| wrong(&it))
        }
        _ => push(asked, (&values, &keys), &request, object.as_ref()).await,
    }
}

/// Leaves the request at the provider, so that the browser carries a reference only (RFC 9126).
async fn push(
    asked: &Asked<'_>,
    (values, keys): (&Values<'_>, &ClientKeys),
    request: &Authorize<'_>,
    object: Option<&oauth::Secret>,
) -> Result<Secret, Failure> {
    let pushed = protocol::push_request(asked.app, (values, keys), request, object);
    let pushed = pushed.map_err(|it| asked.unaskable(&it))?;
    let answered = protocol::send_by(keys.egress(asked.app), pushed, STEP)
        .await
        .map_err(|it| asked.no_answer(&it))?;
    let now_ms = asked.app.clock.now_ms();
    let kept = read_push(&oauth::answer::Rules::default(), &answered.response(), now_ms);
    let kept = kept.map_err(|it| asked.refused(&it))?;
    request.pushed_url(&kept).map(Secret::new).map_err(|it| asked.unaskable(&it))
}

impl Asked<'_> {
    /// Sends a request for tokens, bound to the flow's key if it has one.
    pub async fn ask_tokens(
        &self,
        (kept, keys): (&Kept, &ClientKeys),
        build: &(dyn Fn() -> Result<oauth::Request, Unaskable> + Sync),
        most: Duration,
    ) -> Result<protocol::Answered, Failure> {
        let answered = bound::send((self.app, keys), build, kept.dpop_key.as_ref(), most).await;
        answered.map_err(|error| match error {
            bound::NotAsked::Unaskable(why) => self.unaskable(&why),
            bound::NotAsked::NoAnswer(why) => self.no_answer(&why),
        })
    }

    pub fn oauth2(&self) -> Result<&OAuth2, Failure> {
        self.found.oauth2().ok_or_else(|| Failure::callback_invalid(&self.found.name))
    }
}
