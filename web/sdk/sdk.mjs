/* Grantkeep for web pages. Apache-2.0. Built from sdk/js by `npm run build`: edit there. */
/**
 * What can go wrong with a call. `code` is stable and may be branched on; `message` is for people.
 */
class GrantkeepError extends Error {
    /** The HTTP status, or 0 when there was no answer. */
    status;
    /**
     * The server's code, or one of `timeout`, `aborted`, `network`, `unexpected_answer`,
     * `invalid_option`.
     */
    code;
    /** Names the call in the server's log. */
    requestId;
    /** What the server added: for example the field that it refused. */
    details;
    /** Milliseconds until the same call may do better, where the server says so. */
    retryAfterMs;
    constructor(message, at = {}) {
        super(message, at.cause === undefined ? undefined : { cause: at.cause });
        this.name = 'GrantkeepError';
        this.status = at.status ?? 0;
        this.code = at.code ?? 'error';
        this.requestId = at.requestId;
        this.details = at.details;
        this.retryAfterMs = at.retryAfterMs;
    }
}
/** Why an account was not connected, in words that the person has seen as well. */
class ConnectError extends GrantkeepError {
    constructor(message, code = 'connect_failed') {
        super(message, { code });
        this.name = 'ConnectError';
    }
}

/**
 * Values whose keys belong to somebody else, such as the field names of an app: passed on as they
 * are.
 */
const OPAQUE = new Set([
    'credentials',
    'cfmap',
    'discovered',
    'details',
    'public_jwk',
    'configurable_props',
    'configured_props',
    // What components and their code say.
    'annotations',
    'callback_observations',
    'context',
    'dynamicProps',
    'e',
    'event',
    'exports',
    'options',
    'os',
    'observations',
    'props',
    'ret',
]);
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;
/**
 * From the wire to here: `snake_case` keys become `camelCase`, times (`.._at` in ISO 8601) become
 * `Date`.
 */
