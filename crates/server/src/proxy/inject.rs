//! Putting the credential into a request: last, so that nothing the caller sends can stand in its
//! place.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use grantkeep_catalog::{App as CatalogApp, Aws4, Proxy};
use grantkeep_oauth::Secret;
use url::Url;
use zeroize::Zeroizing;

use super::echo::Needles;
use super::target::Aim;
use crate::accounts::Usable;
use crate::app::App;
use crate::apps::protocol::Values;
use crate::apps::{self, OAuthApp};
use crate::body;
use crate::error::{self, Error, Result};

/// What a template calls the OAuth client.
const CLIENT_ID: &str = "oauth_client_id";
const ACCESS_TOKEN: &str = "oauth_access_token";
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// What goes into each request, for one account.
pub(crate) struct Injection {
    pub found: Arc<CatalogApp>,
    pub usable: Usable,
    /// The OAuth client, where something of it is needed.
    pub client: Option<OAuthApp>,
}

impl Injection {
    /// # Errors
    /// [`error::OAUTH_CLIENT_MISSING`] when the client that made the grant is gone, and the app
    /// wants something of it.
    pub async fn prepare(app: &App, found: Arc<CatalogApp>, usable: Usable) -> Result<Self> {
        let wanted = found.oauth1().is_some() || names_client(&found);
        let client = match &usable.account.oauth_app {
            Some(id) if wanted => {
                let (project, user) = (&usable.account.tenant.project, &usable.account.user);
                let client = apps::oauth_app_for_user(app, project, id.as_str(), user).await;
                Some(client.map_err(|_| Error::from(error::OAUTH_CLIENT_MISSING))?)
            }
            _ => None,
        };
        Ok(Self { found, usable, client })
    }

    pub fn aws4(&self) -> Option<&Aws4> {
        self.found.proxy.as_ref()?.aws4.as_ref()
    }

