// expect: thrown ended
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    process.exit(0);
  },
};
