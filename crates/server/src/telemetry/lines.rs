//! One event is one line, whatever came in from outside.

use std::fmt::Write as _;
use std::io::{self, Write};

/// How a character that must not appear is written instead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As JSON escapes it. It can only stand inside a string, so the line stays valid.
    Json,
    /// As Rust escapes it.
    Text,
    /// The same, but for the codes that only set a colour.
    Colour,
}

/// Escapes what could end a line, move a terminal's cursor or turn the direction of writing.
///
/// The formatter gives one whole event to each call of `write`.
pub(super) struct Escaping<W> {
    inner: W,
    form: Form,
}

impl<W> Escaping<W> {
    pub(super) const fn new(inner: W, form: Form) -> Self {
        Self { inner, form }
    }
}

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        if line.contains(dangerous) {
            self.inner.write_all(escaped(line, self.form).as_bytes())?;
            if line.len() < text.len() {
                self.inner.write_all(b"\n")?;
            }
        } else {
            self.inner.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Controls, separators of lines and paragraphs, marks of direction.
fn dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{61c}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// How many bytes at the start of `text` are a code that sets a colour and does nothing else.
///
/// The formatter's own codes must stay. It leaves ESC in values that are shown by `Display`, so no
/// other code may.
fn colour_code(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("\u{1b}[")?;
    let end = rest.find(|it: char| !it.is_ascii_digit() && it != ';')?;
    rest[end..].starts_with('m').then_some(2 + end + 1)
}

/// Writing to a `String` cannot fail.
fn escaped(line: &str, form: Form) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let colour = colour_code(rest).filter(|_| form == Form::Colour);
        let used = colour.unwrap_or(c.len_utf8());
        match form {
            _ if colour.is_some() || !dangerous(c) => out.push_str(&rest[..used]),
            // All of them lie in the basic plane, so four digits do.
            Form::Json => drop(write!(out, "\\u{:04x}", u32::from(c))),
            Form::Text | Form::Colour => out.extend(c.escape_default()),
        }
        rest = &rest[used..];
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a hostile text looks like once it was logged as message, as field and as debug value.
    fn logged(form: Form) -> String {
        const HOSTILE: &str = "a\nb\rc\u{1b}[31md\u{202e}e\u{85}f\u{2028}g\u{0}h\"i\\";
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = tracing_subscriber::fmt::layer();
        let make = move || Escaping::new(writer.clone(), form);
        let subscriber = match form {
            Form::Json => {
                let layer = layer.json().flatten_event(true).with_writer(make);
                Box::new(tracing_subscriber::registry().with(layer))
                    as Box<dyn tracing::Subscriber + Send + Sync>
            }
            Form::Text | Form::Colour => {
                let layer = layer.with_ansi(form == Form::Colour).with_writer(make);
                Box::new(tracing_subscriber::registry().with(layer))
            }
        };
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(field = HOSTILE, shown = %HOSTILE, debug = ?HOSTILE, "{HOSTILE}");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn l03_an_event_is_one_line_without_controls_in_either_form() {
        for form in [Form::Json, Form::Text] {
            let text = logged(form);
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            let line = text.strip_suffix('\n').unwrap();
            assert!(!line.contains(dangerous), "{line:?}");
        }
    }

    #[test]
    fn l03_colours_stay_and_other_codes_do_not() {
        let text = logged(Form::Colour);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.contains("\u{1b}[32m"), "the level has its colour: {text:?}");
        let kept = escaped("\u{1b}[1;31mred\u{1b}[0m", Form::Colour);
        assert_eq!(kept, "\u{1b}[1;31mred\u{1b}[0m");
        for code in ["\u{1b}]0;title\u{7}", "\u{1b}[2J", "\u{1b}[", "\u{1b}c", "\u{1b}[?1049h"] {
            assert!(!escaped(code, Form::Colour).contains(dangerous), "{code:?}");
        }
    }

    #[test]
    fn l03_json_stays_json_and_loses_nothing() {
        let value: serde_json::Value = serde_json::from_str(&logged(Form::Json)).unwrap();
        let hostile = "a\nb\rc\u{1b}[31md\u{202e}e\u{85}f\u{2028}g\u{0}h\"i\\";
        assert_eq!(value["field"], hostile);
        assert_eq!(value["shown"], hostile);
    }

    proptest! {
        #[test]
        fn l03_no_text_ends_a_line_or_moves_a_cursor(text in "(\\PC|\\pC|\u{1b}\\[[0-9;]{0,4}[mJ]?){0,40}") {
            for form in [Form::Json, Form::Text] {
                prop_assert!(!escaped(&text, form).contains(dangerous));
            }
            let shown = escaped(&text, Form::Colour);
            let moves = |it: char| it != '\u{1b}' && dangerous(it);
            prop_assert!(!shown.contains(moves), "{:?}", shown);
            let codes = shown.match_indices('\u{1b}');
            for (at, _) in codes {
                prop_assert!(colour_code(&shown[at..]).is_some(), "{:?}", shown);
            }
        }
    }
}
