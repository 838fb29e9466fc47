import type { CellOutcome, ErrorContent, FromExecutor } from './channel.js';
import { History } from './history.js';
import { kernelInfo } from './info.js';
import { type Death, Executor, ExecutorDied } from './process.js';
import type { Channel, Sockets } from './sockets.js';
import { errorContent } from './traceback.js';
import type { Header, Message } from './wire.js';

/** Seconds after an interrupt until a cell that still runs gets a word about why. */
const STUBBORN = 5;
/** A child that dies this often without having run a cell is not started again. */
const MAX_FAILED_STARTS = 3;

/**
 * The protocol side of the kernel. It answers the front end at any time because it runs no user code: cells run in the
 * {@link Executor}'s process, one after the other, and their outputs pass through here.
 */
export class Kernel {
  /** Until {@link attach}: nobody listens yet. */
  #sockets: Sockets = { publish() {}, reply() {}, close: async () => {} };
  readonly #onShutdown: () => void;
  readonly #executor: Executor;
  readonly #history = new History();
  readonly #queue: Message[] = [];
  #running: Message | undefined;
  /** Outputs belong to this cell: the running one, or the last that ran (its timers may still write). */
  #outputParent: Header | undefined;
  #muted = false;
  #count = 0;
  #failedStarts = 0;
  #stopping = false;

