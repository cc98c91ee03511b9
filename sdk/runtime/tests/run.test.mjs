import assert from 'node:assert/strict';
import { test } from 'node:test';
import { action, once, worker } from './host.mjs';

test('a run gives its return value, exports and log', async (t) => {
  const { host, answer } = await once(t, action(`
    console.log('hi', { a: [1] }, this.name);
    $.export('$summary', 'done'); $.export('n', 3);
    return { text: this.name, steps };`, `props: { name: 'string' },`), { props: { name: 'ann' }, steps: { x: 1 } });
  assert.deepEqual(answer.ok, { ret: { text: 'ann', steps: { x: 1 } }, flow: null, left: false });
  assert.deepEqual(host.logs(), ["console.log hi { a: [ 1 ] } ann"]);
  assert.deepEqual(host.exports(), { $summary: 'done', n: 3 });
  assert.equal(host.output, '');
});

test('a thrown error has its place', async (t) => {
  const { answer } = await once(t, action('\n  const x = null;\n  x.foo();'));
  assert.equal(answer.error.name, 'TypeError');
  assert.deepEqual(answer.error.position, { file: 'index.mjs', line: 7, column: 5 });
});

test('fetch goes over the socket, with TLS', async (t) => {
  const serve = (request, response) => response.end(JSON.stringify({ host: request.headers.host, url: request.url }));
  const { host, answer } = await once(t, action("return (await fetch('https://slack.com/api/x?y=1')).json();"), {}, { serve });
  assert.deepEqual(answer.ok?.ret, { host: 'slack.com', url: '/api/x?y=1' }, JSON.stringify(answer.error));
  assert.deepEqual(host.targets, ['slack.com:443']);
});

test('hello comes soon', async (t) => {
  const host = await worker(t, action(''));
  assert.equal(host.hello.version, 1);
  assert.match(host.hello.node, /^v\d+/);
});
