"""Worker: python sft_torch.py job.json. A hand-tuned PyTorch loop on the job's model and rows; prints one line of JSON.

What a careful user would write for this one model: rows laid one after the other without padding, attention row by row through
scaled_dot_product_attention (rows of one length together), logits on labelled positions only, the fused AdamW.
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

job = json.load(open(sys.argv[1]))
torch.set_num_threads(job["threads"])
config = json.load(open(Path(job["model"]) / "config.json"))
weights = {name: torch.nn.Parameter(w) for name, w in load_file(Path(job["model"]) / "model.safetensors").items()}
heads, key_heads, width = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
theta, eps = config["rope_theta"], config["rms_norm_eps"]
frequencies = theta ** (-torch.arange(0, width, 2).float() / width)


def matmul_speed():
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    speeds = []
    for _ in range(12):
        start = time.perf_counter()
        a @ b
        speeds.append(2 * 1024**3 / 1e9 / (time.perf_counter() - start))
    return max(speeds)


def rope(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def loss_sum(rows):
    lengths = [len(row["ids"]) for row in rows]
    ids = torch.tensor([i for row in rows for i in row["ids"]])
    positions = torch.cat([torch.arange(n) for n in lengths]).float()
    angles = (positions[:, None] * frequencies)[:, None]
    cos, sin = angles.cos(), angles.sin()
    keep, labels, start = [], [], 0
    for row in rows:
        for t, label in enumerate(row["labels"]):
            if t and label != -100:
                keep.append(start + t - 1)
                labels.append(label)
        start += len(row["ids"])
    keep, labels = torch.tensor(keep), torch.tensor(labels)

    x = F.embedding(ids, weights["model.embed_tokens.weight"])
    last = config["num_hidden_layers"] - 1
    for i in range(last + 1):
        w = lambda name: weights[f"model.layers.{i}.{name}.weight"]
        h = F.rms_norm(x, (x.shape[-1],), w("input_layernorm"), eps)
        q = rope(F.linear(h, w("self_attn.q_proj")).view(-1, heads, width), cos, sin)
        k = rope(F.linear(h, w("self_attn.k_proj")).view(-1, key_heads, width), cos, sin)
        v = F.linear(h, w("self_attn.v_proj")).view(-1, key_heads, width)
        # Rows of one length are a batch; others go one by one.
        together = [lengths] if len(set(lengths)) == 1 else [[n] for n in lengths]
        sizes = [sum(part) for part in together]
        parts = zip(together, q.split(sizes), k.split(sizes), v.split(sizes))
        h = torch.cat([
            F.scaled_dot_product_attention(
                *(x.view(len(part), part[0], -1, width).transpose(1, 2) for x in qkv), is_causal=True, enable_gqa=heads != key_heads
            ).transpose(1, 2).reshape(len(part) * part[0], -1)
            for part, *qkv in parts
        ])
        if i == last:
            x, h = x[keep], h[keep]
        x = x + F.linear(h, w("self_attn.o_proj"))
        h = F.rms_norm(x, (x.shape[-1],), w("post_attention_layernorm"), eps)
        x = x + F.linear(F.silu(F.linear(h, w("mlp.gate_proj"))) * F.linear(h, w("mlp.up_proj")), w("mlp.down_proj"))
    x = F.rms_norm(x, (x.shape[-1],), weights["model.norm.weight"], eps)
    logits = F.linear(x, weights.get("lm_head.weight", weights["model.embed_tokens.weight"]))
    return F.cross_entropy(logits, labels, reduction="sum"), len(labels)


optimizer = torch.optim.AdamW(weights.values(), lr=job["learningRate"], betas=tuple(job["betas"]), eps=job["eps"],
                              weight_decay=job["weightDecay"], fused=True)
matmul = matmul_speed()
losses, norms, ends = [], [], []
for step in range(job["steps"]):
    rows = job["rows"][step * job["batch"] : (step + 1) * job["batch"]]
    loss, count = loss_sum(rows)
    loss = loss / count
    loss.backward()
    norms.append(torch.nn.utils.clip_grad_norm_(weights.values(), job["clip"]).item())
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
    ends.append(time.perf_counter())

print(json.dumps({
    "engine": f"PyTorch loop, torch {torch.__version__}",
    "loss": losses,
    "gradNorm": norms,
    "ms": [1000 * (b - a) for a, b in zip(ends, ends[1:])],
    "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "matmul": matmul,
}))
