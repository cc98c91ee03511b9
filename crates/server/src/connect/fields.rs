//! What the person is asked for: as the page shows it, and judged when it comes back.

use std::collections::BTreeMap;

use grantkeep_catalog::{App as CatalogApp, Field, FieldKind, HostForm, HostRule};
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
        let value = value.or_else(|| field.default.clone()).unwrap_or_default();
        let value = app.take(field, &value).map_err(|why| refuse(field, &why.to_string()))?;
        if !value.is_empty() {
            good.insert(field.name.clone(), value);
        }
    }
    Ok(good)
}

fn refuse(field: &Field, why: &str) -> Error {
    error::INVALID_FIELD.saying(why.to_owned()).with(json!({ "field": field.name }))
}

/// What comes of a form that was not taken: what was typed, and why not.
#[derive(Default)]
pub(super) struct Again<'a> {
    pub typed: Typed,
    /// The field to blame.
    pub wrong: Option<(&'a str, &'a str)>,
    /// What is said where no field is.
    pub alert: Option<String>,
    pub profile: Option<String>,
}

impl Again<'_> {
    pub fn is_fresh(&self) -> bool {
        self.wrong.is_none() && self.alert.is_none()
    }
}

/// The fields as the page shows them, without those whose values are set. What was typed before is
/// there again; secrets are not.
pub(super) fn shown(
    app: &CatalogApp,
    set: Option<&AppOverride>,
    again: &Again<'_>,
) -> Vec<view::Field> {
    let asked = |it: &&Field| set.is_none_or(|set| !set.fields.contains_key(&it.name));
    app.fields.iter().filter(asked).map(|field| show(app, field, again)).collect()
}

fn show(app: &CatalogApp, field: &Field, again: &Again<'_>) -> view::Field {
    let (prefix, suffix) = around(app, field);
    let typed = again.typed.get(&field.name).or(field.default.as_ref());
    let error = again.wrong.filter(|(name, _)| *name == field.name);
    view::Field {
        name: field.name.clone(),
        label: field.label.clone(),
        help: field.help.clone(),
        kind: kind(field),
        secret: field.is_secret(),
        required: !field.optional,
        placeholder: field.placeholder.clone(),
        value: typed.filter(|_| !field.is_secret()).cloned().unwrap_or_default(),
        host: field.host.as_ref().map(|it| match it.form {
            HostForm::Label => "label",
            HostForm::Name => "name",
            HostForm::Url => "url",
        }),
        prefix,
        suffix,
        options: field.options.iter().map(choice).collect(),
        form: form(app, field),
        error: error.map(|(_, why)| why.to_owned()),
    }
}

fn choice(it: &grantkeep_catalog::Choice) -> view::Choice {
    view::Choice { value: it.value.clone(), label: it.label.clone() }
}

/// What stands before and after a part of a host name: `https://` and `.zendesk.com`.
fn around(app: &CatalogApp, field: &Field) -> (Option<String>, Option<String>) {
    match app.around(field) {
        Some(it) => (Some(it.before), Some(it.after)),
        None if field.host.as_ref().is_some_and(|it| it.form == HostForm::Name) => {
            (Some("https://".to_owned()), None)
        }
        None => (None, None),
    }
}

fn kind(field: &Field) -> view::FieldKind {
    match field.kind {
        FieldKind::Number => view::FieldKind::Number,
        FieldKind::Select => view::FieldKind::Select,
        FieldKind::Checkbox => view::FieldKind::Checkbox,
        FieldKind::Multiline => view::FieldKind::Lines,
        FieldKind::Json => view::FieldKind::Json,
        _ if field.is_secret() => view::FieldKind::Secret,
        _ if field.host.is_some() => view::FieldKind::Url,
        _ => view::FieldKind::Text,
    }
}

/// One label of a host, and a whole host, as the browser's expressions have it.
const LABEL: &str = "[A-Za-z0-9]([A-Za-z0-9\\-]{0,61}[A-Za-z0-9])?";
const HOST: &str = "([A-Za-z0-9\\-]+\\.)+[A-Za-z0-9\\-]*[A-Za-z][A-Za-z0-9\\-]*";
const NUMBER: &str = "[+\\-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+\\-]?[0-9]+)?";

/// What the browser can see at once, before anything is sent. The server judges all of it again.
fn form(app: &CatalogApp, field: &Field) -> Option<view::Form> {
    let pattern = match (&field.host, field.kind) {
        (_, FieldKind::Select | FieldKind::Checkbox | FieldKind::Json) => return None,
        (Some(rule), _) => host_pattern(rule),
        (None, FieldKind::Number) => NUMBER.to_owned(),
        (None, FieldKind::ConnectionString) => connection_pattern(field),
        (None, _) => field.pattern.clone()?,
    };
    Some(view::Form { pattern, wanted: app.form_wanted(field) })
}

fn host_pattern(rule: &HostRule) -> String {
    let host = match rule.form {
        HostForm::Label => return LABEL.to_owned(),
        HostForm::Name => HOST.to_owned(),
        HostForm::Url => format!("https://{HOST}/?"),
    };
    if rule.under.is_empty() {
        return host;
    }
    let ends: Vec<String> = rule.under.iter().map(|it| it.replace('.', "\\.")).collect();
    let slash = if rule.form == HostForm::Url { "/?" } else { "" };
    format!("(?=.*({}){slash}$){host}", ends.join("|"))
}

fn connection_pattern(field: &Field) -> String {
    let scheme = if field.schemes.is_empty() {
        "[A-Za-z][A-Za-z0-9+.\\-]*".to_owned()
    } else {
        field.schemes.join("|").replace('+', "\\+")
    };
    format!("({scheme}):\\/\\/\\S+")
}

#[cfg(test)]
mod tests {
    use grantkeep_catalog::Catalog;

    use super::*;

    fn field(app: &str, name: &str, again: &Again<'_>) -> view::Field {
        let app = Catalog::builtin().get(app).unwrap();
        shown(&app, None, again).into_iter().find(|it| it.name == name).unwrap()
    }

    #[test]
    fn a_refused_form_comes_back_without_its_secrets() {
        let typed = [("account_sid", "ACx"), ("auth_token", "hunter2")];
        let typed = typed.map(|(name, it)| (name.to_owned(), it.to_owned())).into();
        let again = Again { typed, wrong: Some(("account_sid", "no")), ..Again::default() };
        let sid = field("twilio", "account_sid", &again);
        assert_eq!((sid.value.as_str(), sid.error.as_deref()), ("ACx", Some("no")));
        let token = field("twilio", "auth_token", &again);
        assert_eq!((token.value.as_str(), token.error), ("", None));
    }

    #[test]
    fn a_label_is_shown_within_its_address() {
        let subdomain = field("zendesk", "subdomain", &Again::default());
        assert_eq!(subdomain.prefix.as_deref(), Some("https://"));
        assert_eq!(subdomain.suffix.as_deref(), Some(".zendesk.com"));
        let wanted = subdomain.form.unwrap().wanted;
        assert!(wanted.ends_with("Enter only what stands before .zendesk.com."), "{wanted}");
    }
}
