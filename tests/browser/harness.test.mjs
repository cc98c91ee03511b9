// The harness itself, with a stand-in for the binary: it starts, speaks, fails and stops.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startServer } from './harness.mjs';

const STAND_IN = `#!/usr/bin/env node
const { createServer } = require('node:http');
const command = process.argv[2];
if (command === 'serve') {
  const port = process.env.GRANTKEEP_LISTEN.split(':')[1];
  createServer((q, r) => { r.statusCode = q.url === '/readyz' ? 200 : 404; r.end(); })
    .listen(port, '127.0.0.1', () => console.log('listening'));
} else if (command === 'show') {
  console.log(process.env.GRANTKEEP_ROOT_KEY.length, process.env.GRANTKEEP_STRAY);
} else {
  console.error('no such command');
  process.exit(2);
}
`;

let folder;
const namedBefore = process.env.GRANTKEEP_BIN;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grantkeep-stand-in-'));
  process.env.GRANTKEEP_BIN = join(folder, 'grantkeep');
  await writeFile(process.env.GRANTKEEP_BIN, STAND_IN, { mode: 0o755 });
});

after(async () => {
  if (namedBefore === undefined) delete process.env.GRANTKEEP_BIN;
  else process.env.GRANTKEEP_BIN = namedBefore;
  await rm(folder, { recursive: true });
});

test('a server is ready when given, has its own settings only, and leaves no folder', async () => {
  process.env.GRANTKEEP_STRAY = 'from the outside';
  const server = await startServer();
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
  assert.match(server.log(), /listening/);
  assert.equal((await server.cli('show')).trim(), '44 undefined');
  await assert.rejects(server.cli('nonsense'), /nonsense ended with 2:\nno such command/);
  await server.stop();
  assert.equal(existsSync(server.folder), false);
  await assert.rejects(fetch(`${server.url}/readyz`));
  delete process.env.GRANTKEEP_STRAY;
});

test('a server that ends at start is an error with its own words', async () => {
  const begun = Date.now();
  await assert.rejects(startServer({ args: ['nonsense'] }), /ended at start:\nno such command/);
  assert.ok(Date.now() - begun < 5000);
});
