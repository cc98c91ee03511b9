// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    Object.prototype.ok = { ret: 'polluted' }; Object.prototype.toJSON = () => 'polluted';
    Array.prototype.push = () => { throw 1; }; JSON.stringify = () => '{"id":1,"ok":{}}';
    globalThis.Promise = undefined; Object.prototype.path = '%OTHER%'; return { a: 1 };
  },
};
