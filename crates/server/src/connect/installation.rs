//! Apps that are installed (GitHub Apps): the person proves that the installation is his, then the
//! operator's app asks for its tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use grantkeep_oauth as oauth;
use grantkeep_vault::Secret;

use super::failure::Failure;
use super::finish::{Asked, Got, got};
use super::secrets::Kept;
use crate::apps::asking;
use crate::apps::protocol::{self, ClientKeys, Values};

/// How long the provider may take for one question: the person waits.
const STEP: Duration = Duration::from_secs(20);

/// What the account will hold: the tokens of the installation where the app has one, else those of
/// the person.
///
/// The id of an installation comes from a browser, and anybody can name another's. So the person's
/// own token must open it before the app asks for more.
pub(super) async fn tokens_of(
    asked: &Asked<'_>,
    kept: &Kept,
    user: Got,
    others: &BTreeMap<String, String>,
) -> Result<Got, Failure> {
    let Some(it) = &asked.oauth2()?.installation else { return Ok(user) };
    let name = &asked.found.name;
    let id = others.get(&it.param).filter(|it| is_id(it));
    let id = id.ok_or_else(|| Failure::callback_invalid(name))?;
    let mut fields: BTreeMap<String, Secret> =
        kept.fields.iter().map(|(name, it)| (name.clone(), Secret::new(it.expose()))).collect();
    fields.insert(it.param.clone(), Secret::new(id.as_str()));
    let mut values = Values::of(asked.found, &fields);
    values.access_token = Some(&user.access_token);
    let url = values.url(asked.app, &it.check_url).map_err(|it| asked.unaskable(&it))?;
    let answered = protocol::send(asked.app, bearer(&url, &user.access_token), STEP).await;
    let answered = answered.map_err(|it| asked.no_answer(&it))?;
    match answered.status {
        200..300 => {}
        401 | 403 | 404 => return Err(Failure::installation_foreign(name)),
        _ => return Err(Failure::unavailable(name)),
    }
    let keys = ClientKeys::open(asked.app, asked.client).await;
    let keys = keys.map_err(|it| Failure::of(&it, asked.product))?;
    values.access_token = None;
    values.client_id = Some(&keys.id);
    let request = asking::request(asked.app, &values, &keys).map_err(|it| asked.unaskable(&it))?;
    let answered = protocol::send_by(keys.egress(asked.app), request, STEP).await;
    let answered = answered.map_err(|it| asked.no_answer(&it))?;
    let now_ms = asked.app.clock.now_ms();
    let tokens = asking::read(asked.found, &answered.response(), now_ms);
    Ok(got(tokens.map_err(|it| asked.refused(&it))?))
}

fn bearer(url: &str, token: &Secret) -> oauth::Request {
    let header = |name: &str, value: String| (name.to_owned(), oauth::Secret::new(value));
    oauth::Request {
        method: oauth::Method::Get,
        url: zeroize::Zeroizing::new(url.to_owned()),
        headers: vec![
            header("authorization", format!("Bearer {}", token.expose())),
            header("accept", "application/json".to_owned()),
            header("user-agent", "Grantkeep".to_owned()),
        ],
        body: None,
    }
}

/// Ids of installations are numbers, or words of the kind.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
}
