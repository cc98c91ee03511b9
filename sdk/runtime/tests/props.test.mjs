import assert from 'node:assert/strict';
import { test } from 'node:test';
import { action, once, worker } from './host.mjs';

const seen = (props, more = '') => action('const { ...all } = this; return JSON.parse(JSON.stringify(all));', `props: ${props}, ${more}`);

test('chosen options are unwrapped, unless the prop wants their labels', async (t) => {
  const lv = (label, value) => ({ __lv: { label, value } });
  const { answer } = await once(t, seen(`{ a: 'string', b: 'string[]', c: { type: 'string', withLabel: true }, d: { type: 'string[]', withLabel: true },
    e: { type: 'string', withLabel: true }, f: 'object', g: 'string[]' }`), {
    props: {
      a: lv('A', 'a'), b: { __lv: [{ label: 'X', value: 'x' }, { label: 'Y', value: 'y' }] }, c: lv('C', 'c'),
      d: { __lv: [{ label: 'D', value: 'd' }] }, e: 'plain', f: { deep: [lv('Z', 1)] }, g: [lv('G', 'g'), 'h'],
    },
  });
  assert.deepEqual(answer.ok.ret, {
    a: 'a', b: ['x', 'y'], c: { label: 'C', value: 'c' }, d: [{ label: 'D', value: 'd' }], e: { label: 'plain', value: 'plain' },
    f: { deep: [1] }, g: ['g', 'h'],
  });
});

test('a default is taken where nothing is given, and no run changes it for the next', async (t) => {
  const code = action('this.list.push(1); return [this.n, this.list, this.gone];',
    "props: { n: { type: 'integer', default: 5 }, list: { type: 'any', default: [] }, gone: { type: 'string', optional: true } },");
  const { host, answer } = await once(t, code, { props: { n: null } });
  assert.deepEqual(answer.ok.ret, [5, [1], null]);
  assert.deepEqual((await host.run({ props: { n: 0 } })).ok.ret, [0, [1], null]);
});

test('values near their type are read as it', async (t) => {
  const { answer } = await once(t, seen(`{ o: 'object', i: 'integer', b: 'boolean', s: 'string', l: 'string[]', one: 'string[]', is: 'integer[]',
    bad: 'integer', text: 'object', os: 'object[]', num: 'number' }`), {
    props: {
      o: '{"a":1}', i: '12', b: 'false', s: 12, l: '["a","b"]', one: 'a', is: ['1', 2], bad: 'x', text: 'no json', os: ['{"a":1}'], num: '1.5',
    },
  });
  assert.deepEqual(answer.ok.ret, {
    o: { a: 1 }, i: 12, b: false, s: '12', l: ['a', 'b'], one: ['a'], is: [1, 2], bad: 'x', text: 'no json', os: [{ a: 1 }], num: 1.5,
  });
});

const APP = `const slack = { type: 'app', app: 'slack',
  propDefinitions: { channel: { type: 'string', async options(q) { return { options: [{ label: this.token(), value: JSON.stringify(q) }], context: { next: 2 } }; } } },
  methods: { token() { return this.$auth.oauth_access_token; }, twice() { return this.token() + this.token(); } } };`;

test('an app has $auth, and methods that know it', async (t) => {
  const code = APP + action('const { twice } = this.slack; return [this.slack.$auth, twice(), this.both("x"), Object.keys(this.slack.propDefinitions)];',
    'props: { slack, n: "integer" }, methods: { both(x) { return x + this.n + this.slack.token(); } },');
  const { answer } = await once(t, code, { props: { slack: { $auth: { oauth_access_token: 't' }, app: 'slack' }, n: 1 } });
  assert.deepEqual(answer.ok.ret, [{ oauth_access_token: 't' }, 'tt', 'x1t', ['channel']]);
});

test('apps nest', async (t) => {
  const code = `const inner = { type: 'app', app: 'inner', methods: { key() { return this.$auth.api_key; } } };
    const outer = { type: 'app', app: 'outer', props: { inner }, methods: { get() { return this.inner.key(); } } };`
    + action('return this.outer.get();', 'props: { outer },');
  const { answer } = await once(t, code, { props: { outer: { $auth: {}, inner: { $auth: { api_key: 'k' } } } } });
  assert.equal(answer.ok.ret, 'k');
});

test('an app without an account has no $auth', async (t) => {
  const { answer } = await once(t, action('return this.slack.$auth.oauth_access_token;', "props: { slack: { type: 'app', app: 'slack' } },"));
  assert.match(answer.error.message, /Cannot read properties of undefined \(reading 'oauth_access_token'\)/);
});

