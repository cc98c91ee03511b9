import { GrantkeepError } from './errors.js';
import { fromWire, isRecord, toSnake } from './names.js';

/** One attempt may take this long, unless told otherwise. */
const TIMEOUT_MS = 60_000;
/** Further attempts after the first, unless told otherwise. */
const RETRIES = 2;
/**
 * The longest wait that is sat out; if the server asks for a longer one, the call fails and says
 * so.
 */
const WAIT_MS_MAX = 60_000;
const BACKOFF_MS = 300;
/** On what the server itself answers, and on nothing that an app answered. */
const ERROR_HEADER = 'x-grantkeep-error';
/** Calls that may be sent twice with the effect of one (RFC 9110, 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'PUT', 'DELETE']);

/**
 * Query parameters that hold a call to one thing. An empty one would let it reach all of them, which
 * nobody meant who gave one.
 */
const HOLDING = new Set([
  'account_id',
  'app',
  'app_id',
  'app_override_id',
  'endpoint',
  'external_user_id',
  'oauth_app_id',
]);

export type Environment = 'development' | 'production';
export type Query = Record<
  string,
  string | number | boolean | readonly string[] | Date | undefined
>;

/** For one call. */
export interface CallOptions {
  /** Ends the call, its waits included. */
  signal?: AbortSignal;
  /** For each attempt, in milliseconds. */
  timeoutMs?: number;
  /** Further attempts after the first. A POST or PATCH is sent once. */
  retries?: number;
  /** Sent as `Idempotency-Key`. Servers do not look at it yet, so nothing is repeated for it. */
  idempotencyKey?: string;
  /** The token of a limit of your own that the call counts to. */
  rateLimit?: string;
}

export interface TransportOptions {
  baseUrl: string;
  environment?: Environment | undefined;
  /** Gives the bearer; `fresh` asks for a new one, as the last was refused. */
  bearer: (fresh: boolean) => Promise<string>;
  /** Whether a new bearer may do better after a 401. */
  renewable: boolean;
  /** The token of a limit that all calls count to. */
  rateLimit?: string | undefined;
  timeoutMs?: number | undefined;
  retries?: number | undefined;
  userAgent?: string | undefined;
  fetch?: typeof fetch | undefined;
}

export interface Call {
  method: string;
  path: string;
  query?: Query | undefined;
  /** Sent as JSON, keys as they are. */
  body?: object | undefined;
  /** A bearer for this call only. */
  bearer?: string | undefined;
  /** For calls that take none. */
  anonymous?: boolean;
  /** Further headers of this call. */
  headers?: Record<string, string> | undefined;
  /** A body that is sent as it is, in the place of `body`. */
  raw?: BodyInit | undefined;
}

/**
 * Sends calls and reads answers: times out, sends again where that is safe, and turns every
 * failure into one type.
 */
export class Transport {
  readonly #options: TransportOptions;
  readonly #base: string;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#base = cleanBase(options.baseUrl);
  }

  get base(): string {
    return this.#base;
  }

  async send<T>(call: Call, options: CallOptions = {}): Promise<T> {
    const most = options.retries ?? this.#options.retries ?? RETRIES;
    const again = IDEMPOTENT.has(call.method);
    let renewed = false;
    let fresh = false;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#attempt(call, options, fresh);
      fresh = false;
      if (outcome instanceof Done) return outcome.value as T;
      const { error, waitMs } = outcome;
      // The answer to an earlier attempt was lost, not the deletion.
      if (error.status === 404 && call.method === 'DELETE' && attempt > 0) return undefined as T;
      if (error.status === 401 && this.#mayRenew(call) && !renewed) {
        renewed = fresh = true;
        attempt -= 1;
        continue;
      }
      if (!again || attempt >= most || !isPassing(error)) throw error;
      const wait = waitMs ?? BACKOFF_MS * 2 ** attempt * (0.5 + Math.random());
      if (wait > WAIT_MS_MAX) throw error;
      await sleep(wait, options.signal);
    }
  }

  /**
   * Sends the call once and gives the answer while its body is still coming, whatever its status.
   * The time limit holds until the answer begins; `signal` holds to its end.
   *
   * @throws GrantkeepError for what the server itself says, and when there is no answer.
   */
  async open(call: Call, options: CallOptions = {}): Promise<Response> {
    let answer = await this.#fetch(call, options, false);
    // Only the server's own 401 is about the bearer, and a stream that was sent is gone.
    const ours = answer.status === 401 && answer.headers.has(ERROR_HEADER);
    if (ours && this.#mayRenew(call) && !(call.raw instanceof ReadableStream)) {
      await answer.body?.cancel();
      answer = await this.#fetch(call, options, true);
    }
    if (!answer.headers.has(ERROR_HEADER)) return answer;
    throw refused(answer, await answer.text()).error;
  }

  async #fetch(call: Call, options: CallOptions, fresh: boolean): Promise<Response> {
    const address = this.#base + call.path + queryText(call.query);
    const headers = { ...(await this.#headers(call, options, fresh)), ...call.headers };
    headers['accept'] = '*/*';
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_MS;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort('timeout'), timeoutMs);
    const abort = () => stop.abort('aborted');
    options.signal?.addEventListener('abort', abort, { once: true });
    if (options.signal?.aborted) abort();
    const init: RequestInit & { duplex?: 'half' } = {
      method: call.method,
      headers,
      signal: stop.signal,
      redirect: 'manual',
      credentials: 'omit',
    };
    if (call.raw !== undefined) init.body = call.raw;
    if (call.raw instanceof ReadableStream) init.duplex = 'half';
    try {
      const send = this.#options.fetch ?? fetch;
      return await send(address, init);
    } catch (cause) {
      options.signal?.removeEventListener('abort', abort);
      throw unanswered(stop.signal, cause, timeoutMs);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A 401 says that nothing was done, so this is safe for every method. */
  #mayRenew(call: Call): boolean {
    return this.#options.renewable && !call.anonymous && call.bearer === undefined;
  }

  async #attempt(call: Call, options: CallOptions, fresh: boolean): Promise<Done | Failed> {
    const address = this.#base + call.path + queryText(call.query);
    const headers = await this.#headers(call, options, fresh);
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_MS;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort('timeout'), timeoutMs);
    const abort = () => stop.abort('aborted');
    options.signal?.addEventListener('abort', abort, { once: true });
    if (options.signal?.aborted) abort();
    try {
      const send = this.#options.fetch ?? fetch;
      const answer = await send(address, {
        method: call.method,
        headers,
        signal: stop.signal,
        redirect: 'manual',
        credentials: 'omit',
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      const text = await answer.text();
      return answer.ok ? new Done(read(answer, text)) : refused(answer, text);
    } catch (cause) {
      if (cause instanceof GrantkeepError) return { error: cause };
      return { error: unanswered(stop.signal, cause, timeoutMs) };
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
    }
  }

  async #headers(
    call: Call,
    options: CallOptions,
    fresh: boolean,
  ): Promise<Record<string, string>> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (!call.anonymous)
      headers['authorization'] = `Bearer ${call.bearer ?? (await this.#options.bearer(fresh))}`;
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    if (this.#options.environment) headers['x-pd-environment'] = this.#options.environment;
    if (this.#options.userAgent) headers['user-agent'] = this.#options.userAgent;
    const rateLimit = options.rateLimit ?? this.#options.rateLimit;
    if (rateLimit !== undefined) headers['x-pd-rate-limit'] = rateLimit;
    if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey;
    return headers;
  }
}

