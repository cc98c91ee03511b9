//! Reading a line of JSON that may hold secrets: what is wrong with it is told without a word of
//! what it holds.

use serde::Deserialize;

/// Reads an object.
///
/// # Errors
/// A sentence for the person who gave it, which begins in the middle.
pub fn read<'de, T: Deserialize<'de>>(line: &'de [u8]) -> Result<T, String> {
    if line.iter().find(|it| !it.is_ascii_whitespace()) != Some(&b'{') {
        return Err("is no JSON object".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| told(&error))
}

fn told(error: &serde_json::Error) -> String {
    let column = error.column();
    if !error.is_data() {
        return format!("is no whole JSON: look at column {column}");
    }
    // Before that serde quotes what stands there; after it there are only our own words.
    let text = error.to_string();
    let wanted = text.rsplit_once(", expected ").map(|(_, wanted)| wanted);
    let wanted = wanted.and_then(|it| it.rsplit_once(" at line ")).map(|(wanted, _)| wanted);
    match wanted {
        Some(wanted) => format!("does not fit at column {column}: expected {wanted}"),
        None => format!("does not fit at column {column}: a name is missing or stands there twice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[serde(rename = "token")]
        _token: Option<String>,
    }

    #[test]
    fn l_01_a_line_that_cannot_be_read_is_not_repeated() {
        for (line, said) in [
            (r#"{"token":7310001}"#, "at column 16: expected a string"),
            (r#"{"token":["7310001"]}"#, "expected a string"),
            (r#"{"7310001":"x"}"#, "expected `token`"),
            (r#"{"token":"a","token":"7310001"}"#, "twice"),
            (r#"{"token":"7310001"#, "is no whole JSON"),
            (r#"{"token":"x" 7310001}"#, "is no whole JSON"),
            (r#""7310001""#, "is no JSON object"),
            (r#"["7310001"]"#, "is no JSON object"),
            ("", "is no JSON object"),
        ] {
            let why = read::<Thing>(line.as_bytes()).unwrap_err();
            assert!(why.contains(said) && !why.contains("7310001"), "{line}: {why}");
        }
        let text = r#"{"token":{"a":", expected 7310001 at line 7310001"}}"#;
        assert!(!read::<Thing>(text.as_bytes()).unwrap_err().contains("7310001"));
    }
}
