// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const fs = await import('node:fs');
    const own = fs.openSync('/proc/self/mem', 'r+'); const bytes = Buffer.alloc(16);
    try { fs.readSync(own, bytes, 0, 16, 0x400000); } catch {}
    fs.openSync('/proc/%PID%/mem', 'r+');
  },
};
