"""Worker: python generate_transformers.py job.json. transformers' generate on the job's model and prompts; prints one line of JSON."""

import json
import os
import resource
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch
import transformers
from transformers import AutoModelForCausalLM

job = json.load(open(sys.argv[1]))
torch.set_num_threads(job["threads"])
model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
model.generation_config.eos_token_id = None
model.generation_config.pad_token_id = 0


@torch.no_grad()
def timed(ids, count):
    start = time.perf_counter()
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, use_cache=True
    )
    return (time.perf_counter() - start) * 1000, made


cases = []
for case in job["cases"]:
    ids = torch.tensor(case["ids"])
    timed(ids, 4)
    times = []
    for _ in range(job["repeats"]):
        first, _ = timed(ids, 1)
        both, made = timed(ids, 1 + job["newTokens"])
        times.append({"prefill": first, "decode": both - first})
    cases.append({"name": case["name"], "times": times, "tokens": made[:, ids.shape[1] :].tolist()})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"engine": f"transformers {transformers.__version__}", "cases": cases, "peakBytes": peak}))
