import assert from 'node:assert/strict';
import { test } from 'node:test';
import { action, once } from './host.mjs';

const echo = (request, response) => {
  let body = '';
  request.on('data', (text) => { body += text; });
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ host: request.headers.host ?? request.headers[':authority'].replace(':443', ''), url: request.url, body, http: request.httpVersion }));
  });
};

const ways = {
  'fetch': "const it = await (await fetch('https://api.x.test/a', { method: 'POST', body: 'b' })).json(); return it;",
  'fetch over HTTP': "return (await fetch('http://api.x.test:8080/a', { method: 'POST', body: 'b' })).json();",
  'https': `const https = await import('node:https'); return new Promise((done, fail) => { const r = https.request('https://api.x.test/a', { method: 'POST' }, async (m) => {
    let t = ''; for await (const c of m) t += c; done(JSON.parse(t)); }); r.on('error', fail); r.end('b'); });`,
  'http by import of a name': `const { request } = await import('node:http'); return new Promise((done, fail) => { const r = request({ host: 'api.x.test', port: 8080, path: '/a', method: 'POST' }, async (m) => {
    let t = ''; for await (const c of m) t += c; done(JSON.parse(t)); }); r.on('error', fail); r.end('b'); });`,
  'http2': `const http2 = await import('node:http2'); const s = http2.connect('https://api.x.test'); return new Promise((done, fail) => { s.on('error', fail);
    const r = s.request({ ':path': '/a', ':method': 'POST' }); let t = ''; r.setEncoding('utf8'); r.on('data', (c) => { t += c; }); r.on('end', () => { s.close(); done(JSON.parse(t)); }); r.end('b'); });`,
  'tls': `const { connect } = await import('node:tls'); return new Promise((done, fail) => { const s = connect(443, 'api.x.test', () => s.write('POST /a HTTP/1.1\\r\\nhost: api.x.test\\r\\ncontent-length: 1\\r\\nconnection: close\\r\\n\\r\\nb'));
    let t = ''; s.on('data', (c) => { t += c; }); s.on('end', () => done(JSON.parse(/{.*}/.exec(t)[0]))); s.on('error', fail); });`,
  'a net socket that writes before it is connected': `const net = await import('node:net'); return new Promise((done, fail) => { const s = new net.Socket(); s.connect({ port: '8080', host: 'api.x.test' });
    s.write('POST /a HTTP/1.1\\r\\nhost: api.x.test:8080\\r\\n'); s.write('content-length: 1\\r\\nconnection: close\\r\\n\\r\\nb'); let t = ''; s.on('data', (c) => { t += c; }); s.on('end', () => done(JSON.parse(/{.*}/.exec(t)[0]))); s.on('error', fail); });`,
  'an address that was looked up before': `const dns = await import('node:dns'); const { address } = await dns.promises.lookup('api.x.test'); const { createConnection } = await import('node:net');
    return new Promise((done, fail) => { const s = createConnection(8080, address, () => s.end('POST /a HTTP/1.1\\r\\nhost: api.x.test:8080\\r\\ncontent-length: 1\\r\\nconnection: close\\r\\n\\r\\nb')); let t = ''; s.on('data', (c) => { t += c; }); s.on('end', () => done(JSON.parse(/{.*}/.exec(t)[0]))); s.on('error', fail); });`,
};
for (const [name, code] of Object.entries(ways)) {
  test(`${name} goes by way of the host`, async (t) => {
    const { host, answer } = await once(t, action(code), {}, { serve: echo });
    const plain = host.targets[0]?.endsWith(':8080');
    assert.deepEqual(host.targets, [plain ? 'api.x.test:8080' : 'api.x.test:443'], JSON.stringify(answer));
    const { http, ...rest } = answer.ok?.ret ?? assert.fail(JSON.stringify(answer.error));
    assert.deepEqual(rest, { host: plain ? 'api.x.test:8080' : 'api.x.test', url: '/a', body: 'b' });
    // From Node 26 on, fetch speaks HTTP/2 where the other side does.
    if (name !== 'fetch') assert.equal(http, name === 'http2' ? '2.0' : '1.1');
  });
}

