import { randomUUID } from 'node:crypto';
import { BadInput, type Comm, type CommExtras, type CommMessage } from '../base/core/index.js';
import type { CommEvent } from './channel.js';

/** Handlers of one comm's messages. */
interface Ends {
  comm: OpenComm;
  onMessage: Set<(message: CommMessage) => void>;
  onClose: Set<(message: CommMessage) => void>;
}

type OpenComm = { -readonly [K in keyof Comm]: Comm[K] };
type Opened = (comm: Comm, opening: CommMessage) => void;

/** The executor's end of every comm: what cells opened, and what the front end opened to a target that cells registered. */
export class Comms {
  readonly #send: (event: CommEvent) => void;
  readonly #report: (error: unknown) => void;
  readonly #targets = new Map<string, Opened>();
  readonly #open = new Map<string, Ends>();

  /** @param report told of what a handler throws: nobody waits for a handler. */
  constructor(send: (event: CommEvent) => void, report: (error: unknown) => void) {
    this.#send = send;
    this.#report = report;
  }

  /** See `Host.comm`. */
  open(target: string, data: Record<string, unknown> = {}, extras: CommExtras & { id?: string } = {}): Comm {
    const id = extras.id ?? randomUUID();
    if (this.#open.has(id)) {
      throw new BadInput({ problem: 'a comm with this id is open', found: id, fix: 'close it first, or leave the id out' });
    }
    this.#send({ event: 'open', commId: id, target, ...outgoing(data, extras) });
    return this.#enter(id, target).comm;
  }

  /** See `Host.onComm`. */
  onOpen(target: string, handler: Opened): () => void {
    this.#targets.set(target, handler);
    return () => {
      if (this.#targets.get(target) === handler) this.#targets.delete(target);
    };
  }

  /** A message of the front end. */
  receive({ event, commId, target = '', ...content }: CommEvent): void {
    const message: CommMessage = { ...content, buffers: content.buffers.map(each => Buffer.from(each, 'base64')) };
    const ends = this.#open.get(commId);
    if (event === 'msg') this.#tell(ends?.onMessage, message);
    else if (event === 'close') {
      this.#leave(commId);
      this.#tell(ends?.onClose, message);
    } else if (!ends) this.#opened(commId, target, message);
  }

  #opened(id: string, target: string, message: CommMessage): void {
    const handler = this.#targets.get(target);
    const { comm } = this.#enter(id, target);
    if (!handler) {
      // The protocol asks to close what cannot be opened.
      comm.close();
      return;
    }
    try {
      handler(comm, message);
    } catch (error) {
      this.#report(error);
      comm.close();
    }
  }

  #enter(id: string, target: string): Ends {
    const ends: Ends = { comm: undefined as never, onMessage: new Set(), onClose: new Set() };
    const say = (event: 'msg' | 'close', data: Record<string, unknown> = {}, extras: CommExtras = {}) => {
      if (!ends.comm.closed) this.#send({ event, commId: id, ...outgoing(data, extras) });
    };
    ends.comm = {
      id,
      target,
      closed: false,
      send: (data, extras) => say('msg', data, extras),
      close: (data, extras) => {
        say('close', data, extras);
        this.#leave(id);
      },
      onMessage: handler => listen(ends.onMessage, handler),
      onClose: handler => listen(ends.onClose, handler),
    };
    this.#open.set(id, ends);
    return ends;
  }

  #leave(id: string): void {
    const ends = this.#open.get(id);
    this.#open.delete(id);
    if (ends) ends.comm.closed = true;
  }

  #tell(handlers: Iterable<(message: CommMessage) => void> = [], message: CommMessage): void {
    for (const handler of [...handlers]) {
      try {
        handler(message);
      } catch (error) {
        this.#report(error);
      }
    }
  }
}

function listen<T>(handlers: Set<T>, handler: T): () => void {
  handlers.add(handler);
  return () => handlers.delete(handler);
}

function outgoing(
  data: Record<string, unknown>,
  { metadata = {}, buffers = [] }: CommExtras,
): Omit<CommEvent, 'event' | 'commId'> {
  return {
    data,
    metadata,
    buffers: buffers.map(each => Buffer.from(each.buffer, each.byteOffset, each.byteLength).toString('base64')),
  };
}
