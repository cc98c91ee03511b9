import { asJson, isStream, type RawBody, sendable } from './body.js';
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
/** Timers cannot wait longer; a longer limit is none. */
const TIMER_MS_MAX = 2 ** 31 - 1;
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
  /** Further attempts after the first. A POST or PATCH is sent once, and so are a few PUTs. */
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
  /** Makes the body anew for each attempt, where one may be used once only. */
  freshBody?: () => Promise<object>;
  /**
   * Whether it may be sent twice, where the method does not say it: a POST that does no harm, or a
   * PUT whose answer comes once.
   */
  repeatable?: boolean;
  /** A bearer for this call only. */
  bearer?: string | undefined;
  /** For calls that take none. */
  anonymous?: boolean;
  /** Further headers of this call. */
  headers?: Record<string, string> | undefined;
  /** A body that is sent as it is, in the place of `body`. */
  raw?: RawBody | undefined;
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
    const again = call.repeatable ?? IDEMPOTENT.has(call.method);
    let renewed = false;
    let fresh = false;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#attempt(call, options, fresh);
      fresh = false;
      if (outcome instanceof Done) return outcome.value as T;
      // The answer to an earlier attempt was lost, not the deletion.
      if (outcome.status === 404 && call.method === 'DELETE' && attempt > 0) return undefined as T;
      if (outcome.status === 401 && this.#mayRenew(call) && !renewed) {
        renewed = fresh = true;
        attempt -= 1;
        continue;
      }
      if (!again || attempt >= most || !isPassing(outcome)) throw outcome;
      const wait = outcome.retryAfterMs ?? BACKOFF_MS * 2 ** attempt * (0.5 + Math.random());
      if (wait > WAIT_MS_MAX) throw outcome;
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
    let outcome = await this.#opened(call, options, false);
    // Only the server's own 401 is about the bearer, and a stream that was sent is gone.
    const refusal = outcome instanceof GrantkeepError && outcome.status === 401;
    if (refusal && this.#mayRenew(call) && !isStream(call.raw))
      outcome = await this.#opened(call, options, true);
    if (outcome instanceof GrantkeepError) throw outcome;
    return outcome;
  }

  /** An answer that is still coming, or what the server itself refuses. */
  async #opened(
    call: Call,
    options: CallOptions,
    fresh: boolean,
  ): Promise<Response | GrantkeepError> {
    const limit = this.#limit(options);
    const any = { ...call, headers: { ...call.headers, accept: '*/*' } };
    try {
      const answer = await this.#fetch(any, options, fresh, limit);
      if (!answer.headers.has(ERROR_HEADER)) return answer;
      return refused(answer, await answer.text());
    } catch (cause) {
      throw cause instanceof GrantkeepError ? cause : limit.failure(cause);
    } finally {
      limit.met();
    }
  }

  /** A 401 says that nothing was done, so this is safe for every method. */
  #mayRenew(call: Call): boolean {
    return this.#options.renewable && !call.anonymous && call.bearer === undefined;
  }

  /** What another attempt may mend is given; what none does is thrown. */
  async #attempt(
    call: Call,
    options: CallOptions,
    fresh: boolean,
  ): Promise<Done | GrantkeepError> {
    const limit = this.#limit(options);
    try {
      const answer = await this.#fetch(call, options, fresh, limit);
      const text = await answer.text();
      return answer.ok ? new Done(read(answer, text)) : refused(answer, text);
    } catch (cause) {
      if (cause instanceof GrantkeepError) throw cause;
      return limit.failure(cause);
    } finally {
      limit.met();
    }
  }

  #limit(options: CallOptions): Limit {
    const ms = options.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_MS;
    return new Limit('The server', ms, options.signal);
  }

  async #fetch(
    call: Call,
    options: CallOptions,
    fresh: boolean,
    limit: Limit,
  ): Promise<Response> {
    const address = this.#base + call.path + queryText(call.query);
    const headers = this.#headers(call, options);
    if (!call.anonymous) {
      const bearer = call.bearer ?? (await limit.race(() => this.#options.bearer(fresh)));
      headers['authorization'] = `Bearer ${bearer}`;
    }
    const body = call.freshBody ? await limit.race(call.freshBody) : call.body;
    const init: RequestInit & { duplex?: 'half' } = {
      method: call.method,
      headers,
      redirect: 'manual',
      credentials: 'omit',
    };
    if (body !== undefined) {
      headers['content-type'] ??= 'application/json';
      init.body = asJson(body);
    }
    if (call.raw !== undefined) init.body = sendable(call.raw);
    if (isStream(call.raw)) init.duplex = 'half';
    check(address, init);
    const send = this.#options.fetch ?? fetch;
    return await send(address, { ...init, signal: limit.signal });
  }

  #headers(call: Call, options: CallOptions): Record<string, string> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (this.#options.environment) headers['x-pd-environment'] = this.#options.environment;
    if (this.#options.userAgent) headers['user-agent'] = this.#options.userAgent;
    const rateLimit = options.rateLimit ?? this.#options.rateLimit;
    if (rateLimit !== undefined) headers['x-pd-rate-limit'] = rateLimit;
    if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey;
    return { ...headers, ...call.headers };
  }
}

class Done {
  constructor(readonly value: unknown) {}
}

/** How long an attempt may last, and who may end it before. */
export class Limit {
  /** Ends what is sent with it. */
  readonly signal: AbortSignal;
  readonly #whose: string;
  readonly #ms: number;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  #late = false;

  constructor(whose: string, ms: number, given: AbortSignal | undefined) {
    const own = new AbortController();
    this.signal = either(own, given);
    this.#whose = whose;
    this.#ms = ms;
    if (ms > TIMER_MS_MAX) return;
    this.#timer = setTimeout(() => {
      this.#late = true;
      own.abort();
    }, ms);
  }

  /** What has begun may go on; only the caller's signal still ends it. */
  met(): void {
    clearTimeout(this.#timer);
  }

  /** What comes of work that cannot be ended itself, unless the limit comes before. */
  race<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((done, fail) => {
      const ended = () => fail(this.failure(this.signal.reason));
      if (this.signal.aborted) return ended();
      this.signal.addEventListener('abort', ended, { once: true });
      const over = () => this.signal.removeEventListener('abort', ended);
      work().then(done, fail).finally(over);
    });
  }

  /** Why there was no answer. */
  failure(cause: unknown): GrantkeepError {
    const inside = cause instanceof Error ? cause.cause : undefined;
    if (inside instanceof GrantkeepError) return inside;
    if (this.#late)
      return new GrantkeepError(`${this.#whose} did not answer within ${this.#ms} ms`, {
        code: 'timeout',
        cause,
      });
    if (this.signal.aborted)
      return new GrantkeepError('The call was aborted', { code: 'aborted', cause });
    return new GrantkeepError('The server could not be reached', { code: 'network', cause });
  }
}

