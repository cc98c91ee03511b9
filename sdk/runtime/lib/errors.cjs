'use strict';

/** A mistake in how the component is set up: shown to the user, without a stack unless asked for. */
class ConfigurationError extends Error {
  constructor(message, exposeStack = false) {
    super(message);
    this.name = 'ConfigurationError';
    this.exposeStack = exposeStack;
  }
}

/** A request that did not succeed. `response` is there when the other side answered. */
class RequestError extends Error {
  constructor(message, code, response) {
    super(message);
    this.name = 'AxiosError';
    this.code = code;
    this.isAxiosError = true;
    if (response !== undefined) {
      this.response = response;
      this.status = response.status;
    }
  }
}

/** Ends the run early, and no failure. */
function $end(message) {
  const error = new Error(message ?? 'ended');
  error.__pd_end = { message: message ?? '', ts: Date.now() };
  throw error;
}

module.exports = { ConfigurationError, RequestError, $end };
