//! Which names a text with `${...}` uses. The filling in is done elsewhere; here texts are checked.
//!
//! `${name}` stands for a field, a learnt value, or one of the built-in names.
//! `${base64(...)}` encodes what is inside: texts and further `${name}`.

/// Names that an account has by itself.
pub const OAUTH2: &[&str] = &["oauth_access_token", "oauth_client_id"];
pub const OAUTH1: &[&str] = &["oauth_access_token", "oauth_client_id"];
/// Names that only a revocation request has.
pub const REVOCATION: &[&str] = &["token", "client_id"];

/// A text with placeholders that does not hold together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("`${{` is never closed")]
    Open,
    #[error("`{0}` is not a name: lower-case letters, digits and `_`")]
    Name(String),
}

/// The names used in a text, in order of appearance.
pub fn names(text: &str) -> Result<Vec<&str>, Malformed> {
    let mut found = Vec::new();
    collect(text, &mut found)?;
    Ok(found)
}

fn collect<'a>(text: &'a str, found: &mut Vec<&'a str>) -> Result<(), Malformed> {
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let inside = &rest[at + 2..];
        let end = closing(inside).ok_or(Malformed::Open)?;
        let body = &inside[..end];
        if let Some(argument) = body.strip_prefix("base64(").and_then(|it| it.strip_suffix(')')) {
            collect(argument, found)?;
        } else if is_name(body) {
            found.push(body);
        } else {
            return Err(Malformed::Name(body.to_owned()));
        }
        rest = &inside[end + 1..];
    }
    Ok(())
}

/// The place of the `}` that closes what is open at the start.
pub(crate) fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'$' if bytes.get(at + 1) == Some(&b'{') => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Lower-case letters, digits and `_`, beginning with a letter.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_lowercase())
        && text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
}

/// Characters of a slug, at most.
pub const SLUG_CHARS_MAX: usize = 100;

/// Whether an app may be called so in addresses: lower-case letters, digits and `_`.
pub fn is_slug(text: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    text.len() <= SLUG_CHARS_MAX
        && text.bytes().any(plain)
        && text.bytes().all(|it| plain(it) || it == b'_')
}

/// The text with every placeholder replaced by one word, so that its shape can be checked.
pub(crate) fn flattened(text: &str, word: &str) -> Option<String> {
    let mut flat = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        flat.push_str(&rest[..at]);
        flat.push_str(word);
        let inside = &rest[at + 2..];
        rest = &inside[closing(inside)? + 1..];
    }
    flat.push_str(rest);
    Some(flat)
}

#[cfg(test)]
mod tests {
    use super::{Malformed, names};

    #[test]
    fn names_are_found_also_inside_a_function() {
        assert_eq!(names("https://${a}.x.com/${b_2}").unwrap(), ["a", "b_2"]);
        assert_eq!(names("Basic ${base64(api:${key})} ${last}").unwrap(), ["key", "last"]);
        assert!(names("no placeholder: $5 {x}").unwrap().is_empty());
    }

    #[test]
    fn a_broken_placeholder_is_named() {
        assert_eq!(names("${a"), Err(Malformed::Open));
        assert_eq!(names("${base64(${a)}"), Err(Malformed::Open));
        assert_eq!(names("${A-b}"), Err(Malformed::Name("A-b".to_owned())));
    }
}
