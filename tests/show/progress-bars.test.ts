import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Comm, type Host, type MimeBundle, progress, setHost } from '../../src/base/core/index.js';
import { progressBars } from '../../src/show/index.js';
import { WIDGET_MIME } from '../../src/show/widgets.js';

interface Shown {
  bundle: MimeBundle;
  displayId?: string;
  update?: boolean;
}

interface FakeComm extends Comm {
  opening: Record<string, unknown>;
  sent: Record<string, unknown>[];
  /** The front end says something. */
  says(data: Record<string, unknown>): void;
}

/** A host that remembers what it shows and which comms are open, and a front end that answers through them. */
function fakeHost(options: { comms?: boolean } = {}) {
  const shown: Shown[] = [];
  const comms: FakeComm[] = [];
  const ends: (() => void | Promise<void>)[] = [];
  const targets = new Map<string, (comm: Comm, opening: never) => void>();
  function comm(target: string, opening: Record<string, unknown> = {}): FakeComm {
    const handlers = new Set<(message: { data: Record<string, unknown>; metadata: object; buffers: never[] }) => void>();
    const made = {
      id: `comm-${comms.length}`,
      target,
      opening,
      closed: false,
      sent: [] as Record<string, unknown>[],
      send: (data: Record<string, unknown>) => void made.sent.push(data),
      close: () => {
        made.closed = true;
      },
      onMessage: (handler: never) => {
        handlers.add(handler);
        return () => handlers.delete(handler);
      },
      onClose: () => () => undefined,
      says: (data: Record<string, unknown>) => {
        for (const handler of handlers) handler({ data, metadata: {}, buffers: [] });
      },
    };
    comms.push(made as unknown as FakeComm);
    return made as unknown as FakeComm;
  }
  const cell = new AbortController();
  const host = {
    name: 'tunebook',
    display: (bundle: MimeBundle, options: object) => shown.push({ bundle, ...options }),
    clear: () => undefined,
    signal: cell.signal,
    shield: (section: () => unknown) => section(),
    onCellEnd: (task: () => void) => ends.push(task),
    ...(options.comms === false ? {} : { comm, onComm: (target: string, handler: never) => void targets.set(target, handler) }),
  } as unknown as Host;
  setHost(host);
  return {
    shown,
    comms,
    targets,
    newCell: () => setHost({ ...host, signal: new AbortController().signal }),
    endCell: () => Promise.all(ends.splice(0).map(task => task())),
    /** What each output says now. */
    now: () => [...new Map(shown.map(each => [each.displayId, String(each.bundle['text/plain'])])).values()],
  };
}