function fromWire(value) {
    if (Array.isArray(value))
        return value.map(fromWire);
    if (!isRecord(value))
        return value;
    const made = {};
    for (const [key, it] of Object.entries(value)) {
        const name = toCamel(key);
        if (name === '__proto__')
            continue;
        if (OPAQUE.has(key))
            made[name] = it;
        else if (key.endsWith('_at') && typeof it === 'string' && ISO.test(it))
            made[name] = new Date(it);
        else
            made[name] = fromWire(it);
    }
    return made;
}
/** From here to the wire. Only the outer keys: what they hold is sent as it was given. */
function toWire(value) {
    const made = {};
    for (const [key, it] of Object.entries(value))
        if (it !== undefined)
            made[toSnake(key)] = it;
    return made;
}
function isRecord(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
function toCamel(key) {
    return key.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}
function toSnake(key) {
    return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Told by their names, as each realm has classes of its own. */
const RAW = new Set(['ArrayBuffer', 'Blob', 'File', 'FormData', 'URLSearchParams']);
/** Whether a body goes as it is; all else goes as JSON. */
function isRaw(body) {
    const kind = Object.prototype.toString.call(body).slice('[object '.length, -1);
    return typeof body === 'string' || ArrayBuffer.isView(body) || RAW.has(kind) || isStream(body);
}
/** Whether a body is gone once it was sent. */
function isStream(body) {
    if (typeof body !== 'object' || body === null)
        return false;
    return isReadable(body) || Symbol.asyncIterator in body;
}
function isReadable(body) {
    return typeof body.getReader === 'function';
}
/** A body in a form that every `fetch` takes. */
function sendable(body) {
    if (!isStream(body) || isReadable(body))
        return body;
    return streamOf(body);
}
/** Pieces are asked for as they are sent. */
function streamOf(pieces) {
    const encoder = new TextEncoder();
    let iterator;
    return new ReadableStream({
        async pull(stream) {
            iterator ??= pieces[Symbol.asyncIterator]();
            const { done, value } = await iterator.next();
            if (done)
                stream.close();
            else if (typeof value === 'string')
                stream.enqueue(encoder.encode(value));
            else if (value instanceof Uint8Array)
                stream.enqueue(value);
            else
                throw unfitBody('A stream is made of bytes or texts');
        },
        async cancel(why) {
            await iterator?.return?.(why);
        },
    });
}
/** JSON of a value, or an error that says that it has none. */
function asJson(value) {
    try {
        return JSON.stringify(value);
    }
    catch (cause) {
        throw unfitBody('The body cannot be sent as JSON', cause);
    }
}
function unfitBody(text, cause) {
    return new GrantkeepError(text, { code: 'invalid_option', cause });
}

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
/**
 * Sends calls and reads answers: times out, sends again where that is safe, and turns every
 * failure into one type.
 */
class Transport {
    #options;
    #base;
    constructor(options) {
        this.#options = options;
        this.#base = cleanBase(options.baseUrl);
    }
    get base() {
        return this.#base;
    }
    async send(call, options = {}) {
        const most = options.retries ?? this.#options.retries ?? RETRIES;
        const again = call.repeatable ?? IDEMPOTENT.has(call.method);
        let renewed = false;
        let fresh = false;
        for (let attempt = 0;; attempt += 1) {
            const outcome = await this.#attempt(call, options, fresh);
            fresh = false;
            if (outcome instanceof Done)
                return outcome.value;
            // The answer to an earlier attempt was lost, not the deletion.
            if (outcome.status === 404 && call.method === 'DELETE' && attempt > 0)
                return undefined;
            if (outcome.status === 401 && this.#mayRenew(call) && !renewed) {
                renewed = fresh = true;
                attempt -= 1;
                continue;
            }
            if (!again || attempt >= most || !isPassing(outcome))
                throw outcome;
            const wait = outcome.retryAfterMs ?? BACKOFF_MS * 2 ** attempt * (0.5 + Math.random());
            if (wait > WAIT_MS_MAX)
                throw outcome;
            await sleep(wait, options.signal);
        }
    }
    /**
     * Sends the call once and gives the answer while its body is still coming, whatever its status.
     * The time limit holds until the answer begins; `signal` holds to its end.
     *
     * @throws GrantkeepError for what the server itself says, and when there is no answer.
     */
    async open(call, options = {}) {
        let outcome = await this.#opened(call, options, false);
        // Only the server's own 401 is about the bearer, and a stream that was sent is gone.
        const refusal = outcome instanceof GrantkeepError && outcome.status === 401;
        if (refusal && this.#mayRenew(call) && !isStream(call.raw))
            outcome = await this.#opened(call, options, true);
        if (outcome instanceof GrantkeepError)
            throw outcome;
        return outcome;
    }
    /** An answer that is still coming, or what the server itself refuses. */
    async #opened(call, options, fresh) {
        const limit = this.#limit(options);
        const any = { ...call, headers: { ...call.headers, accept: '*/*' } };
        try {
            const answer = await this.#fetch(any, options, fresh, limit);
            if (!answer.headers.has(ERROR_HEADER))
                return answer;
            return refused(answer, await answer.text());
        }
        catch (cause) {
            throw cause instanceof GrantkeepError ? cause : limit.failure(cause);
        }
        finally {
            limit.met();
        }
    }
    /** A 401 says that nothing was done, so this is safe for every method. */
    #mayRenew(call) {
        return this.#options.renewable && !call.anonymous && call.bearer === undefined;
    }
    /** What another attempt may mend is given; what none does is thrown. */
    async #attempt(call, options, fresh) {
        const limit = this.#limit(options);
        try {
            const answer = await this.#fetch(call, options, fresh, limit);
            const text = await answer.text();
            return answer.ok ? new Done(read(answer, text)) : refused(answer, text);
        }
        catch (cause) {
            if (cause instanceof GrantkeepError)
                throw cause;
            return limit.failure(cause);
        }
        finally {
            limit.met();
        }
    }
    #limit(options) {
        const ms = options.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_MS;
        return new Limit('The server', ms, options.signal);
    }
    async #fetch(call, options, fresh, limit) {
        const address = this.#base + call.path + queryText(call.query);
        const headers = this.#headers(call, options);
        if (!call.anonymous) {
            const bearer = call.bearer ?? (await limit.race(() => this.#options.bearer(fresh)));
            headers['authorization'] = `Bearer ${bearer}`;
        }
        const body = call.freshBody ? await limit.race(call.freshBody) : call.body;
        const init = {
            method: call.method,
            headers,
            redirect: 'manual',
            credentials: 'omit',
        };
        if (body !== undefined) {
            headers['content-type'] ??= 'application/json';
            init.body = asJson(body);
        }
        if (call.raw !== undefined)
            init.body = sendable(call.raw);
        if (isStream(call.raw))
            init.duplex = 'half';
        check(address, init);
        const send = this.#options.fetch ?? fetch;
        return await send(address, { ...init, signal: limit.signal });
    }
    #headers(call, options) {
        const headers = { accept: 'application/json' };
        if (this.#options.environment)
            headers['x-pd-environment'] = this.#options.environment;
        if (this.#options.userAgent)
            headers['user-agent'] = this.#options.userAgent;
        const rateLimit = options.rateLimit ?? this.#options.rateLimit;
        if (rateLimit !== undefined)
            headers['x-pd-rate-limit'] = rateLimit;
        if (options.idempotencyKey !== undefined)
            headers['idempotency-key'] = options.idempotencyKey;
        return { ...headers, ...call.headers };
    }
}
class Done {
    value;
    constructor(value) {
        this.value = value;
    }
}
/** How long an attempt may last, and who may end it before. */
class Limit {
    /** Ends what is sent with it. */
    signal;
    #whose;
    #ms;
    #timer;
    #late = false;
    constructor(whose, ms, given) {
        const own = new AbortController();
        this.signal = either(own, given);
        this.#whose = whose;
        this.#ms = ms;
        if (ms > TIMER_MS_MAX)
            return;
        this.#timer = setTimeout(() => {
            this.#late = true;
            own.abort();
        }, ms);
    }
    /** What has begun may go on; only the caller's signal still ends it. */
    met() {
        clearTimeout(this.#timer);
    }
    /** What comes of work that cannot be ended itself, unless the limit comes before. */
    race(work) {
        return new Promise((done, fail) => {
            const ended = () => fail(this.failure(this.signal.reason));
            if (this.signal.aborted)
                return ended();
            this.signal.addEventListener('abort', ended, { once: true });
            const over = () => this.signal.removeEventListener('abort', ended);
            work().then(done, fail).finally(over);
        });
    }
    /** Why there was no answer. */
    failure(cause) {
        const inside = cause instanceof Error ? cause.cause : undefined;
        if (inside instanceof GrantkeepError)
            return inside;
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
function either(own, given) {
    if (!given)
        return own.signal;
    if (typeof AbortSignal.any === 'function')
        return AbortSignal.any([own.signal, given]);
    const abort = () => own.abort(given.reason);
    if (given.aborted)
        abort();
    else
        given.addEventListener('abort', abort, { once: true });
    return own.signal;
}
/**
 * `fetch` has one type for what it refuses to send and for what it could not send. What it says of
 * a header holds its value, which may be a secret.
 */
function check(address, init) {
    for (const [name, value] of Object.entries(init.headers)) {
        try {
            new Headers([[name, value]]);
        }
        catch {
            const text = `The header ${name} cannot be sent: it has to be one line of Latin-1`;
            throw new GrantkeepError(text, { code: 'invalid_option' });
        }
    }
    if (!init.duplex)
        return;
    try {
        new Request(address, { ...init, headers: {} });
    }
    catch (cause) {
        throw new GrantkeepError('The stream cannot be sent: it was read before, or is being read', {
            code: 'invalid_option',
            cause,
        });
    }
}
/** The base address without a slash at its end. */
function cleanBase(address) {
    let url;
    try {
        url = new URL(address);
    }
    catch {
        throw new GrantkeepError(`baseUrl is not an address: ${address}`, { code: 'invalid_option' });
    }
    if (url.protocol !== 'https:' && url.protocol !== 'http:') {
        throw new GrantkeepError('baseUrl has to begin with https:// or http://', {
            code: 'invalid_option',
        });
    }
    return url.origin + url.pathname.replace(/\/+$/, '');
}
function cleanEnvironment(given) {
    if (given === undefined)
        return 'production';
    if (given === 'production' || given === 'development')
        return given;
    throw new GrantkeepError(`environment is "development" or "production", not "${given}"`, {
        code: 'invalid_option',
    });
}
/** One segment of a path, encoded. */
function segment(value, name) {
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
function queryText(query) {
    const made = new URLSearchParams();
    for (const [key, value] of Object.entries(query ?? {})) {
        if (value === undefined)
            continue;
        if (!value && value !== 0 && value !== false && HOLDING.has(toSnake(key))) {
            throw new GrantkeepError(`${key} is empty. To reach all of them, leave it out.`, {
                code: 'invalid_option',
            });
        }
        for (const it of Array.isArray(value) ? value : [value])
            made.append(toSnake(key), String(it));
    }
    const text = made.toString();
    return text === '' ? '' : `?${text}`;
}
function read(answer, text) {
    if (text === '')
        return undefined;
    try {
        return fromWire(JSON.parse(text));
    }
    catch (cause) {
        const message = 'The server answered with something that is not JSON. Is baseUrl right?';
        throw new GrantkeepError(message, { ...facts(answer), code: 'unexpected_answer', cause });
    }
}
function refused(answer, text) {
    let body;
    try {
        body = JSON.parse(text);
    }
    catch {
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
function facts(answer) {
    return { status: answer.status, requestId: answer.headers.get('x-request-id') ?? undefined };
}
/** Whether the same call may do better in a moment. */
function isPassing(error) {
    if (error.status === 0)
        return error.code === 'timeout' || error.code === 'network';
    // What a server cannot do yet (501) it cannot do in a moment either.
    const failed = error.status >= 500 && error.status !== 501;
    return error.status === 408 || error.status === 429 || failed;
}
/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(answer) {
    const value = answer.headers.get('retry-after');
    if (!value)
        return undefined;
    const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
    return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
function sleep(ms, signal) {
    return new Promise((done, fail) => {
        const abort = () => {
            clearTimeout(timer);
            fail(new GrantkeepError('The call was aborted', { code: 'aborted' }));
        };
        const timer = setTimeout(() => {
            signal?.removeEventListener('abort', abort);
            done();
        }, ms);
        if (signal?.aborted)
            abort();
        else
            signal?.addEventListener('abort', abort, { once: true });
    });
}

/** Items that a walk through a whole list asks for at once: the most that servers give. */
const PAGE_ITEMS = 100;
/**
 * A list that is fetched page by page.
 *
 * `await` it for one page, or `for await` over it for every item; nothing is sent before one of the
 * two. A list with `before` is walked backward from there, page by page; within a page the order
 * stays.
 */
class Listing {
    #ask;
    #start;
    #first;
    constructor(ask, start = {}) {
        this.#ask = ask;
        this.#start = start;
    }
    then(done, failed) {
        this.#first ??= this.#ask(this.#start, undefined);
        return this.#first.then(done, failed);
    }
    /** Each page in turn. */
    pages() {
        return this.#walk(PAGE_ITEMS);
    }
    async *[Symbol.asyncIterator]() {
        for await (const page of this.pages())
            yield* page.data;
    }
    /** Every item, or the first `limit`. */
    async all(limit = Infinity) {
        const found = [];
        if (limit < 1)
            return found;
        for await (const page of this.#walk(Math.min(PAGE_ITEMS, Math.ceil(limit)))) {
            found.push(...page.data);
            if (found.length >= limit)
                break;
        }
        return found.slice(0, limit);
    }
    async *#walk(items) {
        const back = this.#start.before !== undefined;
        let page = await (this.#first ?? this.#ask(this.#start, items));
        const seen = new Set();
        for (;;) {
            yield page;
            const { startCursor, endCursor } = page.pageInfo ?? {};
            const cursor = back ? startCursor : endCursor;
            // Before the first page there is an empty one.
            if (!cursor || (back && page.data.length === 0))
                return;
            if (seen.has(cursor)) {
                throw new GrantkeepError('The server gave the same page twice', {
                    code: 'unexpected_answer',
                });
            }
            seen.add(cursor);
            page = await this.#ask(back ? { before: cursor } : { after: cursor }, items);
        }
    }
}

/**
 * The user that a call is held to. One that is named and then empty, or `undefined`, is refused: it
 * would let the call reach everybody's.
 */
function heldTo(given) {
    return 'externalUserId' in given ? { externalUserId: given.externalUserId ?? '' } : {};
}
/** A project's part of the path. */
class Scope {
    transport;
    projectId;
    implied;
    constructor(transport, projectId, implied) {
        this.transport = transport;
        this.projectId = projectId;
        this.implied = implied;
    }
    /** Of a call that is there without a project too, where the credential says which is meant. */
    path(rest) {
        return this.implied && !this.projectId ? `/v1/connect/${rest}` : this.named(rest);
    }
    /** Of a call that is not there without a project. */
    named(rest) {
        if (this.projectId)
            return `/v1/connect/${segment(this.projectId, 'projectId')}/${rest}`;
        throw new GrantkeepError('This call needs a projectId: give it to the client', {
            code: 'invalid_option',
        });
    }
    list(path, query, options) {
        const { after, before, ...rest } = query;
        const ask = (at, items) => {
            const asked = { ...rest, limit: rest.limit ?? items, ...at };
            return this.transport.send({ method: 'GET', path, query: asked }, options);
        };
        return new Listing(ask, { after, before });
    }
}
class Accounts {
    #scope;
    constructor(scope) {
        this.#scope = scope;
    }
    list(query = {}, options) {
        return this.#scope.list(this.#scope.path('accounts'), query, options);
    }
    retrieve(id, query = {}, options) {
        const call = { method: 'GET', path: this.#at(id), query: { ...query, ...heldTo(query) } };
        return this.#scope.transport.send(call, options);
    }
    /** How the account is: what is wrong, what was tried, what comes next, when it will end. */
    health(id, options = {}) {
        const call = { method: 'GET', path: `${this.#at(id)}/health`, query: heldTo(options) };
        return this.#scope.transport.send(call, options);
    }
    /** Refreshes the access token now, however long it would last. */
    refresh(id, options = {}) {
        const call = { method: 'POST', path: `${this.#at(id)}/refresh`, query: heldTo(options) };
        return this.#scope.transport.send(call, options);
    }
    /** Switches on or off that it is refreshed before the app ends it for being idle. */
    update(id, given, options = {}) {
        const query = heldTo(options);
        const call = { method: 'PATCH', path: this.#at(id), query, body: toWire(given) };
        return this.#scope.transport.send(call, options);
    }
    /** Every account of one user, in one answer. */
    listByExternalUser(externalUserId, query = {}, options) {
        const path = this.#scope.path(`users/${segment(externalUserId, 'externalUserId')}/accounts`);
        return this.#scope.transport.send({ method: 'GET', path, query }, options);
    }
    /** Connects an account of an app that uses keys. Takes, and uses up, a connect token. */
    create(given, options) {
        const { externalUserId, fields, ...rest } = given;
        const body = toWire({ ...rest, cfmapJson: JSON.stringify(fields) });
        const call = {
            method: 'POST',
            path: this.#scope.path('accounts'),
            query: { externalUserId },
            body,
        };
        return this.#scope.transport.send({ ...call, bearer: given.connectToken }, options);
    }
    /** Forgets the account and revokes it at the app, where the app can do so. */
    delete(id, options = {}) {
        const query = { ...heldTo(options), revoke: options.revoke };
        const call = { method: 'DELETE', path: this.#at(id), query };
        return this.#scope.transport.send(call, options);
    }
    /** What became of a deleted account's grant at the app. */
    revocation(id, options) {
        const path = `${this.#at(id)}/revocation`;
        return this.#scope.transport.send({ method: 'GET', path }, options);
    }
    #at(id) {
        return this.#scope.path(`accounts/${segment(id, 'account id')}`);
    }
    /** Deletes every account of an app: of all users, or with a connect token of that user. */
    deleteByApp(app, options = {}) {
        const path = this.#scope.path(`apps/${segment(app, 'app')}/accounts`);
        const query = { ...heldTo(options), revoke: options.revoke };
        return this.#scope.transport.send({ method: 'DELETE', path, query }, options);
    }
}
class Apps {
    #scope;
    constructor(scope) {
        this.#scope = scope;
    }
    list(query = {}, options) {
        return this.#scope.list('/v1/connect/apps', query, options);
    }
    async retrieve(app, options) {
        const path = `/v1/connect/apps/${segment(app, 'app')}`;
        return (await this.#scope.transport.send({ method: 'GET', path }, options)).data;
    }
}
class AppCategories {
    #scope;
    constructor(scope) {
        this.#scope = scope;
    }
    list(options) {
        return this.#scope.transport.send({ method: 'GET', path: '/v1/connect/app_categories' }, options);
    }
    retrieve(id, options) {
        return this.#scope.transport.send({ method: 'GET', path: `/v1/connect/app_categories/${segment(id, 'category id')}` }, options);
    }
}

/**
 * Calls to apps with an account's credential. The target is a path of the app (`/user`) or a URL of
 * it. What comes back is the app's answer, whatever its status, its body still coming; only failures
 * of the server itself are thrown.
 *
 * Nothing is sent twice from here: `upstreamRetries` lets the server do so where it does no harm.
 */
class AppProxy {
    #scope;
    constructor(scope) {
        this.#scope = scope;
    }
    get(target, call) {
        return this.#send('GET', target, call);
    }
    post(target, call) {
        return this.#send('POST', target, call);
    }
    put(target, call) {
        return this.#send('PUT', target, call);
    }
    patch(target, call) {
        return this.#send('PATCH', target, call);
    }
    delete(target, call) {
        return this.#send('DELETE', target, call);
    }
    #send(method, target, call) {
        const { accountId, params, headers = {}, upstreamRetries, body } = call;
        if (!accountId) {
            throw new GrantkeepError('accountId is missing', { code: 'invalid_option' });
        }
        const sent = { 'x-grantkeep-target': withParams(target, params) };
        for (const [name, value] of Object.entries(headers)) {
            sent[`x-pd-proxy-${name.toLowerCase()}`] = value;
        }
        if (upstreamRetries !== undefined)
            sent['x-grantkeep-retry'] = String(upstreamRetries);
        const raw = body === undefined || body === null ? undefined : encoded(body, sent);
        const path = this.#scope.path('proxy');
        const query = { accountId, ...heldTo(call) };
        const made = { method, path, query, headers: sent, raw };
        return this.#scope.transport.open(made, call);
    }
}
function encoded(body, headers) {
    if (isRaw(body))
        return body;
    headers['content-type'] ??= 'application/json';
    return asJson(body);
}
function withParams(target, params) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params ?? {})) {
        if (value === undefined)
            continue;
        for (const it of Array.isArray(value) ? value : [value])
            query.append(name, String(it));
    }
    const text = query.toString();
    if (text === '')
        return visible(target);
    return visible(`${target}${target.includes('?') ? '&' : '?'}${text}`);
}
/** A header holds visible ASCII alone. */
function visible(target) {
    try {
        return target.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
    }
    catch {
        throw new GrantkeepError('The target is not text of Unicode', { code: 'invalid_option' });
    }
}

/** A page that says nothing for this long after its frame has loaded was kept from being shown. */
const SILENCE_MS = 8_000;
/** A frame that has not even loaded by then is given up. */
const LOAD_MS = 30_000;
/** After a success the page closes itself; if it does not, it is closed. */
const LINGER_MS = 10_000;
/** Your backend gives a token within this, or there is none. */
const TOKEN_MS_MAX = 30_000;
/** A held token that ends this soon is not used again. */
const TOKEN_MARGIN_MS = 30_000;
const TEXT_MAX = 2_000;
/**
 * The client for web pages. It holds no secret but a connect token of one user, for one
 * connection.
 */
class FrontendClient {
    accounts;
    apps;
    /** For tokens that were made with the scope `connect:proxy`. */
    proxy;
    #options;
    #base;
    #held;
    #asking;
    constructor(options) {
        this.#options = options;
        this.#base = cleanBase(addressOf(options));
        const bearer = (fresh) => this.#token(fresh);
        const scope = new Scope(new Transport({ baseUrl: this.#base, renewable: Boolean(options.tokenCallback), bearer }), undefined, true);
        this.accounts = new Accounts(scope);
        this.apps = new Apps(scope);
        this.proxy = new AppProxy(scope);
    }
    /**
     * Opens the connect page over yours. Call it when the user asks to connect an app.
     *
     * Check the account by a call of your backend before you rely on it: what a browser says can be
     * made up.
     */
    connectAccount(options) {
        const visit = new Visit(this.#base, options);
        this.#own(options.token).then((it) => visit.open(it), (why) => visit.fail(...wordsOf(why)));
        return visit;
    }
    /** One token makes one connection, and a page may stay open for long: it gets one of its own. */
    async #own(given) {
        return given || this.#options.token || (await this.#ask()).token;
    }
    /** The token for calls, which share it. */
    #token(fresh) {
        if (this.#options.token)
            return Promise.resolve(this.#options.token);
        if (!fresh && this.#held && this.#held.untilMs > Date.now())
            return Promise.resolve(this.#held.token);
        this.#asking ??= this.#shared().finally(() => {
            this.#asking = undefined;
        });
        return this.#asking;
    }
    async #shared() {
        const { token, expiresAt } = await this.#ask();
        const until = expiresAt === undefined ? NaN : new Date(expiresAt).getTime();
        this.#held = { token, untilMs: Number.isNaN(until) ? 0 : until - TOKEN_MARGIN_MS };
        return token;
    }
    async #ask() {
        const { tokenCallback, externalUserId = '' } = this.#options;
        if (!tokenCallback) {
            throw new GrantkeepError('Give a token, or a tokenCallback to the client', {
                code: 'invalid_option',
            });
        }
        const limit = new Limit('tokenCallback', TOKEN_MS_MAX, undefined);
        const made = await limit
            .race(async () => tokenCallback({ externalUserId }))
            .finally(() => limit.met());
        if (!made || typeof made.token !== 'string') {
            throw new GrantkeepError('tokenCallback gave no token', { code: 'invalid_option' });
        }
        return made;
    }
}
function createClient(options = {}) {
    return new FrontendClient(options);
}
/** {@link createClient} under the name that other clients give it. */
const createFrontendClient = createClient;
/** Where a script of this server was loaded from; set by the script itself. */
let home;
function setHome(address) {
    home = address;
}
function addressOf(options) {
    const given = options.baseUrl ?? options.frontendHost ?? options.apiHost ?? home;
    if (!given)
        throw new GrantkeepError('Give the address of the server as baseUrl', {
            code: 'invalid_option',
        });
    return /^https?:\/\//i.test(given) ? given : `https://${given}`;
}
function wordsOf(why) {
    if (why instanceof GrantkeepError)
        return [why.message, why.code];
    return [why instanceof Error ? why.message : 'No connect token could be had'];
}
let visits = 0;
/** One connect page, from its frame being made to its being taken away. */
class Visit {
    #origin;
    #base;
    #options;
    #result;
    #focused;
    #settle;
    #frame;
    #timer;
    #id;
    #error;
    #closed = false;
    /** Whether the page has said anything: it may do so before its frame has loaded. */
    #heard = false;
    constructor(base, options) {
        this.#base = base;
        this.#origin = new URL(base).origin;
        this.#options = options;
        this.#focused = document.activeElement;
        this.#result = new Promise((settle) => {
            this.#settle = settle;
        });
    }
    then(done, failed) {
        return this.#result.then(done, failed);
    }
    open(token) {
        if (this.#closed)
            return;
        const { app } = this.#options;
        if (app !== undefined && (typeof app !== 'string' || app === ''))
            return this.fail('app must be the slug of an app; leave it out to let the user choose');
        const frame = document.createElement('iframe');
        frame.id = `grantkeep-connect-${visits++}`;
        frame.title = 'Connect an account';
        frame.referrerPolicy = 'origin';
        dress(frame);
        frame.src = this.#address(token);
        frame.addEventListener('load', this.#onLoad, { once: true });
        window.addEventListener('message', this.#onMessage);
        document.addEventListener('keydown', this.#onKey);
        this.#frame = frame;
        this.#wait(LOAD_MS, () => this.fail('The connect page could not be loaded', 'page_unreachable'));
        document.body.append(frame);
    }
    /** Ends with an error that the page did not show. */
    fail(text, code) {
        this.#fail(new ConnectError(text, code));
        this.close();
    }
    close() {
        if (this.#closed)
            return;
        this.#closed = true;
        clearTimeout(this.#timer);
        window.removeEventListener('message', this.#onMessage);
        document.removeEventListener('keydown', this.#onKey);
        this.#frame?.remove();
        if (this.#focused instanceof HTMLElement && this.#focused.isConnected)
            this.#focused.focus({ preventScroll: true });
        const status = {
            successful: this.#id !== undefined,
            completed: this.#id !== undefined || this.#error !== undefined,
        };
        const result = { ...status };
        if (this.#id !== undefined)
            result.id = this.#id;
        else if (this.#error)
            result.error = this.#error;
        this.#settle(result);
        tell(this.#options.onClose, status);
    }
    #address(token) {
        const { app, oauthAppId, appOverrideId, accountId, oauthScopeProfile } = this.#options;
        const { hideClose, customOauthClient } = this.#options;
        const query = new URLSearchParams({ token });
        const rest = {
            app,
            oauthAppId,
            appOverrideId,
            accountId,
            oauthScopeProfile,
            hideClose: hideClose ? 'true' : undefined,
            customOauthClient: customOauthClient ? 'true' : undefined,
        };
        for (const [key, value] of Object.entries(rest))
            if (value)
                query.set(key, value);
        return `${this.#base}/_static/connect.html?${query}`;
    }
    #onLoad = () => {
        this.#frame?.focus();
        if (this.#heard)
            return;
        this.#wait(SILENCE_MS, () => this.fail('The connect page could not be shown here', 'page_unreachable'));
    };
    /** Esc belongs to the page; until it can hear it, it is heard here. */
    #onKey = (event) => {
        if (event.key === 'Escape' && this.#timer !== undefined && !this.#options.hideClose)
            this.close();
    };
    /** Only the page in our own frame is listened to, and only for what it may say. */
    #onMessage = (event) => {
        if (!this.#frame || event.source !== this.#frame.contentWindow || event.origin !== this.#origin)
            return;
        if (!isRecord(event.data))
            return;
        this.#heard = true;
        const { type, authProvisionId, error } = event.data;
        if (type === 'ready')
            this.#wait();
        else if (type === 'success' && isAccountId(authProvisionId))
            this.#succeed(authProvisionId);
        else if (type === 'error' && typeof error === 'string')
            this.#fail(new ConnectError(error.slice(0, TEXT_MAX)));
        else if (type === 'close')
            this.close();
    };
    #succeed(id) {
        if (this.#id !== undefined)
            return;
        this.#id = id;
        this.#wait(LINGER_MS, () => this.close());
        tell(this.#options.onSuccess, { id });
    }
    #fail(error) {
        if (this.#id !== undefined || this.#closed)
            return;
        this.#wait();
        this.#error = error;
        tell(this.#options.onError, error);
    }
    /** Sets the one timer anew, or only stops it. */
    #wait(ms, then) {
        clearTimeout(this.#timer);
        this.#timer = ms !== undefined && then ? setTimeout(then, ms) : undefined;
    }
}
function isAccountId(value) {
    return typeof value === 'string' && /^apn_[A-Za-z0-9]{1,64}$/.test(value);
}
/** An error in a customer's callback must not keep the frame on the screen. */
function tell(callback, value) {
    try {
        callback?.(value);
    }
    catch (why) {
        setTimeout(() => {
            throw why;
        });
    }
}
function dress(frame) {
    const style = {
        position: 'fixed',
        inset: '0',
        width: '100%',
        height: '100%',
        border: '0',
        margin: '0',
        'z-index': '2147483647',
        background: 'transparent',
        'color-scheme': 'light',
    };
    for (const [name, value] of Object.entries(style))
        frame.style.setProperty(name, value);
}
const address = import.meta.url;
setHome(/^https?:/.test(address) ? new URL(address).origin : undefined);
export { createClient, createFrontendClient, FrontendClient, GrantkeepError, ConnectError };
