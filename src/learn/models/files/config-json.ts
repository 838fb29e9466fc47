/**
 * Settings that transformers takes as floats alone: it refuses a config.json where one of them is written without a point.
 * (The fields with type `float` of the configuration classes we write, transformers 5.23.)
 */
const FLOATS: ReadonlySet<string> = new Set([
  'attention_factor',
  'attn_logit_softcapping',
  'final_logit_softcapping',
  'initializer_factor',
  'initializer_range',
  'layer_norm_epsilon',
  'rms_norm_eps',
  'router_aux_loss_coef',
  'router_jitter_noise',
]);

/** The text of a config.json. JavaScript has one kind of number and would write 3 for 3.0. */
export function configJson(config: Readonly<Record<string, unknown>>): string {
  // One setting a line, and no line of it within a string: JSON escapes their newlines.
  return `${JSON.stringify(config, undefined, 2)}\n`.replace(/^( *"(\w+)": -?\d+)(,?)$/gm, (line, start, key, comma) =>
    FLOATS.has(key) ? `${start}.0${comma}` : line,
  );
}
