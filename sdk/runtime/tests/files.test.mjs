import assert from 'node:assert/strict';
import { test } from 'node:test';
import { action, once } from './host.mjs';

const base64 = (text) => Buffer.from(text).toString('base64');

test('files come in, are found by both their paths, and changed ones go out', async (t) => {
  const { host, answer } = await once(t, action(`
    const fs = await import('node:fs'); const path = await import('node:path'); const stash = process.env.STASH_DIR; const tmp = path.dirname(stash);
    const read = [fs.readFileSync(path.join(stash, 'in.txt'), 'utf8'), fs.readFileSync(path.join(tmp, 'in.txt'), 'utf8'), fs.readFileSync(path.join(tmp, 'sub/deep.txt'), 'utf8')];
    fs.writeFileSync(path.join(stash, 'out.txt'), 'made'); fs.writeFileSync(path.join(tmp, 'loose.txt'), 'loose'); fs.appendFileSync(path.join(tmp, 'sub/deep.txt'), ' changed');
    fs.writeFileSync(path.join(stash, 'empty'), ''); fs.symlinkSync('/etc/passwd', path.join(stash, 'link'));
    return read;`), { files: [{ path: 'in.txt', base64: base64('given') }, { path: 'sub/deep.txt', base64: base64('deep') }] });
  assert.deepEqual(answer.ok?.ret, ['given', 'given', 'deep'], JSON.stringify(answer.error));
  assert.deepEqual(host.files.map((it) => [it.path, it.content]).sort(), [
    ['empty', ''], ['loose.txt', 'loose'], ['out.txt', 'made'], ['sub/deep.txt', 'deep changed'],
  ]);
  assert.ok(host.files.every((it) => it.of === answer.id));
});

test('no file goes out where no stash is wanted, nor after an error', async (t) => {
  const { host } = await once(t, action("(await import('node:fs')).writeFileSync(process.env.STASH_DIR + '/a', 'x'); if (steps.fail) throw 1;"), { stash: false });
  await host.run({ steps: { fail: true } });
  assert.deepEqual(host.files, []);
});

test('a file that the host refuses fails the run', async (t) => {
  const { host } = await once(t, action("(await import('node:fs')).writeFileSync(process.env.STASH_DIR + '/a', 'x'.repeat(3_000_000));"));
  assert.equal(host.files[0].content.length, 3_000_000);
  host.refuseFile = () => true;
  const { error } = await host.run();
  assert.deepEqual([error.message, error.code], ['no room', 'file']);
});

for (const name of ['../x', '/etc/x', 'a//b', '', '.']) {
  test(`a file called "${name}" is not written`, async (t) => {
    const { answer } = await once(t, action('return 1;'), { files: [{ path: name, base64: '' }] });
    assert.match(answer.error.message, /A file cannot be called/);
  });
}

