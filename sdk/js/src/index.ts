export { ConfirmError } from './confirming.js';
export type { RawBody } from './body.js';
export type { KeyPair, SigningKey } from './credentials.js';
export { ConnectError, GrantkeepError } from './errors.js';
export type { CallOptions, Environment } from './http.js';
export { type Cursor, Listing, type Page, type PageInfo } from './pages.js';
export type { AppProxy, ProxyBody, ProxyCall, ProxyCallWithBody } from './proxy.js';
export type { AccountCallOptions, EndOptions } from './resources.js';
export { BackendClient, type BackendOptions, createBackendClient } from './server.js';
export {
  type BrowserOptions,
  type ConnectHandle,
  type ConnectOptions,
  type ConnectResult,
  createClient,
  createFrontendClient,
  FrontendClient,
  type TokenAnswer,
} from './browser.js';
export {
  type VerifyOptions,
  verifyWebhook,
  type WebhookHeaders,
  type WebhookNews,
} from './webhooks.js';
export type * from './types.js';
