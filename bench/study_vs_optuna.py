#!/usr/bin/env python3
"""Durable trials a second: this project's coordinator with 64 clients (bench/study_bench.cc) beside Optuna
on SQLite with one process and with eight, in one run. Needs the environment of scripts/deps/peers.sh:

    "$(scripts/deps/peers.sh)/bin/python" bench/study_vs_optuna.py [--trials 1000] [--seconds 20]

A trial is: ask, three suggested parameters, tell. Both sides keep fsync on. Optuna's side stops after
--seconds, since its 1000 trials take minutes; its rate over its first trials is its best one, so that
is in its favour. Ends with 1 when a ratio is below its figure or an acknowledged tell was lost.
"""

import argparse
import json
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile
import time

import optuna

from optuna_load import objective, sampler_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES = {"random": 75, "tpe": 100}


def drive(url, sampler, seed, until, most, told):
    """One Optuna process: trials until the time or their number is used up."""
    study = optuna.load_study(study_name="load", storage=url, sampler=sampler_of(sampler, seed))
    while time.monotonic() < until and told.value < most:
        trial = study.ask()
        study.tell(trial, objective(trial))
        with told.get_lock():
            told.value += 1


def optuna_rate(sampler, processes, seconds, most):
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/study.db"
        optuna.create_study(study_name="load", storage=url)
        told = multiprocessing.Value("q", 0)
        start = time.monotonic()
        workers = [multiprocessing.Process(target=drive, args=(url, sampler, i, start + seconds, most, told))
                   for i in range(processes)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return told.value / (time.monotonic() - start), told.value


def our_rate(sampler, trials):
    bench = ROOT / "build/release/bench-bin/study_bench"
    out = subprocess.run([bench, ROOT / "build/release/bin", sampler, str(trials)], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    missed = False
    for sampler, figure in FIGURES.items():
        rounds = [our_rate(sampler, args.trials) for _ in range(3)]
        ours = sorted(r["trials_per_s"] for r in rounds)[1]
        cpu = sorted(r["server_cpu_ms_per_trial"] for r in rounds)[1]
        best = 0
        for processes in (1, 8):
            rate, told = optuna_rate(sampler, processes, args.seconds, args.trials)
            print(f"study: {sampler}: Optuna {optuna.__version__} on SQLite, {processes} process(es): "
                  f"{rate:.1f} trials/s over its first {told}")
            best = max(best, rate)
        met = ours >= figure * best
        missed |= not met
        lost = sum(r["lost"] for r in rounds)
        killed = sum(r["acknowledged_before_kill"] for r in rounds)
        print(f"study: {sampler}: vlm-coordinator, 64 clients: {ours:.0f} trials/s over the first "
              f"{args.trials}, {cpu:.2f} ms of its CPU a trial: {ours / best:.1f} x "
              f"(figure: at least {figure} x) {'met' if met else 'MISSED'}")
        print(f"study: {sampler}: killed with SIGKILL in the middle: {killed} acknowledged, {lost} lost")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
