// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const fs = await import('node:fs'); const told = [];
    const at = `${process.env.TMPDIR}/link`;
    for (const to of ['%FILE%', '/etc/shadow', '/proc/1/root']) {
      try { fs.symlinkSync(to, at); told.push(fs.readFileSync(at, 'utf8')); } catch (error) { told.push(error.code); }
      try { fs.writeFileSync(at, 'overwritten'); } catch (error) { told.push(error.code); }
      try { fs.unlinkSync(at); } catch {}
    }
    try { fs.linkSync('%FILE%', at); told.push(fs.readFileSync(at, 'utf8')); } catch (error) { told.push(error.code); }
    return told;
  },
};
