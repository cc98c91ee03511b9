//! Overrides: values of an app's fields, and a client, that an operator sets so that users are not
//! asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, Field, FieldKind};
use serde_json::{Value, json};

use super::{find_oauth_app, store};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::{OAuthAppId, OverrideId, ProjectId};
use crate::paging::Page;

/// Overrides of one project.
const OVERRIDES_PER_PROJECT_MAX: i64 = 1_000;
/// Characters of an override's name.
const NAME_CHARS_MAX: usize = 120;

/// Values for an app's fields. No secret is among them.
#[derive(Clone, Debug)]
pub struct AppOverride {
    pub id: OverrideId,
    pub project: ProjectId,
    /// Unique in the project.
    pub name: String,
    pub app_slug: String,
    pub oauth_app: Option<OAuthAppId>,
    pub fields: BTreeMap<String, String>,
    pub(super) version: i64,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

/// What to write; `None` leaves as it is.
#[derive(Default)]
pub struct OverrideEdit {
    pub name: Option<String>,
    /// The inner `None` detaches the client.
    pub oauth_app: Option<Option<String>>,
    pub fields: Option<BTreeMap<String, String>>,
}

/// # Errors
/// [`error::APP_NOT_FOUND`]; [`error::INVALID_FIELD`] with the field's name in `details.field` for
/// a name, value or client that cannot be used; [`error::TOO_MANY`].
pub async fn create_override(
    app: &Arc<App>,
    project: &ProjectId,
    app_name: &str,
    edit: OverrideEdit,
) -> Result<AppOverride> {
    let found = super::find(app, project, app_name).await?;
    let now_ms = app.clock.now_ms();
    let fresh = AppOverride {
        id: OverrideId::mint(),
        project: project.clone(),
        name: String::new(),
        app_slug: found.slug.clone(),
        oauth_app: None,
        fields: BTreeMap::new(),
        version: 1,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    let edit = OverrideEdit { name: Some(edit.name.unwrap_or_default()), ..edit };
    let made = edited(app, fresh, edit).await?;
    let mut tx = app.db.begin().await?;
    if store::overrides::count(&mut tx, project).await? >= OVERRIDES_PER_PROJECT_MAX {
        let text = format!("A project has at most {OVERRIDES_PER_PROJECT_MAX} overrides.");
        return Err(error::TOO_MANY.saying(text));
    }
    if !store::overrides::insert(&mut tx, &made).await? {
        return Err(name_taken());
    }
    tx.commit().await?;
    Ok(made)
}

/// # Errors
/// [`error::NOT_FOUND`]; [`error::CHANGED_MEANWHILE`]; and as for [`create_override`].
pub async fn update_override(
    app: &Arc<App>,
    project: &ProjectId,
    id: &str,
    edit: OverrideEdit,
) -> Result<AppOverride> {
    let old = find_override(app, project, id).await?;
    let mut new = edited(app, old, edit).await?;
    new.version += 1;
    new.updated_at_ms = app.clock.now_ms();
    let mut tx = app.db.begin().await?;
    if store::overrides::is_named(&mut tx, &new).await? {
        return Err(name_taken());
    }
    if !store::overrides::update(&mut tx, &new).await? {
        return Err(error::CHANGED_MEANWHILE.into());
    }
    tx.commit().await?;
    Ok(new)
}

/// Accounts that were made with it have its values and stay as they are.
///
/// # Errors
/// [`error::NOT_FOUND`], for another project's override too.
pub async fn delete_override(app: &Arc<App>, project: &ProjectId, id: &str) -> Result<()> {
    let id = OverrideId::parse(id).ok_or(error::NOT_FOUND)?;
    let mut tx = app.db.begin().await?;
    if !store::overrides::delete(&mut tx, project, &id).await? {
        return Err(error::NOT_FOUND.into());
    }
    tx.commit().await?;
    Ok(())
}

/// # Errors
/// [`error::NOT_FOUND`], for another project's override too.
pub async fn find_override(app: &App, project: &ProjectId, id: &str) -> Result<AppOverride> {
    let missing = || Error::from(error::NOT_FOUND);
    let id = OverrideId::parse(id).ok_or_else(missing)?;
    store::overrides::find(&app.db, project, &id).await?.ok_or_else(missing)
}

pub async fn list_overrides(
    app: &App,
    project: &ProjectId,
    app_slug: Option<&str>,
    page: &Page,
) -> Result<(Vec<AppOverride>, i64)> {
    Ok(store::overrides::list(&app.db, project, app_slug, page).await?)
}

/// Puts an override's values in the place of whatever was typed for those fields.
///
/// # Errors
/// [`error::NOT_FOUND`] when it was deleted meanwhile.
pub async fn fill(
    app: &App,
    project: &ProjectId,
    id: Option<&OverrideId>,
    mut typed: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    if let Some(id) = id {
        let found = store::overrides::find(&app.db, project, id).await?;
        let found = found.ok_or_else(|| {
            error::NOT_FOUND.saying("What was set for this app is gone. Open the page again.")
        })?;
        typed.extend(found.fields);
    }
    Ok(typed)
}

/// The values for a form that is sent without the connect page.
///
/// # Errors
/// [`error::NOT_FOUND`]; [`error::INVALID_FIELD`] for an override of another app, or one that names
/// a client, whose users must sign in.
pub async fn override_fields(
    app: &App,
    project: &ProjectId,
    id: &str,
    app_name: &str,
) -> Result<BTreeMap<String, String>> {
    let found = find_override(app, project, id).await?;
    if super::find(app, project, app_name).await?.slug != found.app_slug {
        return Err(bad("app_override_id", "The override is for another app."));
    }
    if found.oauth_app.is_some() {
        return Err(bad(
            "app_override_id",
            "The override names an OAuth client, so its users sign in on the connect page.",
        ));
    }
    Ok(found.fields)
}

/// Values of fields as texts: numbers and truth values as they are written, nulls not at all.
///
/// # Errors
/// [`error::INVALID_FIELD`] for lists and objects.
pub fn field_texts(
    given: impl IntoIterator<Item = (String, Value)>,
) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for (name, value) in given {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => {
                return Err(bad(&name, "A field must be a text."));
            }
        };
        texts.insert(name, text);
    }
    Ok(texts)
}

