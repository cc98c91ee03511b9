import assert from 'node:assert/strict';
import { test } from 'node:test';
import { action, once, worker } from './host.mjs';

test('a syntax error has file, line and column', async (t) => {
  const host = await worker(t, 'export default {\n  run() { const x = ; },\n};\n');
  const { error } = await host.load();
  assert.equal(error.name, 'SyntaxError');
  assert.equal(error.message, "Unexpected token ';'");
  assert.deepEqual(error.position, { file: 'index.mjs', line: 2, column: 21 });
});

test('so has one in a file that is imported', async (t) => {
  const host = await worker(t, { 'index.mjs': "import './lib/x.mjs';\nexport default {};", 'lib/x.mjs': 'let a;\nlet a;' });
  const { error } = await host.load();
  assert.deepEqual(error.position, { file: 'lib/x.mjs', line: 2, column: 5 });
});

test('a name that a module does not export has its place', async (t) => {
  const { error } = await (await worker(t, "\nimport { nope } from '@grantkeep/runtime';\nexport default nope;")).load();
  assert.match(error.message, /does not provide an export named 'nope'/);
  assert.deepEqual(error.position, { file: 'index.mjs', line: 2, column: 10 });
});

test('a missing package says which', async (t) => {
  const { error } = await (await worker(t, "import 'left-pad';\nexport default {};")).load();
  assert.match(error.message, /Cannot find package 'left-pad' imported from/);
});

test('what throws while it is loaded has its place', async (t) => {
  const { error } = await (await worker(t, 'export default {};\nthrow new RangeError("no");')).load();
  assert.equal(error.name, 'RangeError');
  assert.deepEqual(error.position, { file: 'index.mjs', line: 2, column: 7 });
});

test('a ConfigurationError has no stack unless it says so', async (t) => {
  const { answer, host } = await once(t, action(`
    throw new ConfigurationError('set the name', steps.expose);`), { steps: { expose: false } });
  assert.equal(answer.error.configuration, true);
  assert.equal(answer.error.stack, null);
  assert.equal(answer.error.message, 'set the name');
  assert.equal(answer.error.position.line, 6);
  const open = await host.run({ steps: { expose: true } });
  assert.match(open.error.stack, /index\.mjs:6/);
});

test('a stack has no frames of ours', async (t) => {
  const { answer } = await once(t, action('throw new Error("x");'));
  assert.match(answer.error.stack, /^Error: x\n {4}at .*index\.mjs:5:/);
  assert.doesNotMatch(answer.error.stack, /runner|node:internal/);
});

const thrown = [
  ["'text'", 'text'], ['null', 'null'], ['undefined', 'undefined'], ['{ a: 1 }', '{ a: 1 }'], ['7n', '7n'],
  ['Object.create(null)', '[Object: null prototype] {}'],
  ["{ get message() { throw 1; } }", /message/], ["new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; } })", /./],
];
for (const [value, message] of thrown) {
  test(`a run may throw ${value}`, async (t) => {
    const { error } = (await once(t, action(`throw ${value};`))).answer;
    assert.equal(error.name, 'Error');
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
  });
}

test('the status of an answer is the status of the error', async (t) => {
  const { host, answer } = await once(t, action('throw Object.assign(new Error("x"), steps);'), { steps: { response: { status: 401 } } });
  assert.equal(answer.error.status, 401);
  assert.equal((await host.run({ steps: { status: 404 } })).error.status, 404);
  assert.equal((await host.run({ steps: { statusCode: 500 } })).error.status, 500);
  assert.equal((await host.run({ steps: { status: 'bad' } })).error.status, null);
});

const unwritable = [
  ['a circle', 'const a = { b: {} }; a.b.c = [a]; return a;', 'not_json', /\.b\.c\[0\] refers back to an object that it is part of/],
  ['a BigInt', 'return { list: [1, 7n] };', 'not_json', /\.list\[1\] is a BigInt/],
  ['a getter that throws', 'return { get secret() { throw new Error("ha"); } };', 'not_json', /reading \.secret threw: ha/],
  ['too much', 'return "x".repeat(7 * 1024 * 1024);', 'too_large', /has \d+ bytes as JSON; at most 6291456 are kept/],
  ['a text of many bytes', 'return "€".repeat(3 * 1024 * 1024);', 'too_large', /at most 6291456/],
  ['a hostile toJSON', 'return { toJSON() { throw undefined; } };', 'not_json', /cannot be written as JSON/],
];
for (const [name, code, expected, message] of unwritable) {
  test(`a return value with ${name} is a typed error`, async (t) => {
    const { error } = (await once(t, action(code))).answer;
    assert.equal(error.code, expected);
    assert.match(error.message, message);
    assert.match(error.message, /^the return value/);
  });
}

test('an export that is no JSON throws where it is made', async (t) => {
  const { host, answer } = await once(t, action(`
    try { $.export('a', 7n); } catch (error) { return [error.code, error.message]; }`));
  assert.equal(answer.ok.ret[0], 'not_json');
  assert.match(answer.ok.ret[1], /the export "a"/);
  assert.deepEqual(host.exports(), {});
});

test('what JSON leaves out, a run may return', async (t) => {
  const { host, answer } = await once(t, action('return steps.a ? () => 1 : undefined;'));
  assert.equal(answer.ok.ret, null);
  assert.equal((await host.run({ steps: { a: 1 } })).ok.ret, null);
});

test('an uncaught exception and a rejection that nobody handles fail the run, and the next one goes well', async (t) => {
  const { host, answer } = await once(t, action(`
    if (steps.how === 'timer') { setTimeout(() => { throw new TypeError('later'); }, 5); await new Promise(() => {}); }
    if (steps.how === 'rejection') { Promise.reject(new RangeError('lost')); await new Promise(() => {}); }
    if (steps.how === 'floating') { Promise.reject(new RangeError('floating')); }
    return 'well';`), { steps: { how: 'timer' } });
  assert.deepEqual([answer.error.name, answer.error.message, answer.error.position.line], ['TypeError', 'later', 6]);
  assert.equal((await host.run({ steps: { how: 'rejection' } })).error.message, 'lost');
  assert.equal((await host.run({ steps: { how: 'floating' } })).error.message, 'floating');
  assert.equal((await host.run()).ok.ret, 'well');
});

test('a run before a load, a second load and an unknown order are refused', async (t) => {
  const host = await worker(t, action(''));
  assert.match((await host.run()).error.message, /No component is loaded/);
  assert.equal((await host.load()).error, undefined);
  assert.match((await host.load()).error.message, /loads one component/);
  assert.match((await host.order('sing')).error.message, /does not know how to sing/);
});
