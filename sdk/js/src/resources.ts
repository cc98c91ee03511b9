import { type CallOptions, type Query, segment, type Transport } from './http.js';
import { GrantkeepError } from './errors.js';
import { type Ask, Listing, type Page } from './pages.js';
import { toWire } from './names.js';
import type {
  Account,
  AccountCreation,
  AccountHealth,
  AccountListOptions,
  App,
  AppCategory,
  AppListOptions,
  ListOptions,
  Revocation,
} from './types.js';

/** For calls on one account. */
export interface AccountCallOptions extends CallOptions {
  /** Holds the call to this user: an account of anybody else is not found. */
  externalUserId?: string;
}

/**
 * The user that a call is held to. One that is named and then empty, or `undefined`, is refused: it
 * would let the call reach everybody's.
 */
export function heldTo(given: { externalUserId?: string }): { externalUserId?: string } {
  return 'externalUserId' in given ? { externalUserId: given.externalUserId ?? '' } : {};
}

/** A project's part of the path. */
export class Scope {
  constructor(
    readonly transport: Transport,
    readonly projectId: string | undefined,
    readonly implied: boolean,
  ) {}

  /** Of a call that is there without a project too, where the credential says which is meant. */
  path(rest: string): string {
    return this.implied && !this.projectId ? `/v1/connect/${rest}` : this.named(rest);
  }

  /** Of a call that is not there without a project. */
  named(rest: string): string {
    if (this.projectId) return `/v1/connect/${segment(this.projectId, 'projectId')}/${rest}`;
    throw new GrantkeepError('This call needs a projectId: give it to the client', {
      code: 'invalid_option',
    });
  }

  list<T>(path: string, query: ListOptions, options: CallOptions | undefined): Listing<T> {
    const { after, before, ...rest } = query;
    const ask: Ask<T> = (at, items) => {
      const asked = { ...rest, limit: rest.limit ?? items, ...at } as Query;
      return this.transport.send<Page<T>>({ method: 'GET', path, query: asked }, options);
    };
    return new Listing<T>(ask, { after, before });
  }
}

/** For calls that end grants. */
export interface EndOptions extends CallOptions {
  /** `false` leaves the grants at the apps as they are. */
  revoke?: boolean;
}

export class Accounts {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(query: AccountListOptions = {}, options?: CallOptions): Listing<Account> {
    return this.#scope.list<Account>(this.#scope.path('accounts'), query, options);
  }

  retrieve(
    id: string,
    query: { externalUserId?: string; includeCredentials?: boolean; minTtl?: number } = {},
    options?: CallOptions,
  ): Promise<Account> {
    const call = { method: 'GET', path: this.#at(id), query: { ...query, ...heldTo(query) } };
    return this.#scope.transport.send(call, options);
  }

  /** How the account is: what is wrong, what was tried, what comes next, when it will end. */
  health(id: string, options: AccountCallOptions = {}): Promise<AccountHealth> {
    const call = { method: 'GET', path: `${this.#at(id)}/health`, query: heldTo(options) };
    return this.#scope.transport.send(call, options);
  }

  /** Refreshes the access token now, however long it would last. */
  refresh(id: string, options: AccountCallOptions = {}): Promise<Account> {
    const call = { method: 'POST', path: `${this.#at(id)}/refresh`, query: heldTo(options) };
    return this.#scope.transport.send(call, options);
  }

  /** Switches on or off that it is refreshed before the app ends it for being idle. */
  update(
    id: string,
    given: { keepAlive?: boolean | null },
    options: AccountCallOptions = {},
  ): Promise<AccountHealth> {
    const query = heldTo(options);
    const call = { method: 'PATCH', path: this.#at(id), query, body: toWire(given) };
    return this.#scope.transport.send(call, options);
  }

  /** Every account of one user, in one answer. */
  listByExternalUser(
    externalUserId: string,
    query: { app?: string; includeCredentials?: boolean } = {},
    options?: CallOptions,
  ): Promise<Account[]> {
    const path = this.#scope.path(`users/${segment(externalUserId, 'externalUserId')}/accounts`);
    return this.#scope.transport.send({ method: 'GET', path, query }, options);
  }

  /** Connects an account of an app that uses keys. Takes, and uses up, a connect token. */
  create(given: AccountCreation, options?: CallOptions): Promise<Account> {
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
  delete(id: string, options: EndOptions & AccountCallOptions = {}): Promise<void> {
    const query = { ...heldTo(options), revoke: options.revoke };
    const call = { method: 'DELETE', path: this.#at(id), query };
    return this.#scope.transport.send(call, options);
  }

  /** What became of a deleted account's grant at the app. */
  revocation(id: string, options?: CallOptions): Promise<Revocation> {
    const path = `${this.#at(id)}/revocation`;
    return this.#scope.transport.send({ method: 'GET', path }, options);
  }

  #at(id: string): string {
    return this.#scope.path(`accounts/${segment(id, 'account id')}`);
  }

  /** Deletes every account of an app: of all users, or with a connect token of that user. */
  deleteByApp(
    app: string,
    options: EndOptions & AccountCallOptions = {},
  ): Promise<void> {
    const path = this.#scope.path(`apps/${segment(app, 'app')}/accounts`);
    const query = { ...heldTo(options), revoke: options.revoke };
    return this.#scope.transport.send({ method: 'DELETE', path, query }, options);
  }
}

export class Apps {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(query: AppListOptions = {}, options?: CallOptions): Listing<App> {
    return this.#scope.list<App>('/v1/connect/apps', query, options);
  }

  async retrieve(app: string, options?: CallOptions): Promise<App> {
    const path = `/v1/connect/apps/${segment(app, 'app')}`;
    return (await this.#scope.transport.send<{ data: App }>({ method: 'GET', path }, options)).data;
  }
}

export class AppCategories {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(options?: CallOptions): Promise<AppCategory[]> {
    return this.#scope.transport.send(
      { method: 'GET', path: '/v1/connect/app_categories' },
      options,
    );
  }

  retrieve(id: string, options?: CallOptions): Promise<AppCategory> {
    return this.#scope.transport.send(
      { method: 'GET', path: `/v1/connect/app_categories/${segment(id, 'category id')}` },
      options,
    );
  }
}
