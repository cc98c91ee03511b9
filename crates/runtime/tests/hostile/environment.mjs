// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const names = Object.keys(process.env).filter((it) => !/^(HOME|LANG|PATH|STASH_DIR|TMPDIR|TZ)$/.test(it));
    if (names.length > 0) throw new Error(`BREACH ${names}`); return process.report?.getReport().environmentVariables;
  },
};
