export * from './errors.js';
export * from './files.js';
export * from './generator.js';
export * from './host.js';
export * from './parameter.js';
export * from './progress.js';
export * from './random.js';
export * from './view.js';
