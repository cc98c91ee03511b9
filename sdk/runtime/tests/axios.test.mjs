import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { action, once } from './host.mjs';

/** Says what it was asked, or does what the path says. */
function serve(request, response) {
  const parts = [];
  request.on('data', (bytes) => parts.push(bytes));
  request.on('end', () => {
    const { method, url, headers } = request;
    const json = (value, status = 200, more = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...more });
      response.end(JSON.stringify(value));
    };
    const { pathname, searchParams } = new URL(url, 'https://x');
    if (pathname === '/status') return json({ error: 'because' }, Number(searchParams.get('code')), { 'retry-after': '7' });
    if (pathname === '/text') return response.end('plain');
    if (pathname === '/gzip') return response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"z":1}'));
    if (pathname === '/to') return response.writeHead(Number(searchParams.get('code')), { location: searchParams.get('url') }).end();
    if (pathname === '/slow') return undefined;
    if (pathname === '/sign') {
      const { requestData, token } = JSON.parse(Buffer.concat(parts));
      return response.end(`OAuth ${requestData.method} ${requestData.url} ${JSON.stringify(requestData.data ?? null)} ${token.key}`);
    }
    const { authorization, cookie, accept, 'content-type': type, 'x-a': x, host } = headers;
    return json({ method, url, body: Buffer.concat(parts).toString('latin1'), type, authorization, cookie, accept, x, host });
  });
}

/** Runs the code with a server behind it; gives what the run gave. */
async function run(t, code, calls) {
  const { host, answer } = await once(t, action(code), {}, { serve, calls });
  return { ret: answer.ok?.ret, error: answer.error, exports: host.exports(), host };
}
const ask = (config) => `return axios($, { url: 'https://a.test/x', ...${config} });`;

const queries = [
  ["{ params: { a: 1, b: 'x y', c: undefined, d: null, e: true } }", '/x?a=1&b=x+y&e=true'],
  ["{ params: { list: [1, 2], o: { k: 'v' } } }", '/x?list[]=1&list[]=2&o[k]=v'],
  ["{ params: { t: '10:00,$@' } }", '/x?t=10:00,$%40'],
  ["{ url: 'https://a.test/x?a=1&b=2', params: { b: 3 } }", '/x?a=1&b=3'],
  ["{ url: 'https://a.test/x?a=1&a=2' }", '/x?a=1&a=2'],
  ["{ params: { a: [1, 2] }, paramsSerializer: (p) => 'own=' + p.a.join() }", '/x?own=1,2'],
  ["{ params: { a: [1, 2] }, paramsSerializer: { indexes: null } }", '/x?a=1&a=2'],
  ["{ params: { a: [1, 2] }, paramsSerializer: { indexes: true } }", '/x?a[0]=1&a[1]=2'],
  ["{ params: new URLSearchParams('q=a b') }", '/x?q=a+b'],
  ["{ url: 'y', baseURL: 'https://a.test/base/' }", '/base/y'],
  ["{ url: 'https://a.test/z', baseURL: 'https://other.test' }", '/z'],
  ["{ params: { at: new Date(0) } }", '/x?at=1970-01-01T00:00:00.000Z'],
];
test('addresses and params', async (t) => {
  const code = `const found = []; for (const config of [${queries.map(([it]) => it).join(', ')}]) found.push((await axios($, { url: 'https://a.test/x', ...config })).url); return found;`;
  const { ret, error } = await run(t, code);
  assert.deepEqual(ret?.map((it) => decodeURI(it)), queries.map(([, url]) => url), JSON.stringify(error));
});

const bodies = [
  ["{ a: 1, b: undefined }", '', '{"a":1}', 'application/json'],
  ["'text'", '', 'text', 'application/x-www-form-urlencoded'],
  ["'text'", "'Content-Type': 'application/json'", '"text"', 'application/json'],
  ["'{\"a\":1}'", "'content-type': 'application/json'", '{"a":1}', 'application/json'],
  ["new URLSearchParams({ a: 'b c' })", '', 'a=b+c', 'application/x-www-form-urlencoded;charset=utf-8'],
  ["{ a: 'b c', l: [1, 2] }", "'content-type': 'application/x-www-form-urlencoded'", 'a=b+c&l%5B%5D=1&l%5B%5D=2', 'application/x-www-form-urlencoded'],
  ["Buffer.from('bytes')", "'content-type': 'application/octet-stream'", 'bytes', 'application/octet-stream'],
  ["new Uint8Array([65, 66])", "'content-type': 'a/b'", 'AB', 'a/b'],
  ["(await import('node:stream')).Readable.from(['str', 'eam'])", "'content-type': 'a/b'", 'stream', 'a/b'],
  ["[1, 2]", '', '[1,2]', 'application/json'],
  ["undefined", '', '', undefined],
];
test('bodies and their types', async (t) => {
  const calls = bodies.map(([data, headers]) => `await axios($, { method: 'post', url: 'https://a.test/x', data: ${data}, headers: { ${headers} } })`);
  const { ret, error } = await run(t, `return [${calls.join(', ')}];`);
  assert.deepEqual(ret?.map(({ body, type }) => [body, type]), bodies.map(([, , body, type]) => [body, type]), JSON.stringify(error));
});

