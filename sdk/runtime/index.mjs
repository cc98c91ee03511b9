import runtime from './index.cjs';
export const { defineComponent, defineAction, defineSource, defineApp, ConfigurationError } = runtime;
export default runtime;
