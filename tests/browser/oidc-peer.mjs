// A certified OpenID Connect provider on loopback, as a peer that we did not write: it refuses what
// the standards refuse, rotates refresh tokens, and ends a grant when an old one is used again.
//
// From code:   const peer = await startPeer({ redirectUris: ['http://127.0.0.1:1234/back'] });
// By itself:   node oidc-peer.mjs [--port N] [--redirect-uri URL]...   prints one line of JSON
// Over HTTP:   GET /control/calls            how often each endpoint was called, and how it ended
//              POST /control/redirect-uris   {"redirect_uris": [..]}: replaces the allowed ones
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import Provider from 'oidc-provider';

export const ACCESS_TOKEN_SECONDS = 5;
const DAY_SECONDS = 86_400;

/** Rows of every kind in one map. Clients are read afresh each time, so they can be changed. */
function adapter(clients, rows) {
  const key = (kind, id) => `${kind}:${id}`;
  return class Memory {
    constructor(kind) {
      this.kind = kind;
    }
    async upsert(id, payload, seconds) {
      const ends = seconds ? Date.now() + seconds * 1000 : Infinity;
      rows.set(key(this.kind, id), { payload, ends });
    }
    async find(id) {
      if (this.kind === 'Client' && clients.has(id)) return clients.get(id);
      const row = rows.get(key(this.kind, id));
      return row && row.ends > Date.now() ? row.payload : undefined;
    }
    async findBy(test) {
      const ours = [...rows].filter(([name]) => name.startsWith(`${this.kind}:`));
      return ours.find(([, row]) => test(row.payload))?.[1].payload;
    }
    async findByUid(uid) {
      return this.findBy((payload) => payload.uid === uid);
    }
    async findByUserCode(code) {
      return this.findBy((payload) => payload.userCode === code);
    }
    async consume(id) {
      const row = rows.get(key(this.kind, id));
      if (row) row.payload.consumed = Math.floor(Date.now() / 1000);
    }
    async destroy(id) {
      rows.delete(key(this.kind, id));
    }
    async revokeByGrantId(grantId) {
      for (const [name, row] of rows) {
        if (row.payload.grantId === grantId) rows.delete(name);
      }
    }
  };
}

/** What a thief could have taken: a person's refresh tokens, oldest first, used ones too. */
function refreshTokens(rows, login) {
  const ours = [...rows].filter(([name]) => name.startsWith('RefreshToken:'));
  return ours
    .filter(([, row]) => row.payload.accountId === login)
    .map(([name, row]) => ({
      token: name.slice('RefreshToken:'.length),
      used: Boolean(row.payload.consumed),
    }));
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'one' };
}

function configuration({ clients, rows }, accessTokenSeconds) {
  return {
    adapter: adapter(clients, rows),
    scopes: ['openid', 'offline_access', 'email', 'notes.read'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    findAccount: async (_ctx, sub) => ({
      accountId: sub,
      claims: async () => ({ sub, email: `${sub}@example.test`, email_verified: true }),
    }),
    pkce: { required: () => true, methods: ['S256'] },
    rotateRefreshToken: () => true,
    features: {
      devInteractions: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      introspection: { enabled: true },
      registration: { enabled: true },
    },
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 60,
      IdToken: 60,
      Interaction: 600,
      Grant: DAY_SECONDS,
      Session: DAY_SECONDS,
      RefreshToken: DAY_SECONDS,
    },
  };
}

/** Counts calls by endpoint, grant and outcome: `token.refresh_token.200`. */
function countCalls(provider, calls) {
  provider.use(async (ctx, next) => {
    await next();
    const { route, params } = ctx.oidc ?? {};
    if (!route) return;
    const name = [route, params?.grant_type, ctx.status].filter(Boolean).join('.');
    calls[name] = (calls[name] ?? 0) + 1;
  });
}

async function control(request, response, { calls, client }) {
  response.setHeader('content-type', 'application/json');
  if (request.method === 'GET' && request.url === '/control/calls') {
    response.end(JSON.stringify(calls));
    return;
  }
  if (request.method === 'POST' && request.url === '/control/redirect-uris') {
    let text = '';
    for await (const chunk of request) text += chunk;
    client.redirect_uris = JSON.parse(text).redirect_uris;
    response.end(JSON.stringify(client.redirect_uris));
    return;
  }
  response.statusCode = 404;
  response.end('{}');
}

/** Starts the provider. `port` 0 takes a free one. */
export async function startPeer(options = {}) {
  const { port = 0, redirectUris = [], accessTokenSeconds = ACCESS_TOKEN_SECONDS } = options;
  const client = {
    client_id: 'grantkeep-peer',
    client_secret: randomBytes(32).toString('hex'),
    client_name: 'A client under test',
    redirect_uris: redirectUris.length ? redirectUris : ['http://127.0.0.1:9/unset'],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_basic',
  };
  const server = createServer();
  await new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', done);
  });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const clients = new Map([[client.client_id, client]]);
  const rows = new Map();
  const provider = new Provider(issuer, configuration({ clients, rows }, accessTokenSeconds));
  const calls = {};
  countCalls(provider, calls);
  const handler = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/control/')) {
      handler(request, response);
      return;
    }
    control(request, response, { calls, client }).catch((error) => response.destroy(error));
  });
  return {
    issuer,
    clientId: client.client_id,
    clientSecret: client.client_secret,
    authorizationUrl: `${issuer}/auth`,
    tokenUrl: `${issuer}/token`,
    revocationUrl: `${issuer}/token/revocation`,
    userinfoUrl: `${issuer}/me`,
    // Without `prompt=consent` the standard has the provider drop `offline_access`.
    authorizationParams: { prompt: 'consent' },
    scopes: ['openid', 'email', 'offline_access'],
    calls,
    refreshTokens: (login) => refreshTokens(rows, login),
    setRedirectUris: (uris) => {
      client.redirect_uris = uris;
    },
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

/** Goes through the provider's own pages as a person would. `deny` cancels at the first page. */
export async function signIn(page, { login = 'ada', deny = false } = {}) {
  if (deny) {
    await page.getByRole('link', { name: 'Cancel' }).click();
    return;
  }
  await page.getByPlaceholder('Enter any login').fill(login);
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'redirect-uri': { type: 'string', multiple: true, default: [] },
      'access-token-seconds': { type: 'string', default: String(ACCESS_TOKEN_SECONDS) },
    },
  });
  const { calls, setRedirectUris, stop, ...facts } = await startPeer({
    port: Number(values.port),
    redirectUris: values['redirect-uri'],
    accessTokenSeconds: Number(values['access-token-seconds']),
  });
  console.log(JSON.stringify(facts));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop());
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
