//! Whether what somebody configured fits a component's fields, as far as that can be said before
//! its code is run.

use serde_json::{Map, Value};

use super::described::{find_prop, name_and_type};

/// Letters by which a name may differ from the one that was meant.
const SLIPS_MAX: usize = 3;
/// Names that are listed where none is near.
const LISTED_MAX: usize = 20;

/// What is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, as it was given. `None`: it was not.
    pub given: Option<String>,
    /// A sentence, without its stop unless it is a question.
    pub text: String,
}

impl Fault {
    fn at(name: &str, text: String) -> Self {
        Self { given: Some(name.to_owned()), text }
    }
}

/// Whether a value is known only when the component is run.
pub type Open = fn(&Value) -> bool;

/// The first fault of what was configured for good: a field that is not there, a value of another
/// type, a field that must be filled and is not.
pub fn judge(props: &[Value], given: &Map<String, Value>, how: (bool, Open)) -> Option<Fault> {
    let (more, open) = how;
    // Choices may bring further fields, once the component is run.
    let odd = if more { None } else { strange(props, given) };
    let wrong = || {
        given.iter().find_map(|(name, value)| {
            let text = wrong_type(find_prop(props, name)?, value, open)?;
            Some(Fault::at(name, text))
        })
    };
    if let Some(fault) = odd.or_else(wrong) {
        return Some(fault);
    }
    missing(props, given).map(|name| Fault { given: None, text: format!("`{name}` is missing") })
}

/// The first field that whoever configures has to fill, and did not.
fn missing<'a>(props: &'a [Value], given: &Map<String, Value>) -> Option<&'a str> {
    let empty = |name: &str| given.get(name).is_none_or(Value::is_null);
    props.iter().find_map(|prop| {
        let (name, kind) = name_and_type(prop)?;
        let chosen = matches!(kind, "app" | "data_store");
        (must_be_filled(prop, kind) && !chosen && empty(name)).then_some(name)
    })
}

/// The first value that is of no field.
pub fn strange(props: &[Value], given: &Map<String, Value>) -> Option<Fault> {
    let name = given.keys().find(|it| find_prop(props, it).is_none())?;
    Some(Fault::at(name, unknown(props, given, name)))
}

/// What is missing, for whoever lets other names be that are none: the field, and what is said of
/// it, with the name that may have been meant for it.
pub fn lacking(props: &[Value], given: &Map<String, Value>) -> Option<Fault> {
    let name = missing(props, given)?;
    Some(Fault { given: Some(name.to_owned()), text: lacks(props, given, name) })
}

/// A sentence about a field that was left out.
pub(super) fn lacks(props: &[Value], given: &Map<String, Value>, name: &str) -> String {
    match meant(props, given, name) {
        Some(meant) => format!("`{name}` is missing. There is no field `{meant}`"),
        None => format!("`{name}` is missing"),
    }
}

/// The value of no field that may have been meant for this one.
pub fn meant<'a>(props: &[Value], given: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let odd = given.keys().filter(|it| find_prop(props, it).is_none());
    nearest(name, odd.map(String::as_str))
}

/// The first value that its field cannot make anything of, however kindly it is read: products send
/// numbers as texts, and one value for a list of one.
pub fn misfit(props: &[Value], given: &Map<String, Value>) -> Option<Fault> {
    given.iter().find_map(|(name, value)| {
        let prop = find_prop(props, name)?;
        let (_, kind) = name_and_type(prop)?;
        let value = without_label(value);
        let fits = value.is_null() || fits_kindly(kind, value);
        (!fits).then(|| Fault::at(name, said(kind, value)))
    })
}

/// Whether whoever configures has to fill the field.
pub fn must_be_filled(prop: &Value, kind: &str) -> bool {
    let optional = prop["optional"] == true || prop.get("default").is_some();
    let hidden = prop["hidden"] == true || prop["disabled"] == true;
    let provided = kind.starts_with("$.interface.") || matches!(kind, "$.service.db" | "alert");
    !(optional || hidden || provided)
}

