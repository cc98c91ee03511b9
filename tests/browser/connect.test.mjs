// Connecting an account in a real browser, in every way that a person may meet it.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import axe from 'axe-core';
import { browserTest, closeBrowser } from './harness.mjs';
import { decide, embed, heard, startStage } from './stage.mjs';

const APP = 'sim_rotating';
const NAME = 'Lumen Chat';

let stage;
let acme;
let open;

before(async () => {
  stage = await startStage();
  acme = await stage.project({ apps: ['rotating', 'oauth1'] });
  open = await stage.project({ links: true });
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
});

const button = (frame, name) => frame.getByRole('button', { name });

/** Presses Continue and gives the window that opens. */
async function press(page, frame) {
  const opened = page.waitForEvent('popup');
  await button(frame, `Continue to ${NAME}`).click();
  return opened;
}

async function told(page, type) {
  await page.waitForFunction((wanted) => window.heard.some((it) => it.type === wanted), type);
  return (await heard(page)).find((it) => it.type === type);
}

browserTest('frame and window: from the click to the account', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  const window = await press(page, frame);
  await decide(window);
  const success = await told(page, 'success');
  assert.equal(success.origin, stage.server.url);
  assert.match(success.authProvisionId, /^apn_/);
  await told(page, 'close');
  assert.deepEqual((await heard(page)).map((it) => it.type), ['success', 'close']);
  await page.locator('iframe').waitFor({ state: 'detached' });
  if (!window.isClosed()) await window.waitForEvent('close');
  const account = await acme.account(success.authProvisionId);
  assert.equal(account.binding, 'embedded');
  assert.equal(account.app.name_slug, APP);
});

browserTest('w-07 third-party cookies are not needed', {
  flags: ['--test-third-party-cookie-phaseout'],
}, async ({ newPage }) => {
  const page = await newPage({ flags: ['--test-third-party-cookie-phaseout'] });
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await decide(await press(page, frame));
  await told(page, 'success');
});

browserTest('w-04 a provider that cuts the opener off', {}, async ({ page }) => {
  const always = { fault: 'coop_same_origin', times: { next: 8 } };
  await stage.fault('rotating', { endpoint: 'pages', ...always });
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  const window = await press(page, frame);
  await decide(window);
  const consented = Date.now();
  await told(page, 'success');
  assert.ok(Date.now() - consented < 2000, `${Date.now() - consented} ms`);
});

browserTest('the person says no, tries again and says yes', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await decide(await press(page, frame), 'deny');
  await frame.getByRole('heading', { name: `${NAME} is not connected` }).waitFor();
  assert.deepEqual(await heard(page), []);
  await button(frame, 'Try again').click();
  const window = await press(page, frame);
  await window.locator('button[name=decision][value=allow], input[name=user]').first().waitFor();
  if (await window.locator('input[name=user]').count()) await decide(window);
  else await window.locator('button[name=decision][value=allow]').click();
  await told(page, 'success');
});

browserTest('the person says no and closes', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await decide(await press(page, frame), 'deny');
  await frame.getByRole('heading', { name: `${NAME} is not connected` }).waitFor();
  await frame.locator('section:not([hidden]) [data-do=close]').click();
  await told(page, 'close');
  const types = (await heard(page)).map((it) => it.type);
  assert.deepEqual(types, ['error', 'close']);
});

browserTest('closed without connecting', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await button(frame, 'Close').click();
  await told(page, 'close');
  assert.deepEqual((await heard(page)).map((it) => it.type), ['close']);
});

browserTest('the window is closed half-way and opened again', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  const first = await press(page, frame);
  await first.locator('input[name=user]').first().waitFor();
  // Later than a provider's page that cuts its opener off would look closed.
  await page.waitForTimeout(4200);
  await first.close();
  await frame.getByRole('heading', { name: 'Your sign-in window was closed' }).waitFor();
  const opened = page.waitForEvent('popup');
  await button(frame, 'Open the window again').click();
  await decide(await opened);
  await told(page, 'success');
});

browserTest('popups blocked: a link instead', {}, async ({ page }) => {
  await page.addInitScript(() => { window.open = () => null; });
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await button(frame, `Continue to ${NAME}`).click();
  await frame.getByRole('heading', { name: 'Your browser stopped the window' }).waitFor();
  const opened = page.context().waitForEvent('page');
  await frame.locator('#by-hand').click();
  await decide(await opened);
  const success = await told(page, 'success');
  assert.equal((await acme.account(success.authProvisionId)).binding, 'embedded');
});

browserTest('b-09 a product that keeps its windows apart is told', {}, async ({ page }) => {
  await page.addInitScript(() => { window.open = () => null; });
  const frame = await embed(page, stage, stage.page(await acme.token(), APP), '/apart');
  await button(frame, `Continue to ${NAME}`).click();
  const opened = page.context().waitForEvent('page');
  await frame.locator('#by-hand').click();
  const window = await opened;
  await window.getByRole('heading', { name: 'This window cannot go on' }).waitFor();
  await frame.getByText('same-origin-allow-popups').first().waitFor();
});

