import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ConfirmError, createBackendClient, GrantkeepError } from '../dist/index.js';
import { serve } from './server.mjs';

const account = (id) => ({
  id,
  name: 'jana@acme.example',
  healthy: true,
  created_at: '2026-11-23T10:00:00.000Z',
  app: { name_slug: 'slack', name: 'Slack' },
});
const token = { access_token: 'at_1', token_type: 'Bearer', expires_in: 3600 };
const withKey = (server, more = {}) =>
  createBackendClient({ baseUrl: server.url, apiKey: 'gk_key', retries: 2, ...more });
const withClient = (server, more = {}) =>
  createBackendClient({
    baseUrl: server.url,
    projectId: 'proj_1',
    clientId: 'cid',
    clientSecret: 'hush',
    ...more,
  });

test('a connect token is made with an API key alone', async (t) => {
  const server = await serve(t, () => ({
    body: {
      token: 'ctok_1',
      expires_at: '2026-11-23T14:00:00.000+00:00',
      connect_link_url: 'https://x/?token=ctok_1',
    },
  }));
  const made = await withKey(server).tokens.create({
    externalUserId: 'u-1',
    allowedOrigins: ['https://acme.example'],
  });
  assert.equal(made.token, 'ctok_1');
  assert.equal(made.expiresAt.toISOString(), '2026-11-23T14:00:00.000Z');
  const [seen] = server.requests;
  assert.equal(seen.line, 'POST /v1/connect/tokens');
  assert.deepEqual(seen.body, {
    external_user_id: 'u-1',
    allowed_origins: ['https://acme.example'],
  });
  assert.equal(seen.headers.authorization, 'Bearer gk_key');
  assert.equal(seen.headers['x-pd-environment'], 'production');
});

test("a user's accounts are listed and one is revoked by the older addresses", async (t) => {
  const server = await serve(t, (seen) =>
    seen.method === 'GET'
      ? { body: { accounts: [account('apn_1')], data: [account('apn_1')], page_info: {} } }
      : { status: 204 },
  );
  const client = withKey(server);
  const found = await client.userAccounts.list('user 1/ä');
  assert.equal(found[0].id, 'apn_1');
  assert.equal(found[0].app.nameSlug, 'slack');
  assert.equal(await client.userAccounts.delete('user 1/ä', 'apn_1'), undefined);
  assert.deepEqual(server.lines(), [
    'GET /v1/connect/user%201%2F%C3%A4/accounts',
    'DELETE /v1/connect/user%201%2F%C3%A4/accounts/apn_1',
  ]);
});

test("all of a user's accounts are deleted, and a failure does not spare the others", async (t) => {
  const ids = ['apn_1', 'apn_2', 'apn_3', 'apn_4', 'apn_5', 'apn_6'];
  const left = new Set(ids);
  let broken = false;
  const server = await serve(t, (seen) => {
    if (seen.method === 'GET') return { body: { accounts: [...left].map(account) } };
    const id = seen.path.split('/').at(-1);
    if (broken && id === 'apn_2')
      return { status: 403, body: { error: 'Not allowed', code: 'forbidden' } };
    return left.delete(id) ? { status: 204 } : undefined;
  });
  broken = true;
  await assert.rejects(withKey(server).userAccounts.deleteAll('u-1'), (error) => {
    assert.equal(error.code, 'incomplete');
    assert.deepEqual(
      [...error.details.deleted].sort(),
      ids.filter((it) => it !== 'apn_2'),
    );
    assert.equal(error.cause.code, 'forbidden');
    return true;
  });
  broken = false;
  assert.deepEqual(await withKey(server).userAccounts.deleteAll('u-1'), ['apn_2']);
  assert.equal(left.size, 0);
});

