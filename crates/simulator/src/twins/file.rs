//! An app's file as a provider would read it: plain data, and what goes without saying.

use std::collections::BTreeMap;

use serde_json::Value;

/// The file, read without the types of those who send the requests.
pub(crate) struct File(Value);

pub(crate) type Pairs = BTreeMap<String, String>;

impl File {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map(Self).map_err(|error| error.to_string())
    }

    /// The value at a dotted path of keys.
    pub(crate) fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.0, |value, key| value.get(key))
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.at(path).is_some()
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    pub(crate) fn text_or<'a>(&'a self, path: &str, usual: &'a str) -> &'a str {
        self.text(path).unwrap_or(usual)
    }

    pub(crate) fn flag(&self, path: &str, usual: bool) -> bool {
        self.at(path).and_then(Value::as_bool).unwrap_or(usual)
    }

    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        self.at(path)?.as_u64()
    }

    /// A text, or several; the usual one where the key is left out.
    pub(crate) fn texts(&self, path: &str) -> Vec<&str> {
        match self.at(path) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A table of texts.
    pub(crate) fn pairs(&self, path: &str) -> Pairs {
        let table = self.at(path).and_then(Value::as_object);
        let texts = table.into_iter().flatten();
        texts.filter_map(|(name, it)| Some((name.clone(), it.as_str()?.to_owned()))).collect()
    }

    pub(crate) fn slug(&self) -> &str {
        self.text_or("slug", "")
    }

    pub(crate) fn fields(&self) -> &[Value] {
        self.at("fields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// What is learnt: name and rule, those from one source only.
    pub(crate) fn learned(&self, from: &str) -> Vec<(&str, &Value)> {
        let table = self.at("learned").and_then(Value::as_object);
        let rules = table.into_iter().flatten().filter(|(_, it)| it["from"] == from);
        rules.map(|(name, it)| (name.as_str(), it)).collect()
    }

    /// The scopes that are asked for when nobody says otherwise.
    pub(crate) fn scopes(&self, table: &str) -> Vec<&str> {
        let mut all = self.texts(&format!("{table}.scopes.default"));
        for scope in self.texts(&format!("{table}.scopes.always")) {
            if !all.contains(&scope) {
                all.push(scope);
            }
        }
        all
    }

    pub(crate) fn flow(&self) -> &str {
        self.text_or("oauth2.flow", "authorization_code")
    }
}
