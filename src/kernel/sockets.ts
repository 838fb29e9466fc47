import type { Reply, Router, XPublisher } from 'zeromq';
import { inLine, Publisher } from './senders.js';
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
  /** Outputs wait because a front end does not read: more of them had better wait where they come from. */
  readonly congested: boolean;
  /** Resolves when the first front end that listens has been welcomed. */
  readonly welcomed: Promise<void>;
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

/** Milliseconds that the last messages have to be read in. */
const LINGER = 1000;

/** Bind the sockets of a connection file; each well-signed message goes to the receiver. */
export async function openSockets(info: ConnectionInfo, receiver: Receiver): Promise<Sockets> {
  const zmq = await import('zeromq');
  const wire = new Wire(info.key, info.signature_scheme);
  const linger = { linger: LINGER };
  const shell = new zmq.Router(linger);
  const control = new zmq.Router(linger);
  const stdin = new zmq.Router(linger);
  const heartbeat = new zmq.Reply(linger);
  const iopub = new zmq.XPublisher(linger);
  const outputs = new Publisher(iopub);
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

  const senders = { shell: inLine(shell), control: inLine(control), iopub: outputs, stdin: inLine(stdin) };
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
  const welcomed = new Promise<void>(resolve => {
    void welcome(iopub, topic => {
      senders.iopub.send([topic, ...wire.encode('iopub_welcome', { subscription: topic.toString() })]);
      resolve();
    });
  });

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
    get congested() {
      return outputs.congested;
    },
    welcomed,
    async close() {
      const sent = Promise.all(Object.values(senders).map(each => each.drained()));
      await Promise.race([sent, new Promise(resolve => setTimeout(resolve, LINGER))]);
      for (const socket of all) socket.close();
    },
  };
}

async function beat(socket: Reply): Promise<void> {
  for await (const frames of socket) await socket.send(frames);
}

/** A front end that sees the welcome knows that its subscription is in effect and no output will be missed. */
async function welcome(socket: XPublisher, greet: (topic: Buffer) => void): Promise<void> {
  for await (const [frame] of socket) if (frame?.[0] === 1) greet(frame.subarray(1));
}
