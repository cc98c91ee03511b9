export default {
  key: "bench-timer",
  name: "Timer",
  version: "0.0.1",
  type: "source",
  props: { timer: "$.interface.timer" },
  run() {
    this.$emit({ at: Date.now() });
  },
};
