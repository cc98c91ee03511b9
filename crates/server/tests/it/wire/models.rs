//! What strict clients want of an answer, as data: a field that is missing or of another type makes
//! the whole call fail for them.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::world::Reply;

/// What a value is.
#[derive(Clone, Copy)]
pub enum Kind {
    Text,
    Flag,
    Whole,
    Number,
    /// A date and time with its offset (ISO 8601).
    Iso,
    /// A whole number of seconds since 1970, and not of milliseconds.
    Seconds,
    Url,
    /// A text that begins so, with letters and digits after it.
    Id(&'static str),
    Map,
    Texts,
    /// A text that holds a JSON array.
    ArrayText,
    Of(Model),
    Each(Model),
}

/// One field: its name, its type, whether it must be there, whether it may be null.
#[derive(Clone, Copy)]
pub struct Field(&'static str, Kind, bool, bool);

/// Fields in groups, so that models may share some.
pub type Model = &'static [&'static [Field]];

const fn must(name: &'static str, kind: Kind) -> Field {
    Field(name, kind, true, false)
}

const fn must_or_null(name: &'static str, kind: Kind) -> Field {
    Field(name, kind, true, true)
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field(name, kind, false, true)
}

/// How an answer is wrapped.
#[derive(Clone, Copy)]
pub enum Shape {
    /// Nothing at all.
    Empty,
    Bare(Model),
    BareList(Model),
    /// `{data: {..}}`.
    Wrapped(Model),
    /// `{data: null}` too.
    WrappedOrNull(Model),
    /// `{data: [..]}` without pages.
    List(Model),
    /// `{data: [..], page_info: {..}}`.
    Page(Model),
    /// An error: `{error, code}`, with this code.
    Error(&'static str),
    /// The app's own; not judged here.
    Foreign,
}

use Kind::{ArrayText, Each, Flag, Id, Iso, Map, Number, Of, Seconds, Text, Texts, Url, Whole};

pub const ACCESS_TOKEN: Model = &[&[
    must("access_token", Text),
    must("token_type", Text),
    must("expires_in", Whole),
    may("created_at", Seconds),
]];

/// What a client for the token endpoint reads of a refusal (RFC 6749 section 5.2).
pub const REFUSAL: Model = &[&[must("error", Text)]];

pub const CONNECT_TOKEN: Model =
    &[&[must("token", Id("ctok_")), must("expires_at", Iso), must("connect_link_url", Url)]];

pub const VALIDATION: Model = &[&[
    must("success", Flag),
    must_or_null("error", Text),
    may("app", Of(APP)),
    may("app_override_id", Id("ao_")),
    may("app_override_field_names", Texts),
    may("oauth_app_id", Id("oa_")),
    may("oauth_app_workday_official", Flag),
    may("oauth_app_connect_base_url", Url),
    may("project_id", Id("proj_")),
    may("project_app_name", Text),
    may("project_support_email", Text),
    may("project_environment", Text),
    may("success_redirect_uri", Url),
    may("error_redirect_uri", Url),
]];

const PROFILE: Model = &[&[must("name", Text), must("scopes", Texts)]];

const PROXY: Model = &[&[
    must("proxy_enabled", Flag),
    must_or_null("allowed_domains", Texts),
    must("base_proxy_target_url", Text),
]];

/// What an app and a client for it have in common.
const FACTS: &[Field] = &[
    must("name_slug", Text),
    must("name", Text),
    may("auth_type", Text),
    may("description", Text),
    must("img_src", Url),
    must_or_null("custom_fields_json", ArrayText),
    must("categories", Texts),
    must("featured_weight", Number),
    must("scope_profiles", Each(PROFILE)),
];

pub const APP: Model = &[FACTS, &[may("id", Id("app_")), may("oauth_app_id", Id("oa_"))], CONNECT];

const CONNECT: &[Field] = &[must("connect", Of(PROXY))];

pub const OAUTH_APP: Model = &[
    FACTS,
    &[
        must("id", Id("oa_")),
        must("client_id", Text),
        must("scopes", Texts),
        must("additional_scopes", Texts),
        must("redirect_uri", Url),
        must("owner_id", Text),
        must("created_at", Iso),
        must("updated_at", Iso),
    ],
];

pub const CATEGORY: Model = &[&[must("id", Id("appcat_")), must("name", Text)]];

pub const ACCOUNT: Model = &[&[
    must("id", Id("apn_")),
    may("name", Text),
    must("external_id", Text),
    must("healthy", Flag),
    may("dead", Flag),
    must("app", Of(APP)),
    must("created_at", Iso),
    must("updated_at", Iso),
    must("authorized_scopes", Texts),
    may("credentials", Map),
    may("expires_at", Iso),
    may("error", Text),
    may("last_refreshed_at", Iso),
    may("next_refresh_at", Iso),
]];

pub const OVERRIDE: Model = &[&[
    must("id", Id("ao_")),
    must("name", Text),
    must("app", Of(APP)),
    may("oauth_app_id", Id("oa_")),
    must("cfmap", Map),
    must("owner_id", Text),
    must("created_at", Iso),
    must("updated_at", Iso),
]];

pub const USER: Model = &[&[
    must("id", Id("exu_")),
    must("external_id", Text),
    may("created_at", Iso),
    may("updated_at", Iso),
]];

pub const PROJECT: Model = &[&[
    must("id", Id("proj_")),
    must("name", Text),
    may("app_name", Text),
    may("support_email", Text),
    must("connect_require_key_auth_test", Flag),
]];

const CONFIGURED: Model = &[&[must_or_null("id", Id("oa_")), must("name_slug", Text)]];

pub const PROJECT_INFO: Model = &[&[must("apps", Each(CONFIGURED))]];

const DELIVERY: Model = &[&[
    must("state", Text),
    may("since", Seconds),
    may("last_error", Text),
    must("consecutive_failures", Whole),
    must("sheds", Whole),
]];

const WEBHOOK_FIELDS: &[Field] = &[
    must("id", Text),
    must("url", Url),
    must("signing_key_set", Flag),
    must("created_at", Seconds),
    must("updated_at", Seconds),
    may("active", Flag),
    may("delivery_state", Of(DELIVERY)),
];

pub const WEBHOOK: Model = &[WEBHOOK_FIELDS];
pub const WEBHOOK_WITH_KEY: Model = &[WEBHOOK_FIELDS, &[must("signing_key", Text)]];

pub const COMPONENT: Model = &[&[
    must("key", Text),
    must("name", Text),
    must("version", Text),
    must("configurable_props", Each(&[])),
]];

pub const DEPLOYED: Model = &[&[
    must("id", Id("dc_")),
    must("owner_id", Text),
    must("component_id", Text),
    must("configurable_props", Each(&[])),
    must("configured_props", Map),
    must("active", Flag),
    must("created_at", Seconds),
    must("updated_at", Seconds),
    must("name", Text),
    must("name_slug", Text),
]];

pub const USAGE: Model = &[&[
    must("credits_used", Whole),
    must("usage_start_ts", Seconds),
    must("usage_end_ts", Seconds),
]];

const PAGE_INFO: Model = &[&[
    must("count", Whole),
    must("total_count", Whole),
    must_or_null("start_cursor", Text),
    must_or_null("end_cursor", Text),
]];

const ERROR: Model = &[&[must("error", Text), must("code", Text), may("details", Map)]];

/// What a strict client would trip over; nothing when it takes the answer.
pub fn faults(reply: &Reply, shape: Shape) -> Vec<String> {
    if matches!(shape, Shape::Foreign) {
        return Vec::new();
    }
    if matches!(shape, Shape::Empty) {
        return if reply.text.is_empty() { Vec::new() } else { vec!["a body".to_owned()] };
    }
    let kind = reply.headers.get("content-type").and_then(|it| it.to_str().ok());
    if !kind.is_some_and(|it| it.starts_with("application/json")) {
        return vec![format!("content-type is {kind:?}")];
    }
    let Ok(body) = serde_json::from_str::<Value>(&reply.text) else {
        return vec!["the body is not JSON".to_owned()];
    };
    let mut found = Vec::new();
    let data = &body["data"];
    match shape {
        Shape::Empty | Shape::Foreign => {}
        Shape::Bare(model) => object(&body, model, "", &mut found),
        Shape::BareList(model) => each(&body, model, "", &mut found),
        Shape::WrappedOrNull(_) if data.is_null() && body.get("data").is_some() => {}
        Shape::Wrapped(model) | Shape::WrappedOrNull(model) => {
            object(data, model, "data", &mut found);
        }
        Shape::List(model) => each(data, model, "data", &mut found),
        Shape::Page(model) => {
            each(data, model, "data", &mut found);
            object(&body["page_info"], PAGE_INFO, "page_info", &mut found);
            let count = data.as_array().map(|it| it.len() as u64);
            if body["page_info"]["count"].as_u64() != count {
                found.push("page_info.count is not the number of items".to_owned());
            }
        }
        Shape::Error(code) => {
            object(&body, ERROR, "", &mut found);
            if body["code"] != code {
                found.push(format!("code is {}, not {code}", body["code"]));
            }
        }
    }
    found
}

fn object(value: &Value, model: Model, at: &str, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else {
        found.push(format!("{at} is no object: {value}"));
        return;
    };
    for Field(name, kind, must, or_null) in model.iter().flat_map(|it| *it) {
        match members.get(*name) {
            None if *must => found.push(format!("{at}.{name} is missing")),
            None => {}
            Some(Value::Null) if *or_null => {}
            Some(value) => typed(value, *kind, &format!("{at}.{name}"), found),
        }
    }
}

fn each(value: &Value, model: Model, at: &str, found: &mut Vec<String>) {
    match value.as_array() {
        None => found.push(format!("{at} is no array: {value}")),
        Some(items) => {
            for (nth, item) in items.iter().enumerate() {
                object(item, model, &format!("{at}[{nth}]"), found);
            }
        }
    }
}

fn typed(value: &Value, kind: Kind, at: &str, found: &mut Vec<String>) {
    let text = value.as_str();
    let right = match kind {
        Kind::Text => text.is_some(),
        Kind::Flag => value.is_boolean(),
        Kind::Whole => value.is_i64() || value.is_u64(),
        Kind::Number => value.is_number(),
        Kind::Iso => text.is_some_and(|it| OffsetDateTime::parse(it, &Rfc3339).is_ok()),
        // Milliseconds of our days have 13 digits.
        Kind::Seconds => value.as_i64().is_some_and(|it| (0..100_000_000_000).contains(&it)),
        Kind::Url => text.is_some_and(|it| url::Url::parse(it).is_ok()),
        Kind::Id(prefix) => text.and_then(|it| it.strip_prefix(prefix)).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_alphanumeric())
        }),
        Kind::Map => value.is_object(),
        Kind::Texts => value.as_array().is_some_and(|it| it.iter().all(Value::is_string)),
        Kind::ArrayText => text
            .and_then(|it| serde_json::from_str::<Value>(it).ok())
            .is_some_and(|it| it.is_array()),
        Kind::Of(model) => return object(value, model, at, found),
        Kind::Each(model) => return each(value, model, at, found),
    };
    if !right {
        found.push(format!("{at} has another type: {value}"));
    }
}

