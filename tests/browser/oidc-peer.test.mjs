// The peer keeps the promises that our own tests lean on, seen through its real pages.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { browserTest, closeBrowser } from './harness.mjs';
import { ACCESS_TOKEN_SECONDS, signIn, startPeer } from './oidc-peer.mjs';

let peer;
let landing;
let redirectUri;

before(async () => {
  landing = createServer((_request, response) => response.end('back at the client'));
  landing.listen(0, '127.0.0.1');
  await once(landing, 'listening');
  redirectUri = `http://127.0.0.1:${landing.address().port}/callback`;
  peer = await startPeer({ redirectUris: [redirectUri] });
});

after(async () => {
  await closeBrowser();
  await peer?.stop();
  landing?.closeAllConnections();
  landing?.close();
});

/** An authorization request with a fresh verifier, and parameters changed as the test wants. */
function request(changes = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL(peer.authorizationUrl);
  const parameters = {
    client_id: peer.clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: peer.scopes.join(' '),
    state: randomBytes(32).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...peer.authorizationParams,
    ...changes,
  };
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return { url: url.href, verifier, state: parameters.state };
}

async function post(url, form) {
  const basic = Buffer.from(`${peer.clientId}:${peer.clientSecret}`).toString('base64');
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams(form),
  });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
}

const refresh = (token) =>
  post(peer.tokenUrl, { grant_type: 'refresh_token', refresh_token: token });

async function userinfo(token) {
  const headers = { authorization: `Bearer ${token}` };
  return fetch(peer.userinfoUrl, { headers });
}

/** Signs in through the pages, and exchanges the code. */
async function connect(page, login) {
  const asked = request();
  await page.goto(asked.url);
  await signIn(page, { login });
  await page.waitForURL(`${redirectUri}?*`);
  const answer = new URL(page.url()).searchParams;
  assert.equal(answer.get('state'), asked.state);
  assert.equal(answer.get('iss'), peer.issuer);
  const exchange = {
    grant_type: 'authorization_code',
    code: answer.get('code'),
    redirect_uri: redirectUri,
    code_verifier: asked.verifier,
  };
  return { exchange, tokens: await post(peer.tokenUrl, exchange) };
}

const LIVES_SHORT = 'a code with its verifier becomes tokens that work, and live for five seconds';
browserTest(LIVES_SHORT, {}, async ({ page }) => {
  const { tokens } = await connect(page, 'ada');
  assert.equal(tokens.status, 200);
  assert.equal(tokens.body.expires_in, ACCESS_TOKEN_SECONDS);
  const first = await userinfo(tokens.body.access_token);
  assert.equal((await first.json()).sub, 'ada');
  await sleep((ACCESS_TOKEN_SECONDS + 1) * 1000);
  assert.equal((await userinfo(tokens.body.access_token)).status, 401);
});

const ROTATES = 'a refresh token rotates, and using the old one again ends the grant';
browserTest(ROTATES, {}, async ({ page }) => {
  const { tokens } = await connect(page, 'grace');
  const old = tokens.body.refresh_token;
  const second = await refresh(old);
  assert.equal(second.status, 200);
  assert.notEqual(second.body.refresh_token, old);
  assert.equal((await userinfo(second.body.access_token)).status, 200);
  const reused = await refresh(old);
  assert.equal(reused.status, 400);
  assert.equal(reused.body.error, 'invalid_grant');
  const rotated = await refresh(second.body.refresh_token);
  assert.equal(rotated.body.error, 'invalid_grant');
});

browserTest('a revoked refresh token is refused from then on', {}, async ({ page }) => {
  const { tokens } = await connect(page, 'edsger');
  const token = tokens.body.refresh_token;
  const revoked = await post(peer.revocationUrl, { token, token_type_hint: 'refresh_token' });
  assert.equal(revoked.status, 200);
  assert.equal((await refresh(token)).body.error, 'invalid_grant');
  assert.equal((await userinfo(tokens.body.access_token)).status, 401);
  assert.ok(peer.calls['revocation.200'] >= 1);
});

browserTest('a code is good once, and only with its own verifier', {}, async ({ page }) => {
  const { exchange, tokens } = await connect(page, 'barbara');
  assert.equal(tokens.status, 200);
  const again = await post(peer.tokenUrl, exchange);
  assert.equal(again.body.error, 'invalid_grant');
  const wrong = { ...exchange, code_verifier: randomBytes(32).toString('base64url') };
  assert.equal((await post(peer.tokenUrl, wrong)).body.error, 'invalid_grant');
});

browserTest('a request without PKCE comes back as an error', {}, async ({ page }) => {
  await page.goto(request({ code_challenge: undefined, code_challenge_method: undefined }).url);
  await page.waitForURL(`${redirectUri}?*`);
  assert.equal(new URL(page.url()).searchParams.get('error'), 'invalid_request');
});

browserTest('a redirect address that is not registered gets no redirect', {}, async ({ page }) => {
  const response = await page.goto(request({ redirect_uri: `${redirectUri}/else` }).url);
  assert.equal(response.status(), 400);
  assert.ok(page.url().startsWith(peer.issuer));
});

browserTest('a person who cancels comes back as access_denied', {}, async ({ page }) => {
  await page.goto(request().url);
  await signIn(page, { deny: true });
  await page.waitForURL(`${redirectUri}?*`);
  assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');
});

test('run by itself, it prints its facts and takes new redirect addresses', async () => {
  const child = spawn(process.execPath, ['oidc-peer.mjs'], { cwd: import.meta.dirname });
  try {
    const [line] = await once(child.stdout, 'data');
    const facts = JSON.parse(line);
    const ask = (uri) => {
      const query = new URLSearchParams({
        client_id: facts.clientId,
        redirect_uri: uri,
        response_type: 'code',
        scope: 'openid',
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
      });
      return fetch(`${facts.authorizationUrl}?${query}`, { redirect: 'manual' });
    };
    assert.equal((await ask('http://127.0.0.1:1/new')).status, 400);
    const changed = await fetch(`${facts.issuer}/control/redirect-uris`, {
      method: 'POST',
      body: JSON.stringify({ redirect_uris: ['http://127.0.0.1:1/new'] }),
    });
    assert.deepEqual(await changed.json(), ['http://127.0.0.1:1/new']);
    assert.equal((await ask('http://127.0.0.1:1/new')).status, 303);
    const calls = await (await fetch(`${facts.issuer}/control/calls`)).json();
    assert.equal(calls['authorization.303'], 1);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
});
