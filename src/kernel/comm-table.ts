import type { CommEvent } from './channel.js';
import type { Header, Message } from './wire.js';

type Publish = (type: string, content: object, buffers: readonly Uint8Array[], metadata: object) => void;

/** The protocol side of comms: it passes them on in both directions and knows which are open. */
export class CommTable {
  readonly #deliver: (event: CommEvent) => Promise<unknown>;
  readonly #publish: Publish;
  /** Id → target. */
  readonly #open = new Map<string, string>();
  /** Messages that the executor has not handled yet, oldest first. */
  readonly #asked: Header[] = [];

  /**
   * @param deliver to the executor; resolves when the message was handled.
   * @param publish on iopub.
   */
  constructor(deliver: (event: CommEvent) => Promise<unknown>, publish: Publish) {
    this.#deliver = deliver;
    this.#publish = publish;
  }

  /** The message that the executor is handling: what it says meanwhile answers that. */
  get handling(): Header | undefined {
    return this.#asked[0];
  }

  /** The open comms of one target, or of all: the `comms` of a `comm_info_reply`. */
  info(target: unknown): Record<string, { target_name: string }> {
    const wanted = [...this.#open].filter(([, name]) => typeof target !== 'string' || target === '' || name === target);
    return Object.fromEntries(wanted.map(([id, name]) => [id, { target_name: name }]));
  }

  /** A `comm_open`, `comm_msg` or `comm_close` of a front end. */
  async receive(type: string, { header, content, metadata, buffers }: Message): Promise<void> {
    const event = type.slice('comm_'.length) as CommEvent['event'];
    const commId = String(content.comm_id);
    const target = String(content.target_name ?? '');
    const data = typeof content.data === 'object' && content.data !== null ? (content.data as Record<string, unknown>) : {};
    this.#note({ event, commId, target });
    this.#asked.push(header);
    try {
      await this.#deliver({
        event,
        commId,
        target,
        data,
        metadata,
        buffers: buffers.map(each => Buffer.from(each).toString('base64')),
      });
    } catch {
      // There is no executor to take it: nothing stands at the other end of this comm.
      if (this.#open.has(commId)) this.#close(commId);
    } finally {
      this.#asked.shift();
    }
  }

  /** A message of the executor. */
  send({ event, commId, target, data, metadata, buffers }: CommEvent): void {
    this.#note({ event, commId, target });
    const content = { comm_id: commId, ...(event === 'open' && { target_name: target, target_module: null }), data };
    const bytes = buffers.map(each => Buffer.from(each, 'base64'));
    this.#publish(`comm_${event}`, content, bytes, metadata);
  }

  /** The executor is gone: tell the front ends that their comms are. */
  closeAll(): void {
    for (const id of [...this.#open.keys()]) this.#close(id);
  }

  #close(commId: string): void {
    this.send({ event: 'close', commId, data: {}, metadata: {}, buffers: [] });
  }

  #note({ event, commId, target = '' }: Pick<CommEvent, 'event' | 'commId' | 'target'>): void {
    if (event === 'open') this.#open.set(commId, target);
    else if (event === 'close') this.#open.delete(commId);
  }
}
