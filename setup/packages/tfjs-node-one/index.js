// danfojs-node pins tfjs-node ^3.13, whose installer downloads a library that is gone. This package takes its
// place (see "overrides" in the root package.json) and hands danfo the TensorFlow.js the process already has.
module.exports = require('@tensorflow/tfjs');
