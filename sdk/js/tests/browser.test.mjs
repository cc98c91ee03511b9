import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { beforeEach, test } from 'node:test';
import vm from 'node:vm';
import {
  ConnectError,
  createBackendClient,
  createClient,
  createFrontendClient,
} from '../dist/index.js';
import { serve } from './server.mjs';

const ORIGIN = 'https://connect.example.com';

/** As much of a page as the client touches. */
class FakeElement extends EventTarget {
  style = {
    made: {},
    setProperty: (name, value) => {
      this.style.made[name] = value;
    },
  };
  contentWindow = {};
  isConnected = false;
  focused = 0;
  focus() {
    this.focused += 1;
  }
  remove() {
    this.isConnected = false;
    page.frames = page.frames.filter((it) => it !== this);
  }
}
const page = { frames: [], frame: () => page.frames.at(-1) };

beforeEach(() => {
  page.frames = [];
  page.button = Object.assign(new FakeElement(), { isConnected: true });
  globalThis.HTMLElement = FakeElement;
  globalThis.window = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), {
    activeElement: page.button,
    createElement: () => new FakeElement(),
    body: {
      append: (it) => {
        it.isConnected = true;
        page.frames.push(it);
      },
    },
  });
});

/** What the connect page says; `more` may forge where it comes from. */
function say(data, more = {}) {
  window.dispatchEvent(
    Object.assign(new Event('message'), {
      data,
      origin: ORIGIN,
      source: page.frame()?.contentWindow,
      ...more,
    }),
  );
}
const soon = () => new Promise((done) => setImmediate(done));
const client = (more = {}) => createClient({ baseUrl: ORIGIN, environment: 'production', ...more });

async function opened(options = {}) {
  const told = [];
  const handle = client().connectAccount({
    app: 'slack',
    token: 'ctok_1',
    ...options,
    onSuccess: (it) => told.push(['success', it]),
    onError: (it) => told.push(['error', it.message]),
    onClose: (it) => told.push(['close', it]),
  });
  await soon();
  return { handle, told };
}

test('the id of a connected account is kept from onSuccess', async () => {
  let kept;
  const handle = client().connectAccount({
    app: 'slack',
    token: 'ctok_1',
    onSuccess: ({ id }) => {
      kept = id;
    },
  });
  await soon();
  say({ type: 'ready' });
  say({ type: 'success', authProvisionId: 'apn_8Fk2' });
  assert.equal(kept, 'apn_8Fk2');
  assert.equal(page.frames.length, 1, 'the page stays until it has shown the result');
  say({ type: 'close' });
  assert.deepEqual(await handle, { successful: true, completed: true, id: 'apn_8Fk2' });
  assert.equal(page.frames.length, 0);
  assert.equal(page.button.focused, 1, 'focus goes back to where it was');
});

test('the frame leads to the connect page with every option, and covers the page', async () => {
  await opened({
    oauthAppId: 'oa_1',
    customOauthClient: true,
    accountId: 'apn_1',
    hideClose: true,
    oauthScopeProfile: 'read_only',
  });
  const frame = page.frame();
  const url = new URL(frame.src);
  assert.equal(url.origin + url.pathname, `${ORIGIN}/_static/connect.html`);
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    token: 'ctok_1',
    app: 'slack',
    oauthAppId: 'oa_1',
    accountId: 'apn_1',
    hideClose: 'true',
    oauthScopeProfile: 'read_only',
    customOauthClient: 'true',
  });
  assert.equal(frame.style.made.position, 'fixed');
  assert.equal(frame.referrerPolicy, 'origin');
  assert.ok(frame.title);
  frame.dispatchEvent(new Event('load'));
  assert.equal(frame.focused, 1);
  say({ type: 'close' });
});

test('an error and then the end are told once each', async () => {
  const { handle, told } = await opened();
  say({ type: 'error', error: 'You did not allow the access.' });
  say({ type: 'close' });
  say({ type: 'close' }, { source: {} });
  const result = await handle;
  assert.ok(result.error instanceof ConnectError);
  assert.deepEqual([result.successful, result.completed], [false, true]);
  assert.deepEqual(told, [
    ['error', 'You did not allow the access.'],
    ['close', { successful: false, completed: true }],
  ]);
});

