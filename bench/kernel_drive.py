"""Worker: python kernel_drive.py job.json. One new kernel through jupyter_client; prints what it took as one line of JSON.

Job: {"kernel", "trivial", "fresh" (with "{i}" for a number), "complete": {"code", "before" (likewise), "expect"}, "repeats",
"cells": [{"name", "code"}]}. Times are milliseconds as a front end sees them: from sending a request until its reply and the
kernel's idle have both come. A cell that prints "ms: NUMBER" is timed by that number, from inside.
"""

import json
import os
import re
import sys
import time

import psutil
import zmq
from jupyter_client.manager import KernelManager

job = json.load(open(sys.argv[1]))
manager = KernelManager(kernel_name=job["kernel"])
begin = time.perf_counter()
manager.start_kernel(cwd=job["cwd"])
client = manager.client()
client.start_channels()


def poller_of(*channels):
    made = zmq.Poller()
    for channel in channels:
        made.register(channel.socket, zmq.POLLIN)
    return made


poller = poller_of(client.shell_channel, client.iopub_channel)


def finished(message_id, timeout=120):
    """The reply's content and the texts of the streams, once the kernel has replied and is idle."""
    text, reply, idle = "", None, False
    end = time.perf_counter() + timeout
    while reply is None or not idle:
        left = end - time.perf_counter()
        if left <= 0:
            raise TimeoutError(f"{job['kernel']} did not answer in {timeout} s")
        if not idle and client.iopub_channel.msg_ready():
            message = client.get_iopub_msg(timeout=left)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            if message["header"]["msg_type"] == "status":
                idle = content["execution_state"] == "idle"
            text += str(content.get("text", ""))
        elif reply is None and client.shell_channel.msg_ready():
            message = client.get_shell_msg(timeout=left)
            if message["parent_header"].get("msg_id") == message_id:
                reply = message["content"]
        else:
            # Neither socket has news: wait on both, no busy loop beside the kernel.
            poller.poll(min(left, 1) * 1000)
    return reply, text


def timed(send):
    start = time.perf_counter()
    reply, text = finished(send())
    return (time.perf_counter() - start) * 1000, reply, text


def peak_bytes(process):
    try:
        with open(f"/proc/{process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        # Not Linux: what it holds now.
        return process.memory_info().rss


result = {"kernel": job["kernel"]}
try:
    client.wait_for_ready(timeout=120)
    result["ready"] = (time.perf_counter() - begin) * 1000
    first, reply, _ = timed(lambda: client.execute(job["trivial"]))
    if reply["status"] != "ok":
        raise RuntimeError(f"{job['trivial']} failed: {reply}")
    result["firstCell"] = first
    result["toFirstResult"] = (time.perf_counter() - begin) * 1000
    result["cell"] = [timed(lambda: client.execute(job["trivial"]))[0] for _ in range(job["repeats"])]
    result["fresh"] = [timed(lambda: client.execute(job["fresh"].replace("{i}", str(i))))[0] for i in range(job["repeats"])]
    ask = job["complete"]

    def completed(before=""):
        code = before + ask["code"]
        took, reply, _ = timed(lambda: client.complete(code, len(code)))
        result["matches"] = result.get("matches", True) and ask["expect"] in " ".join(reply.get("matches", []))
        return took

    result["firstCompletion"] = completed()
    result["completion"] = [completed() for _ in range(job["repeats"])]
    result["freshCompletion"] = [completed(ask["before"].replace("{i}", str(i))) for i in range(job["repeats"])]
    result["cells"] = {}
    for cell in job["cells"]:
        _, reply, text = timed(lambda: client.execute(cell["code"]))
        numbers = re.findall(r"ms: ([\d.]+)", text)
        if reply["status"] == "ok" and numbers:
            result["cells"][cell["name"]] = [float(number) for number in numbers]
        else:
            result["cells"][cell["name"]] = None
            result["failed"] = f"{cell['name']}: {reply.get('evalue') or text or reply}"[-600:]
    # Every process of the kernel: protocol and executor may be two.
    process = psutil.Process(manager.provisioner.process.pid)
    peak = sum(peak_bytes(each) for each in [process, *process.children(recursive=True)])
    result["peakBytes"] = peak
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(json.dumps(result))
