import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { BadInput, setHost, viewOf } from '../../src/base/core/index.js';
import { readPreferences } from '../../src/prepare/data/index.js';
import { type RatePair, rate } from '../../src/show/index.js';
import { preferences } from '../../src/study/evaluate/index.js';
import { ALL } from './attacks.js';
import { widgetHost } from './widget-host.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-rate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => setHost(undefined));

const pairs: RatePair[] = Array.from({ length: 20 }, (_, i) => ({
  item: `${i}`,
  prompt: [{ role: 'user', content: `question ${i}` }],
  answers: [
    { model: 'base', text: `plain ${i}` },
    { model: 'tuned', text: `fine ${i}` },
  ],
}));

/** Which side shows the tuned model's answer, by the text of the question. */
const fine = (question: string) => (/^A {2}fine/m.test(question) ? 'a' : 'b');
const lines = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));

describe('in a terminal', () => {
  it('asks pair by pair without names, and keeps preference rows that can be counted and trained on', async () => {
    const file = join(folder, 'terminal.jsonl');
    const questions: string[] = [];
    let count = 0;
    const ask = async (question: string) => {
      questions.push(question);
      count++;
      // A slip is asked again.
      if (count === 1) return 'x';
      return count === 5 ? 't' : count === 6 ? ' S ' : fine(question).toUpperCase();
    };
    const session = await rate(pairs, { file, ask });
    expect([session.done, session.total]).toEqual([20, 20]);
    expect(questions.join()).not.toMatch(/tuned|base/);
    expect(questions[0]).toBe(questions[1]);
    // The sides change about, but are the same for a rater who comes again.
    const sides = questions.slice(1).map(fine);
    expect(new Set(sides)).toEqual(new Set(['a', 'b']));
    const found = lines(file);
    expect(found).toHaveLength(19);
    expect(found[0]).toMatchObject({
      prompt: [{ role: 'user', content: 'question 0' }],
      chosen: [{ role: 'assistant', content: 'fine 0' }],
      rejected: [{ role: 'assistant', content: 'plain 0' }],
      meta: { item: '0', rater: 'me', models: ['base', 'tuned'], winner: 'tuned' },
    });
    expect((await preferences(file)).winRates).toMatchObject([{ model: 'tuned', against: 'base', wins: 18, losses: 0, ties: 1 }]);
    const rows = await readPreferences(file, { onBad: 'skip' });
    expect(rows).toHaveLength(18);
    expect(rows.report.skipped).toHaveLength(1);
    expect(viewOf(session)).toMatchObject({ kind: 'table', data: [{ rated: 20, of: 20 }] });
  });

  it('goes on where it was left, past torn lines; other raters begin anew and see other sides', async () => {
    const file = join(folder, 'again.jsonl');
    let left = 3;
    await rate(pairs, { file, ask: async () => (left-- > 0 ? 'a' : 'q') });
    expect(lines(file)).toHaveLength(3);
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -5));
    const seen: string[] = [];
    const one = async (question: string) => {
      seen.push(/question \d+/.exec(question)![0]);
      return 'b';
    };
    const session = await rate(pairs, { file, ask: one });
    // The torn rating is asked for again.
    expect(seen[0]).toBe('question 2');
    expect(seen).toHaveLength(18);
    await session.finished;
    const shown = async (rater: string) => {
      const sides: string[] = [];
      const ask = async (question: string) => {
        sides.push(fine(question));
        return 't';
      };
      await rate(pairs, { file, rater, ask });
      return sides;
    };
    const [you, they] = [await shown('you'), await shown('they')];
    expect(you).toHaveLength(20);
    expect(you).not.toEqual(they);
    const before = seen.length;
    await rate(pairs, { file, ask: one });
    expect(seen.length).toBe(before);
    appendFileSync(file, 'null\n');
    await expect(rate(pairs, { file, ask: one })).resolves.toMatchObject({ done: 20 });
  });

  it('refuses what cannot be rated', async () => {
    const ask = async () => 'q';
    await expect(rate([], { file: 'x', ask })).rejects.toThrow(BadInput);
    await expect(rate(pairs, { file: '', ask })).rejects.toThrow(/a file for the ratings/);
    await expect(rate([{ item: 'x' } as never], { file: 'x', ask })).rejects.toThrow(/answers/);
  });
});

describe('in a notebook', () => {
  it('has buttons; each verdict is on disk before the next is counted', async () => {
    const file = join(folder, 'notebook.jsonl');
    const { outputs, find, widgets } = widgetHost();
    const session = await rate(pairs.slice(0, 3), { file });
    const [place, bar] = [...outputs.keys()] as [string, string];
    const html = () => String(outputs.get(place)!['text/html']);
    await expect.poll(() => outputs.get(bar)).toMatchObject({ 'application/vnd.jupyter.widget-view+json': {} });
    expect(html()).toContain('pair 1 of 3');
    expect(html()).not.toMatch(/tuned|base/);
    const best = html().indexOf('fine 0') < html().indexOf('plain 0') ? 'A is better' : 'B is better';
    // The second click of two falls on nothing: the next pair is not there yet.
    find('Button', best).click();
    find('Button', best).click();
    await expect.poll(html).toContain('pair 2 of 3');
    expect(lines(file)).toHaveLength(1);
    expect(lines(file)[0].meta.winner).toBe('tuned');
    find('Button', 'Skip').click();
    await expect.poll(html).toContain('pair 3 of 3');
    find('Button', 'Tie').click();
    await session.finished;
    await expect.poll(html).toContain('3 of 3 pairs are done');
    // Who comes again finds nothing to do, and no buttons.
    const open = widgets.filter(one => !one.closed).length;
    await rate(pairs.slice(0, 1), { file });
    await expect.poll(() => widgets.filter(one => !one.closed).length).toBe(open);
    await expect.poll(() => widgets.every(one => one.closed)).toBe(true);
    expect(outputs.get(bar)).toEqual({ 'text/html': '', 'text/plain': '' });
    expect(lines(file)).toHaveLength(2);
  });

  it('stops when told, shows hostile texts as text, and says when a verdict could not be kept', async () => {
    const { outputs, find } = widgetHost();
    const hostile: RatePair = {
      item: '1',
      prompt: [{ role: ALL, content: ALL }],
      task: ALL,
      answers: [
        { model: 'a', text: ALL },
        { model: 'b', text: 'x' },
      ],
    };
    const file = join(folder, 'is-a-folder');
    const session = await rate([hostile, ...pairs], { file });
    const [place] = [...outputs.keys()];
    const html = () => String(outputs.get(place!)!['text/html']);
    expect(html()).not.toMatch(/<script|<img|<a\s/);
    rmSync(file, { recursive: true, force: true });
    mkdtempSync(`${file}-`);
    const { mkdirSync } = await import('node:fs');
    mkdirSync(file);
    find('Button', 'Tie').click();
    await expect.poll(html).toContain('Not saved:');
    find('Button', 'Stop').click();
    await session.finished;
    await expect.poll(html).toContain('1 of 21 pairs are done');
  });
});
