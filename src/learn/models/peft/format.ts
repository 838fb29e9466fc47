import { BadInput, quote } from '../../../base/core/index.js';
import type { Adapter, AdapterSpec } from '../adapter.js';
import type { Model } from '../model.js';

/** A tensor an adapter will have, known before anything is allocated: what a file must hold. */
export interface PlannedTensor {
  /** Name in adapter_model.safetensors, e.g. `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`. */
  file: string;
  shape: readonly number[];
}

/** An adapter that can be written to and read from a folder in PEFT's layout. */
export interface FiledSpec extends AdapterSpec {
  /** The tensors the adapter has on this model. Throws BadInput where it cannot be put on it. */
  plan(model: Model): readonly PlannedTensor[];
  /** `values`: first values by file name, in place of random ones. */
  build(model: Model, name: string, values?: ReadonlyMap<string, Float32Array>): Adapter;
}

/** One `peft_type` of adapter_config.json. */
export interface PeftFormat {
  /** `LORA`, `IA3`, `PROMPT_TUNING`, `PREFIX_TUNING`; `BOTTLENECK` is our own: PEFT has no such adapters. */
  readonly peftType: string;
  /** The adapter a configuration describes. Throws BadInput for values that are not ones and for options that would change numbers. */
  spec(config: PeftConfig): FiledSpec;
}

/** adapter_config.json, read field by field so that every wrong value is named with its key. */
export class PeftConfig {
  constructor(
    readonly values: Readonly<Record<string, unknown>>,
    /** Path of the file, for messages. */
    readonly file: string,
  ) {}

  bad(key: string, expected: string, fix = 'save the adapter again with PEFT or tunebook'): BadInput {
    const found = quote(this.values[key] ?? null);
    return new BadInput({
      problem: 'The adapter configuration has a value that cannot be used',
      where: { file: this.file, key },
      expected,
      found,
      fix,
    });
  }

  /** A whole number of at least `least`; `otherwise` where the key is absent or null. */
  integer(key: string, least: number, otherwise?: number): number {
    const value = this.values[key] ?? otherwise;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
    throw this.bad(key, `a whole number of at least ${least}`);
  }

  /** A finite number. */
  number(key: string, otherwise: number): number {
    const value = this.values[key] ?? otherwise;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw this.bad(key, 'a number');
  }

  boolean(key: string, otherwise: boolean): boolean {
    const value = this.values[key] ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw this.bad(key, 'true or false');
  }

  /** A list of texts; undefined where the key is absent or null. */
  strings(key: string): string[] | undefined {
    const value = this.values[key] ?? undefined;
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every(item => typeof item === 'string')) return value as string[];
    throw this.bad(key, 'a list of texts');
  }

  /** A text, or a list of texts; undefined where the key is absent or null. */
  textOrTexts(key: string): string | string[] | undefined {
    const value = this.values[key] ?? undefined;
    return typeof value === 'string' ? value : this.strings(key);
  }

  /** An object of numbers; {} where the key is absent or null. */
  numbers(key: string): Record<string, number> {
    const value = this.values[key] ?? {};
    const isObject = typeof value === 'object' && !Array.isArray(value);
    if (isObject && Object.values(value as object).every(n => typeof n === 'number' && Number.isFinite(n)))
      return value as Record<string, number>;
    throw this.bad(key, 'an object of numbers');
  }

  /** Whether an option is off: absent, null, false, or empty. */
  isOff(key: string): boolean {
    const value = this.values[key] ?? undefined;
    if (value === undefined || value === false) return true;
    return typeof value === 'object' && Object.keys(value as object).length === 0;
  }

  /** Throws BadInput, naming the options, unless all of these are off: they change what the adapter computes. */
  refuse(options: Readonly<Record<string, string>>): void {
    const on = Object.keys(options).filter(key => !this.isOff(key));
    if (on.length === 0) return;
    throw new BadInput({
      problem: `The adapter uses ${on.length > 1 ? 'options' : 'an option'} of PEFT that tunebook does not compute: ${on.map(key => `${key} (${options[key]})`).join(', ')}`,
      where: { file: this.file, key: on[0] },
      fix: 'merge the adapter into its base with PEFT (merge_and_unload) and load the merged model',
    });
  }
}