test('one access token serves many calls, and is fetched anew before it ends', async (t) => {
  let life = 3600;
  const server = await serve(t, (seen) =>
    seen.path === '/v1/oauth/token'
      ? { body: { ...token, expires_in: life } }
      : { body: account('apn_1') },
  );
  const client = withClient(server);
  await Promise.all(
    [1, 2, 3].map(() => client.accounts.retrieve('apn_1', { includeCredentials: true })),
  );
  const asks = server.requests.filter((it) => it.path === '/v1/oauth/token');
  assert.equal(asks.length, 1);
  assert.deepEqual(asks[0].body, {
    grant_type: 'client_credentials',
    client_id: 'cid',
    client_secret: 'hush',
  });
  assert.equal(asks[0].headers.authorization, undefined);
  assert.ok(
    server.lines().includes('GET /v1/connect/proj_1/accounts/apn_1?include_credentials=true'),
  );

  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  t.mock.timers.tick((3600 - 121) * 1000);
  await client.accounts.retrieve('apn_1');
  assert.equal(server.requests.filter((it) => it.path === '/v1/oauth/token').length, 1);
  t.mock.timers.tick(2000);
  life = 60;
  await client.accounts.retrieve('apn_1');
  assert.equal(server.requests.filter((it) => it.path === '/v1/oauth/token').length, 2);
});

test('a refused access token is replaced once, even for a POST', async (t) => {
  let issued = 0;
  const server = await serve(t, (seen) => {
    if (seen.path === '/v1/oauth/token')
      return { body: { ...token, access_token: `at_${(issued += 1)}` } };
    if (seen.headers.authorization === 'Bearer at_1')
      return { status: 401, body: { error: 'Expired', code: 'invalid_token' } };
    return { status: 201, body: { id: 'proj_2', name: 'p' } };
  });
  assert.equal((await withClient(server).projects.create({ name: 'p' })).id, 'proj_2');
  assert.equal(issued, 2);

  const refusing = await serve(t, (seen) =>
    seen.path === '/v1/oauth/token'
      ? { body: token }
      : { status: 401, body: { error: 'No', code: 'invalid_token' } },
  );
  await assert.rejects(withClient(refusing).projects.list().then(), {
    status: 401,
    code: 'invalid_token',
  });
  assert.equal(refusing.requests.length, 4);
});

test('errors are typed, and carry what the server said', async (t) => {
  const server = await serve(t, () => ({
    status: 400,
    headers: { 'x-request-id': 'req_7' },
    body: {
      error: 'external_user_id is too long',
      code: 'invalid_field',
      details: { field: 'external_user_id' },
    },
  }));
  await assert.rejects(withKey(server).tokens.create({ externalUserId: 'x' }), (error) => {
    assert.ok(error instanceof GrantkeepError);
    assert.deepEqual(
      [error.message, error.status, error.code, error.requestId, error.details],
      [
        'external_user_id is too long',
        400,
        'invalid_field',
        'req_7',
        { field: 'external_user_id' },
      ],
    );
    return true;
  });
});

test('what the token endpoint says is told, and so is when to come again', async (t) => {
  let answer = {
    status: 401,
    body: { error: 'invalid_client', error_description: 'The secret is not the one of the client' },
  };
  const server = await serve(t, () => answer);
  await assert.rejects(withClient(server).accounts.retrieve('apn_1'), {
    status: 401,
    code: 'invalid_client',
    message: 'The secret is not the one of the client',
    retryAfterMs: undefined,
  });
  const body = { error: 'Slow', code: 'slow' };
  answer = { status: 429, headers: { 'retry-after': '120' }, body };
  await assert.rejects(withKey(server).userAccounts.list('u'), {
    message: 'Slow',
    code: 'slow',
    retryAfterMs: 120_000,
  });
});

