// What an expression is given to work with. A native function that goes through a list or a text is not
// interrupted, so none is given more than it goes through in a moment; what makes code of texts, or numbers without
// a largest, is taken away.
(() => {
  'use strict';
  const ITEMS_MAX = 100_000;
  const STEPS_MAX = 100_000_000;
  const { apply } = Reflect;
  const { isArray } = Array;
  const { defineProperty, getOwnPropertyNames, getPrototypeOf } = Object;
  const { isConcatSpreadable } = Symbol;

  function list(value) {
    if (!isArray(value)) throw new TypeError('functions of lists work on lists alone');
    if (value.length > ITEMS_MAX) throw new RangeError(`a list has at most ${ITEMS_MAX} items`);
  }

  function replace(prototype, name, check) {
    const given = prototype[name];
    const value = { [name](...all) {
      check(this, all);
      return apply(given, this, all);
    } }[name];
    defineProperty(prototype, name, { value, configurable: true, writable: true });
  }

  const own = (prototype) => getOwnPropertyNames(prototype)
    .filter((name) => name !== 'constructor' && typeof prototype[name] === 'function');

  for (const name of own(Array.prototype)) {
    replace(Array.prototype, name, (self, all) => {
      list(self);
      if (name !== 'concat' && name !== 'flat') return;
      for (let at = 0; at < all.length; at += 1) {
        if (isArray(all[at])) list(all[at]);
        else if (all[at]?.[isConcatSpreadable]) throw new TypeError('only lists are joined to lists');
      }
      for (let at = 0; name === 'flat' && at < self.length; at += 1) if (isArray(self[at])) list(self[at]);
    });
  }
  for (const name of own(String.prototype)) {
    replace(String.prototype, name, (self, all) => {
      const sought = typeof all[0] === 'string' ? all[0].length : 0;
      if (typeof self === 'string' && self.length * sought > STEPS_MAX) {
        throw new RangeError('the texts are too long for that');
      }
    });
  }
  delete String.raw;
  const kinds = [function () {}, async function () {}, function* () {}, async function* () {}];
  for (const kind of kinds) delete getPrototypeOf(kind).constructor;
  for (const name of ['eval', 'Function', 'BigInt']) delete globalThis[name];
})();
