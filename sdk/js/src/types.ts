/** What an app is, by itself and with the project's client at it. */
interface AppFacts {
  nameSlug: string;
  authType: 'keys' | 'oauth' | 'none';
  description: string;
  imgSrc: string;
  /** A JSON text: the fields that a person is asked for. */
  customFieldsJson: string;
  categories: string[];
  featuredWeight: number;
  scopeProfiles: { name: string; scopes: string[] }[];
}

/** An app that accounts can be connected to. */
export interface App extends AppFacts {
  id: string;
  name: string;
  /** Whether the proxy can call it, and where. */
  connect: {
    proxyEnabled: boolean;
    baseProxyTargetUrl: string;
    allowedDomains?: string[] | null;
  };
  /** How well its facts are known, and whether accounts can be connected. */
  evidence: { status: string; confirmed: number; connectable: boolean };
  oauthAppId?: string | null;
}

export interface AppCategory {
  id: string;
  name: string;
  description: string;
}

/** A user's connection to an app. */
export interface Account {
  id: string;
  name?: string | null;
  /** Your own id of the user. */
  externalId: string;
  /** How sure it is that the person who connected is this user. */
  binding: 'verified' | 'embedded' | 'none';
  /** `false` after a refresh or a test failed. */
  healthy: boolean;
  /** `true` once the grant is gone: the user has to connect again. */
  dead: boolean;
  status: 'healthy' | 'error' | 'dead';
  /** A stable word for what is wrong, such as `revoked_by_user`. */
  statusReason?: string | null;
  /** `null` once the server does not know the app any more. */
  app?: App | null;
  createdAt: Date;
  updatedAt: Date;
  authorizedScopes: string[];
  /** Scopes that were asked for and not granted. */
  missingScopes: string[];
  /** Only when asked for by `includeCredentials`. The keys are the app's own field names. */
  credentials?: Record<string, unknown> | null;
  expiresAt?: Date | null;
  error?: string | null;
  lastRefreshedAt?: Date | null;
  nextRefreshAt?: Date | null;
}

/** How an account is, and how it came to that. */
export interface AccountHealth {
  accountId: string;
  status: 'healthy' | 'error' | 'dead';
  /** A stable word for what is wrong, such as `revoked_by_user`. */
  reason: string | null;
  text: string | null;
  expiresAt: Date | null;
  lastRefreshedAt: Date | null;
  nextAttemptAt: Date | null;
  /** Failed refreshes in a row. */
  failures: number;
  /** An answer of the app was lost, and what became of the grant is not known yet. */
  inDoubt: boolean;
  keepAlive: boolean;
  forecast: { endsAt: Date; reason: string; text: string } | null;
  /** The newest first. */
  attempts: { triedAt: Date; outcome: string; why: string | null }[];
}

/** What became of a deleted account's grant at the app. */
export interface Revocation {
  accountId: string;
  externalId: string;
  app: string;
  revocation: 'revoked' | 'unsupported' | 'failed' | 'pending';
  /** Whether it is still tried. */
  retrying: boolean;
  /** Why it failed. */
  detail?: string | null;
}

/** How far the erasure of a user with very many accounts is. */
export interface Erasure {
  id: string;
  status: 'erasing' | 'done';
  /** How many accounts there were when it began. */
  accounts: number;
  erased: number;
  createdAt: Date;
  finishedAt?: Date | null;
}

/** One of your users, in one environment of a project. */
export interface User {
  id: string;
  externalId: string;
  createdAt: Date;
  updatedAt: Date;
}

export interface ConnectToken {
  token: string;
  expiresAt: Date;
  /**
   * Leads to the connect page as a page of its own; add `&app=` if the token was made without an
   * app.
   */
  connectLinkUrl: string;
}

/** An account whose person your backend has confirmed. */
export interface ConfirmedAccount extends Account {
  binding: 'verified';
  /** Where you may send the browser: the token's `successRedirectUri`, or a page of the server. */
  redirectUri: string;
}

export interface TokenValidation {
  success: boolean;
  error?: string | null;
  app?: App | null;
  appOverrideId?: string | null;
  /** Fields that the override fills. */
  appOverrideFieldNames?: string[] | null;
  oauthAppId?: string | null;
  oauthAppConnectBaseUrl?: string | null;
  oauthAppWorkdayOfficial: boolean;
  projectId?: string | null;
  projectAppName?: string | null;
  projectSupportEmail?: string | null;
  projectEnvironment?: 'development' | 'production' | null;
  successRedirectUri?: string | null;
  errorRedirectUri?: string | null;
}

