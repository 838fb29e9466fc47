import type { Reply, Router, XPublisher } from 'zeromq';
import { type ConnectionInfo, type Header, type Message, Wire } from './wire.js';

/** The five sockets of a kernel, bound and speaking signed messages. */
export interface Sockets {
  /** Publish on iopub, to every front end. */
  publish(
    type: string,
    content: object,
    parent?: Partial<Header>,
    extras?: { metadata?: object; buffers?: readonly Uint8Array[] },
  ): void;
  /** Answer a request on the channel it came from. */
  reply(channel: Channel, request: Message, type: string, content: object): void;
  /** Send an `input_request` to the front end that sent `request`; returns its message id. */
  ask(request: Message, content: object): string;
  /** Send everything that is queued and close. */
  close(): Promise<void>;
}

/** The channels on which requests come. */
export type Channel = 'shell' | 'control';

/** Who takes what the front ends send. */
export interface Receiver {
  handle(channel: Channel, request: Message): void;
  /** A message on stdin. */
  answered(reply: Message): void;
}

/** Bind the sockets of a connection file; each well-signed message goes to the receiver. */
export async function openSockets(info: ConnectionInfo, receiver: Receiver): Promise<Sockets> {
  const zmq = await import('zeromq');
  const wire = new Wire(info.key, info.signature_scheme);
  const linger = { linger: 1000 };
  const shell = new zmq.Router(linger);
  const control = new zmq.Router(linger);
  const stdin = new zmq.Router(linger);
  const heartbeat = new zmq.Reply(linger);
  const iopub = new zmq.XPublisher(linger);
  // A publisher drops what its queue cannot hold; a cell may print a million lines at once.
  iopub.sendHighWaterMark = 0;
  iopub.verbosity = 'allSubs';
  const all = [shell, control, stdin, heartbeat, iopub];
  const address = (port: number) =>
    info.transport === 'ipc' ? `ipc://${info.ip}-${port}` : `${info.transport}://${info.ip}:${port}`;
  await Promise.all([
    shell.bind(address(info.shell_port)),
    control.bind(address(info.control_port)),
    stdin.bind(address(info.stdin_port)),
    heartbeat.bind(address(info.hb_port)),
    iopub.bind(address(info.iopub_port)),
  ]);

  const senders = { shell: sender(shell), control: sender(control), iopub: sender(iopub), stdin: sender(stdin) };
  const listen = async (socket: Router, take: (message: Message) => void) => {
    for await (const frames of socket) {
      const message = wire.decode(frames);
      if (message) take(message);
    }
  };
  void listen(shell, message => receiver.handle('shell', message));
  void listen(control, message => receiver.handle('control', message));
  void listen(stdin, message => receiver.answered(message));
  void beat(heartbeat);
  void welcome(iopub, topic => senders.iopub.send([topic, ...wire.encode('iopub_welcome', { subscription: topic.toString() })]));

  return {
    publish(type, content, parent = {}, extras = {}) {
      // The topic is free text by the protocol; every front end subscribes to all.
      senders.iopub.send(wire.encode(type, content, parent, { ...extras, identities: [Buffer.from(`kernel.${type}`)] }));
    },
    reply(channel, request, type, content) {
      senders[channel].send(wire.encode(type, content, request.header, { identities: request.identities }));
    },
    ask(request, content) {
      const header = wire.header('input_request');
      senders.stdin.send(wire.encode(header, content, request.header, { identities: request.identities }));
      return header.msg_id;
    },
    async close() {
      await Promise.all(Object.values(senders).map(each => each.drained()));
      for (const socket of all) socket.close();
    },
  };
}

/** zeromq allows one pending send per socket: later ones wait in line here. */
function sender(socket: Router | XPublisher): { send(frames: Uint8Array[]): void; drained(): Promise<void> } {
  let tail: Promise<void> = Promise.resolve();
  return {
    send(frames) {
      // A peer that is gone (EHOSTUNREACH) or a closed socket must not stop the messages behind.
      tail = tail.then(() => socket.send(frames)).catch(() => {});
    },
    drained: () => tail,
  };
}

async function beat(socket: Reply): Promise<void> {
  for await (const frames of socket) await socket.send(frames);
}

/** A front end that sees the welcome knows that its subscription is in effect and no output will be missed. */
async function welcome(socket: XPublisher, greet: (topic: Buffer) => void): Promise<void> {
  for await (const [frame] of socket) if (frame?.[0] === 1) greet(frame.subarray(1));
}
