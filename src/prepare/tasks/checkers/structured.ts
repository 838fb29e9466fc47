import type { JsonSpec, ToolSpec, Verdict } from '../types.js';
import { partly, RIGHT, wrong } from './verdict.js';
import { cite } from './words.js';

const FENCE = /^```(?:json)?\s*([\s\S]*?)\s*```$/i;
const TAGS = /^<tool_call>\s*([\s\S]*?)\s*<\/tool_call>$/;

/** A JSON object with exactly the fields. */
export function json({ fields }: JsonSpec, answer: string): Verdict {
  const { value, bare } = readObject(answer);
  if (!value) return wrong(answer.trim() === '' ? 'the answer is empty' : `it is not a JSON object: ${cite(answer)}`);
  return settle(compare(value, fields), bare);
}

/** A tool's name and arguments. */
export function tool({ name, arguments: expected }: ToolSpec, answer: string): Verdict {
  const { value, bare } = readObject(answer);
  if (!value) return wrong(answer.trim() === '' ? 'the answer is empty' : `it is not a tool call: ${cite(answer)}`);
  if (value.name !== name) return wrong(`it calls ${cite(String(value.name))}, not ${name}`);
  const others = Object.keys(value).filter(key => key !== 'name' && key !== 'arguments');
  if (others.length) return partly(0.5, `it adds the field ${cite(others[0]!)}`);
  const given = value.arguments;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return partly(0.25, 'it has no object "arguments"');
  const compared = compare(given as Record<string, unknown>, expected);
  // A right name is half of a call.
  return settle({ share: 0.5 + compared.share / 2, why: compared.why }, bare);
}

/** The object an answer is, and whether it stands alone. */
function readObject(answer: string): { value?: Record<string, unknown>; bare: boolean } {
  const text = answer.trim();
  const inside = FENCE.exec(text)?.[1] ?? TAGS.exec(text)?.[1] ?? text;
  const whole = parse(inside);
  if (whole) return { value: whole, bare: true };
  const part = parse(inside.slice(inside.indexOf('{'), inside.lastIndexOf('}') + 1));
  return { value: part, bare: false };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const object = typeof value === 'object' && value !== null && !Array.isArray(value) && !hasKeyTwice(text);
    return object ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether an object in a text that is JSON has one key twice: which of its values counts, programs do not agree on. */
function hasKeyTwice(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  for (const [part, name] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (part === '{') open.push(new Set());
    else if (part === '[') open.push(undefined);
    else if (part === '}' || part === ']') open.pop();
    else if (name !== undefined) {
      const key = JSON.parse(name) as string;
      if (open.at(-1)?.has(key)) return true;
      open.at(-1)?.add(key);
    }
  }
  return false;
}

interface Compared {
  share: number;
  why?: string;
}

function compare(found: Record<string, unknown>, expected: Record<string, unknown>): Compared {
  const keys = Object.keys(expected);
  const extra = Object.keys(found).filter(key => !Object.hasOwn(expected, key));
  const bad = keys.filter(key => !Object.hasOwn(found, key) || !equal(found[key], expected[key]));
  const share = keys.length + extra.length ? (keys.length - bad.length) / (keys.length + extra.length) : 1;
  const [first] = bad;
  if (first !== undefined) {
    const has = Object.hasOwn(found, first) ? JSON.stringify(found[first]) : 'nothing';
    return { share, why: `"${first}" must be ${JSON.stringify(expected[first])}, found ${cite(has)}` };
  }
  return extra.length ? { share, why: `it adds the field ${cite(extra[0]!)}` } : { share };
}

/** Texts up to case and white space; numbers and truth values by type, so that `"3"` is not 3. */
function equal(a: unknown, b: unknown): boolean {
  if (typeof a === 'string' && typeof b === 'string') return plain(a) === plain(b);
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  return a === b;
}

const plain = (text: string) => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();

function settle({ share, why }: Compared, bare: boolean): Verdict {
  if (why !== undefined) return partly(bare ? share : share / 2, why);
  return bare ? RIGHT : partly(0.5, 'there are words around the JSON');
}
