import { newSpot } from './hosts.js';
import { oneLine, short } from './text.js';
import { button, WIDGET_MIME } from './widgets.js';

/** A Stop button that stands in the notebook while a task runs. */
export interface StopButton {
  /** The task is over: the button goes. */
  remove(): void;
}

/**
 * Put a Stop button into the notebook that calls `stop`, once. It works while the cell runs, since training yields to the event
 * loop every step. A front end without widgets shows how to stop in words. Undefined where no button can be had.
 * @param label the task's name
 */
export function stopButton(label: string, stop: () => void): StopButton | undefined {
  const name = short(oneLine(label), 32);
  const words = { description: `■ Stop ${name}`, tooltip: 'Ends after the current step; what was learned is kept' };
  let pressed = false;
  const made = button(words, () => {
    if (pressed) return;
    pressed = true;
    made?.set('Stopping after this step …', false);
    stop();
  });
  if (!made) return undefined;
  // Where there are widgets there is our host, which shows at once.
  const spot = newSpot();
  const shown = spot?.show({
    [WIDGET_MIME]: made.view,
    'text/plain': `To stop ${name}: interrupt the cell. It ends after the current step; what was learned is kept.`,
  });
  return {
    remove() {
      // An output cannot be taken back, only emptied. First the output, then the model it shows.
      void shown?.then(() => spot?.show({ 'text/html': '', 'text/plain': '' })).then(() => made.close());
    },
  };
}