test('a form with a file', async (t) => {
  const { ret, error } = await run(t, `const form = new FormData(); form.append('a', 'b'); form.append('f', new Blob(['content'], { type: 'text/plain' }), 'f.txt');
    return axios($, { method: 'POST', url: 'https://a.test/x', data: form });`);
  assert.match(ret?.type ?? JSON.stringify(error), /^multipart\/form-data; boundary=/);
  assert.match(ret.body, /name="a"\r\n\r\nb\r\n[\s\S]*filename="f\.txt"\r\nContent-Type: text\/plain\r\n\r\ncontent/);
});

test('headers and credentials', async (t) => {
  const { ret } = await run(t, `return [
    await axios($, { url: 'https://a.test/', headers: { 'x-a': 5, Accept: undefined, cookie: null }, auth: { username: 'u', password: 'p' } }),
    await axios($, { url: 'https://u:p%40@a.test/' }), await axios($, { url: 'https://a.test/', headers: { Authorization: 'Bearer t' } }), await axios({}, { url: 'https://a.test/' })];`);
  assert.deepEqual([ret[0].x, ret[0].authorization, ret[0].accept], ['5', 'Basic dTpw', 'application/json, text/plain, */*']);
  assert.deepEqual(ret.slice(1, 3).map((it) => it.authorization), [`Basic ${btoa('u:p@')}`, 'Bearer t']);
  assert.equal(ret[3].method, 'GET');
});

test('answers in the form that is asked for', async (t) => {
  const { ret, error } = await run(t, `const get = (url, more) => axios($, { url: 'https://a.test' + url, ...more });
    const stream = await get('/text', { responseType: 'stream' }); let text = ''; for await (const part of stream) text += part;
    const full = await get('/text', { returnFullResponse: true });
    return [await get('/text'), (await get('/text', { responseType: 'arraybuffer' })).length, text, await get('/gzip'), await get('/gzip', { responseType: 'text' }),
      [full.status, full.statusText, full.data, typeof full.headers], JSON.parse(JSON.stringify(full)).config ?? null, await get('/x', { method: 'HEAD' }),
      await get('/text', { transformResponse: [(data) => data.toUpperCase()] })];`);
  assert.deepEqual(ret, ['plain', 5, 'plain', { z: 1 }, '{"z":1}', [200, 'OK', 'plain', 'object'], null, '', 'PLAIN'], JSON.stringify(error));
});

test('an answer that says no is an error with the answer in it', async (t) => {
  const { ret, exports } = await run(t, `try { await axios($, { url: 'https://a.test/status?code=429' }); } catch (error) {
    const { name, message, code, status, response, config, request, stack } = error;
    return { name, message, code, status, data: response.data, after: response.headers['retry-after'], text: response.statusText, has: [config, request, /index\\.mjs/.test(stack)], is: axios.isAxiosError(error) }; }`);
  assert.deepEqual(ret, {
    name: 'AxiosError - Request failed with status code 429', message: '{"error":"because"}', code: 'ERR_BAD_REQUEST', status: 429, data: { error: 'because' },
    after: '7', text: 'Too Many Requests', has: [null, null, true], is: true,
  });
  assert.equal(exports.debug.status, 429);
  assert.deepEqual(exports.debug.data, { error: 'because' });
  assert.deepEqual(Object.keys(exports.debug), ['status', 'statusText', 'headers', 'data']);
});

test('such an error of a run has status and place', async (t) => {
  const { error } = await run(t, "\n await axios($, { url: 'https://a.test/status?code=401' });");
  assert.equal(error.status, 401);
  assert.deepEqual(error.position, { file: 'index.mjs', line: 6, column: 8 });
});

test('validateStatus decides what says no', async (t) => {
  const { ret } = await run(t, `const get = (validateStatus) => axios($, { url: 'https://a.test/status?code=404', validateStatus, returnFullResponse: true });
    return [(await get(() => true)).status, (await get(null)).status];`);
  assert.deepEqual(ret, [404, 404]);
});

