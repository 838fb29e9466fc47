import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as aq from 'arquero';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BadInput, type Host, type MimeBundle, renderer, setHost, VIEW } from '../../src/base/core/index.js';
import { bundleOf, display, figureOf, JUPYTER_DISPLAY, live, lossCurve, toFigure, VEGALITE_MIME } from '../../src/show/index.js';
import { tokenView } from './examples.js';

interface Shown {
  bundle: MimeBundle;
  displayId?: string;
  update?: boolean;
}

function fakeHost(onCellEnd?: Host['onCellEnd']): Shown[] {
  const shown: Shown[] = [];
  const host: Host = {
    name: 'tunebook',
    display: (bundle, options) => shown.push({ bundle, ...options }),
    clear: () => undefined,
    signal: undefined,
    shield: section => section(),
    ...(onCellEnd ? { onCellEnd } : {}),
  };
  setHost(host);
  return shown;
}

const globals = globalThis as { Deno?: unknown; __tslab__?: unknown };
afterEach(() => {
  setHost(undefined);
  delete globals.Deno;
  delete globals.__tslab__;
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function capture(stream: 'stdout' | 'stderr'): () => string {
  let text = '';
  vi.spyOn(process[stream], 'write').mockImplementation(chunk => {
    text += String(chunk);
    return true;
  });
  return () => text;
}

describe('display', () => {
  it('shows a whole bundle in our kernel', async () => {
    const shown = fakeHost();
    await display(lossCurve({ loss: [2, 1] }));
    expect(shown).toHaveLength(1);
    expect(Object.keys(shown[0]!.bundle)).toContain('image/png');
    expect(shown[0]!.update).toBe(false);
  });

  it('shows as text what cannot be asked, or fails to draw itself', async () => {
    const shown = fakeHost();
    const said = capture('stderr');
    const no = () => {
      throw new Error('not now');
    };
    await display(new Proxy({}, { get: no }));
    await display({ a: 1, [JUPYTER_DISPLAY]: no });
    expect(shown.map(({ bundle }) => Object.keys(bundle))).toEqual([['text/plain'], ['text/plain']]);
    expect(said()).toBe('display failed: not now\n');
    const frame = { columns: ['a'], values: [[1]], shape: [1, 1] };
    Object.defineProperty(frame, 'data', { get: no });
    expect((await bundleOf(frame))!['text/plain']).toContain('1 row × 1 column');
  });

  it('gives tslab the richest type, one a call', async () => {
    const raw = vi.fn();
    globals.__tslab__ = { require: (name: string) => (name === 'tslab' ? { newDisplay: () => ({ raw }) } : undefined) };
    await display(lossCurve({ loss: [2, 1] }));
    await display([1, 2]);
    expect(raw.mock.calls.map(call => call[0])).toEqual([VEGALITE_MIME, 'text/plain']);
  });

  it('gives Deno the bundle', async () => {
    const shown = vi.fn(async () => undefined);
    globals.Deno = { jupyter: { display: shown } };
    await display(aq.table({ a: [1] }));
    expect(shown).toHaveBeenCalledWith(
      expect.objectContaining({ 'text/html': expect.any(String) }),
      expect.objectContaining({ raw: true, update: false }),
    );
  });

  it('prints text in a terminal, and writes a page where asked', async () => {
    const text = capture('stdout');
    const file = join(mkdtempSync(join(tmpdir(), 'tunebook-')), 'figure.html');
    await display(lossCurve({ loss: [2, 1] }), { html: file });
    expect(text()).toContain('Loss falls from 2 to 1 over 2 steps.');
    expect(readFileSync(file, 'utf8')).toContain('<svg');
    await display({ a: 1 }, { html: `${file}.none` });
    expect(text()).toContain('{ a: 1 }');
    expect(existsSync(`${file}.none`)).toBe(false);
  });

  it('never throws', async () => {
    const complaint = capture('stderr');
    fakeHost();
    await display({
      [VIEW]: () => {
        throw new Error('no view today');
      },
    });
    expect(complaint()).toBe('display failed: no view today\n');
  });
});

describe('views', () => {
  it('are rendered for a kernel that knows no figures', async () => {
    expect(renderer()).toBe(bundleOf);
    const run = { [VIEW]: () => ({ kind: 'run', data: { name: 'sft', total: 10, history: { loss: [3, 2] } } }) };
    expect((await renderer()!(run))![VEGALITE_MIME]).toMatchObject({ title: { text: 'sft' } });
    expect(await renderer()!({ a: 1 })).toBeUndefined();
    expect(await renderer()!(null)).toBeUndefined();
    expect((await renderer()!(aq.table({ a: [1] })))!['text/plain']).toContain('1 row × 1 column');
    expect(await renderer()!({ [JUPYTER_DISPLAY]: () => ({ 'text/plain': 'own' }) })).toEqual({ 'text/plain': 'own' });
  });

  it('have a figure for every kind, known or not', () => {
    expect(figureOf({ kind: 'tokens', data: tokenView() }).kind).toBe('tokens');
    expect(figureOf({ kind: 'scores', data: { score: 0.5, samples: [{ prompt: 'p', correct: true }] } }).title).toBe(
      'Score 50.0 %',
    );
    expect(figureOf({ kind: 'model', data: { layers: 2, shape: [1, 2] } }).text).toContain('layers    2');
    expect(figureOf({ kind: 'constructor', data: 3 }).text).toContain('value     3');
    expect(figureOf({ kind: 'table', data: [{ a: 1 }] }).kind).toBe('table');
    expect(toFigure({ a: 1 })).toBeUndefined();
  });
});

describe('views of what says nothing of itself', () => {
  it('are tables for rows and Maps', async () => {
    expect((await bundleOf([{ a: 1, b: '<b>' }]))!['text/html']).toContain('&lt;b&gt;');
    expect(toFigure(new Map([['x', 1]]))!.text).toBe('key  value\n──────────\nx        1\n1 row × 2 columns');
    expect(toFigure(new Map([['x', { loss: 1.5 }]]))!.text).toContain('key  loss\n─────────\nx     1.5');
  });

  it('are conversations for messages and rows of messages', () => {
    const messages = [{ role: 'user', content: 'Hello' }];
    expect(toFigure(messages)!.kind).toBe('conversation');
    expect(toFigure({ messages, task: 'greet' })!.text).toContain('Hello');
  });

  it('say what an error of ours has to teach', async () => {
    const error = new BadInput({
      problem: 'the row has no output',
      where: { file: 'rows.json', line: 3, key: 'output' },
      expected: 'a string',
      found: '<b>7</b>',
      fix: 'give it one',
    });
    const figure = toFigure(error)!;
    expect(figure.text).toBe(
      'BadInput: the row has no output\n  Where:    rows.json:3, "output"\n  Expected: a string\n  Found:    <b>7</b>\n  Fix:      give it one',
    );
    expect(figure.html).toContain('&lt;b&gt;7&lt;/b&gt;');
    expect(toFigure(new Error('of others'))).toBeUndefined();
  });

  it('leave plain objects, lists of numbers and objects with traps to be shown as text', () => {
    const trap = {
      get a(): never {
        throw new Error('do not look');
      },
    };
    for (const value of [{ a: 1 }, [1, 2], [], new Map(), [trap], 'x', null]) expect(toFigure(value)).toBeUndefined();
  });
});

describe('live', () => {
  function fakeRun() {
    const history = { step: [] as number[], loss: [] as number[] };
    const listeners = new Set<(report: unknown) => void>();
    return {
      name: 'sft',
      total: 1000,
      history,
      onStep(listener: (report: unknown) => void) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      step(loss: number) {
        history.step.push(history.step.length + 1);
        history.loss.push(loss);
        for (const listener of listeners) listener({});
      },
      listeners,
    };
  }
  const lossOf = (shown: Shown) =>
    (shown.bundle[VEGALITE_MIME] as { data: { values: { loss: number }[] } }).data.values.at(-1)!.loss;

  it('updates one display at most every 250 ms, without PNG, and always delivers the last state, with it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const shown = fakeHost();
    const run = fakeRun();
    const view = live(run, { every: 10 });
    for (let i = 0; i < 100; i++) {
      run.step(100 - i);
      await vi.advanceTimersByTimeAsync(20);
    }
    // Two seconds at four a second, and the first one.
    expect(shown.length).toBeGreaterThanOrEqual(7);
    expect(shown.length).toBeLessThanOrEqual(9);
    expect(shown.every(s => s.bundle['image/png'] === undefined)).toBe(true);
    expect(new Set(shown.map(s => s.displayId)).size).toBe(1);
    expect(shown.map(s => s.update)).toEqual(shown.map((_, i) => i > 0));
    await vi.advanceTimersByTimeAsync(300);
    expect(lossOf(shown.at(-1)!)).toBe(1);
    run.step(0.5);
    await view.flush();
    expect(lossOf(shown.at(-1)!)).toBe(0.5);
    expect(shown.at(-1)!.bundle['image/png']).toEqual(expect.any(String));
    await view.stop();
    expect(run.listeners.size).toBe(0);
  });

  it('delivers the last state with its PNG when the cell ends, also when its timers are dropped', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const ends: (() => void | Promise<void>)[] = [];
    const shown = fakeHost(task => ends.push(task));
    const run = fakeRun();
    live(run);
    run.step(3);
    run.step(2);
    run.step(1);
    expect(ends).toHaveLength(1);
    vi.clearAllTimers();
    await ends[0]!();
    expect(lossOf(shown.at(-1)!)).toBe(1);
    expect(shown.at(-1)!.bundle['image/png']).toEqual(expect.any(String));
    const told = shown.length;
    run.step(0.5);
    expect(ends).toHaveLength(2);
    await ends[1]!();
    expect(shown.length).toBeGreaterThan(told);
    expect(lossOf(shown.at(-1)!)).toBe(0.5);
  });

  it('completes by itself when the run comes to rest', async () => {
    const shown = fakeHost();
    const run = fakeRun();
    live(run);
    run.step(2);
    run.step(1);
    await vi.waitUntil(() => shown.some(s => s.bundle['image/png'] !== undefined), { timeout: 60_000 });
    expect(lossOf(shown.at(-1)!)).toBe(1);
  });

  it('draws a long history with few points', async () => {
    const shown = fakeHost();
    const run = fakeRun();
    for (let i = 0; i < 20_000; i++) run.step(1 / (i + 1));
    const view = live(run);
    run.step(0.1);
    const points = (s: Shown) => (s.bundle[VEGALITE_MIME] as { data: { values: unknown[] } }).data.values.length;
    await vi.waitUntil(() => shown.length > 0, { timeout: 60_000 });
    expect(points(shown[0]!)).toBe(300);
    await view.flush();
    expect(points(shown.at(-1)!)).toBe(1000);
  });

  it('is silent in a terminal, writes a page where asked, and never breaks the run', async () => {
    const out = capture('stdout');
    const file = join(mkdtempSync(join(tmpdir(), 'tunebook-')), 'live.html');
    const run = fakeRun();
    const view = live(run, { html: file });
    run.step(2);
    run.step(1);
    await view.flush();
    expect(out()).toBe('');
    expect(readFileSync(file, 'utf8')).toContain('<svg');

    fakeHost();
    const complaint = capture('stderr');
    const broken = fakeRun();
    live(broken, {
      draw: () => {
        throw new Error('no figure');
      },
    });
    expect(() => broken.step(1)).not.toThrow();
    expect(complaint()).toContain('live display failed: no figure');
  });
});