  /** Starts the executor at once. @param onShutdown called when a front end asked for the end and has its reply. */
  constructor(onShutdown: () => void) {
    this.#onShutdown = onShutdown;
    this.#executor = new Executor({
      onEvent: event => this.#output(event),
      onRaw: (name, text) => this.#publish('stream', { name, text }),
      onDeath: death => this.#died(death),
    });
    this.#executor.start();
  }

  /** Speak through these sockets. */
  attach(sockets: Sockets): void {
    this.#sockets = sockets;
    sockets.publish('status', { execution_state: 'starting' });
  }

  /** Handle one request of a front end. */
  handle(channel: Channel, message: Message): void {
    if (message.header.msg_type === 'execute_request') {
      this.#queue.push(message);
      void this.#next(channel);
      return;
    }
    void this.#aside(channel, message);
  }

  /** Interrupt the running cell. */
  interrupt(): void {
    this.#executor.interrupt();
    const cell = this.#running;
    if (!cell) return;
    setTimeout(() => {
      if (this.#running !== cell) return;
      const text =
        'The interrupted cell has not stopped yet: it is in a native call, in a section that must not be cut (a step, a save), ' +
        'or in a loop of a library that does not listen. It stops when that ends. Restarting the kernel ends it now; saved checkpoints are kept.\n';
      this.#publish('stream', { name: 'stderr', text });
    }, STUBBORN * 1000).unref();
  }

  /** End the executor. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#executor.stop();
  }

  /** Requests other than execute are answered at once, also while a cell runs. */
  async #aside(channel: Channel, message: Message): Promise<void> {
    const type = message.header.msg_type;
    const sockets = this.#sockets;
    sockets.publish('status', { execution_state: 'busy' }, message.header);
    try {
      const content = await this.#answer(type, message);
      if (content) sockets.reply(channel, message, type.replace(/_request$/, '_reply'), content);
    } catch (error) {
      const { ename, evalue, traceback } = errorContent(error);
      sockets.reply(channel, message, type.replace(/_request$/, '_reply'), { status: 'error', ename, evalue, traceback });
    }
    sockets.publish('status', { execution_state: 'idle' }, message.header);
    // Front ends show the last status they saw; a cell that runs on makes the kernel busy.
    if (this.#running) sockets.publish('status', { execution_state: 'busy' }, this.#running.header);
    if (type === 'shutdown_request') this.#onShutdown();
  }

  async #answer(type: string, { content, header }: Message): Promise<object | undefined> {
    switch (type) {
      case 'kernel_info_request':
        return kernelInfo();
      case 'history_request':
        return { status: 'ok', history: this.#history.query(content) };
      case 'comm_info_request':
        return { status: 'ok', comms: {} };
      case 'comm_open':
        // No targets yet: the protocol asks to close what cannot be opened.
        this.#sockets.publish('comm_close', { comm_id: content.comm_id, data: {} }, header);
        return undefined;
      case 'is_complete_request':
        return (await this.#executor.request({ type: 'isComplete', code: String(content.code) })) as object;
      case 'complete_request':
      case 'inspect_request': {
        const code = String(content.code);
        const position = utf16Offset(code, Number(content.cursor_pos ?? code.length));
        if (type === 'inspect_request') return (await this.#executor.request({ type: 'inspect', code, position })) as object;
        const found = (await this.#executor.request({ type: 'complete', code, position })) as Completion;
        return { ...found, cursor_start: codePoints(code, found.cursor_start), cursor_end: codePoints(code, found.cursor_end) };
      }
      case 'interrupt_request':
        this.interrupt();
        return { status: 'ok' };
      case 'shutdown_request':
        await this.stop();
        return { status: 'ok', restart: content.restart === true };
      default:
        return undefined;
    }
  }

  async #next(channel: Channel): Promise<void> {
    if (this.#running || this.#stopping) return;
    const message = this.#queue.shift();
    if (!message) return;
    this.#running = message;
    try {
      await this.#execute(channel, message);
    } finally {
      this.#running = undefined;
    }
    void this.#next(channel);
  }

  async #execute(channel: Channel, message: Message): Promise<void> {
    const { header, content } = message;
    const sockets = this.#sockets;
    const code = String(content.code ?? '');
    const silent = content.silent === true;
    const remember = !silent && content.store_history !== false;
    this.#outputParent = header;
    this.#muted = silent;
    sockets.publish('status', { execution_state: 'busy' }, header);
    if (!silent) this.#count++;
    const cell = this.#count;
    if (remember) this.#history.add(cell, code);
    if (!silent) this.#publish('execute_input', { code, execution_count: cell });

    const outcome = await this.#run(code, cell, (content.user_expressions ?? {}) as Record<string, string>, silent);
    // What native code wrote to the inherited stdout lies in another pipe: let this turn of the event loop read it.
    await new Promise(setImmediate);

    if (outcome.status === 'ok') {
      const { result, expressions } = outcome;
      if (result) {
        this.#publish('execute_result', { execution_count: cell, data: result.data, metadata: result.metadata });
        if (remember && typeof result.data['text/plain'] === 'string') this.#history.setOutput(cell, result.data['text/plain']);
      }
      const reply = { status: 'ok', execution_count: cell, user_expressions: expressions, payload: [] };
      sockets.reply(channel, message, 'execute_reply', reply);
    } else {
      const { ename, evalue, traceback } = outcome;
      this.#publish('error', { ename, evalue, traceback });
      // What is queued now was sent before the front end could know of the failure.
      const late = content.stop_on_error === false ? [] : this.#queue.splice(0);
      const reply = { status: 'error', execution_count: cell, ename, evalue, traceback, user_expressions: {}, payload: [] };
      sockets.reply(channel, message, 'execute_reply', reply);
      sockets.publish('status', { execution_state: 'idle' }, header);
      for (const each of late) this.#abort(channel, each);
      return;
    }
    sockets.publish('status', { execution_state: 'idle' }, header);
  }

  async #run(code: string, cell: number, expressions: Record<string, string>, silent: boolean): Promise<CellOutcome> {
    try {
      if (!code.trim()) return { status: 'ok', expressions: {} };
      const outcome = (await this.#executor.request({ type: 'execute', code, cell, expressions, silent })) as CellOutcome;
      this.#failedStarts = 0;
      return outcome;
    } catch (error) {
      const content = error instanceof ExecutorDied ? deathReport(error.death) : errorContent(error);
      return { status: 'error', interrupted: false, ...content };
    }
  }

  #abort(channel: Channel, message: Message): void {
    const sockets = this.#sockets;
    sockets.publish('status', { execution_state: 'busy' }, message.header);
    sockets.reply(channel, message, 'execute_reply', {
      status: 'aborted',
      execution_count: this.#count,
      user_expressions: {},
      payload: [],
    });
    sockets.publish('status', { execution_state: 'idle' }, message.header);
  }

  #output(event: FromExecutor): void {
    switch (event.type) {
      case 'stream':
        this.#publish('stream', { name: event.name, text: event.text });
        break;
      case 'display': {
        const { data, metadata, displayId, update } = event;
        const transient = displayId === undefined ? {} : { display_id: displayId };
        this.#publish(update ? 'update_display_data' : 'display_data', { data, metadata, transient });
        break;
      }
      case 'clear':
        this.#publish('clear_output', { wait: event.wait });
        break;
    }
  }

  #publish(type: string, content: object): void {
    if (!this.#muted) this.#sockets.publish(type, content, this.#outputParent);
  }

  #died(death: Death): void {
    if (this.#stopping) return;
    if (!this.#running) this.#publish('stream', { name: 'stderr', text: `${deathReport(death).evalue}\n` });
    if (++this.#failedStarts > MAX_FAILED_STARTS) return;
    this.#executor.start();
  }
}

interface Completion {
  cursor_start: number;
  cursor_end: number;
}

/** What a front end shows when the process that ran the cell is gone. */
export function deathReport({ code, signal, onPurpose, outOfMemory }: Death): ErrorContent {
  const lost = 'Its variables are lost; a fresh process runs the next cell.';
  const [ename, what] = outOfMemory
    ? ['OutOfMemory', 'The process that runs cells ran out of JavaScript heap (4 GB) and ended.']
    : onPurpose
      ? ['ProcessExit', `The cell ended its process: process.exit(${code ?? ''}).`]
      : signal
        ? [
            'ProcessCrash',
            `The process that runs cells was ended by ${signal}${signal === 'SIGKILL' ? ' (often: the machine ran out of memory)' : ''}.`,
          ]
        : code === null
          ? ['ProcessCrash', 'The process that runs cells is not running: it failed to start several times. Restart the kernel.']
          : ['ProcessCrash', `The process that runs cells ended unexpectedly with exit code ${code}.`];
  const evalue = `${what} ${lost}`;
  return { ename, evalue, traceback: [`\u001b[31m${ename}\u001b[39m: ${evalue}`] };
}

/** Jupyter counts code points, JavaScript UTF-16 units. */
function utf16Offset(text: string, points: number): number {
  return [...text].slice(0, points).join('').length;
}

function codePoints(text: string, units: number): number {
  return [...text.slice(0, units)].length;
}
