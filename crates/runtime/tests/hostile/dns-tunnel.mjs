// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const dns = await import('node:dns'); const dgram = await import('node:dgram');
    const resolver = new dns.promises.Resolver({ timeout: 200, tries: 1 });
    resolver.setServers(['127.0.0.1:%PORT%']);
    const told = [await resolver.resolve4('canary.example').catch((it) => it.code)];
    const socket = dgram.createSocket('udp4'); socket.on('error', () => {});
    await new Promise((done) => { socket.send('x', %PORT%, '127.0.0.1', done); setTimeout(done, 200); });
    return told;
  },
};
