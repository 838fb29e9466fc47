import { Unavailable } from '../../../base/core/index.js';

/** What a detector says of a text: an ISO 639-1 code (`en`), '' when it cannot tell, and whether it is sure. */
export interface DetectedLanguage {
  language: string;
  reliable?: boolean;
}

/** Tells the language of a text. */
export type LanguageDetector = (text: string) => DetectedLanguage | Promise<DetectedLanguage>;

/**
 * The detector of the optional package `eld` (60 languages, n-grams; 3 MB in its small size), loaded when asked for.
 * In a browser page pass a detector of your own: `text => ({language: …})`.
 * @throws Unavailable when eld is not installed.
 */
export async function eldDetector(): Promise<LanguageDetector> {
  type Eld = { detect(text: string): { language: string; isReliable(): boolean } };
  let module: { eld: Eld };
  try {
    // Its name is kept out of the compiler's sight, as of every optional peer.
    const name: string = 'eld/small';
    module = (await import(name)) as typeof module;
  } catch (error) {
    throw new Unavailable({
      problem: 'the language detector eld cannot be loaded',
      found: error instanceof Error ? error.message.split('\n')[0] : String(error),
      fix: 'npm install eld@2.1.0, or pass a detector of your own: language: {keep: [...], detect: text => ({language: ...})}',
      cause: error,
    });
  }
  return text => {
    const result = module.eld.detect(text);
    return { language: result.language, reliable: result.isReliable() };
  };
}
