import { describe, expect, it } from 'vitest';
import { accounted, indexList } from '../../../src/study/experiment/slurm-commands.js';

describe('what sacct says of a job', () => {
  it('is read task by task, with those in the queue in one line, and without the reason behind a state', async () => {
    const asked: string[][] = [];
    // As `sacct --parsable2 --allocations --format=JobID,State` of Slurm 22.05 prints an array.
    const text =
      '12_0|COMPLETED\n12_1|CANCELLED by 1000\n12_2|TIMEOUT\n12_3|OUT_OF_MEMORY\n12_[4-6%2,9]|PENDING\n12_0.batch|FAILED\n\n';
    const found = await accounted(async (program, args) => {
      asked.push([program, ...args]);
      return text;
    }, '12');
    expect(asked).toEqual([['sacct', '--noheader', '--parsable2', '--allocations', '--jobs=12', '--format=JobID,State']]);
    expect([...found!].map(([index, { state }]) => `${index} ${state}`)).toEqual([
      ...['0 COMPLETED', '1 CANCELLED', '2 TIMEOUT', '3 OUT_OF_MEMORY'],
      ...['4 PENDING', '5 PENDING', '6 PENDING', '9 PENDING'],
    ]);
  });

  it('is unknown where the cluster keeps no accounts', async () => {
    expect(await accounted(() => Promise.reject(new Error('Slurm accounting storage is disabled')), '12')).toBeUndefined();
  });

  it('lists of indices come in ranges, steps and brackets; what is no list is nothing', () => {
    expect(indexList('[0-6:3,8]%2')).toEqual([0, 3, 6, 8]);
    expect(indexList('x-y')).toEqual([]);
  });
});
