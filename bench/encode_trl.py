"""Worker: python encode_trl.py job.json. TRL's own preparation of a prompt-completion data set; prints one line of JSON."""

import json
import os
import resource
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
job = json.load(open(sys.argv[1]))
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()

import datasets
import transformers
import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig
from trl import SFTConfig, SFTTrainer

datasets.disable_progress_bars()
tokenizer = AutoTokenizer.from_pretrained(job["tokenizer"])
model = AutoModelForCausalLM.from_config(
    LlamaConfig(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1)
)

# The same rendering as ours: the two forms of Alpaca's prompt, then the response and EOS, which TRL adds itself.
WITH = "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
WITHOUT = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:"


def render(row):
    prompt = WITH if row.get("input") else WITHOUT
    return {"prompt": prompt.format(**row), "completion": row["output"]}


spent = {}
prepare = SFTTrainer._prepare_dataset


def timed(self, *args, **kwargs):
    start = time.perf_counter()
    out = prepare(self, *args, **kwargs)
    spent["prepare"] = time.perf_counter() - start
    return out


SFTTrainer._prepare_dataset = timed
raw = json.load(open(job["rows"]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
start = time.perf_counter()
rows = Dataset.from_list([render(row) for row in raw])
render_seconds = time.perf_counter() - start
with tempfile.TemporaryDirectory() as output:
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=rows,
        args=SFTConfig(output_dir=output, max_length=None, use_cpu=True, bf16=False, report_to="none", completion_only_loss=True),
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    data = trainer.train_dataset
    made = data.with_format("numpy")
    ids = tokens = trained = 0
    for batch in made.iter(1000):
        for row in batch["input_ids"]:
            ids += int(row.sum())
            tokens += len(row)
        if "completion_mask" in batch:
            for row in batch["completion_mask"]:
                trained += int(row.sum())
        else:
            for row in batch["labels"]:
                trained += int((row != -100).sum())
print()
print(
    json.dumps(
        {
            "engine": f"TRL {trl.__version__}, transformers {transformers.__version__}, datasets {datasets.__version__}",
            "seconds": render_seconds + spent["prepare"],
            "renderSeconds": render_seconds,
            "rows": len(data),
            "tokens": tokens,
            "trained": trained,
            "ids": ids,
            "beforeBytes": before,
            "peakBytes": peak,
        }
    )
)
