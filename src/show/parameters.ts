import { BadInput, quote } from '../base/core/index.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { type ByteUnit, byteUnit, chart, formatBytes, type Line, type Memory, percent, SERIES } from './parameters-chart.js';
import {
  adapterAlone,
  adaptersOf,
  asIs,
  type Configuration,
  fullTuning,
  type ModelSource,
  modelFacts,
} from './parameters-facts.js';
import { htmlTable, textTable } from './table.js';
import { escapeHtml, formatNumber } from './text.js';
import { label } from './theme.js';

/** One model to compare with others. A model changes as adapters come and go: to compare it with itself, give snapshots. */
export interface LabelledModel {
  label: string;
  model: ModelSource;
}

export type ParametersSource = ModelSource | readonly (ModelSource | LabelledModel)[];

export interface ParametersOptions {
  title?: string;
  /** Whose state is counted, or how many floats it keeps for each trained parameter. Defaults to `adamw`, which keeps two. */
  optimizer?: 'adamw' | 'momentum' | 'sgd' | number;
  /** For one model: a bar for each of these adapters (true: all of them), as if it alone were attached and trained. */
  adapters?: boolean | readonly string[];
  /** For one model: a bar for training all of the base, to compare. Defaults to true where the base is frozen. */
  full?: boolean;
}

const STATE = { adamw: 2, momentum: 1, sgd: 0 } as const;
/** Weights, gradients and optimizer state are all float32. */
const BYTES = 4;

/**
 * What training a model takes before the first activation: the share of parameters that learn, and the memory of weights,
 * gradients and optimizer state. For one model, or for several to compare; the table tells it by adapter and part.
 */
export function parameters(source: ParametersSource, options: ParametersOptions = {}): Figure {
  const { title = 'Parameters' } = options;
  const floats = typeof options.optimizer === 'number' ? options.optimizer : STATE[options.optimizer ?? 'adamw'];
  if (!(Number.isFinite(floats) && floats >= 0))
    throw new BadInput({
      problem: 'no such optimizer',
      where: { key: 'optimizer' },
      expected: 'adamw, momentum, sgd, or how many floats it keeps for each trained parameter',
      found: quote(options.optimizer),
    });
  const named = configurations(source, options);
  const names = uniqueLabels(named.map(line => line.label));
  const lines = named.map((line, i) => ({ ...line, label: names[i]!, ...memory(line, floats) }));
  const unit = byteUnit(lines.reduce((most, line) => Math.max(most, line.total), 0));
  const alt = describe(lines);
  const tables = [summary(lines), breakdown(lines)];
  return figure({
    kind: 'parameters',
    title,
    spec: chart(title, alt, lines, unit),
    html: tables
      .map(t => htmlTable({ ...t, names: t.names, cells: t.cells.map(row => row.map(cell => escapeHtml(cell))) }))
      .join('\n'),
    text: [label(title, 120), alt, '', ...bars(lines, unit), '', ...tables.flatMap(t => [textTable(t), ''])].join('\n').trimEnd(),
    alt,
  });
}

function memory({ parameters, trainable }: Configuration, floats: number): Memory {
  const bytes = [parameters - trainable, trainable, trainable, trainable * floats].map(n => n * BYTES);
  return { bytes, total: bytes.reduce((sum, n) => sum + n, 0) };
}

