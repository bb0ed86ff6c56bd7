#!/usr/bin/env python3
"""Optuna's own Python loop (study.optimize through GrpcStorageProxy) against this project's coordinator
and against Optuna's own proxy over SQLite, in one run. Needs the environment of scripts/deps/peers.sh:

    "$(scripts/deps/peers.sh)/bin/python" bench/proxy_vs_optuna.py [--seconds 10] [--rounds 3]

For random and TPE, with 1 and with 8 worker processes on one study: Optuna's proxy gets --seconds, the
coordinator then --rounds times as many trials as Optuna's got through (TPE costs the client more with
each trial, so the numbers must be equal), and a study in memory as many once: that rate is what one
process of the loop costs without any server. Start-up of the workers is not counted. Ends with 1 when a
ratio is below its figure.
"""

import argparse
import multiprocessing
import os
import pathlib
import socket
import statistics
import sys
import tempfile
import time

import optuna

from optuna_load import objective, sampler_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("VLM_BIN_DIR", str(ROOT / "build/release/bin"))
os.environ.setdefault("VLM_TEST_BIN_DIR", str(ROOT / "build/release/test-bin"))
sys.path.insert(0, str(ROOT / "tests/peers"))
from coordinator import Coordinator, cpu_seconds  # noqa: E402

SPAWN = multiprocessing.get_context("spawn")  # gRPC's threads do not survive a fork.
FASTER, CPU_LESS = 3, 50


def serve(url, port):
    optuna.storages.run_grpc_proxy_server(optuna.storages.RDBStorage(url), host="127.0.0.1", port=port)


class OptunaProxy:
    """Optuna's own server, a process of its own over a new SQLite file."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        url = f"sqlite:///{self.dir.name}/study.db"
        self.process = SPAWN.Process(target=serve, args=(url, self.port))
        self.process.start()
        optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=self.port).wait_server_ready(timeout=60)

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def close(self):
        self.process.terminate()
        self.process.join()
        self.dir.cleanup()


def drive(port, name, sampler, seed, start, seconds, left, ends):
    """A worker: trials until none is left or the time is up. Its end goes into `ends`."""
    storage = optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=port)
    study = optuna.load_study(study_name=name, storage=storage, sampler=sampler_of(sampler, seed))
    start.wait()
    until = time.monotonic() + seconds

    def claim():
        with left.get_lock():
            left.value -= 1
            return left.value >= 0

    def after(study, _trial):
        if time.monotonic() >= until or not claim():
            study.stop()

    if claim():
        study.optimize(objective, n_trials=None, callbacks=[after])
    ends.put(time.monotonic())


def load(server, name, sampler, workers, seconds, most):
    """(trials a second, the server's CPU seconds a trial, trials)."""
    storage = optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=server.port)
    study = optuna.create_study(study_name=name, storage=storage)
    start, left, ends = SPAWN.Barrier(workers + 1), SPAWN.Value("q", most), SPAWN.Queue()
    processes = [SPAWN.Process(target=drive, args=(server.port, name, sampler, seed, start, seconds,
                                                   left, ends)) for seed in range(workers)]
    for process in processes:
        process.start()
    start.wait(120)
    began, cpu = time.monotonic(), server.cpu_seconds()
    end = max(ends.get(timeout=seconds + 60) for _ in processes)
    cpu = server.cpu_seconds() - cpu
    for process in processes:
        process.join()
    trials = len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)))
    storage.close()
    return trials / (end - began), cpu / trials, trials


def ceiling(sampler, most):
    """Trials a second of one process without a server."""
    study = optuna.create_study(sampler=sampler_of(sampler, 0))
    start = time.monotonic()
    study.optimize(objective, n_trials=most)
    return most / (time.monotonic() - start)


def compare(ours, theirs, sampler, workers, seconds, rounds):
    """Prints one row. True: both figures are met."""
    row = f"proxy: {sampler}, {workers} worker(s)"
    rate, cpu, trials = load(theirs, f"{sampler}-{workers}", sampler, workers, seconds, 1 << 40)
    print(f"{row}: Optuna {optuna.__version__}'s proxy on SQLite: {rate:.1f} trials/s, "
          f"{cpu * 1e3:.2f} ms of its CPU a trial, over {trials} trials", flush=True)
    loads = [load(ours, f"{sampler}-{workers}-{i}", sampler, workers, 600, trials) for i in range(rounds)]
    our_rate = statistics.median(r for r, _, _ in loads)
    our_cpu = statistics.mean(c for _, c, _ in loads)
    print(f"{row}: vlm-coordinator: {our_rate:.1f} trials/s, {our_cpu * 1e3:.2f} ms of its CPU a trial")
    print(f"{row}: one process of the loop without a server: {ceiling(sampler, trials):.1f} trials/s")
    faster, less = our_rate / rate, cpu / max(our_cpu, 1e-9)
    met = faster >= FASTER and less >= CPU_LESS
    print(f"{row}: {faster:.1f} x the trials/s (figure: at least {FASTER} x), 1/{less:.0f} of the CPU "
          f"(figure: at most 1/{CPU_LESS}) {'met' if met else 'MISSED'}", flush=True)
    return met


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    ours, theirs = Coordinator(log_level="warning"), OptunaProxy()
    try:
        rows = [compare(ours, theirs, sampler, workers, args.seconds, args.rounds)
                for sampler in ("random", "tpe") for workers in (1, 8)]
    finally:
        theirs.close()
        ours.close()
    return 0 if all(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
