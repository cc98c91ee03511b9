// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const told = [];
    for (const pid of [%PID%, 1, -1, -%PID%]) try { process.kill(pid, 'SIGKILL'); told.push(pid); } catch (error) { told.push(error.code); }
    return told;
  },
};
