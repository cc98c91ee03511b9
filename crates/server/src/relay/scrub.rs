//! Takes a run's secrets out of what it leaves behind: logs, exports, results, errors.

use serde_json::Value;

use crate::proxy::echo::Needles;

/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";

/// Knows a run's secrets under every spelling that `echo.rs` knows: as they are, escaped for URLs
/// and JSON, and in base64. Not found are those of less than eight characters, and what the code
/// cut up or changed.
#[derive(Default)]
pub struct Scrubber(Needles);

impl Scrubber {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scrubber = Self::default();
        for secret in secrets {
            scrubber.add(secret);
        }
        scrubber
    }

    pub fn add(&mut self, secret: &str) {
        self.0.add_instead(secret, REDACTED);
    }

    pub fn text(&self, text: String) -> String {
        match self.0.black_out(text.as_bytes()) {
            // A needle begins and ends between characters, unless it is base64, which is ASCII.
            Some(clean) => String::from_utf8_lossy(&clean).into_owned(),
            None => text,
        }
    }

    /// Every text in it, names of members too.
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.into_iter().map(|it| self.value(it)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(name, value)| (self.text(name), self.value(value)))
                .collect(),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    const SECRET: &str = "xoxb-a1/B2+c3\"D4 (e5)F6!g7";

    #[test]
    fn j_08_row_99_every_spelling_of_a_secret_is_taken_out() {
        let scrubber = Scrubber::new([SECRET, "gkblind_00112233445566778899aabbccddeeff"]);
        let basic = BASE64_STANDARD.encode(format!("ada:{SECRET}"));
        let spellings = [
            SECRET.to_owned(),
            serde_json::to_string(&json!({ "t": SECRET })).unwrap(),
            url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect(),
            percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC)
                .to_string(),
            "xoxb-a1%2FB2%2Bc3%22D4%20(e5)F6!g7".to_owned(),
            BASE64_STANDARD.encode(SECRET),
            BASE64_URL_SAFE_NO_PAD.encode(format!("{SECRET}:")),
            format!("Basic {basic}"),
            "Bearer gkblind_00112233445566778899aabbccddeeff".to_owned(),
        ];
        for spelling in spellings {
            let clean = scrubber.text(format!("log: {spelling} end"));
            assert!(clean.contains(REDACTED), "{spelling} became {clean}");
            for part in ["B2", "D4", "gkblind_", &BASE64_STANDARD.encode(SECRET)[4..20]] {
                assert!(!clean.contains(part), "{spelling} became {clean}");
            }
            assert!(clean.starts_with("log: ") && clean.ends_with(" end"), "{clean}");
        }
    }

    #[test]
    fn j_08_values_are_scrubbed_wherever_a_text_stands_in_them() {
        let scrubber = Scrubber::new([SECRET]);
        let value = json!({ "a": [1, { SECRET: format!("x{SECRET}y") }], "b": true, "c": "plain" });
        let clean = scrubber.value(value);
        let expected =
            json!({ "a": [1, { "[redacted]": "x[redacted]y" }], "b": true, "c": "plain" });
        assert_eq!(clean, expected);
    }
}
