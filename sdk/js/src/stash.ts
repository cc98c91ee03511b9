import { GrantkeepError } from './errors.js';
import type { CallOptions } from './http.js';
import type { Scope } from './resources.js';

/** Files that actions read and write, kept for a day. */
export class FileStash {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** The file while it still comes: read it with `arrayBuffer()`, or `for await (.. of body)`. */
  async download(s3Key: string, options?: CallOptions): Promise<Response> {
    const path = this.#scope.path('file_stash/download');
    const call = { method: 'GET', path, query: { s3Key } };
    const answer = await this.#scope.transport.open(call, options);
    if (answer.ok) return answer;
    await answer.body?.cancel();
    throw new GrantkeepError(`The server answered ${answer.status}`, {
      status: answer.status,
      code: `http_${answer.status}`,
    });
  }
}
