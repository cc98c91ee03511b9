//! Writing a project's own apps: made, replaced, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, Auth, OAuth1, OAuth2, Problem, Severity};
use serde_json::{Value, json};

use super::custom::{CustomApp, Judged, find_custom_app, judge};
use super::store;
use super::store::custom::Uses;
use super::view::ProblemView;
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::ProjectId;

/// Own apps of one project. Each request that names an app looks among them.
pub const APPS_PER_PROJECT_MAX: i64 = 100;
/// Bytes of one definition. The largest of the catalogue has a tenth of that.
pub const DEFINITION_BYTES_MAX: usize = 64 * 1024;

/// What was written.
pub struct Written {
    pub row: CustomApp,
    /// Warnings: the app works, but its users get less than they could.
    pub problems: Vec<Problem>,
    /// Addresses that are others than before, each with both. Told to audit.
    pub moved: Vec<Value>,
}

/// A replacement, and what its writer knows of it.
#[derive(Default)]
pub struct Replacement {
    pub definition: String,
    /// Where the endpoints were read, as JSON. Without it, what is known of them holds as long as
    /// they stay where they are.
    pub discovered: Option<String>,
    /// The version that is replaced, if the writer says so.
    pub version: Option<i64>,
    /// Credentials that are there may go to the new addresses.
    pub confirm_endpoint_change: bool,
}

