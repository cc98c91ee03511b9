//! Connecting an app by a filled form: keys, a name and password, or nothing at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::Secret;
use serde_json::json;

use super::first::{self, First};
use super::news::{Asker, not_connected};
use super::{Account, Binding, Credentials, NewGrant, connect};
use crate::app::App;
use crate::apps::probe::{Doubt, Known, Probe};
use crate::apps::protocol::{self, Values};
use crate::apps::{self, asking};
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::ids::AccountId;
use crate::projects;
use crate::tokens::ConnectToken;

/// Characters of an account's name that are kept.
const NAME_CHARS_MAX: usize = 200;

/// A filled form.
pub struct Form {
    /// Slug or id.
    pub app: String,
    pub fields: BTreeMap<String, String>,
    /// The account's name; what the app says otherwise.
    pub name: Option<String>,
    pub reconnect: Option<AccountId>,
    pub binding: Binding,
}

/// Judges the form, tries it out where the project asks for that, stores it as an account and uses
/// the token up. After a failure the form may be sent again.
///
/// # Errors
/// [`error::INVALID_FIELD`], with the field's name in `details.field`; [`error::APP_NOT_FOUND`],
/// also for another app than the token is for; [`error::CREDENTIALS_REFUSED`] when the app does
/// not take them; [`error::PROVIDER_UNAVAILABLE`] when it cannot be asked; and as for [`connect`].
pub async fn connect_keys(
    app: &Arc<App>,
    token: &ConnectToken,
    form: Form,
    origin: &Origin,
) -> Result<Account> {
    let reconnect = form.reconnect.clone();
    let made = store_keys(app, token, form, origin).await;
    told(app, token, reconnect.as_ref(), made).await
}

/// Judges the form, and tries it out as [`connect_keys`] does, but stores nothing.
///
/// # Errors
/// As for [`connect_keys`].
pub async fn check_keys(app: &Arc<App>, token: &ConnectToken, form: Form) -> Result<()> {
    let reconnect = form.reconnect.clone();
    let good = granted(app, token, form).await.map(drop);
    told(app, token, reconnect.as_ref(), good).await
}

/// The same as [`connect_keys`], for a caller that tells the product itself what went wrong.
pub(crate) async fn store_keys(
    app: &Arc<App>,
    token: &ConnectToken,
    form: Form,
    origin: &Origin,
) -> Result<Account> {
    let grant = granted(app, token, form).await?;
    connect(app, grant, origin).await
}

/// What is told to the product. The rest the person mends in the form at once, or is ours.
const TOLD: [&str; 3] = [
    error::CREDENTIALS_REFUSED.code,
    error::PROVIDER_UNAVAILABLE.code,
    error::DIFFERENT_ACCOUNT.code,
];

async fn told<T>(
    app: &App,
    token: &ConnectToken,
    reconnect: Option<&AccountId>,
    made: Result<T>,
) -> Result<T> {
    if let Err(error) = made.as_ref()
        && TOLD.contains(&error.kind().code)
        && let Err(error) = tell(app, token, reconnect, error).await
    {
        tracing::error!(%error, "a product could not be told that its user did not connect");
    }
    made
}

async fn tell(
    app: &App,
    token: &ConnectToken,
    reconnect: Option<&AccountId>,
    why: &Error,
) -> Result<()> {
    let asker = Asker::of(app, &token.hash).await?;
    let mut tx = app.db.begin().await?;
    not_connected(app, &mut tx, (&token.tenant, reconnect), why.text(), &asker).await?;
    Ok(tx.commit().await?)
}

