// B-11: an attacker hands over every address that he comes by. The victim is signed in at the
// provider and opens each one. Nothing of his is connected to the attacker's user.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { browserTest, closeBrowser } from './harness.mjs';
import { button, decide, embed, startStage } from './stage.mjs';

const APP = 'sim_rotating';
const NAME = 'Lumen Chat';

let stage;
let acme;

before(async () => {
  stage = await startStage();
  acme = await stage.project();
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
});

/** The attacker begins in the product, and keeps the addresses of his window for himself. */
async function begin(page) {
  const address = stage.page(await acme.token({ external_user_id: 'mallory' }), APP);
  const frame = await embed(page, stage, address);
  const seen = [];
  page.context().on('request', (request) => seen.push(request.url()));
  const opened = page.waitForEvent('popup');
  await button(frame, `Continue to ${NAME}`).click();
  const window = await opened;
  await window.locator('input[name=user]').first().waitFor();
  const find = (part) => seen.find((url) => url.includes(part));
  return {
    address,
    window,
    find,
    start: find('/connect/start/'),
    authorize: find('/authorize?'),
  };
}

browserTest('b-11 none of four addresses connects the victim', {}, async ({ page, newPage }) => {
  const victim = await newPage();
  const attacker = await begin(page);

  const top = await victim.goto(attacker.address);
  assert.equal(top.status(), 403);
  await victim.getByRole('heading', { name: 'This page belongs inside another one' }).waitFor();

  await victim.goto(attacker.start);
  await victim.getByRole('heading', { name: 'This window cannot go on' }).waitFor();
  assert.deepEqual(await victim.context().cookies(stage.server.url), []);

  await victim.goto(attacker.authorize);
  await decide(victim, 'allow', 'grace');
  await victim.getByRole('heading', { name: 'This sign-in began in another browser' }).waitFor();

  // Without its cookie the attacker's browser does not use the answer up, but he has its address.
  await attacker.window.context().clearCookies({ name: /^cf-/ });
  await decide(attacker.window);
  await attacker.window.getByRole('heading', { name: 'began in another browser' }).waitFor();
  const finished = attacker.find('/callback?');
  const answer = await victim.goto(finished);
  assert.equal(answer.status(), 400);
  await victim.getByRole('heading', { name: 'This sign-in began in another browser' }).waitFor();

  assert.deepEqual(await acme.accounts(), []);
});
