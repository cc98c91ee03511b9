// A product built on the SDK, on an origin of its own, against the real server with its pretend
// providers: a token by API key, accounts connected by both scripts, listed, revoked, all deleted.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import {
  binaryPath, browserTest, cleanEnvironment, closeBrowser, runToEnd,
} from './harness.mjs';

const CALENDAR = 'Quickstep Calendar';
const MAIL = 'Harbor Mail';
const SDK = join(import.meta.dirname, '../../sdk/js');
const READY_MS_MAX = 20_000;

let folder;
let demo;
let server;
let apiKey;
let product;
let backend;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grantkeep-sdk-'));
  demo = await startDemo();
  server = demo.facts.server;
  apiKey = await enterProject();
  product = await startProduct();
  const { createBackendClient } = await backendSdk();
  backend = createBackendClient({ baseUrl: server, environment: 'production', apiKey });
});

after(async () => {
  await closeBrowser();
  product?.server.closeAllConnections();
  product?.server.close();
  await demo?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** The real server and the pretend providers, as `grantkeep demo` starts them. */
async function startDemo() {
  const args = ['demo', '--json', '--data', join(folder, 'data')];
  const options = { env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] };
  const child = spawn(binaryPath(), args, options);
  const ended = new Promise((done) => child.once('exit', done));
  let text = '';
  const facts = await new Promise((ready, failed) => {
    const timer = setTimeout(() => failed(new Error('the demo is not ready')), READY_MS_MAX);
    child.once('exit', (code) => failed(new Error(`the demo ended with ${code}`)));
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (!text.endsWith('}\n')) return;
      clearTimeout(timer);
      ready(JSON.parse(text));
    });
  });
  const stop = async () => {
    child.kill('SIGINT');
    assert.equal(await ended, 0);
  };
  return { facts, stop };
}

/** A project of our own with an OAuth client at the calendar. Gives an API key. */
async function enterProject() {
  const data = demo.facts.data_dir;
  const env = {
    ...cleanEnvironment(),
    GRANTKEEP_DATA_DIR: data,
    GRANTKEEP_ROOT_KEY_FILE: join(data, 'demo-root.key'),
    GRANTKEEP_CATALOG_DIR: join(data, 'catalog'),
    GRANTKEEP_PUBLIC_URL: server,
    GRANTKEEP_DEV: 'true',
    GRANTKEEP_EGRESS_ALLOW_LOOPBACK: 'true',
  };
  const cli = async (...words) =>
    JSON.parse(await runToEnd(binaryPath(), ['--json', ...words], { cwd: folder, env }));
  const { id: project } = await cli('project', 'create', 'Berry');
  const secret = 'the-secret-of-berry-at-the-calendar';
  await writeFile(join(folder, 'secret'), secret);
  const client = await cli(
    'oauth-app', 'create', '--project', project, '--app', 'sim_short',
    '--client-id', 'berry', '--client-secret-file', join(folder, 'secret'),
  );
  const registered = await fetch(`${demo.facts.providers}/_control/short/clients`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_id: 'berry', client_secret: secret, redirect_uri: client.redirect_uri,
    }),
  });
  assert.equal(registered.status, 204);
  return (await cli('client', 'create', 'backend', '--project', project, '--api-key')).api_key;
}

/** The part for backends as it is published; compiled here unless the SDK's own tests did so. */
async function backendSdk() {
  if (!existsSync(join(SDK, 'dist/index.js'))) {
    const tsc = join(SDK, 'node_modules/.bin/tsc');
    if (!existsSync(tsc)) throw new Error('no TypeScript compiler: npm ci in sdk/js');
    await runToEnd(tsc, ['-p', SDK], { cwd: SDK });
  }
  return import(join(SDK, 'dist/index.js'));
}

const headers = () => ({
  authorization: `Bearer ${apiKey}`,
  'x-pd-environment': 'production',
});

