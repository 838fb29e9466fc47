import { BadInput, Random, refuseUnknown } from '../../../base/core/index.js';
import { counted, named } from '../names.js';
import { type Distribution, spread } from '../suite/instructions.js';
import type { TaskRow, TaskSet } from '../types.js';
import { encodeRow, type RewritingIds, TOKENIZER_JSON, textOf, VOCABULARY } from './tokens.js';
import { drawInput, drawRules, RULES_POSSIBLE, type Rule, rewritten } from './world.js';

/** Options of {@link rewriting}. */
export interface RewritingOptions {
  /** Number of different instructions that are trained; defaults to 512. */
  rules?: number;
  /** Number of training rows over all rules together; defaults to 16,384. */
  examples?: number;
  /** How the examples are spread over the rules; defaults to `uniform`. */
  distribution?: Distribution;
  /** Chooses rules and inputs; defaults to 1. The rules of a smaller world are the first of a larger one's. */
  seed?: number | string;
  /** Number of rules that are never trained; defaults to 400. */
  held?: number;
  /** Number of rows on each rung; defaults to 400. */
  perRung?: number;
}

/** A row of the world of rewriting. */
export interface RewritingRow extends TaskRow {
  /** The rule, as the prompt writes it: `ab>cd`. */
  instruction: string;
  input: string;
}

/** One instruction a rule: what a model must follow rules for that it never saw. */
export interface RewritingWorld extends TaskSet {
  rows: RewritingRow[];
  /** `new inputs`: trained rules, new inputs. `unseen rules`: rules that were never trained. */
  rungs: Record<'new inputs' | 'unseen rules', RewritingRow[]>;
  heldOut: ['unseen rules'];
  /** The trained rules. */
  rules: Rule[];
  /** The rules of the rung `unseen rules`. */
  heldRules: Rule[];
  /** The tokens by id: one a character; 0 ends an answer. */
  vocabulary: readonly string[];
  /** The tokenizer as tokenizer.json: `Tokenizer.fromJSON(world.tokenizer)`. */
  tokenizer: object;
  /** A row as 24 ids with labels, ready for `train.sft({rows})`. */
  encode(row: RewritingRow, options?: { train?: 'all' | 'response' }): RewritingIds;
  /** The text of ids, up to the first end: what a model answered. */
  decode(ids: readonly number[]): string;
}

/**
 * String rewriting (after Zhang et al. 2024, arXiv 2402.10891): an instruction is a rule x→y of two letters each out of
 * sixteen, the input eight letters that hold x once, the answer the input with x rewritten. A fixed number of examples
 * in total, however many rules: what changes is their diversity.
 * `tasks.rewriting({rules: 256}).rows[0]`
 * @throws BadInput when an option is unknown or a count impossible.
 */
export function rewriting(options: RewritingOptions = {}): RewritingWorld {
  refuseUnknown('tasks.rewriting', options, ['rules', 'examples', 'distribution', 'seed', 'held', 'perRung']);
  const { rules = 512, examples = 16_384, distribution = 'uniform', seed = 1, held = 400, perRung = 400 } = options;
  counted('rules', rules, 1, RULES_POSSIBLE);
  counted('held', held, 1, RULES_POSSIBLE);
  counted('examples', examples, 1, 10_000_000);
  counted('perRung', perRung, 1, 100_000);
  named('distribution', [distribution], ['uniform', 'long-tail']);
  if (rules + held > RULES_POSSIBLE)
    throw new BadInput({
      problem: 'there are not so many rules',
      where: { key: 'rules' },
      expected: `at most ${RULES_POSSIBLE} trained and held ones together`,
      found: `${rules} + ${held}`,
    });
  // The held rules come first, so that they are the same for every number of trained ones.
  const all = drawRules(held + rules, seed);
  const [heldRules, trained] = [all.slice(0, held), all.slice(held)];
  const rungs = {
    'new inputs': rung(trained, perRung, new Random(`rewriting/${seed}/new inputs`)),
    'unseen rules': rung(heldRules, perRung, new Random(`rewriting/${seed}/unseen rules`)),
  };
  const asked = new Set(rungs['new inputs'].map(key));
  const random = new Random(`rewriting/${seed}/rows`);
  const rows = spread(examples, rules, distribution, 'rules').flatMap((count, i) =>
    Array.from({ length: count }, () => {
      for (;;) {
        const made = row(trained[i]!, random);
        if (!asked.has(key(made))) return made;
      }
    }),
  );
  return {
    rows: random.shuffle(rows),
    rungs,
    heldOut: ['unseen rules'],
    rules: trained,
    heldRules,
    vocabulary: VOCABULARY,
    tokenizer: TOKENIZER_JSON,
    encode: encodeRow,
    decode: textOf,
  };
}

const key = ({ instruction, input }: RewritingRow) => `${instruction}:${input}`;

/** Different rows, the rules in turns. */
function rung(rules: readonly Rule[], count: number, random: Random): RewritingRow[] {
  const rows = new Map<string, RewritingRow>();
  while (rows.size < count) {
    const made = row(rules[rows.size % rules.length]!, random);
    rows.set(key(made), made);
  }
  return [...rows.values()];
}

function row(rule: Rule, random: Random): RewritingRow {
  const instruction = `${rule.from}>${rule.to}`;
  const input = drawInput(random, rule);
  return {
    messages: [
      { role: 'user', content: `${instruction}:${input}=` },
      { role: 'assistant', content: rewritten(input, rule) },
    ],
    task: 'rewriting',
    cluster: 'rewriting',
    instruction,
    input,
  };
}
