// Every call of the API's document has a method here, and each method sends that call.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createBackendClient } from '../dist/index.js';
import { serve } from './server.mjs';

/** Calls without a method of their own, and why. */
const ELSEWHERE = {
  'POST /v1/oauth/token': 'the client gets tokens by itself',
};
for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
  ELSEWHERE[`${method} /v1/connect/{}/proxy/{}`] = 'the same as with the target in a header';
}

/** Older names of calls that have a method. */
const OLDER = [
  '/v1/apps',
  '/v1/apps/{}',
  '/v1/app_categories',
  '/v1/app_categories/{}',
  '/v1/connect/{}/components/triggers/deploy',
];

const P = '/v1/connect/{}';
const user = { externalUserId: 'u' };
const call = { accountId: 'apn_1', ...user };
const chosen = { id: 'k', ...user };
const page = { limit: 5, after: 'c_1', before: 'c_2' };
const span = { startTs: 1, endTs: 2 };

/** What sends which call, with every query parameter that it takes. */
const METHODS = {
  'GET /v1/connect/apps': (c) =>
    c.apps
      .list({
        ...page,
        q: 'x',
        sortKey: 'name',
        sortDirection: 'asc',
        categoryIds: ['a'],
        authType: 'oauth',
        evidence: 'x',
        confirmedMin: 1,
        includeUnconnectable: true,
        hasComponents: true,
        hasActions: true,
        hasTriggers: true,
      })
      .then(),
  'GET /v1/connect/apps/{}': (c) => c.apps.retrieve('slack'),
  'GET /v1/connect/app_categories': (c) => c.appCategories.list(),
  'GET /v1/connect/app_categories/{}': (c) => c.appCategories.retrieve('appcat_1'),
  'GET /v1/connect/projects': (c) => c.projects.list({ ...page, q: 'x' }).then(),
  'POST /v1/connect/projects': (c) => c.projects.create({ name: 'p' }),
  'GET /v1/connect/projects/{}': (c) => c.projects.retrieve('proj_2'),
  'PATCH /v1/connect/projects/{}': (c) => c.projects.update('proj_2', {}),
  'DELETE /v1/connect/projects/{}': (c) => c.projects.delete('proj_2'),
  'POST /v1/connect/projects/{}/logo': (c) => c.projects.updateLogo('proj_2', 'data:,'),
  [`GET ${P}/projects/info`]: (c) => c.projects.retrieveInfo(),
  'GET /v1/connect/tokens/{}/validate': (c) => 
    c.tokens.validate('ctok_1', {
      appId: 'a',
      accountId: 'apn_1',
      oauthAppId: 'oa_1',
      appOverrideId: 'ao_1',
    }),
  [`POST ${P}/tokens`]: (c) => c.tokens.create({ externalUserId: 'u' }),
  [`POST ${P}/flows/{}/confirm`]: (c) => c.confirmFlow('flc_1', 'u'),
  [`GET ${P}/accounts`]: (c) =>
    c.accounts
      .list({ ...page, ...user, app: 'a', oauthAppId: 'oa_1', includeCredentials: true })
      .then(),
  [`POST ${P}/accounts`]: (c) =>
    c.accounts.create({ externalUserId: 'u', appSlug: 'a', fields: {}, connectToken: 'ctok_1' }),
  [`GET ${P}/accounts/{}`]: (c) => 
    c.accounts.retrieve('apn_1', { ...user, includeCredentials: true, minTtl: 60 }),
  [`PATCH ${P}/accounts/{}`]: (c) => c.accounts.update('apn_1', { keepAlive: true }, user),
  [`DELETE ${P}/accounts/{}`]: (c) => 
    c.accounts.delete('apn_1', { ...user, revoke: false }),
  [`GET ${P}/accounts/{}/health`]: (c) => c.accounts.health('apn_1', user),
  [`POST ${P}/accounts/{}/refresh`]: (c) => c.accounts.refresh('apn_1', user),
  [`GET ${P}/accounts/{}/revocation`]: (c) => c.accounts.revocation('apn_1'),
  [`DELETE ${P}/apps/{}/accounts`]: (c) => 
    c.accounts.deleteByApp('slack', { ...user, revoke: true }),
  [`GET ${P}/users`]: (c) => c.users.list({ ...page, q: 'x' }).then(),
  [`GET ${P}/users/{}/accounts`]: (c) => 
    c.accounts.listByExternalUser('u', { app: 'a', includeCredentials: true }),
  [`DELETE ${P}/users/{}`]: (c) => c.users.delete('u', { revoke: true }),
  [`GET ${P}/erasures/{}`]: (c) => c.users.erasure('era_1'),
  [`GET ${P}/app_overrides`]: (c) => c.appOverrides.list({ ...page, app: 'a' }).then(),
  [`POST ${P}/app_overrides`]: (c) => c.appOverrides.create({ app: 'a', name: 'n' }),
  [`GET ${P}/app_overrides/{}`]: (c) => c.appOverrides.retrieve('ao_1'),
  [`PUT ${P}/app_overrides/{}`]: (c) => c.appOverrides.update('ao_1', {}),
  [`DELETE ${P}/app_overrides/{}`]: (c) => c.appOverrides.delete('ao_1'),
  [`GET ${P}/custom_apps`]: (c) => c.customApps.list(page).then(),
  [`POST ${P}/custom_apps`]: (c) => c.customApps.create(''),
  [`POST ${P}/custom_apps/discover`]: (c) => c.customApps.discover({ url: 'https://x' }),
  [`GET ${P}/custom_apps/{}`]: (c) => c.customApps.retrieve('p'),
  [`PUT ${P}/custom_apps/{}`]: (c) => c.customApps.replace('p', { definition: '' }),
  [`DELETE ${P}/custom_apps/{}`]: (c) => c.customApps.delete('p'),
  [`GET ${P}/oauth_apps`]: (c) => c.oauthApps.list({ ...page, app: 'a', q: 'x' }).then(),
  [`POST ${P}/oauth_apps`]: (c) =>
    c.oauthApps.create({ app: 'a', clientId: 'i', clientSecret: 's' }),
  [`GET ${P}/oauth_apps/{}`]: (c) => c.oauthApps.retrieve('oa_1'),
  [`PUT ${P}/oauth_apps/{}`]: (c) => c.oauthApps.update('oa_1', {}),
  [`DELETE ${P}/oauth_apps/{}`]: (c) => c.oauthApps.delete('oa_1'),
  [`GET ${P}/freeze`]: (c) => c.freeze.retrieve(),
  [`PUT ${P}/freeze`]: (c) => c.freeze.begin({ app: 'slack' }),
  [`DELETE ${P}/freeze`]: (c) => c.freeze.end({ app: 'slack' }),
  [`GET ${P}/webhook`]: (c) => c.projectEnvironment.retrieveWebhook(),
  [`PUT ${P}/webhook`]: (c) => c.projectEnvironment.updateWebhook({ url: 'https://x' }),
  [`DELETE ${P}/webhook`]: (c) => c.projectEnvironment.deleteWebhook(),
  [`POST ${P}/webhook/regenerate_signing_key`]: (c) =>
    c.projectEnvironment.regenerateWebhookSigningKey(),
  [`POST ${P}/webhook/reset_delivery_state`]: (c) =>
    c.projectEnvironment.resetWebhookDeliveryState(),
  [`GET ${P}/webhooks`]: (c) => c.webhooks.list(),
  [`POST ${P}/webhooks`]: (c) => c.webhooks.create({ url: 'https://x' }),
  [`GET ${P}/webhooks/deliveries`]: (c) => 
    c.webhooks.deliveries({ ...page, endpoint: 'wh_1', state: 'failed' }).then(),
  [`POST ${P}/webhooks/replay`]: (c) => c.webhooks.replay(),
  [`GET ${P}/webhooks/{}`]: (c) => c.webhooks.retrieve('wh_1'),
  [`PATCH ${P}/webhooks/{}`]: (c) => c.webhooks.update('wh_1', {}),
  [`DELETE ${P}/webhooks/{}`]: (c) => c.webhooks.delete('wh_1'),
  [`POST ${P}/webhooks/{}/reset`]: (c) => c.webhooks.reset('wh_1'),
  [`POST ${P}/webhooks/{}/rotate`]: (c) => c.webhooks.rotate('wh_1'),
  [`POST ${P}/webhooks/{}/test`]: (c) => c.webhooks.test('wh_1'),
  [`GET ${P}/proxy`]: (c) => c.proxy.get('/x', call),
  [`POST ${P}/proxy`]: (c) => c.proxy.post('/x', call),
  [`PUT ${P}/proxy`]: (c) => c.proxy.put('/x', call),
  [`PATCH ${P}/proxy`]: (c) => c.proxy.patch('/x', call),
  [`DELETE ${P}/proxy`]: (c) => c.proxy.delete('/x', call),
  [`POST ${P}/components`]: (c) =>
    c.components.publish({ files: [{ path: 'a.mjs', text: 'export default {}' }] }),
  [`DELETE ${P}/components/{}`]: (c) => c.components.delete('~/x', { force: true }),
  [`GET ${P}/runs`]: (c) => c.runs.list({ ...page, ...user }).then(),
  [`GET ${P}/runs/{}`]: (c) => c.runs.retrieve('run_1'),
  [`POST ${P}/actions/run`]: (c) => c.actions.run(chosen),
  [`POST ${P}/triggers/deploy`]: (c) => c.triggers.deploy(chosen),
  [`GET ${P}/file_stash/download`]: (c) => c.fileStash.download('1day/a/b/c/u/d'),
  [`POST ${P}/file_stash`]: (c) =>
    c.fileStash.upload({ ...user, name: 'a.txt', body: 'abc', stashId: 's' }),
  [`GET ${P}/usage`]: (c) => c.usage.ofProject({ ...span, by: 'hour' }),
  'GET /v1/connect/rate_limits': (c) => c.rateLimits.list(page).then(),
  'DELETE /v1/connect/rate_limits/{}': (c) => c.rateLimits.delete('rl_1'),
  'GET /v1/connect/usage': (c) => c.usage.list(span),
  'POST /v1/connect/rate_limits': (c) =>
    c.rateLimits.create({ windowSizeSeconds: 1, requestsPerWindow: 2 }),
};
for (const kind of ['components', 'actions', 'triggers']) {
  const only = kind === 'components' ? { componentType: 'action' } : {};
  METHODS[`GET ${P}/${kind}`] = (c) =>
    c[kind]
      .list({ ...page, ...only, app: 'a', q: 'x', registry: 'all' })
      .then();
  METHODS[`GET ${P}/${kind}/{}`] = (c) => c[kind].retrieve('~/x', { version: '1' });
  METHODS[`POST ${P}/${kind}/configure`] = (c) => c[kind].configure({ ...chosen, propName: 'p' });
  METHODS[`POST ${P}/${kind}/props`] = (c) => c[kind].reloadProps(chosen);
}
const D = `${P}/deployed-triggers`;
Object.assign(METHODS, {
  [`GET ${D}`]: (c) => 
    c.deployedTriggers.list({ ...page, ...user, emitterType: 'http' }).then(),
  [`GET ${D}/{}`]: (c) => c.deployedTriggers.retrieve('dc_1', 'u'),
  [`PUT ${D}/{}`]: (c) => c.deployedTriggers.update('dc_1', 'u', { active: false }),
  [`DELETE ${D}/{}`]: (c) => c.deployedTriggers.delete('dc_1', 'u', { ignoreHookErrors: true }),
  [`GET ${D}/{}/events`]: (c) => c.deployedTriggers.events('dc_1', 'u', { n: 5 }),
  [`GET ${D}/{}/pipelines`]: (c) => c.deployedTriggers.workflows('dc_1', 'u'),
  [`PUT ${D}/{}/pipelines`]: (c) => c.deployedTriggers.updateWorkflows('dc_1', 'u', ['p_1']),
  [`GET ${D}/{}/webhooks`]: (c) => c.deployedTriggers.webhooks('dc_1', 'u'),
  [`PUT ${D}/{}/webhooks`]: (c) => c.deployedTriggers.updateWebhooks('dc_1', 'u', ['https://x']),
  [`GET ${D}/{}/webhooks/{}`]: (c) => c.deployedTriggers.retrieveWebhook('dc_1', 'wh_1', 'u'),
  [`POST ${D}/{}/webhooks/{}/regenerate_signing_key`]: (c) =>
    c.deployedTriggers.regenerateWebhookSigningKey('dc_1', 'wh_1', 'u'),
  [`POST ${D}/{}/webhooks/{}/reset_delivery_state`]: (c) =>
    c.deployedTriggers.resetWebhookDeliveryState('dc_1', 'wh_1', 'u'),
});
const W = `${P}/workflows`;
const R = `${P}/workflow-runs`;
Object.assign(METHODS, {
  [`GET ${W}`]: (c) => c.workflows.list(page).then(),
  [`POST ${W}`]: (c) => c.workflows.deploy({ files: [{ path: 'workflow.yaml', text: '' }] }),
  [`GET ${W}/{}`]: (c) => c.workflows.retrieve('hello'),
  [`DELETE ${W}/{}`]: (c) => c.workflows.delete('hello', { force: true }),
  [`POST ${W}/{}/invoke`]: (c) => c.workflows.invoke('hello', { externalUserId: 'u' }),
  [`GET ${R}`]: (c) => 
    c.workflowRuns.list({ ...page, workflow: 'hello' }).then(),
  [`GET ${R}/{}`]: (c) => c.workflowRuns.retrieve('wfr_1'),
  [`POST ${R}/{}/replay`]: (c) => c.workflowRuns.replay('wfr_1'),
  [`POST ${R}/{}/cancel`]: (c) => c.workflowRuns.cancel('wfr_1'),
});