/** What the product's backend does: a token for its user, who may use it on the product's pages. */
async function tokenFor(user) {
  const answer = await fetch(`${server}/v1/connect/tokens`, {
    method: 'POST',
    headers: { ...headers(), 'content-type': 'application/json' },
    body: JSON.stringify({ external_user_id: user, allowed_origins: [product.origin] }),
  });
  assert.equal(answer.status, 200);
  const { token } = await answer.json();
  assert.match(token, /^ctok_/);
  return token;
}

const SCRIPT = () => `<script src="${server}/sdk.js"></script><script>
const { createClient } = Grantkeep;`;
const MODULE = () => `<script type="module">
import { createClient } from '${server}/sdk.mjs';`;

/** The product's page: a button for each app, and what it was told. */
function productPage(head, token) {
  return `<!doctype html><html lang="en"><title>Berry</title><h1>Berry</h1>
<button id="sim_short">Calendar</button><button id="sim_keys">Mail</button>
${head}
const pd = createClient({ environment: 'production', baseUrl: '${server}' });
const token = '${token}';
window.kept = [];
window.ended = [];
const connect = async (app) => {
  const result = await pd.connectAccount({
    app,
    token,
    onSuccess: ({ id: accountId }) => window.kept.push(accountId),
    onError: (error) => window.ended.push('error: ' + error.message),
    onClose: (status) => window.ended.push(status),
  });
  window.result = result;
};
for (const button of document.querySelectorAll('button'))
  button.addEventListener('click', () => connect(button.id));
</script></html>`;
}

/** Says everything that might be mistaken for the connect page, to all who could listen. */
const FORGER = `<!doctype html><title>Elsewhere</title><script>
window.told = 0;
const lies = [
  { type: 'success', authProvisionId: 'apn_forged' },
  { type: 'error', error: 'forged' },
  { type: 'close' },
  { type: 'grantkeep:ready', flow: 'fl_forged' },
  { type: 'grantkeep:done', flow: 'fl_forged' },
];
const tell = () => {
  for (const it of [parent, ...Array.from({ length: parent.length }, (_, at) => parent[at])])
    for (const lie of lies) it.postMessage(lie, '*');
  window.told += 1;
};
setInterval(tell, 20);
</script>`;

/** Serves the product as `localhost`; the same pages as `127.0.0.1` are another origin. */
async function startProduct() {
  const pages = { '/forger': async () => FORGER };
  const listener = createServer(async (request, response) => {
    const page = pages[new URL(request.url, 'http://localhost').pathname];
    response.statusCode = page ? 200 : 404;
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(page ? await page() : '');
  });
  await new Promise((done) => listener.listen(0, '127.0.0.1', done));
  const { port } = listener.address();
  return { server: listener, origin: `http://localhost:${port}`, port, pages };
}

/** Opens the product's page for a user, and gives what a person does on it. */
async function openProduct(page, user, head) {
  const token = await tokenFor(user);
  const path = `/${user}`;
  product.pages[path] = async () => productPage(head(), token);
  await page.goto(product.origin + path);
  return { token, connectPage: page.frameLocator('iframe[title="Connect an account"]') };
}

/** Ends when the connect page is gone; gives what the page was told. */
async function told(page) {
  await page.waitForFunction(() => window.result);
  return page.evaluate(() => ({
    kept: window.kept, ended: window.ended, result: window.result, frames: window.length,
  }));
}

async function connectCalendar(page, user, head = SCRIPT) {
  const { connectPage } = await openProduct(page, user, head);
  await page.getByRole('button', { name: 'Calendar' }).click();
  return allowCalendar(page, connectPage);
}

async function allowCalendar(page, connectPage) {
  const go = connectPage.getByRole('button', { name: `Continue to ${CALENDAR}` });
  const [popup] = await Promise.all([page.waitForEvent('popup'), go.click()]);
  await popup.getByRole('button', { name: 'Sign in' }).click();
  await popup.getByRole('button', { name: 'Allow' }).click();
  return told(page);
}