test('a data store keeps, finds, forgets and is iterated', async (t) => {
  const store = new Map();
  const asked = [];
  const on = (act) => (params) => {
    asked.push(params);
    return act(params);
  };
  const calls = {
    'store.get': on(({ key }) => ({ found: store.has(key), value: store.get(key) })),
    'store.set': on(({ key, value }) => { store.set(key, value); }),
    'store.has': on(({ key }) => store.has(key)),
    'store.keys': on(() => [...store.keys()]),
    'store.delete': on(({ key }) => { store.delete(key); }),
    'store.clear': on(() => { store.clear(); }),
  };
  const { answer } = await once(t, action(`
    const { data } = this;
    await data.set('a', { n: 1 }); await data.set('b', 2, { ttl: 60 }); await data.set('c', 3, 5);
    await data.delete('c');
    const all = []; for await (const [key, value] of data) all.push([key, value]);
    const found = [await data.get('a'), await data.get('zz') === undefined, await data.has('b'), await data.has('c'), await data.keys(), all];
    await data.clear();
    return [...found, await data.keys()];`, "props: { data: { type: 'data_store' } },"), { props: { data: { store: 'ds_1' } } }, { calls });
  assert.deepEqual(answer.ok?.ret, [{ n: 1 }, true, true, false, ['a', 'b'], [['a', { n: 1 }], ['b', 2]], []], JSON.stringify(answer.error));
  assert.deepEqual(asked.slice(0, 3), [
    { store: 'ds_1', key: 'a', value: { n: 1 } }, { store: 'ds_1', key: 'b', value: 2, ttl: 60 }, { store: 'ds_1', key: 'c', value: 3, ttl: 5 },
  ]);
});

test('what the host refuses throws in the code', async (t) => {
  const calls = { 'store.set': () => { throw Object.assign(new Error('the store is full'), { name: 'StoreFull' }); } };
  const { answer } = await once(t, action(`
    try { await this.data.set('a', 1); } catch (error) { return [error.name, error.message, error instanceof Error]; }`,
    "props: { data: { type: 'data_store' } },"), { props: { data: { store: 'ds_1' } } }, { calls });
  assert.deepEqual(answer.ok.ret, ['StoreFull', 'the store is full', true]);
});

test('an http_request can be sent', async (t) => {
  const serve = (request, response) => {
    let body = '';
    request.on('data', (text) => { body += text; });
    request.on('end', () => {
      const { method, url, headers } = request;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ method, url, body, type: headers['content-type'], auth: headers.authorization, x: headers['x-a'] }));
    });
  };
  const code = action('const { status, data } = await this.req.execute(); return { status, ...data };', "props: { req: { type: 'http_request' } },");
  const req = {
    method: 'POST', url: 'https://api.x.test/a', params: [{ name: 'q', value: '1' }, { name: 'off', value: '2', disabled: true }],
    headers: [{ name: 'x-a', value: 'b' }], auth: { type: 'basic', username: 'u', password: 'p' },
    body: { contentType: 'application/json', mode: 'fields', fields: [{ name: 'k', value: 'v' }] },
  };
  const { host, answer } = await once(t, code, { props: { req } }, { serve });
  assert.deepEqual(answer.ok?.ret, {
    status: 200, method: 'POST', url: '/a?q=1', body: '{"k":"v"}', type: 'application/json', auth: 'Basic dTpw', x: 'b',
  }, JSON.stringify(answer.error));
  const raw = { ...req, auth: { type: 'bearer', token: 't' }, body: { contentType: 'text/xml', mode: 'raw', raw: '<a/>' } };
  const second = (await host.run({ props: { req: raw } })).ok.ret;
  assert.deepEqual([second.body, second.type, second.auth], ['<a/>', 'text/xml', 'Bearer t']);
});

test('sql, dir, alert, timer and channel props are what their apps expect', async (t) => {
  const { answer } = await once(t, seen(`{ sql: { type: 'sql', auth: { app: 'postgresql' } }, dir: { type: 'dir' }, note: { type: 'alert', content: 'x' },
    timer: '$.interface.timer', one: { type: '$.discord.channel', appProp: 'd' }, base: { type: '$.airtable.baseId', appProp: 'a' } }`), {
    props: {
      sql: { value: 'select 1', query: 'select 1', params: [], usePreparedStatements: false }, timer: { intervalSeconds: 60 },
      one: { __lv: { label: '#a', value: '1' } }, base: 'app1',
    },
  });
  const { dir, ...rest } = answer.ok.ret;
  assert.match(dir.path, /stash$/);
  assert.deepEqual(rest, {
    sql: { value: 'select 1', query: 'select 1', params: [], usePreparedStatements: false }, timer: { intervalSeconds: 60 }, one: '1', base: 'app1',
  });
});

