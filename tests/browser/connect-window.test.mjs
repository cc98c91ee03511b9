// The window in which a person signs in: opened, used, refused, closed, blocked, cut off.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
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
  await first.close();
  await frame.getByRole('heading', { name: 'We cannot see your sign-in window' }).waitFor();
  await picture(page, 'closed');
  const opened = page.waitForEvent('popup');
  await button(frame, 'Open the window again').click();
  await decide(await opened);
  await told(page, 'success');
});

browserTest('popups blocked: a link instead', {}, async ({ page }) => {
  await page.addInitScript(() => { window.open = () => null; });
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  await button(frame, `Continue to ${NAME}`).click();
  await frame.getByRole('heading', { name: 'The window could not be reached' }).waitFor();
  const opened = page.context().waitForEvent('page');
  await frame.locator('#by-hand').click();
  await decide(await opened);
  const success = await told(page, 'success');
  assert.equal((await acme.account(success.authProvisionId)).binding, 'embedded');
});

browserTest('cut off by the app, and finished in all the same', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP));
  const window = await press(page, frame, NAME);
  await window.locator('input[name=user][value=ada]').check();
  // Later than any page would be cut off at once.
  await page.waitForTimeout(4200);
  const apart = { endpoint: 'pages', fault: 'coop_same_origin', times: { next: 8 } };
  await stage.fault('rotating', apart);
  await window.locator('button.primary[type=submit]').click();
  await frame.getByRole('heading', { name: 'We cannot see your sign-in window' }).waitFor();
  // The next window is kept from leaving: so the former one still counts.
  await page.context().route('**/connect/start/**', (route) => route.abort());
  const opened = page.waitForEvent('popup');
  await button(frame, 'Open the window again').click();
  const next = await opened;
  await window.locator('button[name=decision][value=allow]').click();
  await told(page, 'success');
  if (!next.isClosed()) await next.waitForEvent('close');
});

browserTest('a window that nobody can reach says where to go', {}, async ({ page }) => {
  await embed(page, stage, stage.page(await acme.token(), APP), '/apart');
  const frame = page.frameLocator('iframe');
  const opened = page.context().waitForEvent('page');
  await button(frame, `Continue to ${NAME}`).click();
  await frame.getByRole('heading', { name: 'The window could not be reached' }).waitFor();
  await picture(page, 'unreached');
  const orphan = await opened;
  await orphan.getByText('close this window and go back to Acme').waitFor();
  await picture(orphan, 'window');
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
  const tab = await opened;
  // Whoever opened it, by whatever way it came to him.
  await tab.getByText('The access goes to ada in Acme').waitFor();
  await picture(tab, 'receiver');
  await button(tab, `Continue to ${NAME}`).click();
  await decide(tab);
  const success = await told(page, 'success');
  assert.equal((await open.account(success.authProvisionId)).binding, 'none');
});

browserTest('b-10 no link leads to the app unasked', {}, async ({ page, newPage }) => {
  await page.addInitScript(() => { window.open = () => null; });
  const token = await open.token({ external_user_id: 'mallory' });
  const frame = await embed(page, stage, stage.page(token, APP), '/apart');
  await button(frame, `Continue to ${NAME}`).click();
  await frame.locator('#by-hand').click();
  await frame.getByRole('heading', { name: 'Go on with this link' }).waitFor();
  const victim = await newPage();
  const seen = [];
  victim.on('request', (request) => seen.push(request.url()));
  await victim.goto(await frame.locator('#by-link').evaluate((it) => it.href));
  await victim.getByText('The access goes to mallory in Acme').waitFor();
  await victim.waitForTimeout(500);
  assert.deepEqual(seen.filter((url) => url.includes('/authorize')), []);
  assert.deepEqual(await victim.context().cookies(stage.server.url), []);
});

browserTest('OAuth 1.0a looks the same', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), 'sim_oauth1'));
  const opened = page.waitForEvent('popup');
  await button(frame, 'Continue to Cedar Boards').click();
  await decide(await opened);
  await told(page, 'success');
});
