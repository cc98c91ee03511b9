import { asJson, isRaw, type RawBody } from './body.js';
import { GrantkeepError } from './errors.js';
import type { Call, CallOptions } from './http.js';
import { heldTo, type Scope } from './resources.js';

/** A body that is sent as it is, or anything else, which is sent as JSON. */
export type ProxyBody = RawBody | object;

export interface ProxyCall extends CallOptions {
  /** The account to call with. */
  accountId: string;
  /** The account's user: yours, not the app's. A connect token says it by itself. */
  externalUserId?: string;
  /** Added to the target's query. */
  params?: Record<string, string | number | boolean | readonly string[] | undefined>;
  /** For the app, such as its version header. Its credential is put in by the server. */
  headers?: Record<string, string>;
  /** How often the server tries again after a failure that passes; at most 3. */
  upstreamRetries?: number;
}

export interface ProxyCallWithBody extends ProxyCall {
  body?: ProxyBody;
}

/**
 * Calls to apps with an account's credential. The target is a path of the app (`/user`) or a URL of
 * it. What comes back is the app's answer, whatever its status, its body still coming; only failures
 * of the server itself are thrown.
 *
 * Nothing is sent twice from here: `upstreamRetries` lets the server do so where it does no harm.
 */
export class AppProxy {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  get(target: string, call: ProxyCall): Promise<Response> {
    return this.#send('GET', target, call);
  }

  post(target: string, call: ProxyCallWithBody): Promise<Response> {
    return this.#send('POST', target, call);
  }

  put(target: string, call: ProxyCallWithBody): Promise<Response> {
    return this.#send('PUT', target, call);
  }

  patch(target: string, call: ProxyCallWithBody): Promise<Response> {
    return this.#send('PATCH', target, call);
  }

  delete(target: string, call: ProxyCallWithBody): Promise<Response> {
    return this.#send('DELETE', target, call);
  }

  #send(method: string, target: string, call: ProxyCallWithBody): Promise<Response> {
    const { accountId, params, headers = {}, upstreamRetries, body } = call;
    if (!accountId) {
      throw new GrantkeepError('accountId is missing', { code: 'invalid_option' });
    }
    const sent: Record<string, string> = { 'x-grantkeep-target': withParams(target, params) };
    for (const [name, value] of Object.entries(headers)) {
      sent[`x-pd-proxy-${name.toLowerCase()}`] = value;
    }
    if (upstreamRetries !== undefined) sent['x-grantkeep-retry'] = String(upstreamRetries);
    const raw = body === undefined || body === null ? undefined : encoded(body, sent);
    const path = this.#scope.path('proxy');
    const query = { accountId, ...heldTo(call) };
    const made: Call = { method, path, query, headers: sent, raw };
    return this.#scope.transport.open(made, call);
  }
}

function encoded(body: ProxyBody, headers: Record<string, string>): RawBody {
  if (isRaw(body)) return body;
  headers['content-type'] ??= 'application/json';
  return asJson(body);
}

function withParams(target: string, params: ProxyCall['params']): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value === undefined) continue;
    for (const it of Array.isArray(value) ? value : [value]) query.append(name, String(it));
  }
  const text = query.toString();
  if (text === '') return visible(target);
  return visible(`${target}${target.includes('?') ? '&' : '?'}${text}`);
}

/** A header holds visible ASCII alone. */
function visible(target: string): string {
  try {
    return target.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  } catch {
    throw new GrantkeepError('The target is not text of Unicode', { code: 'invalid_option' });
  }
}
