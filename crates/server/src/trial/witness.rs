//! What an app was asked and what it answered: names, types and counts. Of a text a hash is kept
//! for as long as the trial lasts, to tell whether it came again; of nothing more the value.

use std::sync::{Arc, Mutex, PoisonError};

use grantkeep_vault::token;
use hyper::header::CONTENT_TYPE;
use serde_json::Value;

use crate::egress::{Seen, Watch};

/// Exchanges that are remembered.
const NOTES_MAX: usize = 500;
/// Members of one answer that are remembered, and how deep they may lie.
const MEMBERS_MAX: usize = 200;
const DEPTH_MAX: usize = 4;
/// Characters of a member's name, or of an error code, that are shown.
const WORD_CHARS_MAX: usize = 64;

/// Looks on.
#[derive(Default)]
pub struct Witness {
    notes: Mutex<Vec<Note>>,
}

/// One exchange.
#[derive(Clone)]
pub struct Note {
    /// Without its query, where secrets may stand.
    pub place: String,
    pub status: u16,
    pub form: Form,
    pub members: Vec<(String, Shape)>,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Pairs,
    Other,
}

/// What a member is, without what it says.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Text(Text),
    Number(f64),
    Truth(bool),
    Nothing,
    List(usize),
    Object,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    hash: [u8; 32],
    /// As a number, if it is one.
    pub number: Option<f64>,
    /// Of spaces and commas, what stands in it first.
    pub separator: Option<char>,
    /// The text itself, where it is an error code: its name says so, and it looks like one.
    pub code: Option<String>,
}

impl Shape {
    pub fn word(&self) -> String {
        match self {
            Self::Text(text) if text.number.is_some() => "number as text".to_owned(),
            Self::Text(_) => "text".to_owned(),
            Self::Number(_) => "number".to_owned(),
            Self::Truth(_) => "true or false".to_owned(),
            Self::Nothing => "null".to_owned(),
            Self::List(count) => format!("list of {count}"),
            Self::Object => "object".to_owned(),
        }
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.number,
            _ => None,
        }
    }

    /// Whether both hold the same text.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => token::equal(&one.hash, &other.hash),
            _ => false,
        }
    }
}

impl Note {
    pub fn member(&self, path: &str) -> Option<&Shape> {
        let found = self.members.iter().find(|(name, _)| name == path).map(|it| &it.1);
        found.filter(|it| **it != Shape::Nothing)
    }

    /// The first of these paths that holds something.
    pub fn first<'p>(&self, paths: &'p [String]) -> Option<(&'p str, &Shape)> {
        paths.iter().find_map(|path| Some((path.as_str(), self.member(path)?)))
    }

    /// The error code at this path.
    pub fn code(&self, path: &str) -> Option<&str> {
        match self.member(path)? {
            Shape::Text(text) => text.code.as_deref(),
            _ => None,
        }
    }

    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Witness {
    /// To be handed to what sends the requests.
    pub fn watch(self: &Arc<Self>) -> Watch {
        let this = Arc::clone(self);
        Arc::new(move |seen| this.note(seen))
    }

    /// How much was seen so far.
    pub fn count(&self) -> usize {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What was seen from then on.
    pub fn since(&self, count: usize) -> Vec<Note> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().skip(count).cloned().collect()
    }

    fn note(&self, seen: &Seen<'_>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES_MAX {
            notes.push(note(seen));
        }
    }
}

fn note(seen: &Seen<'_>) -> Note {
    let uri = seen.uri;
    let authority = uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
    let place = format!("{}://{authority}{}", uri.scheme_str().unwrap_or_default(), uri.path());
    let kind = seen.answer.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let mut members = Vec::new();
    let form = match serde_json::from_slice::<Value>(&seen.answer.body) {
        Ok(value) => {
            gather(&mut members, "", &value);
            Form::Json
        }
        Err(_) if kind.is_some_and(|it| it.contains("urlencoded")) => {
            for (name, value) in url::form_urlencoded::parse(&seen.answer.body) {
                add(&mut members, &name, shape(&name, &Value::String(value.into_owned())));
            }
            Form::Pairs
        }
        Err(_) => Form::Other,
    };
    let status = seen.answer.status.as_u16();
    Note { place, status, form, members }
}

