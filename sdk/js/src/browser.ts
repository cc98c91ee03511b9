import { ConnectError, GrantkeepError } from './errors.js';
import { cleanBase, type Environment, Limit, Transport } from './http.js';
import { Accounts, Apps, Scope } from './resources.js';
import { isRecord } from './names.js';
import { AppProxy } from './proxy.js';

/** A page that says nothing for this long after its frame has loaded was kept from being shown. */
const SILENCE_MS = 8_000;
/** A frame that has not even loaded by then is given up. */
const LOAD_MS = 30_000;
/** After a success the page closes itself; if it does not, it is closed. */
const LINGER_MS = 10_000;
/** Your backend gives a token within this, or there is none. */
const TOKEN_MS_MAX = 30_000;
/** A held token that ends this soon is not used again. */
const TOKEN_MARGIN_MS = 30_000;
const TEXT_MAX = 2_000;

export interface TokenAnswer {
  token: string;
  expiresAt?: Date | string;
  connectLinkUrl?: string;
}

export interface BrowserOptions {
  /** The address of the server. May be left out only where the script was loaded from it. */
  baseUrl?: string;
  environment?: Environment;
  /** Your own id of the signed-in user; passed to `tokenCallback`. */
  externalUserId?: string;
  /** Asks your backend for a connect token. */
  tokenCallback?: (asked: { externalUserId: string }) => Promise<TokenAnswer>;
  /** A connect token, instead of the callback. */
  token?: string;
  /** Other names of the address, as other clients have them. */
  frontendHost?: string;
  apiHost?: string;
}

export interface ConnectOptions {
  /** The app's slug: `slack`. Without it the user chooses from a list. */
  app?: string;
  /** A connect token of your backend for the signed-in user. */
  token?: string;
  onSuccess?: (made: { id: string }) => void;
  onError?: (error: ConnectError) => void;
  onClose?: (status: { successful: boolean; completed: boolean }) => void;
  oauthAppId?: string;
  appOverrideId?: string;
  /** Reconnects this account and keeps its id. */
  accountId?: string;
  /** Draws no button to close the page. */
  hideClose?: boolean;
  oauthScopeProfile?: string;
  /** Has the user enter an OAuth client of his own, where the app takes one. */
  customOauthClient?: boolean;
}

export interface ConnectResult {
  successful: boolean;
  /** Whether there was a result, good or bad, before the page was closed. */
  completed: boolean;
  /** The connected account. Keep it with your user. */
  id?: string;
  error?: ConnectError;
}

/** A connect page that is open. `await` it for the result; it never throws. */
export interface ConnectHandle extends PromiseLike<ConnectResult> {
  close(): void;
}

/**
 * The client for web pages. It holds no secret but a connect token of one user, for one
 * connection.
 */
export class FrontendClient {
  readonly accounts: Accounts;
  readonly apps: Apps;
  /** For tokens that were made with the scope `connect:proxy`. */
  readonly proxy: AppProxy;
  readonly #options: BrowserOptions;
  readonly #base: string;
  #held: { token: string; untilMs: number } | undefined;
  #asking: Promise<string> | undefined;

