// What every cell can call without an import. The compiler of the cells reads the declarations that are made from this file; the
// functions are installed by executor.ts.
declare global {
  /**
   * Ask the user for a line of text and wait for it; nothing else runs meanwhile. The fallback is shown in brackets and returned
   * when nothing is entered. Throws where the front end takes no input. See {@link ask} for a question that does not stop training.
   */
  function prompt(message?: string, fallback?: string): string;
  /** Ask the user for a line of text while timers, training and displays go on. With `password` the front end hides what is typed. */
  function ask(message?: string, options?: { default?: string; password?: boolean }): Promise<string>;
}

export {};
