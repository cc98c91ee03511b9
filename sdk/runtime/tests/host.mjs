// A host for the real runner: the socket, the orders, the way out. What `crates/runtime` and the server are in earnest.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createSecureServer as createHttp2 } from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { authority } from './certificates.mjs';

const RUNTIME = fileURLToPath(new URL('..', import.meta.url));
/** How long the runner may take for anything before a test gives up, in ms. */
const PATIENCE_MS = 20_000;

const SHIM = {
  'package.json': JSON.stringify({
    name: 'shim', version: '0.0.0', exports: { '.': { import: './index.mjs', require: './index.cjs' } },
  }),
  'index.mjs': `export * from ${JSON.stringify(path.join(RUNTIME, 'index.mjs'))};\n`
    + `export { default } from ${JSON.stringify(path.join(RUNTIME, 'index.mjs'))};\n`,
  'index.cjs': `module.exports = require(${JSON.stringify(path.join(RUNTIME, 'index.cjs'))});\n`,
};

function write(folder, files) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), content);
  }
}

/**
 * Starts a worker with these files of code. `serve(request, response)` answers whatever the code asks of any host;
 * `calls` answer what it asks of the host itself; `refuse(target)` gives the error that a connection is refused with;
 * `raw(target, socket)` takes a connection that is no HTTP; `before(folder)` sees the folder before the worker starts.
 */