  constructor(options: BrowserOptions) {
    this.#options = options;
    this.#base = cleanBase(addressOf(options));
    const bearer = (fresh: boolean) => this.#token(fresh);
    const scope = new Scope(
      new Transport({ baseUrl: this.#base, renewable: Boolean(options.tokenCallback), bearer }),
      undefined,
      true,
    );
    this.accounts = new Accounts(scope);
    this.apps = new Apps(scope);
    this.proxy = new AppProxy(scope);
  }

  /**
   * Opens the connect page over yours. Call it when the user asks to connect an app.
   *
   * Check the account by a call of your backend before you rely on it: what a browser says can be
   * made up.
   */
  connectAccount(options: ConnectOptions): ConnectHandle {
    const visit = new Visit(this.#base, options);
    this.#own(options.token).then(
      (it) => visit.open(it),
      (why) => visit.fail(...wordsOf(why)),
    );
    return visit;
  }

  /** One token makes one connection, and a page may stay open for long: it gets one of its own. */
  async #own(given: string | undefined): Promise<string> {
    return given || this.#options.token || (await this.#ask()).token;
  }

  /** The token for calls, which share it. */
  #token(fresh: boolean): Promise<string> {
    if (this.#options.token) return Promise.resolve(this.#options.token);
    if (!fresh && this.#held && this.#held.untilMs > Date.now())
      return Promise.resolve(this.#held.token);
    this.#asking ??= this.#shared().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #shared(): Promise<string> {
    const { token, expiresAt } = await this.#ask();
    const until = expiresAt === undefined ? NaN : new Date(expiresAt).getTime();
    this.#held = { token, untilMs: Number.isNaN(until) ? 0 : until - TOKEN_MARGIN_MS };
    return token;
  }

  async #ask(): Promise<TokenAnswer> {
    const { tokenCallback, externalUserId = '' } = this.#options;
    if (!tokenCallback) {
      throw new GrantkeepError('Give a token, or a tokenCallback to the client', {
        code: 'invalid_option',
      });
    }
    const limit = new Limit('tokenCallback', TOKEN_MS_MAX, undefined);
    const made = await limit
      .race(async () => tokenCallback({ externalUserId }))
      .finally(() => limit.met());
    if (!made || typeof made.token !== 'string') {
      throw new GrantkeepError('tokenCallback gave no token', { code: 'invalid_option' });
    }
    return made;
  }
}

export function createClient(options: BrowserOptions = {}): FrontendClient {
  return new FrontendClient(options);
}

/** {@link createClient} under the name that other clients give it. */
export const createFrontendClient = createClient;

/** Where a script of this server was loaded from; set by the script itself. */
let home: string | undefined;

export function setHome(address: string | undefined): void {
  home = address;
}

function addressOf(options: BrowserOptions): string {
  const given = options.baseUrl ?? options.frontendHost ?? options.apiHost ?? home;
  if (!given)
    throw new GrantkeepError('Give the address of the server as baseUrl', {
      code: 'invalid_option',
    });
  return /^https?:\/\//i.test(given) ? given : `https://${given}`;
}

function wordsOf(why: unknown): [text: string, code?: string] {
  if (why instanceof GrantkeepError) return [why.message, why.code];
  return [why instanceof Error ? why.message : 'No connect token could be had'];
}

let visits = 0;

/** One connect page, from its frame being made to its being taken away. */
class Visit implements ConnectHandle {
  readonly #origin: string;
  readonly #base: string;
  readonly #options: ConnectOptions;
  readonly #result: Promise<ConnectResult>;
  readonly #focused: Element | null;
  #settle!: (result: ConnectResult) => void;
  #frame: HTMLIFrameElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #id: string | undefined;
  #error: ConnectError | undefined;
  #closed = false;
  /** Whether the page has said anything: it may do so before its frame has loaded. */
  #heard = false;

  constructor(base: string, options: ConnectOptions) {
    this.#base = base;
    this.#origin = new URL(base).origin;
    this.#options = options;
    this.#focused = document.activeElement;
    this.#result = new Promise((settle) => {
      this.#settle = settle;
    });
  }

