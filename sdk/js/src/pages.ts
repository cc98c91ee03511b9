import { GrantkeepError } from './errors.js';

export interface PageInfo {
  count?: number;
  totalCount?: number;
  startCursor?: string | null;
  endCursor?: string | null;
}

export interface Page<T> {
  data: T[];
  pageInfo: PageInfo;
}

/**
 * A list that is fetched page by page.
 *
 * `await` it for its first page, or `for await` over it for every item; nothing is sent before one
 * of the two.
 */
export class Listing<T> implements PromiseLike<Page<T>>, AsyncIterable<T> {
  readonly #fetch: (after: string | undefined) => Promise<Page<T>>;
  #first: Promise<Page<T>> | undefined;

  constructor(fetch: (after: string | undefined) => Promise<Page<T>>) {
    this.#fetch = fetch;
  }

  then<A = Page<T>, B = never>(
    done?: ((page: Page<T>) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#first ??= this.#fetch(undefined);
    return this.#first.then(done, failed);
  }

  /** Each page in turn. */
  async *pages(): AsyncGenerator<Page<T>> {
    let page: Page<T> = await this.then();
    const seen = new Set<string>();
    for (;;) {
      yield page;
      const after = page.pageInfo?.endCursor;
      if (!after) return;
      if (seen.has(after)) {
        throw new GrantkeepError('The server gave the same page twice', {
          code: 'unexpected_answer',
        });
      }
      seen.add(after);
      page = await this.#fetch(after);
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const page of this.pages()) yield* page.data;
  }

  /** Every item, or the first `limit`. */
  async all(limit = Infinity): Promise<T[]> {
    const found: T[] = [];
    for await (const it of this) {
      if (found.length >= limit) break;
      found.push(it);
    }
    return found;
  }
}