test('streams of paths and addresses, with what is known of them', async (t) => {
  const serve = (request, response) => {
    if (request.url.startsWith('/none')) return response.writeHead(404).end();
    response.setHeader('content-type', 'text/csv');
    response.setHeader('etag', '"e"');
    response.setHeader('last-modified', 'Thu, 01 Jan 1970 00:00:00 GMT');
    if (request.url.startsWith('/sized')) response.setHeader('content-length', 3);
    if (request.url.startsWith('/named')) response.setHeader('content-disposition', 'attachment; filename="n.csv"');
    response.write('a');
    return response.end(',b');
  };
  const { answer } = await once(t, action(`
    const { getFileStream, getFileStreamAndMetadata } = runtime;
    const text = async (stream) => { let t = ''; for await (const part of stream) t += part; return t; };
    const both = async (from) => { const { stream, metadata } = await getFileStreamAndMetadata(from); return [await text(stream), metadata.size, metadata.contentType, metadata.name]; };
    const errors = [];
    for (const bad of ['/nowhere/x', 'https://a.test/none', 'data:broken']) { try { await getFileStream(bad); } catch (error) { errors.push(error.message); } }
    return [await both('/tmp/in.txt'), await both('in.txt'), await both('https://a.test/sized/x.csv?y'), await both('https://a.test/named'), await both('data:text/plain;base64,aGk='), await text(await getFileStream('https://a.test/sized')),
      (await getFileStreamAndMetadata('https://a.test/sized')).metadata, errors];`), { files: [{ path: 'in.txt', base64: base64('given') }] }, { serve });
  const [local, relative, sized, named, data, plain, all, errors] = answer.ok?.ret ?? assert.fail(JSON.stringify(answer.error));
  assert.deepEqual(local, ['given', 5, 'text/plain', 'in.txt']);
  assert.deepEqual(relative, local);
  assert.deepEqual(sized, ['a,b', 3, 'text/csv', 'x.csv']);
  assert.deepEqual(named, ['a,b', 3, 'text/csv', 'n.csv']);
  assert.deepEqual(data, ['hi', 2, 'text/plain', 'file.txt']);
  assert.equal(plain, 'a,b');
  assert.deepEqual(all, { size: 3, contentType: 'text/csv', name: 'sized', lastModified: '1970-01-01T00:00:00.000Z', etag: '"e"' });
  assert.match(errors[0], /ENOENT/);
  assert.equal(errors[1], 'Failed to fetch https://a.test/none: 404 Not Found');
  assert.match(errors[2], /data: URL/);
});

test('$.files are files of the stash', async (t) => {
  const { host, answer } = await once(t, action(`
    const file = $.files.open('a/b.txt'); await file.fromUrl('https://a.test/'); const found = [(await file.toBuffer()).toString()];
    for await (const entry of $.files.dir()) found.push(entry.path, entry.isDirectory());
    for await (const entry of $.files.dir('a')) found.push(entry.path, (await entry.file().toBuffer()).length);
    await file.toFile(process.env.TMPDIR + '/copy'); await $.files.open('c').fromFile(process.env.TMPDIR + '/copy'); await file.delete();
    try { $.files.open('../x'); } catch (error) { found.push(error.name); }
    return found;`), {}, { serve: (request, response) => response.end('text') });
  assert.deepEqual(answer.ok?.ret, ['text', 'a', true, 'a/b.txt', 4, 'TypeError'], JSON.stringify(answer.error));
  assert.deepEqual(host.files.map((it) => it.path).sort(), ['c', 'copy']);
});

test('the mix-ins and helpers are there', async (t) => {
  const { answer } = await once(t, action(`
    const { sqlProp, sqlProxy, jsonStringifySafe, cloneSafe, DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } = runtime; const out = [DEFAULT_POLLING_SOURCE_TIMER_INTERVAL];
    for (const [mix, name] of [[sqlProp, 'getSchema'], [sqlProp, 'executeQueryAdapter'], [sqlProxy, 'proxyAdapter'], [sqlProxy, 'executeQuery'], [sqlProxy, 'getClientConfiguration']]) { try { mix.methods[name](); } catch (error) { out.push(error.name); } }
    const a = { n: 1n, list: [1] }; a.self = a; a.twice = a.list; out.push(jsonStringifySafe(a), cloneSafe({ a: undefined, b: 1 }));
    const platform = (await import('@grantkeep/runtime')).default; out.push(platform.axios === axios, Object.keys(platform).length, (await import('@mapped/platform')).axios === axios);
    const { createRequire } = await import('node:module'); out.push(createRequire(import.meta.url)('@grantkeep/runtime').axios === axios);
    return out;`), {}, { names: ['@grantkeep/runtime', '@mapped/platform'] });
  const wrong = 'ConfigurationError';
  assert.deepEqual(answer.ok?.ret, [900, wrong, wrong, wrong, wrong, wrong, '{"n":"1","list":[1],"twice":[1]}', { b: 1 }, true, 15, true, true], JSON.stringify(answer.error));
});
