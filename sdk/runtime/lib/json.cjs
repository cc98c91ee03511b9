'use strict';

/** JSON of anything: what refers back to itself is left out, a BigInt becomes text. */
function jsonStringifySafe(value, replacer, space) {
  const above = [];
  const change = typeof replacer === 'function' ? replacer : (_key, it) => it;
  return JSON.stringify(value, function visit(key, given) {
    const it = change.call(this, key, given);
    while (above.length > 0 && above[above.length - 1] !== this) above.pop();
    if (typeof it === 'bigint') return it.toString();
    if (typeof it !== 'object' || it === null) return it;
    if (above.includes(it)) return undefined;
    above.push(it);
    return it;
  }, space);
}

/** A copy that is JSON through and through. */
function cloneSafe(value) {
  const text = jsonStringifySafe(value);
  return text === undefined ? undefined : JSON.parse(text);
}

module.exports = { cloneSafe, jsonStringifySafe };