#[test]
fn a_strict_client_trips_over_what_it_cannot_read() {
    let told = |body: Value, shape: Shape| {
        let kind = reqwest::header::HeaderValue::from_static("application/json");
        let headers = [(reqwest::header::CONTENT_TYPE, kind)].into_iter().collect();
        let reply = Reply { status: reqwest::StatusCode::OK, headers, text: body.to_string() };
        faults(&reply, shape)
    };
    let info = json!({ "count": 1, "total_count": 1, "start_cursor": "a", "end_cursor": null });
    let user = json!({ "id": "exu_1", "external_id": "ada", "created_at": "2026-11-23T03:10:00Z" });
    let page = |user: &Value, info: &Value| json!({ "data": [user], "page_info": info });
    assert!(told(page(&user, &info), Shape::Page(USER)).is_empty());
    let with = |name: &str, value: Value| {
        let mut user = user.clone();
        user[name] = value;
        user
    };
    for bad in [
        page(&with("external_id", Value::Null), &info),
        page(&with("external_id", json!(7)), &info),
        page(&with("id", json!("apn_1")), &info),
        page(&with("created_at", json!(1_790_000_000)), &info),
        page(&with("created_at", json!("yesterday")), &info),
        page(&user, &json!({})),
        page(&user, &Value::Null),
        json!({ "data": user, "page_info": info }),
        json!([user]),
    ] {
        assert_eq!(told(bad.clone(), Shape::Page(USER)).len().min(1), 1, "{bad}");
    }
    let hook = |at: i64| {
        json!({ "data": { "id": "wh_1", "url": "https://w.example/", "signing_key_set": true,
            "created_at": at, "updated_at": at } })
    };
    assert!(told(hook(1_790_000_000), Shape::Wrapped(WEBHOOK)).is_empty());
    assert_eq!(told(hook(1_790_000_000_000), Shape::Wrapped(WEBHOOK)).len(), 2, "milliseconds");
    assert_eq!(told(hook(1_790_000_000), Shape::Wrapped(WEBHOOK_WITH_KEY)).len(), 1, "no key");
    assert_eq!(told(hook(1_790_000_000), Shape::Bare(WEBHOOK)).len(), 5, "wrapped, not bare");
    assert_eq!(told(json!({}), Shape::Empty).len(), 1, "a body where none is wanted");
    assert_eq!(told(json!({ "error": "x" }), Shape::Error("not_found")).len(), 2, "no code");
}
