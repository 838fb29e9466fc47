"""Drives a real kernel through jupyter_client, as a front end does.

Reads a JSON plan from stdin and prints a JSON report. Plan: {"kernel": name, "cwd": folder, "steps": [...]}; steps:
  {"code": "..."}                       run a cell; optional: "interrupt_on" (text in a stream), "timeout" (s),
                                        "interrupt_on_busy" (as soon as the kernel says busy), "interrupts" (how many, 50 ms apart),
                                        "mark" (file that is written when the kernel has taken the interrupts),
                                        "wait_for" (text that a stream or a shown text/plain contains, now or later; waited for),
                                        "silent", "store_history", "user_expressions", "stop_on_error"
  {"burst": ["...", "..."]}             send several cells before reading any reply
                                        "answers" (texts for input_requests: without it the front end takes no input),
                                        "answer_on" (text in a stream: no answer is given before it),
                                        "during" (sent once "during_on" is in a stream: {"message": "comm_msg", "content": {...}}),
                                        "interrupt_on_input" (interrupt instead of answering)
  {"request": "complete", "content": {...}, "channel": "shell"}   any other request
  {"message": "comm_open", "content": {...}, "buffers": [text]}   a message without a reply; it is over when the kernel is idle
  {"restart": true}
Report: {"ready_seconds", "alive", "steps": [{"reply", "outputs", "states", "seconds", "others", "late"}]}; "others" are outputs of
earlier requests that arrived meanwhile, "late" what came while "wait_for" was waited for; both say the "step" that made them.
"""

import json
import os
import socket
import sys
import time
import uuid
from queue import Empty

from jupyter_client.manager import KernelManager

# Seconds for what has no "timeout" of its own. On a busy machine a kernel is slow, not broken.
PATIENCE = 180

PARENT = os.getppid()


