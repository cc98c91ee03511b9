//! A person's browser, as far as the flow needs one: cookies, forms, redirects by hand.

use url::Url;
use url::form_urlencoded::Serializer;

use super::{Doing, Result, Trouble};
use crate::egress::Egress;
use crate::embedded::{Ask, Reply, send};

/// Redirects in a row.
const HOPS_MAX: usize = 10;

pub(super) struct Browser {
    egress: Egress,
    cookies: Vec<Cookie>,
}

struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

/// A page as it was shown.
pub(super) struct Page {
    pub url: Url,
    pub body: String,
}

impl Browser {
    pub fn new(egress: Egress) -> Self {
        Self { egress, cookies: Vec::new() }
    }

    /// Loads a page; `dest` is what the browser loads it into: `document` or `iframe`.
    pub async fn open(&mut self, url: &str, dest: &str) -> Result<Page> {
        let url = Url::parse(url).doing("an address cannot be read")?;
        let reply = self.ask(&url, Ask::get(url.as_str()), (dest, "cross-site")).await?;
        self.follow(url, reply).await
    }

    /// Sends the one form of a page, its hidden fields and `typed` ones, and goes where that leads.
    pub async fn submit(&mut self, page: &Page, typed: &[(&str, &str)]) -> Result<Page> {
        let form = page.body.split("<form").nth(1).ok_or(Trouble::new("the page has no form"))?;
        let url = page.url.join(&attribute(form, "action").unwrap_or_default());
        let url = url.doing("the form's address cannot be read")?;
        let mut body = Serializer::new(String::new());
        for input in form.split("<input").skip(1).filter(|it| it.contains("type=\"hidden\"")) {
            if let (Some(name), Some(value)) = (attribute(input, "name"), attribute(input, "value"))
            {
                body.append_pair(&name, &value);
            }
        }
        body.extend_pairs(typed);
        let site = if url.origin() == page.url.origin() { "same-origin" } else { "cross-site" };
        let ask = Ask::form(url.as_str(), body.finish());
        let reply = self.ask(&url, ask, ("document", site)).await?;
        self.follow(url, reply).await
    }

    async fn follow(&mut self, mut url: Url, mut reply: Reply) -> Result<Page> {
        for _ in 0..HOPS_MAX {
            let Some(location) = reply.location().filter(|_| reply.status.is_redirection()) else {
                let what = format!("{} answered", url.path());
                let reply = reply.success(&what)?;
                return Ok(Page { url, body: reply.text() });
            };
            url = url.join(location).doing("a redirect cannot be read")?;
            let ask = Ask::get(url.as_str());
            reply = self.ask(&url, ask, ("document", "cross-site")).await?;
        }
        Err(Trouble::new("too many redirects"))
    }

    async fn ask(&mut self, url: &Url, ask: Ask<'_>, (dest, site): (&str, &str)) -> Result<Reply> {
        let host = url.host_str().unwrap_or_default();
        let ours = |it: &&Cookie| it.host == host && url.path().starts_with(&it.path);
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(ours)
            .map(|it| format!("{}={}", it.name, it.value))
            .collect();
        let mut ask = ask
            .with("sec-fetch-dest", dest)
            .with("sec-fetch-mode", "navigate")
            .with("sec-fetch-site", site);
        if !cookies.is_empty() {
            ask = ask.with("cookie", cookies.join("; "));
        }
        let reply = send(&self.egress, ask).await?;
        self.keep(host, &reply);
        Ok(reply)
    }

    fn keep(&mut self, host: &str, reply: &Reply) {
        for text in reply.headers.get_all("set-cookie").iter().filter_map(|it| it.to_str().ok()) {
            let mut parts = text.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|it| it.split_once('=')) else {
                continue;
            };
            let path = parts.find_map(|it| it.strip_prefix("Path=")).unwrap_or("/");
            self.cookies.retain(|it| !(it.host == host && it.name == name));
            self.cookies.push(Cookie {
                host: host.to_owned(),
                path: path.to_owned(),
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }
}

/// `name="..."` of the tag at the start of `html`.
fn attribute(html: &str, name: &str) -> Option<String> {
    let tag = html.split('>').next()?;
    let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
    Some(rest.split('"').next()?.replace("&amp;", "&").replace("&#38;", "&"))
}

impl Page {
    /// What the server told the page's own script.
    pub fn boot(&self) -> Result<serde_json::Value> {
        let (_, rest) = self.body.split_once("id=\"boot\">").ok_or_else(|| self.unexpected())?;
        let json = rest.split("</script>").next().unwrap_or_default();
        serde_json::from_str(json).doing("the page's data cannot be read")
    }

    /// An error that names the page by its heading.
    pub fn unexpected(&self) -> Trouble {
        let heading = self.body.split("<h1").nth(1).and_then(|it| it.split_once('>'));
        let heading = heading.and_then(|(_, it)| it.split("</h1>").next()).unwrap_or_default();
        Trouble::new(format!("an unexpected page at {}: {}", self.url.path(), heading.trim()))
    }
}
