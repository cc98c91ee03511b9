//! The API's own description: `/openapi.json` for programs, `/docs` for people.

use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::error::{self, Result};

mod complete;

pub(crate) use complete::complete;

/// The document, ready to be sent in both forms.
pub struct Rendered {
    /// As it is served, and as `docs/openapi.json` holds it.
    pub json: String,
    html: Option<String>,
}

impl Rendered {
    pub fn of(document: &utoipa::openapi::OpenApi) -> Self {
        let mut json = document.to_pretty_json().unwrap_or_default();
        json.push('\n');
        let html = serde_json::from_str(&json).ok().and_then(|document: Value| {
            let page = Page { version: env!("CARGO_PKG_VERSION"), groups: groups(&document) };
            page.render().ok()
        });
        Self { json, html }
    }

    pub(crate) fn openapi(&'static self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.json.as_str()).into_response()
    }

    /// The document as a page. Made from the same routes, so it cannot say anything else.
    pub(crate) fn page(&'static self) -> Result<Response> {
        let html = self.html.as_deref().ok_or(error::INTERNAL)?;
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'none'",
            ),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        Ok((headers, html).into_response())
    }
}

#[derive(Template)]
#[template(path = "docs/docs.html")]
struct Page {
    version: &'static str,
    groups: Vec<Group>,
}

struct Group {
    name: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    about: String,
    callers: &'static str,
    parameters: Vec<Parameter>,
    body: Vec<Parameter>,
    answers: Vec<(String, String)>,
}

struct Parameter {
    name: String,
    place: String,
    kind: String,
    required: bool,
    about: String,
}

pub(crate) async fn style() -> Response {
    let text = include_str!("../../../web/docs/docs.css");
    let headers =
        [(header::CONTENT_TYPE, "text/css"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, text).into_response()
}

fn groups(document: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, found) in methods.as_object().into_iter().flatten() {
            let name = text(&found["tags"][0]);
            let operation = operation(document, path, method, found);
            match groups.iter_mut().find(|it| it.name == name) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { name, operations: vec![operation] }),
            }
        }
    }
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    groups
}

fn operation(document: &Value, path: &str, method: &str, found: &Value) -> Operation {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let about = [text(&found["summary"]), text(&found["description"])];
    let [summary, about] = about;
    let answers = found["responses"].as_object().into_iter().flatten();
    Operation {
        id: format!("{method}{}", path.replace(['/', '{', '}', '*'], "-")),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: if summary.is_empty() { format!("{method} {path}") } else { summary },
        about,
        callers: callers(&found["security"]),
        parameters: list(&found["parameters"]).iter().map(parameter).collect(),
        body: body(document, &found["requestBody"]),
        answers: answers.map(|(status, it)| (status.clone(), answer(it))).collect(),
    }
}

fn callers(security: &Value) -> &'static str {
    let names = security.as_array().cloned().unwrap_or_default();
    let has = |name: &str| names.iter().any(|it| it.get(name).is_some());
    match (has("client"), has("connect")) {
        (true, true) => "Access token, API key or connect token",
        (true, false) => "Access token or API key",
        (false, true) => "Connect token",
        (false, false) => "Nobody in particular",
    }
}

fn parameter(it: &Value) -> Parameter {
    Parameter {
        name: text(&it["name"]),
        place: text(&it["in"]),
        kind: kind(&it["schema"]),
        required: it["required"].as_bool().unwrap_or_default(),
        about: text(&it["description"]),
    }
}

/// The fields of a JSON body, one reference deep.
fn body(document: &Value, body: &Value) -> Vec<Parameter> {
    let schema = &body["content"]["application/json"]["schema"];
    let schema = resolved(document, schema);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields
        .map(|(name, it)| Parameter {
            name: name.clone(),
            place: "body".to_owned(),
            kind: kind(it),
            required: required.iter().any(|needed| needed == name.as_str()),
            about: text(&it["description"]),
        })
        .collect()
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|it| it.rsplit('/').next());
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

fn kind(schema: &Value) -> String {
    match (&schema["type"], schema["$ref"].as_str()) {
        (Value::String(kind), _) => kind.clone(),
        (Value::Array(kinds), _) => {
            let kinds = kinds.iter().filter_map(Value::as_str).filter(|it| *it != "null");
            kinds.collect::<Vec<_>>().join(" or ")
        }
        (_, Some(reference)) => reference.rsplit('/').next().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

fn answer(it: &Value) -> String {
    let schema = &it["content"]["application/json"]["schema"];
    let named = kind(schema);
    let said = text(&it["description"]);
    [said, named].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().trim().to_owned()
}
