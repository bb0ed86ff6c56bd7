#!/usr/bin/env python3
"""Writes tests/search/quality.txt: how near Optuna's own samplers come to known optima, for
tests/search/quality_test.cc, which lets ours do as well. For samplers that are equal to Optuna's in
distribution but not in each value.

    python3 -m venv /tmp/quality && /tmp/quality/bin/pip install optuna==5.0.0 cmaes==0.13.1
    /tmp/quality/bin/python tests/search/make_quality.py > tests/search/quality.txt

A line: sampler, function, dimensions, trials, and of the best losses of 11 seeds the logarithms (base
10) of the median and of the worst.
"""
import math
import statistics
import sys
import warnings

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
SEEDS = range(11)


def sphere(x):
    return sum((v - 1.0) ** 2 for v in x)


def ellipsoid(x):
    return sum(1000.0 ** (i / (len(x) - 1)) * (v - 1.0) ** 2 for i, v in enumerate(x))


def rosenbrock(x):
    return sum(100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in zip(x, x[1:]))


def best(sampler, function, dimensions, trials):
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: function([trial.suggest_float(f"x{i}", -5, 5)
                                           for i in range(dimensions)]), n_trials=trials)
    return math.log10(study.best_value)


def main():
    cmaes = optuna.samplers.CmaEsSampler
    samplers = {"cmaes": lambda seed: cmaes(seed=seed),
                "cmaes-separable": lambda seed: cmaes(seed=seed, use_separable_cma=True)}
    for name, make in samplers.items():
        for function in (sphere, ellipsoid, rosenbrock):
            for dimensions, trials in ((4, 400), (8, 600)):
                losses = [best(make(seed), function, dimensions, trials) for seed in SEEDS]
                print(name, function.__name__, dimensions, trials,
                      f"{statistics.median(losses):.3f} {max(losses):.3f}")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
