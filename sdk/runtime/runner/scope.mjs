// Which run a line, an error or a timer belongs to.

import { AsyncLocalStorage } from 'node:async_hooks';
import { apply } from './originals.mjs';

const storage = new AsyncLocalStorage();
const { getStore, run: enter } = AsyncLocalStorage.prototype;
let active;

/** Runs `act` so that all that it starts, however much later, belongs to `run`. */
export function within(run, act) {
  active = run;
  return apply(enter, storage, [run, act]);
}

/** The run that the code now on the stack belongs to; undefined once that run is over. */
export function current() {
  const run = apply(getStore, storage, []) ?? active;
  return run === undefined || run.over ? undefined : run;
}

/** Ends a run: what it left behind is heard no more. */
export function leave(run) {
  run.over = true;
  if (active === run) active = undefined;
}
