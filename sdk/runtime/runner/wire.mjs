// A component and its props in wire form: an ordered list of plain objects which every client can read.

import { definitions, DefinitionError } from './definitions.mjs';

const SCALARS = ['string', 'integer', 'boolean', 'object', 'any', 'number'];
const TYPES = new Set([
  'app', 'string', 'string[]', 'integer', 'integer[]', 'boolean', 'object', 'any', 'alert', 'data_store',
  'http_request', 'sql', 'dir', '$.service.db', '$.interface.http', '$.interface.timer', '$.interface.apphook',
  '$.discord.channel', '$.discord.channel[]', '$.airtable.baseId', '$.airtable.tableId', '$.airtable.viewId',
  '$.airtable.fieldId',
]);
/** Types that components use and clients do not know. */
const SHOWN_AS_ANY = new Set(['number', ...SCALARS.map((it) => `${it}[]`).filter((it) => !TYPES.has(it))]);

const isText = (value) => typeof value === 'string';
const isFlag = (value) => typeof value === 'boolean';
const isWhole = (value) => Number.isInteger(value);
const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isTexts = (value) => Array.isArray(value) && value.every(isText);
const isTimer = (value) => isRecord(value) && (value.intervalSeconds !== undefined || value.cron !== undefined);

const BASE = {
  label: isText, description: isText, optional: isFlag, disabled: isFlag, readOnly: isFlag, hidden: isFlag,
  useQuery: isFlag, reloadProps: isFlag, withLabel: isFlag,
};
const TEXT = { secret: isFlag, format: isText };
const APP_PROP = { appProp: isText };
const SQL_KEYS = ['value', 'query', 'params', 'usePreparedStatements'];

/** What a type has beside the base attributes, each with what it must be to be shown. */
const EXTRA = {
  app: { app: isText },
  string: { ...TEXT, default: isText },
  'string[]': { ...TEXT, default: isTexts },
  integer: { min: isWhole, max: isWhole, default: isWhole },
  'integer[]': { min: isWhole, max: isWhole, default: (it) => Array.isArray(it) && it.every(isWhole) },
  boolean: { default: isFlag },
  object: { default: isRecord },
  any: { default: (it) => it !== undefined },
  alert: { alertType: (it) => ['info', 'neutral', 'warning', 'error'].includes(it), content: isText },
  http_request: { default: isRecord },
  sql: { auth: (it) => isRecord(it) && isText(it.app), default: (it) => isRecord(it) && SQL_KEYS.every((key) => key in it) },
  dir: { accessMode: (it) => ['read', 'write', 'read-write'].includes(it), sync: isFlag },
  '$.interface.http': { customResponse: isFlag },
  '$.interface.timer': { static: isTimer, default: isTimer },
  '$.interface.apphook': { ...APP_PROP, eventNames: isTexts, remote: isFlag, static: (it) => it !== undefined },
  '$.discord.channel': APP_PROP,
  '$.discord.channel[]': APP_PROP,
  '$.airtable.baseId': APP_PROP,
  '$.airtable.tableId': { baseIdProp: isText },
  '$.airtable.viewId': { tableIdProp: isText },
  '$.airtable.fieldId': { tableIdProp: isText },
};
/** Without which a prop of the type means nothing. */
const REQUIRED = {
  app: 'app', alert: 'content', '$.interface.apphook': 'appProp', '$.discord.channel': 'appProp',
  '$.airtable.baseId': 'appProp', '$.airtable.tableId': 'baseIdProp', '$.airtable.viewId': 'tableIdProp',
  '$.airtable.fieldId': 'tableIdProp',
};

/** One prop, from its whole definition. */
export function wireProp(name, definition) {
  const type = wireType(name, definition.type);
  const extra = EXTRA[type] ?? {};
  const made = { name, type };
  for (const [key, good] of Object.entries({ ...BASE, ...extra })) {
    const value = definition[key];
    if (value !== undefined && good(value)) made[key] = plain(value);
  }
  const needed = REQUIRED[type];
  if (needed !== undefined && made[needed] === undefined) {
    throw new DefinitionError(`props.${name} of type "${type}" needs ${needed}`);
  }
  if (typeof definition.options === 'function') made.remoteOptions = true;
  else if (definition.remoteOptions === true) made.remoteOptions = true;
  const options = wireOptions(type, definition.options);
  if (options !== undefined) made.options = options;
  return made;
}

function wireType(name, type) {
  if (TYPES.has(type)) return type;
  if (SHOWN_AS_ANY.has(type)) return 'any';
  throw new DefinitionError(`props.${name} has the type "${type}", which there is not. Types are: ${[...TYPES].join(', ')}`);
}

function wireOptions(type, options) {
  if (!Array.isArray(options)) return undefined;
  if (type === '$.interface.timer') return plain(options.filter(isTimer));
  const good = { string: isText, 'string[]': isText, integer: isWhole, 'integer[]': isWhole }[type]
    ?? ((value) => value !== undefined);
  const kept = options.filter((option) => (isRecord(option) ? isText(option.label) && good(option.value) : good(option)));
  return plain(kept.map((option) => (isRecord(option) ? { label: option.label, value: option.value } : option)));
}

/** A copy that is JSON, or undefined. */
function plain(value) {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    return undefined;
  }
}

export function wireProps(whole) {
  return Object.keys(whole).map((name) => wireProp(name, whole[name]));
}

const HINTS = { destructiveHint: isFlag, idempotentHint: isFlag, openWorldHint: isFlag, readOnlyHint: isFlag, title: isText };
const HOOKS = ['deploy', 'activate', 'deactivate'];

/** The component as the answer to `load` has it. Absent things are null. */
export function wireComponent(component) {
  const text = (key) => (isText(component[key]) ? component[key] : null);
  const { type } = component;
  if (type !== 'action' && type !== 'source') {
    throw new DefinitionError(`The component's type is "${type}"; it is "action" or "source"`);
  }
  if (component.run !== undefined && typeof component.run !== 'function') {
    throw new DefinitionError('The component\'s run is not a function');
  }
  const stash = ['optional', 'required'].includes(component.stash) ? component.stash : null;
  return {
    key: text('key'),
    name: text('name'),
    version: text('version'),
    description: text('description'),
    type,
    annotations: annotations(component.annotations),
    dedupe: ['unique', 'greatest', 'last'].includes(component.dedupe) ? component.dedupe : null,
    stash,
    sampleEmit: component.sampleEmit !== undefined && component.sampleEmit !== null,
    props: wireProps(definitions(component.props)),
    hooks: HOOKS.filter((it) => typeof component.hooks?.[it] === 'function'),
    run: typeof component.run === 'function',
    additionalProps: typeof component.additionalProps === 'function',
  };
}

function annotations(given) {
  if (!isRecord(given)) return null;
  const kept = Object.entries(HINTS).filter(([key, good]) => good(given[key]));
  return Object.fromEntries(kept.map(([key]) => [key, given[key]]));
}
