'use strict';

// Every TCP and TLS connection of code goes over the host's one socket. A convenience for code that expects a
// network: where this is got round there is none, the kernel sees to that.

const dns = require('node:dns');
const { readFileSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const net = require('node:net');
const tls = require('node:tls');

const { Socket } = net;
const { connect: connectPlain, destroy, push } = Socket.prototype;
const { emit } = Socket.prototype;
const { connect: connectSecure } = tls;
const { apply, defineProperty } = Reflect;
const { parse, stringify } = JSON;
const { concat } = Buffer;
const { add, delete: remove, forEach } = Set.prototype;
const { once } = Socket.prototype;

/** Longest line that the host answers a connection with, in bytes. */
const ANSWER_BYTES_MAX = 64 * 1024;
const NEWLINE = 10;

/** Names that were asked for, behind made-up addresses of 198.18.0.0/15 (RFC 2544). */
const names = new Map();
const addresses = new Map();
const ADDRESSES_MAX = 2 ** 17 - 2;

/** What is connected by way of the host. */
const open = new Set();

function hold(socket) {
  apply(add, open, [socket]);
  apply(once, socket, ['close', () => apply(remove, open, [socket])]);
  return socket;
}

function addressOf(host) {
  if (net.isIP(host)) return host;
  const name = String(host).toLowerCase().replace(/\.$/, '');
  if (name === 'localhost') return '127.0.0.1';
  let address = addresses.get(name);
  if (address === undefined) {
    const number = (addresses.size % ADDRESSES_MAX) + 1;
    address = `198.${18 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
    addresses.set(name, address);
    names.set(address, name);
  }
  return address;
}

/** The arguments of `connect` as `[options, callback]`. */
function normalized(given) {
  if (Array.isArray(given[0])) return given[0];
  const done = typeof given[given.length - 1] === 'function' ? given[given.length - 1] : null;
  const [first, second] = given;
  if (typeof first === 'object' && first !== null) return [first, done];
  if (typeof first === 'string' && !/^\d+$/.test(first)) return [{ path: first }, done];
  return [typeof second === 'string' ? { port: first, host: second } : { port: first }, done];
}

function isPort(port) {
  const number = typeof port === 'string' && port.trim() !== '' ? Number(port) : port;
  return Number.isInteger(number) && number >= 0 && number <= 65535;
}

/** The error that code sees when the host did not connect. */
function refused(told, host, port) {
  const code = /^E[A-Z]+$/.test(told?.code ?? '') ? told.code : 'ECONNREFUSED';
  const error = new Error(`connect ${code} ${host}:${port}: ${told?.message ?? 'the host closed the connection'}`);
  return Object.assign(error, { errno: -111, code, syscall: 'connect', address: host, port, reason: told?.code ?? null });
}

/** Opens `socket` to the host, and lets it look connected once the host says that it is. */
function relay(socket, enter, host, port) {
  let parts = [];
  let asked = false;
  let size = 0;
  const replace = (key, value) => defineProperty(socket, key, { value, configurable: true, writable: true });
  const restore = () => {
    delete socket.emit;
    delete socket.push;
  };
  const fail = (told) => {
    restore();
    apply(destroy, socket, [refused(told, host, port)]);
    return false;
  };

  function ask() {
    asked = true;
    const hello = stringify({ hello: 'connect', host, port });
    socket._writeGeneric(false, `${hello}\n`, 'utf8', () => {});
    if (socket._handle === null) return;
    socket._handle.reading = true;
    socket._handle.readStart();
    socket.connecting = true;
  }

  /** Hands the socket over as Node does once it is connected: not reading, until the stream asks for it. */
  function opened(rest) {
    restore();
    const handle = socket._handle;
    handle.reading = false;
    handle.readStop();
    socket.connecting = false;
    socket._peername = { address: addressOf(host), family: 'IPv4', port };
    apply(emit, socket, ['connect']);
    apply(emit, socket, ['ready']);
    if (socket.destroyed || socket._handle === null) return true;
    if (rest.length > 0) apply(push, socket, [rest]);
    if (!socket.isPaused()) socket.read(0);
    return handle.reading;
  }

  hold(socket);
  replace('emit', (event, ...values) => {
    if (event === 'connect' && !asked) {
      ask();
      return true;
    }
    if (event === 'ready') return true;
    return apply(emit, socket, [event, ...values]);
  });
  replace('push', (chunk) => {
    if (chunk === null) return fail(undefined);
    const at = chunk.indexOf(NEWLINE);
    parts.push(at < 0 ? chunk : chunk.subarray(0, at));
    size += chunk.length;
    if (at < 0) return size <= ANSWER_BYTES_MAX || fail({ message: 'the host answered too much' });
    let answer;
    try {
      answer = parse(concat(parts).toString());
    } catch {
      return fail({ message: 'the host answered something else than JSON' });
    }
    parts = [];
    return answer.ok === true ? opened(chunk.subarray(at + 1)) : fail(answer.error);
  });
  enter(socket);
}

function plainConnect(enter) {
  return function connect(...given) {
    const [options, done] = normalized(given);
    if (options.path || !isPort(options.port) || this instanceof tls.TLSSocket) return apply(connectPlain, this, given);
    if (this.connecting || (this._handle && !this.destroyed)) return apply(connectPlain, this, given);
    if (typeof done === 'function') this.once('connect', done);
    const host = options.host || 'localhost';
    relay(this, enter, names.get(host) ?? String(host), Number(options.port));
    return this;
  };
}

/** The file with the host's certificate, and the certificate once it is needed. */
let place;
let authority;

/**
 * Trust in the host's authority, which signs for whatever code connects to, beside those that code names. Node's own
 * list would be of no use; reading it, as NODE_EXTRA_CA_CERTS does, took a fifth of a worker's start.
 */
function trusting(options) {
  if (options.secureContext) return options;
  authority ??= readFileSync(place);
  return { ...options, ca: options.ca ? [options.ca, authority].flat() : authority };
}

/** TLS over a socket that the host connects; else as Node has it. */
function secureConnect(...given) {
  const [first, done] = normalized(given);
  let options = first;
  if (typeof given[1] === 'object' && given[1] !== null) options = { ...first, ...given[1] };
  else if (typeof given[2] === 'object' && given[2] !== null) options = { ...first, ...given[2] };
  options = trusting(options);
  const then = done ? [done] : [];
  if (options.socket || options.path || !isPort(options.port)) return apply(connectSecure, tls, [options, ...then]);
  const host = options.host || 'localhost';
  const name = names.get(host) ?? host;
  const servername = options.servername ?? (net.isIP(name) ? undefined : name);
  const raw = new Socket({ highWaterMark: options.highWaterMark });
  const secure = hold(apply(connectSecure, tls, [{ ...options, servername, socket: raw }, ...then]));
  raw.on('error', (error) => secure.destroy(error));
  secure.on('close', () => raw.destroy());
  if (options.timeout) secure.setTimeout(options.timeout);
  raw.connect({ host, port: options.port });
  return secure;
}

function answerLookup(host, options) {
  const address = addressOf(host || 'localhost');
  const family = net.isIP(address);
  return typeof options === 'object' && options?.all ? [{ address, family }] : { address, family };
}

function lookup(host, options, done) {
  const callback = typeof options === 'function' ? options : done;
  if (typeof callback !== 'function') throw new TypeError('The "callback" argument must be of type function');
  const answer = answerLookup(host, options);
  process.nextTick(() => (Array.isArray(answer) ? callback(null, answer) : callback(null, answer.address, answer.family)));
  return {};
}

/** Puts all of it in place, before code is loaded. `enter` connects a socket to the host, `ca` is its certificate. */
exports.install = function install(enter, ca) {
  place = ca;
  Socket.prototype.connect = plainConnect(enter);
  tls.connect = secureConnect;
  dns.lookup = lookup;
  dns.promises.lookup = async (host, options) => answerLookup(host, options);
  syncBuiltinESMExports();
};

/** Ends all of it, as the host does with the end of a run: else a pool would give the next run a dead connection. */
exports.end = function end() {
  apply(forEach, open, [(socket) => apply(destroy, socket, [])]);
};
