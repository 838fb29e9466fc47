import { createHmac, createSecretKey, type KeyObject, randomUUID, timingSafeEqual } from 'node:crypto';

/** Version of the Jupyter messaging protocol we speak: 5.4 is 5.3 with the welcome message on iopub. */
export const PROTOCOL = '5.4';

/** Header of a Jupyter message. */
export interface Header {
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  date: string;
  version: string;
}

/** A message as received. `identities` is the ZeroMQ routing prefix a reply must carry. */
export interface Message {
  identities: Uint8Array[];
  header: Header;
  parent: Partial<Header>;
  metadata: Record<string, unknown>;
  content: Record<string, unknown>;
  buffers: Uint8Array[];
}

/** Where a front end left the ports and the key: the file Jupyter passes on the command line. */
export interface ConnectionInfo {
  transport: string;
  ip: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
  /** Key of the message signatures; empty: messages are not signed. */
  key: string;
  signature_scheme?: string;
}

const DELIMITER = Buffer.from('<IDS|MSG>');

/** Writes and reads the frames of the wire protocol, signed with one key. */
export class Wire {
  readonly #key: KeyObject | undefined;
  readonly #algorithm: string;
  readonly #session: string = randomUUID();

  /** @param scheme as in the connection file, e.g. `hmac-sha256`. */
  constructor(key: string, scheme = 'hmac-sha256') {
    this.#key = key ? createSecretKey(Buffer.from(key)) : undefined;
    this.#algorithm = scheme.replace(/^hmac-/, '');
  }

  /** Hex signature over header, parent header, metadata and content; empty without a key. */
  sign(parts: readonly Uint8Array[]): string {
    if (!this.#key) return '';
    const hash = createHmac(this.#algorithm, this.#key);
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  }

  /** A new header of ours. */
  header(type: string): Header {
    return {
      msg_id: randomUUID(),
      msg_type: type,
      session: this.#session,
      username: 'kernel',
      date: new Date().toISOString(),
      version: PROTOCOL,
    };
  }

  /** Frames of a message of ours, given its type or a header: routing prefix, delimiter, signature, four JSON parts, buffers. */
  encode(
    type: string | Header,
    content: object,
    parent: Partial<Header> = {},
    options: { identities?: readonly Uint8Array[]; metadata?: object; buffers?: readonly Uint8Array[] } = {},
  ): Uint8Array[] {
    const header = typeof type === 'string' ? this.header(type) : type;
    const json = [header, parent, options.metadata ?? {}, content].map(part => Buffer.from(JSON.stringify(part)));
    return [...(options.identities ?? []), DELIMITER, Buffer.from(this.sign(json)), ...json, ...(options.buffers ?? [])];
  }

  /**
   * Read the frames of one message. Undefined for anything that is not a well-formed message with a valid signature: whoever
   * reaches the port could otherwise run code here, so such frames are dropped without an answer.
   */
  decode(frames: readonly Uint8Array[]): Message | undefined {
    const at = frames.findIndex(frame => DELIMITER.equals(frame));
    const [signature, ...rest] = at < 0 ? [] : frames.slice(at + 1);
    if (!signature || rest.length < 4) return undefined;
    const parts = rest.slice(0, 4);
    const expected = Buffer.from(this.sign(parts));
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) return undefined;
    try {
      const [header, parent, metadata, content] = parts.map(part => JSON.parse(Buffer.from(part).toString('utf8')) as unknown);
      if (!isObject(header) || !isObject(parent) || !isObject(metadata) || !isObject(content)) return undefined;
      if (typeof header.msg_type !== 'string' || typeof header.msg_id !== 'string') return undefined;
      return {
        identities: frames.slice(0, at),
        header: header as unknown as Header,
        parent: parent as Partial<Header>,
        metadata,
        content,
        buffers: rest.slice(4),
      };
    } catch {
      return undefined;
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
