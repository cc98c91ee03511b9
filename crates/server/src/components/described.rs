//! What a component's code says of itself, and what callers are shown of that.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a component may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    Action,
    Source,
}

impl What {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Source => "source",
        }
    }

    /// As callers have it: to them, a source is a trigger.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Source => "trigger",
        }
    }
}

/// What the code says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(rename = "type")]
    pub what: What,
    #[serde(default)]
    pub annotations: Option<Value>,
    #[serde(default)]
    pub dedupe: Option<String>,
    #[serde(default)]
    pub stash: Option<String>,
    #[serde(default)]
    pub sample_emit: bool,
    /// The fields, each as an object, in their order.
    #[serde(default)]
    pub props: Vec<Value>,
    #[serde(default)]
    pub hooks: Vec<String>,
    #[serde(default)]
    pub run: bool,
    #[serde(default)]
    pub additional_props: bool,
}

/// Name and type of a field, where it has both.
pub fn name_and_type(prop: &Value) -> Option<(&str, &str)> {
    Some((prop.get("name")?.as_str()?, prop.get("type")?.as_str()?))
}

/// The field of that name.
pub fn find_prop<'a>(props: &'a [Value], name: &str) -> Option<&'a Value> {
    props.iter().find(|it| name_and_type(it).is_some_and(|(is, _)| is == name))
}

/// The slug of the app whose accounts the field takes.
pub fn app_of(prop: &Value) -> Option<&str> {
    let (_, kind) = name_and_type(prop)?;
    if kind == "app" { prop.get("app")?.as_str() } else { None }
}

impl Described {
    /// The slugs of the apps whose accounts it takes.
    pub fn apps(&self) -> impl Iterator<Item = &str> {
        self.props.iter().filter_map(app_of)
    }

    /// Fields as strict clients can read them.
    pub fn shown_props(&self) -> Vec<Value> {
        shown(&self.props)
    }
}

/// Types that clients know, each with the attributes that they want it to have.
const TYPES: &[(&str, &[&str])] = &[
    ("alert", &["content"]),
    ("any", &[]),
    ("app", &["app"]),
    ("boolean", &[]),
    ("data_store", &[]),
    ("dir", &[]),
    ("http_request", &[]),
    ("integer", &[]),
    ("integer[]", &[]),
    ("object", &[]),
    ("sql", &["auth"]),
    ("string", &[]),
    ("string[]", &[]),
    ("$.airtable.baseId", &["appProp"]),
    ("$.airtable.fieldId", &["tableIdProp"]),
    ("$.airtable.tableId", &["baseIdProp"]),
    ("$.airtable.viewId", &["tableIdProp"]),
    ("$.discord.channel", &["appProp"]),
    ("$.discord.channel[]", &["appProp"]),
    ("$.interface.apphook", &["appProp"]),
    ("$.interface.http", &[]),
    ("$.interface.timer", &[]),
    ("$.service.db", &[]),
];

/// The fields as strict clients can read them. They fail on the whole answer for a type that they
/// do not know, or a default that does not fit its type.
pub fn shown(props: &[Value]) -> Vec<Value> {
    props.iter().filter_map(shown_prop).collect()
}

fn shown_prop(prop: &Value) -> Option<Value> {
    let (_, kind) = name_and_type(prop)?;
    let mut out = prop.as_object()?.clone();
    let known = TYPES.iter().find(|(it, _)| *it == kind);
    let whole = known.is_some_and(|(_, wanted)| wanted.iter().all(|it| has(&out, it)));
    if !whole && kind == "alert" {
        out.insert("content".to_owned(), json!(""));
    } else if !whole {
        out.insert("type".to_owned(), json!("any"));
    }
    if let Some(default) = out.get("default")
        && !fits(out["type"].as_str().unwrap_or_default(), default)
    {
        out.remove("default");
    }
    Some(Value::Object(out))
}

fn has(prop: &Map<String, Value>, attribute: &str) -> bool {
    match prop.get(attribute) {
        Some(Value::String(_)) => attribute != "auth",
        Some(Value::Object(auth)) => attribute == "auth" && auth.get("app").is_some(),
        _ => false,
    }
}

/// Whether a default is of the field's type.
fn fits(kind: &str, default: &Value) -> bool {
    let all = |is: fn(&Value) -> bool| default.as_array().is_some_and(|it| it.iter().all(is));
    match kind {
        "string" => default.is_string(),
        "string[]" => all(Value::is_string),
        "integer" => default.is_i64(),
        "integer[]" => all(Value::is_i64),
        "boolean" => default.is_boolean(),
        "object" | "$.interface.timer" => default.is_object(),
        "sql" => {
            let names = ["value", "query", "params", "usePreparedStatements"];
            names.iter().all(|it| default.get(it).is_some())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_9_strict_clients_can_read_every_field() {
        let props = json!([
            { "name": "a", "type": "string", "default": 3 },
            { "name": "b", "type": "boolean[]", "default": [true] },
            { "name": "c", "type": "app" },
            { "name": "d", "type": "sql", "auth": { "app": "x" }, "default": { "value": "" } },
            { "name": "e", "type": "integer[]", "default": 1, "min": 0 },
            { "name": "f", "type": "alert" },
            { "type": "string" },
            "g",
        ]);
        let expected = json!([
            { "name": "a", "type": "string" },
            { "name": "b", "type": "any", "default": [true] },
            { "name": "c", "type": "any" },
            { "name": "d", "type": "sql", "auth": { "app": "x" } },
            { "name": "e", "type": "integer[]", "min": 0 },
            { "name": "f", "type": "alert", "content": "" },
        ]);
        assert_eq!(Value::Array(shown(props.as_array().unwrap())), expected);
    }
}
