//! What a user is asked for, what is learnt, and which values are good.

use serde::Deserialize;

/// Characters in one value, at most: a pasted private key is about 3,300.
pub const VALUE_CHARS_MAX: usize = 16_384;

/// Something the user is asked for on the connect page; a credential or a field of the account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    pub name: String,
    pub label: String,
    /// Where the user finds the value.
    pub help: Option<String>,
    pub placeholder: Option<String>,
    #[serde(default)]
    pub kind: FieldKind,
    /// The choices of a `select`.
    #[serde(default)]
    pub options: Vec<Choice>,
    /// Sealed, never shown again. Always true for `password` and `connection_string`.
    #[serde(default)]
    pub secret: bool,
    #[serde(default)]
    pub optional: bool,
    pub default: Option<String>,
    /// The whole value must match this regular expression.
    pub pattern: Option<String>,
    /// What the value must be to stand in a host.
    pub host: Option<HostRule>,
    /// Schemes that a `connection_string` may have, such as `postgres`.
    #[serde(default)]
    pub schemes: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub value: String,
    pub label: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    #[default]
    Text,
    Password,
    Number,
    Select,
    Checkbox,
    /// Several lines: a PEM key.
    Multiline,
    /// A JSON object, such as a service account's key file; its members can be learnt.
    Json,
    /// Where something that does not speak HTTP is reached, with its password: a database URL.
    ConnectionString,
}

/// Something that comes out of connecting and is kept as a field of the account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    pub from: LearnedFrom,
    /// A dotted path in the answer, or the name of a callback parameter.
    pub path: String,
    #[serde(default)]
    pub secret: bool,
    /// What the value must be to stand in a host. It comes from outside, so it is checked as well.
    pub host: Option<HostRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnedFrom {
    TokenAnswer,
    /// A parameter of the redirect back to us (`realmId` at Intuit).
    Callback,
    /// The answer of the app's `verify` request.
    Verify,
    /// The answer that [`crate::Identity`] reads.
    Identity,
    /// A member of a field of kind `json`: `field.member`.
    Field,
}

impl LearnedFrom {
    /// Whether the user decides the value, and not the app that answers.
    pub fn is_users(self) -> bool {
        matches!(self, Self::Callback | Self::Field)
    }
}

/// What a value must be, so that it cannot lead a request with a credential somewhere else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRule {
    pub form: HostForm,
    /// The host must end in one of these (each begins with a dot, or is the whole host).
    /// Empty: any host; egress still refuses private addresses.
    #[serde(default)]
    pub under: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostForm {
    /// One label: `acme` in `acme.zendesk.com`.
    Label,
    /// A whole host name: `shop.example.com`.
    Name,
    /// A whole origin, `https://` and a host: `https://acme.api-us1.com`. A last slash is taken.
    Url,
}

/// Why a value is not taken, as a sentence to the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FieldError(String);

impl FieldError {
    pub(crate) fn of(sentence: String) -> Self {
        Self(sentence)
    }
}

impl Field {
    /// Whether the value must be sealed and never shown.
    pub fn is_secret(&self) -> bool {
        self.secret || matches!(self.kind, FieldKind::Password | FieldKind::ConnectionString)
    }

    /// Whether the value may be stored under this field. The error is for the user's eyes and never
    /// repeats the value.
    pub fn check(&self, value: &str) -> Result<(), FieldError> {
        let label = &self.label;
        if value.trim().is_empty() {
            return if self.optional { Ok(()) } else { no(&format!("{label} is missing.")) };
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return no(&format!("{label} is longer than {VALUE_CHARS_MAX} characters."));
        }
        let lines = matches!(self.kind, FieldKind::Multiline | FieldKind::Json);
        if value.chars().any(|it| it.is_control() && !(lines && matches!(it, '\n' | '\r' | '\t'))) {
            return no(&format!("{label} holds a line break or another control character."));
        }
        match self.kind {
            FieldKind::Select if !self.options.iter().any(|it| it.value == value) => {
                return no(&format!("{label} is not one of the choices."));
            }
            FieldKind::Number if value.trim().parse::<f64>().is_err() => {
                return no(&self.form_wanted());
            }
            FieldKind::Checkbox if !matches!(value, "true" | "false") => {
                return no(&format!("{label} must be on or off."));
            }
            FieldKind::Json => {
                if let Some(why) = no_object(value) {
                    return no(&format!("{label} {why}"));
                }
            }
            FieldKind::ConnectionString => self.check_connection(value)?,
            _ => {}
        }
        if let Some(rule) = &self.host {
            rule.check(value).map_err(|why| FieldError(format!("{label} {why}")))?;
        }
        match self.pattern.as_deref().map(whole) {
            Some(Ok(pattern)) if !pattern.is_match(value) => no(&self.form_wanted()),
            Some(Err(_)) => no(&format!("{label} cannot be checked: the app's file is wrong.")),
            _ => Ok(()),
        }
    }

