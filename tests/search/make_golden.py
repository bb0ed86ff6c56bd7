#!/usr/bin/env python3
"""Writes tests/search/golden.txt: what Optuna itself suggests, for tests/search/golden_test.cc.

    scripts/peers_python.sh tests/search/make_golden.py > tests/search/golden.txt

numpy's AVX-512 functions differ from the C library's by an ulp and its vectorized argsort orders equal
values in its own way, so everything above the baseline is switched off first: what is left is the C
library and a quicksort.

A case is a line "case NAME key=value ...", then its trials in the order of their numbers. The first
ones and some later ones are written whole ("row NUMBER" and the internal values in suggestion order as
hexadecimal floats), of all others a checksum of the same values ("sums FIRST" and four hex digits for
each). The test runs the same studies with our samplers and computes the same objectives, so a value
that differs once would change all that follow.
"""
import os
import struct
import sys

SWITCHED_OFF = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
if os.environ.get("NPY_DISABLE_CPU_FEATURES") != SWITCHED_OFF:
    os.environ["NPY_DISABLE_CPU_FEATURES"] = SWITCHED_OFF
    os.execv(sys.executable, [sys.executable] + sys.argv)

import warnings  # noqa: E402

import numpy  # noqa: E402
import optuna  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
D = optuna.distributions
State = optuna.trial.TrialState
WHOLE = 12  # Trials written whole at the start of a case; later every 100th is.
TELL_ORDER = (5, 0, 3, 1, 4, 2)  # In which the trials of a batch end.

SPACES = {
    "default": {"learning_rate": D.FloatDistribution(1e-3, 6e-3, log=True),
                "batch_size": D.CategoricalDistribution([8, 16, 32, 64]),
                "n_embd": D.CategoricalDistribution([128, 256, 512])},
    "mixed": {"learning_rate": D.FloatDistribution(1e-5, 1e-1, log=True),
              "dropout": D.FloatDistribution(0.0, 0.5),
              "momentum": D.FloatDistribution(0.0, 1.0, step=0.125),
              "schedule": D.CategoricalDistribution(["a", "b"]),
              "layers": D.IntDistribution(1, 100000, log=True)},
    "ints": {"width": D.IntDistribution(8, 512, log=True),
             "batch": D.IntDistribution(16, 256, step=16),
             "layers": D.IntDistribution(1, 12),
             "fixed": D.IntDistribution(7, 7),
             "optimizer": D.CategoricalDistribution(list(range(9))),
             "drop": D.FloatDistribution(0.0, 0.5, step=0.05)},
    "floats": {"x": D.FloatDistribution(-3.0, 5.0), "y": D.FloatDistribution(0.0, 1.0),
               "z": D.FloatDistribution(1e-5, 1e-1, log=True)},
    "wide": {f"x{i:02d}": D.FloatDistribution(-1.0, 2.0 + i) for i in range(19)},
}
SPACES["small"] = {"layers": D.IntDistribution(1, 4), "drop": D.FloatDistribution(0.0, 0.3, step=0.1),
                   "kind": D.CategoricalDistribution([0, 1, 2])}
# "choice" decides which of the others there are.
TREE = {"choice": D.CategoricalDistribution([0, 1, 2]), "rate": D.FloatDistribution(0.0, 1.0),
        "a": D.FloatDistribution(1.0, 10.0, log=True), "b": D.IntDistribution(0, 20),
        "c": D.FloatDistribution(-1.0, 1.0)}
BRANCHES = {0: ("a", "b"), 1: ("c",), 2: ()}


def scaled(distribution, internal):
    high = float(getattr(distribution, "high", len(getattr(distribution, "choices", ()))))
    return internal / high


def objective(position, k):
    """Cheap, with the same rounding in every language."""
    total = 0.0
    for i, x in enumerate(position):
        d = x - (0.3 + 0.4 * k if i % 2 == 0 else 0.7 - 0.3 * k)
        total += d * d * (1.0 + i)
    return total


