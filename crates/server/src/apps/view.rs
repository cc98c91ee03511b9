//! An app as callers see it.

use grantkeep_catalog::{App as CatalogApp, Field, FieldKind};
use serde::Serialize;
use serde_json::json;

use crate::app::App;

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
    /// What relative targets are joined to; may hold `${field}`.
    base_proxy_target_url: String,
}

/// An app of the catalogue. Strict clients want every field.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AppView {
    id: String,
    name_slug: String,
    name: String,
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
    oauth_app_id: Option<String>,
    connect: ProxyView,
}

pub fn app_view(app: &App, found: &CatalogApp) -> AppView {
    let scopes = match (found.oauth2(), found.oauth1()) {
        (Some(it), _) => Some(&it.scopes),
        (_, Some(it)) => Some(&it.scopes),
        _ => None,
    };
    let profile = |(name, _): (&'static str, &[String])| {
        let scopes = scopes.and_then(|it| it.profile(name)).unwrap_or_default();
        ScopeProfileView { name, scopes: scopes.into_iter().map(str::to_owned).collect() }
    };
    AppView {
        id: found.id.clone(),
        name_slug: found.slug.clone(),
        name: found.name.clone(),
        auth_type: found.wire_auth_type(),
        description: found.description.clone(),
        img_src: app.url(&format!("/_static/apps/{}.svg", found.slug)).into(),
        custom_fields_json: json!(found.fields.iter().map(field).collect::<Vec<_>>()).to_string(),
        categories: found.categories.clone(),
        featured_weight: u32::from(found.popularity),
        scope_profiles: scopes
            .map_or_else(Vec::new, |it| it.profiles.iter().map(profile).collect()),
        oauth_app_id: None,
        connect: ProxyView {
            proxy_enabled: found.proxy.is_some(),
            allowed_domains: found.proxy.as_ref().map(|it| it.hosts.clone()),
            base_proxy_target_url: found
                .proxy
                .as_ref()
                .map_or_else(String::new, |it| it.base_url.clone()),
        },
    }
}

/// One field in the older clients' words. Only `password` means anything to them: the value is sensitive.
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
