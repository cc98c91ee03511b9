// expect: memory thrown
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1));
  },
};
