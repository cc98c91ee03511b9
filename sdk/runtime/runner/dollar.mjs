// `$` of an action's run.

import { defineProperty, freeze, isFinite, keys, own, PlainTypeError, push, put, toText } from './originals.mjs';
import { answered } from './handles.mjs';
import { object, quote, toJson } from './json.mjs';
import { fileStore } from './store.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;
const YEAR_MS = 365 * DAY_MS;
const RETRIES_MAX = 10;

/** Makes `$` for one run. `context` is what the host said of it. */
export function dollar(run, context) {
  const notify = (name, value) => run.notice('export', `{"name":${quote(name)},"value":${toJson(value, `the export "${name}"`)}}`);
  return {
    export(name, value) {
      if (typeof name !== 'string' || name === '') throw new PlainTypeError('$.export needs a name');
      notify(name, value);
    },
    summary: (text) => notify('$summary', text),
    respond: (answer) => respond(run, answer),
    flow: flow(run, context),
    send: send(run),
    context: context ?? {},
    files: fileStore(run.stash),
  };
}

function respond(run, answer) {
  const immediate = answer?.immediate === true;
  const sent = answered(answer).then((text) => {
    run.notice('respond', object({ __proto__: null, ...text, immediate: immediate ? 'true' : 'false' }));
  });
  push(run.pending, sent);
  return sent;
}

function milliseconds(given, fallback, what) {
  if (given === undefined || given === null) return fallback;
  if (typeof given !== 'number' || !isFinite(given) || given < 1 || given > YEAR_MS) {
    throw new PlainTypeError(`${what} takes milliseconds, from 1 to ${YEAR_MS} (a year)`);
  }
  return Math.round(given);
}

function flow(run, context) {
  const json = (value) => toJson(value ?? null, 'the context');
  const take = (kind, more) => {
    run.flow = object({ __proto__: null, kind: quote(kind), ...more });
    run.marker = {};
    return run.marker;
  };
  const paused = (kind, ms, given, more) => withUrls(run, context, kind, take(kind, { ms: toText(ms), context: json(given), ...more }));
  return {
    exit: (reason) => take('exit', { reason: reason === undefined || reason === null ? 'null' : quote(reason) }),
    suspend: (ms, given) => paused('suspend', milliseconds(ms, DAY_MS, '$.flow.suspend'), given),
    delay(ms, given) {
      if (ms === undefined || ms === null) throw new PlainTypeError('$.flow.delay needs milliseconds');
      return paused('delay', milliseconds(ms, undefined, '$.flow.delay'), given);
    },
    rerun(ms, given, retries = RETRIES_MAX) {
      if (!Number.isInteger(retries) || retries < 0) throw new PlainTypeError('$.flow.rerun: maxRetries is a whole number');
      return paused('rerun', milliseconds(ms, 1, '$.flow.rerun'), given, { retries: toText(retries) });
    },
    trigger: (workflow, payload) => run.ask('flow.trigger', {
      __proto__: null, workflow: quote(workflow), payload: toJson(payload, 'the payload'),
    }),
    refreshTimeout: () => run.ask('flow.refreshTimeout', { __proto__: null }),
  };
}

/**
 * The addresses that resume or cancel. Known at once where the host put `resume_url` and `cancel_url` into the
 * context; else they can be awaited.
 */
function withUrls(run, context, kind, marker) {
  if (typeof own(context, 'resume_url') === 'string') {
    put(marker, 'resume_url', context.resume_url);
    return put(marker, 'cancel_url', own(context, 'cancel_url'));
  }
  const wait = (resolve, reject) => {
    delete marker.then;
    run.ask('flow.urls', { __proto__: null, kind: quote(kind) }).then((urls) => {
      put(marker, 'resume_url', own(urls, 'resume_url'));
      resolve(put(marker, 'cancel_url', own(urls, 'cancel_url')));
    }, () => resolve(marker)).catch(reject);
  };
  return defineProperty(marker, 'then', { __proto__: null, value: wait, enumerable: false, configurable: true });
}

const isText = (value) => typeof value === 'string' && value !== '';

/** What each kind of message must have. */
const NEEDS = {
  __proto__: null,
  http: (it) => isText(it.url) || 'url',
  email: (it) => (isText(it.subject) ? isText(it.text) || isText(it.html) || 'text or html' : 'subject'),
  emit: (it) => it.raw_event !== undefined || 'raw_event',
  s3: (it) => (isText(it.bucket) ? it.payload !== undefined || 'payload' : 'bucket'),
  sse: (it) => (isText(it.channel) ? it.payload !== undefined || 'payload' : 'channel'),
};

function send(run) {
  const made = {};
  const kinds = keys(NEEDS);
  for (let at = 0; at < kinds.length; at += 1) {
    const kind = kinds[at];
    put(made, kind, (value) => {
      const missing = typeof value === 'object' && value !== null ? NEEDS[kind](value) : 'an object';
      if (missing !== true) throw new PlainTypeError(`$.send.${kind} needs ${missing}`);
      run.notice('send', `{"kind":${quote(kind)},"value":${toJson(value, `what $.send.${kind} sends`)}}`);
    });
  }
  return freeze(made);
}
