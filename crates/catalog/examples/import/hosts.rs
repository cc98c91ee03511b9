//! Placeholders: which fields they need, and what these must be where they decide a host.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::draft::{Field, Host, Kind, Learned};
use crate::facts::{AskedFacts, Facts};

/// Endings under which anybody can have a name of two labels.
const SHARED_ENDINGS: &[&str] = &[
    "com.au", "net.au", "co.uk", "org.uk", "com.br", "co.jp", "co.nz", "co.in", "com.cn", "co.za",
    "com.mx", "com.tr", "co.kr", "com.sg", "com.ar",
];

/// Names that documentation writes where a customer's own would stand. Somebody else may own them,
/// and would be sent the credentials.
const STAND_INS: &[&str] = &[
    "example",
    "contoso",
    "fabrikam",
    "acme",
    "mycompany",
    "mydomain",
    "myserver",
    "myinstance",
    "domain",
    "company",
    "subdomain",
    "tenant",
    "hostname",
    "servername",
    "instance",
    "your",
];
/// What follows on `your` in such a name; there are apps whose own name begins so.
const YOURS: &[&str] = &[
    "domain",
    "host",
    "instance",
    "site",
    "company",
    "org",
    "server",
    "tenant",
    "sub",
    "cp",
    "polite",
    "app",
    "account",
    "name",
    "store",
    "shop",
    "portal",
    "workspace",
    "customer",
];

/// Functions that a placeholder of ours does not have.
const NOT_NAMES: &[&str] = &["random", "now", "timestamp", "hmac_token"];

/// Why a text was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Not https, a port, a placeholder that is no name.
    Unwritable,
    /// A user could name any host.
    OpenHost,
}

/// Whom a URL gets to see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The operator's client secret goes there, so its host must be the provider's.
    SignIn,
    /// The user's own credential goes there, also to an installation of his own.
    Api,
}

/// The fields of an app while its texts are read.
pub(crate) struct Names {
    kind: Kind,
    slug: String,
    pub fields: Vec<Field>,
    pub learned: BTreeMap<String, Learned>,
}

impl Names {
    pub(crate) fn of(facts: &Facts, kind: Kind) -> Self {
        let mut names =
            Self { kind, slug: facts.slug.clone(), fields: Vec::new(), learned: BTreeMap::new() };
        let no_web_api = crate::requests::is_no_web_api(facts);
        let needed = |it: &str| ["host", "server", "user", "username", "password"].contains(&it);
        // What begins so is a switch of another program, no credential.
        for field in facts.fields.iter().filter(|it| !it.name.starts_with("pd_")) {
            let Some(name) = snake(&field.name) else { continue };
            names.add(Field {
                secret: is_secret(&name, field.secret),
                optional: field.optional || no_web_api && !needed(&name),
                name,
                ..Field::default()
            });
        }
        for asked in &facts.auth.connection_fields {
            names.asked(asked);
        }
        let answer = &facts.auth.token_response;
        for (from, paths) in
            [("token_answer", &answer.metadata), ("callback", &answer.callback_query_metadata)]
        {
            for path in paths {
                names.learns(from, path);
            }
        }
        names
    }

    fn asked(&mut self, asked: &AskedFacts) {
        if asked.from.as_deref() == Some("token_response") {
            return self.learns("token_answer", &asked.name);
        }
        // A name that only a placeholder tells of is added once the placeholder is used.
        if asked.from.as_deref() == Some("template_placeholder") {
            return;
        }
        let Some(name) = snake(&asked.name) else { return };
        self.add(Field {
            secret: is_secret(&name, asked.secret),
            optional: !asked.required,
            options: asked.choices.clone(),
            under: asked.suffix.clone().filter(|it| it.starts_with('.') && !it.contains('/')),
            name,
            ..Field::default()
        });
    }

    fn learns(&mut self, from: &'static str, path: &str) {
        let oauth = matches!(self.kind, Kind::OAuth2 | Kind::OAuth1);
        let Some(name) = snake(path).filter(|_| oauth) else { return };
        if self.field(&name).is_none() && !is_built_in(&name) {
            self.learned.insert(name, Learned { from, path: path.to_owned(), host: None });
        }
    }

    fn add(&mut self, field: Field) {
        if self.field(&field.name).is_none() && !is_built_in(&field.name) {
            self.fields.push(field);
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|it| it.name == name)
    }

