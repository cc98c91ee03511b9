import assert from 'node:assert/strict';
import { test } from 'node:test';
import { worker } from './host.mjs';

async function described(t, code) {
  const host = await worker(t, typeof code === 'string' ? `export default ${code};` : code);
  return (await host.load()).ok?.component ?? assert.fail('not loaded');
}
const propsOf = async (t, props) => (await described(t, `{ type: 'action', props: ${props} }`)).props;

test('what a component does not say is null', async (t) => {
  assert.deepEqual(await described(t, '{}'), {
    key: null, name: null, version: null, description: null, type: 'source', annotations: null, dedupe: null, stash: null,
    sampleEmit: false, props: [], hooks: [], run: false, additionalProps: false,
  });
});

test('a component says what it is', async (t) => {
  const found = await described(t, `{
    key: 'x-y', name: 'Y', version: '1.2.3', description: 'd', type: 'source', dedupe: 'unique', sampleEmit: { a: 1 },
    annotations: { readOnlyHint: true, destructiveHint: 'no', title: 'T', other: 1 },
    hooks: { deploy() {}, async deactivate() {}, other() {} }, run() {}, additionalProps() { return {}; } }`);
  assert.deepEqual(found, {
    key: 'x-y', name: 'Y', version: '1.2.3', description: 'd', type: 'source', annotations: { readOnlyHint: true, title: 'T' },
    dedupe: 'unique', stash: null, sampleEmit: true, props: [], hooks: ['deploy', 'deactivate'], run: true, additionalProps: true,
  });
});

test('every type of prop has its wire form, in the order of declaration', async (t) => {
  const props = await propsOf(t, `{
    z: { type: 'string', label: 'L', description: 'D', optional: true, default: 'a', secret: true, format: 'file-ref', options: ['a', { label: 'B', value: 'b' }] },
    list: { type: 'string[]', default: ['a'] },
    n: { type: 'integer', min: 1, max: 5, default: 2, options: [1, { label: 'two', value: 2 }] },
    ns: { type: 'integer[]', default: [1], min: 0 },
    b: { type: 'boolean', default: false },
    o: { type: 'object', default: { a: 1 } },
    any: { type: 'any', default: [1] },
    note: { type: 'alert', alertType: 'warning', content: 'mind' },
    data: { type: 'data_store' },
    req: { type: 'http_request', default: { method: 'GET', url: 'https://x.y' } },
    sql: { type: 'sql', auth: { app: 'postgresql' }, default: { value: '', query: '', params: [], usePreparedStatements: false } },
    dir: { type: 'dir', accessMode: 'write', sync: true },
    db: '$.service.db',
    http: { type: '$.interface.http', customResponse: true },
    timer: { type: '$.interface.timer', default: { intervalSeconds: 900 }, static: { cron: '0 * * * *' } },
    hook: { type: '$.interface.apphook', appProp: 'discord', eventNames: ['x'] },
    one: { type: '$.discord.channel', appProp: 'discord' },
    many: { type: '$.discord.channel[]', appProp: 'discord' },
    base: { type: '$.airtable.baseId', appProp: 'airtable' },
    table: { type: '$.airtable.tableId', baseIdProp: 'base' },
    view: { type: '$.airtable.viewId', tableIdProp: 'table' },
    field: { type: '$.airtable.fieldId', tableIdProp: 'table' },
  }`);
  assert.deepEqual(props, [
    {
      name: 'z', type: 'string', label: 'L', description: 'D', optional: true, secret: true, format: 'file-ref', default: 'a',
      options: ['a', { label: 'B', value: 'b' }],
    },
    { name: 'list', type: 'string[]', default: ['a'] },
    { name: 'n', type: 'integer', min: 1, max: 5, default: 2, options: [1, { label: 'two', value: 2 }] },
    { name: 'ns', type: 'integer[]', min: 0, default: [1] },
    { name: 'b', type: 'boolean', default: false },
    { name: 'o', type: 'object', default: { a: 1 } },
    { name: 'any', type: 'any', default: [1] },
    { name: 'note', type: 'alert', alertType: 'warning', content: 'mind' },
    { name: 'data', type: 'data_store' },
    { name: 'req', type: 'http_request', default: { method: 'GET', url: 'https://x.y' } },
    { name: 'sql', type: 'sql', auth: { app: 'postgresql' }, default: { value: '', query: '', params: [], usePreparedStatements: false } },
    { name: 'dir', type: 'dir', accessMode: 'write', sync: true },
    { name: 'db', type: '$.service.db' },
    { name: 'http', type: '$.interface.http', customResponse: true },
    { name: 'timer', type: '$.interface.timer', static: { cron: '0 * * * *' }, default: { intervalSeconds: 900 } },
    { name: 'hook', type: '$.interface.apphook', appProp: 'discord', eventNames: ['x'] },
    { name: 'one', type: '$.discord.channel', appProp: 'discord' },
    { name: 'many', type: '$.discord.channel[]', appProp: 'discord' },
    { name: 'base', type: '$.airtable.baseId', appProp: 'airtable' },
    { name: 'table', type: '$.airtable.tableId', baseIdProp: 'base' },
    { name: 'view', type: '$.airtable.viewId', tableIdProp: 'table' },
    { name: 'field', type: '$.airtable.fieldId', tableIdProp: 'table' },
  ]);
});

