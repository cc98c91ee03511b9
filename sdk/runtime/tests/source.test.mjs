import assert from 'node:assert/strict';
import { test } from 'node:test';
import { once, worker } from './host.mjs';

const db = () => {
  const kept = new Map();
  return {
    kept,
    calls: {
      'db.set': ({ prop, key, value }) => { kept.set(`${prop}/${key}`, value); },
    },
  };
};

test('a source emits, and remembers', async (t) => {
  const { kept, calls } = db();
  const { host, answer } = await once(t, `export default { props: { db: '$.service.db', timer: '$.interface.timer' }, dedupe: 'unique',
    async run(event) {
      const last = await this.db.get('last');
      this.$emit({ event, last: last ?? 'none', every: this.timer.intervalSeconds }, { id: 1, summary: 's', ts: 5, name: 'n' });
      this.$emit({ plain: true });
      await this.db.set('last', { at: 2 });
      return this;
    } };`, { event: { timestamp: 1 }, props: { timer: { intervalSeconds: 60 }, db: {} } }, { calls });
  assert.deepEqual(answer.ok, { ret: null, flow: null, left: false });
  assert.deepEqual(host.kinds('emit'), [
    { event: { event: { timestamp: 1 }, last: 'none', every: 60 }, meta: { id: 1, name: 'n', summary: 's', ts: 5 } },
    { event: { plain: true }, meta: { id: null, name: null, summary: null, ts: null } },
  ]);
  assert.deepEqual(kept.get('db/last'), { at: 2 });
  await host.run({ event: null, props: { timer: {} }, db: { db: { last: { at: 2 } } } });
  assert.deepEqual(host.kinds('emit')[2].event.last, { at: 2 });
});

test('a database is read at once, and what cannot be kept is told to whoever waits', async (t) => {
  const kept = [];
  const calls = { 'db.set': ({ key, value }) => { if (value === 'large') throw new Error('no room'); kept.push([key, value]); } };
  const { host, answer } = await once(t, `export default { props: { db: '$.service.db' }, async run() {
    const before = this.db.get('n') ?? 0;
    this.db.set('n', before + 1);
    this.db.get('list').push('mine');
    const told = await this.db.set('n', 'large').catch((error) => error.message);
    this.$emit([before, this.db.get('n'), await this.db.get('list'), this.db.get('none') ?? null, told]);
  } };`, { props: { db: {} }, db: { db: { n: 4, list: ['a'] } } }, { calls });
  assert.equal(answer.error, undefined);
  assert.deepEqual(host.kinds('emit')[0].event, [4, 5, ['a'], null, 'no room']);
  assert.deepEqual(kept, [['n', 5]]);
  const lost = await once(t, "export default { props: { db: '$.service.db' }, run() { this.db.set('n', 'large'); } };", { props: { db: {} } }, { calls });
  assert.equal(lost.answer.error.message, 'no room');
});

test('an id that is no number is no id', async (t) => {
  const { host, answer } = await once(t, 'export default { run() { this.$emit(1, { id: NaN, ts: Infinity }); } };');
  assert.equal(answer.error, undefined);
  assert.deepEqual(host.kinds('emit'), [{ event: 1, meta: { id: null, name: null, summary: null, ts: null } }]);
});

test('half a character is a replacement character, wherever it stands', async (t) => {
  const { host, answer } = await once(t, `export default { run() {
    const cut = 'hi \u{1f600}'.slice(0, 4);
    console.log(cut);
    this.$emit({ [cut]: cut, kept: '\\\\ud83d \u{1f600} \\u0001', both: cut + cut }, { id: cut, summary: cut });
  } };`);
  const seen = 'hi \ufffd';
  assert.equal(answer.error, undefined);
  const [emitted] = host.kinds('emit');
  assert.deepEqual(emitted.event, { [seen]: seen, kept: '\\ud83d \u{1f600} \u0001', both: seen + seen });
  assert.equal(emitted.meta.id, seen);
  assert.equal(emitted.meta.summary, seen);
  assert.equal(host.kinds('log')[0].msg, seen);
});

test('an event that is no JSON throws where it is emitted', async (t) => {
  const { answer } = await once(t, 'export default { run() { this.$emit({ a: 1n }); } };');
  assert.equal(answer.error.code, 'not_json');
  assert.match(answer.error.message, /^the emitted event/);
});

test('an HTTP source answers through its interface', async (t) => {
  const asked = [];
  const { answer } = await once(t, `export default { props: { http: { type: '$.interface.http', customResponse: true } },
    async run(event) { await this.http.respond({ status: 202, headers: { a: 'b' }, body: { at: this.http.endpoint } }); await this.http.respond({ body: Buffer.from('x') }); } };`,
  { event: { method: 'POST' }, props: { http: { endpoint: 'https://e' } } }, { calls: { 'http.respond': (it) => { asked.push(it); } } });
  assert.equal(answer.error, undefined);
  assert.deepEqual(asked, [
    { prop: 'http', status: 202, headers: { a: 'b' }, body: { at: 'https://e' } }, { prop: 'http', status: 200, headers: {}, bodyBase64: 'eA==' },
  ]);
});

test('hooks run with the same this', async (t) => {
  const { calls, kept } = db();
  const host = await worker(t, `export default { props: { db: '$.service.db', n: 'integer' }, methods: { twice() { return this.n * 2; } },
    hooks: { async deploy() { this.$emit({ old: 1 }, { id: 'a' }); await this.db.set('n', this.twice()); }, activate() { throw new Error('cannot'); } }, run() {} };`, { calls });
  await host.load();
  const hook = (name) => host.order('hook', { input: { props: { n: 2 }, dynamicProps: null, hook: name } });
  assert.deepEqual((await hook('deploy')).ok, { ret: null });
  assert.equal(kept.get('db/n'), 4);
  assert.equal(host.kinds('emit').length, 1);
  assert.equal((await hook('activate')).error.message, 'cannot');
  assert.deepEqual((await hook('deactivate')).ok, { ret: null });
});
