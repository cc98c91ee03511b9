// The real server on a port of its own, with a project, and a pretend app that it calls.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createBackendClient } from '../dist/index.js';

const START_MS_MAX = 60_000;
const NAMED = process.env['GRANTKEEP_BIN'];

/** Why the tests that need the program are left out; nothing where it is named. */
export const skip = NAMED ? false : 'GRANTKEEP_BIN names no binary: `cargo xtask test --only sdk`';

const PARCELS = (upstream) => `
slug = "parcels"
name = "Parcels"
description = "Parcels, tracked."
homepage = "https://parcels.example"
categories = []
popularity = 0
purpose = "see your parcels"
auth = "keys"
[[fields]]
name = "api_key"
label = "API key"
kind = "password"
[proxy]
base_url = "${upstream}"
[proxy.headers]
authorization = "Bearer \${api_key}"
[evidence]
confirmed = 1
checked_on = "2026-11-26"
`;

/** A server on a free port that answers by `handle`. */
export async function listening(handle) {
  const server = http.createServer(handle);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export async function bytesOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A pretend app: what came comes back; `/missing` is a 404, `/slow` waits for a word. */
async function pretendApp() {
  const seen = [];
  const app = { seen, more: () => {} };
  const { url, close } = await listening(async (request, response) => {
    const body = await bytesOf(request);
    seen.push({ method: request.method, path: request.url, headers: request.headers, body });
    const status = request.url.startsWith('/missing') ? 404 : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    if (request.url !== '/slow') return response.end(body.length > 0 ? body : '{"said":"hello"}');
    response.write('first ');
    app.more = () => response.end('second');
  });
  return Object.assign(app, { url, close });
}

async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** The program, started, with a project of its own; `project` makes more, and `stop` ends it. */
export async function start() {
  const binary = resolve(NAMED);
  if (!existsSync(binary)) throw new Error(`GRANTKEEP_BIN: there is no ${binary}`);
  const folder = mkdtempSync(join(tmpdir(), 'grantkeep-sdk-'));
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('GRANTKEEP_'));
  const env = {
    ...Object.fromEntries(clean),
    GRANTKEEP_LISTEN: address,
    GRANTKEEP_PUBLIC_URL: url,
    GRANTKEEP_DATA_DIR: join(folder, 'data'),
    GRANTKEEP_ROOT_KEY: randomBytes(32).toString('base64'),
    GRANTKEEP_DEV: 'true',
    GRANTKEEP_EGRESS_ALLOW_LOOPBACK: 'true',
  };
  const log = openSync(join(folder, 'server.log'), 'w');
  const served = spawn(binary, ['serve'], { cwd: folder, env, stdio: ['ignore', log, log] });
  closeSync(log);
  const app = await pretendApp();
  const stop = async () => {
    const ended = new Promise((done) => served.once('exit', done));
    if (served.exitCode === null && served.kill()) await ended;
    app.close();
    rmSync(folder, { recursive: true });
  };
  const cli = async (...words) => {
    const ran = await promisify(execFile)(binary, ['--json', ...words], { cwd: folder, env });
    return JSON.parse(ran.stdout);
  };
  try {
    await ready(url, served, () => readFileSync(join(folder, 'server.log'), 'utf8'));
    const project = async (...words) => {
      const { id } = await cli('project', 'create', ...words);
      const made = await cli('client', 'create', 'backend', '--credentials', '--proxy');
      const options = {
        baseUrl: url,
        environment: 'development',
        projectId: id,
        clientId: made.client_id,
        clientSecret: made.client_secret,
      };
      const client = createBackendClient(options);
      await client.customApps.create(PARCELS(app.url));
      return { options, client };
    };
    return { url, folder, app, cli, project, ...(await project('Acme', '--compat')), stop };
  } catch (why) {
    await stop();
    throw why;
  }
}

async function ready(url, served, log) {
  const end = Date.now() + START_MS_MAX;
  while (served.exitCode === null && Date.now() < end) {
    const there = await fetch(`${url}/readyz`).then(
      (it) => it.ok,
      () => false,
    );
    if (there) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`the server does not start:\n${log()}`);
}