test('what clients cannot read is left out', async (t) => {
  assert.deepEqual(await propsOf(t, `{
    a: { type: 'string', default: 5, min: 1, nonsense: 1, label: 7, optional: 'yes' },
    b: { type: 'string[]', default: 'x' },
    c: { type: 'integer', default: '7', min: 1.5 },
    d: { type: 'sql', default: { query: '' } },
    e: { type: 'boolean[]' }, f: { type: 'number' }, g: { type: 'number[]' }, h: { type: 'object[]' },
    i: { type: 'string', options: [{ label: 'x' }, { value: 'y' }, 3, 'z'] },
    j: { type: 'alert', content: 'x', alertType: 'loud' },
    k: undefined,
  }`), [
    { name: 'a', type: 'string' }, { name: 'b', type: 'string[]' }, { name: 'c', type: 'integer' }, { name: 'd', type: 'sql' },
    { name: 'e', type: 'any' }, { name: 'f', type: 'any' }, { name: 'g', type: 'any' }, { name: 'h', type: 'any' },
    { name: 'i', type: 'string', options: ['z'] }, { name: 'j', type: 'alert', content: 'x' },
  ]);
});

test('apps, shorthands and async options', async (t) => {
  assert.deepEqual(await propsOf(t, `{
    slack: { type: 'app', app: 'slack', methods: { x() {} }, propDefinitions: {} },
    name: 'string',
    c: { type: 'string', async options() { return []; }, useQuery: true, reloadProps: true, withLabel: true, hidden: true, disabled: true },
  }`), [
    { name: 'slack', type: 'app', app: 'slack' }, { name: 'name', type: 'string' },
    { name: 'c', type: 'string', disabled: true, hidden: true, useQuery: true, reloadProps: true, withLabel: true, remoteOptions: true },
  ]);
});

test('a propDefinition is copied in, and what stands beside it wins', async (t) => {
  const files = {
    'common/base.app.mjs': `export default { type: 'app', app: 'base', propDefinitions: {
      channel: { type: 'string', label: 'Channel', description: 'of base', options() { return []; } } } };`,
    'index.mjs': `import base from './common/base.app.mjs';
      const app = { type: 'app', app: 'slack', propDefinitions: {
        channel: { propDefinition: [base, 'channel'], description: 'of slack' }, n: { type: 'integer', options: [1] } } };
      export default { type: 'action', props: { app,
        channel: { propDefinition: [app, 'channel', () => ({})], label: 'Mine', optional: true },
        n: { propDefinition: [app, 'n'], options: [2] } } };`,
  };
  assert.deepEqual((await described(t, files)).props, [
    { name: 'app', type: 'app', app: 'slack' },
    { name: 'channel', type: 'string', label: 'Mine', description: 'of slack', optional: true, remoteOptions: true },
    { name: 'n', type: 'integer', options: [2] },
  ]);
});

const faults = [
  ['no default export', 'export const x = 1;', /index\.mjs has no component as its default export/],
  ['a number', 'export default 7;', /has no component as its default export/],
  ['an unknown type', "export default { props: { a: { type: 'strng' } } };", /props\.a has the type "strng", which there is not/],
  ['no type', 'export default { props: { a: {} } };', /props\.a has no type/],
  ['no prop', 'export default { props: { a: 7 } };', /props\.a must be a type, an object with a type, or an app; it is a number/],
  ['an unknown propDefinition', "const app = { app: 'x', propDefinitions: { b: {} } }; export default { props: { a: { propDefinition: [app, 'c'] } } };",
    /props\.a: the app x has no propDefinition "c"\. It has: b/],
  ['a circle of propDefinitions', "const app = { app: 'x', propDefinitions: {} }; app.propDefinitions.a = { propDefinition: [app, 'a'] }; export default { props: { a: app.propDefinitions.a } };",
    /leads in a circle/],
  ['a missing attribute', "export default { props: { a: { type: 'app' } } };", /props\.a of type "app" needs app/],
  ['an unknown kind', "export default { type: 'thing' };", /type is "thing"; it is "action" or "source"/],
  ['a run that is none', "export default { type: 'action', run: 7 };", /run is not a function/],
];
for (const [name, code, message] of faults) {
  test(`a component with ${name} is faulted`, async (t) => {
    const { error } = await (await worker(t, code)).load();
    assert.match(error.message, message);
    assert.equal(error.code, 'definition');
  });
}

test('CommonJS, a function alone, and a transpiled module are components', async (t) => {
  const files = {
    'a.cjs': "module.exports = { type: 'action', key: 'a' };",
    'b.mjs': 'export default async function ({ steps, $ }) { return 7; }',
    'c.cjs': "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = { type: 'action', key: 'c' };",
  };
  const load = async (entry) => (await (await worker(t, files)).load(entry)).ok.component;
  assert.equal((await load('a.cjs')).key, 'a');
  assert.equal((await load('b.mjs')).type, 'action');
  assert.equal((await load('c.cjs')).key, 'c');
});
