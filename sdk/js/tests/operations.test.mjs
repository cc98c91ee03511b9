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
const call = { accountId: 'apn_1' };
const chosen = { id: 'k', externalUserId: 'u' };

/** What sends which call. Some are of later servers than this document. */
const METHODS = {
  'GET /v1/connect/apps': (c) => c.apps.list().then(),
  'GET /v1/connect/apps/{}': (c) => c.apps.retrieve('slack'),
  'GET /v1/connect/app_categories': (c) => c.appCategories.list(),
  'GET /v1/connect/app_categories/{}': (c) => c.appCategories.retrieve('appcat_1'),
  'GET /v1/connect/projects': (c) => c.projects.list().then(),
  'POST /v1/connect/projects': (c) => c.projects.create({ name: 'p' }),
  'GET /v1/connect/projects/{}': (c) => c.projects.retrieve('proj_2'),
  'PATCH /v1/connect/projects/{}': (c) => c.projects.update('proj_2', {}),
  'DELETE /v1/connect/projects/{}': (c) => c.projects.delete('proj_2'),
  'POST /v1/connect/projects/{}/logo': (c) => c.projects.updateLogo('proj_2', 'data:,'),
  [`GET ${P}/projects/info`]: (c) => c.projects.retrieveInfo(),
  'GET /v1/connect/tokens/{}/validate': (c) => c.tokens.validate('ctok_1'),
  [`POST ${P}/tokens`]: (c) => c.tokens.create({ externalUserId: 'u' }),
  [`POST ${P}/flows/{}/confirm`]: (c) => c.confirmFlow('flc_1', 'u'),
  [`GET ${P}/accounts`]: (c) => c.accounts.list().then(),
  [`POST ${P}/accounts`]: (c) =>
    c.accounts.create({ externalUserId: 'u', appSlug: 'a', fields: {}, connectToken: 'ctok_1' }),
  [`GET ${P}/accounts/{}`]: (c) => c.accounts.retrieve('apn_1'),
  [`PATCH ${P}/accounts/{}`]: (c) => c.accounts.update('apn_1', { keepAlive: true }),
  [`DELETE ${P}/accounts/{}`]: (c) => c.accounts.delete('apn_1', { revoke: false }),
  [`GET ${P}/accounts/{}/health`]: (c) => c.accounts.health('apn_1'),
  [`POST ${P}/accounts/{}/refresh`]: (c) => c.accounts.refresh('apn_1'),
  [`GET ${P}/accounts/{}/revocation`]: (c) => c.accounts.revocation('apn_1'),
  [`DELETE ${P}/apps/{}/accounts`]: (c) => c.accounts.deleteByApp('slack'),
  [`GET ${P}/users`]: (c) => c.users.list().then(),
  [`GET ${P}/users/{}/accounts`]: (c) => c.accounts.listByExternalUser('u'),
  [`DELETE ${P}/users/{}`]: (c) => c.users.delete('u'),
  [`GET ${P}/erasures/{}`]: (c) => c.users.erasure('era_1'),
  [`GET ${P}/app_overrides`]: (c) => c.appOverrides.list().then(),
  [`POST ${P}/app_overrides`]: (c) => c.appOverrides.create({ app: 'a', name: 'n' }),
  [`GET ${P}/app_overrides/{}`]: (c) => c.appOverrides.retrieve('ao_1'),
  [`PUT ${P}/app_overrides/{}`]: (c) => c.appOverrides.update('ao_1', {}),
  [`DELETE ${P}/app_overrides/{}`]: (c) => c.appOverrides.delete('ao_1'),
  [`GET ${P}/custom_apps`]: (c) => c.customApps.list().then(),
  [`POST ${P}/custom_apps`]: (c) => c.customApps.create(''),
  [`POST ${P}/custom_apps/discover`]: (c) => c.customApps.discover({ url: 'https://x' }),
  [`GET ${P}/custom_apps/{}`]: (c) => c.customApps.retrieve('p'),
  [`PUT ${P}/custom_apps/{}`]: (c) => c.customApps.replace('p', { definition: '' }),
  [`DELETE ${P}/custom_apps/{}`]: (c) => c.customApps.delete('p'),
  [`GET ${P}/oauth_apps`]: (c) => c.oauthApps.list().then(),
  [`POST ${P}/oauth_apps`]: (c) =>
    c.oauthApps.create({ app: 'a', clientId: 'i', clientSecret: 's' }),
  [`GET ${P}/oauth_apps/{}`]: (c) => c.oauthApps.retrieve('oa_1'),
  [`PUT ${P}/oauth_apps/{}`]: (c) => c.oauthApps.update('oa_1', {}),
  [`DELETE ${P}/oauth_apps/{}`]: (c) => c.oauthApps.delete('oa_1'),
  [`GET ${P}/freeze`]: (c) => c.freeze.retrieve(),
  [`PUT ${P}/freeze`]: (c) => c.freeze.begin({ app: 'slack' }),
  [`DELETE ${P}/freeze`]: (c) => c.freeze.end(),
  [`GET ${P}/webhook`]: (c) => c.projectEnvironment.retrieveWebhook(),
  [`PUT ${P}/webhook`]: (c) => c.projectEnvironment.updateWebhook({ url: 'https://x' }),
  [`DELETE ${P}/webhook`]: (c) => c.projectEnvironment.deleteWebhook(),
  [`POST ${P}/webhook/regenerate_signing_key`]: (c) =>
    c.projectEnvironment.regenerateWebhookSigningKey(),
  [`POST ${P}/webhook/reset_delivery_state`]: (c) =>
    c.projectEnvironment.resetWebhookDeliveryState(),
  [`GET ${P}/webhooks`]: (c) => c.webhooks.list(),
  [`POST ${P}/webhooks`]: (c) => c.webhooks.create({ url: 'https://x' }),
  [`GET ${P}/webhooks/deliveries`]: (c) => c.webhooks.deliveries().then(),
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
  [`DELETE ${P}/components/{}`]: (c) => c.components.delete('~/x'),
  [`GET ${P}/runs`]: (c) => c.runs.list({ externalUserId: 'u' }).then(),
  [`GET ${P}/runs/{}`]: (c) => c.runs.retrieve('run_1'),
  [`POST ${P}/actions/run`]: (c) => c.actions.run(chosen),
  [`POST ${P}/triggers/deploy`]: (c) => c.triggers.deploy(chosen),
  [`GET ${P}/file_stash/download`]: (c) => c.fileStash.download('1day/a/b/c/u/d'),
  [`POST ${P}/file_stash`]: (c) =>
    c.fileStash.upload({ externalUserId: 'u', name: 'a.txt', body: 'abc' }),
  [`GET ${P}/usage`]: (c) => c.usage.ofProject({ startTs: 1, endTs: 2, by: 'hour' }),
  'GET /v1/connect/rate_limits': (c) => c.rateLimits.list().then(),
  'DELETE /v1/connect/rate_limits/{}': (c) => c.rateLimits.delete('rl_1'),
  'GET /v1/connect/usage': (c) => c.usage.list({ startTs: 1, endTs: 2 }),
  'POST /v1/connect/rate_limits': (c) =>
    c.rateLimits.create({ windowSizeSeconds: 1, requestsPerWindow: 2 }),
};
for (const kind of ['components', 'actions', 'triggers']) {
  METHODS[`GET ${P}/${kind}`] = (c) => c[kind].list().then();
  METHODS[`GET ${P}/${kind}/{}`] = (c) => c[kind].retrieve('~/x');
  METHODS[`POST ${P}/${kind}/configure`] = (c) => c[kind].configure({ ...chosen, propName: 'p' });
  METHODS[`POST ${P}/${kind}/props`] = (c) => c[kind].reloadProps(chosen);
}
const D = `${P}/deployed-triggers`;
Object.assign(METHODS, {
  [`GET ${D}`]: (c) => c.deployedTriggers.list({ externalUserId: 'u' }).then(),
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
  [`GET ${W}`]: (c) => c.workflows.list().then(),
  [`POST ${W}`]: (c) => c.workflows.deploy({ files: [{ path: 'workflow.yaml', text: '' }] }),
  [`GET ${W}/{}`]: (c) => c.workflows.retrieve('hello'),
  [`DELETE ${W}/{}`]: (c) => c.workflows.delete('hello'),
  [`POST ${W}/{}/invoke`]: (c) => c.workflows.invoke('hello', { externalUserId: 'u' }),
  [`GET ${R}`]: (c) => c.workflowRuns.list({ workflow: 'hello' }).then(),
  [`GET ${R}/{}`]: (c) => c.workflowRuns.retrieve('wfr_1'),
  [`POST ${R}/{}/replay`]: (c) => c.workflowRuns.replay('wfr_1'),
  [`POST ${R}/{}/cancel`]: (c) => c.workflowRuns.cancel('wfr_1'),
});

