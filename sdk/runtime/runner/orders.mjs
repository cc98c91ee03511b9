// What the host may order: load, run, options, additionalProps, hook, step. One at a time.

import { createRequire } from 'node:module';
import {
  apply, create, dictionary, hasOwn, isArray, keys, now, own, peek, PlainError, PlainPromise, put, setPrototypeOf, soon, toText,
} from './originals.mjs';
import { capture } from './console.mjs';
import { definition, inputsOf } from './definitions.mjs';
import { dollar } from './dollar.mjs';
import { failures } from './failures.mjs';
import { appInstance, instance } from './instance.mjs';
import { object, quote, toJson } from './json.mjs';
import { load, steps } from './load.mjs';
import { guard, hideEnvironment } from './process.mjs';
import { current, leave, within } from './scope.mjs';
import { folders, sendFile } from './stash.mjs';
import { wireProps } from './wire.mjs';

const bridge = createRequire(import.meta.url)('../lib/bridge.cjs');

const bad = (error) => ({ __proto__: null, ok: undefined, error });

/** Makes what answers the host's orders. `where` holds the paths of this worker; `disconnect` ends all connections. */
export function orders(channel, where, disconnect) {
  const inline = `${where.temporary}/.steps/`;
  const failure = failures(where.code, inline);
  const files = folders(where.temporary, where.stash);
  const step = steps(inline, where.code);
  const calm = capture((kind, text) => {
    current()?.notice('log', `{"k":${quote(kind)},"ts":${toText(now())},"msg":${quote(text)}}`);
  });
  let loaded;
  hideEnvironment(where.stash);
  guard();
  bridge.call = (method, params) => {
    const texts = dictionary();
    const names = keys(params);
    for (let at = 0; at < names.length; at += 1) put(texts, names[at], toJson(params[names[at]], `${method} ${names[at]}`));
    return ask(current(), method, texts);
  };

  function ask(run, method, params) {
    if (run === undefined || run.over) return PlainPromise.reject(new PlainError(`The run is over; ${method} comes too late`));
    return channel.call(run.of, method, params);
  }

  /** One order on its way. `done` resolves to the texts of its answer. */
  function begin(of) {
    const run = { __proto__: null, of, over: false, files: undefined, flow: null, marker: undefined, pending: [], stash: where.stash, db: undefined };
    run.done = new PlainPromise((resolve) => {
      run.end = resolve;
    });
    run.fail = (thrown, code) => run.end(bad(failed(run, thrown, code === undefined ? undefined : { code })));
    run.notice = (name, text) => {
      if (!run.over) channel.send(put({ __proto__: null, of: toText(of) }, name, text));
    };
    run.ask = (method, params) => ask(run, method, params);
    return run;
  }

  /** The failure as text; with the flow that was called before it, as the workflow may end by that. */
  function failed(run, thrown, known) {
    const text = failure(thrown, known);
    return run.flow === null ? text : `${text.slice(0, -1)},"flow":${run.flow}}`;
  }

  async function settle(run, act) {
    try {
      const answer = await act(run);
      for (let at = 0; at < run.pending.length; at += 1) await run.pending[at];
      // Rejections that nobody handles are told after the microtasks: they are still this run's.
      await new PlainPromise((resolve) => soon(resolve));
      run.end({ __proto__: null, ok: answer, error: undefined });
    } catch (thrown) {
      if (hasOwn(thrown ?? {}, 'thrown') && hasOwn(thrown, 'known')) run.end(bad(failed(run, thrown.thrown, thrown.known)));
      else run.end(bad(failed(run, thrown)));
    }
  }

  const acts = {
    __proto__: null,
    async load(run, message) {
      if (loaded !== undefined) throw new PlainError('A worker loads one component');
      loaded = await load(where.code + message.entry, where.code);
      return `{"component":${toJson(loaded.wire, 'the description of the component')}}`;
    },
    run: (run, message) => perform(run, component(), input(message)),
    async step(run, message) {
      const given = input(message);
      return perform(run, await step(own(given, 'code')), given);
    },
    options: (run, message) => options(run, component(), input(message)),
    async additionalProps(run, message) {
      const whole = await all(component(), input(message), run);
      return `{"props":${toJson(wireProps(whole), 'the props')}}`;
    },
    async hook(run, message) {
      const { component: it, whole } = component();
      const given = input(message);
      const hook = it.hooks?.[own(given, 'hook')];
      if (typeof hook !== 'function') return '{"ret":null}';
      await apply(hook, instance(it, whole, given, run), []);
      return '{"ret":null}';
    },
  };

  function component() {
    if (loaded === undefined) throw new PlainError('No component is loaded');
    return loaded;
  }

  function input(message) {
    return setPrototypeOf(own(message, 'input') ?? {}, null) ? message.input ?? dictionary() : dictionary();
  }

  async function perform(run, { component: it, whole }, given) {
    if (typeof it.run !== 'function') throw new PlainError('The component has no run');
    const wanted = own(given, 'stash') !== false;
    const before = files.receive(own(given, 'files'), wanted);
    const self = instance(it, whole, given, run);
    let answer;
    try {
      if (it.type === 'action') {
        const $ = dollar(run, own(given, 'context'));
        answer = await apply(it.run, self, [{ steps: own(given, 'steps') ?? {}, $ }]);
      } else {
        answer = await apply(it.run, self, [own(given, 'event') ?? undefined]);
      }
    } catch (thrown) {
      const end = peek(thrown, '__pd_end');
      if (end === undefined) throw thrown;
      run.flow = object({ __proto__: null, kind: '"end"', message: quote(toText(peek(end, 'message') ?? '')) });
      run.marker = answer = {};
    }
    const left = run.flow !== null && answer !== run.marker;
    const ret = it.type === 'action' && (run.flow === null || left) ? toJson(answer, 'the return value') : 'null';
    if (wanted) run.files = () => files.made(before);
    return object({ __proto__: null, ret, flow: run.flow ?? 'null', left: left ? 'true' : 'false' });
  }

  /** All definitions in force: the component's own, and those that `additionalProps` gives. */
  async function all({ component: it, whole }, given, run) {
    if (typeof it.additionalProps !== 'function') return whole;
    const previous = {};
    for (const name of keys(whole)) put(previous, name, { ...whole[name] });
    for (const { name, ...rest } of own(given, 'dynamicProps') ?? []) {
      if (!hasOwn(previous, name)) put(previous, name, rest);
    }
    const returned = await apply(it.additionalProps, instance(it, whole, given, run), [previous]);
    const made = create(null);
    for (const name of keys(whole)) put(made, name, { ...whole[name], ...previous[name] });
    for (const name of keys(returned ?? {})) {
      const added = returned[name];
      // What overrides a prop of the component need not say again what it is.
      const part = hasOwn(made, name) && peek(added, 'type') === undefined && peek(added, 'propDefinition') === undefined;
      if (part) put(made, name, { ...made[name], ...added });
      else if (added) put(made, name, overridden(own(made, name), definition(added, `additionalProps.${name}`)));
    }
    return made;
  }

  async function options(run, { component: it, whole }, given) {
    const name = own(given, 'prop');
    let asked = own(whole, name);
    if (asked === undefined) asked = own(await all({ component: it, whole }, given, run), name);
    if (asked === undefined) throw new PlainError(`The component has no prop "${toText(name)}"`);
    if (typeof asked.options !== 'function') return choices(asked.options ?? [], null);
    const self = instance(it, whole, given, run);
    const owner = asked.owner === undefined ? self : ownerOf(asked.owner, whole, self);
    const question = {
      page: own(given, 'page') ?? 0, prevContext: own(given, 'prevContext') ?? {}, query: own(given, 'query') ?? undefined,
      ...inputsOf(asked, self),
    };
    const found = await apply(asked.options, owner, [question]);
    if (isArray(found)) return choices(found, null);
    return choices(found?.options ?? [], found?.context ?? null);
  }

  /** Answers one order, and leaves the worker clean for the next. */
  return async function answer(message) {
    const of = message.id;
    const act = own(acts, message.op);
    const run = begin(of);
    within(run, () => settle(run, (it) => {
      if (act === undefined) throw new PlainError(`The runner does not know how to ${toText(message.op)}`);
      return act(it, message);
    }));
    let told = await run.done;
    const made = told.ok !== undefined && run.files !== undefined ? run.files() : [];
    leave(run);
    calm();
    for (let at = 0; at < made.length && told.ok !== undefined; at += 1) {
      try {
        await sendFile(where.enter, of, made[at]);
      } catch (thrown) {
        told = bad(failure(thrown, { code: 'file' }));
      }
    }
    files.empty();
    disconnect();
    channel.send({ __proto__: null, id: toText(of), ok: told.ok, error: told.error });
  };
}

function overridden(before, after) {
  const keep = before === undefined || after.options !== undefined ? after : before;
  return { ...before, ...after, owner: keep.owner, inputs: keep.inputs };
}

/** The app instance that a propDefinition belongs to. One is made where the component has no prop of that app. */
function ownerOf(app, whole, self) {
  for (const name of keys(whole)) {
    const it = whole[name];
    if (it.type === 'app' && (it.origin === app || (it.app !== undefined && it.app === app.app))) return self[name];
  }
  return appInstance(app, undefined, '');
}

/** The answer of `options`, of whichever form. */
function choices(list, context) {
  const given = isArray(list) ? list : [];
  const texts = given.length > 0 && given.every((it) => typeof it === 'string');
  const shown = texts ? null : given.map(choice);
  return toJson({ options: shown, stringOptions: texts ? given : null, context }, 'the options');
}

function choice(it) {
  if (it === null || typeof it !== 'object' || hasOwn(it, '__lv')) {
    return it !== null && typeof it === 'object' ? it : { label: toText(it), value: it };
  }
  return { label: toText(it.label ?? it.value), value: it.value };
}
