//! An app file from what a server says of itself.

use std::fmt::Write as _;

use grantkeep_oauth::discovery::{AuthMethod, Pkce, Place};

use super::metadata::Found;

/// Scopes of OIDC that say whose account it is, with words for them. An empty text hides
/// a scope.
const PERSON: [(&str, &str); 3] = [
    ("openid", ""),
    ("email", "See your e-mail address"),
    ("profile", "See your name and picture"),
];
const OFFLINE: &str = "offline_access";
/// Characters of a name that comes from outside.
const NAME_CHARS_MAX: usize = 80;

/// What goes into the file besides what the server says.
pub(super) struct Sheet<'a> {
    pub found: &'a Found,
    pub slug: &'a str,
    pub name: &'a str,
    pub auth: AuthMethod,
    /// `YYYY-MM-DD`
    pub today: &'a str,
}

impl Sheet<'_> {
    pub fn text(&self) -> String {
        let mut text = self.face();
        self.oauth2(&mut text);
        self.scopes(&mut text);
        self.identity(&mut text);
        if let Some(resource) = &self.found.resource {
            proxy(&mut text, &resource.id);
        }
        let day = quoted(self.today);
        let _ = write!(
            text,
            "\n[evidence]\nconfirmed = 1\nchecked_on = {day}\n\
             notes = [\"Read from the server's own metadata.\"]\n"
        );
        text
    }

    fn face(&self) -> String {
        let resource = self.found.resource.as_ref().map(|it| it.id.as_str());
        let homepage = resource.unwrap_or(&self.found.server.issuer);
        let name: String = self.name.trim().chars().take(NAME_CHARS_MAX).collect();
        let lines = [
            ("slug", self.slug.to_owned()),
            ("name", name.clone()),
            ("description", format!("{name}, as its server describes itself.")),
            ("homepage", origin(homepage)),
            ("purpose", format!("use your {name} account")),
        ];
        let lines = lines.iter().map(|(key, value)| format!("{key} = {}\n", quoted(value)));
        let lines: String = lines.collect();
        format!("{lines}categories = []\npopularity = 0\nauth = \"oauth2\"\n")
    }

    fn oauth2(&self, text: &mut String) {
        let server = &self.found.server;
        text.push_str("\n[oauth2]\n");
        let mut put = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{key} = {}", quoted(value));
            }
        };
        let at = |place| server.place(place, false);
        put("issuer", Some(&server.issuer));
        put("authorization_url", at(Place::Authorization));
        put("token_url", at(Place::Token));
        put("par_url", at(Place::Push).filter(|_| server.push_required));
        put("client_auth", Some(client_auth(self.auth)));
        let signs = matches!(self.auth, AuthMethod::PrivateKeyJwt | AuthMethod::ClientSecretJwt);
        // RFC 7523bis: the issuer, which no other server has.
        put("client_assertion_audience", Some(server.issuer.as_str()).filter(|_| signs));
        if server.sends_issuer {
            text.push_str("iss_required = true\n");
        }
        if server.object_required {
            text.push_str("request_object = true\n");
        }
        if server.pkce() == Pkce::No {
            let why = quoted("the server's metadata does not name S256");
            let _ = writeln!(text, "pkce = false\npkce_reason = {why}");
        }
        if let Some(resource) = &self.found.resource {
            if resource.metadata.as_ref().is_some_and(|it| it.dpop_required) {
                text.push_str("dpop = true\n");
            }
            let _ = writeln!(text, "resource = [{}]", quoted(&resource.id));
        }
        if self.scopes_asked().iter().any(|it| it == OFFLINE) {
            // `OpenID` Connect Core section 11: without it the scope is dropped.
            text.push_str("\n[oauth2.authorization_params]\nprompt = \"consent\"\n");
        }
        if let Some(url) = at(Place::Revocation) {
            let _ = write!(text, "\n[oauth2.revocation]\nurl = {}\n", quoted(url));
        }
    }

    /// What the resource needs; of a server alone, what says whose account it is.
    pub fn scopes_asked(&self) -> Vec<String> {
        let server = &self.found.server;
        let knows =
            |scope: &str| server.scopes.as_ref().is_some_and(|it| it.iter().any(|it| it == scope));
        let mut scopes: Vec<String> = if let Some(resource) = &self.found.resource {
            resource.scopes.clone()
        } else {
            let known = PERSON.iter().filter(|(it, _)| knows(it));
            known.map(|(it, _)| (*it).to_owned()).collect()
        };
        if knows(OFFLINE) && !scopes.iter().any(|it| it == OFFLINE) {
            scopes.push(OFFLINE.to_owned());
        }
        // What is no scope by the standard would end the list (RFC 6749 section 3.3).
        let word = |it: u8| (b'!'..=b'~').contains(&it) && it != b'"' && it != b'\\';
        scopes.retain(|it| !it.is_empty() && it.bytes().all(word));
        let mut seen = std::collections::BTreeSet::new();
        scopes.retain(|it| seen.insert(it.clone()));
        scopes
    }

    fn scopes(&self, text: &mut String) {
        let scopes = self.scopes_asked();
        let list: Vec<_> = scopes.iter().map(|it| quoted(it)).collect();
        let _ = write!(text, "\n[oauth2.scopes]\ndefault = [{}]\n", list.join(", "));
        text.push_str("\n[oauth2.scopes.words]\n");
        for (scope, words) in PERSON.iter().chain(&[(OFFLINE, "")]) {
            if scopes.iter().any(|it| it == scope) {
                let _ = writeln!(text, "{} = {}", quoted(scope), quoted(words));
            }
        }
    }

    /// A server of `OpenID` Connect says who signed in; a token for a resource is not for its eyes.
    fn identity(&self, text: &mut String) {
        let asked = self.scopes_asked();
        let url = self.found.server.place(Place::UserInfo, false);
        let url = url.filter(|_| self.found.resource.is_none());
        let Some(url) = url.filter(|_| asked.iter().any(|it| it == "openid")) else { return };
        let _ = write!(
            text,
            "\n[verify]\nurl = {}\n\n[identity]\nfrom = \"verify\"\n\
             name = [\"email\", \"preferred_username\", \"name\"]\nsubject = [\"sub\"]\n",
            quoted(url)
        );
        proxy(text, &origin(url));
    }
}

/// The API of an MCP server is its URL.
fn proxy(text: &mut String, url: &str) {
    if !url.starts_with("http") || url.contains('?') {
        return;
    }
    let base = url.strip_suffix('/').unwrap_or(url);
    let _ = write!(
        text,
        "\n[proxy]\nbase_url = {}\n\n[proxy.headers]\n\
         authorization = \"Bearer ${{oauth_access_token}}\"\n",
        quoted(base)
    );
}

/// How an app file calls a way of client authentication.
fn client_auth(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth => "tls",
        AuthMethod::PrivateKeyJwt => "private_key_jwt",
        AuthMethod::ClientSecretJwt => "client_secret_jwt",
        AuthMethod::ClientSecretBasic => "basic",
        AuthMethod::ClientSecretPost => "post",
        AuthMethod::None => "none",
    }
}

fn origin(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| url.to_owned(), |it| it.origin().ascii_serialization())
}

/// A TOML string. JSON writes strings so that TOML reads them, and a `$` begins no placeholder.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace("${", "$ {")).to_string()
}
