// expect: timeout cpu
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    while (true) {}
  },
};
