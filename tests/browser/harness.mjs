// What every browser test stands on: the real binary, the system's Chromium, a fresh context each.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test as nodeTest } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

/** Screenshots of failed tests. */
export const FAILURES = join(import.meta.dirname, 'failures');

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
const ACTION_MS_MAX = 15_000;

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function onPath(program) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

function browserPath() {
  const path = process.env.GRANTKEEP_CHROMIUM
    ?? ['chromium', 'chromium-browser', 'google-chrome'].map(onPath).find(Boolean);
  if (!path) throw new Error('no Chromium: install it, or name it in GRANTKEEP_CHROMIUM');
  return path;
}

/** The binary under test: `GRANTKEEP_BIN`, else where cargo or `cargo xtask` built it. */
export function binaryPath() {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const targets = [
    process.env.CARGO_TARGET_DIR,
    join(cache, 'grantkeep', 'target'),
    join(import.meta.dirname, '../../target'),
  ];
  const built = targets.filter(Boolean).map((target) => join(target, 'debug', 'grantkeep'));
  const path = process.env.GRANTKEEP_BIN ?? built.find((file) => existsSync(file));
  if (!path || !existsSync(path)) {
    throw new Error('no grantkeep binary: cargo build, or name it in GRANTKEEP_BIN');
  }
  return path;
}

const launched = new Map();

/** The browser of this test file, one per set of extra flags; `closeBrowser` in `after`. */
export function browser({ flags = [] } = {}) {
  const key = flags.join(' ');
  if (!launched.has(key)) {
    const options = { executablePath: browserPath(), args: [...FLAGS, ...flags] };
    launched.set(key, chromium.launch(options));
  }
  return launched.get(key);
}

export async function closeBrowser() {
  const all = [...launched.values()];
  launched.clear();
  for (const one of await Promise.allSettled(all)) await one.value?.close();
}

/**
 * A test with a page of its own. `body` gets `{ page, newPage, t }`; `newPage(options)` opens more,
 * each in a context of its own. If it throws, what every page shows then is kept in FAILURES.
 * `options`: `context` is what Playwright's `newContext` takes, `flags` go to Chromium.
 */
export function browserTest(name, options, body) {
  nodeTest(name, async (t) => {
    const contexts = [];
    const newPage = async ({ context = {}, flags = [] } = {}) => {
      const opened = await (await browser({ flags })).newContext(context);
      opened.setDefaultTimeout(ACTION_MS_MAX);
      contexts.push(opened);
      return opened.newPage();
    };
    try {
      await body({ page: await newPage(options), newPage, t });
    } catch (error) {
      for (const context of contexts) await keepPictures(name, context);
      error.message += await whatIsShown(contexts);
      throw error;
    } finally {
      for (const context of contexts) await context.close();
    }
  });
}

/** What every page shows, for a log that is read where the pictures are not; no query: secrets. */
async function whatIsShown(contexts) {
  const pages = contexts.flatMap((context) => context.pages());
  const texts = pages.map(async (page) => {
    const { origin, pathname } = new URL(page.url());
    const text = await page.locator('body').innerText({ timeout: 1000 }).catch(() => '(no text)');
    return `\nshown at ${origin}${pathname}: ${text.replaceAll(/\s+/g, ' ').slice(0, 400)}`;
  });
  return (await Promise.all(texts)).join('');
}

async function keepPictures(name, context) {
  const folder = process.env.GRANTKEEP_SCREENSHOTS ?? FAILURES;
  await mkdir(folder, { recursive: true });
  const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').slice(0, 80);
  for (const [index, page] of context.pages().entries()) {
    const path = join(folder, `${slug}-${index}.png`);
    await page.screenshot({ path }).catch(() => {});
  }
}

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** The caller's environment without its own Grantkeep settings. */
export function cleanEnvironment() {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('GRANTKEEP_'));
  return Object.fromEntries(kept);
}

/** Runs a program to its end, and gives its output. Throws with what it said if it fails. */
export function runToEnd(program, args, options) {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.once('error', failed);
    child.once('close', (code) => {
      if (code === 0) done(out);
      else failed(new Error(`${args.join(' ')} ended with ${code}:\n${out}${err}`));
    });
  });
}

async function waitUntilReady(url, child, log) {
  const end = Date.now() + START_MS_MAX;
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`the server ended at start:\n${log()}`);
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(50);
  }
  throw new Error(`the server was not ready after ${START_MS_MAX} ms:\n${log()}`);
}

async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  const late = sleep(STOP_MS_MAX, 'late', { ref: false });
  if ((await Promise.race([ended, late])) !== 'late') return;
  child.kill('SIGKILL');
  await ended;
  throw new Error(`the server did not stop within ${STOP_MS_MAX} ms of SIGTERM`);
}

/**
 * Starts the real binary on a free port with an empty data folder and a fresh root key.
 * `cli(...args)` runs another command of the binary on the same data and gives its output;
 * `log()` is what the server said; `stop()` drains it and removes the folder.
 */
export async function startServer({ env: settings = {}, args = ['serve'] } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'grantkeep-browser-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    ...cleanEnvironment(),
    GRANTKEEP_LISTEN: `127.0.0.1:${port}`,
    GRANTKEEP_PUBLIC_URL: url,
    GRANTKEEP_DATA_DIR: join(folder, 'data'),
    GRANTKEEP_ROOT_KEY: randomBytes(32).toString('base64'),
    GRANTKEEP_DEV: 'true',
    GRANTKEEP_EGRESS_ALLOW_LOOPBACK: 'true',
    ...settings,
  };
  const child = spawn(binaryPath(), args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (text += chunk));
  const log = () => text;
  const stop = async () => {
    await stopProcess(child).finally(() => rm(folder, { recursive: true, force: true }));
  };
  try {
    await waitUntilReady(url, child, log);
  } catch (error) {
    await stop();
    throw error;
  }
  const cli = (...words) => runToEnd(binaryPath(), words, { cwd: folder, env });
  return { url, folder, env, log, stop, cli };
}
