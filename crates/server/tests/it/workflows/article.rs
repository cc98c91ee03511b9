//! A step as articles write it: it calls an app with the user's token, and when the app says that
//! the token is worthless, it tells the product and ends the workflow.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use grantkeep::accounts::{self, Binding, Credentials, NewGrant};
use grantkeep::apps::{self, Edit};
use grantkeep::callers::Origin;
use grantkeep::tokens;
use grantkeep_simulator::Simulator;
use grantkeep_vault::Secret;
use serde_json::json;

use super::id;
use crate::receiver::Receiver;
use crate::world::{World, worlds_with};

/// As it stands there, word for word.
const SNIPPET: &str = r#"export default defineComponent({
  props: { slack: { type: "app", app: "slack" } },
  async run({ steps, $ }) {
    try {
      const result = await callSlackApi(this.slack.$auth.oauth_access_token);
      return result;
    } catch (error) {
      if (error.status === 401) {
        // Token is invalid or revoked -- notify your app so the user can reconnect
        await notifyUserToReconnect(steps.trigger.event.userId, "slack");
        $.flow.exit("Token revoked -- user notified to reconnect");
      }
      throw error;  // re-throw other errors
    }
  },
});
"#;

/// The two functions that its reader is to write.
const HELPERS: &str = r#"
async function callSlackApi(token) {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await (await fetch("https://slack.com/api/auth.test", { headers })).json();
  if (answer.ok) return answer;
  const gone = ["token_revoked", "invalid_auth"].includes(answer.error);
  throw Object.assign(new Error(answer.error), { status: gone ? 401 : 500 });
}
async function notifyUserToReconnect(user, app) {
  await fetch("PRODUCT", { method: "POST", body: JSON.stringify({ user, app }) });
}
"#;

/// An account of the real app's file, whose hosts are led to the simulator.
async fn connect(world: &World, token: &str) {
    let edit = Edit {
        client_id: Some("client".to_owned()),
        client_secret: Some(Secret::new("secret")),
        ..Edit::default()
    };
    let client = apps::create_oauth_app(&world.app, &world.project.id, "slack", edit).await;
    let connect = world.connect_token("ada").await;
    let connect = tokens::find(&world.app, &connect).await.unwrap().unwrap();
    let grant = NewGrant {
        tenant: world.tenant(),
        user: connect.user,
        external_id: connect.external_id,
        app_slug: "slack".to_owned(),
        oauth_app: Some(client.unwrap().id),
        name: None,
        subject: None,
        credentials: Credentials {
            access_token: Some(Secret::new(token)),
            refresh_token: None,
            token_secret: None,
            dpop_key: None,
            fields: BTreeMap::new(),
        },
        expires_at_ms: None,
        scopes: Vec::new(),
        missing_scopes: Vec::new(),
        binding: Binding::Embedded,
        reconnect: None,
        token_hash: connect.hash,
    };
    accounts::connect(&world.app, grant, &Origin::default()).await.unwrap();
}

#[tokio::test]
async fn a_revoked_token_leads_to_the_notice_and_to_exit() {
    const TOKEN: &str = "xoxp-not-a-real-token";
    let slack = Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let routes = slack.app_routes().into_iter().map(|(host, to)| format!("{host}={to}"));
    let routes = routes.collect::<Vec<_>>().join(", ");
    for world in worlds_with(&[("egress_dev_routes", &routes)]).await {
        let product = Receiver::start().await;
        connect(&world, TOKEN).await;
        let code = HELPERS.replace("PRODUCT", &product.url) + SNIPPET;
        // One file of code is a workflow.
        let body = json!({ "files": [{ "path": "notify.mjs", "text": code }] });
        let made = world.post(&world.path("/workflows"), body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let good = world.ran("notify", json!({ "userId": "ada" })).await;
        assert_eq!(good["outcome"], "ok", "{good}");
        assert_eq!(good["steps"][0]["exports"]["$return_value"]["team"], "Lumen", "{good}");
        let seen = slack.app_calls("slack");
        assert!(seen.iter().any(|it| it.credential.as_deref() == Some(TOKEN)), "the real token");
        assert_eq!(product.count(), 0);
        slack.revoke_app("slack", None, true);
        let run = world.ran("notify", json!({ "userId": "ada" })).await;
        assert_eq!(run["outcome"], "exit", "{run}");
        assert_eq!(run["reason"], "Token revoked -- user notified to reconnect");
        let [post] = &product.posts()[..] else { panic!("{:?}", product.posts()) };
        assert_eq!(post.json(), json!({ "user": "ada", "app": "slack" }));
        let shown = world.run_of(&id(&run)).await.to_string();
        assert!(!shown.contains(TOKEN), "{shown}");
        slack.reset_app("slack");
    }
}
