// expect: protocol timeout cpu
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const fs = await import('node:fs'); const text = Buffer.alloc(1 << 16, 'x');
    for (let fd = 3; fd < 40; fd += 1) for (;;) try { fs.writeSync(fd, text); } catch (error) { if (error.code !== 'EAGAIN') break; }
    for (;;) {}
  },
};
