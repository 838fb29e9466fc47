import { appendFileSync, existsSync, mkdirSync, truncateSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Complaint, type RunLogger, scalars } from './logger.js';
import { type EventValue, encodeEvent, frame, type TfEvent } from './tfevents.js';

/** What the steps' numbers are called there; the tags of evaluations begin with `eval/`. */
const GROUP = 'train/';
/** Files of this process, for their names. */
let files = 0;

/**
 * A log that TensorBoard reads: `tensorboard --logdir <the folder above dir>` shows it as the run of that name. An event file of
 * our own in `dir` with a scalar for every number of a step (`train/loss`, `train/learningRate`, `train/loss/<task>`) and of an
 * evaluation (`eval/heldOut`), and the samples as text. Nothing of TensorFlow is needed.
 */
export function tensorboard(dir: string): RunLogger {
  const file = new EventFile(dir);
  const named = (group: string, found: Record<string, number>): EventValue[] =>
    Object.entries(found).map(([name, number]) => ({ tag: group + name, number }));
  return {
    name: 'tensorboard',
    settings: { dir },
    onStart: ({ config, step }) => {
      const text = `\`\`\`json\n${JSON.stringify(config, null, 2)}\n\`\`\``;
      file.add(step, [{ tag: 'config', text }]);
    },
    onStep: report => file.add(report.step, named(GROUP, scalars(report, { gradNorms: true }))),
    onEval: ({ step, ...found }, samples) => {
      const said = samples.map(({ task, prompt, expected, got }, i) => ({
        tag: `samples/${task}/${i}`,
        text: [quoted('prompt', prompt), quoted('expected', expected), quoted('got', got)].join('\n\n'),
      }));
      file.add(step, [...named('eval/', found), ...said]);
    },
  };
}

/** Text as a block of Markdown that cannot end early. */
function quoted(name: string, text: string): string {
  return `**${name}**\n\n${text.replace(/^/gm, '    ')}`;
}

/** An event file that only grows. A record that was written in half is cut off again: readers would stop at it. */
class EventFile {
  readonly #dir: string;
  readonly #complaint: Complaint;
  #path: string | undefined;
  #length = 0;

  constructor(dir: string) {
    this.#dir = dir;
    this.#complaint = new Complaint(`The TensorBoard log ${dir}`);
  }

  add(step: number, values: readonly EventValue[]): void {
    const wallTime = Date.now() / 1000;
    try {
      // A file that somebody removed is begun anew.
      if (!this.#path || !existsSync(this.#path)) {
        mkdirSync(this.#dir, { recursive: true });
        const name = `events.out.tfevents.${Math.floor(wallTime)}.${hostname()}.${process.pid}.${files++}`;
        this.#path = join(this.#dir, name);
        this.#length = 0;
      }
      const events: TfEvent[] = [{ wallTime, step, values }];
      if (this.#length === 0) events.unshift({ wallTime, fileVersion: 'brain.Event:2' });
      const written = Buffer.concat(events.map(event => frame(encodeEvent(event))));
      appendFileSync(this.#path, written);
      this.#length += written.length;
    } catch (error) {
      this.#complaint.say(error);
      this.#cut();
    }
  }

  #cut(): void {
    try {
      if (this.#path && existsSync(this.#path)) truncateSync(this.#path, this.#length);
    } catch {
      // Another file for what comes: this one may end in half a record.
      this.#path = undefined;
    }
  }
}
