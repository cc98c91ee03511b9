//! These providers as apps of the catalogue, pointing at this simulator's address.

use std::fmt::Write as _;

use crate::api::KEY_HEADER;
use crate::brands::{Brand, ClientAuth, Kind, OAuth2, Rotation, Shape};
use crate::provider::World;

/// What only the catalogue says of a provider: slug, category, purpose.
const SHELF: [(&str, &str, &str); 10] = [
    ("rotating", "Communication", "read and post messages in your Lumen Chat"),
    ("grace", "Storage", "see and change your files in Tidepool Files"),
    ("static", "Productivity", "read and write your notes in Fernway Notes"),
    ("short", "Productivity", "see and move events in your Quickstep Calendar"),
    ("quirky", "E-commerce", "see and change orders in your Oddment Market shop"),
    ("encoded", "Media", "see and order prints at Oldfield Press"),
    ("tenant", "Customer Support", "read and answer tickets in your Northpier Desk"),
    ("keys", "Communication", "read and send mail with Harbor Mail"),
    ("basic", "Customer Support", "read and answer cases in Cobalt Support"),
    ("oauth1", "Productivity", "see and move cards on your Cedar Boards"),
];

const WORKSPACE_FIELD: &str = r#"
[[fields]]
name = "workspace"
label = "Workspace"
help = "The name of your team: acme or globex."
placeholder = "acme"
pattern = "[a-z0-9-]{1,40}"
"#;

pub(crate) fn all(world: &World) -> Vec<(String, String)> {
    world.providers.values().map(|it| (slug(it.brand), file(it.brand, &world.base_url))).collect()
}

fn slug(brand: &Brand) -> String {
    format!("sim_{}", brand.slug)
}

fn file(brand: &Brand, base_url: &str) -> String {
    let (root, kind) = match &brand.kind {
        Kind::OAuth2(rules) if rules.by_workspace => ("/w/${workspace}", "oauth2"),
        Kind::OAuth2(_) => ("", "oauth2"),
        Kind::OAuth1 => ("", "oauth1"),
        Kind::Keys => ("", "keys"),
        Kind::Basic => ("/w/${workspace}", "basic"),
    };
    let root = format!("{base_url}/{}{root}", brand.slug);
    let mut text = face(brand, base_url, kind);
    if root.contains("${workspace}") {
        text.push_str(WORKSPACE_FIELD);
    }
    match &brand.kind {
        Kind::OAuth2(rules) => oauth2(&mut text, brand, rules, &root),
        Kind::OAuth1 => oauth1(&mut text, &root),
        Kind::Keys => text.push_str(KEY_FIELD),
        Kind::Basic => text.push_str(PASSWORD_FIELDS),
    }
    api(&mut text, brand, &root);
    text
}

fn face(brand: &Brand, base_url: &str, kind: &str) -> String {
    let shelf = SHELF.iter().find(|it| it.0 == brand.slug);
    let (category, purpose) =
        shelf.map_or(("Productivity", "be put to the test"), |it| (it.1, it.2));
    format!(
        r#"slug = "sim_{slug}"
name = "{name}"
description = "{tagline}. A pretend service of the simulator."
homepage = "{base_url}/{slug}"
categories = ["{category}"]
popularity = 50
color = "{color}"
purpose = "{purpose}"
auth = "{kind}"
"#,
        slug = brand.slug,
        name = brand.name,
        tagline = brand.tagline,
        color = brand.accent_light,
    )
}

const KEY_FIELD: &str = r#"
[[fields]]
name = "api_key"
label = "API key"
kind = "password"
help = "Any key that begins with sim_live_, such as sim_live_demo."
placeholder = "sim_live_..."
"#;

const PASSWORD_FIELDS: &str = r#"
[[fields]]
name = "username"
label = "User name"
help = "ada, grace or linus."
placeholder = "ada"

[[fields]]
name = "password"
label = "Password"
kind = "password"
help = "It is pretend for everyone."
"#;

fn oauth1(text: &mut String, root: &str) {
    let _ = write!(
        text,
        r#"
[oauth1]
request_token_url = "{root}/request_token"
authorize_url = "{root}/authorize"
access_token_url = "{root}/access_token"
signature_method = "HMAC-SHA1"
"#
    );
}

