import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as aq from 'arquero';
import { describe, expect, it } from 'vitest';
import {
  hasForeignView,
  isConversationRow,
  isMessages,
  isRowMap,
  isRows,
  isTableLike,
  isTensorLike,
} from '../../../src/base/core/index.js';

describe('what values of other libraries look like', () => {
  it('knows tensors, disposed ones too', async () => {
    await tf.setBackend('cpu');
    const tensor = tf.tensor([1, 2]);
    expect(isTensorLike(tensor)).toBe(true);
    tensor.dispose();
    expect(isTensorLike(tensor)).toBe(true);
    expect(isTensorLike({ shape: [2], dtype: 'float32' })).toBe(false);
  });

  it('knows tables', () => {
    expect(isTableLike(aq.table({ a: [1] }))).toBe(true);
    expect(isTableLike({ columns: ['a'], values: [[1]], shape: [1, 1] })).toBe(true);
    expect(isTableLike({ columns: ['a'] })).toBe(false);
  });

  it('knows rows and Maps of single values, also from another realm', () => {
    expect(isRows([{ a: 1, b: null, c: new Date() }, { a: 'x' }])).toBe(true);
    expect(isRows(runInNewContext('[{ a: 1 }]'))).toBe(true);
    for (const not of [[], [1], [{}], [{ a: [1] }], [[1]], { a: 1 }, [new Error('x')]]) expect(isRows(not)).toBe(false);
    expect(isRowMap(new Map([['a', 1]]))).toBe(true);
    expect(isRowMap(new Map([['a', { x: 1 }]]))).toBe(true);
    for (const not of [new Map(), new Map([[{}, 1]]), new Map([['a', [1]]]), new Set([1])]) expect(isRowMap(not)).toBe(false);
  });

  it('knows conversations', () => {
    const messages = [{ role: 'user', content: 'hi' }];
    expect(isMessages(messages)).toBe(true);
    expect(isConversationRow({ messages, task: 't' })).toBe(true);
    for (const not of [[], [{ role: 'user' }], { messages: [] }]) expect(isMessages(not) || isConversationRow(not)).toBe(false);
  });

  it('leaves plain objects, numbers and objects with traps alone', () => {
    const trap = {
      get shape(): never {
        throw new Error('do not look');
      },
    };
    for (const value of [{ a: 1 }, 3, 'x', null, undefined, [1, 2], trap, [trap], () => 1])
      expect(hasForeignView(value)).toBe(false);
    expect(hasForeignView([{ a: 1 }])).toBe(true);
  });
});
