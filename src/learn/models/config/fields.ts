import { BadInput, quote } from '../../../base/core/index.js';

/**
 * Lists of weights are made from these numbers before any file is looked at, so they are bounded: far above any model, and far
 * below what a hostile config.json needs to use up the memory.
 */
export const MOST_LAYERS = 1000;
export const MOST_EXPERTS = 1024;

/** The keys of a config.json, read with checks: a value of the wrong kind is a BadInput that names file and key. */
export class Fields {
  constructor(
    readonly raw: Readonly<Record<string, unknown>>,
    readonly file?: string,
  ) {}

  has(key: string): boolean {
    return this.raw[key] !== undefined && this.raw[key] !== null;
  }

  /** Whether the file does not name the key at all; null is an answer. */
  silent(key: string): boolean {
    return this.raw[key] === undefined;
  }

  /** Fields of an object within this one. */
  inner(raw: Readonly<Record<string, unknown>>): Fields {
    return new Fields(raw, this.file);
  }

  /** An integer from 1, or from another number, to `most`. */
  count(key: string, fallback?: number, from: number = 1, most: number = 2 ** 31 - 1): number {
    const value = this.raw[key] ?? fallback;
    if (Number.isInteger(value) && (value as number) >= from && (value as number) <= most) return value as number;
    throw this.wrong(key, `an integer from ${from}${most < 2 ** 31 - 1 ? ` to ${most}` : ''}`, value);
  }

  /** A number above 0. */
  number(key: string, fallback?: number): number {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw this.wrong(key, 'a number above 0', value);
  }

  optionalCount(key: string): number | undefined {
    return this.has(key) ? this.count(key) : undefined;
  }

  optionalNumber(key: string): number | undefined {
    return this.has(key) ? this.number(key) : undefined;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.wrong(key, 'true or false', value);
  }

  numbers(key: string): number[] | undefined {
    if (!this.has(key)) return undefined;
    const value = this.raw[key];
    if (Array.isArray(value) && value.every(n => typeof n === 'number' && Number.isFinite(n) && n > 0)) return value.slice();
    throw this.wrong(key, 'a list of numbers above 0', value);
  }

  object(key: string): Fields | undefined {
    if (!this.has(key)) return undefined;
    const value = this.raw[key];
    if (typeof value === 'object' && !Array.isArray(value)) return this.inner(value as Record<string, unknown>);
    throw this.wrong(key, 'an object', value);
  }

  /** One of the names of a table. */
  oneOf<T>(key: string, table: Readonly<Record<string, T>>, fallback?: string): T {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'string' && Object.hasOwn(table, value)) return table[value] as T;
    throw this.wrong(key, Object.keys(table).join(', '), value);
  }

  /** Token ids: a number or a list of them. Negative ones say, in old files, that there is none. */
  tokenIds(key: string): number[] {
    const value = this.raw[key] ?? [];
    const ids: unknown[] = Array.isArray(value) ? value : [value];
    if (!ids.every(id => Number.isInteger(id))) throw this.wrong(key, 'a token id, or a list of them', value);
    return (ids as number[]).filter(id => id >= 0);
  }

  /** Refuse a setting that would change the numbers and is not computed here. */
  refuse(key: string, good: (value: unknown) => boolean, expected: string): void {
    if (!good(this.raw[key] ?? undefined))
      throw new BadInput({
        problem: 'This setting is not supported',
        where: { file: this.file, key },
        expected,
        found: quote(this.raw[key]),
        fix: 'load a model without it',
      });
  }

  wrong(key: string, expected: string, found: unknown): BadInput {
    return new BadInput({
      problem: 'The model configuration cannot be used',
      where: { file: this.file, key },
      expected,
      found: quote(found ?? null),
      fix: 'use the config.json that was saved with the weights',
    });
  }
}
