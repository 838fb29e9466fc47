"""Load a model directory with transformers, and touch every weight: it may only have mapped the file."""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, __version__
from transformers.utils import logging

logging.disable_progress_bar()
job = json.load(open(sys.argv[1]))


def status(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name + ":"))


try:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
except OSError:
    pass
baseline = status("VmRSS")
start = time.perf_counter()
model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
loaded = time.perf_counter()
total = sum(parameter.sum().item() for parameter in model.parameters())
touched = time.perf_counter()
print(
    json.dumps(
        {
            "engine": f"transformers {__version__}",
            "ms": (loaded - start) * 1e3,
            "msTouched": (touched - start) * 1e3,
            "peakBytes": status("VmHWM") - baseline,
            "weightBytes": sum(p.numel() * 4 for p in model.parameters()),
            "sum": total,
        }
    )
)
