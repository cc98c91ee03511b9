// The types of what is sent and answered say what the API's document says, and need no types of
// browsers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { fromWire } from '../dist/names.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const DOCUMENT = JSON.parse(readFileSync(here('../../../docs/openapi.json'), 'utf8'));
const { paths } = DOCUMENT;
const { schemas } = DOCUMENT.components;
const TYPES = here('../src/types.ts');

/** What answers are made of. Types within them are compared with them. */
const ANSWERS = {
  AccountView: 'Account',
  AppView: 'App',
  CategoryView: 'AppCategory',
  ComponentView: 'Component',
  ConfiguredView: 'ConfiguredField',
  ConfirmAnswer: 'ConfirmedAccount',
  Credits: 'UsageSpan',
  CustomAppView: 'CustomApp',
  DeliveryView: 'WebhookDelivery',
  DeployedView: 'DeployedTrigger',
  DeployedWorkflow: 'DeployedWorkflow',
  DiscoveryAnswer: 'Discovery',
  EndpointView: 'WebhookEndpoint',
  ErasureView: 'Erasure',
  EventView: 'TriggerEvent',
  FreezeView: 'FreezeState',
  HealthView: 'AccountHealth',
  OAuthAppView: 'OAuthApp',
  OverrideView: 'AppOverride',
  ProbeView: 'WebhookTest',
  ProjectInfo: 'ProjectInfo',
  ProjectView: 'Project',
  RanView: 'RunResult',
  RateLimitView: 'RateLimit',
  ReloadedView: 'ReloadedFields',
  RevocationView: 'Revocation',
  RunView: 'ComponentRun',
  StashedFile: 'StashedFile',
  TokenAnswer: 'ConnectToken',
  UsageView: 'ProjectUsage',
  UserView: 'User',
  Validation: 'TokenValidation',
  WebhookView: 'Webhook',
  WholeRunView: 'WholeWorkflowRun',
  WorkflowRunView: 'WorkflowRun',
  WorkflowView: 'Workflow',
};

/** What callers give, with what differs: by the name on the wire, or here. */
const WISHES = {
  ComponentWish: ['Chosen'],
  ConfigureWish: ['ConfigureOptions'],
  DeployWish: ['DeployOptions'],
  DiscoveryWish: ['DiscoveryOptions'],
  EndpointWish: ['WebhookEndpointOptions'],
  NewAccount: ['AccountCreation', 'cfmapJson', 'fields', 'externalUserId'],
  NewComponent: ['Publication'],
  NewOverride: ['AppOverrideCreation'],
  NewToken: ['TokenOptions'],
  OAuthAppWish: ['OAuthAppCreation'],
  ProjectWish: ['ProjectCreation'],
  ReplacedCustomApp: ['CustomAppReplacement'],
};

/** What the server wants though its document lets it be left out, as the same is used for changes. */
const NEEDED = new Set([
  'ComponentWish.external_user_id',
  'ComponentWish.id',
  'ConfigureWish.external_user_id',
  'ConfigureWish.id',
  'ConfigureWish.prop_name',
  'DeployWish.external_user_id',
  'DeployWish.id',
  'NewAccount.connect_token',
  'OAuthAppWish.app',
  'ProjectWish.name',
]);

/** What lists are asked with. */
const QUERIES = {
  '/v1/connect/apps': 'AppListOptions',
  '/v1/connect/{project}/accounts': 'AccountListOptions',
  '/v1/connect/{project}/actions': 'ComponentListOptions',
  '/v1/connect/{project}/deployed-triggers': 'DeployedTriggerListOptions',
  '/v1/connect/rate_limits': 'ListOptions',
};

/** Schemas that are written out where they are used, or wrap an answer that is unwrapped. */
const ELSEWHERE = {
  wrapped: /^(Held|Listed_|Wrapped_)|^(BegunRun|CreditsList|Endpoints|Events|PublishedComponent|UsageList)$/,
  inCalls:
    /^(AccountChange|ChangedOverride|ConfirmBody|Invocation|LogoWish|NewCustomApp|NewWorkflow|RateLimitWish|ReplayView|ReplayWish|RunWish|TriggerChange|TriggerWebhooks|WebhookWish|WebhooksWish|WorkflowFile|Workflows|WorkflowsWish)$/,
  ofTheClient: /^(AccessToken|Error|PageInfo|TokenError|TokenRequest)$/,
  openInside: /^Observation$/,
};

/** Other names of what has a name. */
const ALIASES = new Set(['RanView.stashId']);

/** Words that are fewer here, or stand apart in the document. */
const NARROWER = new Set(['ConfirmAnswer.binding', 'DeployedView.type']);

const program = ts.createProgram([TYPES], {
  strict: true,
  exactOptionalPropertyTypes: true,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts'],
  types: [],
});
const checker = program.getTypeChecker();
const exported = new Map(
  checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(TYPES)))
    .map((it) => [it.name, checker.getDeclaredTypeOfSymbol(it)]),
);