test('what cannot be sent is told apart from a server that is not there', async (t) => {
  const server = await serve(t, () => ({ status: 204 }));
  const secret = { apiKey: 'gk_two\nlines' };
  await assert.rejects(withKey(server, secret).accounts.delete('apn_1'), (error) => {
    assert.equal(error.code, 'invalid_option');
    assert.match(error.message, /authorization/);
    assert.ok(!inspect(error, { depth: 9 }).includes('gk_two'));
    return true;
  });
  const props = { self: {} };
  props.self = props;
  await assert.rejects(
    withKey(server).actions.run({ id: 'k', externalUserId: 'u', configuredProps: props }),
    { code: 'invalid_option' },
  );
  assert.equal(server.requests.length, 0);
  const gone = { url: server.url };
  await server.close();
  await assert.rejects(withKey(gone, { retries: 0 }).accounts.delete('apn_1'), { code: 'network' });
});

test('a GET is sent again after 503 and a lost connection, when Retry-After says', async (t) => {
  const server = await serve(t, (seen, all) => {
    if (all.length === 1)
      return { status: 503, headers: { 'retry-after': '1' }, body: { error: 'Busy' } };
    if (all.length === 2) return { cut: true };
    return { body: { accounts: [] } };
  });
  const begun = Date.now();
  assert.deepEqual(await withKey(server).userAccounts.list('u'), []);
  assert.equal(server.requests.length, 3);
  assert.ok(Date.now() - begun >= 1000);
});

test('a POST is sent once, whatever key it has', async (t) => {
  const server = await serve(t, () => ({ status: 500, body: { error: 'Oops' } }));
  const client = withKey(server);
  for (const idempotencyKey of [undefined, 'k-1']) {
    const made = client.tokens.create({ externalUserId: 'u' }, { idempotencyKey });
    await assert.rejects(made, { status: 500 });
  }
  const keys = server.requests.map((seen) => seen.headers['idempotency-key']);
  assert.deepEqual(keys, [undefined, 'k-1']);
});

test('a deletion whose answer was lost is not reported as missing', async (t) => {
  const server = await serve(t, (seen, all) => (all.length === 1 ? { cut: true } : undefined));
  assert.equal(await withKey(server).userAccounts.delete('u', 'apn_1'), undefined);
  await assert.rejects(withKey(await serve(t, () => undefined)).userAccounts.delete('u', 'apn_1'), {
    status: 404,
  });
});

test('a wait longer than a minute is not sat out', async (t) => {
  const server = await serve(t, () => ({
    status: 429,
    headers: { 'retry-after': '3600' },
    body: { error: 'Throttled', code: 'throttled' },
  }));
  await assert.rejects(withKey(server).userAccounts.list('u'), { status: 429 });
  assert.equal(server.requests.length, 1);
});

test('a call times out, and can be aborted while it waits', async (t) => {
  const server = await serve(t, () => ({ hang: true }));
  await assert.rejects(withKey(server, { timeoutMs: 60, retries: 0 }).userAccounts.list('u'), {
    code: 'timeout',
    status: 0,
  });
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await assert.rejects(withKey(server).userAccounts.list('u', { signal: stop.signal }), {
    code: 'aborted',
  });
  const busy = await serve(t, () => ({ status: 503, headers: { 'retry-after': '30' }, body: {} }));
  const other = new AbortController();
  setTimeout(() => other.abort(), 100);
  await assert.rejects(withKey(busy).userAccounts.list('u', { signal: other.signal }), {
    code: 'aborted',
  });
});

test('a list is walked to its end, page by page', async (t) => {
  const pages = { '': [['apn_1', 'apn_2'], 'c1'], c1: [['apn_3'], 'c2'], c2: [[], null] };
  const server = await serve(t, (seen) => {
    if (seen.path === '/v1/oauth/token') return { body: token };
    const [ids, end] = pages[seen.query.get('after') ?? ''];
    return { body: { data: ids.map(account), page_info: { count: ids.length, end_cursor: end } } };
  });
  const client = withClient(server, { environment: 'development' });
  const ids = [];
  for await (const it of client.accounts.list({ app: 'slack', limit: 2 })) ids.push(it.id);
  assert.deepEqual(ids, ['apn_1', 'apn_2', 'apn_3']);
  assert.equal(server.lines().at(-1), 'GET /v1/connect/proj_1/accounts?app=slack&limit=2&after=c2');
  assert.equal(server.requests.at(-1).headers['x-pd-environment'], 'development');
  const first = await client.accounts.list({ limit: 2 });
  assert.deepEqual([first.data.length, first.pageInfo.endCursor], [2, 'c1']);
  assert.equal((await client.accounts.list().all(1)).length, 1);
});

