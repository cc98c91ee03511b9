//! The pages a person sees while connecting: what each one needs to be rendered. Layout and words
//! are in `web/connect`.
//!
//! Everything here is text for the page; askama escapes it. The two exceptions are made by this
//! crate and are safe by construction: `Frame::accent` (from [`super::accent::rules`]) and
//! `Frame::boot` (from [`boot_json`]).

use askama::Template;
use serde::Serialize;

/// What every page has around its words.
pub struct Frame {
    /// The nonce of this answer's Content-Security-Policy; `style-src` needs it for the accent
    /// colour.
    pub nonce: String,
    /// Addresses of the stylesheets, with the hash of their content: `/_static/connect.css?v=..`.
    pub sheets: Vec<String>,
    /// Addresses of the scripts, likewise, in the order in which they run.
    pub scripts: Vec<String>,
    /// CSS rules from `accent::rules`.
    pub accent: String,
    /// JSON from [`boot_json`], for the script.
    pub boot: String,
    /// Shown in the customer's page (a card on a dimmed backdrop) rather than on a page of its own.
    pub embedded: bool,
    /// Shows the "Development" badge.
    pub development: bool,
    pub product: Product,
}

/// The customer's product, which asks for the connection.
#[derive(Clone)]
pub struct Product {
    pub name: String,
    /// `https:` or `data:` address of a square image.
    pub logo: Option<String>,
    pub support_email: Option<String>,
    pub privacy_url: Option<String>,
    pub terms_url: Option<String>,
}

impl Product {
    /// Whether anything stands at the foot of the page.
    pub fn has_foot(&self) -> bool {
        self.support_email.is_some() || self.privacy_url.is_some() || self.terms_url.is_some()
    }
}

/// The app that is to be connected.
#[derive(Clone)]
pub struct App {
    pub name: String,
    /// `https:` or `data:` address of a square image, or one of our own.
    pub logo: Option<String>,
}

impl Product {
    pub fn initial(&self) -> String {
        initial(&self.name)
    }
}

impl App {
    pub fn initial(&self) -> String {
        initial(&self.name)
    }
}

/// The first letter, for the tile that stands in for a logo.
fn initial(name: &str) -> String {
    name.chars()
        .find(|it| it.is_alphanumeric())
        .map_or_else(|| "·".to_owned(), |it| it.to_uppercase().collect())
}

/// How the app lets itself be connected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Oauth,
    Keys,
    None,
}

impl Kind {
    pub fn is_oauth(self) -> bool {
        self == Self::Oauth
    }

    pub fn is_keys(self) -> bool {
        self == Self::Keys
    }
}

/// One thing that the product will be able to do, in words that end the sentence "Acme will be able
/// to ..".
pub struct Ability {
    pub text: String,
    pub level: Level,
}

/// How far an ability goes; chooses its icon.
#[derive(Clone, Copy)]
pub enum Level {
    Read,
    Write,
    Admin,
}

impl Ability {
    pub fn icon(&self) -> &'static str {
        match self.level {
            Level::Read => "i-eye",
            Level::Write => "i-pencil",
            Level::Admin => "i-shield",
        }
    }
}

/// Something that the person is asked for.
pub struct Field {
    /// The name under which the value is sent: `[A-Za-z0-9_-]+`, as it becomes part of element ids.
    pub name: String,
    pub label: String,
    pub help: Option<String>,
    pub kind: FieldKind,
    /// Hidden until the person wants to see it.
    pub secret: bool,
    pub required: bool,
    pub placeholder: Option<String>,
    /// What it starts with: a default, or what was typed before. Never a secret.
    pub value: String,
    /// `label`, `name` or `url`: which part of an address is asked for, and cut out of a whole one.
    pub host: Option<&'static str>,
    /// Shown before the input: `https://`.
    pub prefix: Option<String>,
    /// Shown after the input: `.zendesk.com`. A whole address that is pasted is cut down to what
    /// belongs before it.
    pub suffix: Option<String>,
    /// For [`FieldKind::Select`].
    pub options: Vec<Choice>,
    /// `None`: any text may be sent.
    pub form: Option<Form>,
    /// Why it was not taken before.
    pub error: Option<String>,
}

