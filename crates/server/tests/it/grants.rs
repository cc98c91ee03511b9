//! Connected accounts without the connect page: a person approves at a pretend provider, and what
//! comes of it is stored as the flow stores it.

use std::collections::BTreeMap;
use std::time::Duration;

use grantkeep::accounts::{self, Account, Binding, Credentials, NewGrant};
use grantkeep::apps::protocol::{self, ClientKeys, Values};
use grantkeep::apps::{self, OAuthApp};
use grantkeep::callers::Origin;
use grantkeep::error::Result;
use grantkeep::ids::AccountId;
use grantkeep::tenant::{Environment, Tenant};
use grantkeep::tokens;
use grantkeep_oauth as oauth;
use grantkeep_oauth::answer::Tokens;
use grantkeep_oauth::authorize::Authorize;
use grantkeep_oauth::pkce::Verifier;
use grantkeep_oauth::token::Exchange;
use grantkeep_vault::Secret;

use crate::world::World;

/// One more hour than the pretend providers' access tokens live.
pub const TWO_HOURS_MS: i64 = 2 * 3_600_000;

impl World {
    pub fn tenant(&self) -> Tenant {
        Tenant { project: self.project.id.clone(), environment: Environment::Development }
    }

    /// Moves the time of the server and of the providers.
    pub fn later(&self, ms: i64) {
        self.app.clock.shift(ms);
        self.provider.advance(Duration::from_millis(ms.unsigned_abs()));
    }

    /// An account of `user`, granted by the person of the same name, or else by Ada.
    pub async fn connected(&self, provider: &str, user: &str) -> Account {
        let client = self.oauth_app(provider).await;
        let person = if ["ada", "grace", "linus"].contains(&user) { user } else { "ada" };
        self.connected_with(&client, user, person, None).await.unwrap()
    }

    /// An account whose access token has ended.
    pub async fn expired(&self, provider: &str, user: &str) -> Account {
        let account = self.connected(provider, user).await;
        self.later(TWO_HOURS_MS);
        account
    }

    /// `person` approves at the provider; the grant is filed under `user`.
    pub async fn connected_with(
        &self,
        client: &OAuthApp,
        user: &str,
        person: &str,
        reconnect: Option<&AccountId>,
    ) -> Result<Account> {
        let tokens = self.approved(client, person).await;
        let token = self.connect_token(user).await;
        let token = tokens::find(&self.app, &token).await?.unwrap();
        let grant = NewGrant {
            tenant: self.tenant(),
            user: token.user,
            external_id: token.external_id,
            app_slug: client.app_slug.clone(),
            oauth_app: Some(client.id.clone()),
            name: Some(format!("{person}@example.com")),
            subject: Some(person.to_owned()),
            credentials: Credentials {
                access_token: Some(Secret::new(tokens.access_token.expose())),
                refresh_token: tokens.refresh_token.map(|it| Secret::new(it.expose())),
                token_secret: None,
                dpop_key: None,
                fields: BTreeMap::from([("workspace".to_owned(), Secret::new("acme"))]),
            },
            expires_at_ms: tokens.expires_at_ms,
            scopes: tokens.scopes.unwrap_or_default(),
            missing_scopes: Vec::new(),
            binding: Binding::Embedded,
            reconnect: reconnect.cloned(),
            token_hash: token.hash,
        };
        accounts::connect(&self.app, grant, &Origin::default()).await
    }

    /// Goes through the provider's pages and exchanges what they give.
    async fn approved(&self, client: &OAuthApp, person: &str) -> Tokens {
        let found = apps::find(&self.app, &client.project, &client.app_slug).await.unwrap();
        let oauth2 = found.oauth2().unwrap();
        let verifier = Verifier::new(&"v".repeat(43)).unwrap();
        let fields = BTreeMap::from([("workspace".to_owned(), Secret::new("acme"))]);
        let mut values = Values::of(&found, &fields);
        values.client_id = Some(&client.client_id);
        let redirect_uri = client.redirect_uri(&self.app);
        let none = BTreeMap::new();
        let authorize = Authorize {
            endpoint: &values.url(&self.app, &oauth2.authorization_url).unwrap(),
            client_id: &client.client_id,
            redirect_uri: &redirect_uri,
            state: "s",
            verifier: oauth2.pkce.then_some(&verifier),
            scopes: &oauth2.scopes.asked(),
            scope_separator: &oauth2.scopes.separator,
            scope_param: &oauth2.scopes.param,
            app_params: &oauth2.authorization_params,
            tenant_params: &none,
            param_names: &oauth2.param_names,
            resources: &[],
            dpop_jkt: None,
            allow_loopback_http: true,
        };
        let back = self.provider.approve(&authorize.url().unwrap(), person).unwrap();
        let back = url::Url::parse(&back).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let exchange = Exchange {
            code: &oauth::Secret::new(code),
            redirect_uri: &redirect_uri,
            verifier: oauth2.pkce.then_some(&verifier),
        };
        let keys = ClientKeys::open(&self.app, client).await.unwrap();
        let request = protocol::exchange_request(&self.app, &values, &keys, &exchange).unwrap();
        let answered = protocol::send(&self.app, request, Duration::from_secs(10)).await.unwrap();
        protocol::read_tokens(oauth2, &answered.response(), self.app.clock.now_ms()).unwrap()
    }

    /// The account with its credentials, as the project's code asks for them.
    pub async fn vend(&self, account: &Account) -> crate::world::Reply {
        let path = format!("/accounts/{}?include_credentials=true", account.id);
        self.get(&self.path(&path)).await
    }
}
