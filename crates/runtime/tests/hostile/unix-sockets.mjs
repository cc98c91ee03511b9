// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const net = await import('node:net'); const told = [];
    const { Pipe, constants, PipeConnectWrap } = (() => { try { return process.binding('pipe_wrap'); } catch { return {}; } })();
    for (const path of ['%UNIX%', '/proc/self/fd/0', '/var/run/docker.sock']) told.push(await new Promise((done) => {
      const socket = net.connect({ path }, () => { socket.write('hello'); });
      socket.on('error', (it) => done(it.code)); socket.on('close', () => done('closed'));
      setTimeout(done, 200, 'open').unref(); }));
    try { const pipe = new Pipe(constants.SOCKET); told.push(pipe.connect(new PipeConnectWrap(), '%UNIX%')); } catch (it) { told.push(it.name); }
    try { const server = net.createServer().listen({ path: '/tmp/mine' }); server.on('error', () => {}); } catch {}
    try { process.stdin.resume(); told.push(typeof process.stdin.fd); } catch (it) { told.push(it.name); }
    return told;
  },
};
