import { Actions, Components, Runs, Triggers } from './components.js';
import { ConfirmError } from './confirming.js';
import { ClientCredentials, type KeyPair } from './credentials.js';
import { DeployedTriggers } from './deployed.js';
import { GrantkeepError } from './errors.js';
import {
  type CallOptions,
  cleanEnvironment,
  type Environment,
  segment,
  Transport,
} from './http.js';
import { AppOverrides, CustomApps } from './own.js';
import type { Listing } from './pages.js';
import { AppProxy } from './proxy.js';
import { Accounts, AppCategories, Apps, type EndOptions, Scope } from './resources.js';
import { FileStash } from './stash.js';
import { toWire } from './names.js';
import { Freeze, RateLimits, Usage } from './watch.js';
import type {
  Account,
  ConfirmedAccount,
  ConnectToken,
  Erasure,
  ListOptions,
  OAuthApp,
  OAuthAppCreation,
  Project,
  ProjectCreation,
  ProjectInfo,
  TokenOptions,
  TokenValidation,
  User,
  Webhook,
  WebhookDelivery,
  WebhookEndpoint,
  WebhookEndpointOptions,
  WebhookTest,
} from './types.js';
import { WorkflowRuns, Workflows } from './workflows.js';

const VERSION = '0.1.0';
/** Accounts that are deleted at once by `userAccounts.deleteAll`. */
const AT_ONCE = 4;

export interface BackendOptions {
  /** The address of the server: `https://connect.example.com`. */
  baseUrl: string;
  /** `production` unless given. */
  environment?: Environment;
  /**
   * Needed for most calls. An API key belongs to one project, so that some go without: tokens,
   * accounts, users, components, deployed triggers, the proxy, the file stash. The others say that
   * they need it.
   */
  projectId?: string;
  clientId?: string;
  clientSecret?: string;
  /** Instead of the secret, for clients that are known by a public key. */
  keyPair?: KeyPair;
  /** Scopes for the access token, separated by spaces. */
  scope?: string;
  /** Instead of client credentials. */
  apiKey?: string;
  /** The token of a limit of your own that all calls count to. */
  rateLimit?: string;
  timeoutMs?: number;
  retries?: number;
  /** Used in the place of the global `fetch`. */
  fetch?: typeof fetch;
}

/** The client for your own server. It holds a secret: it refuses to be made in a browser. */
export class BackendClient {
  readonly tokens: Tokens;
  readonly accounts: Accounts;
  readonly users: Users;
  readonly apps: Apps;
  readonly appCategories: AppCategories;
  readonly oauthApps: OAuthApps;
  readonly appOverrides: AppOverrides;
  readonly customApps: CustomApps;
  readonly projects: Projects;
  readonly userAccounts: UserAccounts;
  readonly webhooks: Webhooks;
  readonly proxy: AppProxy;
  readonly projectEnvironment: ProjectEnvironment;
  readonly components: Components;
  readonly runs: Runs;
  readonly actions: Actions;
  readonly triggers: Triggers;
  readonly deployedTriggers: DeployedTriggers;
  readonly workflows: Workflows;
  readonly workflowRuns: WorkflowRuns;
  readonly fileStash: FileStash;
  readonly usage: Usage;
  readonly rateLimits: RateLimits;
  readonly freeze: Freeze;
  readonly #scope: Scope;

  constructor(options: BackendOptions) {
    if (typeof window !== 'undefined' && typeof document !== 'undefined') {
      throw new GrantkeepError('Secrets do not belong in a browser: use createClient there', {
        code: 'invalid_option',
      });
    }
    const transport = transportOf(options);
    const scope = new Scope(transport, options.projectId, Boolean(options.apiKey));
    this.#scope = scope;
    this.tokens = new Tokens(scope);
    this.accounts = new Accounts(scope);
    this.users = new Users(scope);
    this.apps = new Apps(scope);
    this.appCategories = new AppCategories(scope);
    this.oauthApps = new OAuthApps(scope);
    this.appOverrides = new AppOverrides(scope);
    this.customApps = new CustomApps(scope);
    this.webhooks = new Webhooks(scope);
    this.projectEnvironment = new ProjectEnvironment(scope);
    this.projects = new Projects(scope);
    this.proxy = new AppProxy(scope);
    this.userAccounts = new UserAccounts(scope);
    this.components = new Components(scope);
    this.runs = new Runs(scope);
    this.actions = new Actions(scope);
    this.triggers = new Triggers(scope);
    this.deployedTriggers = new DeployedTriggers(scope);
    this.workflows = new Workflows(scope);
    this.workflowRuns = new WorkflowRuns(scope);
    this.fileStash = new FileStash(scope);
    this.usage = new Usage(scope);
    this.rateLimits = new RateLimits(scope);
    this.freeze = new Freeze(scope);
  }