fn unknown(props: &[Value], given: &Map<String, Value>, name: &str) -> String {
    let fields = || props.iter().filter_map(|it| name_and_type(it).map(|(name, _)| name));
    // One that was given already is not what was meant.
    let free = fields().filter(|it| !given.contains_key(*it));
    if let Some(near) = nearest(name, free) {
        return format!("there is no such field. Did you mean `{near}`?");
    }
    let all: Vec<_> = fields().take(LISTED_MAX).map(|it| format!("`{it}`")).collect();
    if all.is_empty() {
        return "there is no such field, since the code declares none in its `props`".to_owned();
    }
    format!("there is no such field. There are {}", all.join(", "))
}

/// The one that is most like a name, if it is like it at all.
fn nearest<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = SLIPS_MAX.min(name.chars().count() / 2);
    let lower = name.to_lowercase();
    let far = |it: &str| strsim::osa_distance(&lower, &it.to_lowercase());
    all.map(|it| (far(it), it)).filter(|(far, _)| *far <= most).min().map(|(_, it)| it)
}

fn wrong_type(prop: &Value, value: &Value, open: Open) -> Option<String> {
    let (_, kind) = name_and_type(prop)?;
    let value = without_label(value);
    if value.is_null() || open(value) || fits(kind, value, open) {
        return None;
    }
    Some(said(kind, value))
}

/// A value without its label: `{__lv: ..}`, or an option as fields with `withLabel` have it.
fn without_label(value: &Value) -> &Value {
    let value = value.get("__lv").unwrap_or(value);
    let labelled = value.get("label").is_some();
    value.get("value").filter(|_| labelled).unwrap_or(value)
}

fn fits(kind: &str, value: &Value, open: Open) -> bool {
    if let Some(kind) = kind.strip_suffix("[]") {
        let one = |it: &Value| open(it) || fits(kind, without_label(it), open);
        return value.as_array().is_some_and(|all| all.iter().all(one));
    }
    match kind {
        "string" | "data_store" => value.is_string(),
        "integer" => whole(value),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        // A text of JSON is read by whoever runs it.
        "object" => value.is_object() || value.as_str().is_some_and(holds_object),
        "app" => value.get("authProvisionId").is_some_and(Value::is_string),
        "http_request" => value.is_object(),
        "sql" => value.is_object() || value.is_string(),
        _ if kind.starts_with("$.airtable.") || kind.starts_with("$.discord.") => value.is_string(),
        _ => true,
    }
}

fn fits_kindly(kind: &str, value: &Value) -> bool {
    // Forms send an empty text for a field that was left empty.
    let reads = |as_text: fn(&str) -> bool| {
        value.as_str().is_some_and(|it| it.trim().is_empty() || as_text(it.trim()))
    };
    match kind {
        "string" => !value.is_array() && (!value.is_object() || value.get("value").is_some()),
        "integer" => whole(value) || reads(|it| it.parse().is_ok_and(is_whole)),
        "number" => value.is_number() || reads(|it| it.parse::<f64>().is_ok()),
        "boolean" => value.is_boolean() || reads(|it| matches!(it, "true" | "false")),
        "object" => !value.is_boolean() && !value.is_number(),
        _ => true,
    }
}

fn whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(is_whole)
}

fn is_whole(number: f64) -> bool {
    number.fract() == 0.0
}

fn holds_object(text: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(text).is_ok()
}