/** Your own registration (OAuth client) at an app. The secret is never given back. */
export interface OAuthApp extends AppFacts {
  id: string;
  name: string;
  /** Empty until it is entered. */
  clientId: string;
  scopes: string[];
  additionalScopes: string[];
  /** To be registered with the app. */
  redirectUri: string;
  /** The public half of its key (a JWK), to be registered at the app. */
  publicJwk?: Record<string, unknown> | null;
  /** Where apps that fetch keys find it. */
  jwksUri?: string | null;
  keyId?: string | null;
  /** PEM. */
  clientCertificate?: string | null;
  ownerId: string;
  createdAt: Date;
  updatedAt: Date;
}

export interface Project {
  id: string;
  name: string;
  appName?: string | null;
  supportEmail?: string | null;
  connectRequireKeyAuthTest: boolean;
  /** Whether users choose on the connect page how much they allow. */
  scopeChoice: boolean;
  /** External users that the environment `development` takes; `null`: any number. */
  developmentUsersMax?: number | null;
  /** Where browsers are sent to be confirmed by your backend. */
  verifyUrl?: string | null;
  /** The origin of its clients' redirect URIs; `null`: the server's own. */
  callbackOrigin?: string | null;
  /** The only hosts that your code may call, beside those of the apps; `null`: all public ones. */
  codeHosts?: string[] | null;
  /** Whether components' code sees placeholders in the place of credentials. */
  blindTokens: boolean;
  /** Names of packages that mean `@grantkeep/runtime` in components' code. */
  componentPackages: string[];
}

export interface ProjectInfo {
  apps: { id?: string | null; nameSlug: string }[];
}

export interface ListOptions {
  /** Items on a page, at most 100. */
  limit?: number;
  after?: string;
  before?: string;
}

export interface AccountListOptions extends ListOptions {
  externalUserId?: string;
  /** A slug or an id. */
  app?: string;
  oauthAppId?: string;
  includeCredentials?: boolean;
}

export interface AppListOptions extends ListOptions {
  q?: string;
  sortKey?: 'name' | 'name_slug' | 'featured_weight';
  sortDirection?: 'asc' | 'desc';
  categoryIds?: string[];
  authType?: 'keys' | 'oauth' | 'none';
  /** How well their facts are known: the word of `evidence.status`. */
  evidence?: string;
  /** At least so well: the number of `evidence.confirmed`. */
  confirmedMin?: number;
  /** Also those that cannot be connected yet. */
  includeUnconnectable?: boolean;
  hasComponents?: boolean;
  hasActions?: boolean;
  hasTriggers?: boolean;
}

export interface TokenOptions {
  /** Your own id of the user, at most 250 characters. */
  externalUserId: string;
  /** The user's name: links that nothing proves show it to whoever opens them. */
  externalUserName?: string;
  /** The web origins whose pages may use the token. */
  allowedOrigins?: string[];
  successRedirectUri?: string;
  errorRedirectUri?: string;
  webhookUri?: string;
  /** Seconds, 1 to 14400. */
  expiresIn?: number;
  scope?: string;
  /** Whether the user chooses on the page how much of it he allows. */
  allowProgressiveScopes?: boolean;
  /** The app's slug or id, for a Connect Link to that app. */
  appId?: string;
  oauthAppId?: string;
  /** The only apps that the token connects, by slug or id. The page lists these alone. */
  allowedApps?: string[];
}

export interface AccountCreation {
  externalUserId: string;
  appSlug: string;
  /** The app's fields by their names. */
  fields: Record<string, unknown>;
  connectToken: string;
  name?: string;
  /** Reconnects this account. */
  accountId?: string;
  /** Its values stand in for `fields`. */
  appOverrideId?: string;
}

/** Values set for an app, so that users are not asked for them. */
export interface AppOverride {
  id: string;
  name: string;
  app: App;
  oauthAppId?: string | null;
  /** Field name to value. */
  cfmap: Record<string, string>;
  ownerId: string;
  createdAt: Date;
  updatedAt: Date;
}

export interface AppOverrideCreation {
  /** Slug or id. */
  app: string;
  name: string;
  oauthAppId?: string;
  /** Field name to value. Secret fields are refused. */
  cfmap?: Record<string, string>;
}

