//! Workflows: deployed from files, run step by step in real workers, looked at afterwards.

mod article;
mod command;
mod deploying;
mod flow;
mod running;
mod starting;
mod telling;
mod timers;
mod tries;

use serde_json::{Value, json};

use crate::world::{Reply, World};

pub const SECOND_MS: i64 = 1_000;

impl World {
    pub async fn try_workflow(&self, text: &str) -> Reply {
        let body = json!({ "files": [{ "path": "workflow.yaml", "text": text }] });
        self.post(&self.path("/workflows"), body).await
    }

    /// Deploys a workflow, and gives it.
    pub async fn workflow(&self, text: &str) -> Value {
        let reply = self.try_workflow(text).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["data"].clone()
    }

    /// Starts a run for Ada, and gives its id.
    pub async fn invoke(&self, name: &str, event: Value) -> String {
        let body = json!({ "external_user_id": "ada", "event": event });
        let reply = self.post(&self.path(&format!("/workflows/{name}/invoke")), body).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        reply.json()["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Goes on with all runs that are due.
    pub async fn flow(&self) {
        while grantkeep::workflows::round(&self.app).await.unwrap() > 0 {}
    }

    pub async fn run_of(&self, id: &str) -> Value {
        let reply = self.get(&self.path(&format!("/workflow-runs/{id}"))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["data"].clone()
    }

    /// Starts a run, goes on until nothing is due, and gives how it stands.
    pub async fn ran(&self, name: &str, event: Value) -> Value {
        let id = self.invoke(name, event).await;
        self.flow().await;
        self.run_of(&id).await
    }
}

/// The id of a run.
pub fn id(run: &Value) -> String {
    run["id"].as_str().unwrap().to_owned()
}
