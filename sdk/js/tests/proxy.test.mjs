import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { createBackendClient, GrantkeepError } from '../dist/index.js';
import { serve } from './server.mjs';

const client = (url, more = {}) =>
  createBackendClient({ baseUrl: url, projectId: 'proj_1', apiKey: 'gk_key', ...more });
const who = { accountId: 'apn_1', externalUserId: 'u 1/é' };

test('a call says its target, its account and what is for the app', async (t) => {
  const server = await serve(t, () => ({ status: 200, body: { ok: true } }));
  const { proxy } = client(server.url);
  const answer = await proxy.get('/repos?a=1', {
    ...who,
    params: { page: 2, tag: ['x', 'y z'], left: undefined },
    headers: { 'X-Version': '7', Accept: 'text/csv' },
    upstreamRetries: 2,
  });
  assert.deepEqual(await answer.json(), { ok: true });
  const [seen] = server.requests;
  assert.equal(seen.method, 'GET');
  assert.equal(seen.path, '/v1/connect/proj_1/proxy');
  assert.equal(seen.query.get('account_id'), 'apn_1');
  assert.equal(seen.query.get('external_user_id'), 'u 1/é');
  assert.equal(seen.headers['x-grantkeep-target'], '/repos?a=1&page=2&tag=x&tag=y+z');
  assert.equal(seen.headers['x-grantkeep-retry'], '2');
  assert.equal(seen.headers['x-pd-proxy-x-version'], '7');
  assert.equal(seen.headers['x-pd-proxy-accept'], 'text/csv');
  assert.equal(seen.headers.authorization, 'Bearer gk_key');
});

test('bodies go as they are, and plain objects as JSON', async (t) => {
  const server = await serve(t, () => ({ status: 200 }));
  const { proxy } = client(server.url);
  await proxy.post('/a', { ...who, body: { k: [1] } });
  await proxy.put('/a', { ...who, body: [1, 2] });
  await proxy.patch('/a', { ...who, body: 'text' });
  await proxy.delete('/a', { ...who, body: new URLSearchParams({ a: 'b c' }) });
  await proxy.post('/a', { ...who, body: new Blob(['blob'], { type: 'text/x' }) });
  await proxy.post('/a', { ...who, body: new Blob(['streamed']).stream() });
  await proxy.post('/a', who);
  const sent = server.requests.map((it) => [it.headers['content-type'], it.text]);
  assert.deepEqual(sent, [
    ['application/json', '{"k":[1]}'],
    ['application/json', '[1,2]'],
    ['text/plain;charset=UTF-8', 'text'],
    ['application/x-www-form-urlencoded;charset=UTF-8', 'a=b+c'],
    ['text/x', 'blob'],
    [undefined, 'streamed'],
    [undefined, ''],
  ]);
});

test('a target is sent as it is meant, in every script', async (t) => {
  const server = await serve(t, () => ({ status: 200 }));
  const { proxy } = client(server.url);
  await proxy.get('/Müller/日本 1?a=%C3%A4', { ...who, params: { q: 'ß' } });
  await proxy.get('/😀', who);
  assert.deepEqual(
    server.requests.map((it) => it.headers['x-grantkeep-target']),
    ['/M%C3%BCller/%E6%97%A5%E6%9C%AC%201?a=%C3%A4&q=%C3%9F', '/%F0%9F%98%80'],
  );
  assert.throws(() => proxy.get('/\ud83d', who), { code: 'invalid_option' });
});

test('streams of Node and generators are sent as they come, and once', async (t) => {
  let refuse = false;
  const server = await serve(t, (seen) => {
    if (seen.path === '/v1/oauth/token')
      return { body: { access_token: 'at', token_type: 'Bearer', expires_in: 3600 } };
    const said = { headers: { 'x-grantkeep-error': 'invalid_token' }, status: 401 };
    return refuse ? { ...said, body: { error: 'no', code: 'invalid_token' } } : { status: 200 };
  });
  const { proxy } = createBackendClient({
    baseUrl: server.url,
    projectId: 'proj_1',
    clientId: 'cid',
    clientSecret: 'hush',
  });
  async function* pieces() {
    yield 'one, ';
    yield new TextEncoder().encode('two');
  }
  class Order {
    constructor() {
      this.parcel = { id: 1 };
    }
  }
  const streams = [pieces(), Readable.from(['on', 'e'])];
  for (const body of [...streams, Buffer.from('bytes'), new Order(), new Date(0)])
    await proxy.post('/a', { ...who, body });
  const sent = server.requests.filter((it) => it.path.endsWith('/proxy'));
  assert.deepEqual(sent.map((it) => [it.headers['content-type'], it.text]), [
    [undefined, 'one, two'],
    [undefined, 'one'],
    [undefined, 'bytes'],
    ['application/json', '{"parcel":{"id":1}}'],
    ['application/json', '"1970-01-01T00:00:00.000Z"'],
  ]);
  refuse = true;
  const before = server.requests.length;
  await assert.rejects(proxy.post('/a', { ...who, body: pieces() }), { status: 401 });
  assert.equal(server.requests.length, before + 1, 'a stream that was sent is gone');
});

