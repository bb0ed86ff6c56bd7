#!/usr/bin/env python3
"""Writes tests/search/golden_fanova.jsonl: fANOVA as Optuna itself evaluates it, which needs scikit-learn.

    venv=$(scripts/deps/venv.sh fanova "Optuna and scikit-learn" | tail -n 1)
    "$venv/bin/python" tests/search/make_golden_fanova.py > tests/search/golden_fanova.jsonl

Lines are those of make_golden_importance.py, with the mean of ten seeds for each parameter as
"importances" and the standard deviation among them as "spread": its trees grow at random.
"""
import math
import statistics

import optuna

from make_golden_importance import sampled, write

SEEDS = 10


def emit(name, study, objective=None):
    target = None if objective is None else lambda t: t.values[objective]
    found = [optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=seed), target=target)
        for seed in range(SEEDS)]
    write(name, study, {
        "objective": objective,
        "importances": {k: statistics.fmean(f[k] for f in found) for k in found[0]},
        "spread": {k: statistics.stdev(f[k] for f in found) for k in found[0]}})


def known(n, seed):
    """Two parameters that act alone, two that act together only, one that does nothing."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(n):
        trial = study.ask()
        x = trial.suggest_float("x", -1, 1)
        rate = trial.suggest_float("rate", 1e-4, 1, log=True)
        a = trial.suggest_float("a", -1, 1)
        b = trial.suggest_float("b", -1, 1)
        trial.suggest_int("nothing", 0, 100)
        kind = trial.suggest_categorical("kind", ["p", "q", "r", "s", "t", "u"])
        study.tell(trial, 2 * x + math.sqrt(rate) + a * b + (0.8 if kind == "t" else 0))
    return study


def main():
    for n in (12, 90):
        emit(f"minimize-{n}", sampled(["minimize"], n, n))
    emit("maximize", sampled(["maximize"], 80, 5))
    two = sampled(["minimize", "maximize"], 80, 8)
    emit("first-of-two", two, objective=0)
    emit("second-of-two", two, objective=1)
    emit("known", known(300, 1))


if __name__ == "__main__":
    main()