test('a walk asks for a hundred at once, unless it is told how many', async (t) => {
  const server = await serve(t, () => ({ body: { data: [account('apn_1')], page_info: {} } }));
  const client = withKey(server);
  for await (const it of client.accounts.list()) assert.equal(it.id, 'apn_1');
  for await (const page of client.accounts.list({ limit: 7 }).pages())
    assert.equal(page.data.length, 1);
  await client.accounts.list().all(3);
  assert.deepEqual(await client.accounts.list().all(0), []);
  await client.accounts.list();
  assert.deepEqual(
    server.lines().map((it) => it.split('?')[1]),
    ['limit=100', 'limit=7', 'limit=3', undefined],
  );
});

test('a list with before is walked back to its beginning', async (t) => {
  const pages = { c3: [['apn_3', 'apn_4'], 'c2'], c2: [['apn_1', 'apn_2'], 'c1'], c1: [[], null] };
  const server = await serve(t, (seen) => {
    const [ids, start] = pages[seen.query.get('before')];
    const about = { count: ids.length, start_cursor: start, end_cursor: 'c9' };
    return { body: { data: ids.map(account), page_info: about } };
  });
  const found = await withKey(server).accounts.list({ app: 'slack', limit: 2, before: 'c3' }).all();
  assert.deepEqual(found.map((it) => it.id), ['apn_3', 'apn_4', 'apn_1', 'apn_2']);
  assert.equal(server.lines().at(-1), 'GET /v1/connect/accounts?app=slack&limit=2&before=c1');
});

test('a call whose answer comes once is sent once', async (t) => {
  const server = await serve(t, () => ({ status: 503, headers: { 'retry-after': '0' }, body: {} }));
  const client = withKey(server, { projectId: 'proj_1' });
  const sends = async (call) => {
    const before = server.requests.length;
    await assert.rejects(call(), { status: 503 });
    return server.requests.length - before;
  };
  assert.equal(await sends(() => client.projectEnvironment.updateWebhook({ url: 'https://x' })), 1);
  const replace = (more) => client.customApps.replace('p', { definition: '', ...more });
  assert.equal(await sends(() => replace({ version: 3 })), 1);
  assert.equal(await sends(() => replace({})), 3);
});

test('waiting for an access token ends with the call', async (t) => {
  const server = await serve(t, () => ({ hang: true }));
  const client = withClient(server);
  await assert.rejects(client.accounts.retrieve('apn_1', {}, { timeoutMs: 60, retries: 0 }), {
    code: 'timeout',
  });
  const stop = new AbortController();
  const waiting = client.accounts.retrieve('apn_1', {}, { signal: stop.signal });
  const streaming = client.proxy.get('/x', { accountId: 'apn_1', signal: stop.signal });
  stop.abort();
  await assert.rejects(waiting, { code: 'aborted' });
  await assert.rejects(streaming, { code: 'aborted' });
  assert.deepEqual(server.lines(), ['POST /v1/oauth/token']);
});

test('a server that repeats a page does not trap the caller', async (t) => {
  const server = await serve(t, (seen) =>
    seen.path === '/v1/oauth/token'
      ? { body: token }
      : { body: { data: [account('apn_1')], page_info: { end_cursor: 'same' } } },
  );
  await assert.rejects(withClient(server).accounts.list().all(), { code: 'unexpected_answer' });
});

