/** Text as data (private): normal forms, words, n-grams, similarity. No Node module: it runs in a browser page. */
export { hashText, mix } from './hash.js';
export { type Bands, candidateProbability, chooseBands, estimateJaccard, LshIndex, MinHash } from './minhash.js';
export { jaccard, ngrams, type ShingleOptions, shingles } from './ngrams.js';
export { type NormalizeOptions, normalize, words } from './normalize.js';
export { type RougeKind, type RougeOptions, type RougeScore, rouge, rougeWords } from './rouge.js';
