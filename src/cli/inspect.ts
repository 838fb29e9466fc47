import { parseArgs } from 'node:util';
import { BadInput, quote } from '../base/core/index.js';
import { type Rows, readRows } from '../prepare/data/index.js';
import { get, names, type Template } from '../prepare/templates/index.js';
import {
  type EncodeSummary,
  encode,
  encodeRows,
  type TokenCell,
  Tokenizer,
  type TokenView,
  tokenView,
  trainBPE,
} from '../prepare/tokens/index.js';

const USAGE = `tunebook inspect DATA [options]: how rows are rendered, tokenised and masked

  --template NAME    template to render with (default alpaca; there are: ${names().join(', ')})
  --tokenizer DIR    directory with tokenizer.json (default: a small one is trained on DATA)
  --row N            the row to show, counted from 0 (default 0)
  --max-length N     cut rows to N tokens
  --help`;

/** Print one row as coloured tokens and the summary of the data set. Returns the exit code. */
export async function inspectCommand(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) {
    throw new BadInput({
      problem: path === undefined ? 'no data file is named' : 'more than one data file is named',
      expected: 'tunebook inspect DATA',
      fix: USAGE.split('\n')[0],
    });
  }
  const template = get(values.template ?? 'alpaca');
  const rows = await readRows(path);
  const at = wholeNumber('row', values.row, 0, 0);
  const maxLength = values['max-length'] === undefined ? undefined : wholeNumber('max-length', values['max-length'], 2, 2);
  const row = rows[at];
  if (!row)
    throw new BadInput({
      problem: `there is no row ${at}`,
      where: { file: path, key: '--row' },
      expected: `a number from 0 to ${rows.length - 1}`,
      fix: 'choose another row',
    });

  const tokenizer = values.tokenizer === undefined ? smallTokenizer(rows) : await Tokenizer.fromFile(values.tokenizer);
  if (values.tokenizer === undefined)
    console.log(`No --tokenizer: a byte-level BPE of ${tokenizer.vocabSize} tokens was trained on ${path}.\n`);
  const options = { tokenizer, template, maxLength };
  const encoded = encode(row.messages, options);
  const colour = useColour();
  const place = row.line === undefined ? '' : `, line ${row.line}`;
  console.log(`row ${at}${place}, template ${template.name}: ${encoded.length} tokens, ${encoded.trained} of them trained\n`);
  console.log(paintTokens(tokenView(encoded, { tokenizer }), colour));
  console.log(`\n${legend(colour)}\n`);
  console.log(describeSet(rows, template, encodeRows(rows, { ...options, maxDropped: 1 }).summary));
  return 0;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        template: { type: 'string' },
        tokenizer: { type: 'string' },
        row: { type: 'string' },
        'max-length': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new BadInput({
      problem: (error as Error).message.split('\n')[0]!,
      expected: 'tunebook inspect DATA [--template T] [--tokenizer DIR] [--row N]',
      fix: 'see tunebook inspect --help',
      cause: error,
    });
  }
}

function wholeNumber(name: string, text: string | undefined, least: number, fallback: number): number {
  if (text === undefined) return fallback;
  const n = Number(text);
  if (/^\d+$/.test(text) && n >= least) return n;
  throw new BadInput({
    problem: `--${name} is no number`,
    where: { key: `--${name}` },
    expected: `a whole number from ${least} up`,
    found: quote(text),
    fix: `write --${name} ${fallback}`,
  });
}

function smallTokenizer(rows: Rows): Tokenizer {
  const texts = rows.flatMap(row => row.messages.map(m => `${m.content}\n${m.input ?? ''}`));
  return trainBPE(texts, { vocabSize: 2000 });
}

/** Colours on a terminal; NO_COLOR and FORCE_COLOR overrule (https://no-color.org). */
function useColour(): boolean {
  if (process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR && process.env.FORCE_COLOR !== '0') return true;
  return process.stdout.isTTY === true;
}

const STYLES = {
  trained: ['\u001b[30;42m', '\u001b[30;102m'],
  control: ['\u001b[36m', '\u001b[96m'],
  masked: ['\u001b[90m', '\u001b[37m'],
} as const;
const RESET = '\u001b[0m';
const MARKS = { trained: ['[', ']'], control: ['<', '>'], masked: ['(', ')'] } as const;

/** The tokens of a row as text: in colours that alternate from token to token, or each in brackets that say what it is. */
export function paintTokens(view: TokenView, colour: boolean): string {
  const lines: string[] = [''];
  for (const [i, cell] of view.tokens.entries()) {
    const kind = kindOf(cell);
    const text = printable(cell.text);
    lines[lines.length - 1] += colour ? `${STYLES[kind][i % 2]}${text}${RESET}` : `${MARKS[kind][0]}${text}${MARKS[kind][1]}`;
    if (cell.text.includes('\n')) lines.push('');
  }
  return lines.join('\n').trimEnd();
}

function kindOf({ trained, control }: TokenCell): keyof typeof MARKS {
  return trained ? 'trained' : control ? 'control' : 'masked';
}

// What could move the cursor, change colours or turn the line around is written out; the joiner inside emoji is kept.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

function printable(text: string): string {
  return text
    .replaceAll('\n', '↵')
    .replaceAll('\t', '⇥')
    .replace(UNPRINTABLE, c => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}

function legend(colour: boolean): string {
  const show = (kind: keyof typeof MARKS, text: string) =>
    colour ? `${STYLES[kind][0]}${text}${RESET}` : `${MARKS[kind][0]}${text}${MARKS[kind][1]}`;
  return `${show('trained', 'trained')} ${show('masked', 'read, not trained')} ${show('control', 'template')}`;
}

function describeSet(rows: Rows, template: Template, summary: EncodeSummary): string {
  const { report } = rows;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const lines = [
    `${report.source} (${report.format}): ${report.read} rows read, ${report.kept} usable, ${report.skipped.length} skipped`,
    ...list(report.skipped.map(s => `${s.line === undefined ? `row ${s.index}` : `line ${s.line}`}: ${s.reason}`)),
    `with template ${template.name}: ${summary.kept} rows, ${summary.tokens} tokens, ${percent(summary.trainedShare)} trained, longest ${summary.longest}`,
    `truncated ${summary.truncated}, dropped ${summary.dropped.length}, straddling tokens ${summary.straddling}`,
    ...list(summary.dropped.map(d => `${d.line === undefined ? `row ${d.index}` : `line ${d.line}`}: ${d.reason}`)),
    ...summary.warnings.map(warning => `warning: ${warning}`),
  ];
  return lines.join('\n');
}

function list(items: readonly string[]): string[] {
  return [...items.slice(0, 10).map(item => `  ${item}`), ...(items.length > 10 ? [`  … and ${items.length - 10} more`] : [])];
}
