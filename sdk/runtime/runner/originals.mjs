// The language as it was before code of others was loaded. Code may replace any global and any method of a
// prototype; what is kept here still works then. Read once, at start; nothing may be added later.

const { apply, ownKeys, getPrototypeOf, setPrototypeOf } = Reflect;
const { bind, call } = Function.prototype;
/** The method as a function whose first argument is `this`. */
const loose = bind.bind(call);

export { apply, ownKeys, getPrototypeOf, setPrototypeOf };
export const { parse: jsonParse, stringify: jsonStringify } = JSON;
export const { create, keys, defineProperty, getOwnPropertyDescriptor, freeze } = Object;
export const { isArray } = Array;
export const { isInteger, isFinite } = Number;
export const { now } = Date;
export const { min } = Math;
export const toText = String;
export const toNumber = Number;
export const PlainError = Error;
export const PlainTypeError = TypeError;
export const PlainPromise = Promise;
export const Bytes = Buffer;
export const ArrayOf = Array;
export const Pattern = RegExp;
export const { setTimeout: later, clearTimeout: notLater, setImmediate: soon } = globalThis;

export const hasOwn = loose(Object.prototype.hasOwnProperty);
export const indexOf = loose(String.prototype.indexOf);
export const startsWith = loose(String.prototype.startsWith);
export const endsWith = loose(String.prototype.endsWith);
export const slice = loose(String.prototype.slice);
export const split = loose(String.prototype.split);
export const trim = loose(String.prototype.trim);
export const join = loose(Array.prototype.join);
export const exec = loose(RegExp.prototype.exec);
export const then = loose(Promise.prototype.then);
export const bytesToText = loose(Buffer.prototype.toString);
export const subarray = loose(Uint8Array.prototype.subarray);
export const bytesIndexOf = loose(Buffer.prototype.indexOf);
export const { concat: bytesConcat, from: bytesFrom, isBuffer, byteLength } = Buffer;
export const isView = ArrayBuffer.isView;

/** A dictionary without a prototype: an absent key is absent, whatever was put on `Object.prototype`. */
export const dictionary = () => create(null);

/** Sets an own property, past any setter of a prototype. */
export function put(object, key, value) {
  defineProperty(object, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  return object;
}

export function push(array, value) {
  return put(array, array.length, value);
}

/** An own property, or undefined. Throws what a getter throws. */
export function own(object, key) {
  return object !== null && object !== undefined && hasOwn(object, key) ? object[key] : undefined;
}

/** `object[key]`, or undefined where reading throws. */
export function peek(object, key) {
  try {
    return object === null || object === undefined ? undefined : object[key];
  } catch {
    return undefined;
  }
}