  then<A = ConnectResult, B = never>(
    done?: ((result: ConnectResult) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(done, failed);
  }

  open(token: string): void {
    if (this.#closed) return;
    const { app } = this.#options;
    if (app !== undefined && (typeof app !== 'string' || app === ''))
      return this.fail('app must be the slug of an app; leave it out to let the user choose');
    const frame = document.createElement('iframe');
    frame.id = `grantkeep-connect-${visits++}`;
    frame.title = 'Connect an account';
    frame.referrerPolicy = 'origin';
    dress(frame);
    frame.src = this.#address(token);
    frame.addEventListener('load', this.#onLoad, { once: true });
    window.addEventListener('message', this.#onMessage);
    document.addEventListener('keydown', this.#onKey);
    this.#frame = frame;
    this.#wait(LOAD_MS, () =>
      this.fail('The connect page could not be loaded', 'page_unreachable'),
    );
    document.body.append(frame);
  }

  /** Ends with an error that the page did not show. */
  fail(text: string, code?: string): void {
    this.#fail(new ConnectError(text, code));
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    window.removeEventListener('message', this.#onMessage);
    document.removeEventListener('keydown', this.#onKey);
    this.#frame?.remove();
    if (this.#focused instanceof HTMLElement && this.#focused.isConnected)
      this.#focused.focus({ preventScroll: true });
    const status = {
      successful: this.#id !== undefined,
      completed: this.#id !== undefined || this.#error !== undefined,
    };
    const result: ConnectResult = { ...status };
    if (this.#id !== undefined) result.id = this.#id;
    else if (this.#error) result.error = this.#error;
    this.#settle(result);
    tell(this.#options.onClose, status);
  }

  #address(token: string): string {
    const { app, oauthAppId, appOverrideId, accountId, oauthScopeProfile } = this.#options;
    const { hideClose, customOauthClient } = this.#options;
    const query = new URLSearchParams({ token });
    const rest = {
      app,
      oauthAppId,
      appOverrideId,
      accountId,
      oauthScopeProfile,
      hideClose: hideClose ? 'true' : undefined,
      customOauthClient: customOauthClient ? 'true' : undefined,
    };
    for (const [key, value] of Object.entries(rest)) if (value) query.set(key, value);
    return `${this.#base}/_static/connect.html?${query}`;
  }

  #onLoad = (): void => {
    this.#frame?.focus();
    if (this.#heard) return;
    this.#wait(SILENCE_MS, () =>
      this.fail('The connect page could not be shown here', 'page_unreachable'),
    );
  };

  /** Esc belongs to the page; until it can hear it, it is heard here. */
  #onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && this.#timer !== undefined && !this.#options.hideClose)
      this.close();
  };

  /** Only the page in our own frame is listened to, and only for what it may say. */
  #onMessage = (event: MessageEvent): void => {
    if (!this.#frame || event.source !== this.#frame.contentWindow || event.origin !== this.#origin)
      return;
    if (!isRecord(event.data)) return;
    this.#heard = true;
    const { type, authProvisionId, error } = event.data;
    if (type === 'ready') this.#wait();
    else if (type === 'success' && isAccountId(authProvisionId)) this.#succeed(authProvisionId);
    else if (type === 'error' && typeof error === 'string')
      this.#fail(new ConnectError(error.slice(0, TEXT_MAX)));
    else if (type === 'close') this.close();
  };

  #succeed(id: string): void {
    if (this.#id !== undefined) return;
    this.#id = id;
    this.#wait(LINGER_MS, () => this.close());
    tell(this.#options.onSuccess, { id });
  }

  #fail(error: ConnectError): void {
    if (this.#id !== undefined || this.#closed) return;
    this.#wait();
    this.#error = error;
    tell(this.#options.onError, error);
  }

  /** Sets the one timer anew, or only stops it. */
  #wait(ms?: number, then?: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = ms !== undefined && then ? setTimeout(then, ms) : undefined;
  }
}

function isAccountId(value: unknown): value is string {
  return typeof value === 'string' && /^apn_[A-Za-z0-9]{1,64}$/.test(value);
}

/** An error in a customer's callback must not keep the frame on the screen. */
function tell<T>(callback: ((value: T) => void) | undefined, value: T): void {
  try {
    callback?.(value);
  } catch (why) {
    setTimeout(() => {
      throw why;
    });
  }
}

function dress(frame: HTMLIFrameElement): void {
  const style = {
    position: 'fixed',
    inset: '0',
    width: '100%',
    height: '100%',
    border: '0',
    margin: '0',
    'z-index': '2147483647',
    background: 'transparent',
    'color-scheme': 'light',
  };
  for (const [name, value] of Object.entries(style)) frame.style.setProperty(name, value);
}
