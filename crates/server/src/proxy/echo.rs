//! The credential must not come back: answers are looked through for it on their way.
//!
//! This is for apps that repeat what they were sent, by a debug page or an error text. It cannot
//! hold against an app that wants to tell: whoever can change the credential's spelling, can pass.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// Shorter credentials are not looked for: they would be found in every text.
const SECRET_BYTES_MIN: usize = 8;
/// The least of a base64 text that is taken for a find.
const BASE64_CHARS_MIN: usize = 11;
/// How much of a needle is looked for first.
const ANCHOR_BYTES: usize = 16;
/// What stands in the credential's place.
const BLACK: u8 = b'*';

/// RFC 3986 section 2.3, what is not escaped.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The spellings under which credentials are looked for.
#[derive(Default)]
pub(crate) struct Needles(Vec<Needle>);

struct Needle {
    spelling: Zeroizing<Vec<u8>>,
    /// What takes its place; without it, as many stars.
    instead: Option<Bytes>,
}

impl Needles {
    /// Adds a secret: as it is, escaped for a URL and for JSON, and in base64, wherever it begins
    /// in what was encoded.
    pub fn add(&mut self, secret: &str) {
        self.add_for(secret, None);
    }

    /// The same, with a text of its own in its place.
    pub fn add_instead(&mut self, secret: &str, instead: &str) {
        self.add_for(secret, Some(&Bytes::copy_from_slice(instead.as_bytes())));
    }

    fn add_for(&mut self, secret: &str, instead: Option<&Bytes>) {
        if secret.len() < SECRET_BYTES_MIN {
            return;
        }
        self.push(secret.as_bytes().to_vec(), instead);
        // This is done for each call, and most secrets are spelled the same way nearly everywhere.
        if !secret.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._".contains(&it)) {
            self.add_escaped(secret, instead);
        }
        self.push(utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string().into_bytes(), instead);
        for before in 0..3 {
            self.add_base64(secret, before, instead);
        }
    }

    /// For a URL, a form and JSON: each leaves letters, digits and `-._` as they are.
    fn add_escaped(&mut self, secret: &str, instead: Option<&Bytes>) {
        let escaped = utf8_percent_encode(secret, RESERVED).to_string();
        self.push(lower_escapes(&escaped).into_bytes(), instead);
        self.push(escaped.into_bytes(), instead);
        self.push(utf8_percent_encode(secret, SCRIPTS).to_string().into_bytes(), instead);
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        self.push(form.into_bytes(), instead);
        if let Ok(json) = serde_json::to_string(secret) {
            self.push(json.trim_matches('"').replace('/', "\\/").into_bytes(), instead);
            self.push(json.trim_matches('"').as_bytes().to_vec(), instead);
        }
    }

    /// The characters that depend on the secret alone, with `before` bytes in front of it.
    fn add_base64(&mut self, secret: &str, before: usize, instead: Option<&Bytes>) {
        let mut plain = Zeroizing::new(vec![0; before]);
        plain.extend_from_slice(secret.as_bytes());
        let (first, end) = ((before * 8).div_ceil(6), plain.len() * 8 / 6);
        if end - first < BASE64_CHARS_MIN {
            return;
        }
        let text = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&*plain));
        let spelling = &text.as_bytes()[first..end];
        self.push(spelling.to_vec(), instead);
        // RFC 4648 section 5: the same but for two characters.
        let safe = |it: &u8| match it {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
        if spelling.iter().any(|it| b"+/".contains(it)) {
            self.push(spelling.iter().map(safe).collect(), instead);
        }
    }

    fn push(&mut self, spelling: Vec<u8>, instead: Option<&Bytes>) {
        let spelling = Zeroizing::new(spelling);
        if !self.0.iter().any(|it| *it.spelling == *spelling) {
            self.0.push(Needle { spelling, instead: instead.cloned() });
        }
    }

    /// The text with all of them blacked out, or exchanged. `None`: there was none.
    pub fn black_out(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut finds: Vec<(usize, usize, Option<&Bytes>)> = Vec::new();
        for Needle { spelling, instead } in &self.0 {
            if spelling.len() > text.len() {
                continue;
            }
            // Preparing to look for all of a long needle costs more than looking for its beginning.
            let anchor = &spelling[..spelling.len().min(ANCHOR_BYTES)];
            let found = memmem::find_iter(text, anchor);
            let found = found.filter(|at| text[*at..].starts_with(spelling));
            finds.extend(found.map(|at| (at, at + spelling.len(), instead.as_ref())));
        }
        if finds.is_empty() {
            return None;
        }
        finds.sort_by_key(|(from, to, _)| (*from, std::cmp::Reverse(*to)));
        let mut out = Vec::with_capacity(text.len());
        let mut done = 0;
        for (from, to, instead) in finds {
            if from >= done {
                out.extend_from_slice(&text[done..from]);
                match instead {
                    Some(instead) => out.extend_from_slice(instead),
                    None => out.resize(out.len() + to - from, BLACK),
                }
            } else if instead.is_none() {
                // One spelling reaches over the end of another.
                out.resize(out.len() + to.saturating_sub(done), BLACK);
            }
            done = done.max(to);
        }
        out.extend_from_slice(&text[done..]);
        Some(out)
    }

    /// How many bytes at the end of `text` may be the beginning of one.
    fn begun(&self, text: &[u8]) -> usize {
        let of = |needle: &[u8]| {
            let most = (needle.len() - 1).min(text.len());
            let end = &text[text.len() - most..];
            // The first is the longest.
            let mut begins = memchr::memchr_iter(needle[0], end).map(|at| &end[at..]);
            begins.find(|it| needle.starts_with(it)).map_or(0, <[u8]>::len)
        };
        self.0.iter().map(|it| of(&it.spelling)).max().unwrap_or(0)
    }
}

