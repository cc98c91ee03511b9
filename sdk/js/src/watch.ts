import type { CallOptions } from './http.js';
import { toWire } from './names.js';
import type { Scope } from './resources.js';
import type { FreezeState, UsageSpan } from './types.js';

/** What was used. */
export class Usage {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** From `startTs` to `endTs`, both in seconds since 1970. */
  async list(
    query: { startTs: number; endTs: number },
    options?: CallOptions,
  ): Promise<UsageSpan[]> {
    const call = { method: 'GET', path: '/v1/connect/usage', query };
    return (await this.#scope.transport.send<{ data: UsageSpan[] }>(call, options)).data;
  }
}

/** Limits of your own. */
export class RateLimits {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Requests with the token in the header `x-pd-rate-limit` count to the limit. */
  create(
    given: { windowSizeSeconds: number; requestsPerWindow: number },
    options?: CallOptions,
  ): Promise<{ token: string }> {
    const call = { method: 'POST', path: '/v1/connect/rate_limits', body: toWire(given) };
    return this.#scope.transport.send(call, options);
  }
}

/** The switch for emergencies: of the project, or of one app in it, no credentials are handed out. */
export class Freeze {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  retrieve(options?: CallOptions): Promise<FreezeState> {
    return this.#send('GET', {}, options);
  }

  begin(of: { app?: string } = {}, options?: CallOptions): Promise<FreezeState> {
    return this.#send('PUT', of, options);
  }

  end(of: { app?: string } = {}, options?: CallOptions): Promise<FreezeState> {
    return this.#send('DELETE', of, options);
  }

  #send(
    method: string,
    query: { app?: string },
    options: CallOptions | undefined,
  ): Promise<FreezeState> {
    return this.#scope.transport.send({ method, path: this.#scope.path('freeze'), query }, options);
  }
}
