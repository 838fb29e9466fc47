import { LineFile } from './line-file.js';
import { type RunLogger, scalars } from './logger.js';

/**
 * A log of JSON lines: `{"time":…,"step":1,"loss":…}` for every step, `{"step":50,"eval":{"heldOut":…},"samples":[…]}` for every
 * evaluation, `{"start":…}`, `{"checkpoint":…}` and `{"stop":…}` between. Lines are added to a file that is there. Times are
 * milliseconds since 1970; a number that is not finite is null.
 */
export function jsonl(path: string): RunLogger {
  const file = new LineFile(path);
  const write = (line: object) => file.append({ time: Date.now(), ...line });
  return {
    name: 'jsonl',
    settings: { path },
    onStart: ({ name, total, step, config }) => write({ start: name, total, step, config }),
    onStep: report => write({ step: report.step, ...scalars(report, { gradNorms: true }) }),
    onEval: ({ step, ...found }, samples) => write({ step, eval: found, ...(samples.length > 0 && { samples }) }),
    onCheckpoint: (dir, step) => write({ step, checkpoint: dir }),
    onStop: ({ state, reason, error }) => {
      write({ stop: state, ...(reason && { reason }), ...(error instanceof Error && { error: error.message }) });
      file.flush();
    },
  };
}
