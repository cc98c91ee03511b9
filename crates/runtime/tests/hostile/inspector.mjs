// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const inspector = await import('node:inspector'); inspector.open(0, '127.0.0.1');
    process._debugProcess?.(%PID%); return inspector.url() !== undefined;
  },
};
