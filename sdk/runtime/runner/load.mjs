// Imports a component, or says where and why it cannot be.

import childProcess from 'node:child_process';
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';
import { apply, dictionary, own, peek, PlainError, PlainPromise, put, toText } from './originals.mjs';
import { definitions } from './definitions.mjs';
import { printed } from './failures.mjs';
import { wireComponent } from './wire.mjs';

const { execFile } = childProcess;
const { mkdirSync, symlinkSync, writeFileSync } = fs;

/** How long Node may take to say where a file is wrong. */
const CHECK_MS = 5000;
const CHECK_BYTES_MAX = 64 * 1024;

/**
 * The component at `place`, with its definitions and its wire form. `fallback` is the type of one that names none.
 * Throws `{thrown, known}`.
 */
export async function load(place, root, fallback = 'source') {
  let module;
  try {
    module = await import(pathToFileURL(place).href);
  } catch (thrown) {
    const known = peek(thrown, 'name') === 'SyntaxError' ? await whereSyntaxIsWrong(place, root) : undefined;
    throw loadError(advised(thrown, place), known);
  }
  try {
    return made(module, place.slice(root.length), fallback);
  } catch (thrown) {
    throw loadError(thrown, { code: 'definition' });
  }
}

const loadError = (thrown, known) => ({ __proto__: null, thrown, known });

function made(module, name, fallback) {
  let found = module.default;
  if (found !== null && typeof found === 'object' && found.__esModule === true) found = found.default;
  if (typeof found === 'function') found = { type: 'action', run: found };
  if (found === null || typeof found !== 'object') {
    throw new PlainError(`${name} has no component as its default export. Write: export default defineComponent({ … })`);
  }
  if (found.type === undefined) found = Object.create(found, { type: { value: fallback } });
  return { component: found, whole: definitions(found.props), wire: wireComponent(found) };
}

/** Node keeps the place of a syntax error to itself, but prints it. */
function whereSyntaxIsWrong(place, root) {
  return new PlainPromise((resolve) => {
    const options = { timeout: CHECK_MS, maxBuffer: CHECK_BYTES_MAX, env: {}, killSignal: 'SIGKILL' };
    try {
      apply(execFile, childProcess, [process.execPath, [place], options, (_error, _out, text) => {
        resolve(printed(`\n${toText(text)}`.slice(1), root));
      }]);
    } catch {
      // Not every sandbox lets processes be started.
      resolve(undefined);
    }
  });
}

function advised(thrown, place) {
  const message = peek(thrown, 'message');
  const esm = message === 'Cannot use import statement outside a module' || `${message}`.startsWith('Unexpected token \'export\'');
  if (esm && place.endsWith('.js')) {
    put(thrown, 'message', `${message}. Call the file .mjs, or put "type": "module" into its package.json`);
  }
  return thrown;
}

/** Inline code of workflows, written where it can import the packages beside the components. */
export function steps(inline, root) {
  const known = dictionary();
  let last = 0;
  return async function step(code) {
    const before = own(known, code);
    if (before !== undefined) return before;
    last += 1;
    const folder = `${inline}${last}/`;
    mkdirSync(folder, { recursive: true });
    try {
      symlinkSync(`${root}node_modules`, `${inline}node_modules`);
    } catch {
      // It is there already.
    }
    const place = `${folder}step.mjs`;
    writeFileSync(place, code);
    const loaded = await load(place, folder, 'action');
    put(known, code, loaded);
    return loaded;
  };
}