    pub fn values(&self) -> Values<'_> {
        let credentials = &self.usable.credentials;
        let mut values = Values::of(&self.found, &credentials.fields);
        values.access_token = credentials.access_token.as_ref();
        values.client_id = self.client.as_ref().map(|it| it.client_id.as_str());
        values
    }

    /// The app's base URL, if it is the same for every account.
    pub fn fixed_base(proxy: &Proxy) -> Option<&str> {
        Some(proxy.base_url.as_str()).filter(|it| !it.contains("${"))
    }

    /// The app's base URL, with the account's own values in it.
    pub fn base(&self, app: &App, proxy: &Proxy) -> Result<String> {
        if let Some(base) = Self::fixed_base(proxy) {
            return Ok(base.to_owned());
        }
        self.values().url(app, &proxy.base_url).map_err(|why| {
            // It names the field, never the value.
            error::INVALID_TARGET
                .saying(format!("The app's address cannot be made for this account: {why}."))
        })
    }

    /// Whether the credential may go to `url`, by the judgement that holds for proxied calls.
    pub fn owns(&self, app: &App, url: &Url) -> bool {
        let Some(proxy) = &self.found.proxy else { return false };
        let Ok(base) = self.base(app, proxy) else { return false };
        Aim::read(url.as_str()).and_then(|it| it.resolve(proxy, &base)).is_ok()
    }

    /// A text of the app's file with its values. `None`: nothing of what it names is there, so that
    /// it is left out.
    fn text(&self, template: &str) -> Result<Option<Secret>> {
        self.values().given(template).map_err(|why| {
            error::PROXY_UNAVAILABLE
                .saying(format!("The credential cannot be put into a request: {why}."))
        })
    }

    /// Sets the app's headers: those of `defaults` where the caller sent none, all others anyway.
    pub fn headers(&self, proxy: &Proxy, headers: &mut HeaderMap) -> Result<()> {
        for (name, template) in &proxy.default_headers {
            let name = header_name(name)?;
            if !headers.contains_key(&name)
                && let Some(value) = self.header_value(template)?
            {
                headers.insert(name, value);
            }
        }
        for (name, template) in &proxy.headers {
            let name = header_name(name)?;
            // Also where there is nothing to put in: the caller's own would stand there.
            headers.remove(&name);
            if let Some(value) = self.header_value(template)? {
                headers.insert(name, value);
            }
        }
        Ok(())
    }

    fn header_value(&self, template: &str) -> Result<Option<HeaderValue>> {
        let Some(text) = self.text(template)? else { return Ok(None) };
        let mut value = HeaderValue::from_str(text.expose()).map_err(|_| {
            error::PROXY_UNAVAILABLE.saying(
                "A credential of this account holds a character that no header can carry. Connect \
                 the account again.",
            )
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// The URL as it is sent: with the app's parameters, in the place of the caller's of those
    /// names.
    pub fn url(&self, proxy: &Proxy, url: &Url) -> Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(url.as_str().to_owned());
        if !proxy.query.is_empty() {
            self.add_query(proxy, url, &mut text)?;
        }
        if self.aws4().is_some() {
            spell_out_spaces(&mut text);
        }
        Ok(text)
    }

    fn add_query(&self, proxy: &Proxy, url: &Url, text: &mut String) -> Result<()> {
        let kept = url.query().unwrap_or_default().split('&').filter(|pair| {
            let name = url::form_urlencoded::parse(pair.as_bytes()).next();
            !pair.is_empty() && name.is_none_or(|(name, _)| !proxy.query.contains_key(&*name))
        });
        let kept = kept.collect::<Vec<_>>().join("&");
        let path_end = text.find('?').unwrap_or(text.len());
        text.truncate(path_end);
        let mut glue = '?';
        if !kept.is_empty() {
            text.push(glue);
            text.push_str(&kept);
            glue = '&';
        }
        for (name, template) in &proxy.query {
            let Some(value) = self.text(template)? else { continue };
            text.push(glue);
            text.push_str(&pair(name, value.expose()));
            glue = '&';
        }
        Ok(())
    }

    /// The body as it is sent, with the app's members in it.
    ///
    /// # Errors
    /// [`error::UNSUPPORTED_MEDIA`] for a body that is neither a form nor a JSON object;
    /// [`error::INVALID_FIELD`] when the caller names a member that is the app's.
    pub fn body(&self, proxy: &Proxy, kind: Option<&HeaderValue>, body: &[u8]) -> Result<Bytes> {
        match media_type(kind).as_str() {
            FORM => self.form(proxy, body),
            it if it == JSON || (it.starts_with("application/") && it.ends_with("+json")) => {
                self.json(proxy, body)
            }
            _ => Err(error::UNSUPPORTED_MEDIA
                .saying("This app takes its key in the body: send a form, or a JSON object.")),
        }
    }

    fn form(&self, proxy: &Proxy, body: &[u8]) -> Result<Bytes> {
        let pairs = url::form_urlencoded::parse(body);
        let kept = pairs.filter(|(name, _)| !proxy.body.contains_key(&**name));
        let mut all: Vec<String> = kept.map(|(name, value)| pair(&name, &value)).collect();
        for (name, template) in &proxy.body {
            if let Some(value) = self.text(template)? {
                all.push(pair(name, value.expose()));
            }
        }
        Ok(all.join("&").into())
    }

    /// Written into the text before the caller's first member, so that all that the caller sent
    /// stays as it is written, numbers too.
    fn json(&self, proxy: &Proxy, body: &[u8]) -> Result<Bytes> {
        let body = if body.is_empty() { b"{}".as_slice() } else { body };
        body::check(body)?;
        let read: serde_json::Value =
            serde_json::from_slice(body).map_err(|_| Error::from(error::INVALID_JSON))?;
        let members = read.as_object().ok_or_else(|| {
            error::INVALID_JSON.saying("This app takes its key in the body, a JSON object.")
        })?;
        if let Some(name) = proxy.body.keys().find(|it| members.contains_key(*it)) {
            return Err(error::INVALID_FIELD
                .saying("A member of the body is the app's own credential.")
                .with(serde_json::json!({ "field": name })));
        }
        let mut ours = Vec::new();
        for (name, template) in &proxy.body {
            let Some(value) = self.text(template)? else { continue };
            let text = |it: &str| serde_json::Value::from(it).to_string();
            ours.push(format!("{}:{}", text(name), text(value.expose())));
        }
        let open = body.iter().position(|it| *it == b'{').map_or(0, |at| at + 1);
        let comma = if members.is_empty() || ours.is_empty() { "" } else { "," };
        let ours = format!("{}{comma}", ours.join(","));
        Ok([&body[..open], ours.as_bytes(), &body[open..]].concat().into())
    }

    /// Whether this name of `$auth` is a secret of the account's.
    pub fn is_secret(&self, name: &str) -> bool {
        let asked = self.found.field(name).is_some_and(grantkeep_catalog::Field::is_secret);
        name == ACCESS_TOKEN || asked || self.found.learned.get(name).is_some_and(|it| it.secret)
    }

    /// The secret of this name, as it is now.
    pub fn secret(&self, name: &str) -> Option<&str> {
        let credentials = &self.usable.credentials;
        match name {
            ACCESS_TOKEN => credentials.access_token.as_ref(),
            _ => credentials.fields.get(name),
        }
        .map(grantkeep_vault::Secret::expose)
    }

    /// Every secret of the account.
    pub fn each_secret(&self, see: &mut impl FnMut(&str)) {
        let credentials = &self.usable.credentials;
        for secret in [&credentials.access_token, &credentials.token_secret].into_iter().flatten() {
            see(secret.expose());
        }
        for (name, value) in &credentials.fields {
            if self.is_secret(name) {
                see(value.expose());
            }
        }
    }

    /// What must not come back in an answer.
    pub fn needles(&self, proxy: &Proxy) -> Needles {
        let mut needles = Needles::default();
        self.each_secret(&mut |it| needles.add(it));
        // What was encoded to be sent is as good as what it was made of.
        for template in proxy.headers.values().filter(|it| it.contains("${base64(")) {
            if let Ok(Some(text)) = self.text(template) {
                needles.add(text.expose().split(' ').next_back().unwrap_or_default());
            }
        }
        needles
    }
}

/// Writes spaces in the query as AWS wants them signed. A `+` could be read as a plus or a space,
/// and the signature holds only for one of them.
fn spell_out_spaces(url: &mut String) {
    if let Some(at) = url.find('?')
        && url[at..].contains('+')
    {
        let query = Zeroizing::new(url[at..].replace('+', "%20"));
        url.truncate(at);
        url.push_str(&query);
    }
}

fn names_client(found: &CatalogApp) -> bool {
    let Some(proxy) = &found.proxy else { return false };
    let texts = [&proxy.headers, &proxy.default_headers, &proxy.query, &proxy.body];
    let mut texts = texts.into_iter().flat_map(|it| it.values()).chain([&proxy.base_url]);
    texts.any(|it| it.contains(CLIENT_ID))
}

fn header_name(name: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| error::INTERNAL.logging(format!("an app's file names the header {name:?}")))
}

/// What kind of body it is, without its parameters.
pub(crate) fn media_type(kind: Option<&HeaderValue>) -> String {
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the body is a form, whose parameters an OAuth 1.0a signature covers.
pub(crate) fn is_form(kind: Option<&HeaderValue>) -> bool {
    media_type(kind) == FORM
}

fn pair(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}
