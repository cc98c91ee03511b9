// A worker that may open no socket: it is started with one, and the host connects to that.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import test from 'node:test';

const RUNNER = new URL('../runner.mjs', import.meta.url).pathname;
const CODE = `import net from 'node:net';
export default { key: 'it', name: 'It', version: '0.0.1', type: 'action', props: {}, async run() {
  const said = await Promise.all(['a', 'b', 'c'].map((host) => new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect({ host, port: 80 }, () => socket.end('hello ' + host));
    socket.setEncoding('utf8');
    socket.on('data', (it) => { text += it; });
    socket.on('end', () => resolve(text));
    socket.on('error', (it) => resolve(it.message));
  })));
  return { said, stdin: typeof process.stdin.fd };
} };`;

test('connections are those that the host makes', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'entrance-'));
  const [first, socket] = ['first', 'socket'].map((it) => path.join(folder, it));
  fs.writeFileSync(path.join(folder, 'index.mjs'), CODE);
  fs.mkdirSync(path.join(folder, 'tmp'));
  const server = net.createServer().listen(first);
  await once(server, 'listening');
  // A server that is closed takes its path along.
  fs.linkSync(first, socket);
  const env = { PATH: process.env.PATH, TMPDIR: path.join(folder, 'tmp'), GRANTKEEP_CODE: folder, GRANTKEEP_DESCRIPTOR: '0' };
  const worker = spawn(process.execPath, [RUNNER], { env, stdio: [server._handle.fd, 'inherit', 'inherit'] });
  server.close();

  const told = [];
  let answered;
  const answer = new Promise((resolve) => {
    answered = resolve;
  });
  function control(connection, line) {
    const message = JSON.parse(line);
    const send = (order) => connection.write(`${JSON.stringify(order)}\n`);
    if (message.hello === 'control') send({ id: 1, op: 'load', entry: 'index.mjs' });
    else if (message.id === 1) send({ id: 2, op: 'run', input: {} });
    else if (message.id === 2) answered(message);
  }
  /** Always one connection that the worker has not used yet. */
  function next() {
    const connection = net.connect(socket);
    connection.on('error', () => {});
    let hello;
    readline.createInterface({ input: connection }).on('line', (line) => {
      if (hello === undefined) {
        hello = JSON.parse(line);
        told.push(hello.hello);
        next();
        if (hello.hello === 'connect' && hello.host === 'b') connection.end('{"error":{"message":"not b"}}\n');
        else if (hello.hello === 'connect') connection.write('{"ok":true}\n');
      }
      if (hello.hello === 'control') control(connection, line);
    });
    connection.on('end', () => hello?.hello === 'connect' && connection.end(`bye ${hello.host}`));
    return connection;
  }
  next();
  const { ok } = await answer;
  worker.kill();
  assert.deepEqual(ok.ret.said, ['bye a', 'connect ECONNREFUSED b:80: not b', 'bye c']);
  assert.equal(ok.ret.stdin, 'undefined');
  assert.deepEqual(told, ['control', 'connect', 'connect', 'connect']);
  await once(worker, 'exit');
  fs.rmSync(folder, { recursive: true });
});
