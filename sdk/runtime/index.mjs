import runtime from './index.cjs';

export const {
  $end, axios, cloneSafe, ConfigurationError, DEFAULT_POLLING_SOURCE_TIMER_INTERVAL, defineAction, defineApp, defineComponent,
  defineSource, getFileStream, getFileStreamAndMetadata, jsonStringifySafe, sqlProp, sqlProxy, transformConfigForOauth,
} = runtime;
export default runtime;