async fn granted(app: &Arc<App>, token: &ConnectToken, form: Form) -> Result<NewGrant> {
    token.usable(app.clock.now_ms())?;
    let found = apps::find(app, &token.tenant.project, &form.app).await?;
    token.allows(&found.slug)?;
    if found.wire_auth_type() == "oauth" {
        return Err(error::INVALID_REQUEST
            .saying("This app is connected by signing in on the connect page."));
    }
    let mut fields = judge(&found, form.fields)?;
    fields.extend(asking::learned_from_fields(&found, &fields));
    let first = first::token(app, &token.tenant.project, &found, &fields).await?;
    let mut credentials = Credentials::default();
    if let Some(first) = &first {
        let text = |it: &grantkeep_oauth::Secret| Secret::new(it.expose());
        credentials.access_token = Some(text(&first.tokens.access_token));
        credentials.refresh_token = first.tokens.refresh_token.as_ref().map(text);
        fields.extend(protocol::learned_from_tokens(&found, &first.tokens));
    }
    let mut values = Values::of(&found, &fields);
    values.access_token = credentials.access_token.as_ref();
    values.client_id = first.as_ref().map(|it| it.client_id.as_str());
    let known = tried(app, token, &values, first.as_ref()).await?;
    fields.extend(known.learned.into_iter().map(|(name, value)| (name, Secret::new(value))));
    credentials.fields = fields;
    let given = form.name.map(|it| it.trim().chars().take(NAME_CHARS_MAX).collect::<String>());
    Ok(NewGrant {
        tenant: token.tenant.clone(),
        user: token.user.clone(),
        external_id: token.external_id.clone(),
        app_slug: found.slug.clone(),
        oauth_app: first.as_ref().and_then(|it| it.client.clone()),
        name: given.filter(|it| !it.is_empty()).or(known.name),
        subject: known.subject,
        credentials,
        expires_at_ms: first.as_ref().and_then(|it| it.tokens.expires_at_ms),
        scopes: first.and_then(|it| it.tokens.scopes).unwrap_or_default(),
        missing_scopes: Vec::new(),
        binding: form.binding,
        reconnect: form.reconnect,
        token_hash: token.hash,
    })
}

/// Holds the form against the app's fields. What is left out takes the field's default.
fn judge(
    found: &CatalogApp,
    mut given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, Secret>> {
    let mut fields = BTreeMap::new();
    for field in &found.fields {
        let value = given.remove(&field.name).filter(|it| !it.trim().is_empty());
        let value = value.or_else(|| field.default.clone()).unwrap_or_default();
        let value =
            found.take(field, &value).map_err(|why| bad_field(&field.name, why.to_string()))?;
        if !value.trim().is_empty() {
            fields.insert(field.name.clone(), Secret::new(value));
        }
    }
    match given.into_keys().next() {
        None => Ok(fields),
        Some(name) => Err(bad_field(&name, format!("{} has no such field.", found.name))),
    }
}

fn bad_field(name: &str, why: String) -> Error {
    error::INVALID_FIELD.saying(why).with(json!({ "field": name }))
}

/// Tries the keys out if the project asks for it, and learns whose they are if the app tells.
async fn tried(
    app: &Arc<App>,
    token: &ConnectToken,
    values: &Values<'_>,
    first: Option<&First>,
) -> Result<Known> {
    let of = (values.found, &token.tenant.project);
    let client = first.and_then(|it| it.client.as_ref());
    let egress = protocol::api_egress(app, of, client).await?;
    let probe = Probe { app, values, sign: None, proof_key: None, egress: &egress };
    let project = projects::find(&app.db, &token.tenant.project).await?;
    let verified = if project.require_key_test {
        probe.verify().await.map_err(|why| doubted(values.found, &why))?
    } else {
        None
    };
    let said = |path: &str| first.and_then(|it| it.tokens.members.text(path));
    Ok(probe.identify(verified, &said).await)
}

fn doubted(found: &CatalogApp, why: &Doubt) -> Error {
    tracing::info!(app = found.slug, %why, "keys were tried out and not taken");
    let name = &found.name;
    match why {
        Doubt::Refused(_) => error::CREDENTIALS_REFUSED
            .saying(format!("{name} did not accept this. Check what you entered and try again.")),
        Doubt::Unavailable(_) | Doubt::NoAnswer(_) => error::PROVIDER_UNAVAILABLE
            .saying(format!("{name} does not answer at the moment. Try again later."))
            .retry_after(60),
        Doubt::Unaskable(_) => error::INTERNAL.logging(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(app: &str, given: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let found = grantkeep_catalog::Catalog::builtin().get(app).unwrap();
        let pairs = given.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned()));
        let fields = judge(&found, pairs.collect())
            .map_err(|error| error.details().unwrap()["field"].as_str().unwrap().to_owned())?;
        Ok(fields.into_iter().map(|(name, it)| (name, it.expose().to_owned())).collect())
    }

    #[test]
    fn a_form_is_held_against_the_apps_fields() {
        let key = ("api_key", " sk-1 ");
        let taken = judged("openai", &[key, ("organization_id", "")]).unwrap();
        assert_eq!(taken, [("api_key".to_owned(), "sk-1".to_owned())]);
        for (given, field) in [
            (vec![], "api_key"),
            (vec![("api_key", "  ")], "api_key"),
            (vec![key, ("organization_id", "acme")], "organization_id"),
            (vec![key, ("host", "evil.example")], "host"),
            (vec![("api_key", "a\u{0}b")], "api_key"),
        ] {
            assert_eq!(judged("openai", &given), Err(field.to_owned()), "{given:?}");
        }
    }
}
