//! What code reaches from a real worker, by which protocol, and how that is signed.

use reqwest::Method;
use serde_json::{Value, json};

use super::publishing::action;
use crate::proxy::lab::{KEY, Kind, labs_of};
use crate::proxy::upstream::{Do, answer, status};
use crate::relay::lab::{KEY as SECRET, Lab, labs};

const PROTOCOLS: &str = "props: { raw: { type: \"app\", app: \"raw\" } },
  async run() {
    const http2 = await import('node:http2');
    const https = await import('node:https');
    const headers = { authorization: `Bearer ${this.raw.$auth.api_key}` };
    const two = await new Promise((resolve, reject) => {
      const session = http2.connect('https://raw.example');
      session.on('error', reject);
      const all = [1, 2].map((n) => new Promise((done) => {
        const asked = { ':path': `/two?n=${n}`, cookie: ['a=1', 'b=2'], ...headers };
        const stream = session.request(asked);
        let status; let text = '';
        stream.setEncoding('utf8');
        stream.on('response', (it) => { status = it[':status']; });
        stream.on('data', (it) => { text += it; });
        stream.on('end', () => done(`${status} ${text}`));
        stream.on('error', reject);
        stream.end();
      }));
      Promise.all(all).then((it) => { session.close(); resolve(it); });
    });
    const socket = await new Promise((resolve, reject) => {
      const asked = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'eA==',
        'sec-websocket-version': '13', 'sec-websocket-extensions': 'permessage-deflate' };
      const options = { headers: { ...asked, ...headers } };
      const request = https.get('https://raw.example/socket', options);
      request.on('error', reject);
      request.on('response', (it) => reject(new Error(`status ${it.statusCode}`)));
      request.on('upgrade', (_, stream, head) => {
        let text = head.toString();
        stream.write('ping');
        stream.on('data', (it) => { text += it; });
        stream.on('end', () => { stream.end(); resolve(text); });
        stream.on('error', reject);
      });
    });
    const three = await (await fetch('https://raw.example/three', { headers })).text();
    return { two, socket, three };
  }";

fn agreed(then: &str) -> Vec<Do> {
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                upgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n";
    vec![
        Do::Send(head.as_bytes().to_vec()),
        Do::Read(4),
        Do::Send(then.as_bytes().to_vec()),
        Do::Close,
    ]
}

async fn ran(lab: &Lab, key: &str) -> Value {
    let props = json!({ "raw": { "authProvisionId": lab.account.as_str() } });
    let reply = lab.world.run_action(key, props).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test]
