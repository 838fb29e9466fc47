import type { Figure } from './figure.js';
import { display, newSpot } from './hosts.js';
import { cardFigure, type SamplesOptions, type SamplesSource, scoredSource } from './samples.js';
import { pageOf, tasksOf } from './samples-filter.js';
import { oneLine, short } from './text.js';
import { button, dropdown, row, textField, WIDGET_MIME } from './widgets.js';

/** Samples with controls in the notebook. */
export interface SampleBrowser {
  /** What is shown now. */
  readonly figure: Figure;
  /** Take the controls away; the page that is shown stays. */
  close(): void;
}

/** Tasks in the list at most. */
const TASKS = 500;

/**
 * Look through samples: lists for verdict and task, a search field, and buttons for the pages above the cards, which are drawn anew in
 * place. `await show.browse(await evaluate.score({ … }))`. It works as long as the kernel lives; in the saved notebook the page shown
 * last stays. Without widgets (a terminal, another kernel) the first page is shown, and options choose: see {@link samples}.
 */
export async function browse(source: SamplesSource, options: SamplesOptions = {}): Promise<SampleBrowser> {
  const data = scoredSource(source);
  let filter: SamplesOptions = { ...options };
  let shown = cardFigure(data, filter);
  const tasks = tasksOf(data.samples).slice(0, TASKS);
  const set = (change: SamplesOptions) => {
    // Another filter begins at its first page.
    filter = { ...filter, page: 1, ...change };
    void draw();
  };
  const turn = (by: number) => set({ page: Math.max(1, pageOf(data.samples, filter).page + by) });
  const labels = tasks.map(task => oneLine(short(task, 60)));
  const controls = row([
    dropdown('', ['right and wrong', 'right', 'wrong'], index => set({ correct: [undefined, true, false][index] })),
    ...(tasks.length > 1 ? [dropdown('', ['all tasks', ...labels], index => set({ task: tasks[index - 1] }))] : []),
    textField('search', search => set({ search })),
    button({ description: '◀', tooltip: 'Page before' }, () => turn(-1)),
    button({ description: '▶', tooltip: 'Next page' }, () => turn(1)),
  ]);
  const bar = controls && newSpot();
  const place = newSpot();
  if (!place) await display(shown);
  const draw = async () => {
    shown = cardFigure(data, filter);
    await place?.show(shown.quickBundle());
  };
  await bar?.show({ [WIDGET_MIME]: controls!.view, 'text/plain': '' });
  await draw();
  return {
    get figure() {
      return shown;
    },
    close() {
      // An output cannot be taken back, only emptied.
      void bar?.show({ 'text/html': '', 'text/plain': '' }).then(() => controls?.close());
    },
  };
}
