/**
 * Values whose keys belong to somebody else, such as the field names of an app: passed on as they
 * are.
 */
const OPAQUE = new Set([
  'credentials',
  'cfmap',
  'discovered',
  'details',
  'public_jwk',
  'configurable_props',
  'configured_props',
  // What components and their code say.
  'annotations',
  'callback_observations',
  'context',
  'dynamicProps',
  'e',
  'event',
  'exports',
  'options',
  'os',
  'observations',
  'props',
  'ret',
]);
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/**
 * From the wire to here: `snake_case` keys become `camelCase`, times (`.._at` in ISO 8601) become
 * `Date`.
 */
export function fromWire(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromWire);
  if (!isRecord(value)) return value;
  const made: Record<string, unknown> = {};
  for (const [key, it] of Object.entries(value)) {
    const name = toCamel(key);
    if (name === '__proto__') continue;
    if (OPAQUE.has(key)) made[name] = it;
    else if (key.endsWith('_at') && typeof it === 'string' && ISO.test(it))
      made[name] = new Date(it);
    else made[name] = fromWire(it);
  }
  return made;
}

/** From here to the wire. Only the outer keys: what they hold is sent as it was given. */
export function toWire(value: object): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const [key, it] of Object.entries(value)) if (it !== undefined) made[toSnake(key)] = it;
  return made;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toCamel(key: string): string {
  return key.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

export function toSnake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
