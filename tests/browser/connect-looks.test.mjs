// Every new state of the connect page, on a phone, in the dark and at a desk: WCAG 2.2 AA, nothing
// too wide, and a picture where a folder is named.
import { after, before } from 'node:test';
import { EVERYTHING, IN_ARABIC, IN_GERMAN } from './everything.mjs';
import { browserTest, closeBrowser } from './harness.mjs';
import { LOOKS, look } from './looks.mjs';
import { button, embed, startStage } from './stage.mjs';

let stage;
let acme;
let open;

before(async () => {
  const files = { everything: EVERYTHING, deutsch: IN_GERMAN, arabi: IN_ARABIC };
  stage = await startStage({ files });
  acme = await stage.project({ more: ['--scope-choice'] });
  open = await stage.project({ links: true, more: ['--scope-choice'] });
  for (const slug of ['slack', 'github', 'zendesk', 'google_drive', 'notion', 'hubspot'])
    for (const project of [acme, open]) await stage.client(project.id, slug);
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
});

const link = async (app = '', token = {}) =>
  stage.page(await open.token(token), app, { connectLink: 'true' });
const drawn = (page) => page.waitForFunction(
  () => [...document.querySelectorAll('.apps img')].slice(0, 9).every((it) => it.complete));

for (const [size, context] of LOOKS) {
  browserTest(`the list of apps: ${size}`, { context }, async ({ page }) => {
    await page.goto(await link());
    await drawn(page);
    await look(page, stage, `list-${size}`);
    await page.getByRole('combobox').fill('google');
    await page.waitForFunction(() => !document.querySelector('.grid'));
    await page.keyboard.press('ArrowDown');
    await drawn(page);
    await look(page, stage, `list-found-${size}`);
    await page.getByRole('combobox').fill('zzzqqq');
    await page.getByText('Try another word').waitFor();
    await look(page, stage, `list-none-${size}`);
    const frame = await embed(page, stage, stage.page(await acme.token()));
    await frame.locator('.app').first().waitFor();
    await look(page, stage, `list-frame-${size}`);
  });

  browserTest(`fields of every kind: ${size}`, { context }, async ({ page }) => {
    await page.goto(await link('everything'));
    await look(page, stage, `fields-${size}`);
    await button(page, 'Connect Everything').click();
    await look(page, stage, `fields-missing-${size}`);
    await page.goto(await link('deutsch'));
    await look(page, stage, `fields-german-${size}`);
    await page.goto(await link('arabi'));
    await button(page, 'Connect Everything').click();
    await look(page, stage, `fields-arabic-${size}`);
    const file = { name: 'service-account.json', mimeType: 'application/json' };
    await page.locator('#p-file').setInputFiles({ ...file, buffer: Buffer.from('{"a": 1') });
    await page.locator('#e-file', { hasText: 'cut off at its end' }).waitFor();
    await look(page, stage, `fields-file-${size}`);
  });

  browserTest(`a label, how much, and refusals: ${size}`, { context }, async ({ page }) => {
    await page.goto(await link());
    await page.getByRole('combobox').fill('zendesk');
    await page.getByRole('option', { name: 'Zendesk', exact: false }).first().click();
    await page.locator('#f-subdomain').fill('a b');
    await button(page, 'Continue to Zendesk').click();
    await look(page, stage, `zendesk-${size}`);
    await page.goto(await link('github'));
    await page.getByRole('radio').nth(1).check();
    await look(page, stage, `measures-${size}`);
    for (const [app, name] of [['asana', 'client'], ['no_such_app', 'unknown']]) {
      await page.goto(await link(app));
      await look(page, stage, `refused-${name}-${size}`);
    }
    await page.goto(await link('slack', { allowed_apps: ['github'] }));
    await look(page, stage, `refused-allowed-${size}`);
  });
}
