// The connect page itself: in a frame, as a link, with a key, for everyone.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import axe from 'axe-core';
import { browserTest, closeBrowser } from './harness.mjs';
import { button, decide, embed, heard, press, startStage, told } from './stage.mjs';

const APP = 'sim_rotating';
const NAME = 'Lumen Chat';

let stage;
let acme;
let open;

before(async () => {
  stage = await startStage();
  [acme, open] = await Promise.all([stage.project(), stage.project({ links: true })]);
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
});

browserTest('closed without connecting', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await button(frame, 'Close').click();
  await told(page, 'close');
  assert.deepEqual((await heard(page)).map((it) => it.type), ['close']);
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
  await frame.getByText('API key is missing.').waitFor();
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
  await decide(await press(page, frame, NAME));
  const { authProvisionId: accountId } = await told(page, 'success');
  const address = stage.page(await acme.token(), APP, { accountId });
  const again = await embed(page, stage, address);
  await again.getByRole('heading', { name: 'Reconnect' }).waitFor();
  const window = await press(page, again, NAME);
  await window.locator('button[name=decision][value=allow]').click();
  assert.equal((await told(page, 'success')).authProvisionId, accountId);
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

const DESKTOP = { viewport: { width: 1200, height: 860 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true };
// Without motion: a picture shows the end of it.
const STILL = { reducedMotion: 'reduce' };
const LOOKS = [
  ['light', { ...DESKTOP, ...STILL, colorScheme: 'light' }],
  ['dark', { ...DESKTOP, ...STILL, colorScheme: 'dark' }],
  ['phone', { ...PHONE, ...STILL }],
];

for (const [look, context] of LOOKS) {
  browserTest(`wcag 2.2 aa and a picture: ${look}`, { context }, async ({ page }) => {
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
