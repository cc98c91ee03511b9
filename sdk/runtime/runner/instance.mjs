// `this` of a component: its props, its apps, its methods.

import { apply, create, dictionary, isFinite, keys, own, put, toText } from './originals.mjs';
import { definitions } from './definitions.mjs';
import { database, dataStore, httpInterface, httpRequest } from './handles.mjs';
import { quote, toJson } from './json.mjs';
import { valueOf } from './values.mjs';

/** How deep apps may nest in apps. */
const NESTING_MAX = 4;

/**
 * Makes `this` for one run. `whole` are the component's own definitions, `input` what the host gave. The apps of the
 * instance are found by `apps.get(definition)`.
 */
export function instance(component, whole, input, run) {
  const self = {};
  const values = own(input, 'props') ?? dictionary();
  run.db = own(input, 'db');
  const names = keys(whole);
  for (let at = 0; at < names.length; at += 1) {
    const name = names[at];
    put(self, name, member(name, whole[name], own(values, name), run));
  }
  const added = dynamic(whole, own(input, 'dynamicProps'));
  for (let at = 0; at < added.length; at += 1) {
    put(self, added[at].name, member(added[at].name, added[at], own(values, added[at].name), run));
  }
  bindMethods(self, component.methods);
  if (component.type !== 'action') put(self, '$emit', (event, meta) => emit(run, event, meta));
  return self;
}

/** The dynamic props among those that the host sent: those which the component does not declare itself. */
function dynamic(whole, sent) {
  const list = [];
  const given = sent ?? [];
  for (let at = 0; at < given.length; at += 1) {
    const name = own(given[at], 'name');
    if (typeof name === 'string' && own(whole, name) === undefined) put(list, list.length, given[at]);
  }
  return list;
}

function member(name, definition, given, run) {
  switch (definition.type) {
    case 'app': return appInstance(definition, given, name);
    case '$.service.db': return database(name, own(run.db, name), run);
    case 'data_store': {
      const id = own(given, 'store');
      return id === undefined ? undefined : dataStore(id, run.ask);
    }
    case '$.interface.http': return httpInterface(name, given ?? {}, run.ask);
    case 'alert': return undefined;
    case 'dir': return { path: run.stash, ...valueOf(definition, given) };
    case 'http_request': {
      const value = valueOf(definition, given);
      return typeof value === 'object' ? httpRequest(value) : value;
    }
    default: return valueOf(definition, given);
  }
}

/** An app as its methods know it: `$auth`, the methods themselves, apps within. */
export function appInstance(definition, given, name, depth = 0) {
  const app = {};
  const nested = depth < NESTING_MAX ? definitions(definition.props, 'app.props') : create(null);
  const names = keys(nested);
  for (let at = 0; at < names.length; at += 1) {
    const inner = nested[names[at]];
    const value = own(given, names[at]) ?? own(own(given, 'props'), names[at]);
    put(app, names[at], inner.type === 'app' ? appInstance(inner, value, name, depth + 1) : valueOf(inner, value));
  }
  bindMethods(app, definition.methods);
  put(app, 'propDefinitions', definition.propDefinitions ?? {});
  return put(app, '$auth', withSigner(own(given, '$auth'), name));
}

/** OAuth 1.0a: requests are signed by the host; the address says for which prop. */
function withSigner(auth, name) {
  const uri = own(auth, 'oauth_signer_uri');
  if (uri === '' || uri === 'grantkeep:oauth1') put(auth, 'oauth_signer_uri', `grantkeep:oauth1/${name}`);
  return auth;
}

function bindMethods(self, methods) {
  if (methods === null || typeof methods !== 'object') return;
  const names = keys(methods);
  for (let at = 0; at < names.length; at += 1) {
    const method = methods[names[at]];
    put(self, names[at], typeof method === 'function' ? (...given) => apply(method, self, given) : method);
  }
}

function emit(run, event, meta) {
  const given = meta ?? {};
  const said = (key, kind) => (typeof given[key] === kind ? quote(given[key]) : undefined);
  const number = typeof given.id === 'number' && isFinite(given.id);
  const id = number ? toText(given.id) : said('id', 'string');
  const ts = typeof given.ts === 'number' && isFinite(given.ts) ? toText(given.ts) : time(given.ts);
  const text = `{"event":${toJson(event, 'the emitted event')},"meta":{`
    + `"id":${id ?? 'null'},"name":${said('name', 'string') ?? 'null'},`
    + `"summary":${said('summary', 'string') ?? 'null'},"ts":${ts ?? 'null'}}}`;
  run.notice('emit', text);
}

function time(given) {
  const ms = given instanceof Date || typeof given === 'string' ? new Date(given).getTime() : NaN;
  return isFinite(ms) ? toText(ms) : undefined;
}
