//! An OAuth client that the person enters himself (`customOauthClient=true`). It is carried by the
//! flow, sealed, and becomes a row with the account: of a flow that fails, nothing is left.

use std::sync::Arc;

use grantkeep_catalog::fields::VALUE_CHARS_MAX;
use grantkeep_catalog::{App as CatalogApp, Flow as Way};
use grantkeep_vault::{Secret, token};
use serde_json::json;

use super::fields::{Again, Typed};
use super::open::Wanted;
use super::secrets::Kept;
use super::{Flow, Session, view};
use crate::accounts::Account;
use crate::app::App;
use crate::apps::{self, OAuthApp};
use crate::error::{self, Error, Result};
use crate::ids::OAuthAppId;
use crate::tokens::ConnectToken;

/// The two fields. No app's own field has a dash in its name.
const CLIENT_ID: &str = "own-client-id";
const CLIENT_SECRET: &str = "own-client-secret";

/// The client that is to be entered. Its id, and the redirect URI with it, is the same on every
/// page of one connect token; where the account has such a client already, it is that one's.
pub(super) async fn asked(
    app: &App,
    token: &ConnectToken,
    found: &CatalogApp,
    account: Option<&Account>,
) -> Result<OAuthApp> {
    let whose = (&token.tenant.project, &token.user);
    if let Some(id) = account.and_then(|it| it.oauth_app.as_ref()) {
        let former = apps::oauth_app_for_user(app, whose.0, id.as_str(), whose.1).await;
        if let Some(former) = former.ok().filter(|it| it.owner.is_some()) {
            return Ok(former);
        }
    }
    let of = format!("own client\n{}\n{:?}", found.slug, account.map(|it| &it.id));
    let id = OAuthAppId::of_digest(&token::hmac_sha256(&token.hash, of.as_bytes()));
    apps::own_client(app, whose, found, id).await
}

/// What was entered, for a client that is asked for.
pub(super) struct Entered {
    client_id: String,
    secret: Option<Secret>,
}

/// The client that a flow of this page begins with, and what was entered of it.
///
/// # Errors
/// [`error::INVALID_FIELD`] with the field's name in `details.field`.
pub(super) async fn begin(
    app: &App,
    session: &Session,
    found: &CatalogApp,
    typed: &mut Typed,
) -> Result<(OAuthApp, Option<Entered>)> {
    let Some(id) = &session.oauth_app else {
        return Err(error::INVALID_REQUEST.saying("This app is not connected by signing in."));
    };
    let whose = (&session.tenant.project, &session.user);
    if !session.own_client || !apps::takes_own_client(found) {
        let client = apps::oauth_app_for_user(app, whose.0, id.as_str(), whose.1).await?;
        return Ok((client, None));
    }
    let entered = judge(found, typed)?;
    if apps::is_anothers(app, whose.0, found, &entered.client_id).await? {
        let text = "This client ID belongs to another product. Register a client of your own.";
        return Err(refuse(CLIENT_ID, text));
    }
    Ok((apps::own_client(app, whose, found, id.clone()).await?, Some(entered)))
}

fn judge(found: &CatalogApp, typed: &mut Typed) -> Result<Entered> {
    let mut take = |name: &'static str, label: &str| {
        let value = typed.remove(name).unwrap_or_default().trim().to_owned();
        if value.chars().count() > VALUE_CHARS_MAX {
            let text = format!("{label} is longer than {VALUE_CHARS_MAX} characters.");
            return Err(refuse(name, &text));
        }
        if value.chars().any(char::is_control) {
            let text = format!("{label} goes over several lines. Copy it once more.");
            return Err(refuse(name, &text));
        }
        Ok(value)
    };
    let client_id = take(CLIENT_ID, "Client ID")?;
    let secret = Some(take(CLIENT_SECRET, "Client secret")?).filter(|it| !it.is_empty());
    if client_id.is_empty() {
        return Err(refuse(CLIENT_ID, "Client ID is missing. Enter it to continue."));
    }
    if secret.is_none() && apps::wants_secret(found) {
        return Err(refuse(CLIENT_SECRET, "Client secret is missing. Enter it to continue."));
    }
    Ok(Entered { client_id, secret: secret.map(Secret::new) })
}

