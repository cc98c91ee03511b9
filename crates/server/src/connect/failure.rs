//! What ends a flow, or keeps a page from being shown: a stable code, and words for the person in
//! front of it.

use std::borrow::Cow;

use crate::error::{self, Error};

/// Why a flow ended without an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub code: Cow<'static, str>,
    /// For the person; names the next step. Plain text.
    pub text: Cow<'static, str>,
}

impl Failure {
    fn new(code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), text: text.into() }
    }

    /// The person said no at the provider.
    pub fn access_denied(app: &str) -> Self {
        let text = format!("The access was not allowed at {app}, so nothing was connected.");
        Self::new("access_denied", text)
    }

    /// The provider said no. `said` was cleaned by the protocol leaf and stays text.
    pub fn provider_refused(app: &str, said: &str) -> Self {
        Self::new("provider_refused", format!("{app} refused the connection and said: {said}"))
    }

    /// The code was not taken for tokens.
    pub fn code_refused(app: &str) -> Self {
        let text = format!("{app} did not complete the sign-in. Please try again.");
        Self::new("provider_refused", text)
    }

    /// The product's registration at the provider is wrong: only its maker can mend that.
    pub fn client_refused(app: &str, product: &str) -> Self {
        let text = format!(
            "{app} does not accept the way in which {product} is registered there. Please tell the \
             support of {product}."
        );
        Self::new("oauth_client_refused", text)
    }

    /// The person's own registration is: that he can mend.
    pub fn own_client_refused(app: &str) -> Self {
        let text = format!(
            "{app} does not accept the OAuth client that you entered. Check its ID, its secret and \
             its redirect URI there, and try again."
        );
        Self::new("oauth_client_refused", text)
    }

    pub fn issuer_mismatch() -> Self {
        Self::new("issuer_mismatch", "The answer came from an unexpected place and was not used.")
    }

    pub fn context_mismatch() -> Self {
        Self::new("context_mismatch", "The answer belongs to another connection and was not used.")
    }

    pub fn callback_invalid(app: &str) -> Self {
        let text = format!("{app} sent you back with an answer that cannot be used.");
        Self::new("callback_invalid", text)
    }

    pub fn bad_response(app: &str) -> Self {
        let text = format!("{app} gave an answer that cannot be used. Please try again later.");
        Self::new("provider_bad_response", text)
    }

    pub fn unavailable(app: &str) -> Self {
        let text = format!("{app} does not answer at the moment. Please try again later.");
        Self::new("provider_unavailable", text)
    }

    pub fn expired() -> Self {
        Self::new("flow_expired", "The sign-in took too long and was ended. Start it again.")
    }

    /// The product's backend did not say in time who came back.
    pub fn unconfirmed() -> Self {
        Self::new(
            "unconfirmed",
            "It took too long to make sure that it was you, so nothing was connected. Start again.",
        )
    }

    /// The product's backend named another user than the one who was to connect.
    pub fn user_mismatch(product: &str) -> Self {
        let text = format!(
            "This connection was begun for another person, so nothing was connected. If that was \
             you, sign in to {product} as before and start again. If somebody else sent you the \
             link, do not use it."
        );
        Self::new("user_mismatch", text)
    }

    /// The app's way in gives the tokens at once, and the project wants to confirm before.
    pub fn not_confirmable(app: &str) -> Self {
        let text = format!("{app} cannot be connected by a link that has to be confirmed.");
        Self::new("not_confirmable", text)
    }

    /// The installation that was named is not of the person who came back with it.
    pub fn installation_foreign(app: &str) -> Self {
        let text = format!(
            "{app} does not let you use the installation that was named, so nothing was connected."
        );
        Self::new("installation_foreign", text)
    }

    pub fn cancelled() -> Self {
        Self::new("cancelled", "The sign-in was ended. Start it again.")
    }

    /// The page that began the flow is no more.
    pub fn page_ended() -> Self {
        Self::new(
            "page_ended",
            "The page that you started from was opened again somewhere else. Go on there.",
        )
    }

    /// From an error of another noun; its text may be meant for developers.
    pub fn of(error: &Error, product: &str) -> Self {
        let kind = error.kind();
        let text: Cow<'static, str> = match kind.code {
            "different_account" => format!(
                "You signed in with another account than the one connected before. Sign in \
                     with that one. To add this one as well, go back to {product} and connect it \
                     there."
            )
            .into(),
            "connect_token_used" => format!(
                "This page was already used to connect an account. To connect another one, \
                     go back to {product} and start again."
            )
            .into(),
            "connect_token_expired" => format!(
                "This page was open for too long, so nothing was connected. Go back to \
                     {product} and start again."
            )
            .into(),
            "not_found" => GONE.into(),
            "invalid_field" | "credentials_refused" => error.text().to_owned().into(),
            _ => format!(
                "Something failed on our side, and nothing was connected. Try again; if it stays, \
                 tell the support of {product}."
            )
            .into(),
        };
        Self { code: kind.code.into(), text }
    }
}

/// The account to be reconnected is not there, or not the user's.
pub(super) fn gone() -> Error {
    error::NOT_FOUND.saying(GONE)
}

/// What the error page says.
pub(super) struct Words {
    pub title: Cow<'static, str>,
    pub message: Cow<'static, str>,
    pub next_step: Cow<'static, str>,
    /// Whether only the product's makers can mend it.
    pub ask: bool,
}

