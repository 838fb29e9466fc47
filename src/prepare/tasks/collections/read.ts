import { BadInput, progress, quote } from '../../../base/core/index.js';
import { type ReadReport, type Row, readRows } from '../../data/index.js';
import { filesAt } from './files.js';
import { areDefined, type CollectionExample, type CollectionFormat, examplesOf, FORMATS, isScan } from './formats.js';

/** Everything the source holds, as examples of one format. */
export async function readCollection(
  source: string | readonly (string | object)[],
  { asked, shots, onBad }: { asked?: CollectionFormat; shots: number; onBad?: 'throw' | 'skip' },
): Promise<{ examples: CollectionExample[]; reports: ReadReport[]; format: CollectionFormat }> {
  const given = typeof source === 'string' ? [source] : source;
  const paths = (await Promise.all(given.filter(item => typeof item === 'string').map(filesAt))).flat();
  const objects = given.filter(item => typeof item === 'object');
  const reports: ReadReport[] = [];
  const byLayout = new Map<ReadReport['format'], Row[]>();
  const formats = new Set<CollectionFormat>();
  const parts = [...paths, ...(objects.length ? [objects] : [])];
  const bar = progress('reading the collection', { total: parts.length, unit: 'files' });
  for (const [i, part] of parts.entries()) {
    bar.update(i);
    const rows = await readRows(part, { superni: { positive: shots }, textBy: 'line', ...(onBad && { onBad }) });
    const { report } = rows;
    const format = formatOf(report.format, asked, rows);
    if (format === undefined)
      throw new BadInput({
        problem: 'these rows are not of the collection asked for',
        where: { file: report.source },
        expected: asked ? `the format ${asked}` : `one of the formats ${Object.keys(FORMATS).join(', ')}`,
        found: `rows of the layout ${quote(report.format)}`,
        fix: asked ? 'leave "format" out, or name the right one' : 'for rows of your own use tasks.fromRows(rows)',
      });
    formats.add(format);
    reports.push(report);
    const own = byLayout.get(report.format) ?? [];
    for (const row of rows) own.push(row);
    byLayout.set(report.format, own);
  }
  bar.finish();
  const [format, ...others] = [...formats];
  if (format === undefined || others.length)
    throw new BadInput({
      problem: format === undefined ? 'there is no collection to read' : 'these files are of several formats',
      expected: 'files of one format',
      found: format === undefined ? 'none' : [format, ...others].join(', '),
    });
  return { examples: [...byLayout].flatMap(([layout, rows]) => examplesOf(rows, layout)), reports, format };
}

/** The format of rows that were read in a layout; undefined when it is not the one asked for, or none. */
function formatOf(
  layout: ReadReport['format'],
  asked: CollectionFormat | undefined,
  rows: readonly Row[],
): CollectionFormat | undefined {
  const fits = (Object.keys(FORMATS) as CollectionFormat[]).filter(name => FORMATS[name].includes(layout));
  // One layout may hold two collections.
  if (areDefined(rows, layout)) return asked === undefined || asked === 'superni' ? 'superni' : undefined;
  const format = asked === undefined ? fits.find(name => FORMATS[name][0] === layout) : fits.find(name => name === asked);
  return format === 'scan' && !rows.every(isScan) ? undefined : format;
}
