//! From a URL to an app: what a server says of itself becomes a custom app and a client.

use std::sync::Arc;

use grantkeep_oauth::discovery::{AuthMethod, check_same_server};
use grantkeep_vault::Secret;
use serde_json::{Value, json};
use url::Url;

use super::metadata::{self, Found, Place, failed};
use super::register::{Applicant, How, Registration};
use super::sheet::Sheet;
use super::{
    CustomApp, Edit, OAuthApp, Replacement, Written, create_custom_app, create_oauth_app,
    delete_custom_app, find_custom_app, oauth_app_for, replace_custom_app,
};
use crate::app::App;
use crate::clock::iso;
use crate::error::{self, Error, Result};
use crate::ids::ProjectId;

/// Characters of a URL that is looked at.
const URL_CHARS_MAX: usize = 2_048;

/// What to look at, and what is known of it already.
#[derive(Default)]
pub struct Lead {
    /// An issuer, a resource or an MCP server.
    pub url: String,
    /// Made from the host when absent.
    pub slug: Option<String>,
    pub name: Option<String>,
    /// What tokens are for, where that is not the URL.
    pub resource: Option<String>,
    /// Which of the servers that a resource names; the first when absent.
    pub issuer: Option<String>,
    /// For servers that register only who has one (RFC 7591 section 3).
    pub registration_token: Option<Secret>,
    /// Of an app that is there: credentials may go to the addresses that the server names now.
    pub confirm_endpoint_change: bool,
}

/// An app that was discovered, and its client.
pub struct Discovered {
    pub app: Written,
    pub client: Registration,
    /// Whether the app was there before.
    pub again: bool,
}

/// Reads what a server says of itself, and makes an app and a client of it; of an app that was
/// discovered before, reads it again.
///
/// # Errors
/// [`error::DISCOVERY_FAILED`]; [`error::OTHER_SERVER`] when an app that is there would be led to
/// another authorization server than knows its client; and as for [`create_custom_app`] and
/// [`replace_custom_app`].
pub async fn discover(app: &Arc<App>, project: &ProjectId, lead: Lead) -> Result<Discovered> {
    if lead.url.len() > URL_CHARS_MAX {
        return Err(failed(&lead.url[..0], &"the URL has more than 2048 characters"));
    }
    let place = Place {
        url: lead.url.trim(),
        resource: lead.resource.as_deref(),
        issuer: lead.issuer.as_deref(),
    };
    let found = metadata::find(app, &place).await?;
    // An MCP client must not go on without a proof that the server checks (MCP authorization).
    let mcp = found.resource.as_ref().is_some_and(|it| it.metadata.is_some());
    found.server.check_code_flow(mcp).map_err(|why| failed(&found.server.issuer, &why))?;
    let slug = lead.slug.clone().unwrap_or_else(|| slug(place.url));
    match find_custom_app(app, project, &slug).await {
        Ok(old) => again(app, &lead, &found, old).await,
        Err(error) if error.kind().code == error::APP_NOT_FOUND.code => {
            first(app, project, (&lead, &found), &slug).await
        }
        Err(error) => Err(error),
    }
}

async fn first(
    app: &Arc<App>,
    project: &ProjectId,
    (lead, found): (&Lead, &Found),
    slug: &str,
) -> Result<Discovered> {
    let drawn = |auth| draw(app, (lead, found), slug, auth);
    let (text, scopes) = drawn(AuthMethod::ClientSecretPost);
    let noted = Some(noted(app, lead, found));
    let made = create_custom_app(app, project, text, noted.clone()).await?;
    let client = match create_oauth_app(app, project, slug, Edit::default()).await {
        Ok(client) => client,
        Err(error) => {
            // An app alone would stand in the way of the next try.
            delete_custom_app(app, project, slug).await?;
            return Err(error);
        }
    };
    let client = register(app, client, (lead, found), &scopes).await?;
    let (text, _) = drawn(client.auth);
    let new = Replacement {
        definition: text,
        discovered: noted,
        version: Some(made.row.version),
        confirm_endpoint_change: false,
    };
    let made = replace_custom_app(app, project, slug, new).await?;
    Ok(Discovered { app: made, client, again: false })
}

