import { type CallOptions, segment } from './http.js';
import { toWire } from './names.js';
import type { Listing } from './pages.js';
import type { Scope } from './resources.js';
import type {
  Chosen,
  Component,
  ComponentListOptions,
  ComponentRun,
  ConfiguredField,
  ConfigureOptions,
  DeployedTrigger,
  DeployOptions,
  ListOptions,
  Publication,
  ReloadedFields,
  RunResult,
} from './types.js';

/** The calls that components, actions and triggers have alike. */
class Kind<Query extends ComponentListOptions> {
  protected readonly scope: Scope;
  readonly #kind: string;

  constructor(scope: Scope, kind: string) {
    this.scope = scope;
    this.#kind = kind;
  }

  list(query: Query = {} as Query, options?: CallOptions): Listing<Component> {
    return this.scope.list<Component>(this.at(''), query, options);
  }

  async retrieve(
    key: string,
    query: { version?: string } = {},
    options?: CallOptions,
  ): Promise<Component> {
    const call = { method: 'GET', path: this.at(`/${segment(key, 'key')}`), query };
    return (await this.scope.transport.send<{ data: Component }>(call, options)).data;
  }

  /** The values that a field can have. Failures of the component's code are in `errors`. */
  configure(given: ConfigureOptions, options?: CallOptions): Promise<ConfiguredField> {
    return this.post('/configure', given, options);
  }

  /** All fields, with those that the choices so far bring. */
  reloadProps(given: Chosen, options?: CallOptions): Promise<ReloadedFields> {
    return this.post('/props', given, options);
  }

  protected at(rest: string): string {
    return this.scope.path(`${this.#kind}${rest}`);
  }

  protected post<T>(rest: string, given: object, options: CallOptions | undefined): Promise<T> {
    const call = { method: 'POST', path: this.at(rest), body: toWire(given) };
    return this.scope.transport.send(call, options);
  }
}

/** Actions and triggers alike. */
export class Components extends Kind<
  ComponentListOptions & { componentType?: 'trigger' | 'action' }
> {
  constructor(scope: Scope) {
    super(scope, 'components');
  }

  /** Publishes a version. The same again changes nothing; other content needs another version. */
  async publish(given: Publication, options?: CallOptions): Promise<Component> {
    const call = { method: 'POST', path: this.scope.named('components'), body: toWire(given) };
    return (await this.scope.transport.send<{ data: Component }>(call, options)).data;
  }

  /**
   * Takes one of the project's own away, with all its versions. One that a trigger is made of, or a
   * workflow runs, is kept, unless `force` is set: they stop working.
   */
  delete(key: string, options: CallOptions & { force?: boolean } = {}): Promise<void> {
    const path = this.scope.named(`components/${segment(key, 'key')}`);
    const query = { force: options.force };
    return this.scope.transport.send({ method: 'DELETE', path, query }, options);
  }
}

/** What was run lately. */
export class Runs {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(
    query: ListOptions & { externalUserId?: string } = {},
    options?: CallOptions,
  ): Listing<ComponentRun> {
    return this.#scope.list<ComponentRun>(this.#scope.named('runs'), query, options);
  }

  async retrieve(id: string, options?: CallOptions): Promise<ComponentRun> {
    const call = { method: 'GET', path: this.#scope.named(`runs/${segment(id, 'run id')}`) };
    return (await this.#scope.transport.send<{ data: ComponentRun }>(call, options)).data;
  }
}

/** What is run for a user. */
export class Actions extends Kind<ComponentListOptions> {
  constructor(scope: Scope) {
    super(scope, 'actions');
  }

  /** Failures of the action's code are in `os`. */
  run(given: Chosen & { stashId?: string | boolean }, options?: CallOptions): Promise<RunResult> {
    return this.post('/run', given, options);
  }
}

/** What waits for something to happen. */
export class Triggers extends Kind<ComponentListOptions> {
  constructor(scope: Scope) {
    super(scope, 'triggers');
  }

  /** Each call makes a new one. */
  async deploy(given: DeployOptions, options?: CallOptions): Promise<DeployedTrigger> {
    return (await this.post<{ data: DeployedTrigger }>('/deploy', given, options)).data;
  }
}