fn gather(members: &mut Vec<(String, Shape)>, path: &str, value: &Value) {
    if path.split('.').count() > DEPTH_MAX {
        return;
    }
    let under =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                let path = under(name);
                add(members, &path, shape(name, value));
                gather(members, &path, value);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                let path = under("0");
                add(members, &path, shape("0", first));
                gather(members, &path, first);
            }
        }
        _ => {}
    }
}

fn add(members: &mut Vec<(String, Shape)>, path: &str, shape: Shape) {
    if members.len() < MEMBERS_MAX {
        members.push((path.to_owned(), shape));
    }
}

fn shape(name: &str, value: &Value) -> Shape {
    match value {
        Value::Null => Shape::Nothing,
        Value::Bool(truth) => Shape::Truth(*truth),
        Value::Number(number) => Shape::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => Shape::Text(Text {
            hash: token::digest(text),
            number: text.trim().parse().ok(),
            separator: text.chars().find(|it| matches!(it, ' ' | ',')),
            code: code(name, text),
        }),
        Value::Array(items) => Shape::List(items.len()),
        Value::Object(_) => Shape::Object,
    }
}

fn code(name: &str, text: &str) -> Option<String> {
    let says = name.contains("error") || name == "code" || name == "status";
    let looks = text.bytes().all(|it| it.is_ascii_lowercase() || it == b'_' || it == b'.');
    let is_code = says && looks && !text.is_empty() && text.len() <= WORD_CHARS_MAX;
    is_code.then(|| text.to_owned())
}

/// A member's name as it may be shown: names too can be odd, or be made of what they belong to.
pub fn shown_name(path: &str) -> Option<&str> {
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'-');
    (path.len() <= WORD_CHARS_MAX && path.bytes().all(plain)).then_some(path)
}

/// Whether the address is one that the template of an app's file makes.
pub fn fits(template: &str, place: &str) -> bool {
    let template = template.split(['?', '#']).next().unwrap_or_default();
    let mut literals = template.split("${");
    let first = literals.next().unwrap_or_default();
    let Some(mut rest) = place.strip_prefix(first) else { return false };
    let mut open = false;
    for part in literals {
        let literal = part.split_once('}').map_or("", |it| it.1);
        open = literal.is_empty();
        // A value is one character at least.
        let Some(from) = rest.char_indices().nth(1).map(|it| it.0).or(open.then_some(rest.len()))
        else {
            return false;
        };
        match rest[from..].find(literal) {
            Some(at) => rest = &rest[from + at + literal.len()..],
            None => return false,
        }
    }
    open || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_what_it_makes_and_nothing_else() {
        let fit = |template: &str, place: &str| fits(template, place);
        assert!(fit("https://a.example/token", "https://a.example/token"));
        assert!(!fit("https://a.example/token", "https://a.example/token/2"));
        assert!(fit("https://a.example/token?x=y", "https://a.example/token"));
        assert!(fit("https://${shop}.a.example/t", "https://s.a.example/t"));
        assert!(!fit("https://${shop}.a.example/t", "https://.a.example/t"));
        assert!(fit("https://a.example/${token}", "https://a.example/abc"));
        assert!(!fit("https://a.example/${a}/x", "https://a.example/abc/y"));
        assert!(fit("${origin}/x", "https://b.example/x"));
    }

    #[test]
    fn no_value_is_kept() {
        let value = serde_json::json!({ "access_token": "s3cret", "expires_in": 5,
            "error": "invalid_grant", "list": [{ "scope": "a,b" }] });
        let mut members = Vec::new();
        gather(&mut members, "", &value);
        let note = Note { place: String::new(), status: 200, form: Form::Json, members };
        assert!(!format!("{:?}", note.members).contains("s3cret"));
        assert_eq!(note.code("error"), Some("invalid_grant"));
        assert_eq!(note.code("access_token"), None);
        assert_eq!(note.member("expires_in").unwrap().number(), Some(5.0));
        assert_eq!(note.member("list").unwrap().word(), "list of 1");
        let Some(Shape::Text(text)) = note.member("list.0.scope") else { panic!() };
        assert_eq!(text.separator, Some(','));
    }
}