async function connectMail(page, user, head = MODULE) {
  const { connectPage } = await openProduct(page, user, head);
  await page.getByRole('button', { name: 'Mail' }).click();
  await connectPage.getByLabel('API key', { exact: true }).fill('sim_live_demo');
  await connectPage.getByRole('button', { name: `Connect ${MAIL}` }).click();
  return told(page);
}

// The two functions as a product's backend has them.

async function getUserAccounts(user) {
  const answer = await fetch(`${server}/v1/connect/${user}/accounts`, { headers: headers() });
  assert.equal(answer.status, 200);
  return answer.json();
}

const revokeAccount = (user, id) =>
  fetch(`${server}/v1/connect/${user}/accounts/${id}`, { method: 'DELETE', headers: headers() });

async function grants() {
  const answer = await fetch(`${demo.facts.providers}/_control/short/ledger`);
  return (await answer.json()).grants.filter((it) => it.client_id === 'berry');
}

function assertConnected({ kept, ended, result, frames }) {
  assert.equal(kept.length, 1);
  assert.match(kept[0], /^apn_\w+$/);
  assert.deepEqual(ended, [{ successful: true, completed: true }]);
  assert.deepEqual(result, { successful: true, completed: true, id: kept[0] });
  assert.equal(frames, 0);
  return kept[0];
}

const WHOLE = 'a product connects two accounts, lists them, revokes one, and deletes them all';
browserTest(WHOLE, {}, async ({ page, newPage }) => {
  const user = 'your-user-7';
  const calendar = assertConnected(await connectCalendar(page, user, SCRIPT));
  const mail = assertConnected(await connectMail(await newPage(), user, MODULE));
  const { accounts } = await getUserAccounts(user);
  assert.deepEqual(accounts.map((it) => it.id), [mail, calendar]);
  assert.deepEqual(accounts.map((it) => it.external_id), [user, user]);
  assert.deepEqual(accounts.map((it) => it.app.name_slug), ['sim_keys', 'sim_short']);
  assert.deepEqual(accounts.map((it) => it.healthy), [true, true]);
  assert.deepEqual(accounts.map((it) => it.binding), ['embedded', 'embedded']);
  const [first, second] = await backend.userAccounts.list(user);
  assert.deepEqual([first.id, second.id], [mail, calendar]);
  assert.ok(first.createdAt instanceof Date);
  assert.deepEqual((await getUserAccounts('nobody-else')).accounts, []);

  assert.equal((await grants()).at(-1).revoked, false);
  const gone = await revokeAccount(user, calendar);
  assert.equal(gone.status, 204);
  assert.equal(gone.headers.get('x-grantkeep-revocation'), 'revoked');
  assert.deepEqual((await grants()).map((it) => it.revoked), [true]);
  assert.deepEqual((await getUserAccounts(user)).accounts.map((it) => it.id), [mail]);
  assert.equal((await revokeAccount(user, calendar)).status, 404);

  const left = (await getUserAccounts(user)).accounts;
  await Promise.all(left.map((account) => revokeAccount(user, account.id)));
  assert.deepEqual((await getUserAccounts(user)).accounts, []);
});

browserTest('the SDK lists and deletes all of one user and nobody else', {}, async ({ page }) => {
  const mine = assertConnected(await connectMail(page, 'leaving-user', SCRIPT));
  const other = assertConnected(await connectMail(page, 'staying-user', MODULE));
  const listed = [];
  for await (const it of backend.accounts.list({ externalUserId: 'leaving-user' })) listed.push(it);
  assert.deepEqual(listed.map((it) => it.id), [mine]);
  // Another user's account is not this one's to delete.
  await assert.rejects(backend.userAccounts.delete('leaving-user', other), { status: 404 });
  assert.deepEqual(await backend.userAccounts.deleteAll('leaving-user'), [mine]);
  assert.deepEqual(await backend.userAccounts.list('leaving-user'), []);
  assert.deepEqual((await backend.userAccounts.list('staying-user')).map((it) => it.id), [other]);
});

