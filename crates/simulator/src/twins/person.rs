//! What a person types into the form, and what is to be learnt of him: values that fit the rules of
//! the file, and that break whoever encodes them wrongly.

use serde_json::{Map, Value, json};

use super::file::{File, Pairs};
use super::statement;

/// Stands in every secret: what means something in a form, a URL, JSON and HTTP Basic.
const SHARP: &str = "s:a&b+c=d/e%20 f\"g\\h";

/// The form, filled. Without `all`, what may be left out is.
pub(super) fn form(file: &File, all: bool) -> Pairs {
    let fields = file.fields().iter().filter(|it| all || it["optional"] != true);
    fields.filter_map(|it| Some((it["name"].as_str()?.to_owned(), value(file, it)))).collect()
}

/// All values of the account: what was typed or stands there by default, and what is learnt.
pub(super) fn values(file: &File, form: &Pairs) -> Pairs {
    let mut values = Pairs::new();
    for field in file.fields() {
        if let (Some(name), Some(text)) = (field["name"].as_str(), field["default"].as_str()) {
            values.insert(name.to_owned(), text.to_owned());
        }
    }
    values.extend(form.clone());
    let table = file.at("learned").and_then(Value::as_object);
    for (name, rule) in table.into_iter().flatten() {
        values.entry(name.clone()).or_insert_with(|| learnt(file, name, rule));
    }
    values
}

/// What a learnt value is.
fn learnt(file: &File, name: &str, rule: &Value) -> String {
    match rule.get("host") {
        Some(rule) => host(name, rule),
        None if statement::is_key(file, name) => statement::private_key().to_owned(),
        None => format!("learnt-{name}"),
    }
}

fn value(file: &File, field: &Value) -> String {
    let name = field["name"].as_str().unwrap_or_default();
    let options = field["options"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(last) = options.last() {
        return last["value"].as_str().unwrap_or_default().to_owned();
    }
    if let Some(pattern) = field["pattern"].as_str() {
        return fitting(pattern);
    }
    if let Some(rule) = field.get("host") {
        return host(name, rule);
    }
    if statement::is_key(file, name) {
        return statement::private_key().to_owned();
    }
    match field["kind"].as_str().unwrap_or("text") {
        "number" => "42".to_owned(),
        "checkbox" => "true".to_owned(),
        "multiline" => format!("first line of {name}\nsecond line"),
        "json" => object(file, name).to_string(),
        "connection_string" => {
            let scheme = field["schemes"][0].as_str().unwrap_or("db");
            format!("{scheme}://ada:pass%40word@db.twin.example/main")
        }
        "password" => format!("{name}-{SHARP}"),
        _ => format!("{name} ada+1@twin.example"),
    }
}

/// A host that the rule takes.
fn host(name: &str, rule: &Value) -> String {
    let label = format!("a-{}", name.replace('_', ""));
    let under = rule["under"][0].as_str();
    let whole = match under {
        Some(end) if end.starts_with('.') => format!("{label}{end}"),
        Some(end) => end.to_owned(),
        None => format!("{label}.twin.example"),
    };
    match rule["form"].as_str() {
        Some("label") => label,
        Some("url") => format!("https://{whole}"),
        _ => whole,
    }
}

/// A JSON field that holds the members which are learnt from it.
fn object(file: &File, field: &str) -> Value {
    let mut root = json!({});
    for (name, rule) in file.learned("field") {
        let path = rule["path"].as_str().unwrap_or_default();
        if let Some((_, member)) = path.split_once('.').filter(|(it, _)| *it == field) {
            super::answer::place(&mut root, member, json!(learnt(file, name, rule)));
        }
    }
    if root == json!({}) {
        Value::Object(Map::from_iter([("a".to_owned(), json!(1))]))
    } else {
        root
    }
}

/// A text that a simple regular expression takes: the first of what may stand at each place, as
/// often as must be.
fn fitting(pattern: &str) -> String {
    let mut made = String::new();
    let mut rest = pattern;
    // Of several texts that may be, the first.
    while !rest.is_empty() && !rest.starts_with('|') {
        let (one, after) = piece(rest);
        let (times, after) = times(after);
        made.push_str(&one.repeat(times));
        rest = after;
    }
    made
}

/// What stands at the first place, and the rest of the pattern.
fn piece(pattern: &str) -> (String, &str) {
    if let Some(inside) = pattern.strip_prefix('(') {
        let end = inside.find(')').unwrap_or(inside.len());
        let first = inside[..end].trim_start_matches("?:").split('|').next().unwrap_or_default();
        return (fitting(first), inside.get(end + 1..).unwrap_or_default());
    }
    if let Some(inside) = pattern.strip_prefix('[') {
        let end = inside.find(']').unwrap_or(inside.len());
        let first = inside.chars().next().unwrap_or('a');
        return (first.to_string(), inside.get(end + 1..).unwrap_or_default());
    }
    if let Some(inside) = pattern.strip_prefix('\\') {
        let class = inside.chars().next().unwrap_or('w');
        let one = match class {
            'd' => '7',
            'w' => 'w',
            's' => ' ',
            other => other,
        };
        return (one.to_string(), &inside[class.len_utf8()..]);
    }
    let one = pattern.chars().next().unwrap_or('.');
    (if one == '.' { "x".to_owned() } else { one.to_string() }, &pattern[one.len_utf8()..])
}

/// How often the piece must stand there.
fn times(pattern: &str) -> (usize, &str) {
    match pattern.chars().next() {
        Some('+') => (1, &pattern[1..]),
        Some('*' | '?') => (0, &pattern[1..]),
        Some('{') => {
            let end = pattern.find('}').unwrap_or(pattern.len() - 1);
            let least = pattern[1..end].split(',').next().unwrap_or_default();
            (least.parse().unwrap_or(1), &pattern[end + 1..])
        }
        _ => (1, pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn texts_fit_their_patterns() {
        for (pattern, text) in [
            ("(sk|rk)_(live|test)_[A-Za-z0-9]+", "sk_live_A"),
            ("[0-9]{5,8}:[a-z_-]{3}", "00000:aaa"),
            ("AC[0-9a-fA-F]{4}", "AC0000"),
            ("[a-z]{2}(-[a-z]+)+-[0-9]", "aa-a-0"),
            (r"\d+\.x?", "7."),
            ("[0-9]{2}(-[a-f]{2}){3}|[A-Z]+", "00-aa-aa-aa"),
        ] {
            assert_eq!(fitting(pattern), text, "{pattern}");
        }
    }
}
