// Our server against the certified provider: connected through its real pages, refreshed under
// rotation, ended when a used refresh token comes again, connected anew, revoked.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { browserTest, closeBrowser, startServer } from './harness.mjs';
import { signIn, startPeer } from './oidc-peer.mjs';

const APP = 'certified';
const NAME = 'Certified Notes';
/** Callers that ask at once whenever a token is asked for. */
const CALLERS = 6;
const WAIT_MS_MAX = 20_000;

let folder;
let peer;
/** A server that refreshes only when somebody asks for a token. */
let onDemand;
const servers = [];
const redirectUris = [];

before(async () => {
  peer = await startPeer();
  folder = await mkdtemp(join(tmpdir(), 'grantkeep-peer-'));
  await writeFile(join(folder, `${APP}.toml`), appFile());
  await writeFile(join(folder, 'secret'), peer.clientSecret);
  onDemand = await openServer({ GRANTKEEP_REFRESH_SCHEDULER: 'false' });
});

after(async () => {
  await closeBrowser();
  await Promise.all(servers.map((server) => server.stop()));
  await peer?.stop();
  if (folder) await rm(folder, { recursive: true });
});

/** The provider as an app of the catalogue, as an operator would write it down. */
function appFile() {
  const list = (values) => JSON.stringify(values);
  return `slug = "${APP}"
name = "${NAME}"
description = "Notes behind a certified OpenID Connect provider."
homepage = "${peer.issuer}"
categories = ["Productivity"]
popularity = 1
color = "#336699"
purpose = "see who you are in ${NAME}"
auth = "oauth2"

[oauth2]
authorization_url = "${peer.authorizationUrl}"
token_url = "${peer.tokenUrl}"
client_auth = "basic"
issuer = "${peer.issuer}"
iss_required = true

[oauth2.authorization_params]
${Object.entries(peer.authorizationParams).map(([k, v]) => `${k} = "${v}"`).join('\n')}

[oauth2.scopes]
default = ${list(peer.scopes)}

[oauth2.scopes.words]
openid = ""
offline_access = ""
email = "See your mail address"

[oauth2.rotation]
class = "P7"
reuse = "family"
source = "the provider's own tests"
checked_on = "2026-11-23"

[oauth2.revocation]
url = "${peer.revocationUrl}"

[verify]
url = "${peer.userinfoUrl}"

[identity]
from = "verify"
name = ["email"]
subject = ["sub"]

[proxy]
base_url = "${peer.issuer}"

[proxy.headers]
authorization = "Bearer \${oauth_access_token}"

[evidence]
confirmed = 1
checked_on = "2026-11-23"
`;
}

/** A server that knows the app, with a project and an API key. */
async function openServer(env) {
  const server = await startServer({ env: { GRANTKEEP_CATALOG_DIR: folder, ...env } });
  servers.push(server);
  const cli = async (...words) => JSON.parse(await server.cli('--json', ...words));
  const { id: project } = await cli('project', 'create', 'Berry', '--allow-links');
  const key = await cli(
    'client', 'create', 'backend', '--project', project, '--api-key', '--credentials',
  );
  const oauthApp = await cli(
    'oauth-app', 'create', '--project', project, '--app', APP,
    '--client-id', peer.clientId, '--client-secret-file', join(folder, 'secret'),
  );
  redirectUris.push(oauthApp.redirect_uri);
  peer.setRedirectUris(redirectUris);
  const call = (method, path, body) => fetch(`${server.url}/v1/connect/${project}/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key.api_key}`,
      'content-type': 'application/json',
      'x-pd-environment': 'production',
    },
    body: body && JSON.stringify(body),
  });
  return { call };
}

/** Connects by a Connect Link, as a person: our page, the provider's pages, our result. */
async function connect(page, { call }, { login, accountId }) {
  const made = await (await call('POST', 'tokens', { external_user_id: `user-${login}` })).json();
  const more = accountId ? `&accountId=${accountId}` : '';
  await page.goto(`${made.connect_link_url}&app=${APP}${more}`);
  await page.getByRole('button', { name: `Continue to ${NAME}` }).click();
  await page.waitForURL(`${peer.issuer}/**`);
  await signIn(page, { login });
  await page.getByRole('heading', { name: `${NAME} is connected` }).waitFor();
  const list = await (await call('GET', `accounts?external_user_id=user-${login}`)).json();
  assert.equal(list.data.length, 1);
  return list.data[0];
}

/** Asks until `look` gives something. */
async function eventually(what, look) {
  const end = Date.now() + WAIT_MS_MAX;
  while (Date.now() < end) {
    const seen = await look();
    if (seen) return seen;
    await sleep(100);
  }
  throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
}

/** The account with its credentials, asked for by several callers at once. */
async function read({ call }, id) {
  const path = `accounts/${id}?include_credentials=true`;
  const answers = await Promise.all(Array.from({ length: CALLERS }, () => call('GET', path)));
  return Promise.all(answers.map(async (it) => ({ http: it.status, ...(await it.json()) })));
}

