// Connecting by a link that the product's backend confirms, and what a victim of a handed-over link
// sees: B-08 to B-11 in two real browser profiles.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { browserTest, closeBrowser } from './harness.mjs';
import { LOOKS, look } from './looks.mjs';
import { button, decide, embed, press, startStage, told } from './stage.mjs';

const APP = 'sim_rotating';
const NAME = 'Lumen Chat';

let stage;
let acme;
let open;
let loose;

before(async () => {
  stage = await startStage();
  [acme, open, loose] = await Promise.all([
    stage.project({ verify: 'acme', apps: ['rotating', 'oauth1'] }),
    stage.project({ links: true }),
    stage.project({ verify: 'loose', more: ['--compat'] }),
  ]);
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
});

const signIn = (page, user) => page.goto(`${stage.product.url}/sign-in?user=${user}`);
const link = (token, app = APP) => stage.page(token, app, { connectLink: 'true' });
const heading = (page, name) => page.getByRole('heading', { name }).waitFor();

/** Allows the access in a browser that is signed in at the provider. */
const allow = (page) => page.locator('button[name=decision][value=allow]').click();

/** Connects an account of her own, as somebody who uses product and provider has done before. */
async function connectBefore(page, project) {
  await page.goto(link(await project.token({ external_user_id: 'grace' })));
  await button(page, `Continue to ${NAME}`).click();
  await decide(page, 'allow', 'grace');
  await page.getByRole('heading', { name: /connected/ }).waitFor();
}

browserTest('b-08 a link is confirmed by the product', {}, async ({ page }) => {
  await signIn(page, 'ada');
  await page.goto(link(await acme.token()));
  await button(page, `Continue to ${NAME}`).click();
  await decide(page);
  await heading(page, 'Acme: connected for ada');
  await page.locator('#on').click();
  await heading(page, `${NAME} is connected`);
  const [account] = await acme.accounts();
  assert.equal(account.binding, 'verified');
});

browserTest('b-08 OAuth 1.0a and a key, confirmed likewise', {}, async ({ page }) => {
  await signIn(page, 'linus');
  await page.goto(link(await acme.token({ external_user_id: 'linus' }), 'sim_oauth1'));
  await button(page, 'Continue to Cedar Boards').click();
  await decide(page);
  await heading(page, 'Acme: connected for linus');
  await page.goto(link(await acme.token({ external_user_id: 'linus' }), 'sim_keys'));
  await page.getByLabel('API key', { exact: true }).fill('sim_live_demo');
  await button(page, 'Connect Harbor Mail').click();
  await heading(page, 'Acme: connected for linus');
  const mine = (await acme.accounts()).filter((it) => it.external_id === 'linus');
  assert.deepEqual(mine.map((it) => it.binding), ['verified', 'verified']);
});

browserTest('b-09 windows kept apart: goes on, confirmed', {}, async ({ page }) => {
  await page.addInitScript(() => { window.open = () => null; });
  await signIn(page, 'ada');
  const frame = await embed(page, stage, stage.page(await acme.token(), APP), '/apart');
  await button(frame, `Continue to ${NAME}`).click();
  await frame.locator('#by-hand').click();
  await frame.getByRole('heading', { name: 'Go on with this link' }).waitFor();
  const opened = page.context().waitForEvent('page');
  await frame.locator('#by-link').click();
  await decide(await opened);
  const success = await told(page, 'success');
  assert.equal((await acme.account(success.authProvisionId)).binding, 'verified');
});

browserTest('b-11 verified: none of four hand-overs connects', {}, async ({ page, newPage }) => {
  const mallory = { external_user_id: 'mallory' };
  const victim = await newPage();
  await signIn(victim, 'grace');
  await signIn(page, 'mallory');
  await connectBefore(victim, acme);

  // 1. His connect link. She even allows the access.
  await victim.goto(link(await acme.token(mallory)));
  await button(victim, `Continue to ${NAME}`).click();
  await allow(victim);
  await heading(victim, 'Acme: refused: user_mismatch');
  await victim.locator('#on').click();
  await victim.getByText('begun for another person').waitFor();

  // 2. The address of his window, with the ticket that a cut-off frame shows him.
  const apart = await newPage();
  await apart.addInitScript(() => { window.open = () => null; });
  const frame = await embed(apart, stage, stage.page(await acme.token(mallory), APP), '/apart');
  await button(frame, `Continue to ${NAME}`).click();
  await frame.locator('#by-hand').click();
  await frame.getByRole('heading', { name: 'Go on with this link' }).waitFor();
  const start = await frame.locator('#by-link').evaluate((it) => it.href);
  await victim.goto(start);
  await allow(victim);
  await heading(victim, 'Acme: refused: user_mismatch');
  // He knows the flow's own id from his page, which confirms nothing.
  const [, flow] = /start\/(fl_\w+)/.exec(start);
  assert.equal((await acme.confirm(flow, 'mallory')).status, 404);

  // 3. The provider's address.
  const seen = [];
  page.context().on('request', (request) => seen.push(request.url()));
  const find = (part) => seen.findLast((url) => url.includes(part));
  await page.goto(link(await acme.token(mallory)));
  await button(page, `Continue to ${NAME}`).click();
  await page.locator('input[name=user]').first().waitFor();
  await victim.goto(find('/authorize?'));
  await allow(victim);
  await heading(victim, 'This sign-in began in another browser');

  // 4. A finished callback, unused since his own browser has lost its cookie.
  await page.context().clearCookies({ name: /^cf-/ });
  await decide(page);
  await heading(page, 'This sign-in began in another browser');
  assert.equal((await victim.goto(find('/callback?'))).status(), 400);
  await heading(victim, 'This sign-in began in another browser');

  const his = (await acme.accounts()).filter((it) => it.external_id === 'mallory');
  assert.deepEqual(his, []);
});