const OPTIONS = `${APP}
export default { type: 'action', props: { slack, kind: 'string',
  channel: { propDefinition: [slack, 'channel', (c) => ({ kind: c.kind })] },
  fixed: { propDefinition: [slack, 'channel', { kind: 'fixed' }] },
  own: { type: 'string', useQuery: true, async options({ query, page, prevContext }) { return [this.kind, query ?? 'none', String(page), JSON.stringify(prevContext)]; } },
  numbers: { type: 'integer', options: async () => [1, { label: 'two', value: 2 }, { value: 3 }] },
  fails: { type: 'string', options() { throw new Error('no rights'); } },
  none: { type: 'string', options: async () => undefined }, still: { type: 'string', options: ['x'] } } };`;

test('options are asked with page, context, query and inputs', async (t) => {
  const host = await worker(t, OPTIONS);
  await host.load();
  const ask = async (prop, more = {}) => {
    const input = { props: { slack: { $auth: { oauth_access_token: 'tok' } }, kind: 'public' }, dynamicProps: null, prop, page: 0, ...more };
    const answer = await host.order('options', { input });
    return answer.ok ?? answer.error;
  };
  const question = (found) => JSON.parse(found.options[0].value);
  const first = await ask('channel');
  assert.equal(first.options[0].label, 'tok');
  assert.deepEqual(question(first), { page: 0, prevContext: {}, kind: 'public' });
  assert.deepEqual([first.context, first.stringOptions], [{ next: 2 }, null]);
  assert.deepEqual(question(await ask('channel', { page: 1, prevContext: { next: 2 } })), { page: 1, prevContext: { next: 2 }, kind: 'public' });
  assert.equal(question(await ask('fixed')).kind, 'fixed');
  assert.deepEqual(await ask('own', { query: 'ab', page: 3 }), { options: null, stringOptions: ['public', 'ab', '3', '{}'], context: null });
  assert.deepEqual((await ask('numbers')).options, [{ label: '1', value: 1 }, { label: 'two', value: 2 }, { label: '3', value: 3 }]);
  assert.equal((await ask('fails')).message, 'no rights');
  assert.deepEqual(await ask('none'), { options: [], stringOptions: null, context: null });
  assert.deepEqual((await ask('still')).stringOptions, ['x']);
  assert.match((await ask('nothing')).message, /has no prop "nothing"/);
});

const DYNAMIC = `export default { type: 'action', props: { table: { type: 'string', reloadProps: true, hidden: false }, other: 'string' },
  async additionalProps(previous) {
    previous.other.hidden = true;
    const names = Object.keys(previous).join(',');
    if (!this.table) return {};
    return { table: { disabled: true }, ['col_' + this.table]: { type: 'string', label: names, options: async () => [this.table + '1'] } };
  },
  run() { return { ...this }; } };`;

test('additionalProps gives the complete list, static and dynamic', async (t) => {
  const host = await worker(t, DYNAMIC);
  assert.equal((await host.load()).ok.component.additionalProps, true);
  const reload = async (props, dynamicProps = null) => {
    const answer = await host.order('additionalProps', { input: { props, dynamicProps } });
    return answer.ok?.props ?? assert.fail(answer.error.stack);
  };
  const column = { name: 'col_t', type: 'string', label: 'table,other', remoteOptions: true };
  const before = [{ name: 'table', type: 'string', hidden: false, disabled: true, reloadProps: true }, { name: 'other', type: 'string', hidden: true }];
  const first = await reload({ table: 't' });
  assert.deepEqual(first.map((it) => it.name), ['table', 'other', 'col_t']);
  assert.deepEqual(first, [{ ...before[0] }, before[1], column]);
  const second = await reload({ table: 'u' }, first);
  assert.deepEqual(second[2], { ...column, name: 'col_u', label: 'table,other,col_t' });
  assert.deepEqual((await reload({})).map((it) => it.name), ['table', 'other']);
  const options = await host.order('options', { input: { props: { table: 't' }, dynamicProps: first, prop: 'col_t', page: 0 } });
  assert.deepEqual(options.ok.stringOptions, ['t1']);
  const run = await host.run({ props: { table: 't', col_t: { __lv: { label: 'L', value: 'v' } }, stray: 1 }, dynamicProps: first });
  assert.deepEqual(run.ok.ret, { table: 't', col_t: 'v' });
});
