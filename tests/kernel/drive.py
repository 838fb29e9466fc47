"""Drives a real kernel through jupyter_client, as a front end does.

Reads a JSON plan from stdin and prints a JSON report. Plan: {"kernel": name, "cwd": folder, "steps": [...]}; steps:
  {"code": "..."}                       run a cell; optional: "interrupt_after" (s), "interrupt_on" (text in a stream), "timeout",
                                        "silent", "store_history", "user_expressions", "stop_on_error", "wait" (s of late output)
  {"burst": ["...", "..."]}             send several cells before reading any reply
  {"request": "complete", "content": {...}, "channel": "shell"}   any other request
  {"restart": true}
Report: {"ready_seconds", "alive", "steps": [{"reply", "outputs", "states", "seconds", "late"}]}.
"""

import json
import os
import sys
import time
from queue import Empty

from jupyter_client.manager import KernelManager

plan = json.load(sys.stdin)
started = time.time()
manager = KernelManager(kernel_name=plan["kernel"])
manager.start_kernel(cwd=plan.get("cwd", os.getcwd()))
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
ready = time.time() - started


def brief(message):
    return {"type": message["header"]["msg_type"], "content": message["content"]}


def gather(ids, timeout, step):
    """Messages of these requests until each one is idle and answered."""
    replies, outputs, states, waiting = {}, [], [], set(ids)
    begin = time.time()
    interrupted = False

    def interrupt():
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            manager.interrupt_kernel()
            gather.interrupted_at = time.time()

    gather.interrupted_at = None
    while waiting or len(replies) < len(ids):
        if time.time() - begin > timeout:
            return {"timeout": True, "outputs": outputs, "replies": replies, "states": states}
        if "interrupt_after" in step and time.time() - begin >= step["interrupt_after"]:
            interrupt()
        try:
            message = client.get_iopub_msg(timeout=0.05)
            parent = message["parent_header"].get("msg_id")
            if parent in ids:
                if message["header"]["msg_type"] == "status":
                    state = message["content"]["execution_state"]
                    states.append(state)
                    if state == "idle":
                        waiting.discard(parent)
                else:
                    outputs.append({**brief(message), "parent": ids.index(parent)})
                    text = str(message["content"].get("text", ""))
                    if step.get("interrupt_on") and step["interrupt_on"] in text:
                        interrupt()
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
    return {"outputs": outputs, "replies": replies, "states": states, "seconds": end - begin, "interrupt_seconds": since}


def execute(step, code):
    return client.execute(
        code,
        silent=step.get("silent", False),
        store_history=step.get("store_history", True),
        user_expressions=step.get("user_expressions"),
        stop_on_error=step.get("stop_on_error", True),
    )


def late(seconds):
    found, end = [], time.time() + seconds
    while time.time() < end:
        try:
            found.append(brief(client.get_iopub_msg(timeout=0.05)))
        except Empty:
            pass
    return [each for each in found if each["type"] != "status"]


def run(step):
    timeout = step.get("timeout", 60)
    if step.get("restart"):
        manager.restart_kernel(now=False)
        client.wait_for_ready(timeout=60)
        return {}
    if "burst" in step:
        return gather([execute(step, code) for code in step["burst"]], timeout, step)
    if "request" in step:
        message = client.session.msg(f"{step['request']}_request", step.get("content", {}))
        channel = step.get("channel", "shell")
        getattr(client, f"{channel}_channel").send(message)
        return gather([message["header"]["msg_id"]], timeout, step)
    result = gather([execute(step, step["code"])], timeout, step)
    if "wait" in step:
        result["late"] = late(step["wait"])
    return result


report = []
try:
    for step in plan["steps"]:
        done = run(step)
        if "replies" in done and "burst" not in step:
            done["reply"] = done.pop("replies").get(0)
        report.append(done)
    alive = manager.is_alive()
finally:
    client.stop_channels()
    stopping = time.time()
    manager.shutdown_kernel()
json.dump({"ready_seconds": ready, "alive": alive, "stop_seconds": time.time() - stopping, "steps": report}, sys.stdout)
