"""What PyTorch says of a model and another near it: python tests/study/forgetting/make_measures.py (torch 2.15, transformers 5.23).

The fixture model llama-tied, and the same with every weight moved: weight i of a tensor by 0.05 · sin(i), row 0 of each matrix by ten times
that. KL divergences, drift, effective rank and linear CKA in double precision.
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM

here = pathlib.Path(__file__).parent
folder = here / "../../learn/models/fixtures/llama-tied"
expected = json.loads((folder / "expected.json").read_text())
rows = [pair for batch in expected["batches"] for pair in zip(batch["ids"], batch["labels"])]
base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
tuned = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
with torch.no_grad():
    for p in tuned.parameters():
        move = 0.05 * torch.sin(torch.arange(p.numel(), dtype=torch.float64)).reshape(p.shape)
        if p.dim() == 2:
            move[0] *= 10
        p += move


def divergences():
    forward, reverse = [], []
    for ids, labels in rows:
        q, p = (torch.log_softmax(model(torch.tensor([ids])).logits[0, :-1], -1) for model in (base, tuned))
        kept = torch.tensor(labels[1:]) != -100
        forward.append((q.exp() * (q - p)).sum(-1)[kept])
        reverse.append((p.exp() * (p - q)).sum(-1)[kept])
    return {
        "kl": torch.cat(forward).mean().item(),
        "reverse": torch.cat(reverse).mean().item(),
        "tokens": sum(map(len, forward)),
        "rows": [row.mean().item() for row in forward],
    }


def rank(change, energy):
    squares = torch.linalg.svdvals(change) ** 2
    return int((torch.cumsum(squares, 0) < energy * squares.sum()).sum()) + 1


def weights():
    found = []
    after = dict(tuned.named_parameters())
    for name, p in base.named_parameters():
        change = after[name] - p
        found.append({"name": name, "drift": (change.norm() / p.norm()).item()})
        if p.dim() == 2:
            found[-1] |= {"rank": rank(change, 0.9), "rank50": rank(change, 0.5)}
    return found


def alignment(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return ((y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())).item()


def states(model):
    """By layer, the embeddings first, before the last norm, which transformers has put into the last of them."""
    found, hooks = {}, []
    for i, layer in enumerate(model.model.layers):
        hooks.append(layer.register_forward_pre_hook(lambda m, given, i=i: found.setdefault(i, []).append(given[0][0])))
        last = lambda m, given, out, i=i: found.setdefault(i + 1, []).append((out[0] if isinstance(out, tuple) else out)[0])
        if i == len(model.model.layers) - 1:
            hooks.append(layer.register_forward_hook(last))
    for ids, _ in rows:
        model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return [torch.cat(found[i]) for i in sorted(found)]


with torch.no_grad():
    before, after = states(base), states(tuned)
    result = {**divergences(), "weights": weights(), "cka": [alignment(x, y) for x, y in zip(before, after)]}
(here / "measures.json").write_text(json.dumps(result, indent=1) + "\n")
