// expect: processes thrown timeout cpu memory
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const { spawn } = await import('node:child_process');
    spawn('/bin/sh', ['-c', 'b() { b | b & }; b'], { stdio: 'ignore', detached: true });
    await new Promise(() => {});
  },
};
