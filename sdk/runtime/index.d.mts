import * as runtime from './index.js';

export * from './index.js';
export default runtime;