    /// What a value that has not the field's form is told.
    pub fn form_wanted(&self) -> String {
        let label = &self.label;
        if let Some(rule) = &self.host {
            return format!("{label} {}", rule.wanted());
        }
        match self.kind {
            FieldKind::Number => format!("{label} must be a number."),
            FieldKind::ConnectionString => format!(
                "{label} is not an address like {}://user:password@host/name.",
                self.schemes.first().map_or("scheme", String::as_str)
            ),
            _ => {
                let like = self.placeholder.as_ref().map(|it| format!("It looks like {it}"));
                let more = like.or_else(|| self.help.clone()).unwrap_or_default();
                let end = if more.is_empty() || more.ends_with('.') { "" } else { "." };
                format!("{label} does not look right. {more}{end}").trim_end().to_owned()
            }
        }
    }

    /// The value never stands in the error: it holds a password.
    fn check_connection(&self, value: &str) -> Result<(), FieldError> {
        let label = &self.label;
        let forms = self.schemes.iter().map(|it| format!("{it}://")).collect::<Vec<_>>();
        let Ok(url) = url::Url::parse(value) else { return no(&self.form_wanted()) };
        if !self.schemes.is_empty() && !self.schemes.iter().any(|it| it == url.scheme()) {
            return no(&format!("{label} must begin with {}.", forms.join(" or ")));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return no(&format!("{label} names no host."));
        }
        Ok(())
    }
}

impl HostRule {
    /// Whether the value may stand in a host. The error continues a sentence: "Subdomain ...".
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self.form {
            HostForm::Label if is_label(value) && !is_encoded(value) => Ok(()),
            HostForm::Label => Err(self.wanted()),
            HostForm::Name => self.under(value),
            HostForm::Url => {
                let Some(rest) = value.strip_prefix("https://") else {
                    return Err("must begin with https://.".to_owned());
                };
                self.under(rest.strip_suffix('/').unwrap_or(rest))
            }
        }
    }

    /// Continues a sentence: "Subdomain ...".
    pub fn wanted(&self) -> String {
        let ends = self.under.join(" or ");
        match self.form {
            HostForm::Label => "may hold letters, digits and hyphens only.".to_owned(),
            HostForm::Name if ends.is_empty() => {
                "is not a host name such as acme.example.com.".to_owned()
            }
            HostForm::Name => format!("must be a host name that ends in {ends}."),
            HostForm::Url if ends.is_empty() => {
                "must be an address such as https://acme.example.com.".to_owned()
            }
            HostForm::Url => {
                format!("must be an address that begins with https:// and ends in {ends}.")
            }
        }
    }

    fn under(&self, host: &str) -> Result<(), String> {
        if !is_host(host) {
            return Err("is not a host name such as acme.example.com.".to_owned());
        }
        let host = host.to_ascii_lowercase();
        let fits = |end: &String| {
            host == end.trim_start_matches('.') || (end.starts_with('.') && host.ends_with(end))
        };
        if self.under.is_empty() || self.under.iter().any(fits) {
            Ok(())
        } else {
            Err(format!("must end in {}.", self.under.join(" or ")))
        }
    }
}

/// One label of a host name: RFC 1123 §2.1, at most 63 characters, ASCII.
pub(crate) fn is_label(text: &str) -> bool {
    let inside = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A label that stands for other letters than it is written with (`xn--`, RFC 5890 section 2.3.1):
/// no app gives such a one to a customer, and it can be made to look like any.
fn is_encoded(label: &str) -> bool {
    label.get(2..4) == Some("--")
}

/// A host name of two labels or more whose last is not a number (so no IPv4 address in any form).
pub(crate) fn is_host(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    text.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(|it| is_label(it))
        && labels.last().is_some_and(|it| it.bytes().any(|byte| byte.is_ascii_alphabetic()))
        && !labels.last().is_some_and(|it| it.starts_with("0x") || it.starts_with("0X"))
}

/// Why a text is no JSON object; continues a sentence. `None`: it is one.
fn no_object(text: &str) -> Option<String> {
    let error = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(it) if it.is_object() => return None,
        Ok(_) => return Some("is JSON, but no object: the file must begin with {.".to_owned()),
        Err(error) => error,
    };
    Some(if text.trim_start().starts_with("-----BEGIN") {
        "is a PEM key. What is wanted is the JSON file that the key comes in.".to_owned()
    } else if error.is_eof() {
        "is cut off at its end. Take the whole file.".to_owned()
    } else {
        format!("is not JSON: line {} is wrong. Take the file as it is.", error.line())
    })
}

/// The expression, held to the whole value.
pub(crate) fn whole(pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
    regex_lite::Regex::new(&format!("^(?:{pattern})$"))
}

fn no(why: &str) -> Result<(), FieldError> {
    Err(FieldError(why.trim_end().to_owned()))
}
