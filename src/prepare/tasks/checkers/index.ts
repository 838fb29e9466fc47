export { check, judge, references } from './check.js';
export { numberWord, readNumber } from './numbers.js';