const ANSWER = { data: [], page_info: {}, workflow_ids: [] };

function backend(server, more = { projectId: 'proj_1' }) {
  return createBackendClient({ baseUrl: server.url, apiKey: 'gk_key', ...more });
}

const read = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const shapeOf = (path) => path.replace(/\{[^}]*\}/g, '{}');

/** Each call of the document by the names that it has here. */
function documented() {
  const found = {};
  for (const [path, methods] of Object.entries(JSON.parse(read('docs/openapi.json')).paths)) {
    // What follows the user's name is a part of that path.
    const rest = path === '/v1/connect/{project}/users/{*rest}';
    for (const [method, call] of Object.entries(methods)) {
      const plain = rest && method === 'get' ? path.replace('{*rest}', '{}/accounts') : path;
      found[`${method.toUpperCase()} ${shapeOf(plain)}`] = call;
    }
  }
  return found;
}

test('every call of the document has a method', () => {
  const missing = Object.keys(documented()).filter((key) => {
    const older = OLDER.includes(key.split(' ')[1]);
    return !older && !(key in ELSEWHERE) && !(key in METHODS);
  });
  assert.deepEqual(missing, []);
});

test('each method sends its call', async (t) => {
  const server = await serve(t, () => ({ body: ANSWER }));
  const client = backend(server);
  const calls = documented();
  for (const [key, send] of Object.entries(METHODS)) {
    await send(client);
    const { method, path, query } = server.requests.at(-1);
    const [wanted, shape] = key.split(' ');
    assert.equal(method, wanted, key);
    assert.match(path, new RegExp(`^${shape.replaceAll('{}', '[^/]+')}$`), key);
    const asked = (calls[key]?.parameters ?? []).filter((it) => it.in === 'query');
    // The document has one list of parameters for all kinds of components.
    const one = /(actions|triggers)$/.test(shape) ? 'component_type' : undefined;
    const names = asked.map((it) => it.name).filter((it) => it !== one);
    assert.deepEqual([...new Set(query.keys())].sort(), names.sort(), key);
  }
});