def suggest(trial, space):
    """Names and internal values, in the order of suggestion."""
    if space != "tree":
        return [(name, d.to_internal_repr(trial._suggest(name, d)), d)
                for name, d in SPACES[space].items()]
    out = []

    def add(name):
        out.append((name, TREE[name].to_internal_repr(trial._suggest(name, TREE[name])), TREE[name]))

    add("choice")
    add("rate")
    for name in BRANCHES[int(out[0][1])]:
        add(name)
    return out


def end(study, trial, values, options):
    number = trial.number
    position = [scaled(d, x) for _, x, d in values]
    losses = [objective(position, k) for k in range(options.get("objectives", 1))]
    if options.get("maximize"):
        losses[0] = -losses[0]
    if options.get("constraints"):
        trial.set_constraint("c0", position[0] - 0.6)
        trial.set_constraint("c1", 0.2 - position[1])
    if options.get("clean") or number % 11 != 7 and number % 7 != 5:
        study.tell(trial, losses)
    elif number % 11 == 7:
        study.tell(trial, state=State.FAIL)
    else:
        if options.get("objectives", 1) == 1 and number % 4 != 3:
            trial.report(float("nan") if number % 4 == 2 else losses[0], step=number % 3)
        study.tell(trial, state=State.PRUNED)


def checksum(values):
    """FNV-1a of the doubles' bytes, folded to 16 bits."""
    state = 0xcbf29ce484222325
    for byte in b"".join(struct.pack("<d", x) for x in values):
        state = (state ^ byte) * 0x100000001b3 % 2 ** 64
    return (state ^ state >> 16 ^ state >> 32 ^ state >> 48) & 0xffff


def run(name, sampler, space, trials, seed=0, **options):
    words = dict(space=space, trials=trials, seed=seed, **options)
    print("case", name, " ".join(f"{key}={value}" for key, value in words.items()))
    directions = ["minimize"] * options.get("objectives", 1)
    if options.get("maximize"):
        directions[0] = "maximize"
    study = optuna.create_study(sampler=sampler, directions=directions)
    batch = options.get("batch", 1)
    rows = []
    while len(rows) < trials:
        asked = []
        for _ in range(batch):
            trial = study.ask()
            asked.append((trial, suggest(trial, space)))
            rows.append([float(x) for _, x, _ in asked[-1][1]])
        for i in TELL_ORDER if batch == 6 else range(batch):
            end(study, *asked[i], options)
    sums = []
    for number, row in enumerate(rows):
        if number < WHOLE or number % 100 == 0:
            print("row", number, " ".join(x.hex() for x in row))
        sums.append(f"{checksum(row):04x}")
    for first in range(0, len(sums), 25):
        print("sums", first, "".join(sums[first:first + 25]))
    sys.stdout.flush()


def tpe(space, trials, seed, objectives=1, **options):
    sampler_options = {}
    for key in ("multivariate", "group", "constant_liar", "n_startup_trials", "n_ei_candidates"):
        if key in options:
            value = options[key]
            sampler_options[key] = value if key.startswith("n_") else bool(value)
    if objectives > 1:
        options["objectives"] = objectives
    run("tpe", optuna.samplers.TPESampler(seed=seed, **sampler_options), space, trials, seed, **options)


