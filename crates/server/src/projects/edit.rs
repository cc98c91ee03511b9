//! Making, changing and deleting projects.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{CodeHosts, Project, Settings, store};
use crate::app::App;
use crate::callback_origins;
use crate::db::Tx;
use crate::error::{self, Error, Result};
use crate::ids::ProjectId;

/// Characters in a name shown to people.
const NAME_CHARS_MAX: usize = 120;
/// Bytes of a logo after decoding.
const LOGO_BYTES_MAX: usize = 256 * 1024;

/// Characters of a verify URL.
const VERIFY_URL_CHARS_MAX: usize = 2_048;
/// Names of packages that mean ours, and characters of one.
const PACKAGES_MAX: usize = 10;
const PACKAGE_CHARS_MAX: usize = 100;
/// The parameter that is added to a verify URL.
pub(crate) const FLOW_ID_PARAM: &str = "flow_id";

/// What to change; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    /// The inner `None` takes the value away.
    pub app_name: Option<Option<String>>,
    pub support_email: Option<Option<String>>,
    pub require_key_test: Option<bool>,
    pub settings: Option<Settings>,
    /// The inner `None` takes it away.
    pub verify_url: Option<Option<String>>,
    /// The inner `None` takes it away.
    pub callback_origin: Option<Option<String>>,
    pub scope_choice: Option<bool>,
    /// The inner `None` takes the limit away.
    pub development_users_max: Option<Option<u32>>,
    pub blind_tokens: Option<bool>,
    pub component_packages: Option<Vec<String>>,
    /// The inner `None` lets code call every public host.
    pub code_hosts: Option<Option<Vec<String>>>,
}

