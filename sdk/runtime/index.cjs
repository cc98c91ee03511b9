'use strict';

// What components import.

const { axios, transformConfigForOauth } = require('./lib/axios.cjs');
const { ConfigurationError, $end } = require('./lib/errors.cjs');
const { getFileStream, getFileStreamAndMetadata } = require('./lib/files.cjs');
const { cloneSafe, jsonStringifySafe } = require('./lib/json.cjs');
const { sqlProp, sqlProxy } = require('./lib/sql.cjs');

/** How often a polling source runs where nobody says otherwise, in seconds. */
const DEFAULT_POLLING_SOURCE_TIMER_INTERVAL = 900;

const defineComponent = (component) => component;
const defineAction = (action) => action;
const defineSource = (source) => source;
const defineApp = (app) => app;

module.exports = {
  $end, axios, cloneSafe, ConfigurationError, DEFAULT_POLLING_SOURCE_TIMER_INTERVAL, defineAction, defineApp, defineComponent,
  defineSource, getFileStream, getFileStreamAndMetadata, jsonStringifySafe, sqlProp, sqlProxy, transformConfigForOauth,
};
