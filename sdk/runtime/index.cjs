'use strict';
const same = (it) => it;
class ConfigurationError extends Error {
  constructor(message, exposeStack = false) { super(message); this.name = 'ConfigurationError'; this.exposeStack = exposeStack; }
}
module.exports = { defineComponent: same, defineAction: same, defineSource: same, defineApp: same, ConfigurationError };