/// Takes an app in.
///
/// # Errors
/// [`error::INVALID_DEFINITION`] with all problems in `details.problems`; [`error::SLUG_TAKEN`];
/// [`error::TOO_MANY`].
pub async fn create_custom_app(
    app: &Arc<App>,
    project: &ProjectId,
    definition: String,
    discovered: Option<String>,
) -> Result<Written> {
    let (found, problems) = good(app, &definition)?;
    // One that the catalogue knows too little of stands in nobody's way.
    if app.catalog.find(&found.slug).is_some_and(|it| it.is_connectable()) {
        return Err(taken(&found.slug, "the catalogue has an app of that name"));
    }
    let now_ms = app.clock.now_ms();
    let row = CustomApp {
        project: project.clone(),
        slug: found.slug.clone(),
        definition,
        discovered,
        version: 1,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    let mut tx = app.db.begin().await?;
    if store::custom::count(&mut tx, project).await? >= APPS_PER_PROJECT_MAX {
        return Err(error::TOO_MANY.saying(format!(
            "The project has {APPS_PER_PROJECT_MAX} apps of its own, and no more are kept. Delete \
             one that is not used."
        )));
    }
    if !store::custom::insert(&mut tx, &row).await? {
        return Err(taken(&found.slug, "the project has an app of that name"));
    }
    tx.commit().await?;
    app.forget_own_apps(project).await;
    Ok(Written { row, problems, moved: Vec::new() })
}

/// Replaces a definition; the slug stays.
///
/// # Errors
/// [`error::APP_NOT_FOUND`]; [`error::INVALID_DEFINITION`] as for [`create_custom_app`];
/// [`error::CHANGED_MEANWHILE`]; [`error::ENDPOINTS_CHANGED`] when credentials that are there would
/// go elsewhere and nobody said that they may.
pub async fn replace_custom_app(
    app: &Arc<App>,
    project: &ProjectId,
    slug: &str,
    new: Replacement,
) -> Result<Written> {
    let old = find_custom_app(app, project, slug).await?;
    if new.version.is_some_and(|it| it != old.version) {
        return Err(error::CHANGED_MEANWHILE.into());
    }
    let (found, problems) = good(app, &new.definition)?;
    if found.slug != slug {
        return Err(error::INVALID_DEFINITION.saying(format!(
            "The definition is of `{}`, and the app is `{slug}`. A slug does not change: add the \
             other app, and delete this one once nothing uses it.",
            found.slug
        )));
    }
    // One that cannot be read any more had addresses that nobody knows.
    let before = judge(app, &old.definition).app;
    let moved = moved(before.as_deref(), &found);
    let mut tx = app.db.begin().await?;
    if !moved.is_empty() && !new.confirm_endpoint_change {
        let uses = store::custom::uses(&mut tx, project, slug).await?;
        if in_use(&uses) {
            return Err(Error::from(error::ENDPOINTS_CHANGED).with(json!({ "moved": moved })));
        }
    }
    let row = CustomApp {
        definition: new.definition,
        discovered: new.discovered.or_else(|| old.discovered.clone().filter(|_| moved.is_empty())),
        version: old.version + 1,
        updated_at_ms: app.clock.now_ms(),
        ..old
    };
    if !store::custom::update(&mut tx, &row).await? {
        return Err(error::CHANGED_MEANWHILE.into());
    }
    tx.commit().await?;
    app.forget_own_apps(project).await;
    Ok(Written { row, problems, moved })
}

/// # Errors
/// [`error::APP_NOT_FOUND`]; [`error::IN_USE`] while anything depends on it.
pub async fn delete_custom_app(app: &Arc<App>, project: &ProjectId, slug: &str) -> Result<()> {
    find_custom_app(app, project, slug).await?;
    let mut tx = app.db.begin().await?;
    let uses = store::custom::uses(&mut tx, project, slug).await?;
    if in_use(&uses) {
        let Uses { accounts, clients, overrides, revocations } = uses;
        return Err(error::IN_USE
            .saying(format!(
                "{accounts} account(s), {clients} OAuth client(s), {overrides} override(s) and \
                 {revocations} revocation(s) that are not done need this app. Delete the first \
                 three; revocations are done, or given up, within a day."
            ))
            .with(json!({ "accounts": accounts, "oauth_apps": clients,
                "app_overrides": overrides, "revocations": revocations })));
    }
    if !store::custom::delete(&mut tx, project, slug).await? {
        return Err(error::APP_NOT_FOUND.into());
    }
    tx.commit().await?;
    app.forget_own_apps(project).await;
    Ok(())
}

fn in_use(uses: &Uses) -> bool {
    uses.accounts + uses.clients + uses.overrides + uses.revocations > 0
}

fn taken(slug: &str, why: &str) -> Error {
    error::SLUG_TAKEN.saying(format!("`{slug}` cannot be taken: {why}. Choose another slug."))
}

fn good(app: &App, definition: &str) -> Result<(Arc<CatalogApp>, Vec<Problem>)> {
    if definition.len() > DEFINITION_BYTES_MAX {
        let text = format!("A definition has at most {DEFINITION_BYTES_MAX} bytes.");
        return Err(error::BODY_TOO_LARGE.saying(text));
    }
    let Judged { app: found, problems } = judge(app, definition);
    let Some(found) = found else {
        let shown: Vec<_> = problems.iter().map(ProblemView::of).collect();
        let first = problems.iter().find(|it| it.severity == Severity::Error);
        let first = first.map(ToString::to_string).unwrap_or_default();
        return Err(error::INVALID_DEFINITION
            .saying(format!("The app file cannot be used. The first of its problems: {first}"))
            .with(json!({ "problems": shown })));
    };
    Ok((found, problems))
}

/// The addresses at which credentials would arrive that did not before.
fn moved(before: Option<&CatalogApp>, after: &CatalogApp) -> Vec<Value> {
    let before = before.map(destinations).unwrap_or_default();
    let after = destinations(after);
    let names = before.keys().chain(after.keys().filter(|it| !before.contains_key(*it)));
    let other = names.filter(|name| before.get(*name) != after.get(*name));
    let shown = other
        .map(|name| json!({ "key": name, "before": before.get(name), "after": after.get(name) }));
    shown.collect()
}

/// Where an app's users and credentials go, by the key in its file.
fn destinations(app: &CatalogApp) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut put = |key: &str, text: Option<&str>| {
        if let Some(text) = text.filter(|it| !it.is_empty()) {
            all.insert(key.to_owned(), text.to_owned());
        }
    };
    match &app.auth {
        Auth::OAuth2(it) => oauth2(it, &mut put),
        Auth::OAuth1(it) => oauth1(it, &mut put),
        Auth::KeyExchange(it) => put("key_exchange.url", Some(&it.url)),
        _ => {}
    }
    put("verify.url", app.verify.as_ref().map(|it| it.url.as_str()));
    let identity = app.identity.as_ref().and_then(|it| it.request.as_ref());
    put("identity.request.url", identity.map(|it| it.url.as_str()));
    put("proxy.base_url", app.proxy.as_ref().map(|it| it.base_url.as_str()));
    put("proxy.hosts", app.proxy.as_ref().map(|it| it.hosts.join(" ")).as_deref());
    // Which hosts a value may name decides where a request goes, as an address does.
    let asked = app.fields.iter().map(|it| ("fields", it.name.as_str(), it.host.as_ref()));
    let learned = app.learned.iter().map(|(name, it)| ("learned", name.as_str(), it.host.as_ref()));
    for (table, name, rule) in asked.chain(learned) {
        let Some(rule) = rule else { continue };
        let form = format!("{:?} {}", rule.form, rule.under.join(" "));
        put(&format!("{table}.{name}.host"), Some(&form));
    }
    all
}

type Put<'a> = dyn FnMut(&str, Option<&str>) + 'a;

fn oauth2(it: &OAuth2, put: &mut Put<'_>) {
    put("oauth2.issuer", it.issuer.as_deref());
    put("oauth2.authorization_url", Some(&it.authorization_url));
    put("oauth2.token_url", Some(&it.token_url));
    put("oauth2.refresh_url", it.refresh_url.as_deref());
    put("oauth2.par_url", it.par_url.as_deref());
    put("oauth2.device_authorization_url", it.device_authorization_url.as_deref());
    put("oauth2.mtls_token_url", it.mtls_token_url.as_deref());
    put("oauth2.revocation.url", it.revocation.as_ref().map(|it| it.url.as_str()));
}

fn oauth1(it: &OAuth1, put: &mut Put<'_>) {
    put("oauth1.request_token_url", Some(&it.request_token_url));
    put("oauth1.authorize_url", Some(&it.authorize_url));
    put("oauth1.access_token_url", Some(&it.access_token_url));
}
