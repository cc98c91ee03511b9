import { type CallOptions, type Query, segment } from './http.js';
import { toWire } from './names.js';
import type { Listing } from './pages.js';
import type { Scope } from './resources.js';
import type {
  DeployedTrigger,
  DeployedTriggerListOptions,
  TriggerEvent,
  TriggerWebhook,
} from './types.js';

interface Sent {
  method: string;
  query?: Query;
  body?: object;
}

/** Triggers that run for a user, whom every call names. */
export class DeployedTriggers {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(query: DeployedTriggerListOptions, options?: CallOptions): Listing<DeployedTrigger> {
    return this.#scope.list(this.#scope.path('deployed-triggers'), query, options);
  }

  retrieve(id: string, externalUserId: string, options?: CallOptions): Promise<DeployedTrigger> {
    return this.#data(id, '', { method: 'GET', query: { externalUserId } }, options);
  }

  /** What is left out stays. */
  update(
    id: string,
    externalUserId: string,
    given: {
      active?: boolean;
      configuredProps?: Record<string, unknown>;
      name?: string;
      emitOnDeploy?: boolean;
    },
    options?: CallOptions,
  ): Promise<DeployedTrigger> {
    const sent = { method: 'PUT', query: { externalUserId }, body: toWire(given) };
    return this.#data(id, '', sent, options);
  }

  /** `ignoreHookErrors`: also when the trigger's code fails at it. */
  delete(
    id: string,
    externalUserId: string,
    options: CallOptions & { ignoreHookErrors?: boolean } = {},
  ): Promise<void> {
    const query = { externalUserId, ignoreHookErrors: options.ignoreHookErrors };
    return this.#send(id, '', { method: 'DELETE', query }, options);
  }

  /** The latest `n`, at most 100. */
  events(
    id: string,
    externalUserId: string,
    query: { n?: number } = {},
    options?: CallOptions,
  ): Promise<TriggerEvent[]> {
    const sent = { method: 'GET', query: { externalUserId, ...query } };
    return this.#data(id, '/events', sent, options);
  }

  /** The workflows that it starts. */
  async workflows(id: string, externalUserId: string, options?: CallOptions): Promise<string[]> {
    const sent = { method: 'GET', query: { externalUserId } };
    return (await this.#send<{ workflowIds: string[] }>(id, '/pipelines', sent, options))
      .workflowIds;
  }

  async updateWorkflows(
    id: string,
    externalUserId: string,
    workflowIds: string[],
    options?: CallOptions,
  ): Promise<string[]> {
    const body = toWire({ workflowIds });
    const sent = { method: 'PUT', query: { externalUserId }, body };
    return (await this.#send<{ workflowIds: string[] }>(id, '/pipelines', sent, options))
      .workflowIds;
  }

  /** The addresses that it posts to. */
  webhooks(
    id: string,
    externalUserId: string,
    options?: CallOptions,
  ): Promise<{ webhookUrls: string[]; webhooks: TriggerWebhook[] }> {
    return this.#send(id, '/webhooks', { method: 'GET', query: { externalUserId } }, options);
  }

  /** Addresses that stay keep their key. */
  updateWebhooks(
    id: string,
    externalUserId: string,
    webhookUrls: string[],
    options?: CallOptions,
  ): Promise<{ webhookUrls: string[]; webhooks: TriggerWebhook[] }> {
    const sent = { method: 'PUT', query: { externalUserId }, body: toWire({ webhookUrls }) };
    return this.#send(id, '/webhooks', sent, options);
  }

  /** With its key. */
  retrieveWebhook(
    id: string,
    webhookId: string,
    externalUserId: string,
    options?: CallOptions,
  ): Promise<TriggerWebhook> {
    return this.#hook('GET', id, webhookId, '', externalUserId, options);
  }

  regenerateWebhookSigningKey(
    id: string,
    webhookId: string,
    externalUserId: string,
    options?: CallOptions,
  ): Promise<TriggerWebhook> {
    return this.#hook('POST', id, webhookId, '/regenerate_signing_key', externalUserId, options);
  }

  /** Starts afresh with an address that was switched off. */
  resetWebhookDeliveryState(
    id: string,
    webhookId: string,
    externalUserId: string,
    options?: CallOptions,
  ): Promise<TriggerWebhook> {
    return this.#hook('POST', id, webhookId, '/reset_delivery_state', externalUserId, options);
  }

  async #hook(
    method: string,
    id: string,
    webhookId: string,
    rest: string,
    externalUserId: string,
    options: CallOptions | undefined,
  ): Promise<TriggerWebhook> {
    const at = `${segment(id, 'trigger id')}/webhooks/${segment(webhookId, 'webhook id')}${rest}`;
    // Signing keys are for servers: these are not there without a project.
    const path = this.#scope.named(`deployed-triggers/${at}`);
    const call = { method, path, query: { externalUserId } };
    return (await this.#scope.transport.send<{ data: TriggerWebhook }>(call, options)).data;
  }

  async #data<T>(
    id: string,
    rest: string,
    sent: Sent,
    options: CallOptions | undefined,
  ): Promise<T> {
    return (await this.#send<{ data: T }>(id, rest, sent, options)).data;
  }

  #send<T>(id: string, rest: string, sent: Sent, options: CallOptions | undefined): Promise<T> {
    const path = this.#scope.path(`deployed-triggers/${segment(id, 'trigger id')}${rest}`);
    return this.#scope.transport.send({ ...sent, path }, options);
  }
}
