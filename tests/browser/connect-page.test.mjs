// The connect page itself: in a frame, as a link, with a key, for everyone.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import axe from 'axe-core';
import { browserTest, closeBrowser } from './harness.mjs';
import { picture } from './looks.mjs';
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
  await page.reload();
  await page.getByRole('heading', { name: `${NAME} is connected` }).waitFor();
});

browserTest('an answer that was lost: the key is sent again', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), 'sim_keys'));
  await frame.getByLabel('API key', { exact: true }).fill('sim_live_demo');
  let lost = 0;
  await page.route('**/connect/session/account', async (route) => {
    if (lost) return route.continue();
    lost += 1;
    await route.fetch();
    return route.abort();
  });
  await button(frame, 'Connect Harbor Mail').click();
  await frame.getByText('We could not reach the server').first().waitFor();
  await button(frame, 'Connect Harbor Mail').click();
  const { authProvisionId } = await told(page, 'success');
  assert.equal((await acme.account(authProvisionId)).app.name_slug, 'sim_keys');
});

browserTest('without a close button Esc closes nothing', {}, async ({ page }) => {
  const bare = { hideClose: 'true' };
  const frame = await embed(page, stage, stage.page(await acme.token(), APP, bare));
  await button(frame, `Continue to ${NAME}`).focus();
  await page.keyboard.press('Escape');
  await page.waitForTimeout(300);
  assert.deepEqual(await heard(page), []);
  const token = await open.token({ error_redirect_uri: `${stage.product.url}/failed` });
  await page.goto(stage.page(token, 'sim_keys', { connectLink: 'true', ...bare }));
  await page.getByLabel('API key', { exact: true }).fill('x');
  await page.keyboard.press('Escape');
  // Nor where it has no address to lead to.
  await page.waitForTimeout(100);
  assert.equal(await page.locator('[data-view]').getAttribute('data-view'), 'ask');
  await page.goto(stage.page(await open.token(), 'sim_keys', { connectLink: 'true' }));
  await page.getByLabel('API key', { exact: true }).fill('x');
  await page.keyboard.press('Escape');
  await page.waitForTimeout(100);
  assert.equal(await page.locator('[data-view]').getAttribute('data-view'), 'ask');
});

browserTest('a token that ends while the page is open', {}, async ({ page }) => {
  const more = { expires_in: 2, error_redirect_uri: `${stage.product.url}/failed` };
  await page.goto(stage.page(await open.token(more), APP, { connectLink: 'true' }));
  await page.waitForTimeout(2200);
  await button(page, `Continue to ${NAME}`).click();
  const why = page.getByRole('heading', { name: `${NAME} is not connected` });
  await why.waitFor();
  assert.equal(await why.getAttribute('aria-describedby'), 'why');
  await page.getByText('This page was open for too long').waitFor();
  await picture(page, 'late');
  await button(page, 'Leave').click();
  await page.waitForURL(more.error_redirect_uri);
  // The link itself says so too, and leads back.
  const late = await open.token({ ...more, expires_in: 1 });
  await page.waitForTimeout(1200);
  await page.goto(stage.page(late, APP, { connectLink: 'true' }));
  await page.getByRole('heading', { name: 'This link has expired' }).waitFor();
  await picture(page, 'late-link');
  await page.getByRole('link', { name: 'Go back to Acme' }).click();
  await page.waitForURL(more.error_redirect_uri);
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
  await frame.getByRole('heading', { name: 'This page does not work' }).waitFor();
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
