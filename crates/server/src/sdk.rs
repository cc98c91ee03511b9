//! The browser's part of our SDK as one file, for pages without a bundler. Built from `sdk/js` and
//! committed, so that nothing has to be built before the server can run.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The script is public and holds nothing of anybody, so any page may load it as a module.
const ANY_ORIGIN: &str = "*";
/// Seconds that browsers may keep it; short, so that an upgrade reaches pages soon.
const CACHE: &str = "public, max-age=300";

/// `<script src=".../sdk.js">`, which defines `Grantkeep`.
pub(crate) async fn script() -> Response {
    javascript(include_str!("../../../web/sdk/sdk.js"))
}

/// `import { createClient } from ".../sdk.mjs"`.
pub(crate) async fn module() -> Response {
    javascript(include_str!("../../../web/sdk/sdk.mjs"))
}

fn javascript(text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, CACHE),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    (headers, text).into_response()
}
