// expect: returned
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run() {
    const { readSync, readlinkSync } = await import('node:fs');
    const told = [];
    for (let fd = 3; fd < 400; fd += 1) {
      const bytes = Buffer.alloc(64);
      try { told.push(`${readlinkSync(`/proc/self/fd/${fd}`)} ${bytes.toString('utf8', 0, readSync(fd, bytes, 0, 64, 0))}`); } catch {}
    }
    return told;
  },
};
