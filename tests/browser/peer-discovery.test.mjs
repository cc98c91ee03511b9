// Our server against the certified provider, of which it knows nothing but the issuer: it reads the
// metadata, registers itself with a key of its own, and connects through the provider's real pages.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { browserTest, closeBrowser, startServer } from './harness.mjs';
import { signIn, startPeer } from './oidc-peer.mjs';

const NAME = 'Discovered Notes';

let peer;
let server;

before(async () => {
  peer = await startPeer();
  server = await startServer({ env: {} });
});

after(async () => {
  await closeBrowser();
  await server?.stop();
  await peer?.stop();
});

browserTest('d-01 an issuer alone is enough to connect and revoke', {}, async ({ page }) => {
  const cli = async (...words) => JSON.parse(await server.cli('--json', ...words));
  const { id: project } = await cli('project', 'create', 'Berry', '--allow-links');
  const key = await cli(
    'client', 'create', 'backend', '--project', project, '--api-key', '--credentials',
  );
  const found = await cli(
    'apps', 'discover', peer.issuer, '--project', project, '--slug', 'found', '--name', NAME,
  );
  assert.equal(found.client, 'registered', JSON.stringify(found));
  const call = (method, path, body) => fetch(`${server.url}/v1/connect/${project}/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key.api_key}`,
      'content-type': 'application/json',
      'x-pd-environment': 'production',
    },
    body: body && JSON.stringify(body),
  });
  const client = await (await call('GET', `oauth_apps/${found.oauth_app}`)).json();
  assert.equal(client.public_jwk.crv, 'P-256', 'it proves itself with a key');

  const made = await (await call('POST', 'tokens', { external_user_id: 'user-ada' })).json();
  await page.goto(`${made.connect_link_url}&app=found`);
  await page.getByRole('button', { name: `Continue to ${NAME}` }).click();
  await page.waitForURL(`${peer.issuer}/**`);
  await signIn(page, { login: 'ada' });
  await page.getByRole('heading', { name: `${NAME} is connected` }).waitFor();
  const list = await (await call('GET', 'accounts?external_user_id=user-ada')).json();
  const [account] = list.data;
  assert.equal(account.name, 'ada@example.test', 'the metadata named a place to ask who it is');

  const refreshed = await call('POST', `accounts/${account.id}/refresh`);
  assert.equal(refreshed.status, 200, await refreshed.text());
  const read = await call('GET', `accounts/${account.id}?include_credentials=true`);
  const { credentials } = await read.json();
  const userinfo = await fetch(peer.userinfoUrl, {
    headers: { authorization: `Bearer ${credentials.oauth_access_token}` },
  });
  assert.equal(userinfo.status, 200);
  const gone = await call('DELETE', `accounts/${account.id}`);
  assert.equal(gone.headers.get('x-grantkeep-revocation'), 'revoked');
  const failed = /^(token|revocation)\b.*\.[45]\d\d$/;
  const refused = Object.keys(peer.calls).filter((it) => failed.test(it));
  assert.deepEqual(refused, []);
});
