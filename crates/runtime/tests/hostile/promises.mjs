// expect: memory timeout cpu
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const all = []; for (let n = 0; n < 1e7; n += 1) all.push(new Promise(() => {}));
    await Promise.all(all);
  },
};
