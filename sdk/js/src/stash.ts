import type { RawBody } from './body.js';
import { GrantkeepError } from './errors.js';
import type { Call, CallOptions } from './http.js';
import { fromWire } from './names.js';
import type { Scope } from './resources.js';
import type { StashedFile } from './types.js';

/** Files that actions read and write, kept for a day. */
export class FileStash {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Takes a file of a user in. `body` may be a stream, of Node too, or an async generator. */
  async upload(
    given: { externalUserId: string; name: string; body: RawBody; stashId?: string },
    options?: CallOptions,
  ): Promise<StashedFile> {
    const { body, ...query } = given;
    const headers = { 'content-type': 'application/octet-stream' };
    const path = this.#scope.path('file_stash');
    const call = { method: 'POST', path, query, headers, raw: body };
    const answer = await this.#opened(call, options);
    return fromWire(await answer.json()) as StashedFile;
  }

  /** The file while it still comes: read it with `arrayBuffer()`, or `for await (.. of body)`. */
  async download(s3Key: string, options?: CallOptions): Promise<Response> {
    const path = this.#scope.path('file_stash/download');
    return this.#opened({ method: 'GET', path, query: { s3Key } }, options);
  }

  async #opened(call: Call, options: CallOptions | undefined): Promise<Response> {
    const answer = await this.#scope.transport.open(call, options);
    if (answer.ok) return answer;
    await answer.body?.cancel();
    throw new GrantkeepError(`The server answered ${answer.status}`, {
      status: answer.status,
      code: `http_${answer.status}`,
    });
  }
}
