// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const found = $.constructor.constructor('return process')();
    const { readFileSync } = found.mainModule?.require('fs') ?? await import('node:fs');
    return readFileSync('%FILE%', 'utf8');
  },
};
