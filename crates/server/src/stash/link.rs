//! Links that open one file without a bearer, for half an hour.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantkeep_vault::token;
use url::Url;

use super::{File, LINK_LIFE_MS};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::ProjectId;
use crate::keys::derived;
use crate::query::Query;
use crate::tenant::{Environment, Tenant};

/// Where links lead.
pub(super) const PATH: &str = "/stash";

/// Makes a link to the file. Whoever has it has the file.
pub(crate) fn make(app: &App, file: &File) -> Result<Url> {
    let until_ms = app.clock.now_ms() + LINK_LIFE_MS;
    let mut url = app.url(PATH);
    url.query_pairs_mut()
        .append_pair("s3_key", &file.key)
        .append_pair("environment", file.tenant.environment.as_str())
        .append_pair("until", &until_ms.to_string())
        .append_pair("signature", &signature(app, &file.tenant, (&file.key, until_ms))?);
    Ok(url)
}

/// Reads a link: whose file, and which.
///
/// # Errors
/// [`error::NOT_FOUND`], the same for a link that is over, altered or made up.
pub(super) fn open(app: &App, query: &Query) -> Result<(Tenant, String)> {
    let missing = || Error::from(error::NOT_FOUND);
    let one = |name| query.one(name)?.ok_or_else(missing);
    let (key, until) = (one("s3_key")?, one("until")?);
    let until_ms: i64 = until.parse().map_err(|_| missing())?;
    let project = key.split('/').nth(1).and_then(ProjectId::parse).ok_or_else(missing)?;
    let environment = Environment::parse(one("environment")?).ok_or_else(missing)?;
    let tenant = Tenant { project, environment };
    let right = signature(app, &tenant, (key, until_ms))?;
    let signed = token::equal(one("signature")?.as_bytes(), right.as_bytes());
    if !signed || until_ms <= app.clock.now_ms() {
        return Err(missing());
    }
    Ok((tenant, key.to_owned()))
}

/// Of all that the link says. The key holds no line end.
fn signature(app: &App, tenant: &Tenant, (key, until_ms): (&str, i64)) -> Result<String> {
    let root = app.config.required_root_key().map_err(|it| error::INTERNAL.logging(it))?;
    let secret = derived(root.expose(), "file stash");
    let text = format!("{}\n{}\n{until_ms}\n{key}", tenant.project, tenant.environment);
    let tag = token::hmac_sha256(&secret, text.as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(tag))
}
