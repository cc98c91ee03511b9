// The client against the real server.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { ConfirmError, createBackendClient, createClient, verifyWebhook } from '../dist/index.js';
import { bytesOf, listening, skip, start } from './binary.mjs';

describe('against the real server', { skip }, () => {
  let world;
  let client;
  before(async () => {
    world = await start();
    client = world.client;
  });
  after(() => world?.stop());

  const someone = () => `user ${randomUUID().slice(0, 8)}/ä?#%2F`;
  const without = (...names) =>
    Object.fromEntries(Object.entries(world.options).filter(([name]) => !names.includes(name)));
  async function connected(externalUserId) {
    const { token } = await client.tokens.create({ externalUserId, allowedApps: ['parcels'] });
    const fields = { api_key: `key-of-${externalUserId.slice(5, 13)}` };
    return client.accounts.create({
      externalUserId,
      appSlug: 'parcels',
      fields,
      connectToken: token,
      name: 'Jana',
    });
  }

  test('an account is connected, read and deleted', async () => {
    const user = someone();
    const { token, expiresAt } = await client.tokens.create({ externalUserId: user });
    assert.ok(token.startsWith('ctok_') && expiresAt instanceof Date);
    const judged = await client.tokens.validate(token, { appId: 'parcels' });
    assert.deepEqual([judged.success, judged.app.nameSlug], [true, 'parcels']);
    const account = await connected(user);
    assert.deepEqual(
      [account.externalId, account.name, account.healthy, account.status],
      [user, 'Jana', true, 'healthy'],
    );
    const found = await client.accounts.retrieve(account.id, { includeCredentials: true });
    assert.deepEqual(Object.keys(found.credentials), ['api_key']);
    const ids = (await client.accounts.list({ externalUserId: user }).all()).map((it) => it.id);
    assert.deepEqual(ids, [account.id]);
    assert.equal((await client.accounts.listByExternalUser(user))[0].id, account.id);
    assert.equal((await client.accounts.health(account.id)).status, 'healthy');
    assert.equal(await client.accounts.delete(account.id), undefined);
    assert.equal((await client.accounts.revocation(account.id)).accountId, account.id);
    await assert.rejects(client.accounts.retrieve(account.id), { status: 404, code: 'not_found' });
    assert.equal(await client.users.delete(user), undefined);
  });

  test('a call that is held to a user finds no account of another', async () => {
    const [user, other] = [someone(), someone()];
    const { id } = await connected(user);
    const held = { externalUserId: other };
    const missing = { status: 404 };
    await assert.rejects(client.accounts.retrieve(id, held), missing);
    await assert.rejects(client.accounts.health(id, held), missing);
    await assert.rejects(client.accounts.refresh(id, held), missing);
    await assert.rejects(client.accounts.update(id, { keepAlive: true }, held), missing);
    await assert.rejects(client.accounts.delete(id, held), missing);
    assert.equal((await client.accounts.retrieve(id, { externalUserId: user })).id, id);
    await client.accounts.delete(id, { externalUserId: user });
  });

  test('lists are walked both ways', async () => {
    const mark = randomUUID().slice(0, 8);
    for (let nth = 0; nth < 7; nth += 1)
      await client.tokens.create({ externalUserId: `${mark}-${nth}` });
    const list = (more = {}) => client.users.list({ q: mark, limit: 3, ...more });
    const pages = [];
    for await (const page of list().pages()) pages.push(page);
    const names = (some) => some.flatMap((it) => it.data.map((user) => user.externalId));
    const whole = names(pages);
    assert.deepEqual(pages.map((it) => it.data.length), [3, 3, 1]);
    assert.equal(new Set(whole).size, 7);
    const back = [];
    const before = pages[2].pageInfo.startCursor;
    for await (const page of list({ before }).pages()) back.unshift(page);
    assert.deepEqual(names(back), whole.slice(0, 6));
    assert.deepEqual((await client.users.list({ q: mark }).all()).length, 7);
    assert.equal((await client.users.list({ q: mark }).all(2)).length, 2);
  });

  test('calls to an app pass bodies both ways, as they come', async () => {
    const user = someone();
    const who = { accountId: (await connected(user)).id, externalUserId: user };
    const answer = await client.proxy.get('/Müller?a=1', { ...who, params: { q: 'ä b' } });
    assert.deepEqual(await answer.json(), { said: 'hello' });
    const seen = world.app.seen.at(-1);
    assert.equal(seen.path, '/M%C3%BCller?a=1&q=%C3%A4+b');
    assert.match(seen.headers.authorization, /^Bearer key-of-/);
    const made = await client.proxy.post('/echo', {
      ...who,
      body: { a: 1 },
      headers: { 'X-Version': '2' },
    });
    assert.deepEqual(await made.json(), { a: 1 });
    const { headers } = world.app.seen.at(-1);
    assert.deepEqual([headers['x-version'], headers['content-type']], ['2', 'application/json']);
    async function* pieces() {
      yield 'one, ';
      yield 'two';
    }
    const put = await client.proxy.put('/echo', { ...who, body: pieces() });
    assert.equal(await put.text(), 'one, two');
    const large = Readable.from([Buffer.alloc(100_000, 'x'), Buffer.alloc(100_000, 'y')]);
    const patched = await client.proxy.patch('/echo', { ...who, body: large });
    assert.equal((await patched.arrayBuffer()).byteLength, 200_000);
    const slow = await client.proxy.get('/slow', who);
    const text = new TextDecoder();
    let heard = '';
    for await (const piece of slow.body) {
      if (heard === '') world.app.more();
      heard += text.decode(piece);
    }
    assert.equal(heard, 'first second');
  });

  test('a refusal of the app is no failure, but one of the server is', async () => {
    const user = someone();
    const who = { accountId: (await connected(user)).id, externalUserId: user };
    const missing = await client.proxy.get('/missing', who);
    assert.deepEqual([missing.status, await missing.json()], [404, { said: 'hello' }]);
    await assert.rejects(client.proxy.get('https://other.example/x', who), {
      status: 403,
      code: 'host_not_allowed',
    });
    await assert.rejects(client.proxy.get('/x', { ...who, externalUserId: someone() }), {
      status: 404,
    });
  });

  test('a file is kept and given back', async () => {
    const user = someone();
    await client.tokens.create({ externalUserId: user });
    const content = Buffer.from(Array.from({ length: 256 }, (_, nth) => nth));
    const { fileStash } = client;
    const body = Readable.from([content, content]);
    const file = await fileStash.upload({ externalUserId: user, name: 'a b ü.bin', body });
    assert.deepEqual([file.bytes, file.expiresAt instanceof Date], [512, true]);
    const given = Buffer.from(await (await fileStash.download(file.s3Key)).arrayBuffer());
    assert.ok(given.equals(Buffer.concat([content, content])));
    const { stashId } = file;
    const more = await fileStash.upload({ externalUserId: user, name: 'b', body: 'b', stashId });
    assert.equal(more.stashId, stashId);
    await assert.rejects(fileStash.download(`${file.s3Key}x`), { status: 404 });
  });

  test('news that is posted is known for what it is', async (t) => {
    const heard = [];
    const receiver = await listening(async (request, response) => {
      heard.push({ headers: request.headers, body: await bytesOf(request) });
      response.writeHead(204).end();
    });
    t.after(() => receiver.close());
    const hook = await client.webhooks.create({ url: `${receiver.url}/h`, topics: ['account.dead'] });
    assert.equal((await client.webhooks.test(hook.id)).delivered, true);
    const [{ headers, body }] = heard;
    assert.equal((await verifyWebhook(headers, body, hook.secret)).type, 'webhook.test');
    const older = { 'x-pd-signature': headers['x-pd-signature'] };
    assert.equal((await verifyWebhook(older, body, hook.secret)).type, 'webhook.test');
    const forged = Buffer.concat([body, Buffer.from(' ')]);
    const wrong = { code: 'webhook_invalid' };
    await assert.rejects(verifyWebhook(headers, forged, hook.secret), wrong);
    const { secret } = await client.webhooks.rotate(hook.id);
    await assert.rejects(verifyWebhook(headers, body, secret), wrong);
    await client.webhooks.delete(hook.id);
  });

  test('what a project keeps is changed, and read as it was written', async () => {
    const project = await client.projects.create({ name: 'Berry', appName: 'Berry' });
    const changed = await client.projects.update(project.id, {
      appName: null,
      codeHosts: ['api.example.com'],
      blindTokens: false,
    });
    assert.deepEqual(
      [changed.appName, changed.codeHosts, changed.blindTokens],
      [null, ['api.example.com'], false],
    );
    await client.projects.delete(project.id);
    const oauth = await client.oauthApps.create({ app: 'github' });
    const known = await client.oauthApps.update(oauth.id, { clientId: 'i', clientSecret: 's' });
    assert.deepEqual([oauth.clientId, known.clientId], ['', 'i']);
    await client.oauthApps.delete(oauth.id);
    const hook = await client.projectEnvironment.updateWebhook({ url: 'http://127.0.0.1:3000/h' });
    assert.ok(hook.signingKey);
    await client.projectEnvironment.deleteWebhook();
    const app = await client.apps.retrieve('slack');
    assert.deepEqual([app.connect.proxyEnabled, typeof app.evidence.confirmed], [true, 'number']);
    await assert.rejects(client.freeze.retrieve(), { status: 403, code: 'scope_missing' });
  });

  test('a client is known by its key, and not by a wrong secret', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const file = join(world.folder, 'public.pem');
    writeFileSync(file, publicKey.export({ type: 'spki', format: 'pem' }));
    const made = await world.cli('client', 'create', 'signer', '--public-key', file);
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const signer = createBackendClient({
      ...without('clientSecret'),
      clientId: made.client_id,
      keyPair: { privateKey: pem },
    });
    assert.equal(typeof (await signer.users.list()).pageInfo.totalCount, 'number');
    const wrong = createBackendClient({ ...world.options, clientSecret: 'not a real one' });
    await assert.rejects(wrong.users.list().then(), (error) => {
      assert.deepEqual([error.status, error.code], [401, 'invalid_client']);
      assert.notEqual(error.message, 'invalid_client');
      return true;
    });
  });

  test('an API key names its project by itself', async () => {
    const words = ['client', 'create', 'old', '--project', world.options.projectId, '--api-key'];
    const key = Object.values(await world.cli(...words)).find((it) => /^gk_/.test(it));
    const keyed = createBackendClient({
      ...without('projectId', 'clientId', 'clientSecret'),
      apiKey: key,
    });
    const user = someone();
    const { id } = await connected(user);
    assert.equal((await keyed.accounts.list({ externalUserId: user }))?.data[0].id, id);
    const components = await keyed.components.list();
    assert.ok(Array.isArray(components.data));
    assert.deepEqual(await keyed.deployedTriggers.list({ externalUserId: user }).all(), []);
    await keyed.accounts.delete(id);
    assert.throws(() => keyed.users.erasure('era_1'), { code: 'invalid_option' });
    assert.throws(() => keyed.workflows.list(), { code: 'invalid_option' });
  });

  test('a connect token calls for its user, from a page', async () => {
    const user = someone();
    const account = await connected(user);
    const page = createClient({
      baseUrl: world.url,
      externalUserId: user,
      tokenCallback: ({ externalUserId }) => client.tokens.create({ externalUserId }),
    });
    const ids = (await page.accounts.list().all()).map((it) => it.id);
    assert.deepEqual(ids, [account.id]);
  });

  test('a flow is confirmed for the user who came back, and for nobody else', async () => {
    const acme = await world.project('Verified');
    const { projectId } = acme.options;
    await acme.client.projects.update(projectId, { verifyUrl: 'http://localhost:3000/verify' });
    /** What a person does who follows a link and enters a key, in a browser without scripts. */
    const comesBack = async (externalUserId) => {
      const { connectLinkUrl } = await acme.client.tokens.create({ externalUserId });
      const page = await (await fetch(`${connectLinkUrl}&app=parcels`)).text();
      const [, session] = /name="session" value="([^"]+)"/.exec(page);
      const sent = await fetch(`${world.url}/connect/page`, {
        method: 'POST',
        headers: { origin: world.url },
        body: new URLSearchParams({ session, do: 'form', 'f-api_key': 'k-1' }),
        redirect: 'manual',
      });
      const to = new URL(sent.headers.get('location'));
      assert.equal(to.origin + to.pathname, 'http://localhost:3000/verify');
      return to.searchParams.get('flow_id');
    };
    const user = someone();
    const flow = await comesBack(user);
    const account = await acme.client.confirmFlow(flow, user);
    assert.deepEqual([account.externalId, account.binding], [user, 'verified']);
    assert.match(account.redirectUri, /^http/);
    const refused = (reason) => (error) => {
      assert.ok(error instanceof ConfirmError);
      assert.equal(error.reason, reason);
      return true;
    };
    await assert.rejects(acme.client.confirmFlow(flow, user), (error) => {
      assert.equal(error.accountId, account.id);
      return refused('flow_used')(error);
    });
    const other = await comesBack(someone());
    await assert.rejects(acme.client.confirmFlow(other, user), refused('user_mismatch'));
    assert.equal((await acme.client.accounts.list().all()).length, 1);
  });

  test('what is wrong is said, and a flow that is none has a reason', async () => {
    await assert.rejects(client.tokens.create({ externalUserId: 'u', expiresIn: 0 }), (error) => {
      assert.deepEqual([error.status, typeof error.requestId], [400, 'string']);
      return true;
    });
    await assert.rejects(client.confirmFlow('flc_00000000000000000000000000', 'u'), (error) => {
      assert.ok(error instanceof ConfirmError);
      assert.equal(error.reason, 'not_found');
      return true;
    });
  });
});