  /**
   * Says who came back from the app to your verify URL. `externalUserId` comes from your own
   * session, never from the address. Call it once, as soon as the browser arrives.
   *
   * @throws ConfirmError when the account is not connected.
   */
  async confirmFlow(
    flowId: string,
    externalUserId: string,
    options?: CallOptions,
  ): Promise<ConfirmedAccount> {
    const path = this.#scope.path(`flows/${segment(flowId, 'flowId')}/confirm`);
    const call = { method: 'POST', path, body: toWire({ externalUserId }) };
    try {
      return await this.#scope.transport.send(call, options);
    } catch (error) {
      const judged = error instanceof GrantkeepError && [404, 409, 410].includes(error.status);
      throw judged || isOfTheApp(error) ? new ConfirmError(error as GrantkeepError) : error;
    }
  }
}

/** The app failed, and the flow is over with it. */
function isOfTheApp(error: unknown): boolean {
  return error instanceof GrantkeepError && typeof error.details?.['reason'] === 'string';
}

export function createBackendClient(options: BackendOptions): BackendClient {
  return new BackendClient(options);
}

function transportOf(options: BackendOptions): Transport {
  const { apiKey, clientId, clientSecret, keyPair, scope } = options;
  const common = {
    baseUrl: options.baseUrl,
    environment: cleanEnvironment(options.environment),
    timeoutMs: options.timeoutMs,
    retries: options.retries,
    fetch: options.fetch,
    userAgent: `grantkeep-sdk-js/${VERSION}`,
  };
  if (apiKey)
    return new Transport({
      ...common,
      rateLimit: options.rateLimit,
      renewable: false,
      bearer: () => Promise.resolve(apiKey),
    });
  if (!clientId || Boolean(clientSecret) === Boolean(keyPair)) {
    throw new GrantkeepError('Give clientId with clientSecret or keyPair, or apiKey', {
      code: 'invalid_option',
    });
  }
  const grant = new ClientCredentials(common, { clientId, clientSecret, keyPair, scope });
  return new Transport({
    ...common,
    rateLimit: options.rateLimit,
    renewable: true,
    bearer: (fresh) => grant.bearer(fresh),
  });
}

export class Tokens {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /**
   * Makes the token with which one user connects one account. Call it for your signed-in user,
   * never for a name from outside.
   */
  create(given: TokenOptions, options?: CallOptions): Promise<ConnectToken> {
    const path = this.#scope.projectId ? this.#scope.path('tokens') : '/v1/connect/tokens';
    return this.#scope.transport.send({ method: 'POST', path, body: toWire(given) }, options);
  }

  validate(
    token: string,
    query: {
      appId?: string;
      accountId?: string;
      oauthAppId?: string;
      appOverrideId?: string;
    } = {},
    options?: CallOptions,
  ): Promise<TokenValidation> {
    const path = `/v1/connect/tokens/${segment(token, 'token')}/validate`;
    return this.#scope.transport.send({ method: 'GET', path, query, anonymous: true }, options);
  }
}

export class Users {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(query: ListOptions & { q?: string } = {}, options?: CallOptions): Listing<User> {
    return this.#scope.list<User>(this.#scope.path('users'), query, options);
  }

  /**
   * Deletes the user with every account. There is no way back. A user with very many accounts is gone
   * at once for every caller, and erased in steps: then the answer tells how far that is.
   */
  delete(externalUserId: string, options: EndOptions = {}): Promise<Erasure | undefined> {
    const path = this.#scope.path(`users/${segment(externalUserId, 'externalUserId')}`);
    const query = { revoke: options.revoke };
    return this.#scope.transport.send({ method: 'DELETE', path, query }, options);
  }

  /** How far an erasure is. Needs a `projectId`. */
  erasure(id: string, options?: CallOptions): Promise<Erasure> {
    const path = this.#scope.named(`erasures/${segment(id, 'erasure id')}`);
    return this.#scope.transport.send({ method: 'GET', path }, options);
  }
}

export class OAuthApps {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(
    query: ListOptions & { app?: string; q?: string } = {},
    options?: CallOptions,
  ): Listing<OAuthApp> {
    return this.#scope.list<OAuthApp>(this.#scope.named('oauth_apps'), query, options);
  }

