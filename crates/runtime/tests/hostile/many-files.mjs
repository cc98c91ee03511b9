// expect: files thrown timeout cpu
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const fs = await import('node:fs');
    for (let n = 0; n < 1e6; n += 1) fs.writeFileSync(`${process.env.TMPDIR}/${n}`, '');
    for (;;) {}
  },
};