test('connections are kept and used again', async (t) => {
  const code = action(`const https = await import('node:https'); const get = () => new Promise((done) => https.get('https://api.x.test/', (m) => { m.resume(); m.on('end', () => setImmediate(done)); }));
    await get(); await get(); for (let n = 0; n < 5; n += 1) await (await fetch('https://api.x.test/')).text();`);
  const { host, answer } = await once(t, code, {}, { serve: echo });
  assert.equal(answer.error, undefined);
  // fetch opens a second one while the first is still being put away.
  assert.ok(host.targets.length <= 3, host.targets.join());
});

test('much goes both ways unharmed', async (t) => {
  const serve = (request, response) => request.pipe(response);
  const { answer } = await once(t, action(`
    const { createHash, randomBytes } = await import('node:crypto'); const sent = randomBytes(5_000_000);
    const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
    const all = await Promise.all(['https://a.test', 'https://b.test', 'http://c.test'].map(async (url) => hash(Buffer.from(await (await fetch(url, { method: 'POST', body: sent })).arrayBuffer()))));
    return all.every((it) => it === hash(sent));`), {}, { serve });
  assert.equal(answer.ok?.ret, true, JSON.stringify(answer.error));
});

test('a server that speaks first is heard', async (t) => {
  const raw = (target, socket) => {
    socket.write('220 hello\r\n');
    socket.on('data', (text) => socket.end(`you said ${text}`));
    return true;
  };
  const { answer } = await once(t, action(`
    const net = await import('node:net');
    return new Promise((done, fail) => { let t = ''; const s = net.connect(25, 'mail.test'); s.setEncoding('utf8'); s.on('data', (c) => { if (t === '') s.write('HELO'); t += c; }); s.on('end', () => done([t, s.remoteAddress !== undefined, s.remotePort])); s.on('error', fail); });`), {}, { raw });
  assert.deepEqual(answer.ok?.ret, ['220 hello\r\nyou said HELO', true, 25], JSON.stringify(answer.error));
});

const REFUSAL = { name: 'EgressRefused', code: 'EGRESS_REFUSED', message: 'host not allowed for this project' };
const refusals = {
  fetch: "try { await fetch('https://bad.test'); } catch (error) { return [error.cause.code, error.cause.message]; }",
  'http over fetch': "try { await fetch('http://127.0.0.1:3000/'); } catch (error) { return [error.cause.code, error.cause.message]; }",
  net: "const net = await import('node:net'); return new Promise((done) => net.connect(1, 'bad.test').on('error', (error) => done([error.code, error.message])));",
  https: "const https = await import('node:https'); return new Promise((done) => https.get('https://bad.test').on('error', (error) => done([error.code, error.message])));",
  http2: "const http2 = await import('node:http2'); return new Promise((done) => http2.connect('https://bad.test').on('error', (error) => done([error.code, error.message])));",
  axios: "try { await axios($, { url: 'https://bad.test' }); } catch (error) { return [error.code, error.message]; }",
};
for (const [name, code] of Object.entries(refusals)) {
  test(`a refusal looks like one, with its reason: ${name}`, async (t) => {
    const { answer } = await once(t, action(code), {}, { refuse: () => REFUSAL });
    assert.equal(answer.ok?.ret?.[0], 'ECONNREFUSED', JSON.stringify(answer));
    assert.match(answer.ok.ret[1], /host not allowed for this project/);
  });
}

