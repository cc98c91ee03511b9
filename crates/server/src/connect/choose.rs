//! Choosing an app, where the page was opened without one: what can be connected here, found by
//! name, and one of it made the session's.

use std::collections::HashSet;
use std::sync::Arc;

use grantkeep_catalog as catalog;

use super::failure::Failure;
use super::view::{Entry, Listing};
use super::{Session, assets, funnel, open, store};
use crate::accounts::Binding;
use crate::app::App;
use crate::apps::{self, takes_own_client};
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::tokens::{self, ConnectToken};

/// Apps shown at once.
const LISTED_APPS: usize = 24;
/// Characters of a search that count.
const QUERY_CHARS_MAX: usize = 100;

/// The apps that the token can connect and whose names hold `query`, from the `from`th on: the
/// project's own first, then as the catalogue ranks them. What could not be held until the
/// product's backend confirms is left out where it has to.
pub(super) async fn list(
    app: &App,
    (token, binding, own_client): (&ConnectToken, Binding, bool),
    query: &str,
    from: usize,
) -> Result<Listing> {
    let project = &token.tenant.project;
    let query: String = query.trim().chars().take(QUERY_CHARS_MAX).collect();
    let (own, configured) =
        (apps::own(app, project).await?, apps::configured_apps(app, project).await?);
    let named = |slug: &str| own.get(slug).or_else(|| app.catalog.get(slug));
    // Whoever enters a client of his own needs none of the project's.
    let can_enter = |slug: &str| own_client && named(slug).is_some_and(|it| takes_own_client(&it));
    let can = |it: &&catalog::Entry| {
        let has_client = !it.needs_client || configured.contains(&*it.slug);
        let known = it.connectable && (has_client || can_enter(&it.slug));
        let held = !it.device || binding != Binding::Verified;
        known && held && token.allows(&it.slug).is_ok()
    };
    let mut seen = HashSet::new();
    let all = own.search(&query).into_iter().chain(app.catalog.search(&query));
    let all: Vec<&catalog::Entry> = all.filter(can).filter(|it| seen.insert(&it.slug)).collect();
    let total = all.len();
    let shown = all.into_iter().skip(from).take(LISTED_APPS);
    let apps: Vec<Entry> = shown.filter_map(|it| named(&it.slug)).map(|it| entry(&it)).collect();
    let end = from.saturating_add(LISTED_APPS);
    let next = (end < total).then_some(end);
    Ok(Listing { query, apps, total, from, next })
}

fn entry(it: &catalog::App) -> Entry {
    Entry {
        slug: it.slug.clone(),
        name: it.name.clone(),
        category: it.categories.first().cloned().unwrap_or_default(),
        logo: assets::icon_path(&it.slug),
    }
}

/// Makes an app the session's, as if the page's address had named it.
///
/// # Errors
/// As for [`open::wanted`]; [`error::PAGE_ENDED`] when the session has an answer of an app already;
/// [`error::RATE_LIMITED`] for somebody who chooses without end.
pub(super) async fn choose(
    app: &Arc<App>,
    session: &Session,
    name: &str,
    origin: &Origin,
) -> Result<Session> {
    let token = free_token(app, session).await?;
    let own_client = session.own_client;
    let names = open::Names { app: Some(name), own_client, ..open::Names::default() };
    let wanted = open::wanted(app, &token, names).await?;
    let chosen = Session {
        app_slug: Some(wanted.app.slug.clone()),
        oauth_app: wanted.client.map(|it| it.id),
        ..session.clone()
    };
    turn(app, &chosen).await?;
    funnel::picked(app, &chosen, origin).await?;
    Ok(chosen)
}

/// Back to the list: the session has no app any more.
///
/// # Errors
/// [`error::PAGE_ENDED`] as for [`choose`].
pub(super) async fn leave(app: &Arc<App>, session: &Session) -> Result<Session> {
    free_token(app, session).await?;
    let free = Session { app_slug: None, oauth_app: None, ..session.clone() };
    turn(app, &free).await?;
    Ok(free)
}

/// The session's token, if it leaves the app open.
async fn free_token(app: &App, session: &Session) -> Result<ConnectToken> {
    let token = tokens::find_by_hash(app, &session.token_hash).await?;
    let token = token.ok_or_else(|| Error::from(error::CONNECT_TOKEN_EXPIRED))?;
    token.usable(app.clock.now_ms())?;
    if token.app_slug.is_some() || session.reconnect.is_some() {
        return Err(error::INVALID_REQUEST.saying("This page is for one app."));
    }
    Ok(token)
}

/// What was begun for the former app is over; what has come back from it is not.
async fn turn(app: &App, session: &Session) -> Result<()> {
    let mut tx = app.db.begin().await?;
    store::end_open_flows(&mut tx, session, None, &Failure::cancelled()).await?;
    if !store::set_app(&mut tx, session).await? {
        return Err(error::PAGE_ENDED.into());
    }
    Ok(tx.commit().await?)
}
