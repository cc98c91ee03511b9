// What one run leaves behind must not be seen by the next, and hostile code breaks a run at most.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { action, once, worker } from './host.mjs';

test('what a run leaves running is heard no more', async (t) => {
  const { host, answer } = await once(t, action(`
    if (steps.first) {
      globalThis.$ = $;
      setInterval(() => { console.log('left over'); $.export('late', 1); process.stdout.write('late'); }, 1);
      setTimeout(() => { throw new Error('late'); }, 5); setTimeout(() => Promise.reject(new Error('late too')), 5);
      return;
    }
    await new Promise((done) => setTimeout(done, 30));
    console.log('mine'); globalThis.$.export('late', 2); $.export('mine', 1); return 'well';`), { steps: { first: true } });
  assert.equal(answer.error, undefined);
  host.notices.length = 0;
  assert.equal((await host.run()).ok.ret, 'well');
  assert.deepEqual(host.logs(), ['console.log mine']);
  assert.deepEqual(host.exports(), { mine: 1 });
  assert.deepEqual(host.stray, []);
});

test('a call after its run is over is refused', async (t) => {
  const calls = { 'flow.trigger': () => 1 };
  const { host } = await once(t, action(`
    if (steps.first) { globalThis.old = $; return; }
    return globalThis.old.flow.trigger('p').catch((error) => error.message);`), { steps: { first: true } }, { calls });
  assert.match((await host.run()).ok.ret, /The run is over; flow\.trigger comes too late/);
});

for (const [way, get] of Object.entries({
  'fetch': "await (await fetch(url)).text()",
  'a kept agent': `await new Promise((done, fail) => { const { request } = url.startsWith('https:') ? https : http;
    request(url, (it) => { it.resume(); it.on('end', () => setImmediate(done)); }).on('error', fail).end(); })`,
})) {
  for (const url of ['https://api.x.test/', 'http://api.x.test:8080/']) {
    test(`no connection of a run is used by the next: ${way} of ${url}`, async (t) => {
      const { host, answer } = await once(t, action(`
        const https = await import('node:https'); const http = await import('node:http'); const url = '${url}';
        ${get}; ${get}; return 'well';`), {}, { serve: (request, response) => response.end('well') });
      assert.equal(answer.ok?.ret, 'well', JSON.stringify(answer.error));
      const before = host.targets.length;
      assert.equal((await host.run()).ok?.ret, 'well');
      assert.ok(host.targets.length > before, host.targets.join());
    });
  }
}

test('/tmp is empty for the next run', async (t) => {
  const { host } = await once(t, action(`
    const fs = await import('node:fs'); const os = await import('node:os'); const path = await import('node:path');
    const root = os.tmpdir(); const found = fs.readdirSync(root);
    fs.mkdirSync(path.join(root, 'a/b'), { recursive: true }); fs.writeFileSync(path.join(root, 'a/b/c'), 'x'); fs.writeFileSync(path.join(root, '.hidden'), 'x');
    fs.symlinkSync('/etc', path.join(root, 'link')); fs.writeFileSync(path.join(process.env.STASH_DIR, 'd'), 'x');
    return [found, process.cwd() === fs.realpathSync(root), fs.readdirSync(process.env.STASH_DIR)];`));
  const again = await host.run();
  assert.deepEqual(again.ok.ret, [['stash'], true, ['d']]);
  assert.deepEqual(readdirSync(host.tmp), ['stash']);
  assert.ok(existsSync('/etc/passwd'));
});

test('a /tmp that is not the worker\'s alone is never emptied', async (t) => {
  // The host starts the runner in a folder that has something of others in it already.
  const host = await worker(t, action("return 1;"), { before: (folder) => writeFileSync(path.join(folder, 'tmp/other'), 'x') });
  await host.load();
  await host.run();
  assert.deepEqual(readdirSync(host.tmp).sort(), ['other', 'stash']);
});

test('the environment has nothing of the host', async (t) => {
  const { host, answer } = await once(t, action('return [Object.keys(process.env).sort(), process.env.STASH_DIR];'));
  assert.deepEqual(answer.ok.ret, [['HOME', 'LANG', 'PATH', 'STASH_DIR', 'TMPDIR', 'TZ'], path.join(host.tmp, 'stash')]);
});

for (const call of ['process.exit(3)', 'process.exit()', 'process.reallyExit(1)', 'process.abort()', 'setTimeout(() => process.exit(1)); await new Promise(() => {})']) {
  test(`${call} ends the run alone`, async (t) => {
    const { host, answer } = await once(t, action(`if (steps.go) { ${call}; } return 'well';`), { steps: { go: true } });
    assert.deepEqual([answer.error?.name, answer.error?.code], ['ProcessExit', 'exit']);
    assert.match(answer.error.message, /Return from run\(\) instead/);
    assert.equal((await host.run()).ok.ret, 'well');
  });
}

