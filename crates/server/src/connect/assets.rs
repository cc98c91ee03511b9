//! The page's stylesheet and script, and the apps' icons.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use grantkeep_catalog::{App as CatalogApp, placeholders};

use super::accent::{Rgb, contrast};
use crate::app::App;
use crate::apps;
use crate::error::{self, Result};
use crate::query::Query;

/// A file of the page. What the binary holds is served without what only readers need.
macro_rules! web {
    ($name:literal) => {
        concat!("../../../../web/connect/", $name)
    };
}

static CSS: LazyLock<String> = LazyLock::new(|| tight(&lean(include_str!(web!("connect.css")))));
static LIST_CSS: LazyLock<String> = LazyLock::new(|| tight(&lean(include_str!(web!("list.css")))));
static JS: LazyLock<String> = LazyLock::new(|| lean(include_str!(web!("connect.js"))));
static FIELDS_JS: LazyLock<String> = LazyLock::new(|| lean(include_str!(web!("fields.js"))));
static LIST_JS: LazyLock<String> = LazyLock::new(|| lean(include_str!(web!("list.js"))));
static WINDOW_JS: LazyLock<String> = LazyLock::new(|| lean(include_str!(web!("window.js"))));
const STYLES: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
/// Content with its hash in the address never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Anything else is asked for again.
const FOR_NOW: &str = "public, max-age=300";
/// The tile of an app whose file names no colour, and the two inks.
const GREY: Rgb = Rgb(0x5b, 0x64, 0x75);
const WHITE: Rgb = Rgb(0xff, 0xff, 0xff);
const INK: Rgb = Rgb(0x0b, 0x0d, 0x12);
/// A dark ink must stand out more by this factor to be chosen.
const WHITE_BIAS: f64 = 2.0;
/// Characters of a content hash in an address.
const HASH_CHARS: usize = 16;

/// What some pages need besides what all do.
#[derive(Clone, Copy)]
pub(super) enum More {
    Fields,
    List,
    /// For the sign-in's window.
    Window,
}

/// Addresses of a page's stylesheets, with the hash of what they hold.
pub(super) fn sheets(more: Option<More>) -> Vec<String> {
    let list = matches!(more, Some(More::List)).then_some(("connect-list.css", &LIST_CSS));
    [("connect.css", &CSS)].into_iter().chain(list).map(address).collect()
}

/// Addresses of a page's scripts, likewise; `more` runs first.
pub(super) fn scripts(more: Option<More>) -> Vec<String> {
    let more = more.map(|it| match it {
        More::Fields => ("connect-fields.js", &FIELDS_JS),
        More::List => ("connect-list.js", &LIST_JS),
        More::Window => ("connect-window.js", &WINDOW_JS),
    });
    more.into_iter().chain([("connect.js", &JS)]).map(address).collect()
}

fn address((name, text): (&str, &LazyLock<String>)) -> String {
    format!("/_static/{name}?v={}", hash(text))
}

/// A stylesheet or script without its indentation, empty lines and lines of comment: a fifth less
/// to send. No text in them runs over several lines.
fn lean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines().map(str::trim) {
        let whole = in_comment || line.starts_with("/*");
        in_comment = whole && !line.contains("*/");
        if !whole && !line.is_empty() && !line.starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn hash(text: &str) -> String {
    let hash = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
    hash.chars().take(HASH_CHARS).collect()
}

pub(crate) async fn css(query: Query) -> Response {
    asset(&CSS, STYLES, &query)
}

pub(crate) async fn list_css(query: Query) -> Response {
    asset(&LIST_CSS, STYLES, &query)
}

pub(crate) async fn js(query: Query) -> Response {
    asset(&JS, JAVASCRIPT, &query)
}

pub(crate) async fn fields_js(query: Query) -> Response {
    asset(&FIELDS_JS, JAVASCRIPT, &query)
}

pub(crate) async fn list_js(query: Query) -> Response {
    asset(&LIST_JS, JAVASCRIPT, &query)
}

pub(crate) async fn window_js(query: Query) -> Response {
    asset(&WINDOW_JS, JAVASCRIPT, &query)
}

fn asset(text: &'static str, kind: &'static str, query: &Query) -> Response {
    let known = query.all("v").any(|it| it == hash(text));
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, if known { FOR_EVER } else { FOR_NOW }),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, text).into_response()
}

/// The address of an app's icon.
pub(super) fn icon_path(slug: &str) -> String {
    format!("/_static/apps/{slug}.svg")
}