/// What JavaScript's `encodeURIComponent` leaves as it is, too.
const SCRIPTS: &AsciiSet =
    &RESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');

/// `%2F` as `%2f`.
fn lower_escapes(escaped: &str) -> String {
    let mut lower = String::with_capacity(escaped.len());
    for (nth, part) in escaped.split('%').enumerate() {
        if nth == 0 {
            lower.push_str(part);
            continue;
        }
        let (digits, rest) = part.split_at(part.len().min(2));
        lower.push('%');
        lower.push_str(&digits.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
}

/// Looks through a body, piece by piece. What may be the beginning of a credential is held back
/// until the next piece; all else goes on at once.
pub(crate) struct Scanner {
    needles: Needles,
    held: BytesMut,
    found: bool,
}

impl Scanner {
    pub fn new(needles: Needles) -> Self {
        Self { needles, held: BytesMut::new(), found: false }
    }

    /// What can go on now; it may be empty.
    pub fn pass(&mut self, piece: Bytes) -> Bytes {
        let mut text = if self.held.is_empty() {
            piece
        } else {
            let mut whole = std::mem::take(&mut self.held);
            whole.extend_from_slice(&piece);
            whole.freeze()
        };
        if let Some(black) = self.needles.black_out(&text) {
            self.found = true;
            text = black.into();
        }
        let begun = self.needles.begun(&text);
        if begun > 0 {
            self.held.extend_from_slice(&text[text.len() - begun..]);
            text.truncate(text.len() - begun);
        }
        text
    }

    /// What was held back, once nothing follows.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }

    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Whether a credential was found so far.
    pub fn has_found(&self) -> bool {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "gho_a1/B2+c3\"D4e5F6g7";

    fn passed(text: &[u8], cut: usize) -> (Vec<u8>, bool) {
        let mut needles = Needles::default();
        needles.add(SECRET);
        let mut scanner = Scanner::new(needles);
        let mut out = Vec::new();
        for piece in text.chunks(cut) {
            out.extend_from_slice(&scanner.pass(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&scanner.rest());
        (out, scanner.has_found())
    }

    #[test]
    fn p_09_row_79_every_spelling_is_found_however_it_is_cut() {
        let spellings = [
            SECRET.to_owned(),
            utf8_percent_encode(SECRET, RESERVED).to_string(),
            lower_escapes(&utf8_percent_encode(SECRET, RESERVED).to_string()),
            serde_json::to_string(SECRET).unwrap(),
            url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect(),
        ];
        for spelling in spellings {
            let text = format!("before {spelling} after, {spelling}");
            for cut in 1..text.len() {
                let (out, found) = passed(text.as_bytes(), cut);
                let out = String::from_utf8(out).unwrap();
                assert!(found && out.len() == text.len(), "{spelling} in pieces of {cut}");
                assert!(out.starts_with("before ") && out.contains(" after, "), "{out}");
                assert!(!out.contains("B2"), "{out}");
            }
        }
    }

    #[test]
    fn p_09_base64_of_it_and_of_more_is_found() {
        for before in ["", "u", "user:", "a longer name:"] {
            for engine in [BASE64_STANDARD, base64::prelude::BASE64_URL_SAFE] {
                let encoded = engine.encode(format!("{before}{SECRET}:more"));
                let (out, found) = passed(encoded.as_bytes(), 7);
                assert!(found, "{encoded}");
                let out = String::from_utf8(out).unwrap();
                assert!(out.matches('*').count() >= SECRET.len() * 8 / 6 - 2, "{out}");
            }
        }
    }

    #[test]
    fn a_short_secret_would_be_found_everywhere_and_is_not_looked_for() {
        let mut needles = Needles::default();
        needles.add("abc");
        assert!(needles.black_out(b"abc").is_none());
    }

    proptest! {
        /// What does not hold the secret comes out as it went in, however it is cut.
        #[test]
        fn p_09_other_bytes_are_left_alone(
            text in prop::collection::vec(
                prop::sample::select(b"gho_a1/B2+c3\"% \0\xff".to_vec()), 0..300,
            ),
            cut in 1_usize..60,
        ) {
            let (out, found) = passed(&text, cut);
            prop_assert!(found || out == text);
        }
    }
}