/** Calls that share their address with one that goes without a project, and do not themselves. */
const NAMED = [`POST ${P}/components`, `DELETE ${P}/components/{}`];

test('without a project a call goes to an address that the server has, or says so', async (t) => {
  const server = await serve(t, () => ({ body: ANSWER }));
  const client = backend(server, {});
  const code = read('crates/server/src/router.rs');
  const routes = [...code.matchAll(/\.route\(\s*"([^"]+)"/g)].map((it) => it[1]);
  const there = new Set(
    routes.map((it) => shapeOf(it.replace('/users/{*rest}', '/users/{}'))),
  );
  const shape = (path) => shapeOf(path).replace(/\/users\/\{\}\/accounts$/, '/users/{}');
  assert.ok(there.has('/v1/connect/accounts'), 'the routes were read');
  for (const [key, send] of Object.entries(METHODS)) {
    const [, path] = key.split(' ');
    const bare = path.startsWith(`${P}/`) ? path.replace(P, '/v1/connect') : path;
    const before = server.requests.length;
    const failure = await (async () => send(client))().then(() => undefined, (why) => why);
    if (bare === path || (there.has(shape(bare)) && !NAMED.includes(key))) {
      assert.equal(failure, undefined, key);
      const sent = server.requests.at(-1).path;
      assert.match(sent, new RegExp(`^${bare.replaceAll('{}', '[^/]+')}$`), key);
    } else {
      assert.equal(failure?.code, 'invalid_option', key);
      assert.match(failure.message, /projectId/, key);
      assert.equal(server.requests.length, before, key);
    }
  }
});

test('components keep what is inside of their fields', async (t) => {
  const props = { slack: { authProvisionId: 'apn_1' }, channel_id: 'C1' };
  const body = { exports: { $summary: 'x', some_name: 1 }, ret: { a_b: 1 }, stash_id: 's' };
  const server = await serve(t, () => ({ body }));
  const made = await backend(server).actions.run({ ...chosen, configuredProps: props });
  assert.deepEqual(server.requests[0].body.configured_props, props);
  assert.deepEqual(made, { exports: body.exports, ret: body.ret, stashId: 's' });
  const found = await backend(server).deployedTriggers.list({ externalUserId: 'ä b' }).then();
  assert.equal(server.lines().at(-1).endsWith('deployed-triggers?external_user_id=%C3%A4+b'), true);
  assert.ok(found);
});

test('a stashed file goes and comes as it is read, and a refusal is thrown', async (t) => {
  const server = await serve(t, (seen) =>
    seen.method === 'POST'
      ? { status: 201, body: { s3_key: 'k', bytes: 4, expires_at: '2026-01-01T00:00:00Z' } }
      : seen.query.get('s3_key').endsWith('no')
      ? { status: 404, headers: { 'x-grantkeep-error': 'x' }, body: { error: 'No', code: 'x' } }
      : { headers: { 'content-type': 'application/octet-stream' }, body: 'bytes' },
  );
  const { fileStash } = backend(server);
  const body = new Blob(['by', 'te']).stream();
  const made = await fileStash.upload({ externalUserId: 'u', name: 'a b', body });
  assert.deepEqual([made.s3Key, made.expiresAt.getUTCFullYear()], ['k', 2026]);
  const [seen] = server.requests;
  assert.deepEqual([seen.text, seen.headers['content-type']], ['byte', 'application/octet-stream']);
  assert.equal(seen.query.get('name'), 'a b');
  assert.equal(await (await fileStash.download('1day/p/u/s/u/yes')).text(), 'bytes');
  await assert.rejects(fileStash.download('1day/p/u/s/u/no'), { status: 404, code: 'x' });
});

test('an empty name is not everybody', async (t) => {
  const server = await serve(t, () => ({ body: ANSWER }));
  const client = backend(server);
  const empty = { code: 'invalid_option' };
  for (const externalUserId of ['', null, undefined]) {
    await assert.rejects(client.accounts.deleteByApp('slack', { externalUserId }), empty);
    await assert.rejects(client.accounts.retrieve('apn_1', { externalUserId }), empty);
    await assert.rejects(client.accounts.health('apn_1', { externalUserId }), empty);
    await assert.rejects(client.accounts.refresh('apn_1', { externalUserId }), empty);
    await assert.rejects(client.accounts.update('apn_1', {}, { externalUserId }), empty);
    await assert.rejects(client.accounts.delete('apn_1', { externalUserId }), empty);
    await assert.rejects(client.proxy.get('/x', { ...call, externalUserId }), empty);
    if (externalUserId === undefined) continue;
    await assert.rejects(client.accounts.list({ externalUserId }).then(), empty);
    await assert.rejects(client.freeze.begin({ app: externalUserId }), empty);
  }
  assert.equal(server.requests.length, 0);
  await client.users.list({ q: '' }).then();
  assert.equal(server.lines()[0], 'GET /v1/connect/proj_1/users?q=');
});

test('a step within the path is no name', async (t) => {
  const server = await serve(t, () => ({ status: 204 }));
  for (const bad of ['.', '..']) {
    assert.throws(() => backend(server).users.delete(bad), { code: 'invalid_option' });
  }
  assert.equal(server.requests.length, 0);
});
