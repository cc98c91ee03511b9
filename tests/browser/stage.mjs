// What the browser tests of connecting stand on: the server, pretend providers, and a customer's
// product page on another site (`localhost`; the server is `127.0.0.1`).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binaryPath, startServer } from './harness.mjs';

const START_MS_MAX = 20_000;

/** The page of the sample product. It embeds the connect page as any client does. */
const PRODUCT_PAGE = `<!doctype html><html lang="en"><title>Acme</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<h1>Acme settings</h1><p id="state">not connected</p>
<script>
window.heard = [];
window.connect = (src) => {
  const frame = document.createElement('iframe');
  frame.title = 'Connect';
  frame.style.cssText = 'position:fixed;inset:0;width:100%;height:100%;border:0;z-index:9';
  frame.src = src;
  addEventListener('message', (event) => {
    if (event.source !== frame.contentWindow) return;
    window.heard.push({ origin: event.origin, ...event.data });
    if (event.data.type === 'success') document.querySelector('#state').textContent = 'connected';
    if (event.data.type === 'close') frame.remove();
  });
  document.body.append(frame);
};
</script></html>`;

async function startProviders() {
  const folder = await mkdtemp(join(tmpdir(), 'grantkeep-stage-'));
  const data = join(folder, 'demo');
  const child = spawn(binaryPath(), ['demo', '--json', '--data', data], { cwd: folder });
  let text = '';
  let problems = '';
  child.stderr.on('data', (chunk) => (problems += chunk));
  const told = new Promise((done, failed) => {
    const late = setTimeout(() => failed(new Error(`no providers:\n${problems}`)), START_MS_MAX);
    child.stdout.on('data', (chunk) => {
      text += chunk;
      try {
        done(JSON.parse(text));
        clearTimeout(late);
      } catch { /* the rest is yet to come */ }
    });
    child.once('exit', () => failed(new Error(`the providers ended:\n${problems}`)));
  });
  const { providers } = await told;
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  };
  return { url: providers, catalog: join(data, 'catalog'), stop };
}

/**
 * The product's page that confirms: whose session this browser has, it knows from its own cookie.
 * A browser that nobody signed in gets no further.
 */
async function verify(request, url, verifiers) {
  const user = /(?:^|; )user=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  if (!user) return [401, 'Sign in to Acme first'];
  const confirm = verifiers.get(url.searchParams.get('project'));
  const answer = await confirm(url.searchParams.get('flow_id'), user);
  const body = await answer.json();
  const to = body.redirect_uri ?? body.details?.redirect_uri;
  const link = to ? `<a id="on" href="${to}">Go on</a>` : '';
  const said = answer.ok ? `connected for ${body.external_id}` : `refused: ${body.code}`;
  return [answer.status, `Acme: ${said}`, link];
}