/** What a schema says, by field: its schema, and whether it is always there. */
function fieldsOf(schema) {
  if (schema.$ref) return fieldsOf(schemas[schema.$ref.split('/').at(-1)]);
  const found = new Map();
  for (const part of schema.allOf ?? [])
    for (const [name, it] of fieldsOf(part)) found.set(name, it);
  const forms = (schema.oneOf ?? []).filter((it) => it.type !== 'null').map(fieldsOf);
  for (const form of forms)
    for (const [name, it] of form) {
      const always = forms.every((other) => other.get(name)?.always);
      found.set(name, { schema: it.schema, always: it.always && always });
    }
  for (const [name, it] of Object.entries(schema.properties ?? {}))
    found.set(name, { schema: it, always: (schema.required ?? []).includes(name) });
  return found;
}

const isNullable = (schema) =>
  [schema.type].flat().includes('null') || (schema.oneOf ?? []).some((it) => it.type === 'null');
const isA = (type, flag) =>
  (type.isUnion() ? type.types : [type]).some((it) => it.flags & flag);
const camel = (name) => Object.keys(fromWire({ [name]: 0 }))[0];
const words = (schema) =>
  schema.$ref ? words(schemas[schema.$ref.split('/').at(-1)]) : (schema.enum ?? []);

/** The fields of a type; nothing where it is open. */
function membersOf(type) {
  const found = new Map();
  for (const it of checker.getPropertiesOfType(checker.getNonNullableType(type)))
    found.set(it.name, {
      type: checker.getTypeOfSymbol(it),
      mayLack: Boolean(it.flags & ts.SymbolFlags.Optional),
    });
  return found;
}

/** How an answer's type differs from its schema. */
function differences(name, schema, type, at = name) {
  const fields = fieldsOf(schema);
  const members = membersOf(type);
  const wrong = [];
  for (const [wire, { schema: inside, always }] of fields) {
    const path = `${at}.${wire}`;
    const member = members.get(camel(wire));
    if (ALIASES.has(path)) continue;
    members.delete(camel(wire));
    if (NARROWER.has(path)) continue;
    if (!member) wrong.push(`${path}: missing`);
    else wrong.push(...valueDifferences(path, inside, always, member));
  }
  return [...wrong, ...[...members.keys()].map((it) => `${at}: has no ${it}`)];
}

function valueDifferences(path, schema, always, { type, mayLack }) {
  const wrong = [];
  if (always && mayLack) wrong.push(`${path}: is always there`);
  if (isA(type, ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return wrong;
  if (isNullable(schema) && !isA(type, ts.TypeFlags.Null)) wrong.push(`${path}: may be null`);
  const plain = checker.getNonNullableType(type);
  const some = schema.oneOf?.find((it) => it.type !== 'null') ?? schema;
  const listed = words(some);
  if (listed.length > 0) {
    const known = (plain.isUnion() ? plain.types : [plain]).map((it) => it.value);
    if (String(known.sort()) !== String([...listed].sort())) wrong.push(`${path}: is of ${listed}`);
    return wrong;
  }
  const kind = [some.type].flat().find((it) => it !== 'null');
  if (kind === 'array') {
    const item = checker.getIndexTypeOfType(plain, ts.IndexKind.Number);
    if (!item) return [...wrong, `${path}: is a list`];
    return [...wrong, ...inner(`${path}[]`, some.items, item)];
  }
  const wanted = { string: 'String', integer: 'Number', number: 'Number', boolean: 'Boolean' }[kind];
  const date = kind === 'string' && path.endsWith('_at');
  if (date && plain.symbol?.name !== 'Date') wrong.push(`${path}: is a Date`);
  else if (wanted && !date && !isA(plain, ts.TypeFlags[`${wanted}Like`]))
    wrong.push(`${path}: is a ${kind}`);
  return [...wrong, ...inner(path, some, plain)];
}

/** What is inside of a field, where both say it. */
function inner(path, schema, type) {
  const open = checker.getIndexTypeOfType(checker.getNonNullableType(type), ts.IndexKind.String);
  if (open || fieldsOf(schema).size === 0) return [];
  return differences(path, schema, type, path);
}

test('the types of answers are those of the document', () => {
  const wrong = Object.entries(ANSWERS).flatMap(([schema, name]) =>
    exported.has(name)
      ? differences(schema, schemas[schema], exported.get(name))
      : [`${schema}: no type ${name}`],
  );
  assert.deepEqual(wrong, []);
});

test('what callers may give is what the document takes', () => {
  const wrong = [];
  for (const [schema, [name, wire, ...more]] of Object.entries(WISHES)) {
    const members = membersOf(exported.get(name));
    for (const it of more) members.delete(it);
    for (const [field, { schema: inside, always }] of fieldsOf(schemas[schema])) {
      const key = camel(field);
      if (key === wire) continue;
      const member = members.get(key);
      members.delete(key);
      if (!member) wrong.push(`${schema}.${field}: missing in ${name}`);
      else if (always && member.mayLack) wrong.push(`${schema}.${field}: is needed`);
      else if (!always && !member.mayLack && !NEEDED.has(`${schema}.${field}`))
        wrong.push(`${schema}.${field}: may be left out`);
      else if (/\bnull\b/i.test(inside.description ?? '') && !isA(member.type, ts.TypeFlags.Null))
        wrong.push(`${schema}.${field}: may be null`);
    }
    for (const it of members.keys()) wrong.push(`${name}.${it}: the server does not take it`);
  }
  assert.deepEqual(wrong, []);
});

test('lists are asked with what the document knows', () => {
  for (const [path, name] of Object.entries(QUERIES)) {
    const asked = paths[path].get.parameters.filter((it) => it.in === 'query');
    // Only `components` tells actions and triggers apart.
    const names = asked.map((it) => camel(it.name)).filter((it) => it !== 'componentType');
    assert.deepEqual([...membersOf(exported.get(name)).keys()].sort(), names.sort(), name);
  }
});

test('every schema of the document has a type, or a reason to have none', () => {
  const inside = new Set();
  const gather = (schema) => {
    for (const [, it] of fieldsOf(schema)) {
      const text = JSON.stringify(it.schema);
      for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
        if (inside.has(name)) continue;
        inside.add(name);
        gather(schemas[name]);
      }
    }
    const text = JSON.stringify([schema.allOf, schema.oneOf]);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      inside.add(name);
      gather(schemas[name]);
    }
  };
  const known = new Set([...Object.keys(ANSWERS), ...Object.keys(WISHES)]);
  for (const name of known) gather(schemas[name]);
  const reasons = Object.values(ELSEWHERE);
  const nameless = Object.entries(schemas).filter(([name, schema]) => {
    const plain = fieldsOf(schema).size === 0;
    return !plain && !known.has(name) && !inside.has(name) && !reasons.some((it) => it.test(name));
  });
  assert.deepEqual(nameless.map(([name]) => name), []);
});

