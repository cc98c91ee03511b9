// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const net = await import('node:net'); const { readdirSync } = await import('node:fs'); const told = [];
    const paths = ['%OTHER%', '/run/grantkeep/broker.sock', '\0%OTHER%'];
    try { for (const it of readdirSync('%WORKERS%')) paths.push(`%WORKERS%/${it}/run/broker.sock`); } catch {}
    for (const path of paths) told.push(await new Promise((done) => {
      const socket = net.connect({ path }, () => socket.write('{"hello":"control","version":1,"node":"x"}\n'));
      socket.on('error', (it) => done(it.code)); socket.on('close', () => done('closed'));
      setTimeout(done, 200, 'open').unref(); }));
    return told;
  },
};