test('the codes that Node has are kept, and a host that hangs up is one', async (t) => {
  const code = action("const net = await import('node:net'); return new Promise((done) => net.connect(1, steps.host).on('error', (error) => done([error.code, error.syscall, error.address, error.port])));");
  const refuse = ({ host }) => (host === 'none.test' ? { code: 'ENOTFOUND', message: 'no such host' } : null);
  const { host, answer } = await once(t, code, { steps: { host: 'none.test' } }, { refuse });
  assert.deepEqual(answer.ok.ret, ['ENOTFOUND', 'connect', 'none.test', 1]);
  assert.equal((await host.run({ steps: { host: 'x.test' } })).ok.ret[0], 'ECONNREFUSED');
});

test('a refusal that nobody handles fails the run', async (t) => {
  const { answer } = await once(t, action("await fetch('https://bad.test');"), {}, { refuse: () => REFUSAL });
  assert.equal(answer.error.message, 'fetch failed');
  assert.match(answer.error.stack, /\nCaused by: Error: connect E/);
});

test('a certificate that the authority did not sign for this host is refused', async (t) => {
  const { answer } = await once(t, action(`
    const tls = await import('node:tls');
    return new Promise((done) => tls.connect({ host: 'a.test', port: 443, servername: 'other.test' }).on('error', (error) => done(error.code)));`), {}, { serve: echo });
  assert.equal(answer.ok.ret, 'ERR_TLS_CERT_ALTNAME_INVALID');
});

test('code that names authorities of its own is connected all the same', async (t) => {
  const { answer } = await once(t, action(`
    const https = await import('node:https'); const tls = await import('node:tls');
    const asked = (more) => new Promise((done) => {
      https.get({ host: 'a.test', agent: new https.Agent(more) }, (it) => done(it.resume().statusCode)).on('error', (error) => done(error.code));
    });
    const [one, two] = tls.rootCertificates;
    return [await asked({}), await asked({ ca: one }), await asked({ ca: [one, two] })];`), {}, { serve: echo });
  assert.deepEqual(answer.ok?.ret, [200, 200, 200], JSON.stringify(answer.error));
});

test('a look-up asks nobody', async (t) => {
  const { answer } = await once(t, action(`
    const dns = await import('node:dns'); const { lookup } = dns.promises;
    const one = await new Promise((done) => dns.lookup('a.test', (error, address, family) => done([address, family])));
    const all = await new Promise((done) => dns.lookup('a.test', { all: true }, (error, list) => done(list)));
    return [one, all[0].address === one[0], (await lookup('b.test')).address !== one[0], (await lookup('127.0.0.1')).address, (await lookup('localhost')).address];`));
  const [[address, family], ...rest] = answer.ok.ret;
  assert.match(address, /^198\.1[89]\./);
  assert.equal(family, 4);
  assert.deepEqual(rest, [true, true, '127.0.0.1', '127.0.0.1']);
});

test('a port that is none is refused as ever', async (t) => {
  const { answer } = await once(t, action("const net = await import('node:net'); net.connect(70000, 'x.test');"));
  assert.match(answer.error.message, /should be >= 0 and < 65536/);
});

test('a connection may be given up at any time', async (t) => {
  const { host, answer } = await once(t, action(`
    const net = await import('node:net'); const tls = await import('node:tls');
    for (const connect of [() => net.connect(80, 'a.test'), () => tls.connect(443, 'a.test')]) { connect().on('error', () => {}).destroy(); const s = connect().on('error', () => {}); setImmediate(() => s.destroy()); }
    const timeout = new Promise((done) => { const s = net.connect(81, 'slow.test'); s.setTimeout(20, () => { s.destroy(); done('timeout'); }); });
    const aborted = await fetch('https://slow.test', { signal: AbortSignal.timeout(20) }).catch((error) => error.name);
    return [await timeout, aborted];`), {}, { raw: ({ host: it }) => it === 'slow.test', serve: echo });
  assert.deepEqual(answer.ok?.ret, ['timeout', 'TimeoutError'], JSON.stringify(answer.error));
  assert.equal((await host.run()).error, undefined);
});