const OWN = 'calls of a page share a token, and a page that is opened gets one of its own';
browserTest(OWN, {}, async ({ page }) => {
  const user = 'calling-user';
  const mine = assertConnected(await connectMail(page, user, SCRIPT));
  const made = [];
  await page.exposeFunction('askBackend', async (externalUserId) => {
    made.push(await tokenFor(externalUserId));
    return { token: made.at(-1), expiresAt: new Date(Date.now() + 600_000).toISOString() };
  });
  const seen = await page.evaluate(async ([baseUrl, externalUserId]) => {
    const tokenCallback = (asked) => window.askBackend(asked.externalUserId);
    const pd = createClient({ baseUrl, externalUserId, tokenCallback });
    const listed = await pd.accounts.list().all();
    const stop = new AbortController();
    stop.abort();
    const aborted = pd.accounts.list({}, { signal: stop.signal }).then();
    const why = (call) => Promise.resolve(call).catch((it) => [it.name, it.code, it.status]);
    const target = pd.proxy.get('/', { accountId: listed[0].id });
    const handle = pd.connectAccount({ app: 'sim_keys' });
    const frame = () => document.querySelector('iframe[title="Connect an account"]');
    while (!frame()) await new Promise((done) => setTimeout(done, 10));
    const token = new URL(frame().src).searchParams.get('token');
    handle.close();
    const told = [await why(aborted), await why(target)];
    return { ids: listed.map((it) => it.id), told, token };
  }, [server, user]);
  assert.deepEqual(seen.ids, [mine]);
  // The token has not the scope for the proxy, which the server says, and the page hears.
  assert.deepEqual(seen.told, [
    ['GrantkeepError', 'aborted', 0],
    ['GrantkeepError', 'scope_missing', 403],
  ]);
  assert.equal(made.length, 2);
  assert.equal(seen.token, made[1]);
});

const FORGED = 'messages of another origin connect nothing, end nothing and fail nothing';
browserTest(FORGED, {}, async ({ page }) => {
  const { connectPage } = await openProduct(page, 'careful-user', SCRIPT);
  await page.evaluate((src) => {
    const forger = document.createElement('iframe');
    Object.assign(forger, { src, id: 'forger' });
    document.body.append(forger);
    // The page itself is not the connect page either.
    window.postMessage({ type: 'success', authProvisionId: 'apn_forged' }, '*');
  }, `http://127.0.0.1:${product.port}/forger`);
  await page.getByRole('button', { name: 'Calendar' }).click();
  await connectPage.getByRole('button', { name: `Continue to ${CALENDAR}` }).waitFor();
  const forger = page.frames().find((it) => it.url().endsWith('/forger'));
  const before = await forger.evaluate(() => window.told);
  await forger.waitForFunction((n) => window.told > n + 10, before);
  assert.deepEqual(await page.evaluate(() => [window.kept, window.ended]), [[], []]);
  assert.equal(await connectPage.locator('#sheet').getAttribute('data-view'), 'ask');
  await page.locator('#forger').evaluate((it) => (it.style.display = 'none'));
  const seen = await allowCalendar(page, connectPage);
  const id = assertConnected({ ...seen, frames: seen.frames - 1 });
  const { accounts } = await getUserAccounts('careful-user');
  assert.deepEqual(accounts.map((it) => it.id), [id]);
});

browserTest('a page of an origin that the token does not name frames nothing', {},
  async ({ page }) => {
    const { token } = await openProduct(page, 'framed-user', SCRIPT);
    const other = `http://127.0.0.1:${product.port}`;
    product.pages['/thief'] = async () => productPage(SCRIPT(), token);
    const refused = page.waitForEvent('console', (it) => /frame-ancestors/.test(it.text()));
    await page.goto(`${other}/thief`);
    await page.getByRole('button', { name: 'Calendar' }).click();
    await refused;
    assert.deepEqual(await page.evaluate(() => window.kept), []);
    assert.deepEqual((await getUserAccounts('framed-user')).accounts, []);
  });
