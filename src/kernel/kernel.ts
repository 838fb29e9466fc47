import type { Cell } from './cell.js';
import type { CellOutcome, FromExecutor } from './channel.js';
import { CommTable } from './comm-table.js';
import { deathReport } from './death.js';
import { History } from './history.js';
import { HistoryFile, historyPath } from './history-file.js';
import { type Death, Executor, ExecutorDied } from './process.js';
import { Questions } from './questions.js';
import { answer } from './requests.js';
import type { Channel, Receiver, Sockets } from './sockets.js';
import { errorContent } from './traceback.js';
import type { Header, Message } from './wire.js';

/** Seconds after an interrupt until a cell that still runs gets a word about why. */
const STUBBORN = 5;
/** Cells whose late output still finds its place. */
const REMEMBERED_CELLS = 1000;
/** A child that dies this often without having run a cell is not started again. */
const MAX_FAILED_STARTS = 3;

/**
 * The protocol side of the kernel. It answers the front end at any time because it runs no user code: cells run in the
 * {@link Executor}'s process, one after the other, and their outputs pass through here.
 */
export class Kernel implements Receiver {
  /** Until {@link attach}: nobody listens yet. */
  #sockets: Sockets = {
    publish() {},
    reply() {},
    ask: () => '',
    congested: false,
    welcomed: new Promise(() => {}),
    close: async () => {},
  };
  /** A front end has asked for something. */
  #asked = false;
  readonly #onShutdown: () => void;
  readonly #executor: Executor;
  readonly #history: History;
  readonly #comms: CommTable;
  readonly #questions: Questions;
  readonly #queue: Request[] = [];
  #running: Message | undefined;
  /** Outputs belong to this cell: the running one, or the last that ran (its timers may still write). */
  #outputParent: Header | undefined;
  #muted = false;
  /** What the running cell wants shown in the pager. */
  #payload: object[] = [];
  #count = 0;
  /** Number of the last cell sent to the executor, and those that may still write. */
  #serial = 0;
  readonly #cells = new Map<number, { header: Header; silent: boolean }>();
  #stubborn: Message | undefined;
  #failedStarts = 0;
  #stopping = false;

  /** Starts the executor at once. @param onShutdown called when a front end asked for the end and has its reply. */
  constructor(onShutdown: () => void) {
    this.#onShutdown = onShutdown;
    const historyFile = historyPath();
    this.#history = new History(historyFile === undefined ? undefined : new HistoryFile(historyFile));
    this.#executor = new Executor({
      onEvent: event => this.#output(event),
      onRaw: (name, text) => this.#publish('stream', { name, text }),
      onDeath: death => this.#died(death),
      congested: () => this.#sockets.congested,
    });
    this.#comms = new CommTable(
      event => this.#executor.request({ type: 'comm', ...event }),
      (type, content, buffers, metadata) => this.#sockets.publish(type, content, this.#commParent(), { buffers, metadata }),
    );
    this.#questions = new Questions({
      ask: (cell, content) => this.#sockets.ask(cell, content),
      answer: ({ blocking }, answer) => {
        if (blocking) this.#executor.answer(answer);
        else this.#executor.request({ type: 'answer', answer }).catch(() => {});
      },
    });
    this.#executor.start();
  }

  /** Speak through these sockets. */
  attach(sockets: Sockets): void {
    this.#sockets = sockets;
    // Behind the first welcome. Before it nobody listens, but for one who came in this moment, to whom the welcome must be the first word.
    void sockets.welcomed.then(() => {
      if (!this.#asked) sockets.publish('status', { execution_state: 'starting' });
    });
  }

  /** Handle one request of a front end. */
  handle(channel: Channel, message: Message): void {
    this.#asked = true;
    if (message.header.msg_type === 'execute_request') {
      this.#queue.push({ channel, message });
      void this.#next();
      return;
    }
    void this.#aside(channel, message);
  }

  /** A front end's answer to a question of the running cell. */
  answered(reply: Message): void {
    if (reply.header.msg_type === 'input_reply') this.#questions.receive(reply);
  }

  /** Interrupt the running cell. */
  interrupt(): void {
    const cell = this.#running;
    this.#executor.interrupt(cell ? this.#serial : 0);
    this.#questions.interrupt();
    if (!cell || this.#stubborn === cell) return;
    this.#stubborn = cell;
    setTimeout(() => {
      if (this.#running !== cell) return;
      const text =
        'The interrupted cell has not stopped yet: it is in a native call, in a section that must not be cut (a step, a save), waits ' +
        'for a child process, or computes while asynchronous hooks are on (AsyncLocalStorage does that before Node 22.7). It stops when ' +
        'that ends. Another interrupt ends a child less gently, and what computes with hooks at the risk of all variables. Restarting ' +
        'the kernel ends it now; saved checkpoints are kept.\n';
      this.#publish('stream', { name: 'stderr', text });
    }, STUBBORN * 1000).unref();
  }

  /** End the executor; resolves when the history is written. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([this.#executor.stop(), this.#history.close()]);
  }

  /** Requests other than execute are answered at once, also while a cell runs. */
  async #aside(channel: Channel, message: Message): Promise<void> {
    const type = message.header.msg_type;
    const sockets = this.#sockets;
    const replyType = type.replace(/_request$/, '_reply');
    const answered = answer(message, {
      executor: this.#executor,
      history: this.#history,
      comms: this.#comms,
      interrupt: () => this.interrupt(),
      stop: () => this.stop(),
    });
    // Whoever finds the answer is at work while this is said.
    sockets.publish('status', { execution_state: 'busy' }, message.header);
    try {
      const content = await answered;
      if (content) sockets.reply(channel, message, replyType, content);
      // Other front ends of this kernel learn that it goes.
      if (type === 'shutdown_request') sockets.publish(replyType, content!, message.header);
    } catch (error) {
      const { ename, evalue, traceback } = errorContent(error);
      if (type !== replyType) sockets.reply(channel, message, replyType, { status: 'error', ename, evalue, traceback });
    }
    sockets.publish('status', { execution_state: 'idle' }, message.header);
    // Front ends show the last status they saw; a cell that runs on makes the kernel busy.
    if (this.#running) sockets.publish('status', { execution_state: 'busy' }, this.#running.header);
    if (type === 'shutdown_request') this.#onShutdown();
  }

  /** What a cell says through a comm belongs to the cell; between cells it answers what the front end said. */
  #commParent(): Header | undefined {
    return this.#running ? this.#outputParent : (this.#comms.handling ?? this.#outputParent);
  }

  async #next(): Promise<void> {
    if (this.#running || this.#stopping) return;
    const request = this.#queue.shift();
    if (!request) return;
    this.#running = request.message;
    try {
      await this.#execute(request);
    } finally {
      this.#running = undefined;
    }
    void this.#next();
  }

  async #execute(request: Request): Promise<void> {
    const { header, content } = request.message;
    const sockets = this.#sockets;
    const silent = content.silent === true;
    const remember = !silent && content.store_history !== false;
    const code = String(content.code ?? '');
    const before = this.#outputParent;
    this.#outputParent = header;
    this.#muted = silent;
    this.#payload = [];
    if (remember) this.#history.add(++this.#count, code);
    const cell = this.#count;
    this.#questions.begin(request.message);
    this.#cells.set(++this.#serial, { header, silent });
    if (this.#cells.size > REMEMBERED_CELLS) this.#cells.delete(this.#cells.keys().next().value!);
    // An unremembered cell has no number of its own, and the lines of the one before must still be found by later tracebacks.
    const run = this.#run({
      serial: this.#serial,
      code,
      cell: remember ? cell : 0,
      expressions: textsOf(content.user_expressions),
      silent,
    });
    // The executor is at work while this is said; what it says cannot arrive before.
    sockets.publish('status', { execution_state: 'busy' }, header);
    this.#publish('execute_input', { code, execution_count: cell });
    const outcome = await run;
    this.#questions.end();

    const reply = { execution_count: cell, payload: this.#payload };
    // What is queued when a cell fails was sent before the front end could know of the failure.
    let late: Request[] = [];
    if (outcome.status === 'ok') {
      const { result, expressions } = outcome;
      if (result) {
        this.#publish('execute_result', { execution_count: cell, ...result });
        const text = result.data['text/plain'];
        if (remember && typeof text === 'string') this.#history.setOutput(cell, text);
      }
      this.#reply(request, { status: 'ok', ...reply, user_expressions: expressions });
    } else {
      const { ename, evalue, traceback } = outcome;
      this.#publish('error', { ename, evalue, traceback });
      if (content.stop_on_error !== false) late = this.#queue.splice(0);
      this.#reply(request, { status: 'error', ...reply, ename, evalue, traceback, user_expressions: {} });
    }
    // Late output of an earlier cell is not silenced by a silent one.
    if (silent) this.#outputParent = before;
    this.#muted = false;
    sockets.publish('status', { execution_state: 'idle' }, header);
    for (const each of late) this.#abort(each);
  }

  async #run(cell: Cell): Promise<CellOutcome> {
    try {
      if (!cell.code.trim() && Object.keys(cell.expressions).length === 0) return { status: 'ok', expressions: {} };
      // Whoever sends a cell wants it tried again.
      this.#failedStarts = 0;
      if (!this.#executor.alive) this.#executor.start();
      return (await this.#executor.request({ type: 'execute', ...cell })) as CellOutcome;
    } catch (error) {
      const content = error instanceof ExecutorDied ? deathReport(error.death) : errorContent(error);
      return { status: 'error', interrupted: false, ...content };
    }
  }

  #abort(request: Request): void {
    const { header } = request.message;
    this.#sockets.publish('status', { execution_state: 'busy' }, header);
    this.#reply(request, { status: 'aborted', execution_count: this.#count, user_expressions: {}, payload: [] });
    this.#sockets.publish('status', { execution_state: 'idle' }, header);
  }

  #reply({ channel, message }: Request, content: object): void {
    this.#sockets.reply(channel, message, 'execute_reply', content);
  }

  #output(event: FromExecutor): void {
    switch (event.type) {
      case 'stream':
        this.#publish('stream', { name: event.name, text: event.text }, event.cell);
        break;
      case 'display': {
        const { data, metadata, displayId, update } = event;
        const transient = displayId === undefined ? {} : { display_id: displayId };
        this.#publish(update ? 'update_display_data' : 'display_data', { data, metadata, transient }, event.cell);
        break;
      }
      case 'clear':
        this.#publish('clear_output', { wait: event.wait }, event.cell);
        break;
      case 'page':
        // Payloads travel with the reply of a cell; what comes later is shown as an output.
        if (this.#running) this.#payload.push({ source: 'page', data: event.data, start: 0 });
        else this.#publish('display_data', { data: event.data, metadata: {}, transient: {} });
        break;
      case 'comm':
        this.#comms.send(event);
        break;
      case 'question':
        this.#questions.add(event);
        break;
    }
  }

  /** @param cell the cell that made it, where the executor can tell. */
  #publish(type: string, content: object, cell?: number): void {
    const { header, silent } = this.#cells.get(cell ?? 0) ?? { header: this.#outputParent, silent: this.#muted };
    if (!silent) this.#sockets.publish(type, content, header);
  }

  #died(death: Death): void {
    if (this.#stopping) return;
    this.#questions.forget();
    this.#comms.closeAll();
    if (!this.#running) this.#publish('stream', { name: 'stderr', text: `${deathReport(death).evalue}\n` });
    if (++this.#failedStarts > MAX_FAILED_STARTS) return;
    this.#executor.start();
  }
}

/** A cell in the queue. */
interface Request {
  channel: Channel;
  message: Message;
}

/** The entries of an object that are text. */
function textsOf(value: unknown): Record<string, string> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
