/// <reference types="node" />

/** Options of a prop, as a user chooses from them. */
export type Option<T = unknown> = T | { label: string; value: T };

/** What `options` of a prop is asked. */
export interface OptionsQuestion {
  /** From 0. */
  page: number;
  /** The `context` of the page before. */
  prevContext: Record<string, any>;
  /** What the user typed, where the prop has `useQuery`. */
  query?: string;
  [input: string]: any;
}

export type OptionsAnswer<T = unknown> = Option<T>[] | { options: Option<T>[]; context?: Record<string, any> };

export interface PropDefinition {
  type?: string;
  label?: string;
  /** Markdown. */
  description?: string;
  optional?: boolean;
  default?: any;
  secret?: boolean;
  min?: number;
  max?: number;
  disabled?: boolean;
  hidden?: boolean;
  reloadProps?: boolean;
  useQuery?: boolean;
  withLabel?: boolean;
  options?: Option<any>[] | ((this: any, question: OptionsQuestion) => OptionsAnswer | Promise<OptionsAnswer>);
  propDefinition?: [app: any, name: string, inputs?: Record<string, any> | ((configured: any) => Record<string, any>)];
  [attribute: string]: any;
}

export type Props = Record<string, PropDefinition | string>;
export type Methods = Record<string, (...given: any[]) => any>;

export interface App {
  type: 'app';
  app: string;
  propDefinitions?: Record<string, PropDefinition>;
  methods?: Methods & ThisType<any>;
  [more: string]: any;
}

/** What `emit` says beside the event itself. */
export interface EmitMeta {
  id?: string | number;
  name?: string;
  summary?: string;
  /** Milliseconds since 1970. */
  ts?: number;
}

export interface HttpAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer | NodeJS.ReadableStream | object;
}

export interface FlowUrls {
  resume_url: string;
  cancel_url: string;
}

/** `$` of an action's run. */
export interface ActionContext {
  export(name: string, value: unknown): void;
  summary(text: string): void;
  respond(answer: HttpAnswer & { immediate?: boolean }): Promise<void>;
  flow: {
    exit(reason?: string): unknown;
    suspend(ms?: number, context?: unknown): FlowUrls & PromiseLike<FlowUrls>;
    delay(ms: number, context?: unknown): FlowUrls & PromiseLike<FlowUrls>;
    rerun(ms?: number, context?: unknown, maxRetries?: number): FlowUrls & PromiseLike<FlowUrls>;
    trigger(workflowId: string, payload?: unknown): Promise<unknown>;
    refreshTimeout(): Promise<unknown>;
  };
  send: {
    http(request: { method?: string; url: string; headers?: object; params?: object; auth?: object; data?: unknown }): void;
    email(email: { subject: string; text?: string; html?: string }): void;
    emit(event: { raw_event: unknown }): void;
    s3(object: { bucket: string; prefix?: string; payload: unknown }): void;
    sse(message: { channel: string; payload: unknown }): void;
  };
  context: Record<string, any>;
  files: {
    open(path: string): StoredFile;
    dir(path?: string): AsyncIterable<StoredEntry>;
  };
}

export interface StoredEntry {
  name: string;
  path: string;
  isFile(): boolean;
  isDirectory(): boolean;
  file(): StoredFile;
}

export interface StoredFile {
  path: string;
  toBuffer(): Promise<Buffer>;
  toFile(localPath: string): Promise<void>;
  createReadStream(): NodeJS.ReadableStream;
  createWriteStream(): NodeJS.WritableStream;
  fromFile(localPath: string): Promise<StoredFile>;
  fromReadableStream(stream: NodeJS.ReadableStream): Promise<StoredFile>;
  fromUrl(url: string): Promise<StoredFile>;
  delete(): Promise<void>;
}

interface Common {
  key?: string;
  name?: string;
  version?: string;
  description?: string;
  props?: Props;
  methods?: Methods & ThisType<any>;
  additionalProps?(this: any, previous: Record<string, PropDefinition>): Props | Promise<Props>;
  [more: string]: any;
}

export interface ActionBody extends Common {
  annotations?: {
    title?: string;
    readOnlyHint?: boolean;
    destructiveHint?: boolean;
    idempotentHint?: boolean;
    openWorldHint?: boolean;
  };
  run?(this: any, given: { steps: Record<string, any>; $: ActionContext }): unknown;
}

export interface Action extends ActionBody {
  type: 'action';
}

export interface Source extends Common {
  type?: 'source';
  dedupe?: 'unique' | 'greatest' | 'last';
  hooks?: { deploy?(this: any): unknown; activate?(this: any): unknown; deactivate?(this: any): unknown };
  sampleEmit?: unknown;
  run?(this: any, event: any): unknown;
}

