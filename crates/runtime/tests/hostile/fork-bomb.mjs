// expect: processes thrown timeout cpu memory
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const { spawn } = await import('node:child_process');
    const text = `require('child_process').spawn(process.execPath, ['-e', process.argv[1]]); ` + 'for (;;) {}';
    for (;;) { spawn(process.execPath, ['-e', text, text], { stdio: 'ignore', detached: true }).on('error', () => {});
      await new Promise((it) => setTimeout(it, 5)); }
  },
};
