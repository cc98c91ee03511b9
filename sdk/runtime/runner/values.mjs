// From configured values to what the component reads at `this.<name>`.

import { hasOwn, isArray, isFinite, isInteger, jsonParse, keys, own, put, push, toNumber, toText, trim } from './originals.mjs';

/** How deep label-value wrappers are looked for. */
const DEPTH_MAX = 32;

const isRecord = (value) => typeof value === 'object' && value !== null && !isArray(value);

/** The value without label-value wrappers. With `withLabel` chosen options stay `{label, value}`. */
export function unwrap(value, withLabel, depth = 0) {
  if (depth > DEPTH_MAX || typeof value !== 'object' || value === null) return value;
  if (isArray(value)) return each(value, (item) => unwrap(item, withLabel, depth + 1));
  const names = keys(value);
  if (names.length === 1 && names[0] === '__lv') return labelled(own(value, '__lv'), withLabel);
  const made = {};
  for (let at = 0; at < names.length; at += 1) put(made, names[at], unwrap(value[names[at]], withLabel, depth + 1));
  return made;
}

function labelled(chosen, withLabel) {
  if (isArray(chosen)) return each(chosen, (item) => labelled(item, withLabel));
  if (!isRecord(chosen)) return chosen;
  return withLabel ? { label: own(chosen, 'label'), value: own(chosen, 'value') } : own(chosen, 'value');
}

function each(list, change) {
  const made = [];
  for (let at = 0; at < list.length; at += 1) push(made, change(list[at]));
  return made;
}

/** The value of a prop of this definition; the default where none is given. */
export function valueOf(definition, given) {
  const withLabel = definition.withLabel === true;
  let value = unwrap(given, withLabel);
  if (value === undefined || value === null) value = fresh(definition.default);
  if (value === undefined || value === null) return undefined;
  if (withLabel) return withLabels(value);
  const fit = FITS[definition.type];
  return fit === undefined ? value : fit(value);
}

/** The author's default is shared by all runs: each gets its own copy. */
function fresh(value) {
  if (typeof value !== 'object' || value === null) return value;
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

/** Values that were given plain, as if they had been chosen from a list. */
function withLabels(value) {
  if (isArray(value)) return each(value, withLabels);
  if (typeof value === 'object' && hasOwn(value, 'value')) return value;
  return typeof value === 'object' ? value : { label: toText(value), value };
}

function json(text) {
  try {
    return jsonParse(text);
  } catch {
    return undefined;
  }
}

function record(value) {
  if (typeof value !== 'string') return value;
  const parsed = json(value);
  return typeof parsed === 'object' && parsed !== null ? parsed : value;
}

function whole(value) {
  if (typeof value !== 'string' || trim(value) === '') return value;
  const number = toNumber(value);
  return isInteger(number) ? number : value;
}

function number(value) {
  if (typeof value !== 'string' || trim(value) === '') return value;
  return isFinite(toNumber(value)) ? toNumber(value) : value;
}

function flag(value) {
  if (value === 'true') return true;
  return value === 'false' ? false : value;
}

function text(value) {
  return typeof value === 'number' || typeof value === 'boolean' ? toText(value) : value;
}

const list = (fit) => (value) => {
  const parsed = typeof value === 'string' ? json(value) : value;
  if (isArray(parsed)) return each(parsed, fit);
  return typeof value === 'string' && value !== '' ? [fit(value)] : value;
};

/** How a value that came as something near its type is read. What cannot be read stays as it came. */
const FITS = {
  __proto__: null,
  string: text,
  integer: whole,
  number,
  boolean: flag,
  object: record,
  'string[]': list(text),
  'integer[]': list(whole),
  'number[]': list(number),
  'boolean[]': list(flag),
  'object[]': list(record),
  http_request: record,
  sql: record,
};