async fn code_speaks_http_1_and_2_and_websockets() {
    for lab in labs().await {
        let key = lab.world.published(&action("speak", "0.0.1", PROTOCOLS)).await;
        let answers = [answer("", "a"), answer("", "a"), agreed("pong"), answer("", "c")];
        lab.own.script(answers);
        let body = ran(&lab, &key).await;
        let expected = json!({ "two": ["200 a", "200 a"], "socket": "pong", "three": "c" });
        assert_eq!(body["ret"], expected, "{body}");
        let seen = lab.own.seen();
        assert_eq!(seen.len(), 4, "{seen:?}");
        for it in &seen {
            assert_eq!(it.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
        }
        assert_eq!(seen[0].header("cookie"), Some("a=1; b=2"));
        assert_eq!(seen[2].header("upgrade"), Some("websocket"));
        assert_eq!(seen[2].header("sec-websocket-extensions"), None);
        assert_eq!(seen[2].body, b"ping");
        // What a server repeats over a WebSocket is not passed on to code.
        lab.own.script([answer("", ""), answer("", ""), agreed(&format!("it is {SECRET}!"))]);
        let body = ran(&lab, &key).await;
        assert_eq!(body["ret"]["socket"], "", "{body}");
    }
}

#[tokio::test]
async fn j_03_code_goes_only_where_its_project_lets_it_by_every_protocol() {
    let rest = "props: { host: \"string\" },
      async run() {
        const http2 = await import('node:http2');
        const said = [];
        const tell = (it) => said.push(it.cause?.message ?? it.message);
        await fetch(`https://${this.host}/`).then((it) => said.push(it.status), tell);
        await new Promise((done) => {
          const session = http2.connect(`https://${this.host}`);
          session.on('connect', () => { said.push('connected'); session.close(); done(); });
          session.on('error', (it) => { tell(it); done(); });
        });
        return said;
      }";
    for lab in labs().await {
        let world = &lab.world;
        let key = world.published(&action("reach", "0.0.1", rest)).await;
        let path = format!("/v1/connect/projects/{}", world.project.id);
        let bearer = Some(world.project.key.as_str());
        let hosts = json!({ "code_hosts": ["*.files.example"] });
        let set = world.call(Method::PATCH, &path, bearer, Some(hosts)).await;
        assert_eq!(set.status, 200, "{set:?}");
        let reply = world.run_action(&key, json!({ "host": "cdn.files.example" })).await.json();
        assert_eq!(reply["ret"], json!([200, "connected"]), "{reply}");
        let reply = world.run_action(&key, json!({ "host": "other.example" })).await.json();
        for said in reply["ret"].as_array().unwrap() {
            let said = said.as_str().unwrap();
            assert!(said.contains("may not call other.example"), "{reply}");
        }
        assert!(lab.other.seen().is_empty());
    }
}

/// Posts to the app with what `headers` are, as code says it.
fn poster(headers: &str) -> String {
    format!(
        "props: {{ raw: {{ type: \"app\", app: \"raw\" }}, url: \"string\" }},
         async run() {{
           const headers = {headers};
           const answer = await fetch(this.url, {{ method: 'POST', headers, body: '{{\"k\":1}}' }});
           return {{ status: answer.status, auth: this.raw.$auth }};
         }}"
    )
}

#[tokio::test]
async fn requests_of_code_to_aws_are_signed() {
    let proxy = "[proxy.aws4]\naccess_key_id = \"AKIDEXAMPLE\"\n\
                 secret_access_key = \"${api_key}\"\nregion = \"eu-west-1\"\nservice = \"sqs\"";
    for lab in labs_of(Kind { proxy, ..Kind::default() }).await {
        let text = poster("{ 'content-type': 'application/json' }");
        let key = lab.world.published(&action("sign", "0.0.1", &text)).await;
        let url = format!("http://{}/base/q?b=2&a=1", lab.upstream.address);
        let props = json!({ "raw": { "authProvisionId": lab.account }, "url": url });
        let body = lab.world.run_action(&key, props).await.json();
        assert_eq!(body["ret"]["status"], 200, "{body}");
        assert!(!body.to_string().contains(KEY));
        let seen = lab.upstream.last();
        let header = seen.header("authorization").unwrap_or_default();
        let begin = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/";
        assert!(header.starts_with(begin) && header.contains("/eu-west-1/sqs/"), "{seen:?}");
        let date = seen.header("x-amz-date").unwrap_or_default();
        assert!(!date.is_empty() && header.contains("Signature="), "{seen:?}");
        assert_eq!(seen.body, b"{\"k\":1}");
    }
}

#[tokio::test]
async fn requests_of_code_with_a_bound_token_go_with_a_proof() {
    let proxy = "[proxy.headers]\nauthorization = \"Bearer ${oauth_access_token}\"";
    let kind = Kind { proxy, fields: &[], bound: true, ..Kind::default() };
    for lab in labs_of(kind).await {
        let challenge = "www-authenticate: DPoP error=\"use_dpop_nonce\"\r\ndpop-nonce: n-1\r\n";
        lab.upstream.script([status(401, challenge, ""), answer("", "ok")]);
        let header = "{ authorization: `Bearer ${this.raw.$auth.oauth_access_token}` }";
        let key = lab.world.published(&action("prove", "0.0.1", &poster(header))).await;
        let url = format!("http://{}/base/x", lab.upstream.address);
        let props = json!({ "raw": { "authProvisionId": lab.account }, "url": url });
        let body = lab.world.run_action(&key, props).await.json();
        assert_eq!(body["ret"]["status"], 200, "{body}");
        let seen = lab.upstream.seen();
        assert_eq!(seen.len(), 2, "{seen:?}");
        let proofs: Vec<_> = seen.iter().map(|it| it.header("dpop").unwrap()).collect();
        assert_ne!(proofs[0], proofs[1]);
        assert_eq!(seen[1].header("authorization"), Some(format!("DPoP {KEY}").as_str()));
    }
}
