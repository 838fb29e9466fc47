"""Interrupts many times over, for a loaded machine: not part of the test suite.

    JUPYTER_PATH=PREFIX/share/jupyter .venv/bin/python tests/kernel/stress.py [rounds] [case ...]

PREFIX is where `tunebook kernel install --prefix` put the kernelspec. Every case runs once a round on one kernel; after each the
next cell must run and see the variables. Prints what went wrong at once and the seconds from interrupt to end at the end.
Start a few busy processes beside it (`node -e 'while (true) {}'`) to see what a slow machine sees.
"""

import json
import os
import sys
import tempfile
import time
import uuid
from queue import Empty

from jupyter_client.manager import KernelManager

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
ONLY = sys.argv[2:]

DEFINE = """
import { execSync, spawn } from 'node:child_process';
import vm from 'node:vm';
const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms));
const never = new Promise<void>(() => {});
const host = (globalThis as any)[Symbol.for('tunebook.host')];
const library = new Function('sleep', 'return (async () => { while (true) await sleep(5); })()');
const hotLibrary = new Function('return (async () => { while (true) await null; })()');
const lock = new Int32Array(new SharedArrayBuffer(4));
const busy = (ms: number) => { for (const end = Date.now() + ms; Date.now() < end; ) {} };
let kept = 41; let n = 0;
"""

# Each prints "go" when it is time to interrupt it; "early" ones are interrupted as soon as the kernel is busy.
CASES = {
    "sync": "console.log('go'); while (true) {}",
    "syncAfterAwait": "await sleep(20); console.log('go'); while (true) {}",
    "timer": "console.log('go'); while (true) await sleep(5);",
    "microtask": "console.log('go'); while (true) await null;",
    "libraryTimer": "console.log('go'); await library(sleep);",
    "libraryMicrotask": "await sleep(5); console.log('go'); await hotLibrary();",
    "abandoned": "await sleep(5); console.log('go'); void hotLibrary(); await sleep(1);",
    "timerCallback": "setTimeout(() => { console.log('go'); while (true) {} }, 5); await never;",
    "never": "console.log('go'); await never;",
    "atomics": "await sleep(5); console.log('go'); Atomics.wait(lock, 0, 0);",
    "childSync": "console.log('go'); execSync('sleep 30');",
    "childShell": "await sleep(5); console.log('go'); execSync('sleep 30; sleep 30');",
    "child": "console.log('go'); await new Promise(done => spawn('sleep', ['30']).on('exit', done)); await never;",
    "generator": "function* ones() { while (true) yield 1; } console.log('go'); for (const one of ones()) n += one;",
    "asyncGenerator": "async function* ones() { while (true) yield 1; } console.log('go'); for await (const one of ones()) n += one;",
    "immediates": "console.log('go'); const again = () => { setImmediate(again); }; again(); await never;",
    "ticks": "await sleep(5); console.log('go'); const tick = () => { process.nextTick(tick); }; tick(); await never;",
    "microtasks": "await sleep(5); console.log('go'); const micro = () => { queueMicrotask(micro); }; micro(); await never;",
    "swallow": "console.log('go'); while (true) { try { await sleep(5) } catch {} }",
    "swallowSync": "console.log('go'); while (true) { try { await null; while (true) {} } catch {} }",
    "printing": "console.log('go'); while (true) console.log('line', n++);",
    "shields": "console.log('go'); while (true) host.shield(() => busy(30));",
    "libraryShields": "console.log('go'); await new Function('host', 'busy', "
    "'return (async () => { while (true) await host.shield(async () => busy(30)); })()')(host, busy);",
    "regex": "console.log('go'); /^(a+)+$/.test('a'.repeat(60) + 'b');",
    "rendering": "const slow = { [Symbol.for('Jupyter.display')]: () => { console.log('go'); return never; } }; slow",
    "renderingHot": "const hot = { [Symbol.for('Jupyter.display')]: () => { console.log('go'); while (true) {} } }; hot",
    "overflow": "function deep(): number { try { return deep() + 1 } catch { console.log('go'); while (true) {} } } deep()",
    "otherContext": "console.log('go'); vm.runInNewContext('while (true) {}');",
    "early": "while (true) await sleep(5);",
    "earlySync": "while (true) {}",
}


manager = KernelManager(kernel_name="tunebook")
manager.start_kernel(cwd=tempfile.mkdtemp())
client = manager.client()
# Both count their messages under one session's name: an interrupt could have the id of a cell.
client.session.session = uuid.uuid4().hex
client.start_channels()
client.wait_for_ready(timeout=120)


def run(code, interrupt_on=None, timeout=60):
    """Outcome of a cell, and the seconds from its interrupt to its end."""
    sent = client.execute(code)
    begin, interrupted_at, reply, idle, errors, result, text = time.time(), None, None, False, 0, None, ""
    while not (reply and idle):
        if time.time() - begin > timeout:
            return {"timeout": True, "text": text[-300:]}
        wanted = False
        try:
            message = client.get_iopub_msg(timeout=0.02)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") == sent:
                idle = idle or (kind == "status" and content["execution_state"] == "idle")
                errors += kind == "error"
                wanted = interrupt_on == "busy"
                if kind == "stream":
                    text += content["text"]
                    wanted = wanted or (interrupt_on == "go" and "go" in text)
                if kind == "execute_result":
                    result = content["data"]["text/plain"]
        except Empty:
            pass
        if wanted and interrupted_at is None:
            interrupted_at = time.time()
            manager.interrupt_kernel()
        try:
            answer = client.get_shell_msg(timeout=0.001)
            if answer["parent_header"].get("msg_id") == sent:
                reply = answer["content"]
        except Empty:
            pass
    seconds = time.time() - interrupted_at if interrupted_at else 0
    return {"ename": reply.get("ename"), "errors": errors, "result": result, "seconds": seconds, "text": text[-300:]}


if run(DEFINE).get("ename"):
    sys.exit("the definitions failed")
seconds, bad = {}, {}
try:
    for number in range(ROUNDS):
        for name in ONLY or CASES:
            done = run(CASES[name], "busy" if name.startswith("early") else "go")
            after = run("kept + 1")
            seconds.setdefault(name, []).append(done.get("seconds", 60))
            if done.get("ename") == "KeyboardInterrupt" and done["errors"] == 1 and after.get("result") == "42":
                continue
            bad[name] = bad.get(name, 0) + 1
            print("BAD", number, name, json.dumps({"case": done, "next": after}), flush=True)
            if after.get("result") != "42":
                manager.restart_kernel(now=True)
                client.wait_for_ready(timeout=120)
                run(DEFINE)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    for name, times in seconds.items():
        times.sort()
        print(f"{name:16s} n {len(times):3d}  median {times[len(times) // 2]:6.2f} s  max {times[-1]:6.2f} s  bad {bad.get(name, 0)}")
sys.exit(1 if bad else 0)
