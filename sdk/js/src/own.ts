import { type CallOptions, segment } from './http.js';
import type { Listing } from './pages.js';
import type { Scope } from './resources.js';
import { toWire } from './names.js';
import type {
  AppOverride,
  AppOverrideCreation,
  CustomApp,
  CustomAppReplacement,
  Discovery,
  DiscoveryOptions,
  ListOptions,
} from './types.js';

/** Values that users are not asked for. */
export class AppOverrides {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(query: ListOptions & { app?: string } = {}, options?: CallOptions): Listing<AppOverride> {
    return this.#scope.list<AppOverride>(this.#scope.named('app_overrides'), query, options);
  }

  create(given: AppOverrideCreation, options?: CallOptions): Promise<AppOverride> {
    const call = { method: 'POST', path: this.#scope.named('app_overrides'), body: toWire(given) };
    return this.#scope.transport.send(call, options);
  }

  retrieve(id: string, options?: CallOptions): Promise<AppOverride> {
    return this.#scope.transport.send({ method: 'GET', path: this.#at(id) }, options);
  }

  /** What is left out stays; `oauthAppId: null` detaches the client; `cfmap` replaces all values. */
  update(
    id: string,
    given: Partial<Omit<AppOverrideCreation, 'app' | 'oauthAppId'>> & {
      oauthAppId?: string | null;
    },
    options?: CallOptions,
  ): Promise<AppOverride> {
    const call = { method: 'PUT', path: this.#at(id), body: toWire(given) };
    return this.#scope.transport.send(call, options);
  }

  /** Accounts that were connected with it stay connected. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#scope.transport.send({ method: 'DELETE', path: this.#at(id) }, options);
  }

  #at(id: string): string {
    return this.#scope.named(`app_overrides/${segment(id, 'override id')}`);
  }
}

/** Apps that the project describes for itself. */
export class CustomApps {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(query: ListOptions = {}, options?: CallOptions): Listing<CustomApp> {
    return this.#scope.list<CustomApp>(this.#scope.named('custom_apps'), query, options);
  }

  /** Takes an app file in. One with errors is refused with all of them, in `details.problems`. */
  create(definition: string, options?: CallOptions): Promise<CustomApp> {
    const call = { method: 'POST', path: this.#scope.named('custom_apps'), body: { definition } };
    return this.#scope.transport.send(call, options);
  }

  /** Makes an app, and a client at it, of what a server says of itself. */
  discover(given: DiscoveryOptions, options?: CallOptions): Promise<Discovery> {
    const path = this.#scope.named('custom_apps/discover');
    return this.#scope.transport.send({ method: 'POST', path, body: toWire(given) }, options);
  }

  retrieve(slug: string, options?: CallOptions): Promise<CustomApp> {
    return this.#scope.transport.send({ method: 'GET', path: this.#at(slug) }, options);
  }

  /** With a `version` it is sent once: a second time it fails, though the first one did it. */
  replace(slug: string, given: CustomAppReplacement, options?: CallOptions): Promise<CustomApp> {
    const repeatable = given.version === undefined || given.version === null;
    const call = { method: 'PUT', path: this.#at(slug), body: toWire(given), repeatable };
    return this.#scope.transport.send(call, options);
  }

  /** Refused while accounts, clients or overrides need it. */
  delete(slug: string, options?: CallOptions): Promise<void> {
    return this.#scope.transport.send({ method: 'DELETE', path: this.#at(slug) }, options);
  }

  #at(slug: string): string {
    return this.#scope.named(`custom_apps/${segment(slug, 'slug')}`);
  }
}