test('a page that is closed without a result is neither a success nor an error', async () => {
  const { handle, told } = await opened();
  say({ type: 'close' });
  assert.deepEqual(await handle, { successful: false, completed: false });
  assert.deepEqual(told, [['close', { successful: false, completed: false }]]);
});

test('w_05 a hundred thousand forged messages change nothing', async () => {
  const { told } = await opened();
  const own = page.frame().contentWindow;
  const good = { type: 'success', authProvisionId: 'apn_x' };
  const from = [
    { origin: 'https://evil.example', source: own },
    { origin: ORIGIN, source: {} },
    { origin: ORIGIN, source: null },
    { origin: 'null', source: own },
    { origin: `${ORIGIN}.evil.example`, source: own },
    { origin: 'http://connect.example.com', source: own },
    { origin: `${ORIGIN}:444`, source: own },
  ];
  const odd = [
    null,
    undefined,
    1,
    'close',
    '{"type":"close"}',
    [],
    [good],
    {},
    { type: 'Success', authProvisionId: 'apn_x' },
    { type: ['close'] },
    { type: 'success' },
    { type: 'success', authProvisionId: 'oa_x' },
    { type: 'success', authProvisionId: { toString: () => 'apn_x' } },
    { type: 'success', authProvisionId: 'apn_<b>' },
    { type: 'success', authProvisionId: `apn_${'x'.repeat(65)}` },
    { type: 'error' },
    { type: 'error', error: {} },
    { type: 'success', id: 'apn_x' },
  ];
  const forged = [
    ...from.flatMap((it) => [
      [good, it],
      [{ type: 'close' }, it],
      [{ type: 'error', error: 'x' }, it],
    ]),
    ...odd.map((it) => [it, {}]),
  ];
  for (let at = 0; at < 100_000; at += 1) say(...forged[at % forged.length]);
  assert.deepEqual(told, []);
  assert.equal(page.frames.length, 1);
  say(good);
  say({ type: 'success', authProvisionId: 'apn_second' });
  say({ type: 'close' });
  assert.deepEqual(told, [
    ['success', { id: 'apn_x' }],
    ['close', { successful: true, completed: true }],
  ]);
});

test('after the end nothing listens any more', async () => {
  const { handle, told } = await opened();
  const own = page.frame().contentWindow;
  handle.close();
  say({ type: 'success', authProvisionId: 'apn_x' }, { source: own });
  assert.deepEqual(told, [['close', { successful: false, completed: false }]]);
});

test('two pages at once do not hear each other', async () => {
  const one = await opened();
  const first = page.frame().contentWindow;
  const two = await opened();
  say({ type: 'success', authProvisionId: 'apn_2' });
  say({ type: 'close' });
  assert.deepEqual(one.told, []);
  assert.equal((await two.handle).id, 'apn_2');
  say({ type: 'success', authProvisionId: 'apn_1' }, { source: first });
  say({ type: 'close' }, { source: first });
  assert.equal((await one.handle).id, 'apn_1');
});

test('a page that was kept from being shown is taken away', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { handle, told } = await opened();
  page.frame().dispatchEvent(new Event('load'));
  t.mock.timers.tick(8_000);
  assert.equal((await handle).error.code, 'page_unreachable');
  assert.equal(page.frames.length, 0);
  assert.equal(told.length, 2);

  const slow = await opened();
  say({ type: 'ready' });
  page.frame().dispatchEvent(new Event('load'));
  say({ type: 'ready' });
  t.mock.timers.tick(600_000);
  assert.equal(page.frames.length, 1, 'a page that has said it is there may stay');
  slow.handle.close();

  const quick = await opened();
  say({ type: 'ready' });
  page.frame().dispatchEvent(new Event('load'));
  t.mock.timers.tick(600_000);
  assert.equal(page.frames.length, 1, 'also if it said so before its frame had loaded');
  quick.handle.close();
});