    /// A text with our names; fields that it needs are added, and required where `required`.
    pub(crate) fn text(&mut self, text: &str, required: bool) -> Result<String, Why> {
        if text.contains("||") || text.chars().any(char::is_control) {
            return Err(Why::Unwritable);
        }
        let mut mapped = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            mapped.push_str(&rest[..at]);
            let inside = &rest[at + 2..];
            if let Some(argument) = inside.strip_prefix("base64(") {
                let end = argument.find(")}").ok_or(Why::Unwritable)?;
                let argument_text = self.text(&argument[..end], required)?;
                let _ = write!(mapped, "${{base64({argument_text})}}");
                rest = &argument[end + 2..];
                continue;
            }
            let end = inside.find('}').ok_or(Why::Unwritable)?;
            let name = self.name(&inside[..end], required)?;
            let _ = write!(mapped, "${{{name}}}");
            rest = &inside[end + 1..];
        }
        mapped.push_str(rest);
        Ok(mapped)
    }

    fn name(&mut self, written: &str, required: bool) -> Result<String, Why> {
        let plain = |it: char| it.is_ascii_alphanumeric() || it == '_';
        if !written.chars().all(plain) || NOT_NAMES.contains(&written) {
            return Err(Why::Unwritable);
        }
        let oauth = self.kind.has_token();
        let own = self.field(written).is_some();
        if oauth && !own && written == "client_id" {
            return Ok("oauth_client_id".to_owned());
        }
        if oauth && !own && written == "client_secret" {
            return Err(Why::Unwritable);
        }
        let name = snake(written).ok_or(Why::Unwritable)?;
        if is_built_in(&name) {
            return if oauth { Ok(name) } else { Err(Why::Unwritable) };
        }
        if self.learned.contains_key(&name) {
            return Ok(name);
        }
        if self.field(&name).is_none() {
            let secret = is_secret(&name, false);
            self.fields.push(Field { name: name.clone(), secret, ..Field::default() });
        }
        if required && let Some(field) = self.fields.iter_mut().find(|it| it.name == name) {
            field.optional = false;
        }
        Ok(name)
    }

    /// A URL with our names; what decides its host gets a rule.
    pub(crate) fn url(&mut self, text: &str, role: Role) -> Result<String, Why> {
        let text = self.at_home(text.trim());
        let before = self.fields.clone();
        let done = self.ruled(&text, role);
        if done.is_err() {
            self.fields = before;
        }
        done
    }

    fn ruled(&mut self, text: &str, role: Role) -> Result<String, Why> {
        let mapped = self.text(text, true)?;
        let (scheme, rest) = match mapped.strip_prefix("https://") {
            Some(rest) => ("https://", rest),
            None if mapped.starts_with("${") => ("", mapped.as_str()),
            None => return Err(Why::Unwritable),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.strip_suffix(":443").unwrap_or(authority);
        let authority = authority.strip_suffix(":80").unwrap_or(authority);
        if authority.contains(['@', ':', ' ']) || path.contains(' ') {
            return Err(Why::Unwritable);
        }
        if is_stand_in(authority) {
            return Err(Why::OpenHost);
        }
        self.host(scheme, authority, role)?;
        Ok(format!("{scheme}{authority}{}", path.trim_end_matches('/')))
    }

    fn host(&mut self, scheme: &str, authority: &str, role: Role) -> Result<(), Why> {
        let inside = placeholders(authority);
        let [name] = inside.as_slice() else {
            let safe = inside.is_empty() || has_fixed_end(authority) && !scheme.is_empty();
            return if safe { self.labels(&inside) } else { Err(Why::OpenHost) };
        };
        let alone = authority == format!("${{{name}}}");
        let choices = self.field(name).is_some_and(|it| !it.options.is_empty());
        if choices {
            return Ok(());
        }
        if !alone {
            let safe = has_fixed_end(authority) && !scheme.is_empty();
            return if safe { self.labels(&inside) } else { Err(Why::OpenHost) };
        }
        let under = self.field(name).and_then(|it| it.under.clone());
        if role == Role::SignIn && under.is_none() {
            return Err(Why::OpenHost);
        }
        let form = if scheme.is_empty() { "url" } else { "name" };
        self.rule(name, Host { form, under })
    }

    fn labels(&mut self, names: &[&str]) -> Result<(), Why> {
        for name in names {
            if self.field(name).is_none_or(|it| it.options.is_empty()) {
                self.rule(name, Host { form: "label", under: None })?;
            }
        }
        Ok(())
    }

    fn rule(&mut self, name: &str, rule: Host) -> Result<(), Why> {
        let place = match self.fields.iter_mut().find(|it| it.name == name) {
            Some(field) => &mut field.host,
            None => &mut self.learned.get_mut(name).ok_or(Why::OpenHost)?.host,
        };
        match place {
            Some(other) if *other != rule => Err(Why::Unwritable),
            _ => {
                *place = Some(rule);
                Ok(())
            }
        }
    }

    /// Zoho's data centres have endings of their own, and its authorization server is written with
    /// `.com` in the list; so is the rest.
    fn at_home(&self, text: &str) -> String {
        if !self.slug.contains("zoho") && !text.contains("zoho") {
            return text.to_owned();
        }
        text.replace("zoho${custom_host}", "zoho.com")
            .replace("zoho.${extension}", "zoho.com")
            .replace("zohoapis.${extension}", "zohoapis.com")
            .replace(".${base_api_uri}", ".zoho.com")
            .replace(".${base_api_url}", ".zoho.com")
    }
}

