// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
    const told = [];
    for (const address of ['127.0.0.1', '%LAN%']) {
      const socket = new TCP(constants.SOCKET); const wanted = new TCPConnectWrap();
      wanted.oncomplete = (status) => told.push(status);
      told.push(socket.connect(wanted, address, %PORT%));
    }
    await new Promise((it) => setTimeout(it, 200)); return told;
  },
};
