import * as runtime from './index.d.ts';
export = runtime;
