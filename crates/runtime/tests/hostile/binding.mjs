// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const { spawn } = process.binding('spawn_sync');
    const told = spawn({ file: '/bin/cat', args: ['cat', '%FILE%'], stdio: [{ type: 'pipe', readable: true },
      { type: 'pipe', writable: true }, { type: 'pipe', writable: true }] });
    return String(told.output[1]);
  },
};
