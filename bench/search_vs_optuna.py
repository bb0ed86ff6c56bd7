#!/usr/bin/env python3
"""Suggestions of TPE: this project's sampler (bench/search_bench.cc) beside Optuna in memory, in one run,
round by round on the same processor, at equal histories' lengths and three floats. Run by
bench/search.sh, which finds Optuna's environment. Ends with 1 when a figure is missed:

- CPU time of a suggestion around 1000 trials: at least 60 times less than Optuna's (ask, three
  suggestions and tell, all in memory; ours includes telling the sampler of begin and end),
- the 99th percentile at 100,000 trials: at most twice that at 1000.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import time

import optuna

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRIALS = 1000
ROUNDS = 5
optuna.logging.set_verbosity(optuna.logging.ERROR)


class Ours:
    def __init__(self):
        program = ROOT / "build" / "release" / "bench-bin" / "search_bench"
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        self.process.wait()


class Theirs:
    def __init__(self):
        self.study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        # Random points are quick to add, and the length is what counts.
        space = {"x": optuna.distributions.FloatDistribution(-5, 5),
                 "y": optuna.distributions.FloatDistribution(-5, 5),
                 "z": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)}
        helper = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(TRIALS):
            params = helper.ask(space).params
            loss = sum((v - 0.3) ** 2 for v in params.values())
            self.study.add_trial(optuna.trial.create_trial(params=params, distributions=space,
                                                           value=loss))

    def time(self, count):
        """CPU microseconds of each trial."""
        spent = []
        for _ in range(count):
            start = time.process_time()
            trial = self.study.ask()
            values = [trial.suggest_float("x", -5, 5), trial.suggest_float("y", -5, 5),
                      trial.suggest_float("z", 1e-5, 1e-1, log=True)]
            self.study.tell(trial, sum((v - 0.3) ** 2 for v in values))
            spent.append((time.process_time() - start) * 1e6)
        return spent


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p / 100))]


def main():
    ours, theirs = Ours(), Theirs()
    ours.ask(f"grow {TRIALS}")
    ratios, at_1000 = [], []
    for number in range(ROUNDS):
        mine = ours.ask("time 40")
        peer = theirs.time(8)
        at_1000 += mine
        ratios.append(statistics.median(peer) / statistics.median(mine))
        print(f"search round {number}: vlm {statistics.median(mine):.0f} us, "
              f"Optuna {statistics.median(peer):.0f} us", flush=True)
    ratio = statistics.median(ratios)
    ours.ask("grow 100000")
    growth = percentile(ours.ask("time 400"), 99) / percentile(at_1000, 99)
    ours.close()
    print(f"search: TPE suggests with {ratio:.0f} times less CPU than Optuna in memory at {TRIALS} "
          f"trials, 3 floats (at least 60)")
    print(f"search: p99 at 100000 trials over that at {TRIALS}: {growth:.2f} (at most 2); "
          f"{percentile(at_1000, 99):.0f} us at {TRIALS}")
    return 0 if ratio >= 60 and growth <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
