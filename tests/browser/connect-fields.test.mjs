// The fields of the question, and how much the person allows.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { EVERYTHING } from './everything.mjs';
import { browserTest, closeBrowser } from './harness.mjs';
import { button, embed, press, startStage, told } from './stage.mjs';

let stage;
let acme;

before(async () => {
  stage = await startStage({ files: { everything: EVERYTHING } });
  acme = await stage.project();
});

after(async () => {
  await closeBrowser();
  await stage?.stop();
});

const opened = async (page, app = 'everything', more = {}) =>
  embed(page, stage, stage.page(await acme.token(), app, more));
const field = (frame, name) => frame.locator(`#f-${name}`);
const error = (frame, name) => frame.locator(`#e-${name}`);
const isFocused = (it) => it.evaluate((node) => node === document.activeElement);
const json = (text) =>
  ({ name: 'key.json', mimeType: 'application/json', buffer: Buffer.from(text) });

browserTest('every wrong field is told, and the first has the focus', {}, async ({ page }) => {
  const frame = await opened(page);
  await field(frame, 'port').fill('many');
  await field(frame, 'dsn').fill('mysql://nope');
  await button(frame, 'Connect Everything').click();
  for (const [name, words] of [
    ['site', 'Site is missing. Enter it to continue.'],
    ['port', 'Port must be a number.'],
    ['file', 'Key file is missing. Enter it to continue.'],
    ['dsn', 'Database URL is not an address like postgres://user:password@host/name.'],
  ]) {
    assert.equal(await error(frame, name).textContent(), words);
    assert.equal(await field(frame, name).getAttribute('aria-invalid'), 'true');
    const described = await field(frame, name).getAttribute('aria-describedby');
    assert.ok(described.split(' ').includes(`e-${name}`), described);
  }
  assert.equal(await isFocused(field(frame, 'site')), true);
  assert.equal(await error(frame, 'pem').isHidden(), true, 'it is optional');
  await field(frame, 'site').fill('a b');
  await field(frame, 'port').focus();
  const words = 'Site may hold letters, digits and hyphens only. '
    + 'Enter only what stands before .everything.example.';
  assert.equal(await error(frame, 'site').textContent(), words);
  await field(frame, 'site').fill('acme');
  assert.equal(await error(frame, 'site').isHidden(), true, 'gone once it is changed');
});

browserTest('an address that is pasted becomes its label', {}, async ({ page }) => {
  const frame = await opened(page);
  const site = field(frame, 'site');
  await frame.locator('.affix', { hasText: '.everything.example' }).waitFor();
  for (const [pasted, kept] of [
    ['https://Acme.everything.example/agent/1?x=y', 'acme'],
    [' acme-2.everything.example ', 'acme-2'],
    ['https://evil.com/.everything.example', 'https://evil.com/.everything.example'],
    ['https://acme.everything.example@evil.com', 'https://acme.everything.example@evil.com'],
  ]) {
    await site.fill('');
    await site.evaluate((it, text) => {
      it.focus();
      it.dispatchEvent(new ClipboardEvent('paste', { bubbles: true }));
      document.execCommand('insertText', false, text);
    }, pasted);
    await page.frames().at(-1).waitForFunction(
      (text) => document.querySelector('#f-site').value === text, kept);
  }
});

browserTest('secrets are hidden until they are wanted', {}, async ({ page }) => {
  const frame = await opened(page);
  await field(frame, 'dsn').fill('postgres://u:p@h/n');
  assert.equal(await field(frame, 'dsn').getAttribute('type'), 'password');
  assert.equal(await field(frame, 'dsn').getAttribute('autocomplete'), 'new-password');
  await button(frame, 'Show Database URL').click();
  assert.equal(await field(frame, 'dsn').getAttribute('type'), 'text');
  assert.equal(await isFocused(field(frame, 'dsn')), true);
  await button(frame, 'Show Database URL').click();
  assert.equal(await field(frame, 'dsn').getAttribute('type'), 'password');
  const veiled = () =>
    field(frame, 'pem').evaluate((it) => getComputedStyle(it).webkitTextSecurity);
  await field(frame, 'pem').fill('-----BEGIN PRIVATE KEY-----');
  assert.equal(await veiled(), 'disc');
  await button(frame, 'Show Private key').click();
  assert.equal(await veiled(), 'none');
});

browserTest('a key file is picked or dropped, and judged', {}, async ({ page }) => {
  const frame = await opened(page);
  const picker = frame.locator('#p-file');
  for (const [text, words] of [
    ['[1]', 'This is JSON, but not a key file: that begins with {.'],
    ['{"a": 1', 'The file is cut off at its end. Pick it again, or paste all of it.'],
    ['{\n"a": 1,\nb: 2}', 'This is not JSON: line 3 is wrong. Pick the file as it is.'],
    ['-----BEGIN PRIVATE KEY-----', 'This is a PEM key.'],
    [`{"a": "${'x'.repeat(17_000)}"}`, 'This file is too large to be a key file.'],
  ]) {
    await picker.setInputFiles(json(text));
    await frame.locator('#e-file', { hasText: words }).waitFor();
  }
  await picker.setInputFiles(json('{"client_email": "svc@example.com"}'));
  await frame.getByText('key.json').waitFor();
  assert.equal(await error(frame, 'file').isHidden(), true);
  await field(frame, 'file').evaluate((it) => {
    const dropped = new DataTransfer();
    dropped.items.add(new File(['{"dropped": true}'], 'other.json'));
    it.dispatchEvent(new DragEvent('drop', { bubbles: true, dataTransfer: dropped }));
  });
  await frame.getByText('other.json').waitFor();
  await field(frame, 'site').fill('acme');
  await field(frame, 'dsn').fill('postgres://u:p@h/n');
  await frame.getByLabel('Use the sandbox').uncheck();
  await button(frame, 'Connect Everything').click();
  await told(page, 'success');
});

browserTest('what the server refuses is told on its field', {}, async ({ page }) => {
  const frame = await opened(page);
  // The browser's own expression is not the last word.
  await field(frame, 'site').evaluate((it) => {
    it.value = 'xn--acme';
    delete it.dataset.pattern;
  });
  await field(frame, 'file').fill('{}');
  await field(frame, 'dsn').fill('postgres://u:p@h/n');
  await button(frame, 'Connect Everything').click();
  await frame.locator('#e-site', { hasText: 'Enter only what stands before' }).waitFor();
  assert.equal(await isFocused(field(frame, 'site')), true);
  assert.equal(await field(frame, 'dsn').inputValue(), 'postgres://u:p@h/n', 'nothing is lost');
});

browserTest('how much is allowed is the person\'s choice', {}, async ({ page }) => {
  const free = await stage.project({ more: ['--scope-choice'] });
  const frame = await embed(page, stage, stage.page(await free.token(), 'sim_rotating'));
  const choice = frame.getByRole('radio');
  assert.equal(await choice.count(), 2);
  assert.equal(await frame.getByRole('radio', { name: 'Read and write' }).isChecked(), true);
  await frame.getByRole('radio', { name: 'Read only' }).check();
  const window = await press(page, frame, 'Lumen Chat');
  await window.waitForURL(/authorize|login|consent/);
  const asked = new URL(window.url()).searchParams.get('scope');
  await window.close();
  const fixed = await embed(page, stage, stage.page(await acme.token(), 'sim_rotating'));
  assert.equal(await fixed.getByRole('radio').count(), 0);
  if (asked) assert.doesNotMatch(asked, /write/);
});
