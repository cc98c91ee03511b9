//! Why a trial may have failed, and what to look at. A guess, by what was seen; it says so.

use grantkeep_catalog::{App, ClientAuth};

use super::facts;
use super::witness::{Note, fits, shown_name};

/// What is known of how it ended.
pub struct Trail {
    code: String,
    name: String,
    client_auth: Option<ClientAuth>,
    has_client: bool,
    /// Status and error code of the last answer for tokens.
    answered: Option<(u16, Option<String>)>,
    /// Names in the answer that should have named the account.
    told: Vec<String>,
}

impl Trail {
    pub fn code(&self) -> &str {
        &self.code
    }

    pub(super) fn of(app: &App, code: &str, notes: &[Note]) -> Self {
        let urls = facts::token_urls(app).unwrap_or_default();
        let of_tokens = |it: &&Note| urls.iter().any(|url| fits(url, &it.place));
        let error = app.oauth2().map_or("error", |it| it.answer.error.as_str());
        let answered = notes.iter().rfind(of_tokens).map(|note| {
            let code =
                [error, "error", "error.code", "code"].into_iter().find_map(|it| note.code(it));
            (note.status, code.map(str::to_owned))
        });
        let told = facts::identity_url(app)
            .and_then(|url| notes.iter().rfind(|it| fits(url, &it.place)))
            .map(|it| it.members.iter().filter_map(|it| shown_name(&it.0)).map(str::to_owned));
        Self {
            code: code.to_owned(),
            name: app.name.clone(),
            client_auth: app.oauth2().map(|it| it.client_auth),
            has_client: app.needs_client(),
            answered,
            told: told.into_iter().flatten().collect(),
        }
    }
}

/// What is always said of a code.
const TEXTS: [(&str, &str); 16] = [
    (
        "access_denied",
        "The consent was refused. Open the link again and allow it; where you did not see a \
         question, the app's own rules for new clients may have refused it for you.",
    ),
    ("issuer_mismatch", "The answer names another issuer than `oauth2.issuer` in the file."),
    ("callback_invalid", OTHER_WAY),
    ("context_mismatch", OTHER_WAY),
    ("flow_not_started_here", OTHER_WAY),
    ("state_invalid", OTHER_WAY),
    ("nobody_came", "Nobody opened the link."),
    ("nobody_left", "The page was opened, and nobody went on to the app from there."),
    (
        "provider_unavailable",
        "The token endpoint does not answer: look at `oauth2.token_url`, and whether this machine \
         may call it.",
    ),
    ("provider_bad_response", NO_TOKEN),
    ("exchange_unseen", NO_TOKEN),
    (
        "credentials_refused",
        "The app does not take what was entered. If it is right, look at `verify` and at \
         `proxy.headers`: the credential may belong in another place.",
    ),
    ("verify_failed", NOT_TAKEN),
    ("call_failed", NOT_TAKEN),
    (
        "refresh_failed",
        "The refresh did not work. Look at `oauth2.refresh_url`, `refresh_params`, and how the \
         client proves itself there; some apps want a scope such as `offline_access` first.",
    ),
    (
        "revocation_failed",
        "The grant was not revoked. Look at `oauth2.revocation`: which token, where, and how the \
         client proves itself. End the access by hand in the app's own settings.",
    ),
];

const OTHER_WAY: &str = "What came back is not what was begun. Use one browser for the whole way, \
                         and the newest link.";
const NO_TOKEN: &str = "The token endpoint's answer holds no token where the file says. Look at \
                        `oauth2.answer` and `oauth2.token_url`, and at the names in the record.";
const NOT_TAKEN: &str = "The app's API did not take the credential. Look at `proxy.headers` (which \
                         scheme goes before the token?), at the address, and whether the scopes \
                         allow this call.";

/// One paragraph that names the likely cause. `redirect_uri` is what had to be registered.
pub fn advice(trail: &Trail, redirect_uri: Option<&str>) -> String {
    let said = trail.answered.as_ref().map(|(status, code)| match code {
        Some(code) => format!("{} answered {status} `{code}`. ", trail.name),
        None => format!("{} answered {status}. ", trail.name),
    });
    let own = trail.answered.as_ref().and_then(|it| it.1.as_deref());
    let registered = redirect_uri.unwrap_or("the redirect URI");
    format!("{}{}", said.unwrap_or_default(), cause(trail, own, registered))
}

fn cause(trail: &Trail, own: Option<&str>, registered: &str) -> String {
    match (trail.code.as_str(), own) {
        (_, Some("redirect_uri_mismatch" | "invalid_redirect_uri")) => redirect(registered),
        (_, Some("invalid_scope")) => {
            "It does not know a scope that was asked for, or did not allow it to your client: \
             compare `oauth2.scopes` with what your client may ask for."
                .to_owned()
        }
        ("oauth_client_refused", _) | (_, Some("invalid_client" | "unauthorized_client")) => {
            client(trail)
        }
        ("provider_refused", _) => format!(
            "The code was not taken. Most often that is the redirect URI, which must be \
             registered exactly as {registered}; or the file's `pkce`, where the app wants none; \
             or the client's id, which belongs to another client than the secret."
        ),
        ("nobody_returned", _) => format!(
            "Nobody came back from {}. If it showed an error in the place of its question, that is \
             nearly always the redirect URI. {}",
            trail.name,
            redirect(registered)
        ),
        ("identity_unread", _) => format!(
            "The answer that should name the account does not have what `identity.name` says. It \
             has: {}.",
            if trail.told.is_empty() { "nothing".to_owned() } else { trail.told.join(", ") }
        ),
        (code, _) => {
            let known = TEXTS.iter().find(|it| it.0 == code).map(|it| it.1.to_owned());
            known.unwrap_or_else(|| format!("It ended with `{code}`."))
        }
    }
}

fn redirect(registered: &str) -> String {
    format!(
        "Register exactly this redirect URI, and save it there: {registered} (scheme, port and \
         path are compared). Where the app takes https only, use --public-url with a tunnel."
    )
}

fn client(trail: &Trail) -> String {
    if !trail.has_client {
        return "The app does not take the client id and secret that were entered.".to_owned();
    }
    let way = match trail.client_auth {
        Some(ClientAuth::Basic) => "in the `Authorization` header (`client_auth = \"basic\"`)",
        Some(ClientAuth::Post) => "in the body (`client_auth = \"post\"`)",
        _ => "as `client_auth` in the file says",
    };
    format!(
        "The client was not accepted: most likely the secret is wrong or cut off, or belongs to \
         another client id. If both are right, the app may want them in another place: they were \
         sent {way}."
    )
}