browserTest('b-09 the same where links are allowed: goes on by a link', {}, async ({ page }) => {
  await page.addInitScript(() => { window.open = () => null; });
  const frame = await embed(page, stage, stage.page(await open.token(), APP), '/apart');
  await button(frame, `Continue to ${NAME}`).click();
  await frame.locator('#by-hand').click();
  await frame.getByRole('heading', { name: 'Go on with this link' }).waitFor();
  const opened = page.context().waitForEvent('page');
  await frame.locator('#by-link').click();
  await decide(await opened);
  const success = await told(page, 'success');
  assert.equal((await open.account(success.authProvisionId)).binding, 'none');
});

browserTest('a connect link ends at the product', {}, async ({ page }) => {
  const token = await open.token({
    success_redirect_uri: `${stage.product.url}/done`,
    error_redirect_uri: `${stage.product.url}/failed`,
  });
  await page.goto(stage.page(token, APP, { connectLink: 'true' }));
  await button(page, `Continue to ${NAME}`).click();
  await decide(page);
  await page.waitForURL(`${stage.product.url}/done`);
  assert.equal((await open.accounts()).length >= 1, true);
});

browserTest('a connect link without addresses ends on a page of ours', {}, async ({ page }) => {
  await page.goto(stage.page(await open.token(), APP, { connectLink: 'true' }));
  await button(page, `Continue to ${NAME}`).click();
  await decide(page);
  await page.getByRole('heading', { name: `${NAME} is connected` }).waitFor();
  assert.equal(new URL(page.url()).search, '', 'no code stays in the address');
});

browserTest('a key: refused, then taken', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), 'sim_keys'));
  const field = frame.getByLabel('API key', { exact: true });
  const go = button(frame, 'Connect Harbor Mail');
  await go.click();
  await frame.getByText('Enter API key.').waitFor();
  await field.fill('wrong');
  await go.click();
  await frame.getByText('did not accept this').waitFor();
  await field.fill('  sim_live_demo ');
  await go.click();
  const success = await told(page, 'success');
  assert.equal((await acme.account(success.authProvisionId)).app.name_slug, 'sim_keys');
});

browserTest('reconnecting keeps the account', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await decide(await press(page, frame));
  const { authProvisionId: accountId } = await told(page, 'success');
  const address = stage.page(await acme.token(), APP, { accountId });
  const again = await embed(page, stage, address);
  await again.getByRole('heading', { name: 'Reconnect' }).waitFor();
  const window = await press(page, again);
  await window.locator('button[name=decision][value=allow]').click();
  assert.equal((await told(page, 'success')).authProvisionId, accountId);
});

browserTest('OAuth 1.0a looks the same', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), 'sim_oauth1'));
  const opened = page.waitForEvent('popup');
  await button(frame, 'Continue to Cedar Boards').click();
  await decide(await opened);
  await told(page, 'success');
});

browserTest('row 30 other sites cannot frame the page', {}, async ({ page }) => {
  const token = await acme.token({ allowed_origins: ['https://elsewhere.example'] });
  await page.goto(stage.product.url);
  await page.evaluate((src) => window.connect(src), stage.page(token, APP));
  await page.waitForTimeout(500);
  assert.equal(await page.frameLocator('iframe').locator('#form').count(), 0);
});

browserTest('row 29 the page on top says where it belongs', {}, async ({ page }) => {
  const answer = await page.goto(stage.page(await acme.token(), APP));
  assert.equal(answer.status(), 403);
  await page.getByRole('heading', { name: 'This page belongs inside another one' }).waitFor();
});

browserTest('an unknown token is told in the frame, and the product', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page('ctok_' + '0'.repeat(32), APP));
  await frame.getByRole('heading', { name: 'This link does not work' }).waitFor();
  await told(page, 'error');
  await frame.locator('.acts [data-do=close]').click();
  await told(page, 'close');
});

const LOOKS = [
  ['light', { viewport: { width: 1200, height: 860 }, colorScheme: 'light' }],
  ['dark', { viewport: { width: 1200, height: 860 }, colorScheme: 'dark' }],
  ['phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true }],
];

for (const [look, context] of LOOKS) {
  browserTest(`wcag 2.2 aa and a picture: ${look}`, context, async ({ page }) => {
    for (const [app, name] of [[APP, 'oauth'], ['sim_keys', 'keys']]) {
      await embed(page, stage, stage.page(await acme.token(), app));
      await picture(page, `${look}-${name}`);
      await withoutViolations(page);
    }
    await page.goto(stage.page(await open.token(), APP, { connectLink: 'true' }));
    await picture(page, `${look}-link`);
    await withoutViolations(page);
    await page.goto(stage.page('ctok_0', APP, { connectLink: 'true' }));
    await picture(page, `${look}-error`);
    await withoutViolations(page);
  });
}

/** Kept only where a folder for pictures is named. */
async function picture(page, name) {
  const folder = process.env.GRANTKEEP_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function withoutViolations(page) {
  const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  for (const frame of page.frames()) {
    if (!frame.url().startsWith(stage.server.url)) continue;
    await frame.evaluate(axe.source);
    const { violations } = await frame.evaluate(
      (tags) => window.axe.run(document, { runOnly: { type: 'tag', values: tags } }),
      values,
    );
    const found = violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.target)}`);
    assert.deepEqual(found, []);
  }
}
