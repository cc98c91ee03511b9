import { type CallOptions, segment } from './http.js';
import { toWire } from './names.js';
import type { Listing } from './pages.js';
import type { Scope } from './resources.js';
import type {
  DeployedWorkflow,
  ListOptions,
  WholeWorkflowRun,
  Workflow,
  WorkflowRun,
} from './types.js';

/** Steps that follow each other. Each is named by its id or its name. */
export class Workflows {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(query: ListOptions = {}, options?: CallOptions): Listing<Workflow> {
    return this.#scope.list<Workflow>(this.#scope.named('workflows'), query, options);
  }

  async retrieve(named: string, options?: CallOptions): Promise<Workflow> {
    const call = { method: 'GET', path: this.#at(named) };
    return (await this.#scope.transport.send<{ data: Workflow }>(call, options)).data;
  }

  /** Deploys a workflow, or its next version. The same again changes nothing. */
  deploy(
    given: { files: { path: string; text: string }[] },
    options?: CallOptions,
  ): Promise<DeployedWorkflow> {
    const call = { method: 'POST', path: this.#scope.named('workflows'), body: toWire(given) };
    return this.#scope.transport.send(call, options);
  }

  /**
   * Takes it away with all its versions and runs. One that a trigger or the failure of another
   * workflow starts is kept, unless `force` is set.
   */
  delete(named: string, options: CallOptions & { force?: boolean } = {}): Promise<void> {
    const query = { force: options.force };
    return this.#scope.transport.send({ method: 'DELETE', path: this.#at(named), query }, options);
  }

  /** Starts a run, and does not wait for it. */
  async invoke(
    named: string,
    given: { externalUserId?: string; event?: unknown } = {},
    options?: CallOptions,
  ): Promise<WorkflowRun> {
    const call = { method: 'POST', path: `${this.#at(named)}/invoke`, body: toWire(given) };
    return (await this.#scope.transport.send<{ data: WorkflowRun }>(call, options)).data;
  }

  #at(named: string): string {
    return this.#scope.named(`workflows/${segment(named, 'workflow')}`);
  }
}

/** Runs of workflows. */
export class WorkflowRuns {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(
    query: ListOptions & { workflow?: string } = {},
    options?: CallOptions,
  ): Listing<WorkflowRun> {
    return this.#scope.list<WorkflowRun>(this.#scope.named('workflow-runs'), query, options);
  }

  /** One with its timeline. */
  async retrieve(id: string, options?: CallOptions): Promise<WholeWorkflowRun> {
    const call = { method: 'GET', path: this.#at(id) };
    return (await this.#scope.transport.send<{ data: WholeWorkflowRun }>(call, options)).data;
  }

  /** Starts a run with the event of this one, of the workflow as it is now. */
  async replay(id: string, options?: CallOptions): Promise<WorkflowRun> {
    const call = { method: 'POST', path: `${this.#at(id)}/replay` };
    return (await this.#scope.transport.send<{ data: WorkflowRun }>(call, options)).data;
  }

  /** Ends it. What its steps did stays done. */
  async cancel(id: string, options?: CallOptions): Promise<WorkflowRun> {
    const call = { method: 'POST', path: `${this.#at(id)}/cancel` };
    return (await this.#scope.transport.send<{ data: WorkflowRun }>(call, options)).data;
  }

  #at(id: string): string {
    return this.#scope.named(`workflow-runs/${segment(id, 'run id')}`);
  }
}
