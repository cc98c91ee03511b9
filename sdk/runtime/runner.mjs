// The program of a worker: says hello at once, then loads what it needs and does what the host orders.

import { entrance } from './entrance.cjs';
import { open } from './runner/channel.mjs';

const { env } = process;
const { reallyExit } = process;
const temporary = env.TMPDIR ?? '/tmp';
const where = {
  enter: entrance({
    path: env.GRANTKEEP_SOCKET ?? '/run/grantkeep/broker.sock',
    descriptor: env.GRANTKEEP_DESCRIPTOR === undefined ? undefined : Number(env.GRANTKEEP_DESCRIPTOR),
  }),
  authority: env.GRANTKEEP_CA ?? '/run/grantkeep/ca.pem',
  code: `${(env.GRANTKEEP_CODE ?? '/code').replace(/\/+$/, '')}/`,
  temporary,
  stash: env.GRANTKEEP_STASH ?? `${temporary}/stash`,
};

let ready;
// One after the other, in the order in which they came. What comes early waits for the rest of the runner.
let last = new Promise((resolve) => {
  ready = resolve;
});
async function after(before, message) {
  const answer = await before;
  await answer(message);
  return answer;
}
const channel = open(where.enter, (message) => {
  last = after(last, message);
}, () => reallyExit.call(process, 0));

const { createRequire } = await import('node:module');
const require = createRequire(import.meta.url);
const network = require('./network.cjs');
network.install(where.enter, where.authority);
require('./index.cjs');
const { orders } = await import('./runner/orders.mjs');
process.chdir(temporary);
ready(orders(channel, where, network.end));
