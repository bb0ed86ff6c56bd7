#!/usr/bin/env python3
"""Writes tests/search/quality.txt: how near Optuna's own samplers come to known optima, for
tests/search/quality_test.cc, which lets ours do as well. For samplers that are equal to Optuna's in
distribution but not in each value.

    python3 -m venv /tmp/quality
    /tmp/quality/bin/pip install optuna==5.0.0 cmaes==0.13.1 scipy==1.17.1 torch==2.15.0
    /tmp/quality/bin/python tests/search/make_quality.py > tests/search/quality.txt

With names of samplers as arguments it makes their lines only. A line: sampler, problem, dimensions,
trials, and of the gaps to the optimum that 11 (33) seeds are left with the logarithms (base 10) of the
median and of the worst (of 33 the third worst: single runs stray far).
"""
import math
import statistics
import sys
import warnings

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
SEEDS = {"cmaes-margin": 33}  # Its results scatter widely; 11 of the others.
WARM_TRIALS = 100  # Random ones, before those of cmaes-warm.
ZDT1_HYPERVOLUME = 1.21 - 1.0 / 3.0  # Of the whole front, below (1.1, 1.1).
CHOICES = ("a", "b", "c", "d")


def floats(trial, dimensions, low=-5.0, high=5.0):
    return [trial.suggest_float(f"x{i}", low, high) for i in range(dimensions)]


def sphere(trial, dimensions):
    return sum((v - 1.0) ** 2 for v in floats(trial, dimensions))


def weighted(x):
    return sum(1000.0 ** (i / (len(x) - 1)) * (v - 1.0) ** 2 for i, v in enumerate(x))


def ellipsoid(trial, dimensions):
    return weighted(floats(trial, dimensions))


def rosenbrock(trial, dimensions):
    x = floats(trial, dimensions)
    return sum(100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in zip(x, x[1:]))


def stepped(trial, dimensions):
    """The ellipsoid with whole numbers in the second half of the keys."""
    return weighted([trial.suggest_float(f"x{i}", -5.0, 5.0) if i < dimensions // 2
                     else trial.suggest_int(f"x{i}", -5, 5) for i in range(dimensions)])


def mixed(trial, dimensions):
    """A sphere whose centre depends on a choice; last but one is a whole number, last the choice."""
    x = [trial.suggest_float(f"x{i}", -5.0, 5.0) for i in range(dimensions - 2)]
    x.append(trial.suggest_int(f"x{dimensions - 2}", 0, 40) / 4.0 - 5.0)
    choice = CHOICES.index(trial.suggest_categorical(f"x{dimensions - 1}", CHOICES))
    return sum((v - choice) ** 2 for v in x) + (choice - 2) ** 2


def constrained(trial, dimensions):
    """The sphere where x0 + x1 <= 0; its least value there is 2."""
    x = floats(trial, dimensions)
    trial.set_constraint("c", x[0] + x[1])
    return sum((v - 1.0) ** 2 for v in x)


def zdt1(trial, dimensions):
    x = floats(trial, dimensions, 0.0, 1.0)
    g = 1.0 + 9.0 * sum(x[1:]) / (dimensions - 1)
    return x[0], g * (1.0 - math.sqrt(x[0] / g))


def hypervolume(points, reference):
    total, floor = 0.0, reference[1]
    for x, y in sorted(p for p in points if p[0] < reference[0] and p[1] < reference[1]):
        if y < floor:
            total += (reference[0] - x) * (floor - y)
            floor = y
    return total


def gap(make, seed, problem, dimensions, trials):
    directions = ["minimize"] * (2 if problem is zdt1 else 1)
    sources = None
    if make is warm:
        first = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
        first.optimize(lambda trial: problem(trial, dimensions), n_trials=WARM_TRIALS)
        sources = first.trials
    sampler = make(seed, sources) if sources else make(seed)
    study = optuna.create_study(sampler=sampler, directions=directions)
    study.optimize(lambda trial: problem(trial, dimensions), n_trials=trials)
    if problem is zdt1:
        return math.log10(ZDT1_HYPERVOLUME - hypervolume([t.values for t in study.trials], (1.1, 1.1)))
    if problem is constrained:
        return math.log10(min(t.value for t in study.trials
                              if all(c <= 0 for c in t.constraints.values())) - 2.0)
    return math.log10(max(study.best_value, 1e-12))


def warm(seed, sources):
    """CMA-ES that begins from other trials of the same problem."""
    return optuna.samplers.CmaEsSampler(seed=seed, source_trials=sources)


def main():
    cmaes = optuna.samplers.CmaEsSampler
    smooth = [(problem, *size) for problem in (sphere, ellipsoid, rosenbrock)
              for size in ((4, 400), (8, 600))]
    lines = {
        "cmaes": (lambda seed: cmaes(seed=seed), smooth),
        "cmaes-separable": (lambda seed: cmaes(seed=seed, use_separable_cma=True), smooth),
        "cmaes-margin": (lambda seed: cmaes(seed=seed, with_margin=True),
                         [(stepped, 4, 300), (stepped, 8, 500)]),
        "cmaes-warm": (warm, [(sphere, 4, 200), (ellipsoid, 8, 400)]),
        "gp": (lambda seed: optuna.samplers.GPSampler(seed=seed),
               [(sphere, 4, 30), (ellipsoid, 4, 40), (rosenbrock, 4, 50), (mixed, 4, 40),
                (constrained, 3, 30), (zdt1, 3, 30)]),
    }
    for name in sys.argv[1:] or lines:
        make, problems = lines[name]
        for problem, dimensions, trials in problems:
            gaps = [gap(make, seed, problem, dimensions, trials) for seed in range(SEEDS.get(name, 11))]
            print(name, problem.__name__, dimensions, trials,
                  f"{statistics.median(gaps):.3f} {sorted(gaps)[-1 - len(gaps) // 16]:.3f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
