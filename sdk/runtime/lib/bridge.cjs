'use strict';

// Where the runner and the package that code imports meet: the runner puts its call to the host here.
module.exports = { call: undefined };