test('process.exit inside a try ends the run all the same', async (t) => {
  const { answer } = await once(t, action('try { process.exit(0); } catch { return 1; }'));
  assert.equal(answer.error.name, 'ProcessExit');
});

const hostile = {
  'patched globals': `JSON.stringify = () => '{"id":2,"ok":{"ret":"forged"}}'; JSON.parse = () => ({}); Array.isArray = () => { throw 1; };
    Object.keys = () => []; Promise = undefined; Buffer.concat = () => Buffer.from('x'); Buffer.from = () => 1; globalThis.setImmediate = () => {}; Date.now = () => 0;`,
  'a toJSON on every object': "Object.prototype.toJSON = String.prototype.toJSON = function () { return { id: 2, ok: { ret: 'forged' } }; };",
  'a polluted Object.prototype': "for (const key of ['ok', 'error', 'id', 'of', 'thrown', 'known', 'found', 'prop', 'reply', 'files', 'stash', 'get', 'set']) { try { Object.defineProperty(Object.prototype, key, { value: 'polluted', configurable: true, writable: true }); } catch {} }",
  'setters on Object.prototype': "for (const key of ['ok', 'error', 'id', 'log', 'ret']) Object.defineProperty(Object.prototype, key, { set() { throw new Error('trap'); }, get() { return 'forged'; } });",
  'patched arrays and texts': "Array.prototype.push = Array.prototype.map = Array.prototype.join = Array.prototype[Symbol.iterator] = () => { throw 1; }; String.prototype.slice = String.prototype.split = String.prototype.indexOf = () => 'x'; RegExp.prototype.exec = () => null;",
  'patched streams': "const net = await import('node:net'); net.Socket.prototype.write = () => { throw 1; }; net.Socket.prototype.connect = () => { throw 1; };",
  'a trapped prepareStackTrace': "Error.prepareStackTrace = () => { throw new Error('trap'); };",
  'a lying error': "globalThis.Error = class extends Array {};",
  'patched AsyncLocalStorage': "const { AsyncLocalStorage } = await import('node:async_hooks'); AsyncLocalStorage.prototype.getStore = () => ({ of: 1 }); AsyncLocalStorage.prototype.run = () => {};",
  'patched promises': "Promise.prototype.then = function () { return this; }; Promise.prototype.catch = () => {};",
};
for (const [name, code] of Object.entries(hostile)) {
  test(`${name} forge no message`, async (t) => {
    const { host, answer } = await once(t, action(`${code}\n return { mine: 'mine' };`));
    assert.equal(answer.id, 2);
    if (name !== 'a toJSON on every object') assert.deepEqual(answer.ok?.ret, { mine: 'mine' }, JSON.stringify(answer));
    const again = await host.run();
    assert.equal(again.id, 3);
    assert.ok(!JSON.stringify(host.messages).includes('polluted'));
    assert.deepEqual(host.stray, []);
    const kinds = host.messages.flatMap((it) => Object.keys(it)).filter((it) => !['id', 'ok', 'error', 'of', 'log'].includes(it));
    assert.deepEqual(kinds, []);
  });
}

test('a value that is forged stays a value', async (t) => {
  const { answer } = await once(t, action("Object.prototype.toJSON = () => ({ id: 9, ok: 'forged' }); return { mine: 1 };"));
  assert.deepEqual([answer.id, answer.ok.ret, answer.ok.flow], [2, { id: 9, ok: 'forged' }, null]);
});

test('the runner ends with its host', async (t) => {
  const host = await worker(t, action(''));
  await host.load();
  host.hangUp();
  assert.deepEqual(await host.ended, { status: 0, signal: null });
});

test('what the host sends early, in pieces or at once is understood', async (t) => {
  const host = await worker(t, action('return this.text;', "props: { text: 'string' },"));
  const loading = host.load();
  const both = [host.run({ props: { text: 'ä€'.repeat(200_000) } }), host.run({ props: { text: 'b' } })];
  assert.equal((await loading).error, undefined);
  const [first, second] = await Promise.all(both);
  assert.equal(first.ok.ret.length, 400_000);
  assert.equal(second.ok.ret, 'b');
});

test('a stash that code made something else of is a folder again', async (t) => {
  const { host } = await once(t, action(`
    const fs = await import('node:fs'); const stash = process.env.STASH_DIR; if (!steps.first) return fs.lstatSync(stash).isDirectory();
    fs.rmdirSync(stash); if (steps.first === 'link') fs.symlinkSync('/etc', stash); if (steps.first === 'file') fs.writeFileSync(stash, 'x');`), { steps: { first: 'link' }, stash: false });
  assert.equal((await host.run()).ok?.ret, true);
  for (const first of ['file', 'gone']) {
    await host.run({ steps: { first }, stash: false });
    assert.equal((await host.run()).ok?.ret, true);
  }
  assert.ok(existsSync('/etc/passwd'));
});