/** The chain of promises behind a display; no timers. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(1000 * seconds);

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => {
  setHost(undefined);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('progress in a notebook', () => {
  it('draws nested bars in one output, at most four times a second, and leaves the line of the outer task', async () => {
    const { shown, now } = fakeHost({ comms: false });
    const outer = progress('sft', { total: 100 });
    outer.update(1);
    await pass(3);
    outer.update(10, 'loss 2.5');
    await settle();
    expect(now()).toEqual(['sft [##------------------] 10 % 10/100 steps 00:03 <00:30 loss 2.5']);
    expect(shown[0]!.bundle['text/html']).toContain('<progress max="1" value="0.1000" aria-label="sft">');
    const inner = progress('score', { total: 10, unit: 'prompts' });
    for (let i = 0; i < 30; i++) {
      await pass(0.1);
      inner.update(5);
    }
    const before = shown.length;
    await pass(0.5);
    expect(now()).toEqual([
      'sft [##------------------] 10 % 10/100 steps 00:03 <00:30 loss 2.5\n' +
        '  score [##########----------] 50 % 5/10 prompts 00:03 <00:03',
    ]);
    // The first picture, then one second of the inner task: it was silent before.
    expect(before).toBeLessThanOrEqual(6);
    expect(new Set(shown.map(each => each.displayId)).size).toBe(1);
    inner.finish();
    outer.update(100);
    outer.finish('done');
    await pass(2);
    expect(now()).toEqual(['sft [####################] 100 % 100/100 steps 00:07 done']);
    expect(shown.at(-1)!.bundle['text/html']).not.toContain('<progress');
  });

  it('draws an outer task that spoke once, at its beginning, above the inner one', async () => {
    const { now } = fakeHost({ comms: false });
    const failed = progress('in another cell', { total: 3 });
    failed.update(1);
    const { now: shown } = fakeHost({ comms: false });
    const outer = progress('sweep', { total: 3, unit: 'trials' });
    outer.update(1);
    const inner = progress('sft', { total: 10 });
    inner.update(1);
    await pass(3);
    inner.update(5);
    await settle();
    expect(shown()).toEqual([
      'sweep [#######-------------] 33 % 1/3 trials 00:03\n  sft [##########----------] 50 % 5/10 steps 00:03 <00:04',
    ]);
    inner.finish();
    outer.finish();
    expect(now()).toEqual([]);
  });

  it('is silent for two seconds, and draws anew in a new cell', async () => {
    const { shown, newCell, now } = fakeHost({ comms: false });
    const short = progress('short', { total: 2 });
    short.update(1);
    short.finish();
    await pass(5);
    expect(shown).toEqual([]);
    const first = progress('first', { total: 10 });
    await pass(3);
    first.update(1);
    newCell();
    const second = progress('second', { total: 10 });
    await pass(3);
    second.update(2);
    first.update(5);
    await pass(1);
    expect(now().map(text => text.split(' ')[0])).toEqual(['first', 'second']);
    first.finish();
    second.finish();
    await settle();
  });

  it('shows the last state when the cell ends, whatever its timers would have shown later', async () => {
    const { endCell, now } = fakeHost({ comms: false });
    const task = progress('sft', { total: 100 });
    await pass(3);
    task.update(1);
    task.update(42);
    await settle();
    expect(now()[0]).toContain(' 1/100');
    await endCell();
    expect(now()[0]).toContain(' 42/100');
    task.finish();
    await settle();
  });
});

describe('the Stop button', () => {
  it('stops the task once, and goes when it is over', async () => {
    const { shown, comms, now } = fakeHost();
    const stop = vi.fn();
    const task = progress('<b>sft', { total: 100, stop });
    await pass(3);
    task.update(1);
    await settle();
    const view = shown.find(each => each.bundle[WIDGET_MIME])!;
    expect(view.bundle['text/plain']).toContain('To stop <b>sft: interrupt the cell.');
    const button = comms.find(each => each.id === (view.bundle[WIDGET_MIME] as { model_id: string }).model_id)!;
    const state = (button.opening as { state: Record<string, unknown> }).state;
    expect(state).toMatchObject({ _model_name: 'ButtonModel', description: '■ Stop <b>sft', disabled: false });
    // What it refers to was opened before.
    expect(comms.map(each => `IPY_MODEL_${each.id}`)).toEqual(expect.arrayContaining([state.layout, state.style]));
    button.says({ method: 'update', state: {} });
    expect(stop).not.toHaveBeenCalled();
    button.says({ method: 'custom', content: { event: 'click' } });
    button.says({ method: 'custom', content: { event: 'click' } });
    expect(stop).toHaveBeenCalledTimes(1);
    expect(button.sent).toEqual([
      { method: 'update', state: { description: 'Stopping after this step …', disabled: true }, buffer_paths: [] },
    ]);
    task.finish('stopped');
    await settle();
    expect(now()).toEqual([expect.stringContaining('stopped'), '']);
    expect(comms.every(each => each.closed)).toBe(true);
  });

  it('is there again when the page is loaded anew', async () => {
    const { comms, targets } = fakeHost();
    const task = progress('sft', { total: 100, stop: () => undefined });
    await pass(3);
    task.update(1);
    await settle();
    const button = comms.at(-1)!;
    button.says({ method: 'request_state' });
    expect(button.sent).toEqual([{ method: 'update', state: button.opening.state, buffer_paths: [] }]);
    const control = fakeComm();
    targets.get('jupyter.widget.control')!(control.comm, undefined as never);
    control.says({ method: 'request_states' });
    const [answer] = control.sent as [{ method: string; states: Record<string, { model_name: string }> }];
    expect(answer.method).toBe('update_states');
    expect(Object.values(answer.states).map(each => each.model_name)).toEqual(['LayoutModel', 'ButtonStyleModel', 'ButtonModel']);
    task.finish();
    await settle();
    control.says({ method: 'request_states' });
    expect(control.sent[1]).toMatchObject({ states: {} });
  });

  it('is not offered for what cannot be stopped, nor where the host has no comms', async () => {
    const { comms } = fakeHost();
    const plain = progress('reading', { total: 100 });
    await pass(3);
    plain.update(1);
    await settle();
    expect(comms).toEqual([]);
    plain.finish();
    const bare = fakeHost({ comms: false });
    const task = progress('sft', { total: 100, stop: () => undefined });
    await pass(3);
    task.update(1);
    await settle();
    expect(bare.shown.every(each => each.bundle[WIDGET_MIME] === undefined)).toBe(true);
    task.finish();
  });
});

describe('progressBars', () => {
  it('escapes names and notes', () => {
    const event = { id: 1, label: '<img src=x>', note: '<b>"', done: 1, unit: 'rows', elapsed: 1, finished: false };
    const { html } = progressBars([event]);
    expect(html).not.toMatch(/<img|<b>/);
    expect(html).toContain('aria-label="&lt;img src=x&gt;"');
  });
});

/** A comm that the front end opened. */
function fakeComm() {
  let handler: ((message: { data: Record<string, unknown> }) => void) | undefined;
  const sent: Record<string, unknown>[] = [];
  const comm = { onMessage: (h: typeof handler) => (handler = h), send: (data: Record<string, unknown>) => sent.push(data) };
  return { comm: comm as unknown as Comm, sent, says: (data: Record<string, unknown>) => handler!({ data }) };
}