test('an error in a callback does not keep the frame on the screen', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const handle = client().connectAccount({
    app: 'slack',
    token: 'ctok_1',
    onSuccess: () => {
      throw new Error('mine');
    },
  });
  await soon();
  say({ type: 'success', authProvisionId: 'apn_1' });
  say({ type: 'close' });
  assert.equal((await handle).id, 'apn_1');
  assert.throws(() => t.mock.timers.tick(0), { message: 'mine' });
});

test('without a token, or with no app by its name, the error is told, and no frame is made', async () => {
  const told = [];
  const options = { onError: (it) => told.push(it.message), onClose: () => told.push('close') };
  assert.equal((await client().connectAccount({ app: 'slack', ...options })).successful, false);
  await client().connectAccount({ token: 'ctok_1', app: '', ...options });
  await client({
    tokenCallback: () => Promise.reject(new Error('backend is down')),
  }).connectAccount({ app: 'slack', ...options });
  assert.equal(page.frames.length, 0);
  assert.equal(told.filter((it) => it === 'close').length, 3);
  assert.ok(told.includes('backend is down'));
});

test('calls share the token of the callback, and a page that is opened gets its own', async (t) => {
  const server = await serve(t, () => ({ body: { data: [{ id: 'apn_1' }], page_info: {} } }));
  const asked = [];
  const pd = createFrontendClient({
    baseUrl: server.url,
    externalUserId: 'u-1',
    tokenCallback: async (it) => {
      asked.push(it);
      return {
        token: `ctok_${asked.length}`,
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
        connectLinkUrl: '',
      };
    },
  });
  await Promise.all([pd.accounts.list({ app: 'slack' }).all(), pd.apps.list().then()]);
  assert.deepEqual(asked, [{ externalUserId: 'u-1' }]);
  assert.equal(server.requests[0].headers.authorization, 'Bearer ctok_1');
  assert.ok(server.lines().includes('GET /v1/connect/accounts?app=slack&limit=100'));
  assert.equal(server.requests[0].headers['x-pd-environment'], undefined);
  const handles = [pd.connectAccount({ app: 'slack' }), pd.connectAccount({ app: 'slack' })];
  await soon();
  const tokens = page.frames.map((it) => new URL(it.src).searchParams.get('token'));
  assert.deepEqual(tokens, ['ctok_2', 'ctok_3'], 'one token makes one connection');
  for (const it of handles) it.close();
  await pd.accounts.list().then();
  assert.equal(server.requests.at(-1).headers.authorization, 'Bearer ctok_1');
  assert.equal(asked.length, 3);
});

test('a callback that never gives a token is given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told = [];
  const silent = client({ tokenCallback: () => new Promise(() => {}) });
  const handle = silent.connectAccount({ app: 'slack', onError: (it) => told.push(it.code) });
  await soon();
  t.mock.timers.tick(30_000);
  assert.equal((await handle).error.code, 'timeout');
  assert.deepEqual(told, ['timeout']);
  const call = silent.accounts.list().then();
  t.mock.timers.tick(30_000);
  await assert.rejects(Promise.resolve(call), { code: 'timeout' });
});

test('a secret is not taken in a browser', () => {
  assert.throws(() => createBackendClient({ baseUrl: ORIGIN, apiKey: 'k' }), /browser/);
});

test('the served script works without a bundler and knows its own address', async () => {
  const context = vm.createContext({
    window,
    document: Object.assign(document, { currentScript: { src: `${ORIGIN}/sdk.js` } }),
    HTMLElement,
    URL,
    URLSearchParams,
    setTimeout,
    clearTimeout,
    AbortController,
  });
  vm.runInContext(
    readFileSync(new URL('../../../web/sdk/sdk.js', import.meta.url), 'utf8'),
    context,
  );
  const handle = context.Grantkeep.createClient({ environment: 'production' }).connectAccount({
    app: 'slack',
    token: 'ctok_1',
  });
  await soon();
  assert.ok(page.frame().src.startsWith(`${ORIGIN}/_static/connect.html?`));
  handle.close();
});