const ANSWER = { data: [], page_info: {}, workflow_ids: [] };

function backend(server) {
  return createBackendClient({ baseUrl: server.url, projectId: 'proj_1', apiKey: 'gk_key' });
}

test('every call of the document has a method', () => {
  const file = new URL('../../../docs/openapi.json', import.meta.url);
  const { paths } = JSON.parse(readFileSync(file, 'utf8'));
  const missing = [];
  for (const [path, methods] of Object.entries(paths)) {
    // What follows the user's name is a part of that path.
    const rest = path === '/v1/connect/{project}/users/{*rest}';
    for (const method of Object.keys(methods)) {
      const plain = rest && method === 'get' ? path.replace('{*rest}', '{}/accounts') : path;
      const shape = plain.replace(/\{[^}]*\}/g, '{}');
      const key = `${method.toUpperCase()} ${shape}`;
      if (!OLDER.includes(shape) && !(key in ELSEWHERE) && !(key in METHODS)) missing.push(key);
    }
  }
  assert.deepEqual(missing, []);
});

test('each method sends its call', async (t) => {
  const server = await serve(t, () => ({ body: ANSWER }));
  const client = backend(server);
  for (const [key, send] of Object.entries(METHODS)) {
    await send(client);
    const { method, path } = server.requests.at(-1);
    const [wanted, shape] = key.split(' ');
    assert.equal(method, wanted, key);
    assert.match(path, new RegExp(`^${shape.replaceAll('{}', '[^/]+')}$`), key);
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
  for (const externalUserId of ['', null]) {
    await assert.rejects(client.accounts.list({ externalUserId }).then(), empty);
    await assert.rejects(client.accounts.deleteByApp('slack', { externalUserId }), empty);
    await assert.rejects(client.proxy.get('/x', { ...call, externalUserId }), empty);
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
