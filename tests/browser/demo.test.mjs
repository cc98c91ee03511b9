// `grantkeep demo` as a person sees it: the sample product, the connect page over it, the app's own
// pages in their window, a token that is replaced, and a grant that is revoked.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before } from 'node:test';
import { binaryPath, browserTest, closeBrowser } from './harness.mjs';

const CALENDAR = 'Quickstep Calendar';
const MAIL = 'Harbor Mail';

let child;
let demo;

before(async () => {
  child = spawn(binaryPath(), ['demo', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  demo = await new Promise((ready, failed) => {
    child.once('exit', (code) => failed(new Error(`the demo ended with ${code}`)));
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('}\n')) ready(JSON.parse(text));
    });
  });
});

after(async () => {
  await closeBrowser();
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGINT');
  assert.equal(await ended, 0);
  assert.equal(existsSync(demo.data_dir), false);
});

/** Connects the calendar as Ada. */
async function connectCalendar(page) {
  await page.goto(demo.url);
  await page.getByRole('button', { name: `Connect ${CALENDAR}` }).click();
  const go = page.frameLocator('iframe').getByRole('button', { name: `Continue to ${CALENDAR}` });
  const [window] = await Promise.all([page.waitForEvent('popup'), go.click()]);
  await window.getByRole('button', { name: 'Sign in' }).click();
  await window.getByRole('button', { name: 'Allow' }).click();
  const card = page.locator('[data-app=sim_short]');
  await card.getByText('ada@example.test is connected').waitFor();
  await page.locator('iframe').waitFor({ state: 'detached' });
  return card;
}

browserTest('a calendar: connected, used, its token replaced, revoked', {}, async ({ page }) => {
  const card = await connectCalendar(page);
  await card.getByText('Dancing lesson').waitFor();
  const first = await card.locator('code').textContent();
  await card.getByText('It has ended.').waitFor();
  await card.getByRole('button', { name: `Look into ${CALENDAR}` }).click();
  await card.getByText('replaced once').waitFor();
  assert.equal(await card.locator('code.old').textContent(), first);
  assert.notEqual(await card.locator('code.new').textContent(), first);
  await card.getByRole('button', { name: `Disconnect ${CALENDAR}` }).click();
  await card.getByText('has revoked the grant').waitFor();
});

browserTest('a workflow on the calendar, watched step by step', {}, async ({ page }) => {
  const card = await connectCalendar(page);
  const note = page.locator('#note');
  await note.getByRole('button', { name: 'Run it' }).click();
  await note.getByText('Today: Dentist, 09:00; Planning, 13:30; Dancing lesson, 19:00.').waitFor();
  assert.equal(await note.locator('li.ok:not(.end)').count(), 2);
  await note.getByText(/^GET \/short\/api\/items 200/).waitFor();
  await note.locator('li.skipped').getByText('free day').waitFor();
  await card.getByRole('button', { name: `Disconnect ${CALENDAR}` }).click();
  await note.waitFor({ state: 'hidden' });
});

browserTest('mail by key, and no key or token in the page', {}, async ({ page }) => {
  const bodies = [];
  page.on('response', (it) => {
    if (new URL(it.url()).origin === new URL(demo.url).origin) bodies.push(it.text());
  });
  await page.goto(demo.url);
  await page.getByRole('button', { name: `Connect ${MAIL}` }).click();
  const frame = page.frameLocator('iframe');
  await frame.getByLabel('API key', { exact: true }).fill('sim_live_canary');
  await frame.getByRole('button', { name: `Connect ${MAIL}` }).click();
  const card = page.locator('[data-app=sim_keys]');
  await card.getByText('Weekly tide table').waitFor();
  await page.locator('iframe').waitFor({ state: 'detached' });
  await card.getByRole('button', { name: `Disconnect ${MAIL}` }).click();
  await card.getByText('Only you can end it').waitFor();
  const seen = (await Promise.all(bodies)).join('\n');
  assert.match(seen, /Weekly tide table/);
  assert.doesNotMatch(seen, /sim_live_canary|gk_access|gk_secret/);
});

browserTest('the product answers no page but its own', {}, async ({ page }) => {
  const { port } = new URL(demo.url);
  const other = await page.request.get(`http://127.0.0.1:${port}/api/apps`);
  assert.equal(other.status(), 403);
  const headers = { origin: 'https://elsewhere.example' };
  const foreign = await page.request.post(`${demo.url}api/connect-token`, {
    headers, data: { app: 'sim_short' },
  });
  assert.equal(foreign.status(), 403);
});
