//! Finishing a flow: the code becomes tokens, the tokens an account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use grantkeep_catalog::{App as CatalogApp, LearnedFrom};
use grantkeep_oauth as oauth;
use grantkeep_oauth::answer::{self, Members, Tokens};
use grantkeep_oauth::one;
use grantkeep_oauth::pkce::Verifier;
use grantkeep_oauth::token::Exchange;
use grantkeep_vault::Secret;

use super::failure::Failure;
use super::secrets::Kept;
use super::{Flow, Session, funnel, installation, oauth1, own_client, scopes, store};
use crate::accounts::{self, Credentials, NewGrant};
use crate::app::App;
use crate::apps::probe::{Known, Probe, Sign};
use crate::apps::protocol::{self, ClientKeys, Values};
use crate::apps::{self, OAuthApp};
use crate::callers::Origin;
use crate::egress::{self, EgressError};
use crate::error::Error;
use crate::ids::AccountId;

/// How long the provider may take for the exchange: the person waits.
const EXCHANGE: Duration = Duration::from_secs(30);

/// What the browser brought.
pub(super) enum Granted {
    Code(oauth::Secret),
    Verifier {
        token: oauth::Secret,
        verifier: oauth::Secret,
    },
    /// The tokens themselves, of a device flow.
    Tokens(Box<Got>),
}

/// All that is needed, so that it can go on alone.
pub(super) struct Run {
    pub app: Arc<App>,
    pub flow: Flow,
    pub session: Session,
    /// For texts.
    pub product: String,
    pub granted: Granted,
    /// Further parameters of the callback.
    pub others: BTreeMap<String, String>,
    pub origin: Origin,
}

/// What the provider gave.
pub(super) struct Got {
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub token_secret: Option<Secret>,
    pub expires_at_ms: Option<i64>,
    pub scopes: Option<Vec<String>>,
    pub said: Said,
}

/// What else stood in the answer.
pub(super) enum Said {
    Members(Members),
    /// OAuth 1.0a answers with a form.
    Texts(oauth::Params),
}

impl Said {
    pub fn text(&self, path: &str) -> Option<String> {
        match self {
            Self::Members(members) => members.text(path),
            Self::Texts(texts) => texts.get(path).cloned(),
        }
    }
}

/// Exchanges, names and stores. Once the provider has granted, nothing but the store can prevent
/// the account.
pub(super) async fn finish(run: Run) -> Result<AccountId, Failure> {
    let Run { app, flow, session, product, granted, others, origin } = run;
    let (app, flow, session, product) = (&app, &flow, &session, product.as_str());
    let (others, origin) = (&others, &origin);
    let ours = |error: Error| {
        tracing::warn!(flow = %flow.id, code = error.kind().code, "a flow could not be finished");
        Failure::of(&error, product)
    };
    let found = apps::find(app, &flow.tenant.project, &flow.app_slug).await.map_err(ours)?;
    let key = app.keys.user(&app.db, &flow.tenant, &flow.user).await.map_err(ours)?;
    let mut kept = Kept::open(&key, flow).map_err(ours)?;
    let client = own_client::of_flow(app, flow, &kept, &found).await.map_err(ours)?;
    // The token endpoint may lie at a host that only the callback tells.
    for (name, value) in learned(&found, &|_| None, others) {
        kept.fields.insert(name, Secret::new(value));
    }
    let asked = Asked { app, found: &found, client: &client, flow, product };
    let got = match granted {
        Granted::Tokens(got) => *got,
        Granted::Code(code) => {
            let user = asked.exchange(&kept, &code).await?;
            installation::tokens_of(&asked, &kept, user, others).await?
        }
        Granted::Verifier { token, verifier } => {
            oauth1::exchange(&asked, &kept, (&token, &verifier)).await?
        }
    };
    let own = kept.client.is_some().then(|| client.clone());
    let grant = grant(&asked, session, kept, got, others).await;
    let account = accounts::connect_by(app, (grant, own), origin).await.map_err(ours)?;
    if let Err(error) = store::set_done(&app.db, flow, &account.id).await {
        // The account is there all the same; only the first page is not told.
        tracing::error!(flow = %flow.id, %error, "a flow's end could not be noted");
    }
    funnel::finished(app, session, account.id.as_str(), origin);
    Ok(account.id)
}

