//! Many app files in one compact text of bytes, from which single apps are read.
//!
//! The layout, all numbers little-endian, `v` a number in seven-bit groups:
//!
//! ```text
//! magic 8, version u32, strings u32, apps u32, icons u32       how many there are
//! end of each string u32 ...; the strings
//! each app, by slug: slug, name, names for search, auth, flow v   numbers of strings
//!   popularity 1, what is so 1 (1: connectable, 2: needs a client), confirmed v, status v
//!   categories v: string v ...; length of the tree v; the tree
//! each icon, by name: name v, colour 3, shape v
//! ```
//!
//! A tree is a TOML value: a tag and what belongs to it. Each string stands once. Read by the build
//! script too, so it uses nothing of this crate but [`crate::fold`].

use std::collections::BTreeMap;
use std::collections::HashMap;

use toml::{Table, Value};

use crate::fold;

pub(crate) const MAGIC: &[u8; 8] = b"GKCATLOG";
/// Raised whenever older programs would misread what is written.
pub(crate) const VERSION: u32 = 1;

/// What is so of an app, a bit each.
pub(crate) const CONNECTABLE: u8 = 1;
pub(crate) const NEEDS_CLIENT: u8 = 2;

pub(crate) const FALSE: u8 = 0;
pub(crate) const TRUE: u8 = 1;
/// A number that is not negative.
pub(crate) const NUMBER: u8 = 2;
pub(crate) const NEGATIVE: u8 = 3;
pub(crate) const FLOAT: u8 = 4;
pub(crate) const STRING: u8 = 5;
pub(crate) const ARRAY: u8 = 6;
pub(crate) const TABLE: u8 = 7;

/// A shape and its brand's colour.
pub(crate) struct IconData<'a> {
    pub name: &'a str,
    pub color: [u8; 3],
    pub shape: &'a str,
}

/// Packs app files (path and text) and icons.
///
/// # Errors
/// The path of the file that is no TOML, and why.
pub(crate) fn pack<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    icons: &[IconData<'_>],
) -> Result<Vec<u8>, String> {
    let mut apps: BTreeMap<String, Table> = BTreeMap::new();
    for (path, text) in files {
        let table: Table = text.parse().map_err(|why| format!("{path}: {why}"))?;
        let slug = table.get("slug").and_then(Value::as_str).unwrap_or_default().to_owned();
        if apps.insert(slug, table).is_some() {
            return Err(format!("{path}: the slug of another file"));
        }
    }
    let mut strings = Strings::default();
    let mut body = Vec::new();
    for (slug, table) in &apps {
        app(&mut body, &mut strings, slug, table);
    }
    for icon in icons {
        strings.put(&mut body, icon.name);
        body.extend(icon.color);
        strings.put(&mut body, icon.shape);
    }
    let mut out = MAGIC.to_vec();
    for number in [VERSION as usize, strings.all.len(), apps.len(), icons.len()] {
        fixed(&mut out, number)?;
    }
    let mut end = 0;
    for string in &strings.all {
        end += string.len();
        fixed(&mut out, end)?;
    }
    out.extend(strings.all.concat().bytes());
    out.extend(body);
    Ok(out)
}

fn app(out: &mut Vec<u8>, strings: &mut Strings, slug: &str, table: &Table) {
    let text = |table: &Table, key: &str| {
        table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let list = |table: &Table, key: &str| -> Vec<String> {
        let values = table.get(key).and_then(Value::as_array);
        let texts = values.into_iter().flatten().filter_map(Value::as_str);
        texts.map(ToOwned::to_owned).collect()
    };
    let name = text(table, "name");
    let former = list(table, "former_names");
    let names = [name.as_str(), slug].into_iter().chain(former.iter().map(String::as_str));
    let none = Table::new();
    let part = |key: &str| table.get(key).and_then(Value::as_table).unwrap_or(&none);
    let evidence = part("evidence");
    for text in
        [slug, &name, &fold::fold_all(names), &text(table, "auth"), &text(part("oauth2"), "flow")]
    {
        strings.put(out, text);
    }
    let number = |table: &Table, key: &str| {
        table.get(key).and_then(Value::as_integer).and_then(|it| u64::try_from(it).ok())
    };
    out.push(u8::try_from(number(table, "popularity").unwrap_or(0)).unwrap_or(u8::MAX));
    let connectable = list(evidence, "missing").is_empty();
    let client = text(part("oauth2"), "client");
    let needs_client = match text(table, "auth").as_str() {
        "oauth2" => table.contains_key("oauth2") && (client.is_empty() || client == "registered"),
        "oauth1" => table.contains_key("oauth1"),
        _ => false,
    };
    out.push(
        if connectable { CONNECTABLE } else { 0 } | if needs_client { NEEDS_CLIENT } else { 0 },
    );
    varint(out, number(evidence, "confirmed").unwrap_or(0));
    strings.put(out, &text(evidence, "status"));
    let categories = list(table, "categories");
    varint(out, categories.len() as u64);
    for category in &categories {
        strings.put(out, category);
    }
    let mut inside = Vec::new();
    tree_of(&mut inside, strings, table);
    varint(out, inside.len() as u64);
    out.extend(inside);
}

fn tree(out: &mut Vec<u8>, strings: &mut Strings, value: &Value) {
    match value {
        Value::Boolean(false) => out.push(FALSE),
        Value::Boolean(true) => out.push(TRUE),
        Value::Integer(number) => {
            out.push(if *number < 0 { NEGATIVE } else { NUMBER });
            varint(out, number.unsigned_abs());
        }
        Value::Float(number) => {
            out.push(FLOAT);
            out.extend(number.to_le_bytes());
        }
        Value::String(text) => {
            out.push(STRING);
            strings.put(out, text);
        }
        Value::Datetime(moment) => {
            out.push(STRING);
            strings.put(out, &moment.to_string());
        }
        Value::Array(values) => {
            out.push(ARRAY);
            varint(out, values.len() as u64);
            for value in values {
                tree(out, strings, value);
            }
        }
        Value::Table(table) => tree_of(out, strings, table),
    }
}

fn tree_of(out: &mut Vec<u8>, strings: &mut Strings, table: &Table) {
    out.push(TABLE);
    varint(out, table.len() as u64);
    for (key, value) in table {
        strings.put(out, key);
        tree(out, strings, value);
    }
}

/// Each string once, by its number. Those that come first get the short numbers, and these are the
/// keys, which every app has.
#[derive(Default)]
struct Strings {
    all: Vec<String>,
    numbers: HashMap<String, u64>,
}

impl Strings {
    fn put(&mut self, out: &mut Vec<u8>, text: &str) {
        let next = self.all.len() as u64;
        let number = *self.numbers.entry(text.to_owned()).or_insert_with(|| {
            self.all.push(text.to_owned());
            next
        });
        varint(out, number);
    }
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

fn fixed(out: &mut Vec<u8>, number: usize) -> Result<(), String> {
    let number = u32::try_from(number).map_err(|_| "more than four gigabytes".to_owned())?;
    out.extend(number.to_le_bytes());
    Ok(())
}
