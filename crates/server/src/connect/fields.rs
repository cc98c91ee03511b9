//! What the person is asked for: as the page shows it, and judged when it comes back.

use std::collections::BTreeMap;

use grantkeep_catalog::{App as CatalogApp, Field, FieldKind, HostForm};
use serde_json::json;

use super::view;
use crate::apps::AppOverride;
use crate::error::{self, Error, Result};

/// What was typed, by field name.
pub(super) type Typed = BTreeMap<String, String>;

/// Judges what was typed and fills defaults in. Names that are not asked for are dropped.
///
/// # Errors
/// [`error::INVALID_FIELD`] with the field's name in `details.field`.
pub(super) fn judge(app: &CatalogApp, mut typed: Typed) -> Result<Typed> {
    let mut good = Typed::new();
    for field in &app.fields {
        let value = typed.remove(&field.name).filter(|it| !it.trim().is_empty());
        let Some(value) = value.or_else(|| field.default.clone()) else {
            field.check("").map_err(|why| refuse(field, &why.to_string()))?;
            continue;
        };
        let value =
            if field.kind == FieldKind::Multiline { value } else { value.trim().to_owned() };
        let value = if field.host.is_some() { value.to_ascii_lowercase() } else { value };
        field.check(&value).map_err(|why| refuse(field, &why.to_string()))?;
        good.insert(field.name.clone(), value);
    }
    Ok(good)
}

fn refuse(field: &Field, why: &str) -> Error {
    error::INVALID_FIELD.saying(why.to_owned()).with(json!({ "field": field.name }))
}

/// The fields as the page shows them, without those whose values are set.
pub(super) fn shown(app: &CatalogApp, set: Option<&AppOverride>) -> Vec<view::Field> {
    let asked = |it: &&Field| set.is_none_or(|set| !set.fields.contains_key(&it.name));
    app.fields.iter().filter(asked).map(show).collect()
}

fn show(field: &Field) -> view::Field {
    let (prefix, suffix) = around(field);
    view::Field {
        name: field.name.clone(),
        label: field.label.clone(),
        help: field.help.clone(),
        help_url: None,
        kind: kind(field),
        required: !field.optional,
        placeholder: field.placeholder.clone(),
        value: field.default.clone().filter(|_| !field.is_secret()).unwrap_or_default(),
        prefix,
        suffix,
        options: field.options.iter().map(choice).collect(),
    }
}

fn choice(it: &grantkeep_catalog::Choice) -> view::Choice {
    view::Choice { value: it.value.clone(), label: it.label.clone() }
}

/// What stands before and after a part of a host name: `https://` and `.zendesk.com`.
fn around(field: &Field) -> (Option<String>, Option<String>) {
    match &field.host {
        Some(rule) if rule.form == HostForm::Label => {
            let suffix = rule.under.first().filter(|it| it.starts_with('.')).cloned();
            (suffix.is_some().then(|| "https://".to_owned()), suffix)
        }
        Some(rule) if rule.form == HostForm::Name => (Some("https://".to_owned()), None),
        _ => (None, None),
    }
}

fn kind(field: &Field) -> view::FieldKind {
    match field.kind {
        _ if field.host.as_ref().is_some_and(|it| it.form == HostForm::Url) => view::FieldKind::Url,
        FieldKind::Number => view::FieldKind::Number,
        FieldKind::Select => view::FieldKind::Select,
        FieldKind::Checkbox => view::FieldKind::Checkbox,
        FieldKind::Multiline => view::FieldKind::Lines,
        _ if field.is_secret() => view::FieldKind::Secret,
        _ => view::FieldKind::Text,
    }
}