/// Whom to ask for what.
pub(super) struct Asked<'a> {
    pub app: &'a Arc<App>,
    pub found: &'a CatalogApp,
    pub client: &'a OAuthApp,
    pub flow: &'a Flow,
    pub product: &'a str,
}

impl Asked<'_> {
    async fn exchange(&self, kept: &Kept, code: &oauth::Secret) -> Result<Got, Failure> {
        let keys = ClientKeys::open(self.app, self.client).await;
        let keys = keys.map_err(|it| Failure::of(&it, self.product))?;
        let oauth2 = self.oauth2()?;
        let verifier = kept.verifier.as_ref().map(|it| Verifier::new(it.expose()));
        let verifier = verifier.transpose().map_err(|it| self.unaskable(&it))?;
        let exchange =
            Exchange { code, redirect_uri: &self.flow.redirect_uri, verifier: verifier.as_ref() };
        let mut values = Values::of(self.found, &kept.fields);
        values.client_id = Some(&keys.id);
        let build = || protocol::exchange_request(self.app, &values, &keys, &exchange);
        let answered = self.ask_tokens((kept, &keys), &build, EXCHANGE).await?;
        let now_ms = self.app.clock.now_ms();
        let tokens = protocol::read_tokens(oauth2, &answered.response(), now_ms);
        Ok(got(tokens.map_err(|it| self.refused(&it))?))
    }

    /// The app's file or the client's entry makes no request.
    pub fn unaskable(&self, why: &dyn std::fmt::Display) -> Failure {
        tracing::error!(app = %self.found.slug, %why, "an app's request cannot be made");
        self.client_refused()
    }

    /// The app does not take the client: whoever entered it is told.
    pub fn client_refused(&self) -> Failure {
        match self.client.owner {
            Some(_) => Failure::own_client_refused(&self.found.name),
            None => Failure::client_refused(&self.found.name, self.product),
        }
    }

    pub fn no_answer(&self, why: &EgressError) -> Failure {
        tracing::warn!(app = %self.found.slug, why = why.detail(), "a provider gave no answer");
        match why.failure() {
            egress::Failure::TooLarge | egress::Failure::Protocol => {
                Failure::bad_response(&self.found.name)
            }
            _ => Failure::unavailable(&self.found.name),
        }
    }

    pub fn refused(&self, why: &answer::Failure) -> Failure {
        tracing::warn!(app = %self.found.slug, %why, "a provider gave no tokens");
        let name = &self.found.name;
        match why {
            answer::Failure::Grant(_) => Failure::code_refused(name),
            answer::Failure::Client(_) => self.client_refused(),
            answer::Failure::Refused(error) => {
                let said = error.description.as_deref().unwrap_or(&error.code);
                Failure::provider_refused(name, said)
            }
            answer::Failure::Transient { status, .. }
                if !matches!(status, 408 | 425 | 429 | 500..) =>
            {
                Failure::bad_response(name)
            }
            answer::Failure::Transient { .. } => Failure::unavailable(name),
            answer::Failure::Malformed(_) => Failure::bad_response(name),
        }
    }
}

pub(super) fn got(tokens: Tokens) -> Got {
    let ours = |it: oauth::Secret| Secret::new(it.expose());
    Got {
        access_token: ours(tokens.access_token),
        refresh_token: tokens.refresh_token.map(ours),
        token_secret: None,
        expires_at_ms: tokens.expires_at_ms,
        scopes: tokens.scopes,
        said: Said::Members(tokens.members),
    }
}

