import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { createBackendClient } from '../dist/index.js';
import { serve } from './server.mjs';

const token = { access_token: 'at_1', token_type: 'Bearer', expires_in: 3600 };
const pemOf = (key) => key.export({ type: 'pkcs8', format: 'pem' });
const json = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

function withKey(server, keyPair) {
  return createBackendClient({ baseUrl: server.url, clientId: 'cid', keyPair, retries: 0 });
}

for (const [kind, algorithm, options, how] of [
  ['ec', 'ES256', { namedCurve: 'P-256' }, { dsaEncoding: 'ieee-p1363' }],
  ['rsa', 'RS256', { modulusLength: 2048 }, {}],
]) {
  test(`a client proves itself with a key: ${algorithm}`, async (t) => {
    const { privateKey, publicKey } = generateKeyPairSync(kind, options);
    let fails = 1;
    const server = await serve(t, (seen) => {
      if (seen.path !== '/v1/oauth/token') return { body: [] };
      return (fails -= 1) >= 0 ? { status: 503, body: {} } : { body: token };
    });
    const client = withKey(server, { privateKey: pemOf(privateKey), keyId: 'k-1' });
    await assert.rejects(client.appCategories.list(), { status: 503 });
    await client.appCategories.list();
    const bodies = server.requests.filter((it) => it.path === '/v1/oauth/token');
    const ids = bodies.map(({ body }) => {
      assert.equal(body.client_secret, undefined);
      assert.match(body.client_assertion_type, /:jwt-bearer$/);
      const [head, claims, tag] = body.client_assertion.split('.');
      assert.deepEqual(json(head), {
        alg: algorithm,
        typ: 'client-authentication+jwt',
        kid: 'k-1',
      });
      const said = json(claims);
      assert.deepEqual([said.iss, said.sub, said.aud], ['cid', 'cid', server.url]);
      assert.equal(said.exp - said.iat, 60);
      const signed = Buffer.from(`${head}.${claims}`);
      const good = verify('sha256', signed, { key: publicKey, ...how }, Buffer.from(tag, 'base64url'));
      assert.ok(good);
      return said.jti;
    });
    assert.equal(new Set(ids).size, 2);
    assert.ok(!inspect(client, { depth: 9, showHidden: true }).includes('PRIVATE'));
  });
}

test('each attempt for a token proves itself anew', async (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = await serve(t, (seen, all) => {
    if (seen.path !== '/v1/oauth/token') return { body: [] };
    return all.length < 3 ? { status: 503, headers: { 'retry-after': '0' } } : { body: token };
  });
  const options = { keyPair: { privateKey: pemOf(privateKey) }, retries: 2 };
  await createBackendClient({ baseUrl: server.url, clientId: 'cid', ...options })
    .appCategories.list();
  const asked = server.requests.filter((it) => it.path === '/v1/oauth/token');
  const ids = asked.map((it) => json(it.body.client_assertion.split('.')[1]).jti);
  assert.deepEqual([asked.length, new Set(ids).size], [3, 3]);
});

test('other keys are refused, and nothing of them is told', async (t) => {
  const server = await serve(t, () => ({ body: token }));
  const wrong = [
    'no key',
    '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',
    pemOf(generateKeyPairSync('ed25519').privateKey),
    pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey),
    pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey),
  ];
  for (const privateKey of wrong) {
    await assert.rejects(withKey(server, { privateKey }).appCategories.list(), (error) => {
      assert.equal(error.code, 'invalid_option');
      return !error.message.includes(privateKey);
    });
  }
  assert.equal(server.requests.length, 0);
  const both = { baseUrl: server.url, clientId: 'c', clientSecret: 's', keyPair: {} };
  assert.throws(() => createBackendClient(both), { code: 'invalid_option' });
});
