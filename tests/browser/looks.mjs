// What every screen is held to: nothing too wide, nothing that keeps somebody out.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import axe from 'axe-core';

// Without motion: a picture shows the end of it.
const STILL = { reducedMotion: 'reduce' };

/** A phone, a tablet in the dark, a desk. */
export const LOOKS = [
  ['360', { ...STILL, viewport: { width: 360, height: 780 }, isMobile: true }],
  ['768-dark', { ...STILL, viewport: { width: 768, height: 900 }, colorScheme: 'dark' }],
  ['1440', { ...STILL, viewport: { width: 1440, height: 900 } }],
];

/** Kept only where a folder for pictures is named. */
export async function picture(page, name) {
  const folder = process.env.GRANTKEEP_SCREENSHOTS;
  if (!folder) return;
  // One that lies behind another is not painted anew.
  await page.bringToFront();
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

/** Looks at what a page shows, and keeps a picture of it. */
export async function look(page, stage, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
  await picture(page, name);
  const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  for (const frame of page.frames()) {
    if (!frame.url().startsWith(stage.server.url)) continue;
    await frame.evaluate(axe.source);
    const { violations } = await frame.evaluate(
      (tags) => window.axe.run(document, { runOnly: { type: 'tag', values: tags } }),
      values,
    );
    const found = violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.target)}`);
    assert.deepEqual(found, [], name);
  }
}
