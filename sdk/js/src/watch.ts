import { type CallOptions, segment } from './http.js';
import { toWire } from './names.js';
import type { Listing } from './pages.js';
import type { Scope } from './resources.js';
import type { FreezeState, ListOptions, ProjectUsage, RateLimit, UsageSpan } from './types.js';

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

  /** What the project used in its environment; `by` is `day` unless given. */
  async ofProject(
    query: { startTs: number; endTs: number; by?: 'day' | 'hour' },
    options?: CallOptions,
  ): Promise<ProjectUsage[]> {
    const call = { method: 'GET', path: this.#scope.named('usage'), query };
    return (await this.#scope.transport.send<{ data: ProjectUsage[] }>(call, options)).data;
  }
}

/** Limits of your own. */
export class RateLimits {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Calls whose `rateLimit` is the token count to the limit. */
  create(
    given: { windowSizeSeconds: number; requestsPerWindow: number },
    options?: CallOptions,
  ): Promise<RateLimit> {
    const call = { method: 'POST', path: '/v1/connect/rate_limits', body: toWire(given) };
    return this.#scope.transport.send(call, options);
  }

  list(query: ListOptions = {}, options?: CallOptions): Listing<RateLimit> {
    return this.#scope.list<RateLimit>('/v1/connect/rate_limits', query, options);
  }

  delete(token: string, options?: CallOptions): Promise<void> {
    const path = `/v1/connect/rate_limits/${segment(token, 'token')}`;
    return this.#scope.transport.send({ method: 'DELETE', path }, options);
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
    const call = { method, path: this.#scope.named('freeze'), query };
    return this.#scope.transport.send(call, options);
  }
}
