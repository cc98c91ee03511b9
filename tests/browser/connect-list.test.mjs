// The list of apps: by keyboard, by search, without scripts.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { browserTest, closeBrowser } from './harness.mjs';
import { button, decide, embed, heard, press, startStage, told } from './stage.mjs';

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

const search = (frame) => frame.getByRole('combobox', { name: 'Search apps' });
const option = (frame, name) => frame.getByRole('option', { name });
const selected = (frame) => frame.locator('[role=option][aria-selected=true] .name');

browserTest('an app is found, chosen and connected in one frame', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token()));
  await frame.getByRole('heading', { name: 'Which app do you want to connect to Acme?' }).waitFor();
  await search(frame).fill('lumen');
  await option(frame, NAME).click();
  await decide(await press(page, frame, NAME));
  const { authProvisionId } = await told(page, 'success');
  assert.equal((await acme.account(authProvisionId)).app.name_slug, 'sim_rotating');
  await told(page, 'close');
  assert.deepEqual((await heard(page)).map((it) => it.type), ['success', 'close']);
});

browserTest('the list by keyboard alone', {}, async ({ page }) => {
  await page.goto(stage.page(await open.token(), '', { connectLink: 'true' }));
  const field = search(page);
  await field.waitFor();
  assert.equal(await field.evaluate((it) => it === document.activeElement), true);
  const names = () => page.locator('[role=option] .name').allTextContents();
  const first = await names();
  assert.ok(first.length === 24, `${first.length}`);
  // Three in a row.
  await page.keyboard.press('ArrowDown');
  assert.equal(await selected(page).textContent(), first[0]);
  await page.keyboard.press('ArrowDown');
  assert.equal(await selected(page).textContent(), first[3]);
  await page.keyboard.press('ArrowRight');
  assert.equal(await selected(page).textContent(), first[4]);
  const marked = await field.getAttribute('aria-activedescendant');
  assert.equal(await page.locator(`#${marked} .name`).textContent(), first[4]);
  // Beyond the end more is loaded.
  for (let row = 0; row < 8; row += 1) await page.keyboard.press('ArrowDown');
  await page.waitForFunction(() => document.querySelectorAll('[role=option]').length > 24);
  assert.equal(new Set(await names()).size, (await names()).length, 'no app twice');
  await field.fill('harbor');
  await page.getByText('One app found.').waitFor({ state: 'attached' });
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelectorAll('[role=option]').length === 24);
  assert.equal(await field.inputValue(), '');
  // Enter takes the first that was found, and waits for it.
  await page.keyboard.type('harbor');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Acme wants to connect to your Harbor Mail' }).waitFor();
  await page.getByRole('button', { name: 'All apps' }).press('Enter');
  await search(page).waitFor();
  assert.equal(await search(page).inputValue(), 'harbor', 'what was searched for is kept');
});

browserTest('in a frame Back leaves no broken page behind', {}, async ({ page }) => {
  await page.goto(stage.server.url);
  const frame = await embed(page, stage, stage.page(await acme.token()));
  const before = await page.evaluate(() => history.length);
  for (let round = 0; round < 2; round += 1) {
    await search(frame).fill('lumen');
    await option(frame, NAME).click();
    await button(frame, `Continue to ${NAME}`).waitFor();
    await button(frame, 'All apps').click();
    await option(frame, NAME).waitFor();
  }
  assert.equal(await page.evaluate(() => history.length), before, 'one entry for all of it');
  assert.ok(page.frames().every((it) => !it.url().startsWith('chrome-error:')));
  await page.goBack();
  await page.waitForURL((url) => url.origin === stage.server.url);
});

browserTest('as a link Back from the app meets no form to be sent again', {}, async ({ page }) => {
  await page.goto(stage.page(await open.token(), '', { connectLink: 'true' }));
  await search(page).fill('lumen');
  await option(page, NAME).click();
  await button(page, `Continue to ${NAME}`).click();
  await page.locator('input[name=user]').first().waitFor();
  await page.goBack();
  await button(page, `Continue to ${NAME}`).click();
  await decide(page);
  await page.getByRole('heading', { name: `${NAME} is connected` }).waitFor();
});

