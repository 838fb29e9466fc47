import { afterEach, describe, expect, it } from 'vitest';
import { Subscriber, XPublisher } from 'zeromq';
import { Publisher } from '../../src/kernel/senders.js';

/** More bytes than the operating system holds for a connection, and more messages than ZeroMQ does. */
const MESSAGES = 3000;
const BODY = Buffer.alloc(20_000);
/** Milliseconds that never pass. */
const FOREVER = 1e9;

describe('what every front end gets', () => {
  const open: { close(): void }[] = [];
  afterEach(() => {
    for (const socket of open.splice(0)) socket.close();
  });

  const publish = async (patience: number) => {
    const socket = new XPublisher({ linger: 0 });
    open.push(socket);
    const publisher = new Publisher(socket, patience);
    await socket.bind('tcp://127.0.0.1:*');
    const reader = async () => {
      const made = new Subscriber({ receiveHighWaterMark: 1, linger: 0 });
      open.push(made);
      made.subscribe('');
      made.connect(socket.lastEndpoint!);
      // The word of a new subscription.
      await socket.receive();
      return made;
    };
    const send = (from: number, to: number) => {
      for (let i = from; i < to; i++) publisher.send([Buffer.from(String(i)), BODY]);
    };
    return { publisher, reader, send };
  };

  it('waits for a front end that reads late, and loses nothing', async () => {
    const { publisher, reader, send } = await publish(FOREVER);
    const late = await reader();
    send(0, MESSAGES);
    expect(publisher.congested).toBe(true);
    const numbers: number[] = [];
    while (numbers.length < MESSAGES) numbers.push(Number((await late.receive())[0]));
    await publisher.drained();
    expect(numbers).toEqual(Array.from({ length: MESSAGES }, (_, i) => i));
    expect(publisher.congested).toBe(false);
  });

  it('gives up one that does not read, until it reads again', async () => {
    const { publisher, reader, send } = await publish(50);
    const stuck = await reader();
    send(0, MESSAGES);
    await publisher.drained();
    expect(publisher.congested).toBe(false);
    // It reads again: what ZeroMQ holds for it, then what is new.
    let seen = -1;
    let count = 0;
    for (let next = MESSAGES; seen < MESSAGES; next++) {
      send(next, next + 1);
      seen = Number((await stuck.receive())[0]);
      count++;
    }
    expect(count).toBeLessThan(MESSAGES);
  });
});
