import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { formatProgress, type ProgressEvent } from '../base/core/index.js';

/** The state of a headless run on a terminal: a line for each finished cell, and below it one live line with two bars. Elsewhere plain lines. */
export class RunView {
  readonly #tty: boolean = process.stdout.isTTY === true;
  #total = 0;
  #cell = 0;
  #title = '';
  #began: number = performance.now();
  #work: ProgressEvent | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#draw(), this.#tty ? 200 : 10_000);
  }

  start(total: number, kernel: string): void {
    this.#total = total;
    this.#say(`tunebook: ${total} cell${total === 1 ? '' : 's'} on the kernel "${kernel}"`);
  }

  cell(cell: number, total: number, title: string): void {
    [this.#cell, this.#total, this.#title] = [cell, total, title];
    this.#work = undefined;
    this.#began = performance.now();
    if (!this.#tty) this.#say(`  ${this.#bar(cell - 1)} cell ${cell}/${total}  ${title}`);
  }

  done(cell: number, seconds: number): void {
    if (this.#tty) this.#say(`  ✓ cell ${cell}/${this.#total}  ${this.#title}  ${seconds.toFixed(1)} s`);
    this.#work = undefined;
  }

  /** Progress of the work inside the running cell: training steps, rows read. */
  inner(event: ProgressEvent): void {
    this.#work = event.finished ? undefined : event;
    if (event.finished && event.elapsed > 2 && !this.#tty) this.#say(`      ${formatProgress(event)}`);
  }

  end(ok: boolean): void {
    clearInterval(this.#timer);
    if (this.#tty) process.stdout.write('\r\u001b[K');
    else if (ok) this.#say(`  ${this.#bar(this.#total)} all ${this.#total} cells`);
  }

  #bar(done: number): string {
    const share = this.#total ? done / this.#total : 0;
    return `[${'#'.repeat(Math.round(share * 20)).padEnd(20, '-')}]`;
  }

  #draw(): void {
    if (!this.#cell) return;
    const seconds = Math.round((performance.now() - this.#began) / 1000);
    const work = this.#work ? formatProgress(this.#work) : `${seconds} s`;
    if (!this.#tty) {
      // The timer is not the cell's: a cell that has only begun has nothing to say.
      if (seconds >= 2) this.#say(`      ${work}`);
      return;
    }
    const line = `  ${this.#bar(this.#cell - 1)} cell ${this.#cell}/${this.#total}  ${this.#title}  ${work}`;
    process.stdout.write(`\r\u001b[K${line.slice(0, (process.stdout.columns || 80) - 1)}`);
  }

  #say(line: string): void {
    process.stdout.write(`${this.#tty ? '\r\u001b[K' : ''}${line}\n`);
  }
}

/**
 * Follow the file named by TUNEBOOK_PROGRESS: events that the kernel's process appends to it. Returns the function that reads the
 * rest and stops.
 */
export function followProgress(file: string, onEvent: (event: ProgressEvent) => void): () => void {
  let offset = 0;
  let rest = '';
  const buffer = Buffer.alloc(65_536);
  const poll = () => {
    if (!existsSync(file)) return;
    const fd = openSync(file, 'r');
    try {
      for (let n = readSync(fd, buffer, 0, buffer.length, offset); n > 0; n = readSync(fd, buffer, 0, buffer.length, offset)) {
        offset += n;
        const lines = (rest + buffer.toString('latin1', 0, n)).split('\n');
        rest = lines.pop()!;
        for (const line of lines) onEvent(JSON.parse(Buffer.from(line, 'latin1').toString('utf8')));
      }
    } finally {
      closeSync(fd);
    }
  };
  const timer = setInterval(poll, 200);
  return () => {
    clearInterval(timer);
    poll();
  };
}