/// Reads an app anew. Its client stays the one of its server, so another server is refused (MCP
/// authorization; RFC 9728 section 7.6).
async fn again(app: &Arc<App>, lead: &Lead, found: &Found, old: CustomApp) -> Result<Discovered> {
    let known = old.discovered.as_deref().and_then(|it| serde_json::from_str::<Value>(it).ok());
    let Some(known) = known else {
        return Err(error::SLUG_TAKEN.saying(format!(
            "`{}` is an app of the project that was described by hand. Choose another slug.",
            old.slug
        )));
    };
    let registered = known["issuer"].as_str().unwrap_or_default();
    check_same_server(registered, &found.server.issuer).map_err(|_| {
        Error::from(error::OTHER_SERVER)
            .with(json!({ "registered": registered, "named": found.server.issuer }))
    })?;
    let project = old.project.clone();
    let own = super::find(app, &project, &old.slug).await?;
    let auth = own.oauth2().map_or(AuthMethod::ClientSecretPost, |it| method(it.client_auth));
    let (text, scopes) = draw(app, (lead, found), &old.slug, auth);
    let new = Replacement {
        definition: text,
        discovered: Some(noted(app, lead, found)),
        version: Some(old.version),
        confirm_endpoint_change: lead.confirm_endpoint_change,
    };
    let changed = replace_custom_app(app, &project, &old.slug, new).await?;
    let client = match oauth_app_for(app, &project, &old.slug).await {
        Ok(client) => Registration {
            client,
            how: How::Registered,
            auth,
            remark: Some("The client that is there stays.".to_owned()),
            secret_expires_at_ms: None,
        },
        Err(error) if error.kind().code == error::OAUTH_CLIENT_MISSING.code => {
            let client = create_oauth_app(app, &project, &old.slug, Edit::default()).await?;
            register(app, client, (lead, found), &scopes).await?
        }
        Err(error) => return Err(error),
    };
    Ok(Discovered { app: changed, client, again: true })
}

async fn register(
    app: &Arc<App>,
    client: OAuthApp,
    (lead, found): (&Lead, &Found),
    scopes: &[String],
) -> Result<Registration> {
    let token = lead.registration_token.as_ref();
    Applicant { app, client, server: &found.server, scopes, token }.apply().await
}

/// The app file, and the scopes that it asks for.
fn draw(
    app: &App,
    (lead, found): (&Lead, &Found),
    slug: &str,
    auth: AuthMethod,
) -> (String, Vec<String>) {
    let said = found.resource.as_ref().and_then(|it| it.metadata.as_ref()?.name.clone());
    let host = Url::parse(lead.url.trim()).ok().and_then(|it| it.host_str().map(str::to_owned));
    let name = lead.name.clone().or(said).or(host).unwrap_or_else(|| slug.to_owned());
    let today: String = iso(app.clock.now_ms()).chars().take(10).collect();
    let sheet = Sheet { found, slug, name: &name, auth, today: &today };
    (sheet.text(), sheet.scopes_asked())
}

/// What is remembered of where an app comes from.
fn noted(app: &App, lead: &Lead, found: &Found) -> String {
    let resource = found.resource.as_ref().map(|it| it.id.as_str());
    json!({ "url": lead.url.trim(), "issuer": found.server.issuer, "resource": resource,
        "read_at": iso(app.clock.now_ms()) })
    .to_string()
}

/// `mcp.acme.example` as a slug: `mcp_acme_example`.
fn slug(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|it| it.host_str().map(str::to_owned));
    let plain = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '_' };
    let slug: String = host.unwrap_or_default().chars().map(plain).collect();
    slug.trim_matches('_').to_owned()
}

fn method(auth: grantkeep_catalog::ClientAuth) -> AuthMethod {
    use grantkeep_catalog::ClientAuth;
    match auth {
        ClientAuth::Basic => AuthMethod::ClientSecretBasic,
        ClientAuth::Post => AuthMethod::ClientSecretPost,
        ClientAuth::None => AuthMethod::None,
        ClientAuth::PrivateKeyJwt => AuthMethod::PrivateKeyJwt,
        ClientAuth::ClientSecretJwt => AuthMethod::ClientSecretJwt,
        ClientAuth::Tls => AuthMethod::TlsClientAuth,
    }
}
