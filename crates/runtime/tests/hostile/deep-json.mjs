// expect: protocol thrown
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    let text = '1'; for (let n = 0; n < 5000; n += 1) text = `[${text}]`;
    $.export('deep', JSON.parse(text)); return 1;
  },
};
