'use strict';

// One HTTP request, with its redirects, its time limit and its answer.

const { encodeBody, headerName, isStream, setDefault } = require('./body.cjs');
const { RequestError } = require('./errors.cjs');
const { address } = require('./params.cjs');

const REDIRECTS_MAX = 21;
const USER_AGENT = 'grantkeep-runtime';
const ACCEPT = 'application/json, text/plain, */*';

/** Sends the request of `config`; gives the answer whatever its status. Throws when there is none. */
async function send(config) {
  const headers = {};
  for (const [name, value] of Object.entries(config.headers ?? {})) {
    if (value !== undefined && value !== null && value !== false) headers[name] = Array.isArray(value) ? value : String(value);
  }
  setDefault(headers, 'Accept', ACCEPT);
  setDefault(headers, 'User-Agent', USER_AGENT);
  if (config.decompress !== false) setDefault(headers, 'Accept-Encoding', 'gzip, deflate, br');
  let data = config.data;
  for (const change of [config.transformRequest ?? []].flat()) data = change(data, headers);
  const body = await encodeBody(data, headers);
  const url = parsed(address(config));
  credentials(config, url, headers);
  const limit = timeLimit(config);
  try {
    return await follow(config, { method: String(config.method ?? 'get').toUpperCase(), url, headers, body }, limit);
  } finally {
    limit.clear();
  }
}

function parsed(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw new RequestError(`Invalid URL: ${text || '(empty)'}`, 'ERR_INVALID_URL');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new RequestError(`Unsupported protocol ${url.protocol}`, 'ERR_BAD_REQUEST');
  }
  return url;
}

function credentials(config, url, headers) {
  let { auth } = config;
  if (!auth && (url.username || url.password)) {
    auth = { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  }
  url.username = '';
  url.password = '';
  if (!auth) return;
  const known = headerName(headers, 'authorization');
  if (known !== undefined) delete headers[known];
  headers.Authorization = `Basic ${Buffer.from(`${auth.username ?? ''}:${auth.password ?? ''}`).toString('base64')}`;
}

/** Stops what runs too long, or what the caller calls off. */
function timeLimit({ timeout, timeoutErrorMessage, signal }) {
  const limit = { stop: undefined, over: undefined, clear: () => clearTimeout(timer) };
  const end = (error) => {
    limit.over = error;
    limit.stop?.(error);
  };
  const after = Number(timeout);
  const text = timeoutErrorMessage ?? `timeout of ${after}ms exceeded`;
  const timer = after > 0 ? setTimeout(() => end(new RequestError(text, 'ECONNABORTED')), after) : undefined;
  const canceled = () => end(Object.assign(new RequestError('canceled', 'ERR_CANCELED'), { name: 'CanceledError' }));
  if (signal?.aborted) canceled();
  else signal?.addEventListener?.('abort', canceled, { once: true });
  return limit;
}

async function follow(config, request, limit) {
  const max = config.maxRedirects ?? REDIRECTS_MAX;
  for (let count = 0; ; count += 1) {
    const message = await exchange(config, request, limit);
    const { location } = message.headers;
    const leads = [301, 302, 303, 307, 308].includes(message.statusCode) && location !== undefined && max > 0;
    if (!leads) return answer(config, message, limit);
    message.resume();
    if (count >= max) throw new RequestError('Maximum number of redirects exceeded', 'ERR_FR_TOO_MANY_REDIRECTS');
    redirect(request, message.statusCode, parsed(new URL(location, request.url).href));
  }
}

/** Changes the request into the one that a redirect asks for (RFC 9110, 15.4). Secrets stay with their host. */
function redirect(request, status, url) {
  const drop = (...names) => {
    for (const name of names) {
      const known = headerName(request.headers, name);
      if (known !== undefined) delete request.headers[known];
    }
  };
  const posted = request.method === 'POST' && (status === 301 || status === 302);
  if (posted || (status === 303 && request.method !== 'HEAD')) {
    request.method = 'GET';
    request.body = undefined;
    drop('content-type', 'content-length', 'content-encoding', 'transfer-encoding');
  } else if (isStream(request.body)) {
    throw new RequestError(`A stream cannot be sent again to ${url.origin}, where the answer leads`, 'ERR_FR_REDIRECTION_FAILURE');
  }
  const weaker = request.url.protocol === 'https:' && url.protocol === 'http:';
  if (url.host !== request.url.host || weaker) drop('authorization', 'cookie', 'proxy-authorization');
  drop('host');
  request.url = url;
}

function exchange(config, { method, url, headers, body }, limit) {
  const secure = url.protocol === 'https:';
  const { request } = secure ? require('node:https') : require('node:http');
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers }, agent: secure ? config.httpsAgent : config.httpAgent };
    if (Buffer.isBuffer(body)) options.headers[headerName(headers, 'content-length') ?? 'Content-Length'] = String(body.length);
    const sent = request(url, options, resolve);
    limit.stop = (error) => sent.destroy(error);
    sent.on('error', (error) => reject(failed(limit.over ?? error)));
    if (limit.over !== undefined) sent.destroy(limit.over);
    if (!isStream(body)) {
      sent.end(body);
      return;
    }
    body.on('error', (error) => sent.destroy(error));
    body.pipe(sent);
  });
}

/** What `net` and `tls` throw, in the form of this package. */
function failed(error) {
  if (error instanceof RequestError) return error;
  const made = new RequestError(error.message || error.code || 'the connection failed', error.code);
  return Object.assign(made, { cause: error });
}

function unpacked(config, message) {
  if (config.decompress === false) return message;
  const zlib = require('node:zlib');
  const coding = String(message.headers['content-encoding'] ?? '').toLowerCase();
  const open = { gzip: zlib.createGunzip, 'x-gzip': zlib.createGunzip, deflate: zlib.createInflate, br: zlib.createBrotliDecompress }[coding];
  if (open === undefined || message.statusCode === 204 || message.statusCode === 304) return message;
  delete message.headers['content-encoding'];
  delete message.headers['content-length'];
  const stream = open();
  message.on('error', (error) => stream.destroy(error));
  return message.pipe(stream);
}

async function answer(config, message, limit) {
  const stream = message.req.method === 'HEAD' ? message : unpacked(config, message);
  const made = { status: message.statusCode, statusText: message.statusMessage, headers: { ...message.headers }, data: stream };
  if (config.responseType === 'stream') return made;
  limit.stop = (error) => message.destroy(error);
  try {
    made.data = content(config, await whole(stream, config.maxContentLength));
  } catch (error) {
    throw failed(limit.over ?? error);
  }
  for (const change of [config.transformResponse ?? []].flat()) made.data = change(made.data, made.headers, made.status);
  return made;
}

async function whole(stream, max) {
  const parts = [];
  let size = 0;
  for await (const part of stream) {
    size += part.length;
    if (max >= 0 && size > max) throw new RequestError(`maxContentLength size of ${max} exceeded`, 'ERR_BAD_RESPONSE');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function content({ responseType, responseEncoding, transformResponse }, bytes) {
  if (responseType === 'arraybuffer') return bytes;
  if (responseType === 'blob') return new Blob([bytes]);
  const text = bytes.toString(responseEncoding ?? 'utf8').replace(/^\uFEFF/, '');
  if ((responseType !== undefined && responseType !== 'json') || text === '' || transformResponse) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

module.exports = { send };
