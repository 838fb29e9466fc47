/** How text is to be generated. */
export interface TextOptions {
  /** Upper bound of generated tokens; defaults to 64. */
  maxNewTokens?: number;
  /** 0 (the default) is greedy. */
  temperature?: number;
  topP?: number;
  /** Strings that end a generation; they are not part of the text returned. */
  stop?: readonly string[];
  seed?: number;
  signal?: AbortSignal;
}

/** One generated text and why it ended. */
export interface GeneratedText {
  text: string;
  finish: 'stop' | 'length';
  tokens: number;
}

/** Anything that continues text: a model of ours, an HTTP server, a stub in a test. */
export interface TextGenerator {
  generate(prompts: readonly string[], options?: TextOptions): Promise<GeneratedText[]>;
}
