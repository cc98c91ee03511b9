// expect: thrown
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const again = () => again() + 1; return again();
  },
};
