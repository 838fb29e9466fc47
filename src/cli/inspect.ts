import { BadInput, quote } from '../base/core/index.js';
import { contentText, type Row, type Rows, readRows } from '../prepare/data/index.js';
import { names, type Template } from '../prepare/templates/index.js';
import {
  type EncodeOptions,
  encode,
  encodeRows,
  Tokenizer,
  type TokenView,
  tokenView,
  trainBPE,
} from '../prepare/tokens/index.js';
import { ansiKey, TEXT_KEY, tokensAnsi, tokensText } from '../show/index.js';
import { readArguments } from './arguments.js';
import { describeRows, describeSet } from './inspect-set.js';
import { chooseTemplates, describeChecks } from './inspect-template.js';

const TRAIN = ['response', 'all', 'last'] as const;

const USAGE = `tunebook inspect DATA [options]: how rows are rendered, tokenised and masked

  --template T[,T2]  templates to render with (default alpaca): a file of Jinja such as chat_template.jinja, auto for
                     the tokenizer's own chat template, or one of ${names().join(', ')}
  --tokenizer DIR    directory with tokenizer.json (default: a small one is trained on DATA)
  --row N            the row to show, counted from 0 (default 0)
  --train WHAT       what carries loss: response (default), all or last
  --prompt-weight W  weight, 0 to 1, of what is not trained otherwise (default 0)
  --check            what is wrong with the template, and what to do about it (templates.check)
  --max-length N     cut rows to N tokens
  --help

Colours: on a terminal; NO_COLOR=1 gives brackets instead, FORCE_COLOR=1 colours in a pipe.`;

/** Print one row as coloured tokens, under one template or several, and the summary of the data set. Returns the exit code. */
export async function inspectCommand(args: string[]): Promise<number> {
  const { values, positionals } = readArguments('inspect', args, {
    values: ['template', 'tokenizer', 'row', 'train', 'prompt-weight', 'max-length'],
    flags: ['check'],
  });
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
  const templates = await chooseTemplates(values.template ?? 'alpaca', values.tokenizer);
  const train = oneOf('train', values.train ?? 'response', TRAIN);
  const at = wholeNumber('row', values.row, 0, 0);
  const maxLength = values['max-length'] === undefined ? undefined : wholeNumber('max-length', values['max-length'], 2, 2);
  const promptWeight = share('prompt-weight', values['prompt-weight'] ?? '0');
  const rows = await readRows(path);
  const row = rows[at];
  if (!row)
    throw new BadInput({
      problem: `there is no row ${at}`,
      where: { file: path, key: '--row' },
      expected: `a number from 0 to ${rows.length - 1}`,
      fix: 'choose another row',
    });
  const tokenizer =
    values.tokenizer === undefined ? smallTokenizer(rows, row, templates) : await Tokenizer.fromFile(values.tokenizer);
  if (values.tokenizer === undefined)
    console.log(`No --tokenizer: a byte-level BPE of ${tokenizer.vocabSize} tokens was trained on ${path}.\n`);
  const options = { tokenizer, train, promptWeight, maxLength };
  for (const template of templates) {
    try {
      showRow(row, at, { ...options, template });
    } catch (error) {
      // One template's refusal must not hide what the others make of the row.
      if (templates.length === 1 || !(error instanceof BadInput)) throw error;
      console.log(`row ${at}, template ${template.name}: not possible\n\n${error.message}\n`);
    }
    if (values.check) console.log(`${describeChecks(template, tokenizer)}\n`);
  }
  console.log(describeRows(rows));
  for (const template of templates)
    console.log(describeSet(template, encodeRows(rows, { ...options, template, maxDropped: 1 }).summary));
  return 0;
}

function showRow(row: Row, at: number, options: EncodeOptions & { template: Template }): void {
  const { template, tokenizer } = options;
  const encoded = encode(row, options);
  const place = row.line === undefined ? '' : `, line ${row.line}`;
  const cut = encoded.truncated ? `, cut to ${encoded.length}` : '';
  console.log(`row ${at}${place}, template ${template.name}${cut}\n`);
  console.log(`${paint(tokenView(encoded, { tokenizer }))}\n`);
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

function share(name: string, text: string): number {
  const n = Number(text);
  if (text.trim() !== '' && n >= 0 && n <= 1) return n;
  throw new BadInput({
    problem: `--${name} is no share`,
    where: { key: `--${name}` },
    expected: 'a number from 0 to 1',
    found: quote(text),
    fix: `write --${name} 0.1`,
  });
}

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find(value => value === text);
  if (found !== undefined) return found;
  throw new BadInput({
    problem: `--${name} does not know ${quote(text)}`,
    where: { key: `--${name}` },
    expected: allowed.join(', '),
    fix: `write --${name} ${allowed[0]}`,
  });
}

/** A tokenizer for the rows at hand, with what looks like a special token in the text of these templates as one. */
function smallTokenizer(rows: Rows, row: Row, templates: readonly Template[]): Tokenizer {
  const printed = templates.flatMap(template => template.render(row.messages, { tools: row.tools })).filter(s => s.control);
  const found = printed.flatMap(segment => segment.text.match(/<[^<>\s]+>|\[\/?[A-Z_]+\]/g) ?? []);
  const texts = rows.flatMap(({ messages }) => messages.map(m => `${contentText(m)}\n${m.input ?? ''}`));
  return trainBPE(texts, { vocabSize: 2000, specialTokens: [...new Set(['<|endoftext|>', ...found])] });
}

/** Colours on a terminal; NO_COLOR and FORCE_COLOR overrule (https://no-color.org). */
function useColour(): boolean {
  if (process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR && process.env.FORCE_COLOR !== '0') return true;
  return process.stdout.isTTY === true;
}

/** The tokens of a row, in colours or each in brackets, with its counts and what the colours or the brackets mean. */
function paint(view: TokenView): string {
  return useColour()
    ? `${tokensAnsi(view)}\n${ansiKey(view)}`
    : `${tokensText(view, { boundaries: true })}\n${TEXT_KEY}   ¦ tokens meet`;
}