class Done {
  constructor(readonly value: unknown) {}
}

interface Failed {
  error: GrantkeepError;
  waitMs?: number | undefined;
}

/** The base address without a slash at its end. */
export function cleanBase(address: string): string {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new GrantkeepError(`baseUrl is not an address: ${address}`, { code: 'invalid_option' });
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new GrantkeepError('baseUrl has to begin with https:// or http://', {
      code: 'invalid_option',
    });
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

export function cleanEnvironment(given: string | undefined): Environment {
  if (given === undefined) return 'production';
  if (given === 'production' || given === 'development') return given;
  throw new GrantkeepError(`environment is "development" or "production", not "${given}"`, {
    code: 'invalid_option',
  });
}

/** One segment of a path, encoded. */
export function segment(value: string, name: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new GrantkeepError(`${name} is missing`, { code: 'invalid_option' });
  }
  // `fetch` takes these for steps within the path, however they are encoded.
  if (value === '.' || value === '..') {
    throw new GrantkeepError(`${name} cannot be "${value}" within an address`, {
      code: 'invalid_option',
    });
  }
  return encodeURIComponent(value);
}

function queryText(query: Query | undefined): string {
  const made = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (!value && value !== 0 && value !== false && HOLDING.has(toSnake(key))) {
      throw new GrantkeepError(`${key} is empty. To reach all of them, leave it out.`, {
        code: 'invalid_option',
      });
    }
    for (const it of Array.isArray(value) ? value : [value]) made.append(toSnake(key), String(it));
  }
  const text = made.toString();
  return text === '' ? '' : `?${text}`;
}

function read(answer: Response, text: string): unknown {
  if (text === '') return undefined;
  try {
    return fromWire(JSON.parse(text));
  } catch (cause) {
    const message = 'The server answered with something that is not JSON. Is baseUrl right?';
    throw new GrantkeepError(message, { ...facts(answer), code: 'unexpected_answer', cause });
  }
}

function refused(answer: Response, text: string): Failed {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const said = isRecord(body) ? body : {};
  const message =
    typeof said['error'] === 'string' ? said['error'] : `The server answered ${answer.status}`;
  const code = typeof said['code'] === 'string' ? said['code'] : `http_${answer.status}`;
  const details = isRecord(said['details']) ? said['details'] : undefined;
  return {
    error: new GrantkeepError(message, { ...facts(answer), code, details }),
    waitMs: retryAfter(answer),
  };
}

function facts(answer: Response): { status: number; requestId: string | undefined } {
  return { status: answer.status, requestId: answer.headers.get('x-request-id') ?? undefined };
}

function unanswered(signal: AbortSignal, cause: unknown, timeoutMs: number): GrantkeepError {
  if (signal.aborted && signal.reason === 'timeout') {
    return new GrantkeepError(`The server did not answer within ${timeoutMs} ms`, {
      code: 'timeout',
      cause,
    });
  }
  if (signal.aborted) return new GrantkeepError('The call was aborted', { code: 'aborted', cause });
  return new GrantkeepError('The server could not be reached', { code: 'network', cause });
}

/** Whether the same call may do better in a moment. */
function isPassing(error: GrantkeepError): boolean {
  if (error.status === 0) return error.code === 'timeout' || error.code === 'network';
  // What a server cannot do yet (501) it cannot do in a moment either.
  const failed = error.status >= 500 && error.status !== 501;
  return error.status === 408 || error.status === 429 || failed;
}

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(answer: Response): number | undefined {
  const value = answer.headers.get('retry-after');
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((done, fail) => {
    const abort = () => {
      clearTimeout(timer);
      fail(new GrantkeepError('The call was aborted', { code: 'aborted' }));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      done();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