/** An app that the project described for itself. */
export interface CustomApp {
  slug: string;
  /** `null`: the server cannot read the definition any more; `problems` says why. */
  app?: App | null;
  /** The app file (TOML). Not in lists. */
  definition?: string | null;
  /** What `discover` found, as the servers said it. */
  discovered?: Record<string, unknown> | null;
  problems: CustomAppProblem[];
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

export interface CustomAppProblem {
  severity: 'error' | 'warning';
  place: string;
  wrong: string;
  fix: string;
}

export interface CustomAppReplacement {
  definition: string;
  /** The version that you read; when it is not the newest, nothing is written. */
  version?: number | null;
  /** Credentials that are there may go to the new addresses. */
  confirmEndpointChange?: boolean;
}

export interface DiscoveryOptions {
  /** An issuer of OpenID Connect or OAuth, a resource, or an MCP server. */
  url: string;
  name?: string;
  slug?: string;
  /** Which of the authorization servers that a resource names. */
  issuer?: string;
  resource?: string;
  /** For servers that register only who has one. Used once, and not kept. */
  registrationToken?: string;
  /** Credentials that are there may go to the addresses that the server names now. */
  confirmEndpointChange?: boolean;
}

export interface Discovery {
  customApp: CustomApp;
  /** Where it is `to_be_entered`, register its `redirectUri` at the app, and enter id and secret. */
  oauthApp: OAuthApp;
  client: 'registered' | 'document' | 'to_be_entered';
  clientSecretExpiresAt?: Date | null;
  remark?: string | null;
}

/** What is frozen of a project. */
export interface FreezeState {
  /** Whether no credentials of the project are handed out. */
  frozen: boolean;
  /** Slugs of the apps whose credentials are not handed out. */
  apps: string[];
}

export interface UsageSpan {
  creditsUsed: number;
  actionRunCreditsUsed: number;
  proxyCreditsUsed: number;
  sourceEmitCreditsUsed: number;
  /** Seconds since 1970. */
  usageStartTs: number;
  usageEndTs: number;
}

export interface ProjectUsage {
  /** The same as `startTs` and `endTs`, in ISO 8601. */
  start: string;
  end: string;
  /** Seconds since 1970. */
  startTs: number;
  endTs: number;
  /** Calls to apps through the proxy, whatever the app answered. */
  proxyCalls: number;
  /** Accounts whose credentials were handed out. */
  vends: number;
  connects: number;
  refreshes: number;
  actionRuns: number;
  sourceEmits: number;
}

/** A limit of your own. */
export interface RateLimit {
  /** For `rateLimit` of a client or a call. */
  token: string;
  windowSizeSeconds: number;
  requestsPerWindow: number;
  createdAt: Date;
}

/** A file that is kept for a day. */
export interface StashedFile {
  /** Its name, for `download`. */
  s3Key: string;
  /** Further files may join it. */
  stashId: string;
  /** Opens it without a bearer, for half an hour. */
  getUrl: string;
  bytes: number;
  expiresAt: Date;
}

export interface OAuthAppCreation {
  app: string;
  /** May follow by `update`: the redirect URI to register is known only when there is a client. */
  clientId?: string;
  clientSecret?: string;
  name?: string;
  description?: string;
  scopes?: string[];
  additionalScopes?: string[];
  /** PEM or JWK; never given back. */
  privateKey?: string;
  /** Has a key made; register `publicJwk` or `jwksUri` of the answer at the app. */
  generateKey?: boolean;
  keyId?: string;
  /** PEM with its chain, the client's own first. */
  clientCertificate?: string | null;
}

export interface ProjectCreation {
  name: string;
  /** The product's name as its users know it; `null` takes it away. */
  appName?: string | null;
  supportEmail?: string | null;
  connectRequireKeyAuthTest?: boolean;
  /** Whether users choose on the connect page how much they allow. */
  scopeChoice?: boolean;
  /** External users that the environment `development` takes; `null`: any number. */
  developmentUsersMax?: number | null;
  /** Where browsers are sent to be confirmed by your backend: https, exact. `null`: nowhere. */
  verifyUrl?: string | null;
  /** One of the origins that the operator permits; `null`: the server's own. */
  callbackOrigin?: string | null;
  /** `api.example.com`, or `*.example.com` for all below it. Empty: none; `null`: all. */
  codeHosts?: string[] | null;
  /** Whether components' code sees placeholders in the place of credentials. */
  blindTokens?: boolean;
  /** Names of packages that mean `@grantkeep/runtime` in components' code. */
  componentPackages?: string[];
}

export type WebhookTopic =
  | 'connection.success'
  | 'connection.error'
  | 'account.refresh_failed'
  | 'account.dead'
  | 'account.expiring'
  | 'account.recovered'
  | 'account.deleted'
  | 'account.needed'
  | 'trigger.paused'
  | 'workflow.failed'
  | 'workflow.emitted';

export interface WebhookDeliveryState {
  state: 'happy' | 'penalty' | 'life_support' | 'deactivated';
  /** Seconds since 1970. */
  since: number;
  lastError?: string | null;
  consecutiveFailures: number;
  /** News that came while nothing was posted any more; it waits for a replay. */
  sheds: number;
}

/** Where news is posted to. */
export interface WebhookEndpoint {
  id: string;
  url: string;
  /** `null`: all, those that are still to come too. */
  topics?: WebhookTopic[] | null;
  /** Whether it is the one of `projectEnvironment`. */
  default: boolean;
  deliveryState: WebhookDeliveryState;
  createdAt: Date;
  updatedAt: Date;
  /** Only in the answers that made it. */
  secret?: string | null;
}

export interface WebhookEndpointOptions {
  url?: string;
  topics?: WebhookTopic[] | null;
}

export interface WebhookTest {
  delivered: boolean;
  messageId: string;
  status: number | null;
  error: string | null;
  tookMs: number;
  answer: string | null;
}

export interface WebhookDelivery {
  id: string;
  /** What the receiver gets as `webhook-id`. */
  messageId: string;
  endpointId: string;
  topic: string;
  accountId: string | null;
  state: 'waiting' | 'delivered' | 'failed';
  attempts: number;
  nextAttemptAt: Date | null;
  lastStatus: number | null;
  lastError: string | null;
  createdAt: Date;
  updatedAt: Date;
}

/** The webhook of project and environment. */
export interface Webhook {
  id: string;
  url: string;
  /** Only in the answers that made it. */
  signingKey?: string | null;
  signingKeySet: boolean;
  active: boolean;
  deliveryState: WebhookDeliveryState;
  /** Seconds since 1970. */
  createdAt: number;
  updatedAt: number;
}

/** An action or a trigger that can be configured. */
export interface Component {
  key: string;
  name: string;
  version: string;
  configurableProps: Record<string, unknown>[];
  description?: string | null;
  componentType?: 'action' | 'trigger' | null;
  stash?: 'optional' | 'required' | null;
  annotations?: Record<string, unknown> | null;
}

export interface ComponentListOptions extends ListOptions {
  /** A slug or an id. */
  app?: string;
  q?: string;
  registry?: 'public' | 'private' | 'all';
}

/** What a user has chosen of a component's fields. */
export interface Chosen {
  /** The component's key. */
  id: string;
  externalUserId: string;
  version?: string;
  /** Field name to value; sent as it is. */
  configuredProps?: Record<string, unknown>;
  /** What `reloadProps` gave. */
  dynamicPropsId?: string;
}

export interface ConfigureOptions extends Chosen {
  /** The field whose values are wanted. */
  propName: string;
  /** From 0. */
  page?: number;
  /** The `context` of the page before. */
  prevContext?: Record<string, unknown>;
  /** What the user typed. */
  query?: string;
}

export interface ConfiguredField {
  options?: Record<string, unknown>[] | null;
  stringOptions?: string[] | null;
  context?: Record<string, unknown> | null;
  errors: string[];
  observations: Record<string, unknown>[];
}

export interface ReloadedFields {
  dynamicProps?: { id: string; configurableProps: Record<string, unknown>[] } | null;
  errors: string[];
  observations: Record<string, unknown>[];
}

export interface RunResult {
  /** By name; `$summary` is for people. */
  exports: Record<string, unknown>;
  /** What the action's code logged. */
  os: Record<string, unknown>[];
  ret: unknown;
  stashId?: string | null;
}

/** A component that is published: its code says key, version and fields. */
export interface Publication {
  /** Each with its content as text or in base64. */
  files: { path: string; text?: string; base64?: string }[];
  /** The file that is loaded first. Not needed where there is one only. */
  entry?: string;
  /** `raw-tokens` shows its code credentials as they are. */
  permissions?: string[];
  /** Names of packages that mean `@grantkeep/runtime` in this code. */
  packages?: string[];
}

/** A run that is over. Secrets of the run are blacked out in all of it. */
export interface ComponentRun {
  id: string;
  component: string;
  version: string;
  /** `action`, or what else it was run for. */
  about: string;
  userId: string;
  startedAt: Date;
  endedAt: Date;
  durationMs: number;
  /** `ok`, or what kind of failure it was. */
  outcome: string;
  os: Record<string, unknown>[];
  exports: Record<string, unknown>;
  ret: unknown;
  /** Calls to apps, each with method, host, path, status and more. */
  calls: Record<string, unknown>[];
  cut: boolean;
}

export interface DeployOptions extends Chosen {
  workflowId?: string;
  webhookUrl?: string;
  /** Also what happened before; `true` unless given. */
  emitOnDeploy?: boolean;
}

/** What runs for a user by itself. Which fields there are depends on `type`. */
export interface DeployedTrigger {
  id: string;
  type: 'DeployedComponent' | 'HttpInterface' | 'TimerInterface';
  name: string;
  nameSlug?: string;
  active: boolean;
  ownerId?: string;
  componentId?: string;
  componentKey?: string | null;
  configurableProps?: Record<string, unknown>[];
  configuredProps?: Record<string, unknown>;
  emitOnDeploy?: boolean;
  /** What failed lately. */
  callbackObservations?: Record<string, unknown>[] | null;
  webhookSigningKey?: string | null;
  /** Where requests become events. Whoever knows it can send some. */
  endpointUrl?: string;
  /** The part of the address that nobody can guess. */
  key?: string;
  customResponse?: boolean;
  intervalSeconds?: number | null;
  cron?: string | null;
  timezone?: string;
  /** Seconds since 1970. */
  scheduleChangedAt?: number;
  createdAt: number;
  updatedAt: number;
}

export interface DeployedTriggerListOptions extends ListOptions {
  externalUserId: string;
  emitterType?: 'email' | 'http' | 'source' | 'timer';
}

export interface TriggerEvent {
  id: string;
  /** The event, as the trigger gave it. */
  e: Record<string, unknown>;
  k: string;
  /** Milliseconds since 1970. */
  ts: number;
  sum?: string | null;
}

/** An address that a trigger posts to. */
export type TriggerWebhook = Webhook;

/** Steps that follow each other. */
export interface Workflow {
  id: string;
  name: string;
  /** New runs are of this version. */
  version: number;
  /** Where it is called; null where it has no address. */
  endpointUrl: string | null;
  /** How callers of its address prove who they are. */
  auth: 'none' | 'bearer' | 'oauth' | null;
  /** When its clock starts runs; null where it has none. */
  timer: Record<string, unknown> | null;
  dueAt: Date | null;
  steps: Record<string, unknown>[];
  createdAt: Date;
  updatedAt: Date;
}

export interface DeployedWorkflow {
  data: Workflow;
  /** Whether it was not there already, the same. */
  fresh: boolean;
  /** What callers of its address prove themselves with. Shown once, when it is made. */
  bearerToken: string | null;
}

export interface WorkflowRun {
  id: string;
  workflowId: string;
  version: number;
  externalUserId: string;
  /** What started it. */
  cause: string;
  ofRun: string | null;
  state: 'queued' | 'running' | 'waiting' | 'ended';
  /** Once it has ended: `ok`, `exit`, `failed`, `cancelled`, `expired` or `not_run`. */
  outcome: string | null;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  durationMs: number | null;
}

/** A run with its timeline. Secrets of the run are blacked out in all of it. */
export interface WholeWorkflowRun extends WorkflowRun {
  event: unknown;
  /** What it waits for, while it does; `suspend` is for somebody. */
  waits: 'suspend' | 'delay' | 'rerun' | 'retry' | null;
  reason: string | null;
  error: Record<string, unknown> | null;
  /** What it took so far; milliseconds are those of code. */
  cost: { codeMs: number; codeRuns: number; calls: number; sentBytes: number; receivedBytes: number };
  /** Tries so far of the step that is next. */
  tried: WorkflowTry[];
  steps: WorkflowStep[];
}

/** A try of a step that another one followed, or will. */
export interface WorkflowTry {
  startedAt: Date;
  endedAt: Date;
  durationMs: number;
  os: Record<string, unknown>[];
  /** Why it failed; null where it asked to be run again. */
  error: Record<string, unknown> | null;
  calls: Record<string, unknown>[];
}

export interface WorkflowStep {
  name: string;
  state: 'ok' | 'skipped' | 'failed';
  /** How often it was begun. A try that a crash interrupted counts, and has left nothing more. */
  tries: number;
  /** Its tries before the last one. */
  tried: WorkflowTry[];
  startedAt: Date;
  endedAt: Date;
  durationMs: number;
  props: Record<string, unknown>;
  /** Which accounts it got, and by which rule. */
  accounts: Record<string, unknown>[];
  exports: Record<string, unknown>;
  os: Record<string, unknown>[];
  error: Record<string, unknown> | null;
  /** Calls to apps, each with method, host, path, status and more. */
  calls: Record<string, unknown>[];
}
