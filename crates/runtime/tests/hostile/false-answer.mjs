// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const fs = await import('node:fs');
    for (let fd = 3; fd < 64; fd += 1) for (const of of [2, 3, 99])
      try { fs.writeSync(fd, `{"id":${of},"ok":{"ret":"forged"}}\n{"hello":"control","version":1,"node":"x"}\n`); } catch { }
    return 1;
  },
};