fn refuse(field: &'static str, why: &str) -> Error {
    error::INVALID_FIELD.saying(why.to_owned()).with(json!({ "field": field }))
}

/// Puts what was entered into what the flow keeps.
pub(super) async fn keep(
    app: &App,
    tx: &mut crate::db::Tx,
    (client, entered): (&OAuthApp, Option<Entered>),
    kept: &mut Kept,
) -> Result<()> {
    if let Some(Entered { client_id, secret }) = entered {
        kept.client = Some(apps::carry(app, tx, client, (client_id, secret)).await?);
    }
    Ok(())
}

/// The client of a flow that has begun.
///
/// # Errors
/// [`error::NOT_FOUND`] when it was deleted meanwhile.
pub(super) async fn of_flow(
    app: &Arc<App>,
    flow: &Flow,
    kept: &Kept,
    found: &CatalogApp,
) -> Result<OAuthApp> {
    let whose = (&flow.tenant.project, &flow.user);
    let id = flow.client()?;
    match &kept.client {
        Some(it) => Ok(it.client(app, whose, (found, id.clone()))),
        None => apps::oauth_app_for_user(app, whose.0, id.as_str(), whose.1).await,
    }
}

/// As the page asks for it.
pub(super) fn shown(app: &App, wanted: &Wanted, again: &Again<'_>) -> Option<view::OwnClient> {
    let client = wanted.client.as_ref().filter(|_| wanted.asks_client)?;
    let console = match (wanted.app.oauth2(), wanted.app.oauth1()) {
        (Some(it), _) => it.console_url.as_ref(),
        (_, it) => it.and_then(|it| it.console_url.as_ref()),
    };
    let comes_back = wanted.app.oauth2().is_none_or(|it| it.flow != Way::DeviceCode);
    let wrong = |name: &str| again.wrong.filter(|it| it.0 == name).map(|it| it.1.to_owned());
    let field = |name: &'static str, label: &str, kind| view::Field {
        name: name.to_owned(),
        label: label.to_owned(),
        help: None,
        kind,
        secret: false,
        required: true,
        placeholder: None,
        value: String::new(),
        host: None,
        prefix: None,
        suffix: None,
        options: Vec::new(),
        form: None,
        error: wrong(name),
    };
    let id = view::Field {
        value: again.typed.get(CLIENT_ID).cloned().unwrap_or_default(),
        ..field(CLIENT_ID, "Client ID", view::FieldKind::Text)
    };
    let secret = view::Field {
        secret: true,
        required: apps::wants_secret(&wanted.app),
        ..field(CLIENT_SECRET, "Client secret", view::FieldKind::Secret)
    };
    Some(view::OwnClient {
        console: console.filter(|it| it.starts_with("https://") && !it.contains('$')).cloned(),
        redirect_uri: comes_back.then(|| client.redirect_uri(app)),
        fields: vec![id, secret],
    })
}

#[cfg(test)]
mod tests {
    use grantkeep_catalog::Catalog;

    use super::*;

    fn judged(pairs: &[(&str, &str)]) -> Result<(String, bool), (String, String)> {
        let app = Catalog::builtin().get("slack").unwrap();
        let mut typed = pairs.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
        let judged = judge(&app, &mut typed);
        judged.map(|it| (it.client_id, it.secret.is_some())).map_err(|it| {
            let field = it.details().unwrap()["field"].as_str().unwrap().to_owned();
            (field, it.text().to_owned())
        })
    }

    #[test]
    fn what_cannot_be_a_client_is_told_at_its_field() {
        let field = |pairs: &[(&str, &str)]| judged(pairs).unwrap_err().0;
        assert_eq!(field(&[]), CLIENT_ID);
        assert_eq!(field(&[(CLIENT_ID, " ")]), CLIENT_ID);
        assert_eq!(field(&[(CLIENT_ID, "a\nb"), (CLIENT_SECRET, "s")]), CLIENT_ID);
        assert_eq!(field(&[(CLIENT_ID, "a")]), CLIENT_SECRET);
        assert_eq!(field(&[(CLIENT_ID, "a"), (CLIENT_SECRET, &"s".repeat(16_385))]), CLIENT_SECRET);
        assert_eq!(judged(&[(CLIENT_ID, " a "), (CLIENT_SECRET, "s ")]), Ok(("a".into(), true)));
    }
}