async function startProduct() {
  const headers = { 'content-type': 'text/html', 'cache-control': 'no-store' };
  /** By what stands in the verify URL's own query. */
  const verifiers = new Map();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://product.invalid');
    if (url.pathname === '/verify') {
      const [status, title, link = ''] = await verify(request, url, verifiers);
      const html = `<!doctype html><html lang="en"><title>Acme</title><h1>${title}</h1>${link}`;
      response.writeHead(status, headers).end(html);
      return;
    }
    if (url.pathname === '/sign-in') {
      const cookie = `user=${url.searchParams.get('user')}; Path=/; HttpOnly; SameSite=Lax`;
      response.writeHead(200, { ...headers, 'set-cookie': cookie }).end('signed in');
      return;
    }
    const more = request.url.startsWith('/apart')
      ? { 'cross-origin-opener-policy': 'same-origin' }
      : {};
    response.writeHead(200, { ...headers, ...more }).end(PRODUCT_PAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://localhost:${server.address().port}`;
  const stop = async () => {
    server.closeAllConnections();
    server.close();
  };
  /** What a backend does with the flow's id and its user, for projects with this verify URL. */
  const confirmBy = (name, confirm) => {
    verifiers.set(name, confirm);
    return `${url}/verify?project=${name}`;
  };
  return { url, stop, confirmBy };
}

async function json(url, options = {}) {
  const answer = await fetch(url, options);
  assert.ok(answer.ok, `${url}: ${answer.status} ${await answer.clone().text()}`);
  return answer.status === 204 ? undefined : answer.json();
}

const post = (body, headers = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

/** Starts everything, with further apps: slug to file. `stop()` ends it. */
export async function startStage({ files = {} } = {}) {
  const providers = await startProviders();
  for (const [slug, text] of Object.entries(files))
    await writeFile(join(providers.catalog, `${slug}.toml`), text);
  const env = { GRANTKEEP_CATALOG_DIR: providers.catalog };
  const [server, product] = await Promise.all([startServer({ env }), startProduct()]);
  const cli = async (...words) => JSON.parse(await server.cli(...words, '--json'));
  const known = (await json(`${providers.url}/_control`)).providers;

  /** A project with a client, and its OAuth clients at the given providers. */
  async function project({ links = false, verify = '', more = [], apps = ['rotating'] } = {}) {
    const looks = ['--app-name', 'Acme', '--support-email', 'help@acme.example', '--test-keys'];
    const redirects = ['--redirect', `${product.url}/done`, '--redirect', `${product.url}/failed`];
    const wishes = links ? ['--allow-links', ...more] : [...more];
    let answer;
    if (verify) {
      const url = product.confirmBy(verify, (flow, user) => answer(flow, user));
      wishes.push('--verify-url', url);
    }
    const made = await cli('project', 'create', 'Acme', ...looks, ...redirects, ...wishes);
    const client = await cli('client', 'create', 'backend', '--project', made.id);
    for (const slug of apps) await register(made.id, slug);
    const access = await json(`${server.url}/v1/oauth/token`, post({
      grant_type: 'client_credentials',
      client_id: client.client_id,
      client_secret: client.client_secret,
    }));
    const headers = {
      authorization: `Bearer ${access.access_token}`,
      'x-pd-environment': 'development',
    };
    const base = `${server.url}/v1/connect/${made.id}`;
    const confirm = (flow, user) =>
      fetch(`${base}/flows/${flow}/confirm`, post({ external_user_id: user }, headers));
    answer = confirm;
    return {
      id: made.id,
      /** As the product's backend. */
      confirm,
      /** Answers confirmations in another way from now on. */
      confirmBy: (other) => {
        answer = other;
      },
      async token(more = {}) {
        const body = { external_user_id: 'ada', allowed_origins: [product.url], ...more };
        return (await json(`${base}/tokens`, post(body, headers))).token;
      },
      account: (id) => json(`${base}/accounts/${id}`, { headers }),
      accounts: async () => (await json(`${base}/accounts`, { headers })).data,
    };
  }

  async function register(projectId, slug) {
    const it = known.find((provider) => provider.slug === slug);
    const file = join(server.folder, `${slug}.secret`);
    await writeFile(file, it.client_secret);
    const made = await cli(
      'oauth-app', 'create', '--project', projectId, '--app', `sim_${slug}`,
      '--client-id', `${it.client_id}-${projectId}`, '--client-secret-file', file,
    );
    await json(`${providers.url}/_control/${slug}/clients`, post({
      client_id: `${it.client_id}-${projectId}`,
      client_secret: it.client_secret,
      redirect_uri: made.redirect_uri,
    }));
  }

  /** What a user does at the provider who registers a client for himself. */
  const registerOwn = (slug, id, secret, uri) => {
    const client = { client_id: id, client_secret: secret, redirect_uri: uri };
    return json(`${providers.url}/_control/${slug}/clients`, post(client));
  };

  /** An OAuth client for an app of the catalogue that no test signs in at. */
  async function client(projectId, slug) {
    const file = join(server.folder, `${slug}.secret`);
    await writeFile(file, 'pretend');
    await cli(
      'oauth-app', 'create', '--project', projectId, '--app', slug,
      '--client-id', `pretend-${projectId}`, '--client-secret-file', file,
    );
  }

  return {
    server,
    product,
    project,
    client,
    registerOwn,
    fault: (slug, rule) => json(`${providers.url}/_control/${slug}/faults`, post(rule)),
    async stop() {
      await Promise.all([server.stop(), product.stop(), providers.stop()]);
    },
    /** The address of the connect page; without an app it lists them. */
    page(token, app, more = {}) {
      const query = new URLSearchParams({ token, ...(app && { app }), ...more });
      return `${server.url}/_static/connect.html?${query}`;
    },
  };
}

/** Shows the product and, in it, the connect page. Gives the frame. */
export async function embed(page, stage, address, path = '/') {
  await page.goto(`${stage.product.url}${path}`);
  await page.evaluate((src) => window.connect(src), address);
  const frame = page.frameLocator('iframe');
  await frame.locator('[data-view]').waitFor();
  return frame;
}

/** What the product's page was told, the news that the page is there left out. */
export async function heard(page) {
  const all = await page.evaluate(() => window.heard);
  return all.filter((it) => it.type !== 'ready');
}

/** Signs in at the pretend provider and decides. */
export async function decide(window, decision = 'allow', user = 'ada') {
  await window.locator(`input[name=user][value=${user}]`).check();
  await window.locator('button.primary[type=submit]').click();
  await window.locator(`button[name=decision][value=${decision}]`).click();
}

export const button = (frame, name) => frame.getByRole('button', { name });

/** Presses Continue and gives the window that opens. */
export async function press(page, frame, app) {
  const opened = page.waitForEvent('popup');
  await button(frame, `Continue to ${app}`).click();
  return opened;
}

/** Waits until the product's page was told this, and gives it. */
export async function told(page, type) {
  await page.waitForFunction((wanted) => window.heard.some((it) => it.type === wanted), type);
  return (await heard(page)).find((it) => it.type === type);
}