/// What a value looks like, so that the browser can say at once that one does not.
pub struct Form {
    /// A regular expression for the whole value.
    pub pattern: String,
    /// What is said of a value that does not match.
    pub wanted: String,
}

pub struct Choice {
    pub value: String,
    pub label: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Secret,
    Number,
    Url,
    Checkbox,
    Select,
    /// Several lines: a PEM key.
    Lines,
    /// A JSON file, to be picked, dropped or pasted.
    Json,
}

impl FieldKind {
    pub fn is_secret(self) -> bool {
        self == Self::Secret
    }

    pub fn is_checkbox(self) -> bool {
        self == Self::Checkbox
    }

    pub fn is_select(self) -> bool {
        self == Self::Select
    }

    pub fn is_lines(self) -> bool {
        matches!(self, Self::Lines | Self::Json)
    }

    pub fn is_json(self) -> bool {
        self == Self::Json
    }

    pub fn input_type(self) -> &'static str {
        if self.is_secret() { "password" } else { "text" }
    }

    /// Chooses the phone's keyboard. Inputs stay `text`, as browsers alter what is typed into the
    /// narrower types.
    pub fn input_mode(self) -> Option<&'static str> {
        match self {
            Self::Number => Some("decimal"),
            Self::Url => Some("url"),
            _ => None,
        }
    }
}

/// An OAuth client that the person registers at the app for himself.
pub struct OwnClient {
    /// Where it is registered.
    pub console: Option<String>,
    /// To be registered with it; none where the person does not come back by redirect.
    pub redirect_uri: Option<String>,
    pub fields: Vec<Field>,
}

/// Where the key is found at the app: "In Stripe, open Developers, then API keys."
pub struct Guide {
    pub text: String,
    pub url: Option<String>,
}

/// `GET /_static/connect.html`: the question, and every state that may follow it.
#[derive(Template)]
#[template(path = "connect/connect.html")]
pub struct ConnectPage {
    pub page: Frame,
    pub app: App,
    pub kind: Kind,
    pub abilities: Vec<Ability>,
    pub fields: Vec<Field>,
    /// The person's own OAuth client, if he is asked for it.
    pub own: Option<OwnClient>,
    pub guide: Option<Guide>,
    /// The host where the person signs in, for recognition: `slack.com`.
    pub host: Option<String>,
    pub reconnect: bool,
    /// The account that is reconnected.
    pub account_name: Option<String>,
    pub hide_close: bool,
    /// The user who gets the access, where the reader must judge whether that is he.
    pub receiver: Option<String>,
    /// The page's secret, for its forms.
    pub session: String,
    /// What the person chooses between; empty: nothing.
    pub measures: Vec<Measure>,
    /// The app was chosen from a list, which the person may go back to.
    pub listed: bool,
    /// What the list was searched for.
    pub query: String,
    /// Why the form was not taken before, if no field is to blame.
    pub alert: Option<String>,
}

impl ConnectPage {
    /// Whether a key file is asked for.
    pub fn has_file(&self) -> bool {
        self.fields.iter().any(|it| it.kind.is_json())
    }
}

/// How much the person allows.
pub struct Measure {
    /// A profile's name; empty for what is asked for without a choice.
    pub value: &'static str,
    pub abilities: Vec<Ability>,
    pub checked: bool,
}

/// An app in the list.
#[derive(Serialize)]
pub struct Entry {
    pub slug: String,
    pub name: String,
    pub category: String,
    pub logo: String,
}

impl Entry {
    pub fn initial(&self) -> String {
        initial(&self.name)
    }
}

/// A part of the list.
#[derive(Serialize)]
pub struct Listing {
    /// As it was understood.
    #[serde(skip)]
    pub query: String,
    pub apps: Vec<Entry>,
    /// How many there are in all.
    pub total: usize,
    #[serde(skip)]
    pub from: usize,
    /// Where the next part begins.
    pub next: Option<usize>,
}

impl Listing {
    /// Where the next part begins; 0 behind the last.
    pub fn after(&self) -> usize {
        self.next.unwrap_or_default()
    }
}

/// The list of apps, where the page was opened without one.
#[derive(Template)]
#[template(path = "connect/list.html")]
pub struct ListPage {
    pub page: Frame,
    pub session: String,
    pub hide_close: bool,
    pub listing: Listing,
}

