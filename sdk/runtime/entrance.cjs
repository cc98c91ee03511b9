'use strict';

// How sockets get to the host: over its socket's path, or, where code may open no socket at all, out of the
// connections that the host makes to the descriptor that this process was started with.

const { AsyncResource } = require('node:async_hooks');
const net = require('node:net');
const { Readable } = require('node:stream');

const { Socket, createServer } = net;
const { connect, destroy, isPaused, read } = Socket.prototype;
const { apply, defineProperty } = Reflect;
const { getOwnPropertySymbols } = Object;
const { push, shift } = Array.prototype;

/** Gives `enter(socket)`, which connects a socket to the host as its `connect` would. */
exports.entrance = function entrance({ path, descriptor }) {
  return descriptor === undefined ? (socket) => apply(connect, socket, [{ path }]) : accepting(descriptor);
};

/** Always one connection waits here, made by the host; it makes the next once this one is used. */
function accepting(descriptor) {
  const spare = [];
  const waiting = [];
  const server = createServer({ pauseOnConnect: true }, (given) => {
    if (waiting.length > 0) apply(shift, waiting, [])(given);
    else apply(push, spare, [given]);
  });
  server.listen({ fd: descriptor });
  // Where a program expects its input, there is the host.
  defineProperty(process, 'stdin', { configurable: true, enumerable: true, get: () => Readable.from([]) });
  return (socket) => {
    if (socket.destroyed) {
      socket._handle = null;
      socket._peername = undefined;
      socket._undestroy();
    }
    socket.connecting = true;
    const use = AsyncResource.bind((given) => become(socket, given));
    if (spare.length === 0) apply(push, waiting, [use]);
    else process.nextTick(use, apply(shift, spare, []));
  };
}

/** Lets `socket` stand in the place of `given`, which is connected: Node has no public way to do so. */
function become(socket, given) {
  if (socket.destroyed) {
    apply(destroy, given, []);
    return;
  }
  const handle = given._handle;
  // The handle tells what it reads to its owner, who is named by a symbol of Node's own.
  for (const symbol of getOwnPropertySymbols(handle)) if (handle[symbol] === given) handle[symbol] = socket;
  for (const symbol of getOwnPropertySymbols(given)) {
    if (symbol.description === 'async_id_symbol') socket[symbol] = given[symbol];
  }
  given._handle = null;
  socket._handle = handle;
  socket.connecting = false;
  socket.emit('connect');
  socket.emit('ready');
  if (!socket.destroyed && !socket.connecting && !apply(isPaused, socket, [])) apply(read, socket, [0]);
}