/// Puts an error into words for a person. `product` is empty where it is not known; `app` is what
/// was to be connected. In a frame nobody has seen a link.
pub(super) fn words(error: &Error, (product, framed): (&str, bool), app: Option<&str>) -> Words {
    let code = error.kind().code;
    let (title, message, next) = match code {
        "not_found" if error.text() == GONE => (NO_ACCOUNT, GONE, Next::Back),
        _ => text_of(code),
    };
    let (title, message) = match app {
        Some(app) => about(code, app, product).unwrap_or((title.into(), message.into())),
        None => (title.into(), message.into()),
    };
    let title = match title.strip_prefix("This link").filter(|_| framed) {
        Some(rest) => format!("This page{rest}").into(),
        None => title,
    };
    let next_step: Cow<'static, str> = match (next, product.is_empty()) {
        (Next::Back, true) => "Go back to where you came from and start again.".into(),
        (Next::Back, false) => format!("Go back to {product} and start again.").into(),
        (Next::Tell, true) => "Tell the people who run the page you came from.".into(),
        (Next::Tell, false) => format!("Please tell the support of {product}.").into(),
    };
    Words { title, message, next_step, ask: matches!(next, Next::Tell) }
}

/// Title and message where the app's name says more.
fn about(code: &str, app: &str, product: &str) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
    let (title, message) = match code {
        "oauth_client_missing" => (
            format!("{app} is not set up yet"),
            format!("{product} has not registered with {app} yet, so nobody can connect it."),
        ),
        "app_incomplete" => (
            format!("{app} cannot be connected here"),
            format!(
                "{product} runs a version of this page that does not know how {app} lets it in."
            ),
        ),
        "app_not_allowed" => (
            format!("{app} cannot be connected with this page"),
            format!("{product} opened it for other apps."),
        ),
        _ => return None,
    };
    Some((title.into(), message.into()))
}

/// Who can go on.
#[derive(Clone, Copy)]
enum Next {
    /// The person, by starting again.
    Back,
    /// The product's makers.
    Tell,
}

/// Title, message and next step by code.
const TEXTS: [(&str, &str, &str, Next); 24] = [
    ("connect_token_used", "This link was already used", USED, Next::Back),
    ("connect_token_expired", "This link has expired", EXPIRED, Next::Back),
    ("connect_token_unknown", NO_LINK, "It may have been cut off when it was copied.", Next::Back),
    (
        "must_be_embedded",
        "This page belongs inside another one",
        "For your safety it works only within the product that you are using.",
        Next::Back,
    ),
    (
        "links_off",
        "This link cannot be used",
        "The product has not allowed connecting by a link.",
        Next::Tell,
    ),
    (
        "origins_missing",
        "This page cannot be shown here",
        "The connect token names no allowed origins, and the project asks for them.",
        Next::Tell,
    ),
    (
        "app_not_found",
        "There is no such app",
        "This page was opened for an app that is not known here.",
        Next::Tell,
    ),
    (
        "oauth_client_missing",
        "This app is not set up yet",
        "The product has not registered with this app, so nobody can connect it.",
        Next::Tell,
    ),
    (
        "app_incomplete",
        "This app cannot be connected here",
        "Too little is known here of how it lets anybody in.",
        Next::Tell,
    ),
    (
        "app_not_allowed",
        "This app cannot be connected with this page",
        "The page was opened for other apps.",
        Next::Tell,
    ),
    (
        "state_invalid",
        "This sign-in is over",
        "It was finished before, was open for too long, or never began here.",
        Next::Back,
    ),
    (
        "flow_not_started_here",
        "This sign-in began in another browser",
        "It can be finished only where it was started.",
        Next::Back,
    ),
    ("context_mismatch", NO_END, NO_FIT, Next::Back),
    ("issuer_mismatch", NO_END, NO_FIT, Next::Back),
    ("callback_invalid", NO_END, NO_FIT, Next::Back),
    (
        "ticket_invalid",
        "This window cannot go on",
        "It was opened too long ago, or not by the page that you started from.",
        Next::Back,
    ),
    (
        "page_ended",
        "This page was opened again elsewhere",
        "Only the newest one goes on. It may be in another tab.",
        Next::Back,
    ),
    ("not_found", "Nothing is here", "The address leads nowhere.", Next::Back),
    ("provider_bad_response", BAD_ANSWER, LATER, Next::Back),
    ("provider_unavailable", BAD_ANSWER, LATER, Next::Back),
    ("invalid_parameter", NO_LINK, "A part of its address cannot be used.", Next::Tell),
    ("invalid_request", NO_LINK, "A part of its address cannot be used.", Next::Tell),
    ("rate_limited", "That was too often", "Please wait a minute.", Next::Back),
    ("store_unavailable", "We cannot go on just now", LATER, Next::Back),
];

const USED: &str = "It was already used to connect an account.";
const EXPIRED: &str = "It was opened too late, or was open for too long.";
const GONE: &str = "The account that was to be reconnected is gone.";
const NO_ACCOUNT: &str = "This account cannot be reconnected";
const NO_LINK: &str = "This link does not work";
const NO_END: &str = "This sign-in cannot be finished";
const NO_FIT: &str = "The answer that came back does not fit, so it was not used.";
const BAD_ANSWER: &str = "The app does not answer as it should";
const LATER: &str = "Nothing was connected. Please try again later.";

fn text_of(code: &str) -> (&'static str, &'static str, Next) {
    let found = TEXTS.iter().find(|it| it.0 == code).map(|it| (it.1, it.2, it.3));
    let ours = "Nothing was connected. Please try again.";
    found.unwrap_or(("Something failed on our side", ours, Next::Tell))
}