/// `GET /_static/apps/{slug}.svg`: the app's icon on its colour, or its first letter. The path
/// knows no project, so apps that the catalogue does not have get a letter too.
pub(crate) async fn icon(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
) -> Result<Response> {
    let slug = file.strip_suffix(".svg").filter(|it| placeholders::is_slug(it));
    let slug = slug.ok_or(error::NOT_FOUND)?;
    // An app of some project has a tile that tells nobody whether there is such a one.
    let svg = match apps::find_public(&app, slug) {
        Ok(it) => draw(shape(&it), &it.name, it.brand_color().as_deref()),
        Err(_) => draw(None, slug, Some(tint(slug))),
    };
    // Images of other origins' pages too; whatever stands in the file, it runs nothing (CSP
    // sandbox).
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::CONTENT_DISPOSITION, "inline; filename=\"icon.svg\""),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    Ok((headers, svg).into_response())
}

/// A colour of an unknown app's tile, always the same for one slug.
fn tint(slug: &str) -> &'static str {
    const TINTS: [&str; 8] =
        ["#3b5b92", "#5b4b8a", "#8a4b6f", "#9a4a3f", "#86611f", "#4f6f2f", "#22716a", "#4a6478"];
    let sum = slug.bytes().fold(0_usize, |sum, it| sum.wrapping_mul(31) + usize::from(it));
    TINTS[sum % TINTS.len()]
}

/// The path data of an app's icon: numbers and commands, nothing that could be markup.
fn shape(found: &CatalogApp) -> Option<&'static str> {
    found.icon_shape().filter(|it| is_path(it))
}

fn is_path(text: &str) -> bool {
    text.chars().all(|it| it.is_ascii_alphanumeric() || " .,-+\n".contains(it))
}

/// A tile of 64 units in the app's colour, with its shape or letter in the ink that stands out
/// more.
fn draw(shape: Option<&str>, name: &str, color: Option<&str>) -> String {
    let color = color.and_then(Rgb::parse).unwrap_or(GREY);
    let Rgb(red, green, blue) = color;
    // White words look natural on more hues than dark ones.
    let white = contrast(color, WHITE) * WHITE_BIAS >= contrast(color, INK);
    let ink = if white { "#fff" } else { "#0b0d12" };
    let mark = match shape {
        Some(path) => {
            format!("<path fill=\"{ink}\" transform=\"translate(14 14) scale(1.5)\" d=\"{path}\"/>")
        }
        None => format!(
            "<text x=\"32\" y=\"33\" fill=\"{ink}\" font-family=\"system-ui,sans-serif\" \
             font-size=\"32\" font-weight=\"600\" \
             text-anchor=\"middle\" dominant-baseline=\"central\">{}</text>",
            letter(name)
        ),
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\">\
         <rect width=\"64\" height=\"64\" rx=\"14\" fill=\"#{red:02x}{green:02x}{blue:02x}\"/>\
         {mark}</svg>"
    )
}

/// A letter or digit, so nothing that needs escaping.
fn letter(name: &str) -> String {
    let first = name.chars().find(|it| it.is_alphanumeric());
    first.map_or_else(|| "\u{b7}".to_owned(), |it| it.to_uppercase().collect())
}

/// A stylesheet without the spaces and line breaks that stand for the eye.
fn tight(css: &str) -> String {
    let seams = [(": ", ":"), (" {", "{"), ("{\n", "{"), (";\n", ";"), (";}", "}"), ("}\n", "}")];
    seams.iter().fold(css.to_owned(), |text, (wide, narrow)| text.replace(wide, narrow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w_11_icons_hold_no_markup_of_others() {
        for app in grantkeep_catalog::Catalog::builtin().apps() {
            let svg = draw(shape(&app), &app.name, app.brand_color().as_deref());
            let has_shape = app.icon_shape().is_some();
            assert_eq!(has_shape, svg.contains("<path"), "{}", app.slug);
            // A shape closes itself, a letter stands between two tags.
            let tags = if has_shape { 4 } else { 5 };
            assert_eq!(svg.matches('<').count(), tags, "{}: {svg}", app.slug);
        }
        assert!(is_path("M0 0l-1.5+2Z"));
        assert!(!is_path("M0<script>") && !is_path("M0\"/>"));
        assert!(draw(None, "<b>", Some("#fff")).contains(">B<"));
    }
}
