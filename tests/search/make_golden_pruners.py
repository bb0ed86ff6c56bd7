#!/usr/bin/env python3
"""Writes tests/search/golden_pruners.txt: what Optuna's pruners decide, for golden_pruner_test.cc.

    scripts/peers_python.sh tests/search/make_golden_pruners.py > tests/search/golden_pruners.txt

Each case is a study in which a few trials run at once. Its lines, in the order of events:

    case DIRECTION STUDY_NAME OPTION=VALUE...   the pruner, as its keys in the configuration
    s NUMBER                                    a trial starts
    r NUMBER STEP VALUE DECISION                it reports; 1 = should prune
    c NUMBER VALUE                              it gets a constraint
    e NUMBER STATE VALUE RUNGS                  it ends, with the values of its completed rungs
"""
import random
import warnings

import optuna

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.CRITICAL)
P = optuna.pruners
State = optuna.trial.TrialState

COMMON = ({}, {"n_startup_trials": 1}, {"n_startup_trials": 2, "n_warmup_steps": 3},
          {"n_startup_trials": 0, "interval_steps": 3, "n_min_trials": 3},
          {"n_startup_trials": 3, "n_warmup_steps": 2, "interval_steps": 4, "n_min_trials": 2})
OPTIONS = {
    "median": COMMON,
    "percentile": tuple({"percentile": q, **o} for q, o in
                        zip((25, 10, 0, 100, 62.5), COMMON[1:] + COMMON[:1])),
    "successive_halving": (
        {}, {"min_resource": 1}, {"min_resource": 2, "reduction_factor": 2},
        {"min_resource": 1, "reduction_factor": 3, "min_early_stopping_rate": 1},
        {"min_resource": 1, "reduction_factor": 2, "bootstrap_count": 3},
        {"reduction_factor": 2}),
    "hyperband": (
        {}, {"max_resource": 27}, {"max_resource": 243, "bootstrap_count": 2},
        {"min_resource": 2, "max_resource": 20, "reduction_factor": 2},
        {"min_resource": 3, "reduction_factor": 2}, {"min_resource": 1000}),
    "patient": (
        {"patience": 0}, {"patience": 2}, {"patience": 1, "min_delta": 0.25},
        {"patience": 1, "wrapped": "median", "n_startup_trials": 1},
        {"patience": 0, "wrapped": "successive_halving", "min_resource": 1,
         "reduction_factor": 2},
        {"patience": 2, "min_delta": 0.1, "wrapped": "threshold", "upper": 1.0, "lower": -1.0}),
    "threshold": (
        {"upper": 1.0}, {"lower": 0.0}, {"lower": -0.5, "upper": 0.5, "n_warmup_steps": 3},
        {"upper": 0.75, "interval_steps": 3}, {"lower": 0.5, "upper": 0.5}),
    "wilcoxon": ({}, {"p_threshold": 0.3}, {"p_threshold": 0.05, "n_startup_steps": 6},
                 {"p_threshold": 0.5, "n_startup_steps": 0}),
}


def make(name, options):
    o = dict(options)
    if name == "median":
        return P.MedianPruner(**o)
    if name == "percentile":
        return P.PercentilePruner(o.pop("percentile"), **o)
    if name == "successive_halving":
        return P.SuccessiveHalvingPruner(**o)
    if name == "hyperband":
        return P.HyperbandPruner(**o)
    if name == "threshold":
        return P.ThresholdPruner(**o)
    if name == "wilcoxon":
        return P.WilcoxonPruner(**o)
    own = {k: o.pop(k) for k in ("patience", "min_delta") if k in o}
    wrapped = o.pop("wrapped", None)
    return P.PatientPruner(make(wrapped, o) if wrapped else None, **own)


def number(value):
    return "-" if value is None else repr(float(value))


class Run:
    """One trial on its way: a noisy curve that falls (or rises) to a level of its own."""

    def __init__(self, study, name, rng, sign, length):
        self.trial = study.ask()
        self.rng, self.sign, self.name = rng, sign, name
        self.level = rng.uniform(-1, 1)
        self.step = 0
        self.length = length
        # Rounded values meet in ties; Wilcoxon's zeros and ties need them.
        self.digits = rng.choice((1, 2, 17))

    def value(self):
        r = self.rng.random()
        if self.name != "wilcoxon" or self.rng.random() < 0.02:
            if r < 0.03:
                return float("nan")
            if r < 0.05:
                return self.rng.choice((float("inf"), float("-inf")))
        noise = self.rng.gauss(0, 0.3)
        slope = 0 if self.name == "wilcoxon" else 1.5 / (1 + self.step)
        return round(self.sign * (self.level + noise + slope), self.digits)

    def advance(self):
        if self.name == "wilcoxon":
            self.step += 1
        else:
            self.step += self.rng.choice((1, 1, 1, 2, 5))
            if self.rng.random() < 0.04 and self.step > 4:
                return self.step - 3  # Late, or a second time.
        return self.step


def play(name, options, direction, seed):
    rng = random.Random(f"{name} {sorted(options.items())} {direction} {seed}")
    study_name = f"{name}-{seed}-é"
    study = optuna.create_study(direction=direction, pruner=make(name, options),
                                study_name=study_name, sampler=optuna.samplers.RandomSampler(0))
    words = " ".join(f"{k}={v}" for k, v in {"name": name, **options}.items())
    print(f"case {direction} {study_name} {words}")
    sign = 1 if direction == "minimize" else -1
    running = []
    for _ in range(14):
        run = Run(study, name, rng, sign, rng.choice((6, 12, 30, 60)))
        print("s", run.trial.number)
        running.append(run)
        while len(running) >= 3:
            for r in list(running):
                if go_on(study, r, rng):
                    continue
                running.remove(r)
    return study


def go_on(study, run, rng):
    trial = run.trial
    step, value = run.advance(), run.value()
    if step not in study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        trial.report(value, step)
    prune = trial.should_prune()
    print("r", trial.number, step, number(value), int(prune))
    # Some go on against the advice, as programs without should_prune do.
    if not (prune and rng.random() < 0.8) and run.step < run.length:
        return True
    state = State.PRUNED if prune else rng.choice((State.COMPLETE,) * 7 + (State.FAIL,))
    if run.name == "wilcoxon" and rng.random() < 0.2:
        broken = rng.choice((-1.0, 1.0))
        trial.set_constraint("memory", broken)
        print("c", trial.number, broken)
    if state == State.COMPLETE:
        study.tell(trial, rng.gauss(0, 1))
    else:
        study.tell(trial, state=state)
    frozen = study.get_trials(deepcopy=False)[trial.number]
    rungs = [number(frozen.system_attrs[f"completed_rung_{k}"]) for k in range(40)
             if f"completed_rung_{k}" in frozen.system_attrs]
    print("e", trial.number, frozen.state.name, number(frozen.value), *rungs)
    return False


for pruner, option_sets in OPTIONS.items():
    for chosen in option_sets:
        for way in ("minimize", "maximize"):
            play(pruner, chosen, way, 1)