/// Whether the last two labels (three under an ending that many share) are written out.
fn has_fixed_end(authority: &str) -> bool {
    let labels: Vec<&str> = authority.rsplit('.').collect();
    let shared = SHARED_ENDINGS.iter().any(|it| authority.ends_with(&format!(".{it}")));
    let needed = if shared { 3 } else { 2 };
    labels.len() > needed - 1
        && labels.iter().take(needed).all(|it| !it.contains("${") && !it.is_empty())
}

fn is_stand_in(authority: &str) -> bool {
    let lower = authority.to_lowercase();
    let labels: Vec<&str> = lower.rsplit('.').skip(1).collect();
    let yours = |it: &str| {
        let rest = it.strip_prefix("your").map(|it| it.trim_start_matches(['-', '_']));
        rest.is_some_and(|rest| YOURS.iter().any(|it| rest.starts_with(it)))
    };
    lower == "test.com" || labels.iter().any(|it| STAND_INS.contains(it) || yours(it))
}

/// Whether a host says of itself that it is there to try things out.
pub(crate) fn is_for_tests(url: &str) -> bool {
    let host = url.split("://").last().unwrap_or_default().split(['/', '?']).next();
    let labels = host.unwrap_or_default().split(['.', '-']);
    labels.rev().skip(1).any(|it| {
        matches!(it, "sandbox" | "demo" | "test" | "staging" | "stage" | "dev" | "uat" | "testapi")
    })
}

fn placeholders(text: &str) -> Vec<&str> {
    grantkeep_catalog::placeholders::names(text).unwrap_or_default()
}

pub(crate) fn is_built_in(name: &str) -> bool {
    grantkeep_catalog::placeholders::OAUTH2.contains(&name)
}

/// `apiKey`, `API-Key` and `Api Key` are all `api_key`.
pub(crate) fn snake(name: &str) -> Option<String> {
    let mut made = String::new();
    let mut before = '_';
    for letter in name.chars() {
        let begins =
            letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        let plain = letter.is_ascii_alphanumeric();
        if (begins || !plain) && !made.is_empty() && !made.ends_with('_') {
            made.push('_');
        }
        if plain {
            made.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    let made = made.trim_matches('_').to_owned();
    grantkeep_catalog::placeholders::is_name(&made).then_some(made)
}

/// Names tell more than the lists, which often mark a user name as secret, or a key as plain.
fn is_secret(name: &str, said: bool) -> bool {
    const PLAIN: &[&str] =
        &["username", "user_name", "user", "email", "login", "client_id", "host", "domain"];
    const SECRET: &[&str] = &["key", "secret", "token", "password", "passphrase", "private"];
    if PLAIN.contains(&name) || name.ends_with("_url") || name.ends_with("_host") {
        return false;
    }
    let id = name.ends_with("_id") || name.ends_with("_name") || name.contains("public");
    said || !id && SECRET.iter().any(|it| name.contains(it))
}