test('a body that cannot be sent is told before anything is', async (t) => {
  const server = await serve(t, () => ({ status: 200 }));
  const { proxy } = client(server.url);
  const wrong = { code: 'invalid_option' };
  const read = new Blob(['x']).stream();
  await new Response(read).text();
  await assert.rejects(proxy.post('/a', { ...who, body: read }), wrong);
  const locked = new Blob(['x']).stream();
  locked.getReader();
  await assert.rejects(proxy.post('/a', { ...who, body: locked }), wrong);
  await assert.rejects(proxy.get('/a', { ...who, headers: { 'x-name': 'two\nlines' } }), wrong);
  assert.throws(() => proxy.post('/a', { ...who, body: { count: 1n } }), wrong);
  assert.equal(server.requests.length, 0);
  const odd = Readable.from([{ not: 'bytes' }]);
  await assert.rejects(proxy.post('/a', { ...who, body: odd }), wrong);
});

test('a signal ends an answer that is coming, and is let go of by one that came', async (t) => {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    if (request.headers['x-grantkeep-target'] === '/whole') response.end('all of it');
    else response.write('a piece');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { proxy } = client(`http://127.0.0.1:${server.address().port}`);
  const stop = new AbortController();
  const whole = await proxy.get('/whole', { ...who, signal: stop.signal });
  assert.equal(await whole.text(), 'all of it');
  assert.deepEqual(getEventListeners(stop.signal, 'abort'), []);
  const answer = await proxy.get('/more', { ...who, signal: stop.signal });
  const reading = answer.text();
  stop.abort();
  await assert.rejects(reading, { name: 'AbortError' });
  await assert.rejects(proxy.get('/whole', { ...who, signal: stop.signal }), { code: 'aborted' });
});

test('a signal ends calls also where signals cannot be joined', async (t) => {
  const { any } = AbortSignal;
  AbortSignal.any = undefined;
  t.after(() => {
    AbortSignal.any = any;
  });
  const server = await serve(t, (seen) => (seen.path.endsWith('/proxy') ? { hang: true } : undefined));
  const stop = new AbortController();
  const waiting = client(server.url).proxy.get('/a', { ...who, signal: stop.signal });
  stop.abort();
  await assert.rejects(waiting, { code: 'aborted' });
  await assert.rejects(client(server.url).proxy.get('/a', { ...who, signal: stop.signal }), {
    code: 'aborted',
  });
});

test("the app's answer comes back whatever it says, and is sent for once", async (t) => {
  const server = await serve(t, () => ({ status: 503, body: { error: 'of the app' } }));
  const answer = await client(server.url).proxy.get('/a', who);
  assert.equal(answer.status, 503);
  assert.deepEqual(await answer.json(), { error: 'of the app' });
  assert.equal(server.requests.length, 1);
});

test('what the server itself refuses is thrown', async (t) => {
  const server = await serve(t, () => ({
    status: 403,
    headers: { 'x-grantkeep-error': 'host_not_allowed', 'x-request-id': 'req_1' },
    body: { error: 'Not there.', code: 'host_not_allowed' },
  }));
  await assert.rejects(client(server.url).proxy.get('https://evil.example/', who), (error) => {
    assert.ok(error instanceof GrantkeepError);
    assert.deepEqual(
      [error.status, error.code, error.message, error.requestId],
      [403, 'host_not_allowed', 'Not there.', 'req_1'],
    );
    return true;
  });
  assert.throws(() => client(server.url).proxy.get('/a', { accountId: '' }), GrantkeepError);
});

test("only the server's own 401 gets a new token, and the app's is passed on", async (t) => {
  let issued = 0;
  let refusals = [{ 'x-grantkeep-error': 'invalid_token' }, undefined];
  const server = await serve(t, (seen) => {
    if (seen.path === '/v1/oauth/token') {
      issued += 1;
      return { body: { access_token: `at_${issued}`, token_type: 'Bearer', expires_in: 3600 } };
    }
    return { status: 401, headers: refusals.shift(), body: { error: 'no', code: 'invalid_token' } };
  });
  const { proxy } = createBackendClient({
    baseUrl: server.url,
    projectId: 'proj_1',
    clientId: 'cid',
    clientSecret: 'hush',
  });
  const answer = await proxy.post('/a', { ...who, body: { k: 1 } });
  assert.equal(answer.status, 401);
  assert.equal(issued, 2);
  const calls = server.requests.filter((it) => it.path.endsWith('/proxy'));
  assert.deepEqual(calls.map((it) => it.headers.authorization), ['Bearer at_1', 'Bearer at_2']);
  assert.deepEqual(calls.map((it) => it.text), ['{"k":1}', '{"k":1}']);
});

test('an answer can be read while it is still coming', async (t) => {
  let more;
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
    more = () => response.end('data: 2\n\n');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const answer = await client(`http://127.0.0.1:${server.address().port}`).proxy.get('/e', who);
  const text = new TextDecoder();
  const seen = [];
  for await (const piece of answer.body) {
    seen.push(text.decode(piece));
    if (seen.length === 1) more();
  }
  assert.deepEqual(seen, ['data: 1\n\n', 'data: 2\n\n']);
});

test('a call that nobody answers ends in time', async (t) => {
  const server = await serve(t, () => ({ hang: true }));
  await assert.rejects(client(server.url).proxy.get('/a', { ...who, timeoutMs: 100 }), {
    code: 'timeout',
  });
});
