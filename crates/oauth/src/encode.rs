//! The two ways of percent-encoding, which differ, and the texts that come from outside.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use zeroize::Zeroizing;

/// Everything but the unreserved characters of RFC 3986 §2.3.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// A word of this many characters in a message may be a token and is not shown.
const TOKEN_CHARS_MIN: usize = 20;

/// RFC 3986 with upper-case digits and `%20`, as RFC 5849 §3.6 wants it; right in a path too.
pub(crate) fn strict(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

/// The same for bytes that may be no text.
pub(crate) fn strict_bytes(bytes: &[u8]) -> String {
    percent_encode(bytes, STRICT).to_string()
}

/// `application/x-www-form-urlencoded`, as RFC 6749 Appendix B wants it: a space becomes `+`.
pub(crate) fn form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// `name=value` pairs joined by `&`.
pub(crate) fn form_pairs<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(512));
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
        out.push('=');
        out.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
    }
    out
}

/// A message from outside, made fit to be kept and shown as text: at most `chars_max` printable
/// characters, with words that may be tokens left out.
pub(crate) fn cleaned(text: &str, chars_max: usize) -> String {
    let printable: String = text
        .chars()
        // Far more than is kept: words may be dropped below.
        .take(chars_max * 8)
        .map(|it| if is_printable(it) { it } else { ' ' })
        .collect();
    let words: Vec<&str> = printable
        .split_whitespace()
        .map(|word| if may_be_token(word) { "[redacted]" } else { word })
        .collect();
    words.join(" ").chars().take(chars_max).collect()
}

fn is_printable(it: char) -> bool {
    // Marks that reorder or hide text could make a message read as another one.
    let hides = matches!(it, '\u{ad}' | '\u{61c}' | '\u{feff}')
        || matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(it, '\u{fff0}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}');
    !it.is_control() && !hides
}

fn may_be_token(word: &str) -> bool {
    let run = |part: &str| {
        part.len() >= TOKEN_CHARS_MIN && part.bytes().any(|it| it.is_ascii_digit())
            || part.len() >= 2 * TOKEN_CHARS_MIN
    };
    word.split(|it: char| !(it.is_ascii_alphanumeric() || "-._~+/=%".contains(it))).any(run)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn t_02_the_two_encodings_differ_where_the_standards_do() {
        assert_eq!(form("a b:c%d+é*~"), "a+b%3Ac%25d%2B%C3%A9*%7E");
        assert_eq!(strict("a b:c%d+é*~"), "a%20b%3Ac%25d%2B%C3%A9%2A~");
        assert_eq!(&*form_pairs([("a", "1 2"), ("b&", "")]), "a=1+2&b%26=");
    }

    #[test]
    fn f_08_messages_lose_what_could_mislead_or_leak() {
        let cases = [
            ("Bad\r\n\tcode\0", "Bad code"),
            ("abc\u{202e}def", "abc def"),
            ("token ya29.a0AfH6SMBx1234567890 is gone", "token [redacted] is gone"),
            ("refresh_token='abcdefghij0123456789'", "[redacted]"),
            ("The redirect_uri is not registered.", "The redirect_uri is not registered."),
        ];
        for (text, expected) in cases {
            assert_eq!(cleaned(text, 256), expected);
        }
        assert_eq!(cleaned(&"word ".repeat(1_000), 256).chars().count(), 256);
    }

    proptest! {
        #[test]
        fn f_08_a_cleaned_message_is_short_and_printable(text in any::<String>()) {
            let text = cleaned(&text, 256);
            prop_assert!(text.chars().count() <= 256 && text.chars().all(is_printable));
        }

        #[test]
        fn strict_encoding_round_trips(text in any::<String>()) {
            let encoded = strict(&text);
            let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap();
            prop_assert_eq!(decoded, text);
        }
    }
}
