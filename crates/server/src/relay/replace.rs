//! Putting credentials where placeholders stand, written as the place wants them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::grants::{Blind, PLACEHOLDER_PREFIX};
use crate::error::{self, Result};
use crate::proxy::inject::{Injection, media_type};

/// Takes it with padding and without.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
const BASIC: &str = "basic ";

/// RFC 3986 section 2.3, what is not escaped.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// In a path a colon may stand as it is, and some apps want it so.
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b':');

/// How a text is written where it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    Plain,
    Json,
    Form,
    Xml,
    Path,
    Query,
}

impl Spelling {
    /// That of a body. `None`: it is no text, and is left alone.
    pub fn of(kind: Option<&HeaderValue>) -> Option<Self> {
        let kind = media_type(kind);
        Some(match kind.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            // What GraphQL escapes in a string, it escapes as JSON does.
            "application/json" | "text/json" | "application/graphql" | "application/x-ndjson" => {
                Self::Json
            }
            "application/xml" | "text/xml" | "text/html" => Self::Xml,
            // Its parts are written as they are, whatever stands beside them.
            "multipart/form-data" => Self::Plain,
            it if it.ends_with("+json") => Self::Json,
            it if it.ends_with("+xml") => Self::Xml,
            it if it.starts_with("text/") => Self::Plain,
            _ => return None,
        })
    }

    fn write(self, secret: &str) -> Cow<'_, str> {
        match self {
            Self::Plain => Cow::Borrowed(secret),
            Self::Json => {
                let quoted = serde_json::Value::from(secret).to_string();
                Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
            }
            Self::Form => Cow::Owned(
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>(),
            ),
            Self::Xml => Cow::Owned(
                secret
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('>', "&gt;")
                    .replace('"', "&quot;")
                    .replace('\'', "&apos;"),
            ),
            Self::Path => utf8_percent_encode(secret, IN_PATH).into(),
            Self::Query => utf8_percent_encode(secret, IN_QUERY).into(),
        }
    }
}

/// The placeholders of those accounts whose app's own host is called.
pub(super) struct Replacer<'a> {
    /// The account's place among the owners, its placeholders, and what they stand for now.
    owners: Vec<(usize, &'a [Blind], &'a Injection)>,
    used: BTreeSet<usize>,
}

impl<'a> Replacer<'a> {
    pub fn new(owners: Vec<(usize, &'a [Blind], &'a Injection)>) -> Self {
        Self { owners, used: BTreeSet::new() }
    }

    /// The owners of the placeholders that were found.
    pub fn used(&self) -> &BTreeSet<usize> {
        &self.used
    }

    /// The text with credentials in it. `None`: it holds no placeholder.
    pub fn text(&mut self, text: &[u8], spelling: Spelling) -> Option<Zeroizing<Vec<u8>>> {
        let mut out: Option<Zeroizing<Vec<u8>>> = None;
        let mut done = 0;
        for at in memmem::find_iter(text, PLACEHOLDER_PREFIX) {
            let Some((owner, length, secret)) = self.stands(&text[at..]) else { continue };
            let to = out.get_or_insert_with(|| Zeroizing::new(Vec::with_capacity(text.len())));
            to.extend_from_slice(&text[done..at]);
            to.extend_from_slice(spelling.write(secret).as_bytes());
            done = at + length;
            self.used.insert(owner);
        }
        let mut out = out?;
        out.extend_from_slice(&text[done..]);
        Some(out)
    }

    /// The placeholder with which `text` begins: whose, how long, and what it stands for.
    fn stands(&self, text: &[u8]) -> Option<(usize, usize, &'a str)> {
        self.owners.iter().find_map(|(owner, blinds, injection)| {
            let blind = blinds.iter().find(|it| text.starts_with(it.placeholder.as_bytes()))?;
            let injection: &'a Injection = injection;
            Some((*owner, blind.placeholder.len(), injection.secret(&blind.name)?))
        })
    }

    /// # Errors
    /// [`error::PROXY_UNAVAILABLE`] when a credential holds what no header can carry.
    pub fn headers(&mut self, headers: &mut HeaderMap) -> Result<()> {
        for value in headers.values_mut() {
            let replaced = match self.text(value.as_bytes(), Spelling::Plain) {
                Some(replaced) => Some(replaced),
                None => self.basic(value),
            };
            let Some(replaced) = replaced else { continue };
            *value = HeaderValue::from_bytes(&replaced).map_err(|_| {
                error::PROXY_UNAVAILABLE.saying(
                    "A credential of this account holds a character that no header can carry. \
                     Connect the account again.",
                )
            })?;
            value.set_sensitive(true);
        }
        Ok(())
    }

    /// User name and password in base64 (RFC 7617).
    fn basic(&mut self, value: &HeaderValue) -> Option<Zeroizing<Vec<u8>>> {
        let text = value.to_str().ok()?;
        let scheme = text.get(..BASIC.len()).filter(|it| it.eq_ignore_ascii_case(BASIC))?;
        let decoded = Zeroizing::new(DECODER.decode(text[BASIC.len()..].trim()).ok()?);
        let replaced = self.text(&decoded, Spelling::Plain)?;
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(&*replaced));
        Some(Zeroizing::new([scheme.as_bytes(), encoded.as_bytes()].concat()))
    }

    /// Path and query, as they are sent.
    pub fn target(&mut self, path: &str, query: Option<&str>) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(path.len()));
        let mut push = |this: &mut Self, text: &str, spelling| match this
            .text(text.as_bytes(), spelling)
            .and_then(|it| String::from_utf8(it.to_vec()).ok())
        {
            Some(replaced) => out.push_str(&replaced),
            None => out.push_str(text),
        };
        push(self, path, Spelling::Path);
        if let Some(query) = query {
            push(self, "?", Spelling::Query);
            push(self, query, Spelling::Query);
        }
        out
    }
}
