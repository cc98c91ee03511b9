//! Sources that answer requests themselves.

use serde_json::json;

use crate::world::{World, read, worlds};

/// Judges what comes as a provider's documentation tells it to: signature, age, type, and ids.
const JUDGE: &str = "props: { http: { type: \"$.interface.http\", customResponse: true },
    secret: { type: \"string\", secret: true } },
  dedupe: \"unique\",
  methods: {
    no(status) { return this.http.respond({ status, body: { status } }); },
  },
  async run({ headers, bodyRaw, body, method }) {
    const { createHmac } = await import('node:crypto');
    if (method !== 'POST') return this.no(405);
    if (bodyRaw.length === 0) return this.no(400);
    if (headers['content-type'] !== 'application/json') return this.no(415);
    const at = headers['x-at'];
    if (Math.abs(Number(at) - 1_000_000) > 300) return this.no(401);
    const made = createHmac('sha256', this.secret).update(`${at}.${bodyRaw}`).digest('hex');
    if (headers['x-sign'] !== made) return this.no(401);
    this.$emit(body, { id: body.id });
    await this.http.respond({ status: 200, body: 'taken', headers: { 'x-mine': 'yes',
      'set-cookie': 'a=b' } });
  }";

async fn sent(world: &World, url: &str, (at, sign): (&str, &str), body: &str) -> u16 {
    let request = world.http.post(url).header("x-at", at).header("x-sign", sign);
    let request = request.header("content-type", "application/json").body(body.to_owned());
    read(request).await.status.as_u16()
}

fn sign(at: &str, body: &str) -> String {
    let made = grantkeep_vault::token::hmac_sha256(b"s3cret", format!("{at}.{body}").as_bytes());
    super::hex(&made)
}

#[tokio::test]
async fn row_91_a_source_judges_what_comes_to_its_address() {
    for world in worlds().await {
        let key = world.source("judge", JUDGE).await;
        let made = world.deploy(&key, json!({ "secret": "s3cret" }), json!({})).await;
        let (id, props) = (made["id"].as_str().unwrap(), &made["configured_props"]);
        let url = props["http"]["endpoint_url"].as_str().unwrap();
        let body = r#"{"id":"e1","n":1}"#;
        let (now, old) = ("1000000", "999000");
        let good = sign(now, body);
        assert_eq!(sent(&world, url, (now, "00"), body).await, 401, "another signature");
        assert_eq!(sent(&world, url, (old, &sign(old, body)), body).await, 401, "an old one");
        assert_eq!(sent(&world, url, (now, &good), "").await, 400, "nothing");
        let typed = world.http.post(url).header("x-at", now).header("x-sign", &good);
        assert_eq!(read(typed.body(body)).await.status, 415, "another type");
        assert_eq!(world.events(id).await.len(), 0);
        let request = world.http.post(url).header("x-at", now).header("x-sign", &good);
        let taken = request.header("content-type", "application/json").body(body).send();
        let taken = taken.await.unwrap();
        assert_eq!(
            (taken.status().as_u16(), &taken.headers()["x-mine"]),
            (200, &"yes".parse().unwrap())
        );
        assert!(!taken.headers().contains_key("set-cookie"));
        assert_eq!(taken.headers()["content-security-policy"], "default-src 'none'; sandbox");
        assert_eq!(taken.text().await.unwrap(), "taken");
        // The run goes on after its answer.
        assert_eq!(sent(&world, url, (now, &good), body).await, 200, "the same once more");
        assert_eq!(sent(&world, url, (now, "00"), body).await, 401);
        assert_eq!(world.emitted(id).await, [json!({ "id": "e1", "n": 1 })], "is one event");
        let large = read(world.http.post(url).body(vec![b'x'; 50 * 1024 * 1024])).await;
        assert_eq!(large.status, 413);
    }
}

#[tokio::test]
async fn code_that_fails_or_says_nothing_is_an_error_for_who_waits() {
    for world in worlds().await {
        let rest = "props: { http: { type: \"$.interface.http\", customResponse: true } },
          async run({ query }) { if (query.bad) throw new Error('inner text'); }";
        let key = world.source("mute", rest).await;
        let made = world.deploy(&key, json!({}), json!({})).await;
        let url = made["configured_props"]["http"]["endpoint_url"].as_str().unwrap();
        for query in ["", "?bad=1"] {
            let answer = world.hit(&format!("{url}{query}"), json!({})).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (502, "source_failed".into()));
            assert!(!answer.text.contains("inner text"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn an_address_answers_while_a_hook_waits_for_it() {
    for world in worlds().await {
        // A provider that checks the address within the call that registers it. No network is
        // needed to show it: the hook waits for a value that the request writes.
        let rest = "props: { http: { type: \"$.interface.http\", customResponse: true } },
          hooks: { async activate() { await new Promise((it) => setTimeout(it, 3000)); } },
          async run({ body }) { await this.http.respond({ status: 200, body: body.challenge }); }";
        let key = world.source("checked", rest).await;
        let made = world.deploy(&key, json!({}), json!({})).await;
        let (id, url) = (
            made["id"].as_str().unwrap(),
            made["configured_props"]["http"]["endpoint_url"].as_str().unwrap(),
        );
        let change = json!({ "configured_props": {} });
        let changing = world.of_trigger(reqwest::Method::PUT, id, "", change);
        let asking = world.hit(url, json!({ "challenge": "abc" }));
        let (changed, answer) = tokio::join!(changing, asking);
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "abc"));
        assert_eq!(changed.status, 200, "{changed:?}");
    }
}
