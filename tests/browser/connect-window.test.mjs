// The window in which a person signs in: opened, used, refused, closed, blocked, cut off.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { browserTest, closeBrowser } from './harness.mjs';
import { button, decide, embed, heard, press, startStage, told } from './stage.mjs';

const APP = 'sim_rotating';
const NAME = 'Lumen Chat';

let stage;
let acme;
let open;

before(async () => {
  stage = await startStage();
  [acme, open] = await Promise.all([
    stage.project({ apps: ['rotating', 'oauth1'] }),
    stage.project({ links: true }),
  ]);
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
});

browserTest('frame and window: from the click to the account', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  const window = await press(page, frame, NAME);
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
}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await decide(await press(page, frame, NAME));
  await told(page, 'success');
});

browserTest('w-04 a provider that cuts the opener off', {}, async ({ page }) => {
  const always = { fault: 'coop_same_origin', times: { next: 8 } };
  await stage.fault('rotating', { endpoint: 'pages', ...always });
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  const window = await press(page, frame, NAME);
  await decide(window);
  const consented = Date.now();
  await told(page, 'success');
  assert.ok(Date.now() - consented < 2000, `${Date.now() - consented} ms`);
});

browserTest('the person says no, tries again and says yes', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await decide(await press(page, frame, NAME), 'deny');
  await frame.getByRole('heading', { name: `${NAME} is not connected` }).waitFor();
  assert.deepEqual(await heard(page), []);
  const opened = page.waitForEvent('popup');
  await button(frame, 'Try again').click();
  const window = await opened;
  await window.locator('button[name=decision][value=allow]').click();
  await told(page, 'success');
});

browserTest('the person says no and closes', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await decide(await press(page, frame, NAME), 'deny');
  await frame.getByRole('heading', { name: `${NAME} is not connected` }).waitFor();
  await frame.locator('section:not([hidden]) [data-do=close]').click();
  await told(page, 'close');
  const types = (await heard(page)).map((it) => it.type);
  assert.deepEqual(types, ['error', 'close']);
});

browserTest('the window is closed half-way and opened again', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  const first = await press(page, frame, NAME);
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

browserTest('OAuth 1.0a looks the same', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), 'sim_oauth1'));
  const opened = page.waitForEvent('popup');
  await button(frame, 'Continue to Cedar Boards').click();
  await decide(await opened);
  await told(page, 'success');
});