test('redirects are followed, and take no secrets to another host', async (t) => {
  const { ret, error } = await run(t, `const to = (code, url, more) => axios($, { method: 'POST', url: 'https://a.test/to', params: { code, url }, data: { a: 1 }, headers: { authorization: 'secret', cookie: 'c' }, ...more });
    const errors = [];
    for (const [url, more] of [['/x', { maxRedirects: 0 }], ['https://a.test/to?code=302&url=/x', { maxRedirects: 1 }], ['file:///etc/passwd', {}]]) {
      try { errors.push(await to(302, url, more)); } catch (error) { errors.push(error.code); } }
    return [await to(302, '/x'), await to(307, '/x'), await to(303, 'https://b.test/x'), errors];`);
  const [found, kept, other, errors] = ret ?? assert.fail(JSON.stringify(error));
  assert.deepEqual([found.method, found.body, found.type, found.authorization], ['GET', '', undefined, 'secret']);
  assert.deepEqual([kept.method, kept.body, kept.authorization], ['POST', '{"a":1}', 'secret']);
  assert.deepEqual([other.method, other.host, other.authorization, other.cookie], ['GET', 'b.test', undefined, undefined]);
  assert.deepEqual(errors, ['ERR_BAD_REQUEST', 'ERR_FR_TOO_MANY_REDIRECTS', 'ERR_BAD_REQUEST']);
});

test('what takes too long, or is called off, is an error', async (t) => {
  const { ret } = await run(t, `const { signal, ...rest } = { signal: AbortSignal.timeout(20) }; const out = [];
    for (const more of [{ timeout: 20 }, { signal }, { timeout: 20, timeoutErrorMessage: 'own' }]) { try { await axios($, { url: 'https://a.test/slow', ...more }); } catch (error) { out.push([error.code, error.message]); } }
    return out;`);
  assert.deepEqual(ret, [['ECONNABORTED', 'timeout of 20ms exceeded'], ['ERR_CANCELED', 'canceled'], ['ECONNABORTED', 'own']]);
});

test('mistakes in a config say so', async (t) => {
  const { ret } = await run(t, `const out = []; for (const config of [{ url: 'https://a.test', body: {} }, { url: 'nowhere' }, { url: 'ftp://a.test' }, undefined, { url: '' }]) {
    try { await axios($, config); } catch (error) { out.push(error.name + ': ' + error.message); } } return out;`);
  assert.deepEqual(ret, [
    'ConfigurationError: axios has no "body". Use "data" for the content of a request', 'AxiosError: Invalid URL: nowhere',
    'AxiosError: Unsupported protocol ftp:', 'ConfigurationError: axios needs a config, as its second argument', 'AxiosError: Invalid URL: (empty)',
  ]);
});

test('debug exports what was sent and what came', async (t) => {
  const { exports } = await run(t, "await axios($, { url: 'https://a.test/x', data: { a: 1 }, method: 'post', debug: true });");
  assert.deepEqual(exports.debug_config.data, { a: 1 });
  assert.equal(exports.debug_response.status, 200);
});

test('an instance has settings and methods of its own', async (t) => {
  const { ret, error } = await run(t, `const it = axios.create({ baseURL: 'https://a.test', headers: { 'x-a': 'd' }, params: { p: 1 } });
    const found = [await it({ url: '/one' }), await it('/two'), await it.get('/three', { params: { q: 2 } }), await it.post('/four', { a: 1 }, { headers: { 'x-a': 'e' } }), await it.delete('/five'), await it.request({ url: '/six' })];
    try { await it.get('/status?code=500'); } catch (error) { found.push({ url: error.code }); }
    return found.map((r) => [r.method, r.url, r.x, r.body]);`);
  assert.deepEqual(ret, [
    ['GET', '/one?p=1', 'd', ''], ['GET', '/two?p=1', 'd', ''], ['GET', '/three?p=1&q=2', 'd', ''], ['POST', '/four?p=1', 'e', '{"a":1}'],
    ['DELETE', '/five?p=1', 'd', ''], ['GET', '/six?p=1', 'd', ''], [null, 'ERR_BAD_RESPONSE', null, null],
  ], JSON.stringify(error));
});

test('OAuth 1.0a: the signer is asked, by address or by call', async (t) => {
  const asked = [];
  const calls = { 'oauth1.sign': (params) => { asked.push(params); return { authorization: 'OAuth here' }; } };
  const { ret, error } = await run(t, `const token = { key: 'k', secret: 's' };
    return [await axios($, { url: 'https://a.test/x?b=2', params: { a: 1 } }, { oauthSignerUri: 'https://a.test/sign', token }),
      await axios($, { method: 'POST', url: 'https://a.test/x', headers: { 'content-type': 'application/x-www-form-urlencoded' }, data: { f: 'v' } }, { oauthSignerUri: 'https://a.test/sign', token }),
      await axios($, { method: 'POST', url: 'https://a.test/x', data: { f: 'v' } }, { oauthSignerUri: 'grantkeep:oauth1/app', token })];`, calls);
  assert.deepEqual(ret?.map((it) => it.authorization), [
    'OAuth get https://a.test/x?b=2&a=1 null k', 'OAuth POST https://a.test/x {"f":"v"} k', 'OAuth here',
  ], JSON.stringify(error));
  assert.deepEqual(asked, [{ prop: 'app', method: 'POST', url: 'https://a.test/x' }]);
});
