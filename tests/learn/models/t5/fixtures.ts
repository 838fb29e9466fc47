import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { T5TrainBatch } from '../../../../src/learn/models/index.js';
import { tensorsOf } from '../fixtures.js';

/** What transformers computed; see fixtures/make.py. */
export interface ExpectedT5 {
  input: { rows: number[][]; decoderIds: number[][] };
  greedy: { ids: number[][]; count: number; new: number[][]; margin: number[][] };
  beams: { ids: number[][]; count: number; width: number; new: number[][]; scores: number[] };
  batches: T5TrainBatch[];
  first: { numerator: number; denominator: number };
  /** Eight steps of torch.optim.AdamW on the mean loss over labels, gradient norm before clipping. */
  optimizer: { lr: number; betas: [number, number]; eps: number; weight_decay: number; clip: number };
  steps: { loss: number; gradNorm: number }[];
}

/** The models of make.py. */
export const T5S = ['t5-plain', 't5-flan', 't5-uneven'] as const;

export function t5Fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

export async function expectedT5(name: string): Promise<{ want: ExpectedT5; tensors: Map<string, Float32Array> }> {
  const want = JSON.parse(await readFile(`${t5Fixture(name)}/expected.json`, 'utf8')) as ExpectedT5;
  return { want, tensors: await tensorsOf(`${t5Fixture(name)}/expected.safetensors`) };
}

/** Rows padded to one length, and their mask. */
export function padded(rows: number[][], side: 'left' | 'right'): { ids: number[][]; attentionMask: number[][] } {
  const time = Math.max(...rows.map(row => row.length));
  const fill = (row: number[], value: number) => {
    const rest = new Array<number>(time - row.length).fill(value);
    return side === 'left' ? [...rest, ...row] : [...row, ...rest];
  };
  return {
    ids: rows.map(row => fill(row, 0)),
    attentionMask: rows.map(row =>
      fill(
        row.map(() => 1),
        0,
      ),
    ),
  };
}
