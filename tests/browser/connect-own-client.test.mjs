// An OAuth client that the user registered at the app himself, in a project that has none there.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { browserTest, closeBrowser } from './harness.mjs';
import { LOOKS, look } from './looks.mjs';
import { button, decide, embed, press, startStage, told } from './stage.mjs';

const APP = 'sim_rotating';
const NAME = 'Lumen Chat';
const WISH = { customOauthClient: 'true' };

let stage;
let acme;
let open;

before(async () => {
  stage = await startStage();
  acme = await stage.project({ apps: [] });
  open = await stage.project({ apps: [], links: true });
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
});

browserTest('a client of the user’s own is asked for, judged and used', {}, async ({ page }) => {
  const frame = await embed(page, stage, stage.page(await acme.token(), APP, WISH));
  await button(frame, `Continue to ${NAME}`).click();
  await frame.getByText('Client ID is missing. Enter it to continue.').waitFor();
  await frame.getByText('Client secret is missing. Enter it to continue.').waitFor();
  await button(frame, 'Copy').click();
  await button(frame, 'Copied').waitFor();
  const uri = await frame.locator('#uri').textContent();
  await stage.registerOwn('rotating', 'hers', 'known-to-her', uri);
  // What was copied is pasted as people do it.
  const id = frame.getByLabel('Client ID', { exact: true });
  await id.focus();
  await page.keyboard.press('ControlOrMeta+V');
  assert.equal(await id.inputValue(), uri);
  await id.fill('hers');
  await frame.getByLabel('Client secret', { exact: true }).fill('known-to-her');
  await decide(await press(page, frame, NAME));
  const { authProvisionId } = await told(page, 'success');
  assert.equal((await acme.account(authProvisionId)).healthy, true);
});

browserTest('without scripts', { context: { javaScriptEnabled: false } }, async ({ page }) => {
  await page.goto(stage.page(await open.token(), APP, { ...WISH, connectLink: 'true' }));
  const uri = await page.locator('#uri').textContent();
  await stage.registerOwn('rotating', 'his', 'known-to-him', uri);
  await page.getByLabel('Client ID', { exact: true }).fill('his');
  await button(page, `Continue to ${NAME}`).click();
  await page.getByText('Client secret is missing. Enter it to continue.').waitFor();
  assert.equal(await page.getByLabel('Client ID', { exact: true }).inputValue(), 'his');
  await page.getByLabel('Client secret', { exact: true }).fill('known-to-him');
  await button(page, `Continue to ${NAME}`).click();
  await decide(page);
  await page.getByRole('heading', { name: `${NAME} is connected` }).waitFor();
});

for (const [size, context] of LOOKS) {
  browserTest(`how it looks: ${size}`, { context }, async ({ page }) => {
    await page.goto(stage.page(await open.token(), 'zendesk', { ...WISH, connectLink: 'true' }));
    await look(page, stage, `own-client-${size}`);
    await button(page, 'Continue to Zendesk').click();
    await look(page, stage, `own-client-missing-${size}`);
    const frame = await embed(page, stage, stage.page(await acme.token(), APP, WISH));
    await frame.locator('#uri').waitFor();
    await look(page, stage, `own-client-frame-${size}`);
  });
}
