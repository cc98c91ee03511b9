// expect: ended thrown
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    process.reallyExit?.(0); process.abort(); const all = process.binding('util'); return all;
  },
};
