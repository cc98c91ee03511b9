export default {
  key: "bench-nothing",
  name: "Nothing",
  version: "0.0.1",
  type: "action",
  props: {},
  async run() {
    return null;
  },
};