def main():
    for seed, space in ((0, "mixed"), (42, "ints"), (4294967295, "default"), (7, "floats")):
        run("random", optuna.samplers.RandomSampler(seed=seed), space, 60, seed)
    grid = {"layers": [1, 2, 3, 4], "drop": [0.0, 0.1, 0.2, 0.3], "kind": [0, 1, 2]}
    for seed in (0, 77):
        run("grid", optuna.samplers.GridSampler(grid, seed=seed), "small", 46, seed)
        run("brute_force", optuna.samplers.BruteForceSampler(seed=seed), "small", 46, seed)
    run("brute_force", optuna.samplers.BruteForceSampler(seed=5), "small", 42, 5, batch=6)
    run("brute_force", optuna.samplers.BruteForceSampler(seed=6, avoid_premature_stop=True), "small", 42, 6,
        batch=6, avoid_premature_stop=1)
    for seed, kind, scramble in ((1, "sobol", 0), (2, "halton", 0), (3, "sobol", 1), (4, "halton", 1)):
        sampler = optuna.samplers.QMCSampler(qmc_type=kind, scramble=bool(scramble), seed=seed)
        run("qmc", sampler, "ints" if seed == 3 else "mixed", 200, seed, qmc_type=kind, scramble=scramble)
    run("qmc", optuna.samplers.QMCSampler(seed=5), "wide", 60, 5, batch=6)
    nsga2 = optuna.samplers.NSGAIISampler
    run("nsga2", nsga2(seed=1, population_size=10), "mixed", 300, 1, population_size=10, objectives=2)
    run("nsga2", nsga2(seed=2, population_size=12), "ints", 300, 2, population_size=12, objectives=2,
        maximize=1, batch=6)
    run("nsga2", nsga2(seed=3, population_size=8), "mixed", 200, 3, population_size=8, objectives=2,
        constraints=1)
    run("nsga2", nsga2(seed=4), "floats", 300, 4, objectives=3)
    run("nsga2", nsga2(seed=5, population_size=10), "default", 200, 5, population_size=10)
    nsga3 = optuna.samplers.NSGAIIISampler
    run("nsga3", nsga3(seed=1, population_size=10), "mixed", 300, 1, population_size=10, objectives=2)
    run("nsga3", nsga3(seed=2, population_size=12), "floats", 300, 2, population_size=12, objectives=3,
        batch=6)
    run("nsga3", nsga3(seed=3, population_size=8), "ints", 200, 3, population_size=8, objectives=2,
        constraints=1)
    run("nsga3", nsga3(seed=4, population_size=10, dividing_parameter=5), "floats", 300, 4,
        population_size=10, objectives=3, dividing_parameter=5)
    points = [[1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.0, 2.0]]
    run("nsga3", nsga3(seed=5, population_size=8, reference_points=numpy.array(points)), "mixed", 300, 5,
        population_size=8, objectives=2,
        reference_points=",".join(":".join(map(str, point)) for point in points))
    # One objective: jointly and name by name, one after another and in batches.
    tpe("default", 300, 0)
    tpe("mixed", 600, 42)
    tpe("ints", 600, 1)
    tpe("wide", 200, 2)
    tpe("mixed", 400, 3, maximize=1)
    tpe("mixed", 300, 4, multivariate=0)
    tpe("ints", 300, 5, multivariate=0)
    tpe("mixed", 600, 6, batch=6)
    tpe("ints", 300, 7, batch=6, multivariate=0)
    tpe("mixed", 300, 8, batch=6, constant_liar=0)
    tpe("default", 120, 9, n_startup_trials=3, n_ei_candidates=7)
    tpe("floats", 60, 10, n_startup_trials=0, n_ei_candidates=700)
    # So many kernels that Optuna changes to its own erf.
    tpe("floats", 1300, 11, clean=1)
    tpe("ints", 1300, 12, multivariate=0)
    # Constraints, conditional names, groups.
    tpe("mixed", 300, 13, constraints=1)
    tpe("tree", 300, 14)
    tpe("tree", 300, 15, group=1)
    tpe("tree", 300, 16, group=1, batch=6)
    # Several objectives.
    tpe("mixed", 400, 17, objectives=2)
    tpe("mixed", 400, 18, objectives=2, multivariate=1)
    tpe("ints", 300, 19, objectives=2, batch=6, maximize=1)
    tpe("mixed", 200, 20, objectives=2, constraints=1)
    tpe("floats", 300, 21, objectives=3)


if __name__ == "__main__":
    main()
