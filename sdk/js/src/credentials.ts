import { GrantkeepError } from './errors.js';
import { type Call, cleanBase, Transport, type TransportOptions } from './http.js';
import { toWire } from './names.js';

/** A token is given up this long before its end, so that a call begun with it can still finish. */
const MARGIN_MS = 120_000;
/** A server takes an assertion for so long. */
const ASSERTION_S = 60;
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const RSA_BITS_MIN = 2048;

/** A `CryptoKey`, in words that need no types of browsers. */
export interface SigningKey {
  readonly type: string;
  readonly extractable: boolean;
  readonly algorithm: { readonly name: string };
  readonly usages: readonly string[];
}

/** The private key of a client that has no secret (RFC 7523, `private_key_jwt`). */
export interface KeyPair {
  /** PKCS #8 in PEM (P-256 or RSA), or a key of WebCrypto that may sign. */
  privateKey: string | SigningKey;
  /** The name of the key, if the client has several. */
  keyId?: string;
}

/** What a client proves itself with. */
export interface Identity {
  clientId: string;
  clientSecret?: string | undefined;
  keyPair?: KeyPair | undefined;
  scope?: string | undefined;
}

/**
 * Gets access tokens and keeps the last one (RFC 6749, 4.4). Callers at the same time share one
 * request.
 */
export class ClientCredentials {
  readonly #transport: Transport;
  readonly #identity: Identity;
  readonly #audience: string;
  #held: { token: string; untilMs: number } | undefined;
  #asking: Promise<string> | undefined;
  #key: Promise<CryptoKey> | undefined;

  constructor(
    transport: Pick<TransportOptions, 'baseUrl' | 'timeoutMs' | 'retries' | 'fetch' | 'userAgent'>,
    identity: Identity,
  ) {
    const bearer = () => Promise.resolve('');
    this.#transport = new Transport({ ...transport, renewable: false, bearer });
    this.#identity = identity;
    this.#audience = new URL(cleanBase(transport.baseUrl)).origin;
  }

  bearer(fresh: boolean): Promise<string> {
    if (fresh) this.#held = undefined;
    if (this.#held && this.#held.untilMs > Date.now()) return Promise.resolve(this.#held.token);
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<string> {
    const call: Call = {
      method: 'POST',
      path: '/v1/oauth/token',
      // Each attempt proves itself anew, so it may be repeated.
      freshBody: () => this.#body(),
      repeatable: true,
      anonymous: true,
    };
    const made = await this.#transport.send<{ accessToken?: unknown; expiresIn?: unknown }>(call);
    if (typeof made?.accessToken !== 'string') {
      throw new GrantkeepError('The server gave no access token', { code: 'unexpected_answer' });
    }
    const lifeMs = Math.max(0, Number(made.expiresIn) || 0) * 1000;
    const usefulMs = lifeMs > 2 * MARGIN_MS ? lifeMs - MARGIN_MS : lifeMs / 2;
    this.#held = { token: made.accessToken, untilMs: Date.now() + usefulMs };
    return made.accessToken;
  }

  async #body(): Promise<Record<string, unknown>> {
    const { clientId, clientSecret, keyPair, scope } = this.#identity;
    const common = { grantType: 'client_credentials', clientId, scope };
    if (!keyPair) return toWire({ ...common, clientSecret });
    this.#key ??= signingKey(keyPair.privateKey);
    const clientAssertion = await assertion(
      await this.#key,
      keyPair.keyId,
      clientId,
      this.#audience,
    );
    return toWire({ ...common, clientAssertionType: ASSERTION_TYPE, clientAssertion });
  }
}

/** A fresh proof; each may be used once. */
async function assertion(
  key: CryptoKey,
  keyId: string | undefined,
  clientId: string,
  audience: string,
): Promise<string> {
  const elliptic = key.algorithm.name === 'ECDSA';
  const head = {
    alg: elliptic ? 'ES256' : 'RS256',
    typ: 'client-authentication+jwt',
    ...(keyId === undefined ? {} : { kid: keyId }),
  };
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: audience,
    iat: now,
    exp: now + ASSERTION_S,
    jti: crypto.randomUUID(),
  };
  const encoder = new TextEncoder();
  const part = (value: object) => base64url(encoder.encode(JSON.stringify(value)));
  const signed = `${part(head)}.${part(claims)}`;
  const how = elliptic ? { name: 'ECDSA', hash: 'SHA-256' } : { name: 'RSASSA-PKCS1-v1_5' };
  const tag = await crypto.subtle.sign(how, key, encoder.encode(signed));
  return `${signed}.${base64url(new Uint8Array(tag))}`;
}

/** What is wrong with a key is told without a letter of it. */
async function signingKey(given: string | SigningKey): Promise<CryptoKey> {
  const key = typeof given === 'string' ? await read(given) : (given as CryptoKey);
  const { name } = key.algorithm;
  const curve = (key.algorithm as EcKeyAlgorithm).namedCurve;
  const rsa = key.algorithm as RsaHashedKeyAlgorithm;
  const good =
    name === 'ECDSA'
      ? curve === 'P-256'
      : name === 'RSASSA-PKCS1-v1_5' &&
        rsa.hash.name === 'SHA-256' &&
        rsa.modulusLength >= RSA_BITS_MIN;
  if (!good || !key.usages.includes('sign')) throw unfit();
  return key;
}

async function read(pem: string): Promise<CryptoKey> {
  const inside = /^-----BEGIN PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END PRIVATE KEY-----\s*$/;
  const text = inside.exec(pem.trim())?.[1];
  if (!text) throw unfit();
  const der = Uint8Array.from(atob(text.replace(/\s/g, '')), (it) => it.charCodeAt(0));
  for (const algorithm of [
    { name: 'ECDSA', namedCurve: 'P-256' },
    { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ]) {
    try {
      return await crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
    } catch {
      // It is of the other kind, or of none.
    }
  }
  throw unfit();
}

function unfit(): GrantkeepError {
  const message = `privateKey is not PKCS #8 in PEM of P-256, or of RSA with ${RSA_BITS_MIN} bits or more`;
  return new GrantkeepError(message, { code: 'invalid_option' });
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
