// expect: thrown memory
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    let text = 'x'; for (;;) text += text;
  },
};