test('every method sends what the wire asks for', async (t) => {
  const server = await serve(t, (seen) =>
    seen.path === '/v1/oauth/token' ? { body: token } : { body: { data: [], page_info: {} } },
  );
  const client = withClient(server);
  const calls = [
    [
      () => client.tokens.create({ externalUserId: 'u1', expiresIn: 600, appId: 'slack' }),
      'POST /v1/connect/proj_1/tokens',
    ],
    [
      () => client.tokens.validate('ctok_1', { appId: 'slack', accountId: 'apn_1' }),
      'GET /v1/connect/tokens/ctok_1/validate?app_id=slack&account_id=apn_1',
    ],
    [
      () => client.accounts.listByExternalUser('u 1', { app: 'slack' }),
      'GET /v1/connect/proj_1/users/u%201/accounts?app=slack',
    ],
    [
      () => client.accounts.retrieve('apn_1', { includeCredentials: true, minTtl: 600 }),
      'GET /v1/connect/proj_1/accounts/apn_1?include_credentials=true&min_ttl=600',
    ],
    [() => client.accounts.health('apn_1'), 'GET /v1/connect/proj_1/accounts/apn_1/health'],
    [() => client.accounts.refresh('apn_1'), 'POST /v1/connect/proj_1/accounts/apn_1/refresh'],
    [
      () => client.accounts.update('apn_1', { keepAlive: false }),
      'PATCH /v1/connect/proj_1/accounts/apn_1',
    ],
    [() => client.accounts.delete('apn_1'), 'DELETE /v1/connect/proj_1/accounts/apn_1'],
    [() => client.accounts.deleteByApp('slack'), 'DELETE /v1/connect/proj_1/apps/slack/accounts'],
    [
      () =>
        client.accounts.create({
          externalUserId: 'u1',
          appSlug: 'stripe',
          fields: { api_key: 'k' },
          connectToken: 'ctok_1',
        }),
      'POST /v1/connect/proj_1/accounts?external_user_id=u1',
    ],
    [
      () => client.users.list({ q: 'a', limit: 1 }).then(),
      'GET /v1/connect/proj_1/users?q=a&limit=1',
    ],
    [() => client.users.delete('u 1/é'), 'DELETE /v1/connect/proj_1/users/u%201%2F%C3%A9'],
    [
      () =>
        client.apps
          .list({ q: 'sl', sortKey: 'name', categoryIds: ['a', 'b'], hasActions: true })
          .then(),
      'GET /v1/connect/apps?q=sl&sort_key=name&category_ids=a&category_ids=b&has_actions=true',
    ],
    [() => client.apps.retrieve('slack'), 'GET /v1/connect/apps/slack'],
    [() => client.appCategories.list(), 'GET /v1/connect/app_categories'],
    [() => client.appCategories.retrieve('appcat_1'), 'GET /v1/connect/app_categories/appcat_1'],
    [
      () => client.oauthApps.list({ app: 'slack' }).then(),
      'GET /v1/connect/proj_1/oauth_apps?app=slack',
    ],
    [
      () =>
        client.oauthApps.create({
          app: 'slack',
          clientId: 'i',
          clientSecret: 's',
          additionalScopes: ['b'],
        }),
      'POST /v1/connect/proj_1/oauth_apps',
    ],
    [() => client.oauthApps.retrieve('oa_1'), 'GET /v1/connect/proj_1/oauth_apps/oa_1'],
    [
      () => client.oauthApps.update('oa_1', { name: 'x' }),
      'PUT /v1/connect/proj_1/oauth_apps/oa_1',
    ],
    [() => client.oauthApps.delete('oa_1'), 'DELETE /v1/connect/proj_1/oauth_apps/oa_1'],
    [
      () => client.appOverrides.list({ app: 'zendesk' }).then(),
      'GET /v1/connect/proj_1/app_overrides?app=zendesk',
    ],
    [
      () => client.appOverrides.create({ app: 'zendesk', name: 'n', cfmap: { subdomain: 'acme' } }),
      'POST /v1/connect/proj_1/app_overrides',
    ],
    [() => client.appOverrides.retrieve('ao_1'), 'GET /v1/connect/proj_1/app_overrides/ao_1'],
    [
      () => client.appOverrides.update('ao_1', { oauthAppId: null }),
      'PUT /v1/connect/proj_1/app_overrides/ao_1',
    ],
    [() => client.appOverrides.delete('ao_1'), 'DELETE /v1/connect/proj_1/app_overrides/ao_1'],
    [
      () => client.customApps.list({ limit: 1 }).then(),
      'GET /v1/connect/proj_1/custom_apps?limit=1',
    ],
    [() => client.customApps.create('slug = "p"'), 'POST /v1/connect/proj_1/custom_apps'],
    [() => client.customApps.retrieve('p'), 'GET /v1/connect/proj_1/custom_apps/p'],
    [
      () => client.customApps.replace('p', { definition: '', confirmEndpointChange: true }),
      'PUT /v1/connect/proj_1/custom_apps/p',
    ],
    [() => client.customApps.delete('p'), 'DELETE /v1/connect/proj_1/custom_apps/p'],
    [() => client.projects.list({ limit: 1 }).then(), 'GET /v1/connect/projects?limit=1'],
    [
      () => client.projects.create({ name: 'p', supportEmail: 'a@b.c' }),
      'POST /v1/connect/projects',
    ],
    [() => client.projects.retrieve('proj_2'), 'GET /v1/connect/projects/proj_2'],
    [() => client.projects.update('proj_2', { appName: 'q' }), 'PATCH /v1/connect/projects/proj_2'],
    [() => client.projects.delete('proj_2'), 'DELETE /v1/connect/projects/proj_2'],
    [
      () => client.projects.updateLogo('proj_2', 'data:image/png;base64,AA=='),
      'POST /v1/connect/projects/proj_2/logo',
    ],
    [() => client.projects.retrieveInfo(), 'GET /v1/connect/proj_1/projects/info'],
  ];
  for (const [call, line] of calls) {
    await call();
    assert.equal(server.lines().at(-1), line);
  }
  const bodyOf = (line) => server.requests.find((it) => it.line === line).body;
  assert.deepEqual(bodyOf('POST /v1/connect/proj_1/tokens'), {
    external_user_id: 'u1',
    expires_in: 600,
    app_id: 'slack',
  });
  assert.deepEqual(bodyOf('POST /v1/connect/proj_1/oauth_apps'), {
    app: 'slack',
    client_id: 'i',
    client_secret: 's',
    additional_scopes: ['b'],
  });
  const created = server.requests.find(
    (it) => it.method === 'POST' && it.path.endsWith('/accounts'),
  );
  assert.deepEqual(created.body, {
    app_slug: 'stripe',
    connect_token: 'ctok_1',
    cfmap_json: '{"api_key":"k"}',
  });
  assert.equal(created.headers.authorization, 'Bearer ctok_1');
  assert.equal(
    server.requests.find((it) => it.path.endsWith('/validate')).headers.authorization,
    undefined,
  );
});

