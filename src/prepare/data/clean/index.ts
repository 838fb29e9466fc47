/** Cleaning: repeated rows, filters, evaluation rows among training rows. */
export { Contamination, type ContaminationOptions, contamination, type Overlap, type OverlapSide } from './contamination.js';
export { type Deduped, type DedupeOptions, type Duplicate, dedupe, type NearOptions, type NearSearch } from './dedupe.js';
export { type Filtered, type FilterOptions, filter, type LanguageFilter, type Range } from './filter.js';
export { type DetectedLanguage, eldDetector, type LanguageDetector } from './language.js';
export { CleanReport, type ReasonCount, type Removed } from './report.js';
export type { TextOf } from './row-text.js';
