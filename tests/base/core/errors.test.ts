import { describe, expect, it } from 'vitest';
import { BadInput, Interrupted, quote, TunebookError, Unavailable } from '../../../src/base/core/index.js';

describe('TunebookError', () => {
  it('says place, problem, expected, found and fix in one paragraph', () => {
    const error = new BadInput({
      problem: 'row has no answer',
      where: { file: 'rows.jsonl', line: 812, key: 'output' },
      expected: 'a string',
      found: 'a number',
      fix: 'write the answer as text',
    });
    expect(error.message).toBe(
      'rows.jsonl:812, "output": row has no answer. Expected a string, found a number. Fix: write the answer as text.',
    );
    expect(error.message).not.toContain('\n');
    expect(error).toBeInstanceOf(TunebookError);
    expect(error.name).toBe('BadInput');
  });

  it('leaves out what is not known', () => {
    expect(new TunebookError({ problem: 'no' }).message).toBe('no.');
    expect(new TunebookError({ problem: 'no', found: 'x' }).message).toBe('no. Found x.');
  });

  it('keeps the cause and gives each class its exit code', () => {
    const cause = new Error('disk');
    expect(new Unavailable({ problem: 'x', cause }).cause).toBe(cause);
    expect([TunebookError, BadInput, Unavailable, Interrupted].map(E => new E({ problem: 'x' }).exitCode)).toEqual([
      1, 2, 3, 130,
    ]);
  });
});

describe('quote', () => {
  it('makes hostile values printable and short', () => {
    expect(quote('a\nb')).toBe('"a\\nb"');
    expect(quote('\u202eabc')).toBe('"\\u202eabc"');
    expect(quote('\ud800')).toBe('"\\ud800"');
    expect(quote('x'.repeat(1000))).toHaveLength(`${'x'.repeat(80)}… (1002 characters)`.length);
    const loop: unknown[] = [];
    loop.push(loop);
    expect(typeof quote(loop)).toBe('string');
    expect(quote(undefined)).toBe('undefined');
    expect(quote(Number.NaN)).toBe('NaN');
  });
});