async fn edited(app: &Arc<App>, mut it: AppOverride, edit: OverrideEdit) -> Result<AppOverride> {
    if let Some(name) = edit.name {
        it.name = shown_name(&name)?;
    }
    if let Some(oauth_app) = edit.oauth_app {
        it.oauth_app = match oauth_app {
            Some(id) => Some(client(app, &it, &id).await?),
            None => None,
        };
    }
    if let Some(fields) = edit.fields {
        let found = super::find(app, &it.project, &it.app_slug).await?;
        it.fields = judge(&found, fields)?;
    }
    Ok(it)
}

async fn client(app: &Arc<App>, it: &AppOverride, id: &str) -> Result<OAuthAppId> {
    let found = find_oauth_app(app, &it.project, id).await;
    match found {
        Ok(client) if client.app_slug == it.app_slug => Ok(client.id),
        Err(error) if error.kind().status >= 500 => Err(error),
        _ => Err(bad("oauth_app_id", "The project has no such OAuth client for this app.")),
    }
}

fn shown_name(text: &str) -> Result<String> {
    let name = text.trim();
    let good = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if !good || name.chars().any(char::is_control) {
        return Err(bad("name", "A name has 1 to 120 visible characters."));
    }
    Ok(name.to_owned())
}

fn name_taken() -> Error {
    bad("name", "The project has an override of that name. Choose another.")
}

/// Holds the values against the app's fields. Secrets are the users' own.
fn judge(found: &CatalogApp, given: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    for (name, value) in given {
        let Some(field) = found.field(&name) else {
            return Err(bad(&name, format!("{} has no such field.", found.name)));
        };
        if field.is_secret() {
            return Err(bad(
                &name,
                format!("{} is a secret, and secrets cannot be set for all users.", field.label),
            ));
        }
        let value = written(field, &value);
        if value.is_empty() {
            return Err(bad(
                &name,
                "The value is empty. Leave the field out, and users are asked.",
            ));
        }
        field.check(&value).map_err(|why| bad(&name, why.to_string()))?;
        fields.insert(name, value);
    }
    Ok(fields)
}

/// A value as a filled form would have it.
fn written(field: &Field, value: &str) -> String {
    let value = if field.kind == FieldKind::Multiline { value } else { value.trim() };
    if field.host.is_some() { value.to_ascii_lowercase() } else { value.to_owned() }
}

fn bad(field: &str, why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    error::INVALID_FIELD.saying(why).with(json!({ "field": field }))
}
