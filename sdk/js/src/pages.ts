import { GrantkeepError } from './errors.js';

/** Items that a walk through a whole list asks for at once: the most that servers give. */
const PAGE_ITEMS = 100;

export interface PageInfo {
  count: number;
  totalCount: number;
  startCursor?: string | null;
  endCursor?: string | null;
}

export interface Page<T> {
  data: T[];
  pageInfo: PageInfo;
}

/** Where a page begins, or ends. */
export interface Cursor {
  after?: string | undefined;
  before?: string | undefined;
}

/** Asks for a page, of `items` unless the caller of the list named a `limit`. */
export type Ask<T> = (at: Cursor, items: number | undefined) => Promise<Page<T>>;

/**
 * A list that is fetched page by page.
 *
 * `await` it for one page, or `for await` over it for every item; nothing is sent before one of the
 * two. A list with `before` is walked backward from there, page by page; within a page the order
 * stays.
 */
export class Listing<T> implements PromiseLike<Page<T>>, AsyncIterable<T> {
  readonly #ask: Ask<T>;
  readonly #start: Cursor;
  #first: Promise<Page<T>> | undefined;

  constructor(ask: Ask<T>, start: Cursor = {}) {
    this.#ask = ask;
    this.#start = start;
  }

  then<A = Page<T>, B = never>(
    done?: ((page: Page<T>) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#first ??= this.#ask(this.#start, undefined);
    return this.#first.then(done, failed);
  }

  /** Each page in turn. */
  pages(): AsyncGenerator<Page<T>> {
    return this.#walk(PAGE_ITEMS);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const page of this.pages()) yield* page.data;
  }

  /** Every item, or the first `limit`. */
  async all(limit = Infinity): Promise<T[]> {
    const found: T[] = [];
    if (limit < 1) return found;
    for await (const page of this.#walk(Math.min(PAGE_ITEMS, Math.ceil(limit)))) {
      found.push(...page.data);
      if (found.length >= limit) break;
    }
    return found.slice(0, limit);
  }

  async *#walk(items: number): AsyncGenerator<Page<T>> {
    const back = this.#start.before !== undefined;
    let page = await (this.#first ?? this.#ask(this.#start, items));
    const seen = new Set<string>();
    for (;;) {
      yield page;
      const { startCursor, endCursor } = page.pageInfo ?? {};
      const cursor = back ? startCursor : endCursor;
      // Before the first page there is an empty one.
      if (!cursor || (back && page.data.length === 0)) return;
      if (seen.has(cursor)) {
        throw new GrantkeepError('The server gave the same page twice', {
          code: 'unexpected_answer',
        });
      }
      seen.add(cursor);
      page = await this.#ask(back ? { before: cursor } : { after: cursor }, items);
    }
  }
}
