// What the connect page weighs and how soon it can be used, for `cargo xtask bench`: loaded five
// times in a new browser context each. Prints one line of JSON: medians, bytes as they cross the
// wire, milliseconds from the navigation until Continue can be pressed.
import { browser, closeBrowser } from './harness.mjs';
import { button, startStage } from './stage.mjs';

const LOADS = 5;

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** One load with an empty cache: what Chromium's own counters say came over the wire. */
async function load(stage, project) {
  const context = await (await browser()).newContext();
  const page = await context.newPage();
  const counters = await context.newCDPSession(page);
  await counters.send('Network.enable');
  const seen = { bytes: 0, requests: 0 };
  counters.on('Network.loadingFinished', ({ encodedDataLength }) => {
    seen.bytes += encodedDataLength;
    seen.requests += 1;
  });
  const address = stage.page(await project.token(), 'sim_rotating', { connectLink: 'true' });
  const began = performance.now();
  await page.goto(address, { waitUntil: 'load' });
  const toPress = button(page, 'Continue to');
  await toPress.click({ trial: true });
  seen.interactive_ms = performance.now() - began;
  await page.waitForLoadState('networkidle');
  await context.close();
  return seen;
}

const stage = await startStage();
try {
  const project = await stage.project({ links: true, apps: ['rotating'] });
  const loads = [];
  for (let nth = 0; nth < LOADS; nth += 1) loads.push(await load(stage, project));
  const of = (name) => median(loads.map((it) => it[name]));
  const said = ['bytes', 'requests', 'interactive_ms'].map((name) => [name, of(name)]);
  console.log(JSON.stringify(Object.fromEntries(said)));
} finally {
  await closeBrowser();
  await stage.stop();
}
