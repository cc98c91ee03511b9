// The props of a component as its author wrote them, made whole: shorthands spelled out, propDefinitions copied in.

/** What a component is faulted for before it can run. */
export class DefinitionError extends Error {
  constructor(message) {
    super(message);
    this.name = 'DefinitionError';
  }
}

/** How many definitions may refer to each other. */
const CHAIN_MAX = 16;

const isObject = (value) => (typeof value === 'object' && value !== null && !Array.isArray(value))
  || typeof value === 'function';

/** `{name: definition}` of all props, in the order of their declaration. */
export function definitions(props, where = 'props') {
  if (props === undefined || props === null) return Object.create(null);
  if (!isObject(props)) throw new DefinitionError(`${where} must be an object of prop definitions`);
  const made = Object.create(null);
  for (const name of Object.keys(props)) {
    if (props[name] === undefined || props[name] === null || props[name] === false) continue;
    made[name] = definition(props[name], `${where}.${name}`);
  }
  return made;
}

/**
 * One definition made whole. `owner` is the app whose propDefinition holds the `options`, so that they run with the
 * app as `this`; `inputs` are what goes into their argument, the outermost last.
 */
export function definition(raw, where, depth = 0) {
  if (typeof raw === 'string') return { type: raw, inputs: [], origin: raw };
  if (!isObject(raw)) {
    throw new DefinitionError(`${where} must be a type, an object with a type, or an app; it is ${kind(raw)}`);
  }
  if (raw.propDefinition === undefined) {
    if (typeof raw.type !== 'string') throw new DefinitionError(`${where} has no type`);
    return { ...raw, inputs: [], origin: raw };
  }
  if (depth > CHAIN_MAX) throw new DefinitionError(`${where}: its propDefinition leads in a circle`);
  const { propDefinition, ...local } = raw;
  const [app, name, inputs] = Array.isArray(propDefinition) ? propDefinition : [];
  if (!isObject(app) || typeof name !== 'string') {
    throw new DefinitionError(`${where}: propDefinition must be [app, "name"] or [app, "name", inputs]`);
  }
  const base = app.propDefinitions?.[name];
  if (base === undefined) {
    const has = Object.keys(app.propDefinitions ?? {}).join(', ') || 'none';
    throw new DefinitionError(`${where}: the app ${app.app ?? ''} has no propDefinition "${name}". It has: ${has}`);
  }
  const whole = definition(base, `${where} (propDefinition "${name}")`, depth + 1);
  const given = inputs === undefined ? [] : [inputs];
  const owner = local.options === undefined ? whole.owner ?? app : undefined;
  return { ...whole, ...local, owner, inputs: [...whole.inputs, ...given] };
}

/** The argument of `options` beside page, context and query. */
export function inputsOf(definition, configured) {
  const made = {};
  for (const given of definition.inputs) {
    Object.assign(made, typeof given === 'function' ? given(configured) : given);
  }
  return made;
}

function kind(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