/**
 * Ends with the first of the two. What the platform joins leaves nothing at a signal that outlives
 * the call; browsers of before 2024 cannot.
 */
function either(own: AbortController, given: AbortSignal | undefined): AbortSignal {
  if (!given) return own.signal;
  if (typeof AbortSignal.any === 'function') return AbortSignal.any([own.signal, given]);
  const abort = () => own.abort(given.reason);
  if (given.aborted) abort();
  else given.addEventListener('abort', abort, { once: true });
  return own.signal;
}

/**
 * `fetch` has one type for what it refuses to send and for what it could not send. What it says of
 * a header holds its value, which may be a secret.
 */
function check(address: string, init: RequestInit & { duplex?: 'half' }): void {
  for (const [name, value] of Object.entries(init.headers as Record<string, string>)) {
    try {
      new Headers([[name, value]]);
    } catch {
      const text = `The header ${name} cannot be sent: it has to be one line of Latin-1`;
      throw new GrantkeepError(text, { code: 'invalid_option' });
    }
  }
  if (!init.duplex) return;
  try {
    new Request(address, { ...init, headers: {} });
  } catch (cause) {
    throw new GrantkeepError('The stream cannot be sent: it was read before, or is being read', {
      code: 'invalid_option',
      cause,
    });
  }
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

function refused(answer: Response, text: string): GrantkeepError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const said = isRecord(body) ? body : {};
  // RFC 6749, 5.2: at the token endpoint `error` is the word, and the text stands beside it.
  const words = said['error_description'] ?? said['error'];
  const code = said['error_description'] === undefined ? said['code'] : said['error'];
  const details = isRecord(said['details']) ? said['details'] : undefined;
  const message = typeof words === 'string' ? words : `The server answered ${answer.status}`;
  return new GrantkeepError(message, {
    ...facts(answer),
    code: typeof code === 'string' ? code : `http_${answer.status}`,
    details,
    retryAfterMs: retryAfter(answer),
  });
}

function facts(answer: Response): { status: number; requestId: string | undefined } {
  return { status: answer.status, requestId: answer.headers.get('x-request-id') ?? undefined };
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
