"""A Binder session under a memory limit, for replay.sh: JupyterLab is started as Binder starts it, asked for the tunebook
kernel and the quickstart, and then the quickstart is executed on that kernel.

    python session.py LIMIT_MB [options of tunebook run]

The limit holds for this process and everything it starts: their proportional set sizes are added up four times a
second, and all are killed when the sum passes the limit (exit code 137, as Binder's cgroup would do it). A limit on address space
(ulimit -v) would not do: TensorFlow and wasm reserve far more than they use.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import psutil


def proportional(process):
    try:
        with open(f"/proc/{process.pid}/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1000
    except (OSError, StopIteration):
        return 0.0


class Watch(threading.Thread):
    """Adds up the memory of the tree below this process, in MB; ends the tree when it passes the limit."""

    def __init__(self, limit):
        super().__init__(daemon=True)
        self.limit, self.peak = limit, 0.0

    def run(self):
        me = psutil.Process()
        while True:
            tree = [me, *me.children(recursive=True)]
            sizes = [(proportional(process), process.pid) for process in tree]
            total = sum(size for size, _ in sizes)
            if total > self.peak:
                self.peak = total
            if total > self.limit:
                print(f"session: {total:.0f} MB in use, more than {self.limit} MB: ended", flush=True)
                for process in tree[1:]:
                    try:
                        process.kill()
                    except psutil.Error:
                        pass
                os._exit(137)
            time.sleep(0.25)


def start_lab():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    root = ["--allow-root"] if os.getuid() == 0 else []
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={token}", "--ServerApp.log_level=ERROR"]
    lab = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options, *root])

    def ask(path):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", headers={"Authorization": f"token {token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    for _ in range(240):
        try:
            ask("api/status")
            return lab, ask
        except OSError:
            if lab.poll() is not None:
                raise SystemExit("session: JupyterLab did not start")
            time.sleep(0.25)
    raise SystemExit("session: JupyterLab did not answer within a minute")


def main():
    limit, options = float(sys.argv[1]), sys.argv[2:]
    watch = Watch(limit)
    watch.start()
    notebook = "notebooks/quickstart.ipynb"
    lab, ask = start_lab()
    try:
        specs = json.loads(ask("api/kernelspecs"))["kernelspecs"]
        assert "tunebook" in specs, f"JupyterLab does not know the kernel: {sorted(specs)}"
        wanted = json.loads(ask(f"api/contents/{notebook}"))["content"]["metadata"]["kernelspec"]["name"]
        assert wanted == "tunebook", f"{notebook} asks for the kernel {wanted}"
        assert b"jupyter-config-data" in ask(f"lab/tree/{notebook}")
        print(f"session: JupyterLab opens {notebook} and has the tunebook kernel ({watch.peak:.0f} MB)", flush=True)
        code = subprocess.run(["node", "dist/cli/main.js", "run", notebook, "--python", sys.executable, *options]).returncode
    finally:
        lab.send_signal(signal.SIGTERM)
        lab.wait(30)
    print(f"session: peak memory {watch.peak:.0f} MB of {limit:.0f} MB, JupyterLab, kernel and runner together", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
