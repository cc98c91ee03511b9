// The control connection: JSON lines to and from the host, and the calls that wait for an answer.

import net from 'node:net';
import {
  apply, bytesConcat, bytesIndexOf, bytesToText, create, hasOwn, jsonParse, own, PlainError, PlainPromise, put, push,
  setPrototypeOf, subarray, toText,
} from './originals.mjs';
import { object, quote } from './json.mjs';

const { Socket } = net;
const { write, end, on, destroy } = Socket.prototype;
const NEWLINE = 10;

/** A connection to the host that starts with this line. Past any patch of `net`. */
export function dial(enter, line) {
  const socket = new Socket();
  enter(socket);
  apply(write, socket, [`${line}\n`]);
  return {
    write: (bytes, done) => apply(write, socket, [bytes, done]),
    on: (name, act) => apply(on, socket, [name, act]),
    end: () => apply(end, socket, []),
    destroy: () => apply(destroy, socket, []),
  };
}

/** Calls `each` with every line, without its newline. */
export function lines(connection, each) {
  let parts = [];
  connection.on('data', (bytes) => {
    let rest = bytes;
    for (;;) {
      const at = bytesIndexOf(rest, NEWLINE);
      if (at < 0) break;
      push(parts, subarray(rest, 0, at));
      const line = bytesToText(bytesConcat(parts), 'utf8');
      parts = [];
      rest = subarray(rest, at + 1);
      each(line);
    }
    if (rest.length > 0) push(parts, rest);
  });
}

/** Opens the control connection. `receive` gets the host's orders, `gone` is called when the host is. */
export function open(enter, receive, gone) {
  const line = object({ __proto__: null, hello: '"control"', version: '1', node: quote(process.version) });
  const connection = dial(enter, line);
  const waiting = create(null);
  let last = 0;

  const send = (fields) => connection.write(`${object(fields)}\n`);

  function call(of, method, params) {
    last += 1;
    const number = last;
    return new PlainPromise((resolve, reject) => {
      put(waiting, number, { resolve, reject });
      send({ __proto__: null, call: toText(number), of: toText(of), method: quote(method), params: object(params) });
    });
  }

  function answer(message) {
    const asked = own(waiting, message.reply);
    if (asked === undefined) return;
    delete waiting[message.reply];
    if (!hasOwn(message, 'error')) asked.resolve(own(message, 'ok'));
    else asked.reject(refusal(message.error));
  }

  connection.on('error', gone);
  connection.on('close', gone);
  lines(connection, (text) => {
    const message = jsonParse(text);
    setPrototypeOf(message, null);
    if (hasOwn(message, 'reply')) answer(message);
    else receive(message);
  });
  return { send, call };
}

function refusal(told) {
  const error = new PlainError(own(told, 'message') ?? 'The host refused this');
  const name = own(told, 'name');
  return typeof name === 'string' ? put(error, 'name', name) : error;
}
