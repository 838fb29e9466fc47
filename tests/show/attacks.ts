/** Texts of data or models that would do harm where they are not treated as text. Each asks a page to set `window.__pwned`. */
export const ATTACKS: readonly string[] = [
  '<script>window.__pwned=1</script>',
  '</style></svg></title><img src=x onerror="window.__pwned=1">',
  ']]><script>window.__pwned=1</script>',
  '"onmouseover="window.__pwned=1" x="',
  "'];window.__pwned=1;['",
  '{{constructor.constructor("window.__pwned=1")()}}',
  "datum['a'] && (window.__pwned=1)",
  'javascript:window.__pwned=1',
  '<a href="https://evil.example/">x</a><link rel=stylesheet href="https://evil.example/x.css">',
  '\u202eesrever\u2066\u200b\ud800\u0000\u001b]0;title\u0007',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: text that looks like code is the point
  'a.b[0]["c"]\\\'\n\t`${window.__pwned=1}`',
];
/** All of them at once. */
export const ALL: string = ATTACKS.join(' ');
