// What an expression is given to work with. A native function that goes through a list or a text is not
// interrupted, so none is given more than it goes through in a moment; what makes code of texts, or numbers without
// a largest, is taken away.
(() => {
  'use strict';
  const ITEMS_MAX = 100_000;
  const REPLACED_MAX = 1_000;
  const STEPS_MAX = 1_000_000_000;
  const { apply, ownKeys } = Reflect;
  const { isArray } = Array;
  const { defineProperty, getPrototypeOf } = Object;

  function list(value, most = ITEMS_MAX) {
    if (!isArray(value)) throw new TypeError('functions of lists work on lists alone');
    if (value.length > most) throw new RangeError(`a list has at most ${most} items here`);
  }

  function put(object, name, value) {
    defineProperty(object, name, { value, configurable: true, writable: true });
  }

  for (const name of ownKeys(Array.prototype)) {
    const given = Array.prototype[name];
    if (typeof given !== 'function' || name === 'constructor') continue;
    put(Array.prototype, name, function (...all) {
      list(this);
      return apply(given, this, all);
    });
  }

  function add(to, items, depth) {
    list(items);
    for (let at = 0; at < items.length; at += 1) {
      if (!(at in items)) continue;
      if (depth >= 1 && isArray(items[at])) add(to, items[at], depth - 1);
      else to[to.length] = items[at];
    }
    return to;
  }
  put(Array.prototype, 'flat', function flat(depth = 1) {
    return add([], this, Number(depth));
  });
  const { map } = Array.prototype;
  put(Array.prototype, 'flatMap', function flatMap(...all) {
    return add([], apply(map, this, all), 1);
  });
  put(Array.prototype, 'concat', function concat(...all) {
    const joined = add([], this, 0);
    for (const more of all) {
      if (isArray(more)) add(joined, more, 0);
      else joined[joined.length] = more;
    }
    return joined;
  });

  for (const name of ['indexOf', 'lastIndexOf', 'includes', 'split', 'replace', 'replaceAll']) {
    const given = String.prototype[name];
    put(String.prototype, name, function (...all) {
      const text = `${this}`;
      if (typeof all[0] === 'object' && all[0] !== null && !(all[0] instanceof RegExp)) all[0] = `${all[0]}`;
      if (typeof all[0] === 'string' && text.length * all[0].length > STEPS_MAX) {
        throw new RangeError('the texts are too long for that');
      }
      return apply(given, text, all);
    });
  }

  const { stringify } = JSON;
  put(JSON, 'stringify', (value, replacer, space) => {
    if (isArray(replacer)) list(replacer, REPLACED_MAX);
    return stringify(value, replacer, space);
  });

  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  globalThis.btoa = (given) => {
    const text = `${given}`;
    let coded = '';
    for (let at = 0; at < text.length; at += 3) {
      const [a, b, c] = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)];
      if (a > 255 || b > 255 || c > 255) throw new RangeError('btoa takes characters up to U+00FF');
      coded += letters[a >> 2] + letters[((a & 3) << 4) | (b >> 4)];
      coded += at + 1 < text.length ? letters[((b & 15) << 2) | (c >> 6)] : '=';
      coded += at + 2 < text.length ? letters[c & 63] : '=';
    }
    return coded;
  };
  globalThis.atob = (given) => {
    const text = `${given}`.replace(/[\t\n\f\r ]/g, '').replace(/={1,2}$/, '');
    if (!/^[A-Za-z0-9+/]*$/.test(text) || text.length % 4 === 1) throw new RangeError('atob takes base64');
    let [plain, bits, held] = ['', 0, 0];
    for (const letter of text) {
      held = ((held << 6) | letters.indexOf(letter)) & 0xffff;
      bits += 6;
      if (bits < 8) continue;
      bits -= 8;
      plain += String.fromCharCode((held >> bits) & 255);
    }
    return plain;
  };

  delete String.raw;
  for (const name of ['drop', 'take']) delete globalThis.Iterator?.prototype[name];
  const kinds = [function () {}, async function () {}, function* () {}, async function* () {}];
  for (const kind of kinds) delete getPrototypeOf(kind).constructor;
  for (const name of ['eval', 'Function', 'BigInt']) delete globalThis[name];
})();
