//! What products are told of connecting and deleting.

use grantkeep_vault::{Secret, token};
use serde_json::{Value, json};

use super::Account;
use super::view::account_in_news;
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::AccountId;
use crate::tenant::Tenant;
use crate::tokens::{self, ConnectToken};
use crate::webhooks::{self, News, Topic};

/// Bits of a number that every JSON reader keeps exactly (RFC 8259 section 6).
const SESSION_BITS: u32 = 53;

/// What a connect token says of who is told: read before the transaction that uses it up.
pub(crate) struct Asker {
    webhook_uri: Option<String>,
    /// The token's text, which its own address is told.
    text: Option<Secret>,
    session: u64,
}

impl Asker {
    pub async fn of(app: &App, token_hash: &[u8; 32]) -> Result<Self> {
        let token = tokens::find_by_hash(app, token_hash).await?;
        let text = match &token {
            Some(token) => text(app, token).await,
            None => None,
        };
        let webhook_uri = token.and_then(|it| it.webhook_uri);
        Ok(Self { webhook_uri, text, session: session_number(token_hash) })
    }

    fn body(&self) -> Value {
        json!({
            "connect_token": self.text.as_ref().map(Secret::expose),
            "connect_session_id": self.session,
        })
    }
}

/// That the text cannot be read must not keep an account from being stored.
async fn text(app: &App, token: &ConnectToken) -> Option<Secret> {
    tokens::text(app, token).await.unwrap_or_else(|error| {
        tracing::error!(%error, detail = error.log(), "a connect token's text cannot be read");
        None
    })
}

/// The wire wants a number for what is one connect token here; this one tells nothing of it.
fn session_number(token_hash: &[u8; 32]) -> u64 {
    let tag = token::hmac_sha256(token_hash, b"connect_session_id");
    let first: [u8; 8] = std::array::from_fn(|at| tag[at]);
    u64::from_be_bytes(first) >> (u64::BITS - SESSION_BITS)
}

/// An account as news has it: without any place for credentials.
pub(super) async fn view(app: &App, account: &Account) -> Result<Value> {
    let view = serde_json::to_value(account_in_news(app, account).await);
    let mut view = view.map_err(|it| crate::error::INTERNAL.logging(it))?;
    if let Some(fields) = view.as_object_mut() {
        fields.remove("credentials");
    }
    Ok(view)
}

pub(super) async fn connected(
    app: &App,
    tx: &mut Tx,
    account: &Account,
    asker: &Asker,
) -> Result<()> {
    let mut body = asker.body();
    body["account"] = view(app, account).await?;
    let news = News {
        tenant: &account.tenant,
        topic: Topic::ConnectionSuccess,
        account: Some(&account.id),
        body,
        webhook_uri: asker.webhook_uri.as_deref(),
    };
    webhooks::announce(app, tx, news).await
}

/// Tells that somebody did not get an account connected; `why` is what the person is told.
pub(crate) async fn not_connected(
    app: &App,
    tx: &mut Tx,
    (tenant, reconnect): (&Tenant, Option<&AccountId>),
    why: &str,
    asker: &Asker,
) -> Result<()> {
    let mut body = asker.body();
    body["error"] = json!(why);
    let news = News {
        tenant,
        topic: Topic::ConnectionError,
        account: reconnect,
        body,
        webhook_uri: asker.webhook_uri.as_deref(),
    };
    webhooks::announce(app, tx, news).await
}

pub(super) async fn deleted(app: &App, tx: &mut Tx, account: &Account) -> Result<()> {
    let news = News {
        tenant: &account.tenant,
        topic: Topic::AccountDeleted,
        account: Some(&account.id),
        body: json!({ "account": view(app, account).await? }),
        webhook_uri: None,
    };
    webhooks::announce(app, tx, news).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_number_is_exact_in_every_json_reader() {
        for byte in 0..=255 {
            assert!(session_number(&[byte; 32]) <= 1 << SESSION_BITS);
        }
        assert_ne!(session_number(&[1; 32]), session_number(&[2; 32]));
    }
}
