// What was thrown, as the host is told: name, message, a stack without our own frames, a place in the source.

import { fileURLToPath } from 'node:url';
import util from 'node:util';
import {
  endsWith, exec, indexOf, isInteger, join, own, Pattern, peek, push, slice, split, startsWith, toNumber, toText,
} from './originals.mjs';
import { object, quote } from './json.mjs';

const { inspect } = util;

/** Longest message and stack that the host is told, in characters. */
const MESSAGE_CHARS_MAX = 64 * 1024;
const STACK_CHARS_MAX = 16 * 1024;
/** Causes that are told, and characters of each. */
const CAUSES_MAX = 4;
const CAUSE_CHARS_MAX = 2 * 1024;

const OURS = slice(import.meta.url, 0, import.meta.url.length - 'runner/failures.mjs'.length);
const OURS_PATH = fileURLToPath(OURS);
const PLACE = new Pattern('(?:file://)?(/[^():\\n]*|[^():\\s]+\\.[cm]?js):(\\d+):(\\d+)\\)?$');
const ARROW = new Pattern('^(?:file://)?(/.+?):(\\d+)\\n([^\\n]*)\\n( *)\\^');

const cut = (text, max) => (text.length > max ? `${slice(text, 0, max)}… (cut)` : text);

/**
 * Makes thrown values into the texts of the protocol. `root` is the folder of the code, with a slash at its end;
 * `inline` that of the steps, one folder for each.
 */
export function failures(root, inline) {
  const isCode = (path) => startsWith(path, root) || startsWith(path, inline);
  function short(path) {
    if (!startsWith(path, inline)) return slice(path, root.length);
    const rest = slice(path, inline.length);
    return slice(rest, indexOf(rest, '/') + 1);
  }

  /** The frames of the code; those of the runner and of Node's inside are left out. */
  function frames(stack) {
    const lines = split(stack, '\n');
    const kept = [];
    for (let at = 0; at < lines.length; at += 1) {
      const line = lines[at];
      const frame = exec(FRAME, line) !== null;
      const inside = indexOf(line, 'node:internal') >= 0 || indexOf(line, OURS) >= 0 || indexOf(line, OURS_PATH) >= 0;
      if (!frame || !inside) push(kept, line);
    }
    return kept;
  }

  function position(stack) {
    const arrow = exec(ARROW, stack);
    if (arrow !== null && isCode(arrow[1])) {
      return { file: short(arrow[1]), line: toNumber(arrow[2]), column: arrow[4].length + 1 };
    }
    const lines = frames(stack);
    for (let at = 0; at < lines.length; at += 1) {
      const found = exec(FRAME, lines[at]) === null ? null : exec(PLACE, lines[at]);
      if (found === null || !isCode(found[1])) continue;
      if (indexOf(found[1], '/node_modules/') >= 0) continue;
      return { file: short(found[1]), line: toNumber(found[2]), column: toNumber(found[3]) };
    }
    return null;
  }

  /** The error as JSON text. Never throws, whatever was thrown. */
  return function failure(thrown, known) {
    const isObject = (typeof thrown === 'object' && thrown !== null) || typeof thrown === 'function';
    const name = isObject ? peek(thrown, 'name') : undefined;
    const message = isObject ? peek(thrown, 'message') : undefined;
    const stack = isObject ? peek(thrown, 'stack') : undefined;
    const configuration = name === 'ConfigurationError';
    const hidden = configuration && peek(thrown, 'exposeStack') !== true;
    const text = typeof stack === 'string' ? cut(stack, STACK_CHARS_MAX) : '';
    const place = peek(known, 'position') ?? (text === '' ? null : position(text));
    const code = own(known, 'code') ?? (name === 'SerializationError' ? peek(thrown, 'code') : null);
    return object({
      __proto__: null,
      name: quote(typeof name === 'string' && name !== '' ? cut(name, 1024) : 'Error'),
      message: quote(cut(typeof message === 'string' ? message : described(thrown), MESSAGE_CHARS_MAX)),
      stack: text === '' || hidden ? 'null' : quote(join(causes(thrown, frames(text)), '\n')),
      status: status(thrown),
      configuration: configuration ? 'true' : 'false',
      position: place === null ? 'null' : positionText(place),
      code: typeof code === 'string' ? quote(code) : 'null',
    });
  };
}

const FRAME = new Pattern('^\\s+at ');

/** Why what was thrown came about, a line each: `fetch failed` says nothing by itself. */
function causes(thrown, lines) {
  let cause = peek(thrown, 'cause');
  for (let at = 0; at < CAUSES_MAX && typeof cause === 'object' && cause !== null; at += 1) {
    const name = peek(cause, 'name');
    const message = peek(cause, 'message');
    if (typeof message !== 'string') break;
    const text = `${typeof name === 'string' && name !== '' ? name : 'Error'}: ${message}`;
    push(lines, `Caused by: ${cut(text, CAUSE_CHARS_MAX)}`);
    cause = peek(cause, 'cause');
  }
  return lines;
}

function positionText({ file, line, column }) {
  return `{"file":${quote(file)},"line":${toText(line)},"column":${toText(column)}}`;
}

function described(thrown) {
  if (typeof thrown === 'string') return thrown;
  try {
    return inspect(thrown, { __proto__: null, depth: 2, customInspect: false });
  } catch {
    return 'something was thrown that cannot be shown';
  }
}

function status(thrown) {
  const places = [peek(peek(thrown, 'response'), 'status'), peek(thrown, 'status'), peek(thrown, 'statusCode')];
  for (let at = 0; at < places.length; at += 1) {
    if (isInteger(places[at]) && places[at] >= 100 && places[at] < 1000) return toText(places[at]);
  }
  return 'null';
}

/** The place and the words of what `node` printed about a file that it could not read. */
export function printed(text, root) {
  const found = exec(ARROW, text);
  if (found === null) return undefined;
  const file = startsWith(found[1], root) ? slice(found[1], root.length) : found[1];
  if (endsWith(file, '.json')) return undefined;
  return { position: { file, line: toNumber(found[2]), column: found[4].length + 1 }, source: found[3] };
}
