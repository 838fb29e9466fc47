#!/usr/bin/env node
// The protocol process of the kernel, as Jupyter starts it: node main.js CONNECTION_FILE.
import { readFileSync } from 'node:fs';
import { Kernel } from './kernel.js';
import { openSockets, type Sockets } from './sockets.js';
import type { ConnectionInfo } from './wire.js';

async function main(): Promise<void> {
  const file = process.argv[2];
  if (!file) {
    process.stderr.write(
      'Usage: main.js CONNECTION_FILE. Jupyter starts this program; install the kernel with `tunebook kernel install`.\n',
    );
    process.exitCode = 2;
    return;
  }
  const info = JSON.parse(readFileSync(file, 'utf8')) as ConnectionInfo;
  let sockets: Sockets | undefined;
  let ending = false;
  const end = async () => {
    if (ending) return;
    ending = true;
    await kernel.stop();
    await sockets?.close();
    process.exit(0);
  };
  // The executor starts first: it loads TypeScript while the sockets open.
  const kernel = new Kernel(() => void end());
  sockets = await openSockets(info, kernel);
  kernel.attach(sockets);

  // The kernelspec asks for interrupts by message; a front end that signals all the same means the same.
  process.on('SIGINT', () => kernel.interrupt());
  process.on('SIGTERM', () => void end());
  // A front end that died cannot shut us down.
  const parent = process.ppid;
  if (process.env.JPY_PARENT_PID === String(parent)) {
    setInterval(() => {
      if (process.ppid !== parent) void end();
    }, 1000);
  }
}

void main();
