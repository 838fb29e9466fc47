import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { Complaint } from './logger.js';

/** Lines kept in memory while the disk takes none. */
const HELD = 100_000;
/** Milliseconds between two tries on a disk that takes none. */
const PATIENCE = 1000;

/**
 * A file of JSON lines that only grows, one write a line, so that a killed process loses nothing. What cannot be written (a full
 * disk) is said once, kept, and written when there is room again. A half-written line is ended by the next one; readers skip it.
 */
export class LineFile {
  readonly path: string;
  readonly #complaint: Complaint;
  #waiting: string[] = [];
  #open = false;
  #torn = false;
  #nextTry = 0;

  constructor(path: string, complaint: Complaint = new Complaint(`The log ${path}`)) {
    this.path = path;
    this.#complaint = complaint;
  }

  append(value: object): void {
    this.#waiting.push(`${JSON.stringify(value)}\n`);
    if (this.#waiting.length > HELD) this.#waiting.shift();
    if (this.#nextTry === 0 || performance.now() >= this.#nextTry) this.flush();
  }

  /** Write what is waiting; whether all of it could be written. */
  flush(): boolean {
    if (this.#waiting.length === 0) return true;
    try {
      if (!this.#open) this.#begin();
      appendFileSync(this.path, (this.#torn ? '\n' : '') + this.#waiting.join(''));
      this.#waiting = [];
      this.#torn = false;
      this.#nextTry = 0;
      return true;
    } catch (error) {
      this.#torn = true;
      this.#open = false;
      this.#nextTry = performance.now() + PATIENCE;
      this.#complaint.say(error);
      return false;
    }
  }

  #begin(): void {
    mkdirSync(dirname(this.path), { recursive: true });
    const file = openSync(this.path, 'a+');
    try {
      const { size } = fstatSync(file);
      const last = Buffer.alloc(1);
      // What a killed process left half-written.
      if (size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 10) this.#torn = true;
    } finally {
      closeSync(file);
    }
    this.#open = true;
  }
}