test('a topic that the server has is a topic here', () => {
  const topics = exported.get('WebhookTopic').types.map((it) => it.value);
  assert.deepEqual(topics.sort(), [...schemas.Topic.enum].sort());
});

/** A program on a server, as it would be written; never run, and in no file. */
const CONSUMER = `import { webcrypto } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { BackendClient, createBackendClient, type Account, verifyWebhook } from '../dist/index.js';
import { createBackendClient as other } from '../dist/server.js';

declare const key: webcrypto.CryptoKey;
const client: BackendClient = createBackendClient({
  baseUrl: 'https://x', clientId: 'c', keyPair: { privateKey: key },
});
other({ baseUrl: 'https://x', apiKey: 'k', fetch });
const who = { accountId: 'apn_1', externalUserId: 'u' };
async function* pieces() { yield new Uint8Array(1); }
export async function run(): Promise<Account> {
  const answer: Response = await client.proxy.post('/a', { ...who, body: createReadStream('a') });
  for await (const piece of answer.body ?? []) void piece;
  for (const body of [pieces(), Buffer.from('b'), new Blob(['c']), new FormData(), 'd', { e: 1 }])
    await client.proxy.put('/a', { ...who, body });
  const body = new URLSearchParams({ a: 'b' });
  await client.fileStash.upload({ externalUserId: 'u', name: 'n', body });
  await client.fileStash.upload({ externalUserId: 'u', name: 'n', body: answer.body ?? '' });
  await verifyWebhook({ 'webhook-id': 'x' }, Buffer.from(''), 'whsec_');
  const signal: AbortSignal = AbortSignal.timeout(1);
  await client.accounts.delete('apn_1', { externalUserId: 'u', signal });
  return client.accounts.retrieve('apn_1', { externalUserId: 'u' });
}
`;

test('a server that has no types of browsers can use the package', () => {
  const file = here('./consumer.mts');
  const options = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2022.d.ts'],
    types: ['node'],
    typeRoots: [here('../node_modules/@types')],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile, readFile } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? CONSUMER : readFile(name));
  host.getSourceFile = (name, ...more) =>
    name === file ? ts.createSourceFile(name, CONSUMER, ...more) : getSourceFile(name, ...more);
  const consumer = ts.createProgram([file], options, host);
  const wrong = ts.getPreEmitDiagnostics(consumer).map((it) => {
    const text = ts.flattenDiagnosticMessageText(it.messageText, '\n');
    return `${it.file?.fileName ?? ''}: ${text}`;
  });
  assert.deepEqual(wrong, []);
});