  create(given: OAuthAppCreation, options?: CallOptions): Promise<OAuthApp> {
    return this.#scope.transport.send(
      { method: 'POST', path: this.#scope.named('oauth_apps'), body: toWire(given) },
      options,
    );
  }

  retrieve(id: string, options?: CallOptions): Promise<OAuthApp> {
    return this.#scope.transport.send({ method: 'GET', path: this.#at(id) }, options);
  }

  /** What is left out stays; so does the secret when it is blank. */
  update(
    id: string,
    given: Partial<Omit<OAuthAppCreation, 'app'>>,
    options?: CallOptions,
  ): Promise<OAuthApp> {
    return this.#scope.transport.send(
      { method: 'PUT', path: this.#at(id), body: toWire(given) },
      options,
    );
  }

  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#scope.transport.send({ method: 'DELETE', path: this.#at(id) }, options);
  }

  #at(id: string): string {
    return this.#scope.named(`oauth_apps/${segment(id, 'OAuth client id')}`);
  }
}

export class Projects {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(query: ListOptions & { q?: string } = {}, options?: CallOptions): Listing<Project> {
    return this.#scope.list<Project>('/v1/connect/projects', query, options);
  }

  create(given: ProjectCreation, options?: CallOptions): Promise<Project> {
    return this.#scope.transport.send(
      { method: 'POST', path: '/v1/connect/projects', body: toWire(given) },
      options,
    );
  }

  retrieve(id: string, options?: CallOptions): Promise<Project> {
    return this.#scope.transport.send({ method: 'GET', path: this.#at(id) }, options);
  }

  update(id: string, given: Partial<ProjectCreation>, options?: CallOptions): Promise<Project> {
    return this.#scope.transport.send(
      { method: 'PATCH', path: this.#at(id), body: toWire(given) },
      options,
    );
  }

  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#scope.transport.send({ method: 'DELETE', path: this.#at(id) }, options);
  }

  /** `logo` is an image as a `data:` address. */
  updateLogo(id: string, logo: string, options?: CallOptions): Promise<void> {
    return this.#scope.transport.send(
      { method: 'POST', path: `${this.#at(id)}/logo`, body: { logo } },
      options,
    );
  }

  /** The apps that this client's project is set up for. */
  retrieveInfo(options?: CallOptions): Promise<ProjectInfo> {
    return this.#scope.transport.send(
      { method: 'GET', path: this.#scope.path('projects/info') },
      options,
    );
  }

  #at(id: string): string {
    return `/v1/connect/projects/${segment(id, 'project id')}`;
  }
}

/** Endpoints for news, and what became of it. `verifyWebhook` checks what arrives there. */
export class Webhooks {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  async list(options?: CallOptions): Promise<WebhookEndpoint[]> {
    const call = { method: 'GET', path: this.#scope.named('webhooks') };
    return (await this.#scope.transport.send<{ data: WebhookEndpoint[] }>(call, options)).data;
  }

  /** The answer holds the signing secret, and no other will. */
  create(
    given: WebhookEndpointOptions & { url: string },
    options?: CallOptions,
  ): Promise<WebhookEndpoint & { secret: string }> {
    const call = { method: 'POST', path: this.#scope.named('webhooks'), body: toWire(given) };
    return this.#scope.transport.send(call, options);
  }

  retrieve(id: string, options?: CallOptions): Promise<WebhookEndpoint> {
    return this.#scope.transport.send({ method: 'GET', path: this.#at(id) }, options);
  }

  /** What is left out stays; `topics: null` stands for all. */
  update(
    id: string,
    given: WebhookEndpointOptions,
    options?: CallOptions,
  ): Promise<WebhookEndpoint> {
    const call = { method: 'PATCH', path: this.#at(id), body: toWire(given) };
    return this.#scope.transport.send(call, options);
  }

  /** Takes it away, with all that was still to be posted to it. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#scope.transport.send({ method: 'DELETE', path: this.#at(id) }, options);
  }

  /** Gives it another secret; the one before signs beside it for a day. */
  rotate(id: string, options?: CallOptions): Promise<WebhookEndpoint & { secret: string }> {
    return this.#post(`${this.#at(id)}/rotate`, {}, options);
  }

  /** Starts afresh with one that was switched off. */
  reset(id: string, options?: CallOptions): Promise<WebhookEndpoint> {
    return this.#post(`${this.#at(id)}/reset`, {}, options);
  }

  /** Has a signed event of type `webhook.test` posted now, and tells what came back. */
  test(id: string, options?: CallOptions): Promise<WebhookTest> {
    return this.#post(`${this.#at(id)}/test`, {}, options);
  }

  deliveries(
    query: ListOptions & {
      endpoint?: string;
      state?: WebhookDelivery['state'];
    } = {},
    options?: CallOptions,
  ): Listing<WebhookDelivery> {
    return this.#scope.list(this.#scope.named('webhooks/deliveries'), query, options);
  }

  /** Has posted anew what was given up: all of it, or what is named. */
  replay(
    given: { endpointId?: string; deliveryId?: string } = {},
    options?: CallOptions,
  ): Promise<{ replayed: number }> {
    return this.#post(this.#scope.named('webhooks/replay'), toWire(given), options);
  }

  #at(id: string): string {
    return this.#scope.named(`webhooks/${segment(id, 'endpoint id')}`);
  }

  #post<T>(path: string, body: object, options: CallOptions | undefined): Promise<T> {
    return this.#scope.transport.send({ method: 'POST', path, body }, options);
  }
}

/** The one webhook of project and environment, by the names that other clients give its calls. */
export class ProjectEnvironment {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** `null` when no address is set. */
  async retrieveWebhook(options?: CallOptions): Promise<Webhook | null> {
    return this.#send<Webhook | null>('GET', '', undefined, options);
  }

