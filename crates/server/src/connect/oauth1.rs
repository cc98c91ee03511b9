//! OAuth 1.0a (RFC 5849): a request token first, bound to the flow, and a signature on every
//! request.

use std::time::Duration;

use grantkeep_catalog::OAuth1;
use grantkeep_oauth as oauth;
use grantkeep_oauth::one::{self, OneError, Token};
use grantkeep_vault::{Secret, token};

use super::failure::Failure;
use super::finish::{Asked, Got, Said};
use super::secrets::Kept;
use crate::apps::oauth1::Consumer;
use crate::apps::protocol::{self, Values};

/// How long the provider may take for one step: the person waits.
const STEP: Duration = Duration::from_secs(20);

/// Gets a request token (section 2.1) and gives the address of the consent page. The token stands
/// for the state too: providers compare the callback byte for byte, so nothing can be added to it.
pub(super) async fn begin(asked: &Asked<'_>, kept: &mut Kept) -> Result<Secret, Failure> {
    let habits = habits(asked)?;
    let consumer = consumer(asked).await?;
    let nonce = Consumer::nonce();
    let signer = consumer.signer(asked.app, habits, &nonce);
    let mut values = Values::of(asked.found, &kept.fields);
    values.client_id = Some(&asked.client.client_id);
    let url = |text| values.url(asked.app, text).map_err(|it| asked.unaskable(&it));
    let request = signer.request_token(&url(&habits.request_token_url)?, &asked.flow.redirect_uri);
    let request = request.map_err(|it| asked.unaskable(&it))?;
    let answered =
        protocol::send(asked.app, request, STEP).await.map_err(|it| asked.no_answer(&it))?;
    let given = one::read_request_token(&answered.response()).map_err(|it| refused(asked, &it))?;
    let loopback = asked.app.config.egress_allow_loopback;
    let endpoint = url(&habits.authorize_url)?;
    let mut params = habits.authorization_params.clone();
    if !asked.flow.asked_scopes.is_empty() {
        let scopes = asked.flow.asked_scopes.join(&habits.scopes.separator);
        params.insert(habits.scopes.param.clone(), scopes);
    }
    let address = one::authorize_url(&endpoint, &given.token, &params, loopback);
    let address = address.map_err(|it| asked.unaskable(&it))?;
    kept.request_token = Some(Secret::new(given.token.expose()));
    kept.request_secret = Some(Secret::new(given.secret.expose()));
    Ok(Secret::new(address))
}

/// Exchanges the verified request token (section 2.3). It must be the one that this flow was given.
pub(super) async fn exchange(
    asked: &Asked<'_>,
    kept: &Kept,
    (given, verifier): (&oauth::Secret, &oauth::Secret),
) -> Result<Got, Failure> {
    let habits = habits(asked)?;
    let (Some(ours), Some(secret)) = (&kept.request_token, &kept.request_secret) else {
        return Err(Failure::callback_invalid(&asked.found.name));
    };
    if !token::equal(ours.expose().as_bytes(), given.expose().as_bytes()) {
        return Err(Failure::context_mismatch());
    }
    let request_token = Token {
        token: oauth::Secret::new(ours.expose()),
        secret: oauth::Secret::new(secret.expose()),
        others: oauth::Params::new(),
    };
    let consumer = consumer(asked).await?;
    let nonce = Consumer::nonce();
    let signer = consumer.signer(asked.app, habits, &nonce);
    let values = Values::of(asked.found, &kept.fields);
    let url = values.url(asked.app, &habits.access_token_url);
    let url = url.map_err(|it| asked.unaskable(&it))?;
    let request = signer.access_token(&url, &request_token, verifier);
    let request = request.map_err(|it| asked.unaskable(&it))?;
    let answered =
        protocol::send(asked.app, request, STEP).await.map_err(|it| asked.no_answer(&it))?;
    let token = one::read_access_token(&answered.response()).map_err(|it| refused(asked, &it))?;
    Ok(Got {
        access_token: Secret::new(token.token.expose()),
        refresh_token: None,
        token_secret: Some(Secret::new(token.secret.expose())),
        expires_at_ms: None,
        scopes: None,
        said: Said::Texts(token.others),
    })
}

fn habits<'a>(asked: &Asked<'a>) -> Result<&'a OAuth1, Failure> {
    asked.found.oauth1().ok_or_else(|| Failure::callback_invalid(&asked.found.name))
}

pub(super) async fn consumer(asked: &Asked<'_>) -> Result<Consumer, Failure> {
    let opened = Consumer::open(asked.app, asked.client).await;
    opened.map_err(|it| Failure::of(&it, asked.product))
}

fn refused(asked: &Asked<'_>, why: &OneError) -> Failure {
    tracing::warn!(app = %asked.found.slug, %why, "a provider gave no OAuth 1.0a token");
    let name = &asked.found.name;
    match why {
        OneError::Refused { status: 401 | 403, .. } => asked.client_refused(),
        OneError::Refused { .. } => Failure::code_refused(name),
        OneError::Transient { .. } => Failure::unavailable(name),
        OneError::Malformed | OneError::CallbackNotConfirmed => Failure::bad_response(name),
    }
}
