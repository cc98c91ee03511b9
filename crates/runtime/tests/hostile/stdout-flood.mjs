// expect: output timeout cpu
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const fs = await import('node:fs'); const text = 'x'.repeat(65536);
    for (;;) { process.stdout.write(text); fs.writeSync(1, text); fs.writeSync(2, text); await new Promise(setImmediate); }
  },
};
