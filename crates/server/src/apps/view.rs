//! An app as callers see it.

use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, Field, FieldKind, Problem, Proxy, Severity};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::OAuthApp;
use crate::app::App;
use crate::clock::iso;
use crate::error::Result;
use crate::ids::{OAuthAppId, ProjectId};

/// A set of scopes that the connect page can ask for by one name.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ScopeProfileView {
    /// `read_only`, `read_write` or `admin`.
    name: &'static str,
    scopes: Vec<String>,
}

/// What the proxy can do for an app.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ProxyView {
    proxy_enabled: bool,
    /// Hosts that a request may name besides that of the base URL.
    allowed_domains: Option<Vec<String>>,
    /// What relative targets are joined to; may hold `{{field}}`.
    base_proxy_target_url: String,
}

/// How well an app is known.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct EvidenceView {
    /// `confirmed`, `single_source` or `incomplete`.
    status: &'static str,
    /// How many independent sources say the same.
    confirmed: u32,
    /// Whether enough is known to connect.
    connectable: bool,
}

/// An app of the catalogue. Strict clients want every field.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AppView {
    id: String,
    name: String,
    oauth_app_id: Option<String>,
    connect: ProxyView,
    evidence: EvidenceView,
    #[serde(flatten)]
    facts: AppFacts,
}

/// What an app and a client registered for it have in common.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AppFacts {
    name_slug: String,
    /// `oauth`, `keys` or `none`.
    auth_type: &'static str,
    description: String,
    /// An image of the app, as an absolute URL.
    img_src: String,
    /// The fields asked of a user: a JSON text that holds an array.
    custom_fields_json: String,
    categories: Vec<String>,
    /// How well known the app is; lists begin with the greatest.
    featured_weight: u32,
    scope_profiles: Vec<ScopeProfileView>,
}

/// A client that the project registered at an app. The secret is never shown.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct OAuthAppView {
    id: OAuthAppId,
    name: String,
    client_id: String,
    /// Scopes that users are asked for.
    scopes: Vec<String>,
    additional_scopes: Vec<String>,
    /// To be registered at the app, exactly so.
    redirect_uri: String,
    /// The public half of its key, to be registered at the app.
    #[schema(value_type = Option<Object>)]
    public_jwk: Option<serde_json::Value>,
    /// Where apps that fetch keys find it.
    jwks_uri: Option<String>,
    key_id: Option<String>,
    /// PEM.
    client_certificate: Option<String>,
    owner_id: ProjectId,
    created_at: String,
    updated_at: String,
    #[serde(flatten)]
    facts: AppFacts,
}

/// Something that is wrong in an app file, or could be better.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemView {
    /// `error` or `warning`.
    severity: &'static str,
    /// The key or the line.
    place: String,
    wrong: String,
    fix: String,
}

impl ProblemView {
    pub fn of(it: &Problem) -> Self {
        let severity = if it.severity == Severity::Error { "error" } else { "warning" };
        let (place, wrong, fix) = (it.place.clone(), it.wrong.clone(), it.fix.clone());
        Self { severity, place, wrong, fix }
    }
}

/// [`app_view`] as JSON. Written once for each edition of an app: every account holds it.
pub(crate) async fn app_json(app: &App, found: &Arc<CatalogApp>) -> Option<Arc<RawValue>> {
    if let Some((edition, json)) = app.shown_apps.get(&found.slug).await
        && Arc::ptr_eq(&edition, found)
    {
        return Some(json);
    }
    let json = serde_json::value::to_raw_value(&app_view(app, found)).ok()?;
    let json = Arc::<RawValue>::from(json);
    let entry = (Arc::clone(found), Arc::clone(&json));
    app.shown_apps.insert(found.slug.clone(), entry).await;
    Some(json)
}