/** How often the provider was called since `begun`, by endpoint, grant and status. */
function callsSince(begun) {
  const since = Object.entries(peer.calls).map(([name, n]) => [name, n - (begun[name] ?? 0)]);
  return Object.fromEntries(since.filter(([, n]) => n > 0));
}

const userinfo = (token) =>
  fetch(peer.userinfoUrl, { headers: { authorization: `Bearer ${token}` } });

/** What a thief would do with a refresh token and the client's secret. */
function useRefreshToken(token) {
  const basic = Buffer.from(`${peer.clientId}:${peer.clientSecret}`).toString('base64');
  return fetch(peer.tokenUrl, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token }),
  });
}

/**
 * Reads until there is a token other than `old` that the provider takes; all that were seen are
 * added to `seen`.
 */
function newToken(world, id, seen, old) {
  return eventually('a token that works', async () => {
    for (const account of await read(world, id)) {
      assert.equal(account.http, 200);
      assert.equal(account.healthy, true);
      assert.equal(`user-${account.credentials.oauth_uid}`, account.external_id);
      seen.add(account.credentials.oauth_access_token);
    }
    const token = [...seen].at(-1);
    return token !== old && (await userinfo(token)).ok && token;
  });
}

const WHOLE_LIFE = 'connected, refreshed twice when needed and once per need, then revoked';
browserTest(WHOLE_LIFE, {}, async ({ page }) => {
  const world = onDemand;
  const begun = { ...peer.calls };
  const account = await connect(page, world, { login: 'ada' });
  assert.equal(account.name, 'ada@example.test');
  assert.equal(account.healthy, true);
  assert.equal(account.credentials, null);
  // A link says nothing of who opened it.
  assert.equal(account.binding, 'none');
  assert.deepEqual([...account.authorized_scopes].sort(), [...peer.scopes].sort());
  const seen = new Set();
  let token;
  for (let round = 0; round < 3; round += 1) {
    token = await newToken(world, account.id, seen, token);
  }
  assert.ok(seen.size >= 3);
  const gone = await world.call('DELETE', `accounts/${account.id}`);
  assert.equal(gone.status, 204);
  assert.equal(gone.headers.get('x-grantkeep-revocation'), 'revoked');
  assert.equal((await userinfo(token)).status, 401);
  assert.deepEqual(peer.refreshTokens('ada'), []);
  assert.equal((await world.call('GET', `accounts/${account.id}`)).status, 404);
  const calls = callsSince(begun);
  assert.equal(calls['token.authorization_code.200'], 1);
  assert.equal(calls['token.refresh_token.200'], seen.size - 1);
  assert.ok(calls['revocation.200'] >= 1);
  const refused = Object.keys(calls).filter((it) => /^(token|revocation)\b.*\.[45]\d\d$/.test(it));
  assert.deepEqual(refused, []);
});

const STOLEN = 'a used refresh token comes again: the account is dead until connected anew';
browserTest(STOLEN, {}, async ({ page, newPage }) => {
  const world = onDemand;
  const account = await connect(page, world, { login: 'grace' });
  const seen = new Set();
  const first = await newToken(world, account.id, seen);
  await newToken(world, account.id, seen, first);
  const used = peer.refreshTokens('grace').find((it) => it.used);
  assert.equal((await useRefreshToken(used.token)).status, 400);
  const begun = { ...peer.calls };
  await eventually('the account is dead', async () => {
    const answers = await read(world, account.id);
    return answers.every((it) => it.http === 409);
  });
  const dead = await (await world.call('GET', `accounts/${account.id}`)).json();
  assert.deepEqual([dead.healthy, dead.dead, dead.status], [false, true, 'dead']);
  // Once told, it is not asked again, however often callers ask us.
  await read(world, account.id);
  assert.equal(callsSince(begun)['token.refresh_token.400'], 1);
  const again = await connect(await newPage(), world, { login: 'grace', accountId: account.id });
  assert.equal(again.id, account.id);
  assert.deepEqual([again.healthy, again.dead], [true, false]);
  await newToken(world, account.id, new Set());
});

const AHEAD = 'with nobody asking, tokens are replaced ahead; deleting the user revokes them';
browserTest(AHEAD, {}, async ({ page }) => {
  const world = await openServer({
    GRANTKEEP_REFRESH_INTERVAL_MS: '100',
    GRANTKEEP_REFRESH_MARGIN_PERCENT: '70',
    GRANTKEEP_REFRESH_MARGIN_MIN_MS: '1000',
  });
  const account = await connect(page, world, { login: 'edsger' });
  const begun = { ...peer.calls };
  await eventually('two refreshes', () => callsSince(begun)['token.refresh_token.200'] >= 2);
  const token = await newToken(world, account.id, new Set());
  const now = await (await world.call('GET', `accounts/${account.id}`)).json();
  assert.ok(Date.parse(now.last_refreshed_at) > Date.parse(account.created_at));
  assert.equal(callsSince(begun)['token.refresh_token.400'], undefined);
  assert.equal((await world.call('DELETE', 'users/user-edsger')).status, 204);
  await eventually('no token is left', () => peer.refreshTokens('edsger').length === 0);
  assert.equal((await userinfo(token)).status, 401);
});
