"""What PyTorch says of remedies against forgetting: python tests/learn/train/remedies/make_remedies.py (torch 2.15, transformers 5.23).

On the fixture model llama-tied: the diagonal Fisher information of four rows, and losses and gradient norms of six steps of AdamW with
each penalty. Rows are those of the fixture's expected.json: the first two are trained on, the next two are the text to be kept.
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM

here = pathlib.Path(__file__).parent
folder = here / "../../models/fixtures/llama-tied"
expected = json.loads((folder / "expected.json").read_text())
rows = [pair for batch in expected["batches"] for pair in zip(batch["ids"], batch["labels"])]
trained, kept = rows[:2], [(ids, ids) for ids, _ in rows[2:4]]
LEARNING_RATE, STEPS = 5e-3, 6


def load():
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def logits(model, rows):
    """Logits of the positions that predict a labelled token, and its id."""
    found = []
    for ids, labels in rows:
        z, targets = model(torch.tensor([ids])).logits[0, :-1], torch.tensor(labels[1:])
        found.append((z[targets != -100], targets[targets != -100]))
    return torch.cat([z for z, _ in found]), torch.cat([t for _, t in found])


def cross_entropy(model, rows):
    return torch.nn.functional.cross_entropy(*logits(model, rows))


def fisher():
    model = load()
    found = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    tokens = 0
    for row in kept:
        model.zero_grad()
        z, targets = logits(model, [row])
        torch.nn.functional.cross_entropy(z, targets, reduction="sum").backward()
        tokens += len(targets)
        for name, p in model.named_parameters():
            found[name] += p.grad**2
    return {name: value / tokens for name, value in found.items()}


def train(penalty, after=lambda model: None):
    model = load()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0)
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = cross_entropy(model, trained) + penalty(model)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9).item()
        optimizer.step()
        with torch.no_grad():
            after(model)
        found.append({"loss": loss.item(), "gradNorm": norm})
    return found


base = load()
start = {name: p.detach().clone() for name, p in base.named_parameters()}
information = fisher()
EWC, L2SP, DECOUPLED, KL = 3.0, 0.5, 20.0, 2.0


def squares(model, importance=lambda name: 1.0):
    return 0.5 * sum((importance(name) * (p - start[name]) ** 2).sum() for name, p in model.named_parameters())


def pull(model):
    for name, p in model.named_parameters():
        p += LEARNING_RATE * DECOUPLED * (start[name] - p)


def divergence(model, rows, direction):
    now = torch.log_softmax(logits(model, rows)[0], -1)
    with torch.no_grad():
        before = torch.log_softmax(logits(base, rows)[0], -1)
    p, q = (before, now) if direction == "base" else (now, before)
    return (p.exp() * (p - q)).sum()


labels = len(logits(base, trained)[1])
kl = lambda direction, rows: lambda model: KL * divergence(model, rows, direction) / labels
(here / "remedies.json").write_text(
    json.dumps(
        {
            "learningRate": LEARNING_RATE,
            "strengths": {"ewc": EWC, "l2sp": L2SP, "decoupled": DECOUPLED, "kl": KL},
            "fisher": {name: value.sum().item() for name, value in information.items()},
            "runs": {
                "plain": train(lambda model: 0),
                "ewc": train(lambda model: EWC * squares(model, information.__getitem__)),
                "l2sp": train(lambda model: L2SP * squares(model)),
                "decoupled": train(lambda model: 0, pull),
                "klBase": train(kl("base", trained)),
                "klModel": train(kl("model", trained)),
                "klReplay": train(kl("base", kept)),
            },
        },
        indent=1,
    )
    + "\n"
)
