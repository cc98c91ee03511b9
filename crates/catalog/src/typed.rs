//! What people type and paste, and how it is taken.

use crate::app::App;
use crate::auth::Auth;
use crate::fields::{Field, FieldError, FieldKind, HostForm, is_host};

/// What stands around a field in the app's own addresses: `https://` and `.zendesk.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    pub before: String,
    pub after: String,
}

impl App {
    /// Takes what was typed or pasted for a field: without the spaces around it, a part of a host
    /// cut out of a whole address, and held to the field's rules.
    ///
    /// # Errors
    /// A sentence for the person, which never repeats the value.
    pub fn take(&self, field: &Field, typed: &str) -> Result<String, FieldError> {
        let value = self.tidy(field, typed);
        match field.check(&value) {
            Ok(()) => Ok(value),
            // The rule knows letters only; here is known what to enter.
            Err(_) if !value.is_empty() && self.around(field).is_some() => {
                Err(FieldError::of(self.form_wanted(field)))
            }
            Err(why) => Err(why),
        }
    }

    /// What a value that has not the field's form is told.
    pub fn form_wanted(&self, field: &Field) -> String {
        let around = self.around(field).map(|it| it.after);
        let more = around.map(|it| format!(" Enter only what stands before {it}."));
        field.form_wanted() + &more.unwrap_or_default()
    }

    /// What stands around a field that is one label of a host, in the address that the app's users
    /// know best. `None`: the field is none, or what stands around it depends on other fields.
    pub fn around(&self, field: &Field) -> Option<Around> {
        let rule = field.host.as_ref().filter(|it| it.form == HostForm::Label)?;
        let mark = format!("${{{}}}", field.name);
        let cut = |text: &str| {
            let start = text.find("://")? + 3;
            let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |it| start + it);
            let (before, after) = text[..end].split_once(&mark)?;
            let fixed = after.strip_prefix('.').is_some_and(is_host) && !before.contains('$');
            fixed.then(|| Around { before: before.to_owned(), after: after.to_owned() })
        };
        let listed = || {
            let after = rule.under.first().filter(|it| it.starts_with('.'))?.clone();
            Some(Around { before: "https://".to_owned(), after })
        };
        self.addresses().into_iter().find_map(cut).or_else(listed)
    }

    /// The app's addresses, those that its users see first.
    fn addresses(&self) -> Vec<&str> {
        let sign_in: Vec<&str> = match &self.auth {
            Auth::OAuth2(it) => vec![&it.authorization_url, &it.token_url],
            Auth::OAuth1(it) => vec![&it.authorize_url],
            _ => Vec::new(),
        };
        let proxy = self.proxy.iter().map(|it| it.base_url.as_str());
        let verify = self.verify.iter().map(|it| it.url.as_str());
        sign_in.into_iter().chain(proxy).chain(verify).collect()
    }

    fn tidy(&self, field: &Field, typed: &str) -> String {
        if field.kind == FieldKind::Multiline {
            return typed.to_owned();
        }
        let typed = typed.trim();
        let rule = field.host.as_ref().filter(|_| field.kind != FieldKind::Select);
        let Some(rule) = rule else { return typed.to_owned() };
        let host = host_of(typed);
        let cut = match rule.form {
            HostForm::Label => host.and_then(|it| self.label_of(field, &it)),
            HostForm::Name => host,
            HostForm::Url => host.map(|it| format!("https://{it}")),
        };
        cut.unwrap_or_else(|| typed.to_ascii_lowercase())
    }

    /// The field's part of a whole host.
    fn label_of(&self, field: &Field, host: &str) -> Option<String> {
        let around = self.around(field)?;
        let (_, before) = around.before.split_once("://")?;
        let label = host.strip_suffix(&around.after)?;
        Some(label.strip_prefix(before).unwrap_or(label).to_owned()).filter(|it| !it.is_empty())
    }
}

/// The host of an address as it is pasted, with or without its scheme, in lower case. `None` for
/// anything that a person would not copy from an address bar: a user name, a port, an encoding.
fn host_of(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let rest = ["https://", "http://"].iter().find_map(|it| text.strip_prefix(it));
    let host = rest.unwrap_or(&text).split(['/', '?', '#']).next()?;
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-');
    (!host.is_empty() && host.bytes().all(plain)).then(|| host.to_owned())
}
