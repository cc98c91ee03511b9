'use strict';

// Addresses and their queries.

const isObject = (value) => typeof value === 'object' && value !== null;

/** As browsers leave them readable: `:`, `$`, `,`, `[`, `]` stay, a space is `+`. */
function encode(text) {
  return encodeURIComponent(text).replace(/%3A/gi, ':').replace(/%24/g, '$').replace(/%2C/gi, ',')
    .replace(/%20/g, '+').replace(/%5B/gi, '[').replace(/%5D/gi, ']');
}

/** `[name, value]` of all leaves: `a[]` for lists, `a[b]` for objects. */
function leaves(value, name, found) {
  if (value === undefined || value === null) return found;
  if (value instanceof Date) found.push([name, value.toISOString()]);
  else if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) leaves(item, isObject(item) ? `${name}[${at}]` : `${name}[]`, found);
  } else if (isObject(value) && !Buffer.isBuffer(value)) {
    for (const key of Object.keys(value)) leaves(value[key], name === '' ? key : `${name}[${key}]`, found);
  } else found.push([name, String(value)]);
  return found;
}

function serialize(params, serializer) {
  if (params === undefined || params === null) return '';
  if (typeof serializer === 'function') return serializer(params);
  if (typeof serializer?.serialize === 'function') return serializer.serialize(params, serializer);
  if (params instanceof URLSearchParams) return params.toString();
  let pairs = leaves(params, '', []);
  const { indexes } = serializer ?? {};
  if (indexes === null) pairs = pairs.map(([name, value]) => [name.replace(/\[\]$/, ''), value]);
  if (indexes === true) pairs = numbered(pairs);
  const write = serializer?.encode ?? encode;
  return pairs.map(([name, value]) => `${write(name)}=${write(value)}`).join('&');
}

function numbered(pairs) {
  const counts = new Map();
  return pairs.map(([name, value]) => {
    if (!name.endsWith('[]')) return [name, value];
    const at = counts.get(name) ?? 0;
    counts.set(name, at + 1);
    return [`${name.slice(0, -2)}[${at}]`, value];
  });
}

const isAbsolute = (url) => /^([a-z][a-z\d+\-.]*:)?\/\//i.test(url);

/** The address of a request, without its params. */
function target({ baseURL, url = '' }) {
  if (!baseURL || isAbsolute(url)) return String(url);
  return url === '' ? baseURL : `${baseURL.replace(/\/+$/, '')}/${String(url).replace(/^\/+/, '')}`;
}

/** The address of a request, whole. */
function address(config) {
  const query = serialize(config.params, config.paramsSerializer);
  const url = target(config).replace(/#.*$/, '');
  if (query === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

/** Moves the query of `url` into `params`; params given by name win. */
function queryIntoParams(config) {
  const url = config.url === undefined ? undefined : String(config.url);
  const at = url === undefined ? -1 : url.indexOf('?');
  if (at < 0) return config;
  const params = {};
  for (const [name, value] of new URLSearchParams(url.slice(at + 1).replace(/#.*$/, ''))) {
    const known = Object.hasOwn(params, name) ? params[name] : undefined;
    if (known === undefined) params[name] = value;
    else params[name] = Array.isArray(known) ? [...known, value] : [known, value];
  }
  // A name that was given twice stays twice: `a=1&a=2` and not `a[]=1&a[]=2`.
  const repeated = Object.values(params).some(Array.isArray);
  if (repeated && config.params === undefined) return config;
  const given = config.params instanceof URLSearchParams ? Object.fromEntries(config.params) : config.params;
  return { ...config, url: url.slice(0, at), params: { ...params, ...given } };
}

module.exports = { address, encode, leaves, queryIntoParams, serialize, target };
