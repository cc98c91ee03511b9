// What code prints becomes lines of its run's log.

import { Console } from 'node:console';
import { Writable } from 'node:stream';
import util from 'node:util';
import { apply, bytesToText, defineProperty, indexOf, isBuffer, put, slice } from './originals.mjs';

const { formatWithOptions } = util;
/** Longest line kept, in characters. */
const LINE_CHARS_MAX = 64 * 1024;
const FORMAT = { __proto__: null, depth: 4, colors: false, maxArrayLength: 100, maxStringLength: LINE_CHARS_MAX };
const PLAIN = ['log', 'info', 'debug', 'warn', 'error'];
const OTHER = [
  'dir', 'dirxml', 'table', 'trace', 'assert', 'count', 'countReset', 'time', 'timeEnd', 'timeLog', 'group',
  'groupCollapsed', 'groupEnd',
];

/** Replaces the methods of `console` and the two streams. `log(kind, text)` gets every line. */
export function capture(log) {
  const say = (kind, text) => {
    const long = text.length > LINE_CHARS_MAX;
    log(kind, long ? `${slice(text, 0, LINE_CHARS_MAX)}… (cut; ${text.length} characters)` : text);
  };
  let kind = 'console.log';
  let indent = '';
  const sink = { write: (text) => say(kind, text.length > 0 && text[text.length - 1] === '\n' ? slice(text, 0, -1) : text) };
  const helper = new Console({ stdout: sink, stderr: sink, ignoreErrors: false, inspectOptions: FORMAT });

  for (let at = 0; at < PLAIN.length; at += 1) {
    const name = PLAIN[at];
    put(console, name, (...values) => say(`console.${name}`, indent + format(values)));
  }
  for (let at = 0; at < OTHER.length; at += 1) {
    const name = OTHER[at];
    const method = helper[name];
    put(console, name, (...values) => {
      kind = `console.${name}`;
      try {
        apply(method, helper, values);
      } catch (thrown) {
        say(kind, unprintable(thrown));
      }
      if (name === 'group' || name === 'groupCollapsed') indent += '  ';
      if (name === 'groupEnd') indent = slice(indent, 2);
    });
  }
  stream('stdout', say);
  stream('stderr', say);
  return () => {
    indent = '';
  };
}

function format(values) {
  try {
    return apply(formatWithOptions, undefined, [FORMAT, ...values]);
  } catch (thrown) {
    return unprintable(thrown);
  }
}

function unprintable(thrown) {
  let message = '';
  try {
    message = `: ${thrown.message}`;
  } catch {
    // Then without.
  }
  return `(a value that cannot be printed${message})`;
}

/** `process.stdout` and `process.stderr`, made when first asked for. */
function stream(name, say) {
  let made;
  const write = (bytes) => {
    const text = isBuffer(bytes) ? bytesToText(bytes, 'utf8') : bytes;
    let rest = text;
    for (let at = indexOf(rest, '\n'); at >= 0; at = indexOf(rest, '\n')) {
      say(name, slice(rest, 0, at));
      rest = slice(rest, at + 1);
    }
    if (rest !== '') say(name, rest);
  };
  defineProperty(process, name, {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      made ??= new Writable({
        decodeStrings: true,
        write(bytes, _encoding, done) {
          write(bytes);
          done();
        },
      });
      return made;
    },
  });
}