  /** With the first address comes the `signingKey`, once: so it is sent once. */
  async updateWebhook(given: { url: string }, options?: CallOptions): Promise<Webhook> {
    const path = this.#scope.named('webhook');
    const call = { method: 'PUT', path, body: given, repeatable: false };
    return (await this.#scope.transport.send<{ data: Webhook }>(call, options)).data;
  }

  deleteWebhook(options?: CallOptions): Promise<void> {
    const call = { method: 'DELETE', path: this.#scope.named('webhook') };
    return this.#scope.transport.send(call, options);
  }

  /** The key before signs beside it for a day. */
  regenerateWebhookSigningKey(options?: CallOptions): Promise<Webhook & { signingKey: string }> {
    return this.#send('POST', '/regenerate_signing_key', {}, options);
  }

  resetWebhookDeliveryState(options?: CallOptions): Promise<Webhook> {
    return this.#send('POST', '/reset_delivery_state', {}, options);
  }

  async #send<T>(
    method: string,
    rest: string,
    body: object | undefined,
    options: CallOptions | undefined,
  ): Promise<T> {
    const call = { method, path: this.#scope.named(`webhook${rest}`), body };
    return (await this.#scope.transport.send<{ data: T }>(call, options)).data;
  }
}

/** One user's accounts by the older addresses, which need no project id but an API key. */
export class UserAccounts {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  async list(externalUserId: string, options?: CallOptions): Promise<Account[]> {
    const call = { method: 'GET', path: this.#at(externalUserId) };
    const answer = await this.#scope.transport.send<Account[] | { accounts: Account[] }>(
      call,
      options,
    );
    return Array.isArray(answer) ? answer : answer.accounts;
  }

  /** Forgets the account and revokes it at the app, where the app can do so. */
  delete(externalUserId: string, accountId: string, options?: CallOptions): Promise<void> {
    const path = `${this.#at(externalUserId)}/${segment(accountId, 'account id')}`;
    return this.#scope.transport.send({ method: 'DELETE', path }, options);
  }

  /**
   * Deletes each account of the user and gives their ids. If one fails the others are still tried,
   * then it throws.
   */
  async deleteAll(externalUserId: string, options?: CallOptions): Promise<string[]> {
    const left = (await this.list(externalUserId, options)).map((it) => it.id);
    const gone: string[] = [];
    const failures: unknown[] = [];
    const work = async () => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) {
        await this.delete(externalUserId, id, options).then(
          () => gone.push(id as string),
          (why) => failures.push(why),
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (failures.length > 0) {
      const tried = failures.length + gone.length;
      const message = `${failures.length} of ${tried} accounts could not be deleted`;
      throw new GrantkeepError(message, {
        code: 'incomplete',
        cause: failures[0],
        details: { deleted: gone },
      });
    }
    return gone;
  }

  /** With an API key the project is known without being named. */
  #at(externalUserId: string): string {
    return `/v1/connect/${segment(externalUserId, 'externalUserId')}/accounts`;
  }
}