export async function worker(t, files, { serve, calls = {}, refuse, names = ['@grantkeep/runtime'], node = process.execPath, raw, before } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'grantkeep-runtime-'));
  const code = path.join(folder, 'code');
  const own = path.join(folder, 'tmp');
  mkdirSync(own, { recursive: true });
  write(code, typeof files === 'string' ? { 'index.mjs': files } : files);
  for (const name of names) write(path.join(code, 'node_modules', name), SHIM);
  before?.(folder);
  const { ca, issue } = authority();
  writeFileSync(path.join(folder, 'ca.pem'), ca);

  const host = { folder, code, tmp: own, notices: [], targets: [], files: [], messages: [], stray: [] };
  const waiting = new Map();
  const web = createHttp((request, response) => serve(request, response));
  let control;
  let hello;
  const greeted = new Promise((resolve) => {
    hello = resolve;
  });

  function order(message) {
    host.messages.push(message);
    if (message.call !== undefined) {
      const answer = async () => calls[message.method](message.params, message);
      answer().then((ok) => ({ reply: message.call, ok: ok ?? null }), (error) => ({
        reply: message.call, error: { name: error.name, message: error.message },
      })).then((reply) => control.write(`${JSON.stringify(reply)}\n`));
    } else if (message.of !== undefined) {
      (waiting.has(message.of) ? host.notices : host.stray).push(message);
    } else {
      waiting.get(message.id)?.(message);
      waiting.delete(message.id);
    }
  }

  function connected(target, socket, early) {
    host.targets.push(`${target.host}:${target.port}`);
    const refusal = refuse?.(target);
    if (refusal !== undefined) {
      socket.end(refusal === null ? '' : `${JSON.stringify({ error: refusal })}\n`);
      return;
    }
    socket.write('{"ok":true}\n');
    if (early.length > 0) socket.unshift(early);
    if (raw?.(target, socket)) {
      socket.resume();
      return;
    }
    if (target.port !== 443) {
      web.emit('connection', socket);
      return;
    }
    const web2 = createHttp2({ allowHTTP1: true, ...issue(target.host) }, (request, response) => serve(request, response));
    web2.emit('connection', socket);
  }

  const server = net.createServer((socket) => {
    let seen = Buffer.alloc(0);
    socket.on('error', () => {});
    const first = (bytes) => {
      seen = Buffer.concat([seen, bytes]);
      const at = seen.indexOf('\n');
      if (at < 0) return;
      socket.removeListener('data', first);
      const message = JSON.parse(seen.subarray(0, at).toString());
      const rest = seen.subarray(at + 1);
      if (message.hello === 'control') {
        control = socket;
        lines(socket, order);
        hello(message);
      } else if (message.hello === 'connect') {
        socket.pause();
        connected(message, socket, rest);
      } else {
        receive(host, message, socket, rest);
      }
    };
    socket.on('data', first);
  });
  const socketPath = path.join(folder, 'broker.sock');
  await new Promise((resolve) => {
    server.listen(socketPath, resolve);
  });
  const started = performance.now();
  const child = spawn(node, ['--max-old-space-size=256', path.join(RUNTIME, 'runner.mjs')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH, HOME: own, TMPDIR: own, TZ: 'UTC', LANG: 'C.UTF-8', GRANTKEEP_CODE: code,
      GRANTKEEP_CA: path.join(folder, 'ca.pem'), GRANTKEEP_SOCKET: socketPath, GRANTKEEP_STASH: path.join(own, 'stash'),
    },
  });
  host.child = child;
  host.output = '';
  child.stdout.on('data', (bytes) => { host.output += bytes; });
  child.stderr.on('data', (bytes) => { host.output += bytes; });
  host.ended = new Promise((resolve) => {
    child.on('exit', (status, signal) => resolve({ status, signal }));
  });
  t.after(() => {
    child.kill('SIGKILL');
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  host.hello = await greeted;
  host.startMs = performance.now() - started;
  let last = 0;
  /** Orders something; gives the whole answer: `{id, ok}` or `{id, error}`. */
  host.order = (op, fields = {}) => new Promise((resolve, reject) => {
    last += 1;
    const id = last;
    const late = setTimeout(() => reject(new Error(`no answer to ${op}. The runner printed: ${host.output}`)), PATIENCE_MS);
    const done = (answer) => {
      clearTimeout(late);
      resolve(answer);
    };
    waiting.set(id, done);
    host.ended.then(() => done({ id, ended: true }));
    control.write(`${JSON.stringify({ id, op, ...fields })}\n`);
  });
  host.load = (entry = 'index.mjs') => host.order('load', { entry });
  host.run = (input = {}) => host.order('run', { input: { props: {}, dynamicProps: null, event: null, steps: {}, context: {}, files: [], ...input } });
  host.kinds = (kind) => host.notices.filter((it) => kind in it).map((it) => it[kind]);
  host.logs = () => host.kinds('log').map(({ k, msg }) => `${k} ${msg}`);
  host.exports = () => Object.fromEntries(host.kinds('export').map(({ name, value }) => [name, value]));
  host.tell = (line) => control.write(line);
  host.hangUp = () => control.destroy();
  return host;
}

/** Starts a worker, loads the code and runs it once: `{host, answer}`. */
export async function once(t, files, input, options) {
  const host = await worker(t, files, options);
  const loaded = await host.load();
  if (loaded.error !== undefined) throw new Error(`load: ${JSON.stringify(loaded.error)}`);
  return { host, loaded: loaded.ok.component, answer: await host.run(input) };
}

/** The code of an action whose run is this text. */
export const action = (body, more = '') => `
import * as runtime from '@grantkeep/runtime';
const { axios, ConfigurationError, defineComponent } = runtime;
export default defineComponent({ type: 'action', key: 'a-b', name: 'A', version: '0.0.1', ${more}
  async run({ steps, $ }) { ${body} } });
`;

function lines(socket, each) {
  let seen = '';
  socket.setEncoding('utf8');
  socket.on('data', (text) => {
    const parts = (seen + text).split('\n');
    seen = parts.pop();
    for (const part of parts) each(JSON.parse(part));
  });
}

function receive(host, message, socket, rest) {
  if (host.refuseFile?.(message)) {
    socket.end(`${JSON.stringify({ error: { name: 'TooLarge', message: 'no room' } })}\n`);
    return;
  }
  const parts = [];
  let size = 0;
  const take = (bytes) => {
    parts.push(bytes);
    size += bytes.length;
    if (size < message.bytes) return;
    host.files.push({ of: message.of, path: message.path, content: Buffer.concat(parts).toString() });
    socket.end('{"ok":true}\n');
  };
  socket.on('data', take);
  take(rest);
}