test('an API key names its project by itself', async (t) => {
  const server = await serve(t, () => ({ status: 204 }));
  const backend = withKey(server);
  await backend.accounts.delete('apn_1');
  await backend.accounts.deleteByApp('slack');
  await backend.users.delete('u/1');
  assert.deepEqual(
    server.requests.map((it) => it.line),
    [
      'DELETE /v1/connect/accounts/apn_1',
      'DELETE /v1/connect/apps/slack/accounts',
      'DELETE /v1/connect/users/u%2F1',
    ],
  );
});

test('credentials keep the names that the app gave them', async (t) => {
  const credentials = {
    oauth_access_token: 'x',
    base_url: 'https://a',
    signed_at: '2026-01-01T00:00:00Z',
  };
  const server = await serve(t, () => ({ body: { ...account('apn_1'), credentials } }));
  const found = await withKey(server, { projectId: 'proj_1' }).accounts.retrieve('apn_1', {
    includeCredentials: true,
  });
  assert.deepEqual(found.credentials, credentials);
  assert.ok(found.createdAt instanceof Date);
});

test('wrong options are refused before anything is sent', async (t) => {
  const bad = (options) =>
    assert.throws(() => createBackendClient(options), { code: 'invalid_option' });
  bad({ baseUrl: 'https://x.example' });
  bad({ baseUrl: 'x.example', apiKey: 'k' });
  bad({ baseUrl: 'ftp://x.example', apiKey: 'k' });
  bad({ baseUrl: 'https://x.example', apiKey: 'k', environment: 'staging' });
  const server = await serve(t, () => ({ status: 204 }));
  const nowhere = { code: 'invalid_option' };
  assert.throws(() => withKey(server).oauthApps.list(), nowhere);
  const anyProject = withClient(server, { projectId: undefined });
  assert.throws(() => anyProject.accounts.delete('apn_1'), nowhere);
  assert.throws(() => withKey(server, { projectId: 'proj_1' }).users.delete(''), {
    code: 'invalid_option',
  });
  assert.equal(server.requests.length, 0);
});

