import { GrantkeepError } from './errors.js';
import { isRecord } from './names.js';

/** A request that is older or newer than this is refused, so that it cannot be played again. */
const TOLERANCE_S = 300;
const PREFIX = 'whsec_';

/** Headers as `fetch` has them, or as Node's `http` and frameworks on it have them. */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | Record<string, string | readonly string[] | undefined>;

export interface VerifyOptions {
  /** Seconds that the sender's clock may be off; 300 unless given. */
  toleranceSeconds?: number;
  /** The present time in milliseconds. For tests. */
  now?: number;
}

/** News as it is posted: what wraps it differs by topic, so look at `type` and `event`. */
export interface WebhookNews {
  /** `account.dead` and so on. */
  type?: string;
  timestamp?: string;
  data?: Record<string, unknown>;
  /** `CONNECTION_SUCCESS` or `CONNECTION_ERROR`. */
  event?: string;
  environment?: string;
  connect_token?: string | null;
  connect_session_id?: number;
  account?: Record<string, unknown>;
  error?: string;
}

/**
 * Gives the news in a request of the server, with the names of the wire, if it is signed with
 * (one of) `secret` and not older than five minutes. `body` is what came, byte for byte, before any
 * JSON parser.
 *
 * Throws a `GrantkeepError` with the code `webhook_invalid` otherwise: answer 400 then, and believe
 * nothing of it.
 */
export async function verifyWebhook(
  headers: WebhookHeaders,
  body: string | Uint8Array | ArrayBuffer,
  secret: string | readonly string[],
  options: VerifyOptions = {},
): Promise<WebhookNews> {
  const secrets = Array.isArray(secret) ? secret : [secret];
  if (secrets.length === 0 || secrets.some((it) => typeof it !== 'string' || it === '')) {
    throw new GrantkeepError('Give the signing secret of the endpoint', { code: 'invalid_option' });
  }
  const bytes = bytesOf(body);
  const claim = standardClaim(headers) ?? olderClaim(headers);
  if (!claim) throw invalid('The request is not signed');
  const off = Math.abs((options.now ?? Date.now()) / 1000 - claim.at);
  // Written so that a time that is no number is refused too.
  if (!(off <= (options.toleranceSeconds ?? TOLERANCE_S))) throw invalid('The request is too old');
  const signed = joined(new TextEncoder().encode(claim.before), bytes);
  let ours = false;
  for (const it of secrets) {
    const key = claim.keyOf(it);
    for (const tag of claim.tags) ours = (await isTag(key, tag, signed)) || ours;
  }
  if (!ours) throw invalid('The signature is not one of this secret');
  return parsed(bytes);
}

/** What a request says of itself. */
interface Claim {
  at: number;
  /** What is signed before the body. */
  before: string;
  tags: Uint8Array<ArrayBuffer>[];
  keyOf: (secret: string) => Uint8Array<ArrayBuffer>;
}

/** Standard Webhooks 1.0. */
function standardClaim(headers: WebhookHeaders): Claim | undefined {
  const signature = header(headers, 'webhook-signature');
  const id = header(headers, 'webhook-id');
  const at = header(headers, 'webhook-timestamp');
  if (!signature || !id || !at) return undefined;
  const tags = signature
    .split(' ')
    .filter((it) => it.startsWith('v1,'))
    .map((it) => fromBase64(it.slice(3)));
  const keyOf = (secret: string) =>
    fromBase64(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  return { at: seconds(at), before: `${id}.${at}.`, tags, keyOf };
}

/** The form that older clients know: `t=..,v1=..`, keyed with the secret's text as it is. */
function olderClaim(headers: WebhookHeaders): Claim | undefined {
  const parts = (header(headers, 'x-pd-signature') ?? '').split(',').map((it) => it.trim());
  const at = parts.find((it) => it.startsWith('t='))?.slice(2);
  if (!at) return undefined;
  const tags = parts.filter((it) => it.startsWith('v1=')).map((it) => fromHex(it.slice(3)));
  const keyOf = (secret: string) => new TextEncoder().encode(secret);
  return { at: seconds(at), before: `${at}.`, tags, keyOf };
}

function header(headers: WebhookHeaders, name: string): string | undefined {
  if (typeof (headers as { get?: unknown }).get === 'function') {
    return (headers as { get(name: string): string | null }).get(name) ?? undefined;
  }
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof found === 'string' ? found : undefined;
}

function seconds(text: string): number {
  return /^\d{1,12}$/.test(text) ? Number(text) : NaN;
}

/** WebCrypto compares in constant time. */
async function isTag(
  key: Uint8Array<ArrayBuffer>,
  tag: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (key.length === 0) return false;
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const made = await crypto.subtle.importKey('raw', key, hmac, false, ['verify']);
  return crypto.subtle.verify('HMAC', made, tag, signed);
}

function bytesOf(body: string | Uint8Array | ArrayBuffer): Uint8Array {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  throw new GrantkeepError('Give the body as it came, not parsed: a string or bytes', {
    code: 'invalid_option',
  });
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(one.length + other.length);
  made.set(one);
  made.set(other, one.length);
  return made;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (it) => it.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-f]{2})+$/i.test(text)) return new Uint8Array();
  return Uint8Array.from(text.match(/../g) ?? [], (it) => parseInt(it, 16));
}

function parsed(bytes: Uint8Array): WebhookNews {
  let news: unknown;
  try {
    news = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    news = undefined;
  }
  if (!isRecord(news)) throw invalid('The body is not a JSON object');
  return news;
}

function invalid(text: string): GrantkeepError {
  return new GrantkeepError(text, { code: 'webhook_invalid' });
}
