"""Worker: python sft_trl.py job.json. TRL's SFTTrainer on the job's model and rows; prints one line of JSON."""

import json
import os
import resource
import sys
import tempfile
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch
import transformers
import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

job = json.load(open(sys.argv[1]))
torch.set_num_threads(job["threads"])


class Clock(TrainerCallback):
    def __init__(self):
        self.ends, self.losses, self.norms = [], [], []

    def on_step_end(self, args, state, control, **kwargs):
        self.ends.append(time.perf_counter())

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))
            self.norms.append(float(logs["grad_norm"]))


def matmul_speed():
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    speeds = []
    for _ in range(12):
        start = time.perf_counter()
        a @ b
        speeds.append(2 * 1024**3 / 1e9 / (time.perf_counter() - start))
    return max(speeds)


def load_model():
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if not job.get("adapter"):
        return model
    from peft import PeftModel

    return PeftModel.from_pretrained(model, job["adapter"], is_trainable=True)


matmul = matmul_speed()
clock = Clock()
with tempfile.TemporaryDirectory() as output:
    trainer = SFTTrainer(
        model=load_model(),
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        # Rows come encoded, so that ids and labels (completion only) are the same on both sides.
        train_dataset=Dataset.from_list([{"input_ids": r["ids"], "labels": r["labels"]} for r in job["rows"]]),
        args=SFTConfig(
            output_dir=output,
            per_device_train_batch_size=job["batch"],
            max_steps=job["steps"],
            learning_rate=job["learningRate"],
            adam_beta1=job["betas"][0],
            adam_beta2=job["betas"][1],
            adam_epsilon=job["eps"],
            weight_decay=job["weightDecay"],
            max_grad_norm=job["clip"],
            lr_scheduler_type="constant",
            train_sampling_strategy="sequential",
            max_length=None,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            seed=0,
        ),
        callbacks=[clock],
    )
    trainer.train()

print()
print(
    json.dumps(
        {
            "engine": f"TRL {trl.__version__}, transformers {transformers.__version__}, torch {torch.__version__}",
            "loss": clock.losses,
            "gradNorm": clock.norms,
            "ms": [1000 * (b - a) for a, b in zip(clock.ends, clock.ends[1:])],
            "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "matmul": matmul,
        }
    )
)
