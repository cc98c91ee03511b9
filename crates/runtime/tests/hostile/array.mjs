// expect: thrown
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    return new Array(2 ** 32);
  },
};
