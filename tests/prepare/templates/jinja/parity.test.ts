import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromJinja, type WireMessage } from '../../../../src/prepare/templates/index.js';
import { plainData } from '../../../../src/prepare/templates/jinja/data.js';
import { Program } from '../../../../src/prepare/templates/jinja/program.js';
import { raw } from '../../../../src/prepare/templates/jinja/text.js';

interface Conversation {
  messages: WireMessage[];
  prompt?: boolean;
  continue?: boolean;
  tools?: object[];
  documents?: object[];
  variables?: Record<string, unknown>;
}
interface Cases {
  context: Record<string, unknown>;
  expressions: string[];
  templates: Record<string, string>;
  conversations: Record<string, Conversation>;
}
interface Expected {
  expressions: (string | null)[];
  chats: Record<string, Record<string, { text: string; generations?: [number, number][] } | null>>;
}

const read = <T>(name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as T;
const cases = read<Cases>('cases.json');
// Made by make-fixtures.py with transformers.
const expected = read<Expected>('expected.json');
const now = new Date(2025, 2, 7, 9, 5, 2);

/** What it gives, or null where it throws on purpose. */
function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if ((error as Error).name === 'BadInput') return null;
    throw error;
  }
}

describe('every construct renders as in Python', () => {
  const variables = Object.entries(cases.context).map(([name, value]) => [name, plainData(value, { message: 0 })] as const);
  test.each(cases.expressions.map((source, i) => [source, i] as const))('%s', (source, i) => {
    const text = attempt(() => raw(new Program(source, { now: () => now }).render(variables).text));
    expect(text).toBe(expected.expressions[i]);
  });
});

describe.each(Object.entries(cases.templates))('the template %s', (name, source) => {
  const template = fromJinja(source, { now, tokens: { bos_token: '<s>', eos_token: '</s>' } });
  test.each(Object.entries(cases.conversations))('%s: text and generation spans are those of transformers', (key, given) => {
    const options = {
      ...(given.prompt && { addGenerationPrompt: true }),
      ...(given.continue && { continueFinalMessage: true }),
      ...(given.tools && { tools: given.tools }),
      ...(given.documents && { documents: given.documents }),
      ...(given.variables && { variables: given.variables }),
    };
    const want = expected.chats[name]![key]!;
    expect(attempt(() => template.text(given.messages, options))).toBe(want === null ? null : want.text);
    if (want === null) return;
    if (want.generations) expect(template.generations(given.messages, options)).toEqual(want.generations);
    const segments = template.render(given.messages, options);
    expect(segments.map(s => s.text).join('')).toBe(want.text);
    if (want.generations && template.marksGeneration) {
      const points = [...want.text];
      const marked = want.generations.map(([start, end]) => points.slice(start, end).join('')).join('');
      expect(
        segments
          .filter(s => s.trained)
          .map(s => s.text)
          .join(''),
      ).toBe(marked);
    }
  });
});
