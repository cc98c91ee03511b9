'use strict';

// What apps of databases mix in. Each method is for the app to write.

const { ConfigurationError } = require('./errors.cjs');

const missing = (name) => function notWritten() {
  throw new ConfigurationError(`The app does not have ${name}: it has to be written for this database`);
};

const methods = (...names) => Object.fromEntries(names.map((name) => [name, missing(name)]));

/** For apps whose components have a prop of type `sql`. */
const sqlProp = { methods: methods('executeQueryAdapter', 'getSchema') };

/** For apps whose queries can go through a proxy. */
const sqlProxy = { methods: methods('getClientConfiguration', 'executeQuery', 'proxyAdapter') };

module.exports = { sqlProp, sqlProxy };
