import { randomUUID } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { appendFile, mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/core/index.js';

/** A cell of some session. */
export interface HistoryLine {
  /** From 1, in the order in which sessions began. */
  session: number;
  line: number;
  input: string;
  /** text/plain of the result. */
  output: string | null;
}

/** A record of the file: a cell when it starts, its output when it has one. */
interface Entry {
  line: number;
  input?: string;
  output?: string;
}

/** At most this much of the file is read, from its end; a file of twice the size is cut to this. */
const BYTES = 4 << 20;
/** A longer input is not written: it would push out hundreds of others. */
const LONGEST = 200_000;

/**
 * Where the history of all kernels of this user lies: `TUNEBOOK_HISTORY` (`off`: nowhere), else `XDG_DATA_HOME`/tunebook, else
 * ~/.local/share/tunebook.
 */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env.TUNEBOOK_HISTORY === 'off') return undefined;
  return env.TUNEBOOK_HISTORY || join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'tunebook', 'history.jsonl');
}

/** Milliseconds that a record may wait for others: opening a file beside a short cell would cost more than the cell. */
const GATHER = 200;

/**
 * The history on disk: JSON lines, one record each, appended in whole lines, so that several kernels can share the file. Whatever
 * else the file holds (half a line of a killed kernel, another program's bytes) is passed over. A file that cannot be read or
 * written costs the history, never the kernel.
 */
export class HistoryFile {
  readonly #path: string;
  readonly #limit: number;
  readonly #key: string = randomUUID();
  #writing: Promise<void> = Promise.resolve();
  /** The folder is there and the file not too large. */
  #ready = false;
  #written = 0;
  #usable = true;
  /** Records to come, as lines. */
  #gathered = '';
  #timer: NodeJS.Timeout | undefined;

  /** @param limit bytes read, and kept when the file has grown to twice as many. */
  constructor(path: string, limit: number = BYTES) {
    this.#path = path;
    this.#limit = limit;
  }

  /** The lines of earlier sessions, oldest first. */
  read(): HistoryLine[] {
    const sessions = new Map<unknown, number>();
    const lines = new Map<string, HistoryLine>();
    for (const text of readEnd(this.#path, this.#limit).split('\n')) {
      const entry = parse(text);
      if (!entry) continue;
      const session = sessions.get(entry.key) ?? sessions.size + 1;
      const at = `${session} ${entry.line}`;
      if (entry.input !== undefined) {
        sessions.set(entry.key, session);
        lines.set(at, { session, line: entry.line, input: entry.input, output: null });
      }
      const known = lines.get(at);
      if (known && entry.output !== undefined) known.output = entry.output;
    }
    return [...lines.values()].sort((a, b) => a.session - b.session || a.line - b.line);
  }

  /** Write a record of this session. Returns at once. */
  add(entry: Entry): void {
    if ((entry.input ?? entry.output ?? '').length > LONGEST) return;
    this.#gathered += `${JSON.stringify({ key: this.#key, ...entry })}\n`;
    this.#timer ??= setTimeout(() => this.#write(), GATHER);
  }

  /** Resolves when everything is written. */
  close(): Promise<void> {
    this.#write();
    return this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#gathered;
    this.#gathered = '';
    if (text !== '') this.#writing = this.#writing.then(() => this.#append(text));
  }

  async #append(text: string): Promise<void> {
    if (!this.#usable) return;
    try {
      if (!this.#ready) await this.#prepare();
      // Inputs may hold what only their writer should read.
      await appendFile(this.#path, text, { mode: 0o600 });
      this.#written += text.length;
      if (this.#written > this.#limit) this.#ready = false;
    } catch (error) {
      this.#usable = false;
      process.stderr.write(`tunebook: no history is kept in ${this.#path}: ${(error as Error).message}\n`);
    }
  }

  async #prepare(): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const found = await stat(this.#path).catch(() => undefined);
    if (found) await this.#tidy(found);
    this.#ready = true;
    this.#written = 0;
  }

  /** Cut a file that has grown; begin on a new line where a killed kernel left half of one. */
  async #tidy(found: Stats): Promise<void> {
    // Opening a pipe for appending would wait for its reader.
    if (!found.isFile()) throw new Error('it is not a regular file');
    const end = readEnd(this.#path, this.#limit);
    if (found.size > 2 * this.#limit) {
      const kept = end.split('\n').filter(text => parse(text) !== undefined);
      await writeFileAtomic(this.#path, kept.map(text => `${text}\n`).join(''), { mode: 0o600 });
    } else if (end !== '' && !end.endsWith('\n')) await appendFile(this.#path, '\n');
  }
}

/** Up to `limit` bytes of the end of a regular file, as text; '' for anything else. */
function readEnd(path: string, limit: number): string {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    if (!stats.isFile()) return '';
    const size = Math.min(stats.size, limit);
    const bytes = Buffer.alloc(size);
    const read = readSync(file, bytes, 0, size, stats.size - size);
    return bytes.toString('utf8', 0, read);
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function parse(text: string): (Entry & { key: unknown }) | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const { key, line, input, output } = JSON.parse(text) as Record<string, unknown>;
    if (typeof key !== 'string' || !Number.isSafeInteger(line)) return undefined;
    const entry = {
      key,
      line: line as number,
      input: typeof input === 'string' ? input : undefined,
      output: typeof output === 'string' ? output : undefined,
    };
    return entry.input === undefined && entry.output === undefined ? undefined : entry;
  } catch {
    return undefined;
  }
}
