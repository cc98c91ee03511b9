'use strict';

// `axios($, config, signConfig)`: a request that gives its data, tells the run what went wrong, and signs by OAuth 1.0a.

const bridge = require('./bridge.cjs');
const { FORM_TYPE, headerName } = require('./body.cjs');
const { ConfigurationError, RequestError } = require('./errors.cjs');
const { address, queryIntoParams } = require('./params.cjs');
const { send } = require('./request.cjs');

/** The scheme of `oauth_signer_uri` where the host itself signs. The prop follows. */
const SIGNED_HERE = 'grantkeep:oauth1/';
const METHODS = ['get', 'delete', 'head', 'options', 'post', 'put', 'patch'];
const WITH_DATA = new Set(['post', 'put', 'patch']);

const isRecord = (value) => Object.prototype.toString.call(value) === '[object Object]'
  && [Object.prototype, null].includes(Object.getPrototypeOf(value));

function withoutUndefined(value) {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, it]) => it !== undefined));
}

/** The request as it will be sent. */
function prepared(config) {
  if (typeof config !== 'object' || config === null) throw new ConfigurationError('axios needs a config, as its second argument');
  if (config.body !== undefined) throw new ConfigurationError('axios has no "body". Use "data" for the content of a request');
  const made = { ...config };
  for (const key of ['headers', 'params', 'data']) {
    if (made[key] !== undefined) made[key] = withoutUndefined(made[key]);
  }
  return queryIntoParams(made);
}

/** What OAuth 1.0a signs (RFC 5849, 3.4): form fields take part, other bodies do not. */
function transformConfigForOauth(config) {
  const headers = config.headers ?? {};
  const isForm = String(headers[headerName(headers, 'content-type')] ?? '').startsWith(FORM_TYPE);
  const made = { method: config.method ?? 'get', url: address(config) };
  if (!isForm || config.data === undefined) return made;
  const fields = typeof config.data === 'string' ? new URLSearchParams(config.data) : config.data;
  made.data = fields instanceof URLSearchParams ? Object.fromEntries(fields) : fields;
  return made;
}

async function signature(config, { oauthSignerUri, token }) {
  const requestData = transformConfigForOauth(config);
  if (String(oauthSignerUri).startsWith(SIGNED_HERE)) {
    const prop = oauthSignerUri.slice(SIGNED_HERE.length);
    const { authorization } = await bridge.call('oauth1.sign', { prop, ...requestData });
    return authorization;
  }
  const answer = await send({
    method: 'post', url: oauthSignerUri, data: { requestData, token }, responseType: 'text',
  });
  if (answer.status >= 300) throw new RequestError(`Signing the request failed with status code ${answer.status}`, 'ERR_BAD_RESPONSE');
  return answer.data;
}

function isGood(config, status) {
  if (config.validateStatus === null) return true;
  return config.validateStatus === undefined ? status >= 200 && status < 300 : config.validateStatus(status);
}

/** The error of an answer that says no. Its message is what the other side said. */
function refusal(response) {
  const code = response.status >= 500 ? 'ERR_BAD_RESPONSE' : 'ERR_BAD_REQUEST';
  const error = new RequestError(`Request failed with status code ${response.status}`, code, response);
  error.name = `${error.name} - ${error.message}`;
  const { data } = response;
  const readable = data !== undefined && !Buffer.isBuffer(data) && typeof data?.pipe !== 'function';
  if (readable) error.message = JSON.stringify(data);
  return error;
}

const shown = ({ status, statusText, headers, data }) => ({ status, statusText, headers, data: showable(data) });

function showable(data) {
  if (Buffer.isBuffer(data)) return `(${data.length} bytes)`;
  return typeof data?.pipe === 'function' ? '(a stream)' : data;
}

function exported($, name, value) {
  if (typeof $?.export !== 'function') return;
  try {
    $.export(name, value);
  } catch {
    // What cannot be exported must not hide the answer.
  }
}

/** Sends, and gives the data. `place` has the stack of the caller, for errors. */
async function perform($, given, signConfig, place) {
  try {
    const config = prepared(given);
    if (signConfig !== undefined && signConfig !== null) {
      config.headers = { ...config.headers, Authorization: await signature(config, signConfig) };
    }
    if (config.debug) exported($, 'debug_config', debugged(config));
    const response = await send(config);
    Object.defineProperty(response, 'config', { value: config, enumerable: false });
    if (!isGood(config, response.status)) throw refusal(response);
    if (config.debug) exported($, 'debug_response', shown(response));
    return config.returnFullResponse ? response : response.data;
  } catch (error) {
    if (error.response !== undefined) exported($, 'debug', shown(error.response));
    const frames = String(place.stack ?? '').split('\n').filter((it) => /^\s+at /.test(it));
    error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
    throw error;
  }
}

function debugged(config) {
  return Object.fromEntries(Object.entries(config).filter(([key, value]) => typeof value !== 'function' && !/agent$/i.test(key))
    .map(([key, value]) => [key, key === 'data' ? showable(value) : value]));
}

function merged(base, given) {
  const made = { ...base, ...given };
  for (const key of ['headers', 'params']) {
    if (base?.[key] !== undefined && given?.[key] !== undefined) made[key] = { ...base[key], ...given[key] };
  }
  return made;
}

function from(call) {
  const place = {};
  Error.captureStackTrace(place, call);
  return place;
}

function axios($, config, signConfig) {
  const alone = config === undefined && $ !== undefined && typeof $?.url === 'string';
  return alone ? perform(undefined, $, undefined, from(axios)) : perform($, config, signConfig, from(axios));
}

/** An instance with settings of its own, called with a config alone. */
function create(defaults = {}, signConfig) {
  const request = (call, config) => perform(undefined, merged(instance.defaults, config), signConfig, from(call));
  function instance(first, second) {
    return request(instance, typeof first === 'string' ? { ...second, url: first } : first);
  }
  instance.defaults = { ...defaults };
  instance.request = (config) => request(instance.request, config);
  for (const method of METHODS) {
    instance[method] = WITH_DATA.has(method)
      ? (url, data, config) => request(instance[method], { ...config, method, url, data })
      : (url, config) => request(instance[method], { ...config, method, url });
  }
  return instance;
}

axios.create = create;
axios.isAxiosError = (error) => error?.isAxiosError === true;

module.exports = { axios, transformConfigForOauth };