pub fn app_view(app: &App, found: &CatalogApp) -> AppView {
    let base = found.proxy.as_ref().map(|it| it.base_url.as_str()).unwrap_or_default();
    AppView {
        id: found.id.clone(),
        name: found.name.clone(),
        oauth_app_id: None,
        connect: ProxyView {
            proxy_enabled: found.proxy.is_some(),
            allowed_domains: found.proxy.as_ref().and_then(allowed_domains),
            // Wire clients write a field of the account with two braces.
            base_proxy_target_url: base.replace("${", "{{").replace('}', "}}"),
        },
        evidence: EvidenceView {
            status: found.evidence.status().as_str(),
            confirmed: found.evidence.confirmed,
            connectable: found.is_connectable(),
        },
        facts: facts(app, found),
    }
}

/// The hosts that may be called by their whole URL, the app's own first. `None` where each account
/// has a host of its own.
fn allowed_domains(proxy: &Proxy) -> Option<Vec<String>> {
    let (_, rest) = proxy.base_url.split_once("://")?;
    let host = rest.split(['/', '?']).next()?;
    if host.contains("${") {
        return None;
    }
    let others = proxy.hosts.iter().filter(|it| *it != host).cloned();
    Some(std::iter::once(host.to_owned()).chain(others).collect())
}

/// # Errors
/// [`crate::error::APP_NOT_FOUND`] when the client's app has left the catalogue.
pub async fn oauth_app_view(app: &App, client: &OAuthApp) -> Result<OAuthAppView> {
    let found = super::find(app, &client.project, &client.app_slug).await?;
    let own = found.oauth2().map(|it| it.scopes.asked()).unwrap_or_default();
    let own = || own.iter().map(|it| (*it).to_owned()).collect();
    let mut facts = facts(app, &found);
    if let Some(description) = &client.description {
        facts.description.clone_from(description);
    }
    Ok(OAuthAppView {
        id: client.id.clone(),
        name: client.name.clone(),
        client_id: client.client_id.clone(),
        scopes: client.scopes.clone().unwrap_or_else(own),
        additional_scopes: client.additional_scopes.clone(),
        redirect_uri: client.redirect_uri(app),
        public_jwk: client.public_jwk.as_deref().and_then(|it| serde_json::from_str(it).ok()),
        jwks_uri: client.jwks_uri(app),
        key_id: client.key_id.clone(),
        client_certificate: client.client_certificate.clone(),
        owner_id: client.project.clone(),
        created_at: iso(client.created_at_ms),
        updated_at: iso(client.updated_at_ms),
        facts,
    })
}

fn facts(app: &App, found: &CatalogApp) -> AppFacts {
    let scopes = match (found.oauth2(), found.oauth1()) {
        (Some(it), _) => Some(&it.scopes),
        (_, Some(it)) => Some(&it.scopes),
        _ => None,
    };
    let profile = |(name, _): (&'static str, &[String])| {
        let scopes = scopes.and_then(|it| it.profile(name)).unwrap_or_default();
        ScopeProfileView { name, scopes: scopes.into_iter().map(str::to_owned).collect() }
    };
    AppFacts {
        name_slug: found.slug.clone(),
        auth_type: found.wire_auth_type(),
        description: found.description.clone(),
        img_src: app.url(&format!("/_static/apps/{}.svg", found.slug)).into(),
        custom_fields_json: json!(found.fields.iter().map(field).collect::<Vec<_>>()).to_string(),
        categories: found.categories.clone(),
        featured_weight: u32::from(found.popularity),
        scope_profiles: scopes
            .map_or_else(Vec::new, |it| it.profiles.iter().map(profile).collect()),
    }
}

/// One field in the older clients' words. Only `password` means anything to them: the value is
/// sensitive.
fn field(field: &Field) -> serde_json::Value {
    let kind = match field.kind {
        _ if field.is_secret() => "password",
        FieldKind::Number => "number",
        FieldKind::Select => "select",
        FieldKind::Checkbox => "checkbox",
        _ => "text",
    };
    let options: Vec<_> =
        field.options.iter().map(|it| json!({ "value": it.value, "label": it.label })).collect();
    json!({
        "name": field.name,
        "label": field.label,
        "description": field.help,
        "placeholder": field.placeholder,
        "type": kind,
        "default": field.default,
        "optional": field.optional,
        "options": if options.is_empty() { None } else { Some(options) },
    })
}