browserTest('b-11 open link: what honestly happens', {}, async ({ page, newPage }) => {
  const victim = await newPage();
  await connectBefore(victim, open);
  const mallory = { external_user_id: 'mallory', external_user_name: 'Mallory Example' };
  const address = link(await open.token(mallory));
  await victim.goto(address);
  // She is told whose the access will be; nothing more than her reading it stands in the way.
  await victim.getByText('The access goes to Mallory Example').waitFor();
  await button(victim, `Continue to ${NAME}`).click();
  await allow(victim);
  await heading(victim, `${NAME} is connected`);
  const his = (await open.accounts()).filter((it) => it.external_id === 'mallory');
  assert.deepEqual(his.map((it) => it.binding), ['none']);
  // Of his other addresses none does.
  const seen = [];
  page.context().on('request', (request) => seen.push(request.url()));
  await page.goto(link(await open.token(mallory)));
  await button(page, `Continue to ${NAME}`).click();
  await page.locator('input[name=user]').first().waitFor();
  const find = (part) => seen.findLast((url) => url.includes(part));
  // The link is his browser's now, and the window's address wants a ticket.
  assert.equal((await victim.goto(find('/_static/connect.html'))).status(), 410);
  assert.equal((await victim.goto(find('/connect/start/'))).status(), 403);
  await victim.goto(find('/authorize?'));
  await allow(victim);
  await heading(victim, 'This sign-in began in another browser');
  assert.equal((await open.accounts()).filter((it) => it.external_id === 'mallory').length, 1);
});

for (const [size, context] of LOOKS) {
  browserTest(`wcag 2.2 aa and pictures of links: ${size}`, { context }, async ({ page }) => {
    const long = 'Straßenverkehrsordnungsabteilung Baden-Württemberg, Frau Dr. Müller-Lüdenscheidt';
    for (const [name, user] of [['german', long], ['arabic', 'مريم العبد الله']]) {
      await page.goto(link(await open.token({ external_user_name: user })));
      await page.locator('.receiver').waitFor();
      await look(page, stage, `open-link-${name}-${size}`);
    }
    await page.goto(link(await acme.token()));
    await look(page, stage, `verified-link-${size}`);
  });

  browserTest(`b-08 waiting, and the wrong person: ${size}`, { context }, async ({ page }) => {
    await signIn(page, 'ada');
    await page.goto(link(await loose.token({ external_user_id: 'mallory' })));
    const left = page.waitForRequest((it) => it.url().includes('/connect/start/'));
    await button(page, `Continue to ${NAME}`).click();
    const flow = (await left).url().split('/').at(-1);
    // The product takes its time: its page comes when it has an answer.
    let answer;
    const asked = new Promise((done) => {
      answer = new Promise((say) => loose.confirmBy((id) => (done({ id, say }), answer)));
    });
    const decided = decide(page);
    const { id, say } = await asked;
    const waiting = await page.context().newPage();
    await waiting.goto(`${stage.server.url}/connect/result/${flow}`);
    await heading(waiting, 'Waiting for Acme');
    await look(waiting, stage, `waiting-${size}`);
    say(await loose.confirm(id, 'ada'));
    await decided;
    // It goes on by itself.
    await waiting.getByText('begun for another person').waitFor();
    await look(waiting, stage, `wrong-person-${size}`);
  });

  browserTest(`b-08 in a frame without origins: ${size}`, { context }, async ({ page }) => {
    loose.confirmBy(loose.confirm);
    await signIn(page, 'ada');
    const token = () => loose.token({ allowed_origins: [] });
    const frame = await embed(page, stage, stage.page(await token(), 'sim_keys'));
    await frame.getByLabel('API key', { exact: true }).fill('sim_live_demo');
    await button(frame, 'Connect Harbor Mail').click();
    await frame.getByRole('heading', { name: 'One more step, in Acme' }).waitFor();
    await look(page, stage, `confirm-${size}`);
    const opened = page.context().waitForEvent('page');
    await frame.locator('#to-verify').click();
    await heading(await opened, 'Acme: connected for ada');
    const success = await told(page, 'success');
    assert.equal((await loose.account(success.authProvisionId)).binding, 'verified');
    await page.locator('iframe').waitFor({ state: 'detached' });

    let say;
    const late = new Promise((done) => { say = done; });
    loose.confirmBy((id, user) => late.then(() => loose.confirm(id, user)));
    const again = await embed(page, stage, stage.page(await token(), APP));
    const decided = decide(await press(page, again, NAME));
    await again.getByRole('heading', { name: 'Waiting for Acme' }).waitFor();
    await look(page, stage, `held-${size}`);
    say();
    await Promise.all([decided, told(page, 'success')]);
  });
}
