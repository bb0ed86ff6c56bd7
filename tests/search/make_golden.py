#!/usr/bin/env python3
"""Writes tests/search/golden.txt: what Optuna itself suggests, for tests/search/golden_test.cc.

    scripts/peers_python.sh tests/search/make_golden.py > tests/search/golden.txt

numpy's AVX-512 functions differ from the C library's by an ulp, so they are switched off first; its
argsort of equal values depends on the machine, so a stable one takes its place.
Each case is a study with a fixed seed: a line "case NAME SAMPLER SPACE", then for every trial the
internal values in suggestion order, its state and its value, all as hexadecimal floats. The test
replays the history and compares the values of every trial.
"""
import os
import sys

if "NPY_DISABLE_CPU_FEATURES" not in os.environ:
    os.environ["NPY_DISABLE_CPU_FEATURES"] = ("AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL "
                                              "AVX512_ICL AVX512_SPR")
    os.execv(sys.executable, [sys.executable] + sys.argv)

import numpy  # noqa: E402
import optuna  # noqa: E402

_argsort = numpy.argsort
numpy.argsort = lambda a, axis=-1, kind=None, order=None: _argsort(a, axis, "stable", order)

optuna.logging.set_verbosity(optuna.logging.ERROR)
D = optuna.distributions
# The default space of a tuning study, and one with every kind of range.
SPACES = {
    "default": {"learning_rate": D.FloatDistribution(1e-3, 6e-3, log=True),
                "batch_size": D.CategoricalDistribution([8, 16, 32, 64]),
                "n_embd": D.CategoricalDistribution([128, 256, 512])},
    "mixed": {"learning_rate": D.FloatDistribution(1e-5, 1e-1, log=True),
              "dropout": D.FloatDistribution(0.0, 0.5),
              "momentum": D.FloatDistribution(0.0, 1.0, step=0.125),
              "schedule": D.CategoricalDistribution(["a", "b"]),
              "layers": D.IntDistribution(1, 100000, log=True)},
}


def objective(space, params):
    """Cheap, deterministic, with an optimum inside."""
    total = 0.0
    for name, distribution in space.items():
        x = distribution.to_internal_repr(params[name])
        high = getattr(distribution, "high", None)
        total += (x / high - 0.3) ** 2 if high else 0.1 * x
    return total


def run(name, sampler, space_name, trials):
    space = SPACES[space_name]
    print(f"case {name} {space_name} {trials}")
    study = optuna.create_study(sampler=sampler, study_name=name)
    for number in range(trials):
        trial = study.ask(space)
        internal = [space[k].to_internal_repr(trial.params[k]) for k in space]
        value = objective(space, trial.params)
        state = "FAIL" if number % 11 == 7 else "PRUNED" if number % 7 == 5 else "COMPLETE"
        if state == "PRUNED":
            trial.report(value, step=number % 3)
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif state == "FAIL":
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value)
        print(" ".join(float(x).hex() for x in internal), state, number % 3, float(value).hex())


for seed in (0, 42):
    for space in SPACES:
        run(f"random-{seed}", optuna.samplers.RandomSampler(seed=seed), space, 30)
        run(f"tpe-{seed}", optuna.samplers.TPESampler(seed=seed), space, 110)
