import { describe, expect, it } from 'vitest';
import { BadInput, Random } from '../../../src/base/core/index.js';
import { type PackOptions, pack, type TrainableRow } from '../../../src/prepare/tokens/index.js';

/** Rows of 1 to `longest` tokens; every id is used once, so that a token says where it came from. */
function someRows(count: number, longest: number, seed: number): TrainableRow[] {
  const random = new Random(seed);
  let id = 0;
  return Array.from({ length: count }, () => {
    const ids = Array.from({ length: 1 + random.int(longest) }, () => id++);
    return { ids, labels: ids.map((token, t) => (t < ids.length / 2 ? -100 : token)) };
  });
}

/** Best-fit decreasing as its definition has it. */
function plainBestFit(lengths: number[], capacity: number): number {
  const room: number[] = [];
  for (const size of lengths.toSorted((a, b) => b - a)) {
    let best = -1;
    room.forEach((free, bin) => {
      if (free >= size && (best < 0 || free < room[best]!)) best = bin;
    });
    if (best < 0) best = room.push(capacity) - 1;
    room[best]! -= size;
  }
  return room.length;
}

describe('tokens.pack', () => {
  it.each([1, 2, 3, 4, 5, 6])('keeps every row whole, once, within the length, with its labels (seed %i)', seed => {
    const random = new Random(seed);
    const length = 2 + random.int(60);
    const rows = someRows(1 + random.int(200), length, seed);
    for (const options of [{ length }, { length, seed }, { length, algorithm: 'next-fit' }] satisfies PackOptions[]) {
      const { rows: packs, report } = pack(rows, options);
      expect(packs.flatMap(p => p.rows).toSorted((a, b) => a - b)).toEqual([...rows.keys()]);
      for (const p of packs) {
        expect(p.ids.length).toBeLessThanOrEqual(length);
        const members = p.rows.map(i => rows[i]!);
        expect(p.ids).toEqual(members.flatMap(r => r.ids));
        expect(p.labels).toEqual(members.flatMap(r => [-100, ...r.labels.slice(1)]));
        expect(p.segmentIds).toEqual(members.flatMap((r, i) => r.ids.map(() => i + 1)));
        expect(p.positions).toEqual(members.flatMap(r => r.ids.map((_, t) => t)));
        expect(p.weights).toBeUndefined();
      }
      const tokens = rows.reduce((sum, r) => sum + r.ids.length, 0);
      expect(report).toMatchObject({ rows: rows.length, segments: rows.length, packs: packs.length, tokens });
      expect(report.fill).toBeCloseTo(tokens / (packs.length * length), 12);
    }
  });

  it('case 16: what begins a segment is not predicted from the row before, though every token is labelled', () => {
    const rows = someRows(30, 9, 4).map(({ ids }) => ({ ids, labels: ids }));
    for (const p of pack(rows, { length: 20 }).rows)
      p.labels.forEach((label, t) => {
        expect(label).toBe(p.positions[t] === 0 ? -100 : p.ids[t]);
      });
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('needs as many packs as best-fit decreasing by its definition (seed %i)', seed => {
    const random = new Random(seed);
    const length = 1 + 2 ** random.int(8) + random.int(30);
    const rows = someRows(300, length, seed);
    expect(pack(rows, { length }).report.packs).toBe(
      plainBestFit(
        rows.map(r => r.ids.length),
        length,
      ),
    );
  });

  it('is decided by the seed', () => {
    const rows = someRows(60, 9, 1);
    const order = (seed?: number) => pack(rows, { length: 16, seed }).rows.map(p => p.rows);
    expect(order(5)).toEqual(order(5));
    expect(order(5)).not.toEqual(order(6));
    expect(order()).toEqual(order());
  });

  it('keeps the order of the rows with next-fit', () => {
    const rows = someRows(40, 9, 2);
    const packs = pack(rows, { length: 12, algorithm: 'next-fit' }).rows;
    expect(packs.flatMap(p => p.rows)).toEqual([...rows.keys()]);
  });

  it('carries weights; a row without counts its labels in full', () => {
    const rows: TrainableRow[] = [
      { ids: [1, 2, 3], labels: [-100, 2, 3], weights: [0, 0.5, 2] },
      { ids: [4, 5], labels: [-100, 5] },
      { ids: [6, 7], labels: [6, -100] },
    ];
    expect(pack(rows, { length: 8 }).rows[0]).toMatchObject({
      labels: [-100, 2, 3, -100, 5, -100, -100],
      weights: [0, 0.5, 2, 0, 1, 0, 0],
    });
  });

  it('never splits a row unless asked', () => {
    const long: TrainableRow = { ids: [1, 2, 3, 4, 5, 6, 7], labels: [-100, -100, -100, -100, 5, 6, 7] };
    const rows = [{ ids: [8, 9], labels: [-100, 9] }, long];
    expect(() => pack(rows, { length: 4 })).toThrow(BadInput);
    expect(() => pack(rows, { length: 4 })).toThrow(/Row 1 is longer than a pack.*at most 4.*found 7.*tooLong/s);
    const by = (tooLong: PackOptions['tooLong'], length = 4) => pack(rows, { length, tooLong });
    expect(by('drop')).toMatchObject({
      rows: [{ ids: [8, 9] }],
      report: { segments: 1, tooLong: { policy: 'drop', rows: [1], untrained: 0 } },
    });
    // Nothing trained is left of its first four tokens: a pack of it would only cost time.
    expect(by('truncate')).toMatchObject({ rows: [{ ids: [8, 9] }], report: { tooLong: { rows: [1], untrained: 1 } } });
    expect(by('truncate', 6).rows.map(p => p.ids)).toEqual([
      [1, 2, 3, 4, 5, 6],
      [8, 9],
    ]);
    const split = by('split', 3);
    expect(split.rows.map(p => p.ids)).toEqual([
      [4, 5, 6],
      [8, 9],
    ]);
    expect(split.rows[0]).toMatchObject({ labels: [-100, 5, 6], positions: [0, 1, 2], rows: [1] });
    expect(split.report.tooLong).toEqual({ policy: 'split', rows: [1], untrained: 2 });
  });

  it('fills well: 50,000 rows of Alpaca-like lengths', () => {
    const random = new Random(1);
    const rows = Array.from({ length: 50_000 }, () => {
      const ids = new Array<number>(Math.min(512, Math.ceil(Math.exp(4 + 0.6 * random.normal())))).fill(1);
      return { ids, labels: ids };
    });
    const { report } = pack(rows, { length: 512 });
    expect(report.fill).toBeGreaterThan(0.99);
    expect(report.padding).toBeGreaterThan(0.7);
  });

  it.each([
    [{ length: 1 }, /length.*from 2/s],
    [{ length: 8, algorithm: 'worst-fit' }, /'next-fit'/],
    [{ length: 8, tooLong: 'cut' }, /'truncate'/],
  ])('refuses %o', (options, message) => {
    expect(() => pack(someRows(2, 3, 1), options as PackOptions)).toThrow(message);
  });

  it('refuses rows that are packed already', () => {
    const { rows } = pack(someRows(4, 3, 1), { length: 8 });
    expect(() => pack(rows, { length: 16 })).toThrow(/Row 0 is packed already/);
  });
});