function configurations(source: ParametersSource, { adapters, full }: ParametersOptions): Configuration[] {
  if (Array.isArray(source)) {
    if (source.length === 0)
      throw new BadInput({ problem: 'there is no model to show', expected: 'at least one { label, model }', found: '[]' });
    return source.map((entry: ModelSource | LabelledModel, index) => {
      const { label: name, model } = (entry ?? {}) as Partial<LabelledModel>;
      const facts = modelFacts(model ?? entry);
      return asIs(name === undefined ? (facts.architecture ?? `model ${index + 1}`) : String(name), facts);
    });
  }
  const facts = modelFacts(source);
  const own = adaptersOf(facts);
  const wanted = adapters === true ? own.map(adapter => adapter.name) : adapters || [];
  const each = wanted.map(name => {
    const adapter = own.find(a => a.name === name);
    if (!adapter)
      throw new BadInput({
        problem: 'the model has no adapter of this name',
        where: { key: 'adapters' },
        expected: own.length > 0 ? own.map(a => a.name).join(', ') : 'an attached adapter',
        found: quote(name),
        fix: 'model.attach(spec, { name }) first',
      });
    return adapterAlone(adapter.kind && adapter.kind !== name ? `${name} (${adapter.kind})` : name, name, facts);
  });
  const now = asIs(own.length > 0 ? own.map(a => a.name).join(' + ') : (facts.architecture ?? 'model'), facts);
  const shown = each.length > 0 ? each : [now];
  return (full ?? now.trainable < now.parameters) ? [...shown, fullTuning('all of the base', facts)] : shown;
}

function summary(lines: readonly Line[]): Table {
  return {
    names: ['trained', 'parameters', 'trainable', 'share', 'weights', 'gradients', 'optimizer', 'total'],
    numeric: [false, true, true, true, true, true, true, true],
    cells: lines.map(({ label: name, parameters: all, trainable, bytes, total }) => [
      name,
      formatNumber(all),
      formatNumber(trainable),
      percent(all === 0 ? 0 : trainable / all),
      ...[bytes[0]! + bytes[1]!, bytes[2]!, bytes[3]!, total].map(formatBytes),
    ]),
  };
}

interface Table {
  names: string[];
  numeric: boolean[];
  cells: string[][];
}

/** Where the parameters are, by adapter and part of the network; of several models only what learns, as the rest repeats. */
function breakdown(lines: readonly Line[]): Table {
  const several = lines.length > 1;
  return {
    names: [...(several ? ['trained'] : []), 'group', 'part', 'parameters', 'share', 'trainable', 'of part'],
    numeric: [...(several ? [false] : []), false, false, true, true, true, true],
    cells: lines.flatMap(({ label: name, counts, parameters: all }) =>
      counts
        .filter(count => !several || count.trainable > 0)
        .map(({ group, part, parameters: size, trainable }) => [
          ...(several ? [name] : []),
          label(group, 34),
          part,
          formatNumber(size),
          percent(all === 0 ? 0 : size / all),
          formatNumber(trainable),
          percent(size === 0 ? 0 : trainable / size),
        ]),
    ),
  };
}

/** The bars for a terminal: one letter a kind of memory would be read as text, so four shades. */
function bars(lines: readonly Line[], unit: ByteUnit): string[] {
  const most = lines.reduce((m, line) => Math.max(m, line.total), 1);
  const shades = ['░', '█', '▓', '▒'];
  const width = lines.reduce((w, line) => Math.max(w, line.label.length), 0);
  return [
    ...lines.map(line => {
      let [sum, drawn, bar] = [0, 0, ''];
      line.bytes.forEach((bytes, i) => {
        sum += bytes;
        const end = Math.round((sum / most) * 40);
        bar += shades[i]!.repeat(end - drawn);
        drawn = end;
      });
      return `${line.label.padEnd(width)}  ${bar} ${(line.total / unit.size).toFixed(1)} ${unit.name}`;
    }),
    SERIES.map((series, i) => `${shades[i]} ${series}`).join('   '),
  ];
}

function describe(lines: readonly Line[]): string {
  const share = (line: Line) => percent(line.parameters === 0 ? 0 : line.trainable / line.parameters);
  if (lines.length === 1) {
    const [line] = lines as [Line];
    const { trainable, parameters: all, total } = line;
    return `${formatNumber(trainable)} of ${formatNumber(all)} parameters learn (${share(line)}): ${formatBytes(total)} to train.`;
  }
  const each = lines.slice(0, 5).map(line => `${line.label} ${share(line)} in ${formatBytes(line.total)}`);
  return `Trained parameters and memory: ${each.join(', ')}${lines.length > 5 ? ', …' : '.'}`;
}
