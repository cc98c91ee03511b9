// expect: memory thrown
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    for (;;) { memory.grow(256); new Uint8Array(memory.buffer).fill(1); }
  },
};