def free_ports(count):
    """Ports that this system gives to nobody who does not ask for them: nobody gets one between this choice and the kernel's binding."""
    found = []
    for port in (20_000 + (os.getpid() * 8 + i) % 12_000 for i in range(12_000)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found


plan = json.load(sys.stdin)
started = time.time()
manager = KernelManager(kernel_name=plan["kernel"], cache_ports=False)
for name, port in zip(("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port"), free_ports(5)):
    setattr(manager, name, port)
if plan["kernel"] == "tunebook":
    # jupyter_client kills a kernel that has not ended after five seconds. Ours has ends of its own.
    manager.shutdown_wait_time = 2 * PATIENCE
manager.start_kernel(cwd=plan.get("cwd", os.getcwd()))
client = manager.client()
# Both count their messages under one session's name: an interrupt could have the id of a cell.
client.session.session = uuid.uuid4().hex
client.start_channels()
client.wait_for_ready(timeout=PATIENCE)
ready = time.time() - started


def brief(message):
    return {"type": message["header"]["msg_type"], "content": message["content"]}


def other(message):
    """Of another request than the one that is waited for."""
    return {**brief(message), "step": steps_by_id.get(message["parent_header"].get("msg_id"))}


def send(channel, kind, content, buffers=()):
    message = client.session.msg(kind, content)
    client.session.send(getattr(client, f"{channel}_channel").socket, message, buffers=[each.encode() for each in buffers])
    return message["header"]["msg_id"]


def gather(ids, timeout, step):
    """Messages of these requests until each one is idle and answered."""
    replies, outputs, states, waiting = {}, [], [], set(ids)
    answers, asked, others = list(step.get("answers", [])), [], []
    during = step.get("during")
    awaited = step.get("answer_on")
    begin = time.time()
    interrupted = False
    taken = 0

    def interrupt():
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            gather.interrupted_at = time.time()
            for i in range(step.get("interrupts", 1)):
                manager.interrupt_kernel()
                time.sleep(0.05 if i else 0)

    gather.interrupted_at = None
    expected = 0 if "message" in step else len(ids)
    while waiting or len(replies) < expected:
        if os.getppid() != PARENT:
            sys.exit("the test that asked for this is gone")
        if time.time() - begin > timeout:
            return {"timeout": True, "outputs": outputs, "replies": replies, "states": states, "asked": asked, "others": others}
        try:
            message = client.get_iopub_msg(timeout=0.05)
            parent = message["parent_header"].get("msg_id")
            if parent in ids:
                if message["header"]["msg_type"] == "status":
                    state = message["content"]["execution_state"]
                    states.append(state)
                    if state == "idle":
                        waiting.discard(parent)
                    elif step.get("interrupt_on_busy"):
                        interrupt()
                else:
                    buffers = [bytes(each).decode() for each in message["buffers"]]
                    outputs.append({**brief(message), "parent": ids.index(parent), **({"buffers": buffers} if buffers else {})})
                    text = str(message["content"].get("text", ""))
                    if step.get("interrupt_on") and step["interrupt_on"] in text:
                        interrupt()
                    if during and step["during_on"] in text:
                        send("shell", during["message"], during["content"])
                        during = None
                    if awaited and awaited in text:
                        awaited = None
            elif message["parent_header"].get("msg_type") == "interrupt_request":
                taken += message["content"].get("execution_state") == "idle"
                if "mark" in step and taken == step.get("interrupts", 1):
                    open(step["mark"], "w").close()
            elif message["header"]["msg_type"] != "status":
                others.append(other(message))
        except Empty:
            pass
        try:
            if awaited:
                raise Empty
            question = client.get_stdin_msg(timeout=0.001)
            asked.append(question["content"])
            if step.get("interrupt_on_input"):
                interrupt()
            elif answers:
                client.input(answers.pop(0))
        except Empty:
            pass
        for channel in ("shell", "control"):
            try:
                reply = getattr(client, f"get_{channel}_msg")(timeout=0.001)
                if reply["parent_header"].get("msg_id") in ids:
                    replies[ids.index(reply["parent_header"]["msg_id"])] = reply["content"]
            except Empty:
                pass
    end = time.time()
    since = None if gather.interrupted_at is None else end - gather.interrupted_at
    return {"outputs": outputs, "replies": replies, "states": states, "seconds": end - begin, "interrupt_seconds": since, "asked": asked, "others": others}


def execute(step, code):
    return client.execute(
        code,
        silent=step.get("silent", False),
        store_history=step.get("store_history", True),
        user_expressions=step.get("user_expressions"),
        stop_on_error=step.get("stop_on_error", True),
        allow_stdin="answers" in step or "interrupt_on_input" in step,
    )


def says(outputs, text):
    """Whether a text stands in what was printed, or in what was shown."""
    contents = [each["content"] for each in outputs]
    printed = "".join(each["text"] for each in contents if "text" in each)
    return text in printed or any(text in str(each.get("data", {}).get("text/plain")) for each in contents)


def late(seconds, text, before):
    """Outputs until this text is in one of them or of those before."""
    found, end = [], time.time() + seconds
    while time.time() < end and not says(before + found, text):
        try:
            message = client.get_iopub_msg(timeout=0.05)
            if message["header"]["msg_type"] != "status":
                found.append(other(message))
        except Empty:
            pass
    return found


steps_by_id = {}


def run(step, number):
    timeout = step.get("timeout", PATIENCE)
    if step.get("restart"):
        manager.restart_kernel(now=False)
        client.wait_for_ready(timeout=PATIENCE)
        return {}
    if "burst" in step:
        return gather([execute(step, code) for code in step["burst"]], timeout, step)
    if "request" in step:
        sent = send(step.get("channel", "shell"), f"{step['request']}_request", step.get("content", {}))
        return gather([sent], timeout, step)
    if "message" in step:
        ids = [send("shell", step["message"], step["content"], step.get("buffers", []))]
    else:
        ids = [execute(step, step["code"])]
    steps_by_id[ids[0]] = number
    result = gather(ids, timeout, step)
    if "wait_for" in step:
        result["late"] = late(timeout, step["wait_for"], result["outputs"] + result["others"])
    return result


report = []
try:
    for number, step in enumerate(plan["steps"]):
        done = run(step, number)
        if "replies" in done and "burst" not in step:
            done["reply"] = done.pop("replies").get(0)
        report.append(done)
        # What comes after it would only wait, too.
        if done.get("timeout"):
            break
    alive = manager.is_alive()
finally:
    client.stop_channels()
    stopping = time.time()
    manager.shutdown_kernel()
json.dump({"ready_seconds": ready, "alive": alive, "stop_seconds": time.time() - stopping, "steps": report}, sys.stdout)
