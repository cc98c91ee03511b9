//! What is true of every operation, said once: the failures it may answer with, and the bounds of
//! parameters that many have. `tests/api` holds the server to it.

use serde_json::json;
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, Ref, RefOr, Required, Response};

use crate::error::ErrorView;
use crate::query::{LIMIT_DEFAULT, LIMIT_MAX};

const JSON: &str = "application/json";
const ENVIRONMENT: &str = "x-pd-environment";
/// What belongs to a project as a whole, below its path.
const OF_BOTH_ENVIRONMENTS: [&str; 6] =
    ["/app_overrides", "/custom_apps", "/freeze", "/oauth_apps", "/projects/info", "/workflows"];

/// Adds to each operation what its own lines need not say.
pub(crate) fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.schemas.insert(ErrorView::name().into_owned(), ErrorView::schema());
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            fail(path, operation);
            if wants_environment(path, operation) {
                let header = ParameterBuilder::new().name(ENVIRONMENT);
                let header = header.parameter_in(ParameterIn::Header).required(Required::True);
                let header = RefOr::T(header.build());
                operation.parameters.get_or_insert_default().push(header);
            }
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    bound(path, parameter);
                }
            }
        }
    }
}

/// Whether a client must name the environment, and the operation does not say so itself.
fn wants_environment(path: &str, operation: &Operation) -> bool {
    let within = path.strip_prefix("/v1/connect/{project}").unwrap_or_default();
    let of_one =
        !within.is_empty() && !OF_BOTH_ENVIRONMENTS.iter().any(|it| within.starts_with(it));
    let client = SecurityRequirement::new("client", [""; 0]);
    let named = operation.parameters.iter().flatten();
    let named = named.into_iter().any(|it| matches!(it, RefOr::T(it) if it.name == ENVIRONMENT));
    of_one && !named && operation.security.iter().flatten().any(|it| *it == client)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// The failures. What an operation says of a status itself stays, and gets the form of all.
fn fail(path: &str, operation: &mut Operation) {
    let guarded =
        operation.security.iter().flatten().any(|it| *it != SecurityRequirement::default());
    let mut common = vec![("400", "Something in the request is wrong; `code` says what")];
    if guarded {
        common.push(("401", "The bearer is missing, unknown, ended, or of another kind"));
        common.push(("403", "The bearer lacks a scope, or comes from another origin"));
        let limited = "A rate limit is reached, or too many wrong credentials came from this \
                       address; see `Retry-After`";
        common.push(("429", limited));
    }
    if guarded && path.contains('{') {
        common.push(("404", "There is no such thing, or it is not the caller's"));
    }
    if operation.request_body.is_some() {
        common.push(("415", "The body is not JSON"));
    }
    let other = "408, 413, 414, 431: the request is too slow or too large. 500, 503, 504: the \
                 server's fault; see `Retry-After`";
    common.push(("default", other));
    let answers = &mut operation.responses.responses;
    for (status, said) in common {
        answers.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(said)));
    }
    for (status, answer) in answers {
        let failed = status.starts_with(['4', '5']) || status == "default";
        if let RefOr::T(answer) = answer
            && failed
            && answer.content.is_empty()
        {
            let schema = Ref::from_schema_name(ErrorView::name());
            answer.content.insert(JSON.to_owned(), RefOr::T(Content::new(Some(schema))));
        }
    }
}

/// What a parameter may be, by its name, where its type alone does not say it.
fn bound(path: &str, parameter: &mut Parameter) {
    let within = path.split('/').nth(3).unwrap_or_default();
    let (schema, about) = match (&parameter.parameter_in, parameter.name.as_str()) {
        (ParameterIn::Query, "limit") => (
            json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": LIMIT_MAX,
                "default": LIMIT_DEFAULT }),
            "Items on a page",
        ),
        (ParameterIn::Query, "after") => (json!({ "type": "string" }), "A page's `end_cursor`"),
        (ParameterIn::Query, "before") => (json!({ "type": "string" }), "A page's `start_cursor`"),
        (ParameterIn::Query, "sort_key") => (
            json!({ "type": "string", "enum": ["name", "name_slug", "featured_weight"] }),
            "`featured_weight` when absent, unless `q` is given",
        ),
        (ParameterIn::Query, "sort_direction") => (
            json!({ "type": "string", "enum": ["asc", "desc"] }),
            "`desc` for `featured_weight` when absent, else `asc`",
        ),
        (ParameterIn::Query, "by") => (
            json!({ "type": "string", "enum": ["day", "hour"], "default": "day" }),
            "Into which pieces, of UTC",
        ),
        (ParameterIn::Header, ENVIRONMENT) => (
            json!({ "type": "string", "enum": ["development", "production"] }),
            "Never guessed. A connect token has its own, whatever is sent",
        ),
        (ParameterIn::Path, "project") => (id("proj_"), "The project's id"),
        (ParameterIn::Path, "id") if within == "projects" => (id("proj_"), "The project's id"),
        (ParameterIn::Path, "id") if path.contains("/oauth_apps/") => {
            (id("oa_"), "The OAuth client's id")
        }
        (ParameterIn::Path, "id") if path.contains("/app_overrides/") => {
            (id("ao_"), "The override's id")
        }
        (ParameterIn::Path, "slug") => {
            (json!({ "type": "string", "pattern": "^[a-z0-9_]{1,100}$" }), "The app's slug")
        }
        (ParameterIn::Path, "account") => (id("apn_"), "The account's id"),
        _ => return,
    };
    parameter.schema = serde_json::from_value::<Schema>(schema).ok().map(RefOr::T);
    parameter.description.get_or_insert_with(|| about.to_owned());
}

fn id(prefix: &str) -> serde_json::Value {
    json!({ "type": "string", "pattern": format!("^{prefix}[0-9A-Za-z]{{1,64}}$") })
}