/// `GET /connect/start/{flow}`: the first page in the popup; fetches the ticket from its opener.
#[derive(Template)]
#[template(path = "connect/start.html")]
pub struct StartPage {
    pub page: Frame,
    pub app: App,
    pub host: Option<String>,
    /// Where the ticket is posted: the page's own path.
    pub action: String,
    /// The user who gets the access, where the address may have been handed to anybody.
    pub receiver: Option<String>,
}

/// `GET /connect/window/{project}`: what the popup shows until its flow has begun.
#[derive(Template)]
#[template(path = "connect/window.html")]
pub struct WindowPage {
    pub page: Frame,
}

/// `GET /connect/device/{flow}`: the code to be entered at the app. Asks in the background until
/// the flow has ended; loads itself again without scripts.
#[derive(Template)]
#[template(path = "connect/device.html")]
pub struct DevicePage {
    pub page: Frame,
    pub app: App,
    pub user_code: String,
    /// Of the address where the code is entered.
    pub host: String,
    /// The address itself, with the code in it where the app offers that.
    pub link: String,
    /// Seconds until it asks again.
    pub again_s: u64,
}

/// The end of the callback: in the popup, or on a page of its own after a Connect Link without
/// redirects.
#[derive(Template)]
#[template(path = "connect/result.html")]
pub struct ResultPage {
    pub page: Frame,
    pub app: App,
    pub popup: bool,
    pub done: bool,
    /// For the product's backend to say who came back.
    pub waiting: bool,
    pub account_name: Option<String>,
    /// What happened and what to do, when not `done`.
    pub message: String,
    /// To be given to support, when not `done`.
    pub code: Option<String>,
}

/// Anything that keeps the page from being shown at all.
#[derive(Template)]
#[template(path = "connect/error.html")]
pub struct ErrorPage {
    pub page: Frame,
    /// What happened, as a heading: "This link has expired".
    pub title: String,
    /// Why.
    pub message: String,
    /// What to do now.
    pub next_step: String,
    /// Where the product takes the person in, who came by a link.
    pub back: Option<String>,
    /// Whether only the product's makers can mend it.
    pub ask: bool,
    /// Of a mail to them, as it stands in a URL.
    pub subject: String,
    /// Stable code, with the request id where there is one.
    pub code: String,
}

/// What the script of the connect page is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectBoot {
    pub session: String,
    /// `iframe` or `link`.
    pub mode: &'static str,
    /// `oauth`, `keys` or `none`; `list` while no app is chosen.
    pub kind: &'static str,
    /// The origins that may be told the result; empty only where the project allows tokens without
    /// origins.
    pub target_origins: Vec<String>,
    pub hide_close: bool,
    pub scope_profile: Option<String>,
    pub success_url: Option<String>,
    pub error_url: Option<String>,
    /// What a window shows before its flow has begun.
    pub window: String,
    /// Whether a window that lost its page may be given its ticket by a link.
    pub links: bool,
}

/// What the script of the start and result pages is told.
#[derive(Serialize)]
pub struct FlowBoot {
    pub flow: String,
    /// Closes itself; `false` on a page that is not a popup.
    pub popup: bool,
    /// `starting`, `waiting` (looks again until it is over), `done` or `failed`.
    pub state: &'static str,
    /// Takes its ticket from the address too; otherwise from the window that opened it alone.
    #[serde(rename = "byLink")]
    pub by_link: bool,
}

/// What the script of the error page is told, so that an embedding page learns of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBoot {
    /// `iframe` or `link`.
    pub mode: &'static str,
    pub target_origins: Vec<String>,
    pub error: String,
}

/// JSON that may stand inside `<script type="application/json">`: no `<`, `>`, `&` or line
/// separators in it.
///
/// # Errors
/// Never for the types of this module.
pub fn boot_json(boot: &impl Serialize) -> serde_json::Result<String> {
    let plain = serde_json::to_string(boot)?;
    let mut safe = String::with_capacity(plain.len());
    for it in plain.chars() {
        match it {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            _ => safe.push(it),
        }
    }
    Ok(safe)
}
