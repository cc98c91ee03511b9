/**
 * What can go wrong with a call. `code` is stable and may be branched on; `message` is for people.
 */
export class GrantkeepError extends Error {
  /** The HTTP status, or 0 when there was no answer. */
  readonly status: number;
  /**
   * The server's code, or one of `timeout`, `aborted`, `network`, `unexpected_answer`,
   * `invalid_option`.
   */
  readonly code: string;
  /** Names the call in the server's log. */
  readonly requestId: string | undefined;
  /** What the server added: for example the field that it refused. */
  readonly details: Readonly<Record<string, unknown>> | undefined;
  /** Milliseconds until the same call may do better, where the server says so. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, at: ErrorFacts = {}) {
    super(message, at.cause === undefined ? undefined : { cause: at.cause });
    this.name = 'GrantkeepError';
    this.status = at.status ?? 0;
    this.code = at.code ?? 'error';
    this.requestId = at.requestId;
    this.details = at.details;
    this.retryAfterMs = at.retryAfterMs;
  }
}

export interface ErrorFacts {
  status?: number;
  code?: string;
  requestId?: string | undefined;
  details?: Record<string, unknown> | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** Why an account was not connected, in words that the person has seen as well. */
export class ConnectError extends GrantkeepError {
  constructor(message: string, code = 'connect_failed') {
    super(message, { code });
    this.name = 'ConnectError';
  }
}
