import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { build, committed } from '../scripts/page.mjs';

test('the scripts that the server embeds are what the sources build', () => {
  for (const [name, text] of Object.entries(build())) {
    assert.equal(
      readFileSync(committed(name), 'utf8'),
      text,
      `web/sdk/${name} is stale: run \`npm run build\` in sdk/js`,
    );
  }
});

test('the module exports what the script names', async () => {
  const module = await import(committed('sdk.mjs').href);
  assert.deepEqual(Object.keys(module).sort(), [
    'ConnectError',
    'FrontendClient',
    'GrantkeepError',
    'createClient',
    'createFrontendClient',
  ]);
});
