import { GrantkeepError } from './errors.js';

/** A body that is sent as it is: what `fetch` takes, and streams of Node and async generators. */
export type RawBody =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | FormData
  | URLSearchParams
  | ReadableStream
  | AsyncIterable<Uint8Array | string>;

/** Told by their names, as each realm has classes of its own. */
const RAW = new Set(['ArrayBuffer', 'Blob', 'File', 'FormData', 'URLSearchParams']);

/** Whether a body goes as it is; all else goes as JSON. */
export function isRaw(body: unknown): body is RawBody {
  const kind = Object.prototype.toString.call(body).slice('[object '.length, -1);
  return typeof body === 'string' || ArrayBuffer.isView(body) || RAW.has(kind) || isStream(body);
}

/** Whether a body is gone once it was sent. */
export function isStream(body: unknown): body is ReadableStream | AsyncIterable<unknown> {
  if (typeof body !== 'object' || body === null) return false;
  return isReadable(body) || Symbol.asyncIterator in body;
}

function isReadable(body: object): body is ReadableStream {
  return typeof (body as { getReader?: unknown }).getReader === 'function';
}

/** A body in a form that every `fetch` takes. */
export function sendable(body: RawBody): NonNullable<RequestInit['body']> {
  if (!isStream(body) || isReadable(body)) return body as BodyInit;
  return streamOf(body);
}

/** Pieces are asked for as they are sent. */
function streamOf(pieces: AsyncIterable<unknown>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let iterator: AsyncIterator<unknown> | undefined;
  return new ReadableStream({
    async pull(stream) {
      iterator ??= pieces[Symbol.asyncIterator]();
      const { done, value } = await iterator.next();
      if (done) stream.close();
      else if (typeof value === 'string') stream.enqueue(encoder.encode(value));
      else if (value instanceof Uint8Array) stream.enqueue(value);
      else throw unfitBody('A stream is made of bytes or texts');
    },
    async cancel(why) {
      await iterator?.return?.(why);
    },
  });
}

/** JSON of a value, or an error that says that it has none. */
export function asJson(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw unfitBody('The body cannot be sent as JSON', cause);
  }
}

function unfitBody(text: string, cause?: unknown): GrantkeepError {
  return new GrantkeepError(text, { code: 'invalid_option', cause });
}
