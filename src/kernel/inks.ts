/**
 * Inks of tracebacks. Behind errors JupyterLab's light theme is pink and its dark one dark red: no colour of letters is legible on both (contrast
 * 4.5:1). So what must be found at once brings its own ground, white on red, in colours that no theme changes; the rest has the theme's ink.
 */

export const alarm = (text: string): string => `\u001b[1;38;5;231;48;5;124m${text}\u001b[22;39;49m`;

export const bold = (text: string): string => `\u001b[1m${text}\u001b[22m`;

/** Where a front end knows it. Bright black, which all know, is unreadable on dark red. */
export const faint = (text: string): string => `\u001b[2m${text}\u001b[22m`;
