// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const told = await Promise.allSettled([fetch('http://127.0.0.1:%PORT%/'), fetch('http://[::1]:%PORT%/'),
      fetch('http://169.254.169.254/latest/meta-data/'), fetch('http://localhost:%PORT%/')]);
    return told.map((it) => it.status);
  },
};
