import assert from 'node:assert/strict';
import { test } from 'node:test';
import { action, once, worker } from './host.mjs';

test('exports, with $summary', async (t) => {
  const { host } = await once(t, action("$.export('$summary', 'S'); $.export('none'); $.export('a', [1]); $.summary('T');"));
  assert.deepEqual(host.kinds('export'), [
    { name: '$summary', value: 'S' }, { name: 'none', value: null }, { name: 'a', value: [1] }, { name: '$summary', value: 'T' },
  ]);
});

test('steps, context and props come from the host', async (t) => {
  const { answer } = await once(t, action('return [steps.trigger.event.a, $.context.id, $.context.deadline];'), {
    steps: { trigger: { event: { a: 1 } } }, context: { id: 'x', deadline: 5 },
  });
  assert.deepEqual(answer.ok.ret, [1, 'x', 5]);
});

test('an answer may be text, bytes, JSON or a stream', async (t) => {
  const { host, answer } = await once(t, action(`
    const { Readable } = await import('node:stream');
    $.respond({ status: 201, headers: { 'x-a': 'b' }, body: 'text' });
    $.respond({ body: Buffer.from([1, 2]) });
    await $.respond({ immediate: true, body: { a: 1 } });
    $.respond({ body: Readable.from(['a', Buffer.from('b')]) });
    $.respond({ status: 204 });`));
  assert.equal(answer.error, undefined);
  const sent = host.kinds('respond');
  const find = (match) => sent.find(match);
  assert.equal(sent.length, 5);
  assert.deepEqual(find((it) => it.status === 201), { status: 201, headers: { 'x-a': 'b' }, body: 'text', immediate: false });
  assert.deepEqual(find((it) => it.immediate), { status: 200, headers: {}, body: { a: 1 }, immediate: true });
  assert.deepEqual(sent.map((it) => it.bodyBase64).filter(Boolean).sort(), ['AQI=', 'YWI=']);
  assert.deepEqual(find((it) => it.status === 204), { status: 204, headers: {}, immediate: false });
});

test('an answer with a bad status fails the run', async (t) => {
  const { answer } = await once(t, action('await $.respond({ status: 99 });'));
  assert.match(answer.error.message, /from 100 to 599, not 99/);
});

const flows = [
  ["return $.flow.exit('done');", { kind: 'exit', reason: 'done' }, false, null],
  ["$.flow.exit('later'); return 7;", { kind: 'exit', reason: 'later' }, true, 7],
  ['return $.flow.exit();', { kind: 'exit', reason: null }, false, null],
  ['return $.flow.delay(1000, { a: 1 });', { kind: 'delay', ms: 1000, context: { a: 1 } }, false, null],
  ['$.flow.suspend(); return 1;', { kind: 'suspend', ms: 86400000, context: null }, true, 1],
  ['return $.flow.suspend(5000);', { kind: 'suspend', ms: 5000, context: null }, false, null],
  ['return $.flow.rerun(10, { n: 1 });', { kind: 'rerun', ms: 10, context: { n: 1 }, retries: 10 }, false, null],
  ['return $.flow.rerun(10, null, 3);', { kind: 'rerun', ms: 10, context: null, retries: 3 }, false, null],
  ["runtime.$end('enough');", { kind: 'end', message: 'enough' }, false, null],
];
for (const [code, flow, left, ret] of flows) {
  test(`flow: ${code}`, async (t) => {
    const calls = { 'flow.urls': ({ kind }) => ({ resume_url: `https://r/${kind}`, cancel_url: 'https://c' }) };
    const { answer } = await once(t, action(code), {}, { calls });
    assert.deepEqual(answer.ok, { ret, flow, left });
  });
}

test('a flow that was called before an error is told with it', async (t) => {
  const { answer } = await once(t, action("$.flow.exit('revoked'); throw new Error('401');"));
  assert.deepEqual([answer.error.message, answer.error.flow], ['401', { kind: 'exit', reason: 'revoked' }]);
});

test('the addresses that resume are there at once when the context has them, else they can be awaited', async (t) => {
  const calls = { 'flow.urls': ({ kind }) => ({ resume_url: `https://r/${kind}`, cancel_url: 'https://c' }) };
  const { host, answer } = await once(t, action(`
    if (steps.wait) { const urls = await $.flow.suspend(); $.export('urls', urls); return urls; }
    const { resume_url, cancel_url } = $.flow.suspend(); $.export('urls', { resume_url, cancel_url });`), { steps: { wait: true } }, { calls });
  assert.deepEqual(answer.ok, { ret: null, flow: { kind: 'suspend', ms: 86400000, context: null }, left: false });
  assert.deepEqual(host.exports().urls, { resume_url: 'https://r/suspend', cancel_url: 'https://c' });
  await host.run({ context: { resume_url: 'https://here', cancel_url: 'https://there' } });
  assert.deepEqual(host.exports().urls, { resume_url: 'https://here', cancel_url: 'https://there' });
});

