// Joins the browser's part of the built modules into one plain script and one module, which the
// server embeds.
// With --check it writes nothing and fails where the committed files differ.
import { readFileSync, writeFileSync } from 'node:fs';

const MODULES = ['errors', 'names', 'body', 'http', 'pages', 'resources', 'proxy', 'browser'];
const PUBLIC = [
  'createClient',
  'createFrontendClient',
  'FrontendClient',
  'GrantkeepError',
  'ConnectError',
];
const BANNER =
  '/* Grantkeep for web pages. Apache-2.0. Built from sdk/js by `npm run build`: edit there. */\n';
const here = (path) => new URL(path, import.meta.url);

/**
 * A module without its imports and exports. All names are told apart by the compiler already, as
 * they share no scope twice.
 */
function body(name) {
  return readFileSync(here(`../dist/${name}.js`), 'utf8')
    .replace(/^import [^;]*;\n/gm, '')
    .replace(/^export (?=(async |function|class|const|let))/gm, '')
    .trim();
}

export function build() {
  const code = MODULES.map(body).join('\n\n');
  if (/^\s*(import|export)\b/m.test(code)) throw new Error('an import or export was left over');
  const declared = [...code.matchAll(/^(?:async )?(?:function|class|const|let) (\w+)/gm)].map(
    (it) => it[1],
  );
  const twice = declared.filter((it, at) => declared.indexOf(it) !== at);
  if (twice.length > 0) throw new Error(`declared in two modules: ${twice}`);
  const names = PUBLIC.join(', ');
  const script = [
    `${BANNER}(() => {`,
    "'use strict';",
    code,
    'const address = document.currentScript?.src;',
    'setHome(address ? new URL(address).origin : undefined);',
    `globalThis.Grantkeep = Object.freeze({ ${names} });`,
    '})();\n',
  ].join('\n');
  const module = [
    `${BANNER}${code}`,
    'const address = import.meta.url;',
    'setHome(/^https?:/.test(address) ? new URL(address).origin : undefined);',
    `export { ${names} };\n`,
  ].join('\n');
  return { 'sdk.js': script, 'sdk.mjs': module };
}

export const committed = (name) => here(`../../../web/sdk/${name}`);

if (process.argv[1] && import.meta.url === new URL(`file://${process.argv[1]}`).href) {
  for (const [name, text] of Object.entries(build())) {
    if (!process.argv.includes('--check')) writeFileSync(committed(name), text);
    else if (readFileSync(committed(name), 'utf8') !== text)
      throw new Error(`web/sdk/${name} is not what the sources build`);
  }
}