/// # Errors
/// [`error::INVALID_FIELD`] when a value cannot be used; `details.field` names it.
pub async fn create(app: &Arc<App>, name: &str, change: Change) -> Result<Project> {
    let now_ms = app.clock.now_ms();
    let mut project = Project {
        id: ProjectId::mint(),
        name: String::new(),
        app_name: None,
        support_email: None,
        settings: Settings::default(),
        require_key_test: false,
        has_logo: false,
        callback_origin: None,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    apply(app, &mut project, Change { name: Some(name.to_owned()), ..change })?;
    let mut tx = app.db.begin().await?;
    store::insert(&mut tx, &project).await?;
    tx.commit().await?;
    Ok(project)
}

/// # Errors
/// [`error::NOT_FOUND`]; [`error::INVALID_FIELD`] as for [`create`].
pub async fn update(app: &Arc<App>, id: &ProjectId, change: Change) -> Result<Project> {
    let mut project = super::find(&app.db, id).await?;
    apply(app, &mut project, change)?;
    project.updated_at_ms = app.clock.now_ms();
    let mut tx = app.db.begin().await?;
    store::update(&mut tx, &project).await?;
    tx.commit().await?;
    app.forget_project(id).await;
    Ok(project)
}

/// Deletes an empty project. One with accounts is refused: their grants must be revoked first,
/// which
/// `DELETE users/{id}` does and reports.
pub async fn delete(app: &Arc<App>, id: &ProjectId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    empty(&mut tx, id).await?;
    if !store::delete(&mut tx, id).await? {
        return Err(error::NOT_FOUND.into());
    }
    tx.commit().await?;
    app.forget_project(id).await;
    app.forget_callers().await;
    Ok(())
}

/// Whether it could be deleted just now.
///
/// # Errors
/// As for [`delete`].
pub async fn check_deletable(app: &App, id: &ProjectId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    empty(&mut tx, id).await
}

async fn empty(tx: &mut Tx, id: &ProjectId) -> Result<()> {
    let accounts = store::count_accounts(tx, id).await?;
    let revocations = store::count_revocations(tx, id).await?;
    if accounts == 0 && revocations > 0 {
        return Err(error::INVALID_REQUEST.saying(format!(
            "{revocations} grant(s) of deleted accounts are still being revoked at their apps. \
             Delete the project once that is done, or given up, within a day at most."
        )));
    }
    if accounts == 0 {
        return Ok(());
    }
    Err(error::INVALID_REQUEST.saying(format!(
        "The project still has {accounts} connected account(s). Delete its users first, so \
         that their grants are revoked at the providers."
    )))
}

/// Takes a logo as a `data:` URL of a PNG, JPEG, GIF or WebP image. SVG is refused, since it can
/// hold scripts.
pub async fn set_logo(app: &Arc<App>, id: &ProjectId, data_url: &str) -> Result<()> {
    let refuse = |why: &'static str| error::INVALID_FIELD.saying(why);
    let (kind, text) = data_url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
        .ok_or_else(|| refuse("`logo` must be a data URL: data:image/png;base64,..."))?;
    if text.len() > LOGO_BYTES_MAX * 4 / 3 + 4 {
        return Err(error::BODY_TOO_LARGE.saying("The logo is larger than 256 KiB."));
    }
    let bytes = STANDARD.decode(text).map_err(|_| refuse("`logo` is not valid base64."))?;
    // Some programs call a JPEG so.
    let kind = if kind == "image/jpg" { "image/jpeg" } else { kind };
    let real = image_type(&bytes).filter(|real| *real == kind);
    let kind = real.ok_or_else(|| refuse("`logo` must be a PNG, JPEG, GIF or WebP image."))?;
    if !store::set_logo(&app.db, id, kind, &bytes, app.clock.now_ms()).await? {
        return Err(error::NOT_FOUND.into());
    }
    app.forget_project(id).await;
    Ok(())
}

fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

fn apply(app: &App, project: &mut Project, change: Change) -> Result<()> {
    if let Some(name) = change.name {
        project.name = shown_name("name", &name)?;
    }
    if let Some(app_name) = change.app_name {
        project.app_name = app_name.map(|name| shown_name("app_name", &name)).transpose()?;
    }
    if let Some(email) = change.support_email {
        project.support_email = email.map(|text| email_like(&text)).transpose()?;
    }
    if let Some(required) = change.require_key_test {
        project.require_key_test = required;
    }
    if let Some(settings) = change.settings {
        for uri in &settings.redirect_uris {
            redirect_uri(uri)?;
        }
        if settings.accent.as_deref().is_some_and(|accent| !is_colour(accent)) {
            return Err(field("accent", "The accent must be a colour such as #0a66c2."));
        }
        for url in [&settings.privacy_url, &settings.terms_url].into_iter().flatten() {
            if !url.starts_with("https://") || url::Url::parse(url).is_err() {
                return Err(field("privacy_url", "Links of the page must be https URLs."));
            }
        }
        project.settings = settings;
    }
    if let Some(blind) = change.blind_tokens {
        project.settings.blind_tokens = blind;
    }
    if let Some(packages) = change.component_packages {
        project.settings.component_packages = package_names(packages)?;
    }
    if let Some(choice) = change.scope_choice {
        project.settings.scope_choice = choice;
    }
    if let Some(most) = change.development_users_max {
        project.settings.development_users_max = most;
    }
    if let Some(hosts) = change.code_hosts {
        project.settings.code_hosts = hosts.map(|it| CodeHosts::parse(&it)).transpose()?;
    }
    if let Some(url) = change.verify_url {
        url.as_deref().map(verify_url).transpose()?;
        project.settings.verify_url = url;
    }
    if let Some(origin) = change.callback_origin {
        let known = |it: &String| callback_origins::knows(app, it);
        if !origin.as_ref().is_none_or(known) {
            return Err(field(
                "callback_origin",
                "The operator of this server has not permitted this origin: it must stand in the \
                 setting `callback_origins`, written as https://login.acme.example.",
            ));
        }
        project.callback_origin = origin;
    }
    Ok(())
}

/// Names of packages as npm has them, each once.
fn package_names(mut names: Vec<String>) -> Result<Vec<String>> {
    names.sort();
    names.dedup();
    if names.len() <= PACKAGES_MAX && names.iter().all(|it| is_package(it)) {
        return Ok(names);
    }
    Err(field(
        "component_packages",
        "Name at most 10 packages as npm does: `name` or `@scope/name`.",
    ))
}

/// Whether it is a package's name as npm has it.
pub(crate) fn is_package(name: &str) -> bool {
    let part = |it: &str| {
        let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"._-".contains(&it);
        it.starts_with(|it: char| it.is_ascii_alphanumeric()) && it.bytes().all(plain)
    };
    let parts = match name.strip_prefix('@') {
        Some(rest) => rest.split_once('/').map(|(scope, name)| vec![scope, name]),
        None => Some(vec![name]),
    };
    name.len() <= PACKAGE_CHARS_MAX && parts.is_some_and(|it| it.into_iter().all(part))
}

/// The same as for redirect URIs; and what is added to the query must not be there already, since
/// of two the product might read the wrong one.
fn verify_url(text: &str) -> Result<()> {
    let wrong = |why: &'static str| field("verify_url", why);
    redirect_uri(text).map_err(|_| {
        wrong(
            "A verify URL must be https (http only for loopback), without user name and \
             fragment, in lower case and without the default port.",
        )
    })?;
    let url = url::Url::parse(text).map_err(|_| wrong("This is not a URL."))?;
    if text.len() > VERIFY_URL_CHARS_MAX {
        return Err(wrong("A verify URL has at most 2048 characters."));
    }
    if url.query_pairs().any(|(name, _)| name == FLOW_ID_PARAM) {
        return Err(wrong("`flow_id` is added to the verify URL, so it must not hold one."));
    }
    Ok(())
}

/// Judges a URI that a browser may be sent to: https (http on loopback), no userinfo, no fragment,
/// and written as a URL parser would write it, so that an exact comparison means what it says.
pub(crate) fn redirect_uri(text: &str) -> Result<()> {
    let wrong = || {
        error::REDIRECT_NOT_ALLOWED.saying(
            "A redirect URI must be https (http only for loopback), without user name and \
             fragment, in lower case and without the default port.",
        )
    };
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let good_scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let canonical = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
    if good_scheme && plain && canonical { Ok(()) } else { Err(wrong()) }
}

/// A name that is shown to people: one line of visible characters that cannot turn the text around.
pub(crate) fn shown_name(name: &'static str, text: &str) -> Result<String> {
    let text = text.trim();
    let odd =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX || text.chars().any(odd) {
        return Err(field(name, "A name must be 1 to 120 visible characters."));
    }
    Ok(text.to_owned())
}

fn email_like(text: &str) -> Result<String> {
    let good = text.len() <= 254
        && text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty()
                && host.contains('.')
                && !text.contains(|it: char| it.is_whitespace() || it.is_control())
        });
    if good {
        Ok(text.to_owned())
    } else {
        Err(field("support_email", "This is not an e-mail address."))
    }
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn field(name: &str, text: &'static str) -> Error {
    error::INVALID_FIELD.saying(text).with(serde_json::json!({ "field": name }))
}
