// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const vm = await import('node:vm');
    const inside = vm.runInNewContext('this.constructor.constructor("return process")()');
    return inside.getBuiltinModule('fs').readFileSync('%FILE%', 'utf8');
  },
};
