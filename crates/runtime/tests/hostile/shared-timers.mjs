// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const { Worker } = await import('node:worker_threads');
    new Worker('const { workerData } = require("worker_threads"); for (;;) workerData[0] += 1;',
      { eval: true, workerData: shared });
    Atomics.wait(shared, 0, 1, 100); return shared[0] >= 0;
  },
};
