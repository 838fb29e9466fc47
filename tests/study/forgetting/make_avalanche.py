"""What Avalanche's metrics say of matrices of scores: python tests/study/forgetting/make_avalanche.py (avalanche-lib 0.6.0, NumPy).

Its own stream metrics are led through an evaluation of all tasks before training and after each task, with scores from the matrix in
place of accuracies of a model.
"""

import json
import pathlib
from types import SimpleNamespace

import numpy as np
from avalanche.evaluation.metrics.forgetting_bwt import StreamBWT, StreamForgetting
from avalanche.evaluation.metrics.forward_transfer import StreamForwardTransfer


def lead(metric, scores, untrained):
    """The metric's value after the last task."""
    strategy = SimpleNamespace(eval_every=0, score=0.0, experience=SimpleNamespace(current_experience=0))
    metric.metric_update = lambda strategy: None
    metric.metric_result = lambda strategy: strategy.score
    metric._package_result = lambda strategy: None
    metric._current_metric = SimpleNamespace(reset=lambda: None)

    def evaluate(row):
        metric.before_eval(strategy)
        for task, score in enumerate(row):
            strategy.experience.current_experience, strategy.score = task, score
            metric.before_eval_exp(strategy)
            metric.after_eval_iteration(strategy)
            metric.after_eval_exp(strategy)
        metric.after_eval(strategy)

    evaluate(untrained)
    for task, row in enumerate(scores):
        strategy.experience.current_experience = task
        metric.before_training_exp(strategy)
        evaluate(row)
    return metric.result()


rng = np.random.default_rng(3)
cases = []
for tasks in (2, 3, 6):
    scores, untrained = rng.random((tasks, tasks)).round(3), rng.random(tasks).round(3)
    # In every other case each task is best right after its own training, as it mostly is.
    for best_first in (False, True):
        a = scores.copy()
        if best_first:
            for i in range(tasks):
                a[i, i] = a[:, i].max()
        case = {"scores": a.tolist(), "untrained": untrained.tolist(), "bestFirst": best_first}
        for name, metric in (("bwt", StreamBWT()), ("forgetting", StreamForgetting()), ("forwardTransfer", StreamForwardTransfer())):
            case[name] = float(lead(metric, case["scores"], case["untrained"]))
        cases.append(case)
(pathlib.Path(__file__).parent / "avalanche.json").write_text(json.dumps(cases, indent=1) + "\n")
