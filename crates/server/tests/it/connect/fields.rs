//! What the page says of its fields, and what is made of what is pasted into them.

use grantkeep::apps::{Edit, create_oauth_app};
use grantkeep_vault::Secret;
use serde_json::json;

use super::browser::Browser;
use crate::world::worlds;

#[tokio::test]
async fn row_48_a_pasted_address_becomes_its_label_or_is_refused() {
    for world in worlds().await {
        let edit = Edit {
            client_id: Some("c".to_owned()),
            client_secret: Some(Secret::new("s")),
            ..Edit::default()
        };
        create_oauth_app(&world.app, &world.project.id, "zendesk", edit).await.unwrap();
        let browser = Browser::new(&world);
        let page = browser.page(&world.connect_token("u").await, "zendesk").await;
        for part in [
            "data-host=\"label\"",
            "data-prefix=\"https://\"",
            ".<wbr>zendesk.<wbr>com<wbr></span>",
            "Enter only what stands before .zendesk.com.",
            "aria-describedby=\"e-subdomain h-subdomain\"",
        ] {
            assert!(page.reply.text.contains(part), "{part}: {}", page.reply.text);
        }
        for bad in [
            "evil.com/",
            "a.b@evil",
            "127.0.0.1",
            "x.zendesk.com.evil.com",
            "https://acme.zendesk.com@evil.com",
            "xn--cme-7cd.zendesk.com",
            &"a".repeat(64),
        ] {
            let reply = page.call("start", json!({ "fields": { "subdomain": bad } })).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_field"));
            let text = reply.json();
            assert_eq!(text["details"]["field"], "subdomain", "{bad}");
            assert!(text["error"].as_str().unwrap().ends_with(".zendesk.com."), "{text}");
        }
        let pasted = json!({ "subdomain": " https://Acme.zendesk.com/agent/home " });
        let url = browser.leave(&page.start_with(pasted).await).await;
        assert!(url.starts_with("https://acme.zendesk.com/oauth/authorizations/new?"), "{url}");
    }
}