test('secrets are neither printed nor sent to where a redirect leads', async (t) => {
  const printed = inspect(
    createBackendClient({
      baseUrl: 'https://x.example',
      clientId: 'cid',
      clientSecret: 'hush-hush',
    }),
    { depth: 9, showHidden: true },
  );
  assert.ok(!printed.includes('hush-hush'));
  const other = await serve(t, () => ({ body: [] }));
  const server = await serve(t, () => ({
    status: 302,
    headers: { location: `${other.url}/steal` },
  }));
  await assert.rejects(withKey(server).userAccounts.list('u'), { status: 302 });
  assert.equal(other.requests.length, 0);
});

test('a flow is confirmed for the user of the session', async (t) => {
  const answer = { ...account('apn_1'), binding: 'verified', redirect_uri: 'https://acme.example/' };
  const server = await serve(t, () => ({ body: answer }));
  const made = await withKey(server).confirmFlow('flc_a/b', 'u-1');
  assert.deepEqual([made.id, made.binding, made.redirectUri], [
    'apn_1',
    'verified',
    'https://acme.example/',
  ]);
  const [seen] = server.requests;
  assert.equal(seen.line, 'POST /v1/connect/flows/flc_a%2Fb/confirm');
  assert.deepEqual(seen.body, { external_user_id: 'u-1' });
});

test('what keeps a flow from being confirmed has a type', async (t) => {
  let status = 409;
  let body = {};
  const server = await serve(t, () => ({ status, body }));
  const refused = async (of) => {
    ({ status, body } = of);
    const error = await withKey(server, { retries: 0 }).confirmFlow('flc_1', 'u-1').catch((it) => it);
    assert.ok(error instanceof GrantkeepError);
    return error;
  };
  const details = { reason: 'user_mismatch', redirect_uri: 'https://x/result' };
  const wrong = await refused({ status: 409, body: { error: 'No', code: 'user_mismatch', details } });
  assert.ok(wrong instanceof ConfirmError);
  assert.deepEqual([wrong.reason, wrong.status, wrong.redirectUri, wrong.message], [
    'user_mismatch',
    409,
    'https://x/result',
    'No',
  ]);
  const used = { error: 'Used', code: 'flow_used', details: { account_id: 'apn_1' } };
  assert.equal((await refused({ status: 409, body: used })).accountId, 'apn_1');
  for (const [at, code] of [[404, 'not_found'], [410, 'unconfirmed']]) {
    assert.equal((await refused({ status: at, body: { error: 'x', code } })).reason, code);
  }
  const app = { error: 'x', code: 'connection_failed', details: { reason: 'provider_refused' } };
  assert.equal((await refused({ status: 409, body: app })).reason, 'provider_refused');
  const down = { error: 'x', code: 'provider_unavailable', details: { reason: 'provider_unavailable' } };
  assert.ok((await refused({ status: 503, body: down })) instanceof ConfirmError);
  const key = await refused({ status: 401, body: { error: 'x', code: 'invalid_token' } });
  assert.ok(!(key instanceof ConfirmError));
});
