//! `grantkeep apps new`: an app file to start from.

use std::path::PathBuf;

use grantkeep_catalog::placeholders;
use url::Url;

use super::{Failure, output};

/// Stands for an address that nobody gave.
const EXAMPLE: &str = "https://api.example.com";

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  grantkeep apps new parcels --from https://api.parcels.example \
    --out parcels.toml\n  grantkeep apps check parcels.toml\n  \
    grantkeep apps add parcels.toml --project proj_..."
)]
pub(super) struct Args {
    /// What callers will say: lower-case letters, digits and `_`.
    slug: String,
    /// The address of the app's API; addresses that are not known are made from it.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// How its users let you in.
    #[arg(long, value_enum, default_value = "oauth2")]
    auth: Kind,
    /// Where to write it: a folder, or a file that is named after the slug; standard output
    /// otherwise. An existing file is left alone.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// The user signs in at the app.
    Oauth2,
    /// The user pastes a key.
    Keys,
    /// The user types a name and a password, or two keys that make them.
    Basic,
}

pub(super) fn run(args: &Args, today: &str) -> Result<(), Failure> {
    let text = scaffold(&args.slug, args.from.as_deref(), args.auth, today)?;
    let Some(out) = &args.out else {
        output::line(text.trim_end());
        return Ok(());
    };
    let name = format!("{}.toml", args.slug);
    let file = if out.is_dir() { out.join(&name) } else { out.clone() };
    if !file.ends_with(&name) {
        let text = format!(
            "--out must name a folder, or a file `{name}`: an app's file has the \
                            name of its slug."
        );
        return Err(Failure::Usage(text));
    }
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(&file);
    let written = written.and_then(|mut it| std::io::Write::write_all(&mut it, text.as_bytes()));
    written.map_err(|error| Failure::Other(format!("cannot write {}: {error}", file.display())))?;
    output::note(&format!(
        "Wrote {}. Fill in what is marked, then run\n  grantkeep apps check {}",
        file.display(),
        file.display()
    ));
    Ok(())
}

fn scaffold(slug: &str, from: Option<&str>, auth: Kind, today: &str) -> Result<String, Failure> {
    if !placeholders::is_slug(slug) {
        let text = "A slug has lower-case letters, digits and `_` only, such as `parcels`.";
        return Err(Failure::Usage(text.to_owned()));
    }
    let wrong =
        || Failure::Usage("--from must be a URL such as https://api.example.com".to_owned());
    let url = Url::parse(from.unwrap_or(EXAMPLE)).map_err(|_| wrong())?;
    if !url.has_host() || !matches!(url.scheme(), "https" | "http") {
        return Err(wrong());
    }
    let origin = url.origin().ascii_serialization();
    let api = format!("{origin}{}", url.path().trim_end_matches('/'));
    let way = match auth {
        Kind::Oauth2 => OAUTH2,
        Kind::Keys => KEYS,
        Kind::Basic => BASIC,
    };
    let (kind, authorization) = match auth {
        Kind::Oauth2 => ("oauth2", "Bearer ${oauth_access_token}"),
        Kind::Keys => ("keys", "Bearer ${api_key}"),
        Kind::Basic => ("basic", "Basic ${base64(${username}:${password})}"),
    };
    let text = format!("{HEAD}{way}{TAIL}");
    let values = [
        ("@slug@", slug),
        ("@name@", &name(slug)),
        ("@auth@", kind),
        ("@authorization@", authorization),
        ("@origin@", &origin),
        ("@api@", &api),
        ("@today@", today),
    ];
    Ok(values.iter().fold(text, |text, (mark, value)| text.replace(mark, value)))
}

/// `big_parcels` as a person writes it: `Big Parcels`.
fn name(slug: &str) -> String {
    let words = slug.split('_').filter(|it| !it.is_empty());
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_uppercase())
    };
    words.map(capital).collect::<Vec<_>>().join(" ")
}

const HEAD: &str = r##"# What callers say, and what people read.
slug = "@slug@"
name = "@name@"
description = "@name@, in one sentence."
homepage = "@origin@"
categories = []               # names from `GET /v1/connect/app_categories`
popularity = 0                # 0 to 100: lists begin with the greatest
# color = "#336699"           # of the tile with the app's first letter
purpose = "use your @name@ account"   # follows "You let {product}"
auth = "@auth@"
"##;

const OAUTH2: &str = r#"
[oauth2]
# From the app's documentation for developers.
authorization_url = "@origin@/oauth/authorize"
token_url = "@origin@/oauth/token"
client_auth = "post"          # or "basic", "none", "private_key_jwt", "client_secret_jwt"
# issuer = "@origin@"         # if the app has one; `iss` in its answers is compared with it
# console_url = "@origin@/developers"   # where you register your client
# refresh = false             # if tokens live until they are revoked

[oauth2.scopes]
default = []                  # what is asked for
# separator = ","             # a space by the standard

# What each scope lets one do, as your users read it. An empty text hides a scope.
[oauth2.scopes.words]
# "parcels.read" = "See your parcels"

# How a grant is ended. Leave it out if the app has no way.
# [oauth2.revocation]
# url = "@origin@/oauth/revoke"

# What becomes of a used refresh token. Left out, the strictest is assumed, which is always safe.
# [oauth2.rotation]
# class = "P6"
# reuse = "deny"
# source = "the app's documentation"
# checked_on = "@today@"
"#;

const KEYS: &str = r#"
# What your users are asked for.
[[fields]]
name = "api_key"
label = "API key"
kind = "password"             # sealed, and never shown again
help = "Where a user of @name@ finds the key."
"#;

const BASIC: &str = r#"
# What your users are asked for.
[[fields]]
name = "username"
label = "User name"

[[fields]]
name = "password"
label = "Password"
kind = "password"             # sealed, and never shown again
help = "Where a user of @name@ finds or sets it."
"#;

const TAIL: &str = r#"
# One request that proves a credential, and what its answer tells of the account.
[verify]
url = "@api@/me"

[identity]
from = "verify"
name = ["email", "name"]      # the first that is there
subject = ["id"]              # never changes, and is no other account's

# The API: where requests go, and how they are signed.
[proxy]
base_url = "@api@"

[proxy.headers]
authorization = "@authorization@"

[evidence]
confirmed = 1                 # how many independent sources say so
checked_on = "@today@"
notes = []
"#;

#[cfg(test)]
mod tests {
    use grantkeep_catalog::{Options, Severity, check};

    use super::*;

    #[test]
    fn a_new_file_passes_the_check() {
        let from = [None, Some("https://api.parcels.example/v2/"), Some("http://127.0.0.1:8080")];
        for auth in [Kind::Oauth2, Kind::Keys, Kind::Basic] {
            for from in from {
                let text = scaffold("big_parcels", from, auth, "2026-11-26").ok().unwrap();
                let options = Options { allow_loopback: true };
                let problems = check::file("big_parcels.toml", &text, options);
                let errors = problems.iter().filter(|it| it.severity == Severity::Error);
                assert_eq!(errors.count(), 0, "{problems:?}\n{text}");
                assert!(!text.contains('@'), "{text}");
                assert!(text.contains("name = \"Big Parcels\""), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_slug_or_no_address_is_refused() {
        for (slug, from) in
            [("Big", None), ("a b", None), ("ok", Some("ftp://x")), ("ok", Some(""))]
        {
            assert!(scaffold(slug, from, Kind::Keys, "2026-11-26").is_err(), "{slug} {from:?}");
        }
    }
}
