// JSON to the host. Messages are put together as text, so that no `toJSON` and no prototype of the
// code's reaches anything but the value it belongs to.

import {
  byteLength, getPrototypeOf, hasOwn, indexOf, isArray, jsonStringify, keys, own, peek, PlainError, put, push, slice,
} from './originals.mjs';

/** What one value may take, in bytes of JSON. The contract of a worker. */
export const VALUE_BYTES_MAX = 6 * 1024 * 1024;
/** How deep a value is searched for what is wrong with it. */
const DEPTH_MAX = 64;

export function quote(text) {
  return wellFormed(jsonStringify(`${text}`));
}

/**
 * The JSON with U+FFFD for each half of a character, as a text that was cut at a length may end in:
 * halves are no Unicode, and the host's reader refuses them (RFC 8259 section 8.2).
 */
function wellFormed(json) {
  if (json === undefined || indexOf(json, '\\ud') < 0) return json;
  let whole = '';
  let done = 0;
  for (let at = indexOf(json, '\\'); at >= 0; at = indexOf(json, '\\', at)) {
    // Of the escapes that `stringify` writes, halves alone begin so: \ud800 to \udfff.
    if (json[at + 1] === 'u' && json[at + 2] === 'd') {
      whole += `${slice(json, done, at)}\ufffd`;
      at += 6;
      done = at;
    } else {
      at += 2;
    }
  }
  return whole + slice(json, done);
}

/**
 * The value as JSON. `what` names it in the error: "the return value".
 * Throws an error with a `code` of `not_json` or `too_large`.
 */
export function toJson(value, what) {
  let text;
  try {
    text = wellFormed(jsonStringify(value));
  } catch (cause) {
    const huge = peek(cause, 'name') === 'RangeError' && peek(cause, 'message') === 'Invalid string length';
    if (huge) throw tooLarge(what, undefined);
    throw notJson(value, what, cause);
  }
  if (text === undefined) return 'null';
  const bytes = text.length > VALUE_BYTES_MAX ? text.length : byteLength(text);
  if (bytes > VALUE_BYTES_MAX) throw tooLarge(what, bytes);
  return text;
}

function coded(code, message) {
  const error = new PlainError(message);
  put(error, 'name', 'SerializationError');
  return put(error, 'code', code);
}

function tooLarge(what, bytes) {
  const has = bytes === undefined ? 'is larger than a string can be' : `has ${bytes} bytes as JSON`;
  return coded('too_large', `${what} ${has}; at most ${VALUE_BYTES_MAX} are kept. Return less, or write a file`);
}

function notJson(value, what, cause) {
  let found;
  try {
    found = culprit(value, [], '', 0);
  } catch {
    found = undefined;
  }
  const reason = found ?? peek(cause, 'message') ?? 'it could not be read';
  return coded('not_json', `${what} cannot be written as JSON: ${reason}`);
}

/** Which part of the value JSON cannot have, in words. */
function culprit(value, above, path, depth) {
  const place = path === '' ? 'the value itself' : path;
  if (typeof value === 'bigint') return `${place} is a BigInt; turn it into a string`;
  if (value === null || typeof value !== 'object' || depth > DEPTH_MAX) return undefined;
  for (let at = 0; at < above.length; at += 1) {
    if (above[at] === value) return `${place} refers back to an object that it is part of (circular)`;
  }
  if (typeof peek(value, 'toJSON') === 'function') return undefined;
  const inside = [];
  for (let at = 0; at < above.length; at += 1) push(inside, above[at]);
  push(inside, value);
  const names = keys(value);
  for (let at = 0; at < names.length; at += 1) {
    const name = names[at];
    const below = isArray(value) ? `${path}[${name}]` : `${path}.${name}`;
    let part;
    try {
      part = value[name];
    } catch (thrown) {
      return `reading ${below} threw: ${peek(thrown, 'message') ?? 'something'}`;
    }
    const found = culprit(part, inside, below, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `{"a":..,"b":..}` of texts that are JSON already; undefined ones are left out. */
export function object(fields) {
  const names = keys(fields);
  let text = '{';
  for (let at = 0; at < names.length; at += 1) {
    const name = names[at];
    if (fields[name] === undefined) continue;
    text += `${text.length > 1 ? ',' : ''}${quote(name)}:${fields[name]}`;
  }
  return `${text}}`;
}

/** Whether the value is an object as a literal makes it: no array, no instance of a class. */
export function isPlain(value) {
  if (value === null || typeof value !== 'object' || isArray(value)) return false;
  const prototype = getPrototypeOf(value);
  return prototype === null || (hasOwn(prototype, 'isPrototypeOf') && own(prototype, 'hasOwnProperty') !== undefined);
}
