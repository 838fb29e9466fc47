"""Executes a notebook headless and reports each event as a line of JSON on stdout; `tunebook run` draws them.

    python run_notebook.py NOTEBOOK OUTPUT TIMEOUT_SECONDS

Events: start {total, kernel}; cell {cell, total, title}; done {cell, seconds};
error {kind, cell, source, name, message, traceback}; end {ok}. The notebook is written to OUTPUT after every cell
(beside, then renamed), so that a failure or a kill leaves what was computed until then. Exit code 0, 1 (a cell failed,
timed out, or the kernel died), 3 (Jupyter or the kernel is missing) or 130 (stopped).
"""

import asyncio
import json
import os
import re
import signal
import sys
import time

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def titles(cells):
    """For each cell what it is about: the last heading above it, else its first line."""
    heading, result = "", []
    for cell in cells:
        if cell.cell_type == "markdown":
            found = re.findall(r"^#+\s+(.+)$", cell.source, re.M)
            heading = found[-1].strip() if found else heading
        first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
        result.append(heading or re.sub(r"^//\s*", "", first)[:60])
    return result


class Runner:
    def __init__(self, source, output, timeout):
        import nbformat
        from nbclient import NotebookClient

        self.nbformat = nbformat
        self.output = output
        self.notebook = nbformat.read(source, as_version=4)
        for cell in self.notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        self.titles = titles(self.notebook.cells)
        self.numbers, count = {}, 0
        for index, cell in enumerate(self.notebook.cells):
            if cell.cell_type == "code" and cell.source.strip():
                count += 1
                self.numbers[index] = count
        self.total = count
        self.index, self.began, self.stopped, self.task = 0, 0.0, False, None
        kernel = self.notebook.metadata.get("kernelspec", {}).get("name", "tunebook")
        self.client = NotebookClient(
            self.notebook,
            kernel_name=kernel,
            timeout=timeout,
            # nbclient's own limits lose a kernel that starts, or outputs that come, late on a busy machine.
            startup_timeout=180,
            iopub_timeout=60,
            interrupt_on_timeout=False,
            resources={"metadata": {"path": os.path.dirname(os.path.abspath(source))}},
            on_notebook_start=self.on_start,
            on_cell_start=self.on_cell,
            on_cell_executed=self.on_done,
            on_cell_error=self.on_error,
        )

    def save(self):
        beside = f"{self.output}.{os.getpid()}.tmp"
        with open(beside, "w", encoding="utf8") as file:
            self.nbformat.write(self.notebook, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.output)

    def on_start(self, **_):
        # nbclient's own handler kills the kernel and then waits for it; ours ends the run.
        for name in ("SIGINT", "SIGTERM"):
            try:
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), self.stop)
            except (NotImplementedError, AttributeError):
                pass
        emit("start", total=self.total, kernel=self.client.kernel_name)

    def stop(self):
        self.stopped = True
        self.client.shutdown_kernel = "immediate"
        if self.task:
            self.task.cancel()

    def on_cell(self, cell, cell_index, **_):
        self.index, self.began = cell_index, time.monotonic()
        if cell_index in self.numbers:
            emit("cell", cell=self.numbers[cell_index], total=self.total, title=self.titles[cell_index])

    def on_done(self, cell, cell_index, **_):
        self.save()
        if cell_index in self.numbers:
            emit("done", cell=self.numbers[cell_index], seconds=round(time.monotonic() - self.began, 2))

    def on_error(self, **_):
        self.save()

    def failed(self, kind, name, message, traceback=()):
        source = self.notebook.cells[self.index].source if self.notebook.cells else ""
        self.save()
        emit(
            "error",
            kind=kind,
            cell=self.numbers.get(self.index, 0),
            source=source,
            name=name,
            message=message,
            traceback=[ANSI.sub("", line) for line in traceback],
        )
        return 1

    async def run(self):
        from jupyter_client.kernelspec import NoSuchKernel
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

        self.task = asyncio.current_task()
        try:
            await self.client.async_execute()
        except asyncio.CancelledError:
            self.save()
            emit("end", ok=False)
            return 130
        except NoSuchKernel as error:
            emit("error", kind="setup", message=f'Jupyter knows no kernel "{error.name}"', cell=0, source="", name="", traceback=[])
            return 3
        except CellExecutionError as error:
            outputs = self.notebook.cells[self.index].get("outputs", [])
            trace = next((o.traceback for o in outputs if o.output_type == "error"), [])
            return self.failed("cell", error.ename, error.evalue, trace)
        except CellTimeoutError:
            return self.failed("timeout", "Timeout", f"the cell ran longer than {self.client.timeout} s")
        except DeadKernelError:
            if self.stopped:
                self.save()
                return 130
            return self.failed("dead", "KernelDied", "the kernel's process ended while the cell was running")
        except Exception as error:  # the kernel did not start, or Jupyter itself failed
            if self.stopped:
                self.save()
                return 130
            return self.failed("start", type(error).__name__, str(error))
        self.save()
        emit("end", ok=True)
        return 0


def main():
    source, output, timeout = sys.argv[1], sys.argv[2], int(sys.argv[3])
    try:
        runner = Runner(source, output, timeout if timeout > 0 else None)
    except ImportError as error:
        emit("error", kind="setup", message=f"this Python has no Jupyter ({error})", cell=0, source="", name="", traceback=[])
        return 3
    return asyncio.run(runner.run())


if __name__ == "__main__":
    sys.exit(main())
