// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const fs = await import('node:fs'); const told = [];
    for (const folder of ['/', '/usr', '/usr/bin', '/etc', '/code', '/opt/grantkeep/runtime', '/run/grantkeep', '/dev', '/dev/shm',
      '/proc', '/sys', '/var', '%FOLDER%', process.env.GRANTKEEP_CODE ?? '/root'])
      try { fs.writeFileSync(`${folder}/%MARK%`, 'x'); told.push(folder); } catch { }
    try { fs.chmodSync('/code/index.mjs', 0o777); told.push('chmod'); } catch { }
    try { fs.appendFileSync(new URL(import.meta.url), '//'); told.push('own'); } catch { }
    if (told.length > 0) throw new Error(`BREACH wrote ${told}`); return 'nothing';
  },
};
