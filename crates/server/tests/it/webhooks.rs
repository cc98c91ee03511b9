//! News to products, from its cause to the product's endpoint.

mod connecting;
mod endpoints;
mod failing;
mod signing;

use grantkeep::accounts::Account;
use grantkeep::webhooks;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::world::World;

/// An endpoint as the API gave it when it was made.
pub struct Made {
    pub id: String,
    pub secret: String,
}

impl World {
    pub async fn endpoint(&self, url: &str) -> Made {
        self.endpoint_with(json!({ "url": url })).await
    }

    pub async fn endpoint_with(&self, wish: Value) -> Made {
        let reply = self.post(&self.path("/webhooks"), wish).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let it = reply.json();
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        Made { id: text("id"), secret: text("secret") }
    }

    /// Sends what is due now.
    pub async fn deliver(&self) {
        while webhooks::round(&self.app).await.unwrap() > 0 {}
    }

    /// Makes one piece of news: an account is deleted.
    pub async fn news(&self) -> String {
        let account = self.connected("rotating", "ada").await;
        self.forget(&account).await
    }

    pub async fn forget(&self, account: &Account) -> String {
        let reply = self.delete(&self.path(&format!("/accounts/{}", account.id))).await;
        assert_eq!(reply.status, 204, "{reply:?}");
        account.id.to_string()
    }

    /// Makes many pieces of news of accounts of key apps, quickly.
    pub async fn many(&self, count: usize) {
        for nth in 0..count {
            let token = self.connect_token(&format!("user-{nth}")).await;
            let body = json!({ "app_slug": "sim_keys", "connect_token": token,
                "cfmap_json": json!({ "api_key": "sim_live_demo" }).to_string() });
            let reply = self
                .call(reqwest::Method::POST, "/v1/connect/accounts", Some(&token), Some(body))
                .await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    }

    pub async fn deliveries(&self, query: &str) -> Vec<Value> {
        let reply = self.get(&self.path(&format!("/webhooks/deliveries?limit=100{query}"))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["data"].as_array().unwrap().clone()
    }

    pub async fn condition(&self, id: &str) -> Value {
        let reply = self.get(&self.path(&format!("/webhooks/{id}"))).await;
        reply.json()["delivery_state"].clone()
    }
}

/// Topics of what came, as far as it is ours.
pub fn kinds(receiver: &Receiver) -> Vec<String> {
    let text = |it: Value| it["type"].as_str().or(it["event"].as_str()).unwrap().to_owned();
    receiver.posts().iter().map(|it| text(it.json())).collect()
}