browserTest('a search that finds nothing says what to do', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token()));
  await search(frame).fill('no such thing <b>');
  await frame.getByText('No app is called').first().waitFor();
  await frame.getByText('Try another word or fewer letters.').waitFor();
  const link = frame.getByRole('link', { name: 'ask the support of Acme' });
  assert.equal(await link.getAttribute('href'), 'mailto:help@acme.example');
  assert.equal(await search(frame).getAttribute('aria-expanded'), 'false');
  await search(frame).fill('');
  await frame.getByRole('option').first().waitFor();
  await button(frame, 'Close').click();
  await told(page, 'close');
});

browserTest('the server is asked once for a word', {}, async ({ page }) => {
  await page.goto(stage.page(await open.token(), '', { connectLink: 'true' }));
  const asked = [];
  page.on('request', (it) => it.url().includes('/session/apps') && asked.push(it.url()));
  await search(page).pressSequentially('harbor', { delay: 10 });
  await option(page, 'Harbor Mail').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('[role=option]').length === 1);
  assert.ok(asked.length <= 2, `${asked.length} for six letters`);
});

browserTest('a page that was opened elsewhere says so', {}, async ({ page, newPage }) => {
  const address = stage.page(await open.token(), '', { connectLink: 'true' });
  await page.goto(address);
  await (await newPage()).goto(address);
  await search(page).fill('harbor');
  await page.getByRole('alert').getByText('opened again').waitFor();
  // Whoever chooses all the same opens it once more.
  await page.getByRole('option').first().click();
  await page.getByRole('heading', { name: 'wants to connect' }).waitFor();
});

const PLAIN = { context: { javaScriptEnabled: false } };

browserTest('without scripts: search, choose, sign in', PLAIN, async ({ page }) => {
  await page.goto(stage.page(await open.token(), '', { connectLink: 'true' }));
  const first = await page.locator('.app .name').allTextContents();
  await page.getByRole('button', { name: 'More apps' }).click();
  const next = await page.locator('.app .name').allTextContents();
  assert.equal(first.some((it) => next.includes(it)), false, 'other apps');
  await page.getByRole('button', { name: 'Back to the first apps' }).click();
  await page.getByRole('searchbox', { name: 'Search apps' }).fill('lumen');
  await page.getByRole('searchbox', { name: 'Search apps' }).press('Enter');
  await page.getByRole('button', { name: NAME }).click();
  await button(page, 'All apps').click();
  await page.getByRole('button', { name: NAME }).click();
  await button(page, `Continue to ${NAME}`).click();
  await decide(page);
  await page.getByRole('heading', { name: `${NAME} is connected` }).waitFor();
});

browserTest('without scripts nothing is shown that needs them', PLAIN, async ({ page }) => {
  const token = await open.token({ error_redirect_uri: `${stage.product.url}/failed` });
  await page.goto(stage.page(token, 'sim_keys', { connectLink: 'true' }));
  await page.getByLabel('API key', { exact: true }).waitFor();
  const dead = page.locator('[data-do]:not(section *), .box [data-do]');
  assert.equal(await dead.filter({ visible: true }).count(), 0);
});

browserTest('without scripts: a key, refused and taken', PLAIN, async ({ page }) => {
  await page.goto(stage.page(await open.token(), 'sim_keys', { connectLink: 'true' }));
  const field = page.getByLabel('API key', { exact: true });
  await field.fill('wrong');
  await button(page, 'Connect Harbor Mail').click();
  await page.getByText('did not accept this').waitFor();
  assert.equal(await field.inputValue(), '', 'no secret comes back');
  await field.fill('sim_live_demo');
  await button(page, 'Connect Harbor Mail').click();
  await page.getByRole('heading', { name: 'Harbor Mail is connected' }).waitFor();
});
