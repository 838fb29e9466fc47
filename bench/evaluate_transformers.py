"""Worker: python evaluate_transformers.py job.json. transformers' generate on the job's prompts, batch by batch; prints one line of JSON.

Prompts are sorted by length, as a careful user does, and padded on the left.
"""

import json
import os
import resource
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

job = json.load(open(sys.argv[1]))
torch.set_num_threads(job["threads"])
model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(job["model"], "tokenizer.json"))
pad = 0


@torch.no_grad()
def answers(prompts):
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    texts = [None] * len(prompts)
    for first in range(0, len(order), job["batch"]):
        part = order[first : first + job["batch"]]
        longest = max(len(prompts[i]) for i in part)
        ids = torch.tensor([[pad] * (longest - len(prompts[i])) + prompts[i] for i in part])
        mask = torch.tensor([[0] * (longest - len(prompts[i])) + [1] * len(prompts[i]) for i in part])
        made = model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=job["newTokens"],
            do_sample=False,
            eos_token_id=job["stopIds"],
            pad_token_id=pad,
        )
        for i, row in zip(part, made[:, longest:].tolist()):
            end = next((at for at, token in enumerate(row) if token in job["stopIds"]), len(row))
            texts[i] = tokenizer.decode(row[:end], skip_special_tokens=True).strip()
    return texts


cases = []
for case in job["cases"]:
    answers(case["prompts"][: job["batch"]])
    ms, texts = [], None
    for _ in range(job["repeats"]):
        start = time.perf_counter()
        texts = answers(case["prompts"])
        ms.append(1000 * (time.perf_counter() - start))
    cases.append({"name": case["name"], "ms": ms, "texts": texts})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"engine": f"transformers {transformers.__version__}", "cases": cases, "peakBytes": peak}))
