// An app that is connected by a code: the page that shows it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { browserTest, closeBrowser } from './harness.mjs';
import { LOOKS, look } from './looks.mjs';
import { button, startStage } from './stage.mjs';

const CODE = 'WDJB-MJHT';

/** A provider that gives a code, and a token once it was `allowed`. */
async function startProvider() {
  const provider = { allowed: false, asked: 0 };
  const server = createServer((request, response) => {
    request.resume();
    const url = `http://127.0.0.1:${server.address().port}`;
    const told = (status, body) =>
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(JSON.stringify(body));
    if (request.url === '/device')
      return told(200, {
        device_code: 'dc_123456789012345',
        user_code: CODE,
        verification_uri: `${url}/activate`,
        expires_in: 600,
        interval: 1,
      });
    provider.asked += 1;
    if (!provider.allowed) return told(400, { error: 'authorization_pending' });
    return told(200, { access_token: 'at_123456', token_type: 'bearer', expires_in: 3600 });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  provider.url = `http://127.0.0.1:${server.address().port}`;
  provider.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return provider;
}

const file = (url) => `
slug = "television"
name = "Television"
description = "Connected by a code."
homepage = "https://television.example"
categories = ["Productivity"]
popularity = 1
purpose = "read"
auth = "oauth2"
[oauth2]
flow = "device_code"
device_authorization_url = "${url}/device"
token_url = "${url}/token"
client_auth = "post"
[oauth2.scopes]
default = ["read"]
words = { read = "Read things" }
[proxy]
base_url = "https://television.example"
[proxy.headers]
authorization = "Bearer \${oauth_access_token}"
[evidence]
confirmed = 1
checked_on = "2026-11-22"
`;

let provider;
let stage;
let open;

before(async () => {
  provider = await startProvider();
  stage = await startStage({ files: { television: file(provider.url) } });
  open = await stage.project({ links: true });
  await stage.client(open.id, 'television');
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
  provider?.stop();
});

async function toCode(page) {
  provider.allowed = false;
  await page.goto(stage.page(await open.token(), 'television', { connectLink: 'true' }));
  await button(page, 'Continue to Television').click();
  await page.getByText(CODE).waitFor();
}

browserTest('the page of a code asks without being loaded again', {}, async ({ page }) => {
  await toCode(page);
  const link = page.getByRole('link', { name: 'Open 127.0.0.1' });
  await link.focus();
  const before = provider.asked;
  while (provider.asked < before + 2) await page.waitForTimeout(200);
  assert.equal(await link.evaluate((it) => it === document.activeElement), true, 'focus stays');
  provider.allowed = true;
  await page.getByRole('heading', { name: 'Television is connected' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Television is connected' }).waitFor();
});

const PLAIN = { context: { javaScriptEnabled: false } };

browserTest('without scripts the page of a code loads itself again', PLAIN, async ({ page }) => {
  await toCode(page);
  provider.allowed = true;
  await page.getByRole('heading', { name: 'Television is connected' }).waitFor();
});

for (const [size, context] of LOOKS) {
  browserTest(`the page of a code: ${size}`, { context }, async ({ page }) => {
    await toCode(page);
    const middle = (it) => {
      const { left, right } = it.getBoundingClientRect();
      return Math.round((left + right) / 2);
    };
    const text = await page.locator('.typed bdi').evaluate(middle);
    assert.ok(Math.abs(text - (await page.locator('.acts a').evaluate(middle))) <= 2, 'centred');
    await look(page, stage, `device-${size}`);
  });
}