fn oauth2(text: &mut String, brand: &Brand, rules: &OAuth2, root: &str) {
    let client_auth = match rules.client_auth {
        ClientAuth::PostOnly => "post",
        ClientAuth::BasicOnly | ClientAuth::Either => "basic",
    };
    let _ = write!(
        text,
        r#"
[oauth2]
authorization_url = "{root}/authorize"
token_url = "{root}/token"
client_auth = "{client_auth}"
"#
    );
    if !rules.by_workspace {
        let _ = writeln!(text, "issuer = \"{root}\"\niss_required = {}", rules.sends_iss);
    }
    scopes(text, brand, rules);
    answer(text, rules);
    rotation(text, rules);
    grant(text, brand.slug);
    if rules.has_revocation {
        let _ = writeln!(text, "\n[oauth2.revocation]\nurl = \"{root}/revoke\"");
    }
}

fn scopes(text: &mut String, brand: &Brand, rules: &OAuth2) {
    let (profile, read, write) = (brand.profile_scope(), brand.read_scope(), brand.write_scope());
    let _ = write!(
        text,
        r#"
[oauth2.scopes]
separator = "{separator}"
default = ["{profile}", "{read}", "{write}"]

[oauth2.scopes.profiles]
read_only = ["{profile}", "{read}"]
read_write = ["{profile}", "{read}", "{write}"]

[oauth2.scopes.words]
"#,
        separator = rules.scope_separator,
    );
    for scope in &brand.scopes {
        let _ = writeln!(text, "\"{}\" = \"{}\"", scope.name, scope.words);
    }
}

fn answer(text: &mut String, rules: &OAuth2) {
    match rules.shape {
        Shape::Json => {}
        Shape::Form => text.push_str("\n[oauth2.answer]\ntoken_type_any = true\n"),
        Shape::Nested => text.push_str(
            r#"
[oauth2.answer]
access_token = "authed_user.access_token"
refresh_token = "authed_user.refresh_token"
scope = "authed_user.scope"
expires_in = "authed_user.expires_in"
token_type_any = true

[learned.team_id]
from = "token_answer"
path = "team.id"
"#,
        ),
    }
}

/// Two of them end grants by rules of their own, as the catalogue has it. They do not enforce it.
fn grant(text: &mut String, slug: &str) {
    let life = match slug {
        "static" => "idle_s = 2592000",
        "grace" => "life_s = 31536000",
        _ => return,
    };
    let _ = writeln!(
        text,
        "\n[oauth2.grant]\n{life}\nsource = \"the simulator\"\nchecked_on = \"2026-11-26\""
    );
}

fn rotation(text: &mut String, rules: &OAuth2) {
    let class = rules.rotation;
    let reuse = match class {
        Rotation::P0 | Rotation::P1 => "ok",
        Rotation::P7 => "family",
        _ => "deny",
    };
    let _ = writeln!(text, "\n[oauth2.rotation]\nclass = \"{class:?}\"");
    let grace_ms = rules.grace_ms.unwrap_or(class.grace_ms());
    if class >= Rotation::P3 {
        let _ = writeln!(text, "grace_s = {}", grace_ms / 1000);
    }
    let _ = writeln!(text, "reuse = \"{reuse}\"");
    text.push_str("source = \"the simulator's own code\"\nchecked_on = \"2026-11-23\"\n");
}

/// How the API is called, and what it says about the account.
fn api(text: &mut String, brand: &Brand, root: &str) {
    let header = match &brand.kind {
        Kind::OAuth2(_) => "authorization = \"Bearer ${oauth_access_token}\"".to_owned(),
        Kind::OAuth1 => String::new(),
        Kind::Keys => format!("{KEY_HEADER} = \"${{api_key}}\""),
        Kind::Basic => "authorization = \"Basic ${base64(${username}:${password})}\"".to_owned(),
    };
    let place = match &brand.kind {
        Kind::Keys | Kind::Basic => "verify",
        _ => "me",
    };
    let _ = write!(
        text,
        r#"
[verify]
url = "{root}/api/{place}"

[identity]
from = "verify"
name = ["email", "name"]
subject = ["id"]

[proxy]
base_url = "{root}"
"#
    );
    if !header.is_empty() {
        let _ = writeln!(text, "\n[proxy.headers]\n{header}");
    }
    text.push_str("\n[evidence]\nconfirmed = 1\nchecked_on = \"2026-11-23\"\n");
}
