// expect: memory
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const all = []; for (;;) all.push(new Array(1e5).fill(all.length));
  },
};
