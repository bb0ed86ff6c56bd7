#!/usr/bin/env python3
"""Writes tests/search/golden_importance.jsonl: importances as Optuna itself evaluates them.

    scripts/peers_python.sh tests/search/make_golden_importance.py \
        > tests/search/golden_importance.jsonl

One JSON object a line: a study's trials (parameters as name, internal value and index of the range),
the options, and what optuna.importance.get_param_importances says about it.
"""
import json
import math
import random
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
D = optuna.distributions
State = optuna.trial.TrialState


def range_of(distribution):
    if isinstance(distribution, D.CategoricalDistribution):
        return {"choices": len(distribution.choices)}
    kind = "int" if isinstance(distribution, D.IntDistribution) else "float"
    return {"kind": kind, "low": distribution.low, "high": distribution.high,
            "step": distribution.step, "log": distribution.log}


def number(value):
    return value if math.isfinite(value) else str(value)


def emit(name, study, objective=None, target=0.1, region=1.0):
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(
        target_quantile=target, region_quantile=region)
    function = None
    if objective is not None:
        sign = 1 if study.directions[objective] == optuna.study.StudyDirection.MINIMIZE else -1
        function = lambda t: sign * t.values[objective]  # noqa: E731
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, target=function)
    write(name, study, {"objective": objective, "target": target, "region": region,
                        "importances": found})


def write(name, study, more):
    trials = []
    ranges = []

    def index(distribution):
        found = range_of(distribution)
        if found not in ranges:
            ranges.append(found)
        return ranges.index(found)

    for t in study.trials:
        params = [[k, d.to_internal_repr(t.params[k]), index(d)]
                  for k, d in t.distributions.items()]
        trials.append({"state": t.state.name, "values": [number(v) for v in t.values or []],
                       "params": params})
    json.dump({"name": name, "maximize": [d.name == "MAXIMIZE" for d in study.directions],
               "ranges": ranges, "trials": trials, **more}, sys.stdout, separators=(",", ":"))
    print()


def mixed(trial, rng):
    """Every kind of range, one that only some trials have, and one that changes on the way."""
    lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    momentum = trial.suggest_float("momentum", 0, 1)
    drop = trial.suggest_float("drop", 0, 0.5, step=0.05)
    layers = trial.suggest_int("layers", 1, 12)
    width = trial.suggest_int("width", 8, 512, log=True)
    batch = trial.suggest_int("batch", 16, 256, step=16)
    kind = trial.suggest_categorical("kind", ["a", "b", "c", "d"])
    trial.suggest_categorical("only", ["one"])
    value = (math.log10(lr) + 3) ** 2 + (momentum - 0.7) ** 2 + drop + 0.01 * abs(layers - 6)
    value += 0.05 * abs(math.log2(width) - 7) + batch / 2560 + 0.3 * "abcd".index(kind)
    if kind in "ab":
        value += 2 * abs(trial.suggest_float("extra", 0, 1) - 0.2)
    value += trial.suggest_float("moved", 0, 1 if trial.number < 40 else 2)
    return value + rng.random() * 0.01


def fill(study, n, seed, objectives):
    rng = random.Random(seed)
    for _ in range(n):
        trial = study.ask()
        value = mixed(trial, rng)
        values = [value, trial.params["momentum"] - value / 3, trial.params["drop"] * value]
        draw = rng.random()
        if draw < 0.05:
            study.tell(trial, state=State.FAIL)
        elif draw < 0.1 and objectives == 1:
            trial.report(value, 1)
            study.tell(trial, state=State.PRUNED)
        elif draw < 0.13:
            study.tell(trial, [math.inf] * objectives)
        else:
            study.tell(trial, [round(v, 6) for v in values[:objectives]])


def sampled(directions, n, seed):
    study = optuna.create_study(directions=directions,
                                sampler=optuna.samplers.RandomSampler(seed=seed))
    fill(study, n, seed, len(directions))
    return study


def main():
    for n in (3, 12, 90):
        emit(f"minimize-{n}", sampled(["minimize"], n, n))
    emit("maximize", sampled(["maximize"], 80, 5))
    emit("wide-target", sampled(["minimize"], 80, 6), target=0.3)
    emit("half-region", sampled(["minimize"], 80, 7), target=0.2, region=0.5)
    equal = optuna.create_study()
    for x in range(10):
        equal.add_trial(optuna.trial.create_trial(
            params={"x": x, "y": 1.0}, value=1.0,
            distributions={"x": D.IntDistribution(0, 9), "y": D.FloatDistribution(0, 2)}))
    emit("all-equal", equal)
    two = sampled(["minimize", "maximize"], 80, 8)
    emit("first-of-two", two, objective=0)
    emit("second-of-two", two, objective=1)
    for n in (20, 80, 130):
        emit(f"front-of-two-{n}", sampled(["minimize", "maximize"], n, n))
    emit("front-of-two-region", two, target=0.1, region=0.6)
    emit("front-of-three", sampled(["minimize", "maximize", "minimize"], 80, 9))


if __name__ == "__main__":
    main()