export function defineComponent<T extends Action | Source>(component: T & ThisType<any>): T;
export function defineAction<T extends ActionBody>(action: T & ThisType<any>): T;
export function defineSource<T extends Source>(source: T & ThisType<any>): T;
export function defineApp<T extends App>(app: T & ThisType<any>): T;

export interface RequestConfig {
  method?: string;
  url?: string;
  baseURL?: string;
  params?: Record<string, any> | URLSearchParams;
  paramsSerializer?: ((params: any) => string) | { serialize?(params: any): string; indexes?: boolean | null; encode?(text: string): string };
  headers?: Record<string, any>;
  data?: any;
  auth?: { username: string; password: string };
  responseType?: 'json' | 'text' | 'arraybuffer' | 'blob' | 'stream';
  responseEncoding?: BufferEncoding;
  /** Milliseconds for all of it; 0: no limit. */
  timeout?: number;
  timeoutErrorMessage?: string;
  maxRedirects?: number;
  maxContentLength?: number;
  validateStatus?: ((status: number) => boolean) | null;
  transformRequest?: ((data: any, headers: any) => any) | ((data: any, headers: any) => any)[];
  transformResponse?: ((data: any, headers: any, status: number) => any) | ((data: any, headers: any, status: number) => any)[];
  decompress?: boolean;
  signal?: AbortSignal;
  httpAgent?: any;
  httpsAgent?: any;
  /** Gives the whole answer instead of its data. */
  returnFullResponse?: boolean;
  /** Exports `debug_config` and `debug_response`. */
  debug?: boolean;
}

/** OAuth 1.0a: who signs, and for which token. */
export interface SignConfig {
  oauthSignerUri: string;
  token: { key: string; secret?: string };
}

export interface HttpResponse<T = any> {
  status: number;
  statusText: string;
  headers: Record<string, string | string[] | undefined>;
  data: T;
}

/** What a request throws that did not succeed. */
export interface RequestError extends Error {
  isAxiosError: true;
  code?: string;
  status?: number;
  response?: HttpResponse;
}

export interface AxiosInstance {
  (config: RequestConfig): Promise<any>;
  (url: string, config?: RequestConfig): Promise<any>;
  defaults: RequestConfig;
  request(config: RequestConfig): Promise<any>;
  get(url: string, config?: RequestConfig): Promise<any>;
  delete(url: string, config?: RequestConfig): Promise<any>;
  head(url: string, config?: RequestConfig): Promise<any>;
  options(url: string, config?: RequestConfig): Promise<any>;
  post(url: string, data?: any, config?: RequestConfig): Promise<any>;
  put(url: string, data?: any, config?: RequestConfig): Promise<any>;
  patch(url: string, data?: any, config?: RequestConfig): Promise<any>;
}

/** Sends a request and gives its data. `$` gets the export `debug` when the other side says no. */
export const axios: {
  ($: unknown, config: RequestConfig, signConfig?: SignConfig): Promise<any>;
  create(config?: RequestConfig, signConfig?: SignConfig): AxiosInstance;
  isAxiosError(error: unknown): error is RequestError;
};

export function transformConfigForOauth(config: RequestConfig): { method: string; url: string; data?: Record<string, string> };

/** A mistake in how a component is set up; shown without a stack unless `exposeStack`. */
export class ConfigurationError extends Error {
  constructor(message: string, exposeStack?: boolean);
  exposeStack: boolean;
}

/** Ends the run early; no failure. */
export function $end(message?: string): never;

export interface FileMetadata {
  size?: number;
  contentType?: string;
  lastModified?: Date;
  name?: string;
  etag?: string;
}

/** The content of a path, an http(s) URL or a data: URL. */
export function getFileStream(pathOrUrl: string): Promise<NodeJS.ReadableStream>;
export function getFileStreamAndMetadata(pathOrUrl: string): Promise<{ stream: NodeJS.ReadableStream; metadata: FileMetadata }>;

/** Seconds. */
export const DEFAULT_POLLING_SOURCE_TIMER_INTERVAL: 900;

export const sqlProp: { methods: { executeQueryAdapter(sql: any): any; getSchema(): any } };
export const sqlProxy: { methods: { getClientConfiguration(): any; executeQuery(query: any): any; proxyAdapter(query: any): any } };

export function jsonStringifySafe(value: unknown, replacer?: (this: any, key: string, value: any) => any, space?: string | number): string | undefined;
export function cloneSafe<T>(value: T): T;
