// Ends that code wants to make of the whole process, and errors that nobody caught: they end the run alone.

import { PlainError, own, keys, put, toText } from './originals.mjs';
import { current } from './scope.mjs';

/** Names of the environment that code may see. */
const SHOWN = { __proto__: null, PATH: true, HOME: true, TMPDIR: true, TZ: true, LANG: true };

/** Ends the process, past what code puts in the place of `process.exit`. */
const { reallyExit } = process;
export const die = (code) => reallyExit.call(process, code);

/** Leaves nothing of the host in `process.env`. Components write their files to `STASH_DIR`, or to /tmp. */
export function hideEnvironment(stash) {
  const names = keys(process.env);
  for (let at = 0; at < names.length; at += 1) {
    if (own(SHOWN, names[at]) !== true) delete process.env[names[at]];
  }
  process.env.STASH_DIR = stash;
}

export function guard() {
  const ending = (call) => (code) => {
    const error = new PlainError(`The code called ${call}(${code === undefined ? '' : toText(code)}). Return from run() instead`);
    put(error, 'name', 'ProcessExit');
    current()?.fail(error, 'exit');
    throw error;
  };
  put(process, 'exit', ending('process.exit'));
  put(process, 'reallyExit', ending('process.exit'));
  put(process, 'abort', ending('process.abort'));
  process.on('uncaughtException', (error) => current()?.fail(error));
  process.on('unhandledRejection', (error) => current()?.fail(error));
}
