//! What a resource says when it refuses: `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3).

use std::collections::BTreeMap;

use crate::encode::cleaned;

/// A header longer than this is not looked at. Bytes.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Of more challenges than this the rest is not looked at.
const CHALLENGES_MAX: usize = 16;
/// What is kept of an error. Characters.
const ERROR_CHARS_MAX: usize = 64;

/// One way in which the resource could be reached. It comes from outside: an address in it is to be
/// checked like any other before it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// In lower case.
    pub scheme: String,
    /// By name in lower case. One that came twice is not in it: which was meant cannot be known.
    pub params: BTreeMap<String, String>,
}

impl Challenge {
    /// Where the resource's metadata lies (RFC 9728 §5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.params.get("resource_metadata").map(String::as_str)
    }

    /// The scopes that the request needs (RFC 6750 §3).
    pub fn scopes(&self) -> Vec<&str> {
        self.params.get("scope").map(|it| it.split_whitespace().collect()).unwrap_or_default()
    }

    /// `invalid_token`, `insufficient_scope`, `use_dpop_nonce` and so on, as short printable text.
    pub fn error(&self) -> Option<String> {
        self.params.get("error").map(|it| cleaned(it, ERROR_CHARS_MAX))
    }
}

/// Reads one or several headers, in order. What cannot be read ends the header it is in.
pub fn read<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut found = Vec::new();
    for header in headers {
        if header.len() <= HEADER_BYTES_MAX {
            read_one(header, &mut found);
        }
    }
    found
}

fn read_one(header: &str, found: &mut Vec<Challenge>) {
    let first = found.len();
    let (mut rest, mut repeated) = (header, Vec::new());
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = token(rest);
        if word.is_empty() {
            return;
        }
        // A name with a value belongs to the last scheme; any other word is the next scheme.
        if let Some((value, after)) = value(after) {
            let Some(challenge) = found.get_mut(first..).and_then(<[_]>::last_mut) else { return };
            let name = word.to_ascii_lowercase();
            let again = repeated.contains(&name);
            if challenge.params.insert(name.clone(), value).is_some() || again {
                challenge.params.remove(&name);
                repeated.push(name);
            }
            rest = after;
            continue;
        }
        if found.len() >= CHALLENGES_MAX {
            return;
        }
        let Some(after) = past_token68(after) else { return };
        repeated.clear();
        found.push(Challenge { scheme: word.to_ascii_lowercase(), params: BTreeMap::new() });
        rest = after;
    }
}

/// What follows a scheme, past a `token68` if it has one, which says nothing to us.
fn past_token68(after: &str) -> Option<&str> {
    if !(after.is_empty() || after.starts_with([' ', '\t', ','])) {
        return None;
    }
    let inside = after.trim_start_matches([' ', '\t']);
    let is_68 = |it: char| it.is_ascii_alphanumeric() || "-._~+/".contains(it);
    let end = inside.trim_start_matches(is_68).trim_start_matches('=');
    let end = end.trim_start_matches([' ', '\t']);
    let ends = end.is_empty() || end.starts_with(',');
    let is_68 = !inside.is_empty() && !inside.starts_with(',') && ends;
    Some(if is_68 { end } else { inside })
}

fn token(text: &str) -> (&str, &str) {
    let is_token = |it: char| it.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(it);
    let end = text.find(|it| !is_token(it)).unwrap_or(text.len());
    text.split_at(end)
}

/// `= value`, as a token or in quotes.
fn value(after: &str) -> Option<(String, &str)> {
    let inside = after.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let inside = inside.trim_start_matches([' ', '\t']);
    let Some(quoted) = inside.strip_prefix('"') else {
        let (word, after) = token(inside);
        return (!word.is_empty()).then(|| (word.to_owned(), after));
    };
    let (mut value, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, it)) = chars.next() {
        let it = match it {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => chars.next()?.1,
            it => it,
        };
        if it.is_control() && it != '\t' {
            return None;
        }
        value.push(it);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(header: &str) -> Challenge {
        let mut all = read([header]);
        assert_eq!(all.len(), 1, "{header}: {all:?}");
        all.remove(0)
    }

    /// RFC 9728 §5.1, and a scope as RFC 6750 §3 has it.
    #[test]
    fn d_02_where_the_metadata_lies() {
        let it = one(
            "Bearer realm=\"x\", error=\"invalid_token\", scope=\"read write\", resource_metadata=\
            \"https://resource.example.com/.well-known/oauth-protected-resource\"",
        );
        let expected = "https://resource.example.com/.well-known/oauth-protected-resource";
        assert_eq!((it.scheme.as_str(), it.resource_metadata()), ("bearer", Some(expected)));
        assert_eq!(it.scopes(), ["read", "write"]);
        assert_eq!(it.error().as_deref(), Some("invalid_token"));
    }

    #[test]
    fn several_challenges_in_one_header_and_in_several() {
        let header = "Newauth realm=\"a, b=\\\"c\\\"\", type=1, title=\"Login\", Basic \
            realm=simple,, Negotiate YWJj==, DPoP algs=\"ES256\" , Bearer";
        let schemes =
            |all: &[Challenge]| all.iter().map(|it| it.scheme.clone()).collect::<Vec<_>>();
        let all = read([header, "Digest qop=auth"]);
        assert_eq!(schemes(&all), ["newauth", "basic", "negotiate", "dpop", "bearer", "digest"]);
        assert_eq!(all[0].params["realm"], "a, b=\"c\"");
        assert_eq!(all[0].params["title"], "Login");
        assert_eq!(all[1].params["realm"], "simple");
        assert_eq!(all[3].params["algs"], "ES256");
    }

    #[test]
    fn doubtful_headers_say_less_and_not_more() {
        assert_eq!(read(["", ",,", "=x", "\"", "a=b", "é"]), []);
        let it = one("Bearer error=a, ERROR=b, scope=c, error=d");
        assert_eq!((it.error(), it.scopes()), (None, vec!["c"]));
        assert!(one("Bearer resource_metadata=\"https://x").params.is_empty());
        assert!(one("Bearer resource_metadata=\"a\u{1}b\"").params.is_empty());
        assert!(one("Bearer resource_metadata=\"a\\\u{0}b\"").params.is_empty());
        assert_eq!(read(["Basic,".repeat(100).as_str()]).len(), CHALLENGES_MAX);
        assert_eq!(read([format!("Bearer realm=\"{}\"", "x".repeat(20_000)).as_str()]), []);
        // A parameter at the start of a second header belongs to no scheme of the first.
        assert_eq!(read(["Bearer scope=a", "error=b"]).len(), 1);
        assert_eq!(read(["Bearer scope=a", "error=b"])[0].error(), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_harm(headers in any::<[String; 3]>()) {
            prop_assert!(read(headers.iter().map(String::as_str)).len() <= CHALLENGES_MAX);
        }

        #[test]
        fn quoted_values_come_back(value in "[ -~]{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let it = one(&format!("Bearer a=b, x=\"{quoted}\", c=d"));
            prop_assert_eq!(&it.params["x"], &value);
            prop_assert_eq!(&it.params["c"], "d");
        }
    }
}