fn said(kind: &str, value: &Value) -> String {
    let wanted = match kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "object" | "http_request" => "an object",
        "app" => "an account: { authProvisionId: \"apn_...\" }",
        "data_store" => "the name of a data store: a text",
        "string[]" => "a list of texts",
        "integer[]" => "a list of whole numbers",
        "boolean[]" => "a list of `true` and `false`",
        _ if kind.ends_with("[]") => "a list",
        _ => "a text",
    };
    let is = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(it) if it.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) if kind.ends_with("[]") => "a list that holds something else",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let quotes = kind == "string" && matches!(value, Value::Bool(_) | Value::Number(_));
    let hint = if quotes { ". Write it in quotes" } else { "" };
    format!("it is {wanted}, and this is {is}{hint}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn props() -> Vec<Value> {
        let all = json!([
            { "name": "slack", "type": "app", "app": "slack" },
            { "name": "channel", "type": "string" },
            { "name": "count", "type": "integer", "optional": true },
            { "name": "tags", "type": "string[]", "optional": true },
            { "name": "on", "type": "boolean", "default": true },
            { "name": "extra", "type": "object", "optional": true },
            { "name": "note", "type": "alert", "content": "" },
        ]);
        all.as_array().unwrap().clone()
    }

    fn text(value: &Value) -> bool {
        value.as_str().is_some_and(|it| it.contains("{{"))
    }

    fn told(given: &Value) -> Option<String> {
        let fault = judge(&props(), given.as_object().unwrap(), (false, text))?;
        Some(format!("{}: {}", fault.given.unwrap_or_default(), fault.text))
    }

    #[test]
    fn what_fits_is_let_through() {
        for given in [
            json!({ "channel": "C1" }),
            json!({ "channel": "{{ event.c }}", "count": "{{ event.n }}", "on": "{{ event.on }}" }),
            json!({ "channel": { "__lv": { "label": "General", "value": "C1" } } }),
            json!({ "channel": "C1", "tags": { "__lv": [{ "label": "A", "value": "a" }] } }),
            json!({ "channel": "C1", "tags": ["a", "{{ event.t }}"], "count": 3.0, "on": null }),
            json!({ "channel": "C1", "extra": "{\"a\": 1}", "slack": { "authProvisionId": "a" } }),
        ] {
            assert_eq!(told(&given), None, "{given}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_field() {
        for (given, wanted) in [
            (json!({ "chanel": "C1" }), "chanel: there is no such field. Did you mean `channel`?"),
            (json!({ "channel": "C1", "Count": 1 }), "Count: there is no such field. Did you mean"),
            (json!({ "channel": "C1", "xyz": 1 }), "xyz: there is no such field. There are"),
            (json!({}), ": `channel` is missing"),
            (json!({ "channel": null }), ": `channel` is missing"),
            (json!({ "channel": 7 }), "channel: it is a text, and this is a number. Write it in"),
            (json!({ "channel": "C", "count": "7" }), "count: it is a whole number, and this is a"),
            (json!({ "channel": "C", "count": 1.5 }), "count: it is a whole number, and this is a"),
            (json!({ "channel": "C", "tags": "a" }), "tags: it is a list of texts, and this is a"),
            (json!({ "channel": "C", "tags": [1] }), "tags: it is a list of texts, and this is a"),
            (json!({ "channel": "C", "on": "yes" }), "on: it is `true` or `false`, and this is a"),
            (json!({ "channel": "C", "extra": "x" }), "extra: it is an object, and this is a text"),
            (json!({ "channel": "C", "slack": "apn_1" }), "slack: it is an account: {"),
        ] {
            let said = told(&given).unwrap_or_default();
            assert!(said.starts_with(wanted), "{given}: {said}");
        }
    }

    #[test]
    fn products_are_read_kindly() {
        let fault = |given: Value| misfit(&props(), given.as_object().unwrap());
        let odd = json!({ "channel": 7, "count": "7", "on": "true", "tags": "a", "other": {} });
        assert_eq!(fault(odd), None);
        assert!(fault(json!({ "channel": { "id": "C1" } })).is_some());
        for none in [json!("many"), json!(2.5), json!("2.5")] {
            assert!(fault(json!({ "count": none })).is_some());
        }
    }
}
