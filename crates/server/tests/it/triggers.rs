//! Deployed triggers: sources in real workers, addresses and timers, and what becomes of events.

mod addresses;
mod every_source;
mod failing;
mod native;
mod sources;
mod webhooks;

use reqwest::Method;
use serde_json::{Value, json};

use crate::receiver::{Post, Receiver};
use crate::world::{Reply, World};

/// A second, an hour and so on of the clock that tests turn.
pub const SECOND_MS: i64 = 1_000;
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;

impl World {
    /// Publishes a source; `rest` are its further members. Gives its key.
    pub async fn source(&self, name: &str, rest: &str) -> String {
        let key = format!("~/{name}");
        let text = format!(
            "export default {{ key: {key:?}, name: \"Test {name}\", version: \"0.0.1\", \
             type: \"source\",\n{rest}\n}};"
        );
        let body = json!({ "files": [{ "path": format!("{name}.mjs"), "text": text }] });
        let reply = self.post(&self.path("/components"), body).await;
        assert!(reply.status.is_success(), "{reply:?}");
        key
    }

    pub async fn try_deploy(&self, key: &str, props: Value, more: Value) -> Reply {
        let mut body = json!({ "id": key, "external_user_id": "ada", "configured_props": props });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post(&self.path("/triggers/deploy"), body).await
    }

    /// Deploys for Ada, and gives the trigger.
    pub async fn deploy(&self, key: &str, props: Value, more: Value) -> Value {
        let reply = self.try_deploy(key, props, more).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["data"].clone()
    }

    /// A call about one of Ada's triggers.
    pub async fn of_trigger(&self, method: Method, id: &str, rest: &str, body: Value) -> Reply {
        let mark = if rest.contains('?') { '&' } else { '?' };
        let path = format!("/deployed-triggers/{id}{rest}{mark}external_user_id=ada");
        let body = Some(body).filter(|it| !it.is_null());
        self.call(method, &self.path(&path), Some(&self.project.key), body).await
    }

    pub async fn trigger(&self, id: &str) -> Value {
        let reply = self.of_trigger(Method::GET, id, "", Value::Null).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["data"].clone()
    }

    /// The latest events, the newest first.
    pub async fn events(&self, id: &str) -> Vec<Value> {
        let reply = self.of_trigger(Method::GET, id, "/events?n=100", Value::Null).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["data"].as_array().unwrap().clone()
    }

    /// What was emitted, the oldest first.
    pub async fn emitted(&self, id: &str) -> Vec<Value> {
        self.events(id).await.into_iter().rev().map(|it| it["e"].clone()).collect()
    }

    /// Works off all triggers that are due.
    pub async fn fire(&self) {
        while grantkeep::triggers::round(&self.app).await.unwrap() > 0 {}
    }

    /// Turns the clock, and works off what is due then.
    pub async fn fire_after(&self, ms: i64) {
        self.app.clock.shift(ms);
        self.fire().await;
    }

    /// Sends JSON to a trigger's address.
    pub async fn hit(&self, url: &str, body: Value) -> Reply {
        crate::world::read(self.http.post(url).json(&body)).await
    }
}

/// What came to a product's endpoint that is an event of this trigger.
pub fn posts_of(receiver: &Receiver, id: &str) -> Vec<Post> {
    receiver.posts().into_iter().filter(|it| it.header("x-pd-emitter-id") == id).collect()
}

/// Bytes as two digits each.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, it| {
        write!(text, "{it:02x}").unwrap();
        text
    })
}

/// Whether a signature of the older form is this key's.
pub fn signed(post: &Post, key: &str) -> bool {
    let text = post.header("x-pd-signature");
    let at = text.split(',').next().unwrap().strip_prefix("t=").unwrap();
    let message = [format!("{at}.").as_bytes(), &post.body].concat();
    let made = grantkeep_vault::token::hmac_sha256(key.as_bytes(), &message);
    text.split(',').any(|it| it == format!("v1={}", hex(&made)))
}
