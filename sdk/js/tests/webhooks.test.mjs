import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { createBackendClient, verifyWebhook } from '../dist/index.js';
import { serve } from './server.mjs';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const body = '{"type":"account.dead","data":{"id":"apn_1","name":"Ä"}}';
const at = 1_614_265_330;
const now = at * 1000;

/** Signed with Node's own HMAC, which is not what the client uses. */
function standard(key, { id = 'msg_1', time = at, text = body } = {}) {
  const raw = Buffer.from(key.slice(6), 'base64');
  const tag = createHmac('sha256', raw).update(`${id}.${time}.${text}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': `${time}`, 'webhook-signature': `v1,${tag}` };
}

function older(key, { time = at, text = body } = {}) {
  const tag = createHmac('sha256', key).update(`${time}.${text}`).digest('hex');
  return { 'x-pd-signature': `t=${time},v1=${tag}` };
}

const refused = (promise) => assert.rejects(promise, { code: 'webhook_invalid' });

test('h-01 both signatures of the server are taken', async () => {
  const example = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  };
  const text = '{"test": 2432232314}';
  assert.deepEqual(await verifyWebhook(example, text, secret, { now }), { test: 2432232314 });
  const old = '2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964';
  const alone = { 'X-PD-Signature': `t=1614265330,v1=${old}` };
  assert.deepEqual(await verifyWebhook(alone, text, secret, { now }), { test: 2432232314 });
  for (const headers of [standard(secret), older(secret), new Headers(standard(secret))]) {
    for (const form of [body, Buffer.from(body), new TextEncoder().encode(body).buffer]) {
      const news = await verifyWebhook(headers, form, secret, { now });
      assert.equal(news.type, 'account.dead');
      assert.equal(news.data.name, 'Ä');
    }
  }
});

test('h-02 of two secrets and of two signatures one is enough', async () => {
  await verifyWebhook(standard(secret), body, [other, secret], { now });
  const both = standard(secret);
  both['webhook-signature'] = `${standard(other)['webhook-signature']} v1a,x ${both['webhook-signature']}`;
  await verifyWebhook(both, body, secret, { now });
  const [first, second] = [older(other)['x-pd-signature'], older(secret)['x-pd-signature']];
  const pair = { 'x-pd-signature': `${first}, ${second.split(',')[1]}` };
  await verifyWebhook(pair, body, secret, { now });
});

test('h-03 what is older or newer than five minutes is refused', async () => {
  for (const make of [standard, older]) {
    for (const off of [-300, 0, 300])
      await verifyWebhook(make(secret, { time: at + off }), body, secret, { now });
    for (const off of [-301, 301, -1e9])
      await refused(verifyWebhook(make(secret, { time: at + off }), body, secret, { now }));
    for (const time of ['', 'NaN', '1e9', '-1', `${at}.5`])
      await refused(verifyWebhook(make(secret, { time }), body, secret, { now }));
  }
});

test('what is not signed with the secret is refused', async () => {
  for (const make of [standard, older]) {
    const headers = make(secret);
    await refused(verifyWebhook(headers, `${body} `, secret, { now }));
    await refused(verifyWebhook(headers, body, other, { now }));
    await refused(verifyWebhook(make(secret, { text: 'no' }), 'no', secret, { now }));
  }
  await refused(verifyWebhook({}, body, secret, { now }));
  for (const signature of ['', 'v1,', 'v1,!', 'v2,AAAA', 'v1', ' ']) {
    const headers = { ...standard(secret), 'webhook-signature': signature };
    await refused(verifyWebhook(headers, body, secret, { now }));
  }
  await refused(verifyWebhook({ 'x-pd-signature': `t=${at},v1=zz` }, body, secret, { now }));
  // A key that decodes to nothing must not be a key that anybody can sign with.
  await refused(verifyWebhook(standard(secret), body, 'whsec_', { now }));
  for (const missing of ['', [], undefined])
    await assert.rejects(verifyWebhook(standard(secret), body, missing), { code: 'invalid_option' });
  await assert.rejects(verifyWebhook(standard(secret), JSON.parse(body), secret, { now }), {
    code: 'invalid_option',
  });
});

test('endpoints are managed by their addresses', async (t) => {
  const endpoint = { id: 'wh_1', url: 'https://a.example/', topics: null, default: false };
  const server = await serve(t, (seen) => {
    if (seen.method === 'DELETE') return { status: 204 };
    if (seen.path.endsWith('/webhooks') && seen.method === 'GET')
      return { body: { data: [endpoint] } };
    if (seen.path.endsWith('/deliveries'))
      return { body: { data: [{ id: 'dlv_1' }], page_info: { end_cursor: null } } };
    if (seen.path.includes('/webhook/') || seen.path.endsWith('/webhook'))
      return { body: { data: seen.method === 'GET' ? null : { id: 'wh_2', signing_key: 'k' } } };
    return { body: { ...endpoint, secret: 'whsec_x', replayed: 2 } };
  });
  const client = createBackendClient({ baseUrl: server.url, projectId: 'proj_1', apiKey: 'k' });
  const { webhooks, projectEnvironment } = client;
  assert.equal((await webhooks.list())[0].id, 'wh_1');
  const made = await webhooks.create({ url: 'https://a.example/', topics: ['account.dead'] });
  assert.equal(made.secret, 'whsec_x');
  await webhooks.update('wh_1', { topics: null });
  await webhooks.rotate('wh_1');
  await webhooks.reset('wh_1');
  await webhooks.test('wh_1');
  for await (const it of webhooks.deliveries({ state: 'failed' })) assert.equal(it.id, 'dlv_1');
  assert.equal((await webhooks.replay({ endpointId: 'wh_1' })).replayed, 2);
  await webhooks.delete('wh_1');
  assert.equal(await projectEnvironment.retrieveWebhook(), null);
  await projectEnvironment.updateWebhook({ url: 'https://b.example/' });
  assert.equal((await projectEnvironment.regenerateWebhookSigningKey()).signingKey, 'k');
  await projectEnvironment.resetWebhookDeliveryState();
  await projectEnvironment.deleteWebhook();
  const at = '/v1/connect/proj_1';
  assert.deepEqual(server.lines(), [
    `GET ${at}/webhooks`,
    `POST ${at}/webhooks`,
    `PATCH ${at}/webhooks/wh_1`,
    `POST ${at}/webhooks/wh_1/rotate`,
    `POST ${at}/webhooks/wh_1/reset`,
    `POST ${at}/webhooks/wh_1/test`,
    `GET ${at}/webhooks/deliveries?state=failed&limit=100`,
    `POST ${at}/webhooks/replay`,
    `DELETE ${at}/webhooks/wh_1`,
    `GET ${at}/webhook`,
    `PUT ${at}/webhook`,
    `POST ${at}/webhook/regenerate_signing_key`,
    `POST ${at}/webhook/reset_delivery_state`,
    `DELETE ${at}/webhook`,
  ]);
  const sent = server.requests.map((it) => it.body);
  assert.deepEqual(sent[2], { topics: null });
  assert.deepEqual(sent[7], { endpoint_id: 'wh_1' });
});
