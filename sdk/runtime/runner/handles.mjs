// What props become that are no plain values: stores, interfaces, requests.

import { createRequire } from 'node:module';
import {
  bytesConcat, bytesFrom, bytesToText, dictionary, isBuffer, isView, jsonParse, keys, own, PlainTypeError, push, put, then,
  toText,
} from './originals.mjs';
import { quote, toJson, VALUE_BYTES_MAX } from './json.mjs';

const require = createRequire(import.meta.url);

function keyText(given) {
  if (typeof given !== 'string' && typeof given !== 'number') throw new PlainTypeError('A key is a string');
  return toText(given);
}

function key(given) {
  return quote(keyText(given));
}

/** `$.service.db`: what a source remembers. */
export function database(prop, known, run) {
  const name = quote(prop);
  const texts = dictionary();
  const names = keys(known ?? {});
  for (let at = 0; at < names.length; at += 1) put(texts, names[at], toJson(known[names[at]], 'a value of the database'));
  return {
    /** At once, as code is written for it; to wait for it does no harm. */
    get(given) {
      const json = texts[keyText(given)];
      return json === undefined ? undefined : jsonParse(json);
    },
    /** Seen at once. Who waits learns whether there was room; the run waits in any case. */
    set(given, value) {
      const id = keyText(given);
      const json = toJson(value, 'the value for db.set');
      const former = texts[id];
      put(texts, id, json);
      const asked = run.ask('db.set', { __proto__: null, prop: name, key: quote(id), value: json });
      const written = then(asked, () => {}, (error) => {
        if (texts[id] === json) put(texts, id, former);
        throw error;
      });
      push(run.pending, then(written, () => {}, () => {}));
      // One of its own: where nobody handles its failure, the run fails.
      return then(written, () => {});
    },
  };
}

function found(answer) {
  return own(answer, 'found') === true ? own(answer, 'value') : undefined;
}

/** A data store. Times to live are seconds: a number, or `{ttl}`. */
export function dataStore(id, ask) {
  const store = quote(id);
  const one = (method, given, more) => ask(`store.${method}`, { __proto__: null, store, key: key(given), ...more });
  const handle = {
    async get(given) {
      return found(await one('get', given));
    },
    async set(given, value, life) {
      const ttl = typeof life === 'object' && life !== null ? life.ttl : life;
      const more = { value: toJson(value, 'the value for the data store') };
      if (ttl !== undefined && ttl !== null) more.ttl = toJson(ttl, 'the time to live');
      await one('set', given, more);
      return value;
    },
    async has(given) {
      return (await one('has', given)) === true;
    },
    async keys() {
      return ask('store.keys', { __proto__: null, store });
    },
    async delete(given) {
      await one('delete', given);
    },
    async clear() {
      await ask('store.clear', { __proto__: null, store });
    },
    async* entries() {
      const names = await handle.keys();
      for (let at = 0; at < names.length; at += 1) {
        const answer = await one('get', names[at]);
        if (own(answer, 'found') === true) yield [names[at], own(answer, 'value')];
      }
    },
    [Symbol.asyncIterator]: () => handle.entries(),
  };
  return handle;
}

/** `$.interface.http`. */
export function httpInterface(prop, value, ask) {
  return {
    ...value,
    async respond(answer) {
      const text = await answered(answer);
      await ask('http.respond', { __proto__: null, prop: quote(prop), ...text });
    },
  };
}

/** An HTTP answer as JSON texts. Waits for the end of a body that is a stream. */
export async function answered(answer) {
  const given = typeof answer === 'object' && answer !== null ? answer : {};
  const status = given.status ?? 200;
  if (!Number.isInteger(status) || status < 100 || status > 599) {
    throw new PlainTypeError(`The status of an answer is a number from 100 to 599, not ${toText(status)}`);
  }
  const texts = { __proto__: null, status: toText(status), headers: toJson(given.headers ?? {}, 'the headers of the answer') };
  const { body } = given;
  if (body === undefined || body === null) return texts;
  const bytes = await bytesOf(body);
  if (bytes === undefined) texts.body = toJson(body, 'the body of the answer');
  else texts.bodyBase64 = quote(bytesToText(bytes, 'base64'));
  return texts;
}

/** The bytes of a buffer or stream; undefined: it is neither. */
async function bytesOf(body) {
  if (isBuffer(body)) return body;
  if (isView(body)) return bytesFrom(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof ArrayBuffer) return bytesFrom(body);
  if (typeof body !== 'object' || typeof body[Symbol.asyncIterator] !== 'function') return undefined;
  const parts = [];
  let size = 0;
  for await (const part of body) {
    const bytes = typeof part === 'string' ? bytesFrom(part) : bytesFrom(part);
    size += bytes.length;
    if (size > VALUE_BYTES_MAX) throw new PlainTypeError(`The body of an answer has at most ${VALUE_BYTES_MAX} bytes`);
    push(parts, bytes);
  }
  return bytesConcat(parts);
}

const on = (list) => (Array.isArray(list) ? list.filter((it) => it && !it.disabled && it.name) : []);
const pairs = (list) => Object.fromEntries(on(list).map(({ name, value }) => [name, value]));

/** `http_request`: the request that the user put together, to be sent. */
export function httpRequest(value) {
  return {
    ...value,
    async execute() {
      const { axios } = require('../index.cjs');
      return axios(undefined, { ...requestConfig(value), returnFullResponse: true });
    },
  };
}

function requestConfig(value) {
  const headers = pairs(value.headers);
  const { auth, body } = value;
  const config = { method: value.method ?? 'GET', url: value.url, headers, params: pairs(value.params) };
  if (auth?.type === 'basic') config.auth = { username: auth.username ?? '', password: auth.password ?? '' };
  if (auth?.type === 'bearer') headers.Authorization = `Bearer ${auth.token ?? ''}`;
  if (!body || /^(get|head)$/i.test(config.method)) return config;
  const type = body.contentType ?? body.type;
  const named = Object.keys(headers).some((it) => it.toLowerCase() === 'content-type');
  if (!named && typeof type === 'string' && type.includes('/') && !type.startsWith('multipart/')) headers['Content-Type'] = type;
  if ((body.mode ?? body.type) === 'raw' || body.fields === undefined) {
    if (body.raw !== undefined && body.raw !== '') config.data = body.raw;
  } else if (on(body.fields).length > 0) {
    const fields = pairs(body.fields);
    config.data = fields;
    if (typeof type === 'string' && type.startsWith('multipart/')) {
      config.data = new FormData();
      for (const name of Object.keys(fields)) config.data.append(name, String(fields[name]));
    }
  }
  return config;
}