for (const code of ['$.flow.delay()', '$.flow.delay(null)', '$.flow.delay(0)', '$.flow.suspend(4e10)', "$.flow.delay('x')", '$.flow.rerun(5, {}, -1)']) {
  test(`${code} is refused`, async (t) => {
    const { answer } = await once(t, action(`return ${code};`));
    assert.equal(answer.error.name, 'TypeError');
    assert.equal(answer.error.flow, undefined);
  });
}

test('another workflow can be started, and the clock set back', async (t) => {
  const asked = [];
  const calls = { 'flow.trigger': (params) => { asked.push(params); return { id: 'run' }; }, 'flow.refreshTimeout': () => { asked.push('refresh'); } };
  const { answer } = await once(t, action("await $.flow.refreshTimeout(); return $.flow.trigger('p_1', { a: 1 });"), {}, { calls });
  assert.deepEqual([answer.ok.ret, asked], [{ id: 'run' }, ['refresh', { workflow: 'p_1', payload: { a: 1 } }]]);
});

test('messages are sent, and refused without what they need', async (t) => {
  const { host, answer } = await once(t, action(`
    $.send.http({ method: 'POST', url: 'https://x', data: { a: 1 } });
    $.send.email({ subject: 's', html: '<b>' });
    $.send.emit({ raw_event: { a: 1 } });
    $.send.s3({ bucket: 'b', prefix: 'p/', payload: 'x' });
    $.send.sse({ channel: 'c', payload: 1 });
    const bad = [];
    for (const [kind, value] of [['http', {}], ['email', { text: 'x' }], ['email', { subject: 's' }], ['emit', {}], ['s3', { bucket: 'b' }], ['sse', null]]) {
      try { $.send[kind](value); } catch (error) { bad.push(error.message); }
    }
    return bad;`));
  assert.deepEqual(host.kinds('send').map((it) => it.kind), ['http', 'email', 'emit', 's3', 'sse']);
  assert.deepEqual(host.kinds('send')[0].value, { method: 'POST', url: 'https://x', data: { a: 1 } });
  assert.deepEqual(answer.ok.ret, ['$.send.http needs url', '$.send.email needs subject', '$.send.email needs text or html',
    '$.send.emit needs raw_event', '$.send.s3 needs payload', '$.send.sse needs an object']);
});

test('everything that is printed is a line of the log', async (t) => {
  const { host } = await once(t, action(`
    console.log('%s is %d', 'a', 1, { a: { b: [1] } });
    console.info('i'); console.warn('w'); console.error(new Error('e').message); console.debug('d');
    console.dir({ a: 1 }); console.table([{ a: 1 }]); console.assert(false, 'not so'); console.count(); console.group('g'); console.log('in'); console.groupEnd(); console.log('out');
    process.stdout.write('one\\ntwo\\n'); process.stderr.write('err');
    console.log(new Map([['a', 1]]), 7n, Symbol('s'), undefined);
    console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('ha'); } });`));
  const logs = host.logs();
  assert.deepEqual(logs.slice(0, 6), [
    'console.log a is 1 { a: { b: [ 1 ] } }', 'console.info i', 'console.warn w', 'console.error e', 'console.debug d',
    'console.dir { a: 1 }',
  ]);
  assert.match(logs[6], /^console\.table ┌/);
  assert.deepEqual(logs.slice(7, 15), ['console.assert Assertion failed: not so', 'console.count default: 1', 'console.group g', 'console.log   in', 'console.log out',
    'stdout one', 'stdout two', 'stderr err']);
  assert.equal(logs[15], "console.log Map(1) { 'a' => 1 } 7n Symbol(s) undefined");
  assert.match(logs[16], /a value that cannot be printed: ha/);
  assert.equal(host.output, '');
  assert.ok(host.kinds('log').every((it) => Number.isInteger(it.ts)));
});

test('an inline step is code of its own, with packages and props', async (t) => {
  const host = await worker(t, { 'node_modules/pack/package.json': '{"main":"x.js"}', 'node_modules/pack/x.js': 'module.exports = 40;' });
  const code = "import n from 'pack'; import { defineComponent } from '@grantkeep/runtime';\nexport default defineComponent({ props: { a: { type: 'integer' } }, async run({ steps, $ }) { $.export('x', 1); return n + this.a + steps.b; } });";
  const input = { props: { a: 1 }, steps: { b: 1 }, code };
  const step = async (more) => host.order('step', { input: { ...input, ...more } });
  assert.deepEqual((await step()).ok?.ret, 42);
  assert.deepEqual((await step()).ok.ret, 42);
  assert.equal((await step({ code: 'export default ({ steps }) => steps.b;' })).ok.ret, 1);
  const wrong = await step({ code: 'export default () => {\n  let = ;' });
  assert.deepEqual([wrong.error.name, wrong.error.position], ['SyntaxError', { file: 'step.mjs', line: 2, column: 3 }]);
  assert.equal((await step({ code: '\nexport default () => { throw new Error("x"); };' })).error.position.file, 'step.mjs');
});