async fn grant(
    asked: &Asked<'_>,
    session: &Session,
    kept: Kept,
    got: Got,
    others: &BTreeMap<String, String>,
) -> NewGrant {
    let Asked { found, flow, .. } = asked;
    let mut fields = kept.fields;
    for (name, value) in learned(found, &|path| got.said.text(path), others) {
        fields.insert(name, Secret::new(value));
    }
    // A server that knows nothing of proofs gives tokens that anybody can use.
    let bound = got.said.text("token_type").is_some_and(|it| it.eq_ignore_ascii_case("dpop"));
    let scopes = got.scopes.unwrap_or_else(|| flow.asked_scopes.clone());
    let missing_scopes = missing(found, &flow.asked_scopes, &scopes);
    let mut credentials = Credentials {
        access_token: Some(got.access_token),
        refresh_token: got.refresh_token,
        token_secret: got.token_secret,
        dpop_key: kept.dpop_key.filter(|_| bound),
        fields,
    };
    let known = identify(asked, &mut credentials, &got.said).await;
    NewGrant {
        tenant: flow.tenant.clone(),
        user: flow.user.clone(),
        external_id: session.external_id.clone(),
        app_slug: flow.app_slug.clone(),
        oauth_app: flow.oauth_app.clone(),
        name: known.name,
        subject: known.subject,
        credentials,
        expires_at_ms: got.expires_at_ms,
        scopes,
        missing_scopes,
        binding: flow.binding,
        reconnect: session.reconnect.clone(),
        token_hash: session.token_hash,
    }
}

/// What the token answer and the callback tell of the account. What may not stand in a host is left
/// out.
fn learned(
    found: &CatalogApp,
    said: &dyn Fn(&str) -> Option<String>,
    others: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let mut values = Vec::new();
    for (name, rule) in &found.learned {
        let value = match rule.from {
            LearnedFrom::TokenAnswer => said(&rule.path),
            LearnedFrom::Callback => others.get(&rule.path).cloned(),
            LearnedFrom::Verify | LearnedFrom::Identity | LearnedFrom::Field => None,
        };
        let Some(value) = value else { continue };
        let fits = rule.host.as_ref().is_none_or(|host| host.check(&value).is_ok());
        if fits && !value.chars().any(char::is_control) {
            values.push((name.clone(), value));
        } else {
            tracing::warn!(app = %found.slug, field = %name, "a learnt value cannot be used");
        }
    }
    values
}

/// Scopes asked for and not granted (RFC 6749 section 5.1). Those that open no data are often left
/// out of answers.
fn missing(found: &CatalogApp, asked: &[String], granted: &[String]) -> Vec<String> {
    let words = scopes::of(found).map(|it| &it.words);
    let opens_data =
        |scope: &&String| words.and_then(|it| it.get(*scope)).is_none_or(|words| !words.is_empty());
    asked.iter().filter(opens_data).filter(|it| !granted.contains(it)).cloned().collect()
}

/// Asks the app who connected. What it does not say stays unknown; the grant is kept in any case.
async fn identify(asked: &Asked<'_>, credentials: &mut Credentials, said: &Said) -> Known {
    let mut values = Values::of(asked.found, &credentials.fields);
    values.access_token = credentials.access_token.as_ref();
    values.client_id = Some(&asked.client.client_id);
    let habits = asked.found.oauth1();
    let consumer = match habits {
        Some(_) => oauth1::consumer(asked).await.ok(),
        None => None,
    };
    let signed = |method, url: &str| {
        let token = (credentials.access_token.as_ref()?, credentials.token_secret.as_ref()?);
        let target = one::Target { method, url, form: &[] };
        consumer.as_ref()?.authorization(asked.app, habits?, token, &target).ok()
    };
    let sign: Option<&Sign<'_>> = if consumer.is_some() { Some(&signed) } else { None };
    let of = (asked.found, &asked.flow.tenant.project);
    let egress = protocol::api_egress(asked.app, of, Some(&asked.client.id)).await;
    let probe = Probe {
        app: asked.app,
        values: &values,
        sign,
        proof_key: credentials.dpop_key.as_ref(),
        egress: egress.as_ref().unwrap_or(&asked.app.egress),
    };
    let mut known = probe.identify(None, &|path| said.text(path)).await;
    for (name, value) in known.learned.drain(..) {
        credentials.fields.insert(name, Secret::new(value));
    }
    known
}
