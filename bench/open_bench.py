#!/usr/bin/env python3
"""How long vlm-coordinator takes from exec until it serves a study of N finished trials, and the memory
that it then has. Needs the environment of scripts/deps/peers.sh:

    "$(scripts/deps/peers.sh)/bin/python" bench/open_bench.py [N...]     (100000 and 1000000)

Optuna makes the file's tables; the trials (5 float parameters, 1 value each) are inserted with SQL, in
the form Optuna gives them. The first start finds a file that only Optuna has had: it backs the file up
and adds its own tables. Later starts are the usual case; three of them are timed and their median
counts. "Serves" is: GetStatus answers, and GetStudy with N complete trials. Ends with 1 when a figure
is missed.
"""

import os
import pathlib
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import grpc
import optuna
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from optuna.distributions import FloatDistribution, distribution_to_json

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("VLM_BIN_DIR", str(ROOT / "build/release/bin"))
os.environ.setdefault("VLM_TEST_BIN_DIR", str(ROOT / "build/release/test-bin"))
sys.path.insert(0, str(ROOT / "tests/peers"))
from coordinator import Coordinator  # noqa: E402

PARAMS = 5
OPEN_FIGURE_MS = {100_000: 300}
RSS_FIGURE_MB = {1_000_000: 400}
RESTARTS = 3


def messages():
    """Classes of the control service's messages, by name, from the .proto files themselves."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", f"-I{ROOT}/proto", "--include_imports", f"--descriptor_set_out={out.name}",
                        "vlm/v1/control.proto"], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"vlm.v1.{name}"))


def fill(file, trials):
    """A study "big" of so many finished trials, as Optuna 5 would have left it."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
    study_id = optuna.create_study(study_name="big", storage=storage)._study_id
    storage.engine.dispose()
    at = "2026-01-02 03:04:05.000006"
    distribution = distribution_to_json(FloatDistribution(0, 1))
    draw = random.Random(1).random
    c = sqlite3.connect(file)
    c.execute("PRAGMA synchronous = OFF")
    c.executemany("INSERT INTO trials VALUES (?, ?, ?, 'COMPLETE', ?, ?)",
                  ((i + 1, i, study_id, at, at) for i in range(trials)))
    c.executemany("INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
                  "VALUES (?, ?, ?, ?)", ((i + 1, f"x{p}", draw(), distribution)
                                          for i in range(trials) for p in range(PARAMS)))
    c.executemany("INSERT INTO trial_values (trial_id, objective, value, value_type) "
                  "VALUES (?, 0, ?, 'FINITE')", ((i + 1, draw()) for i in range(trials)))
    c.commit()
    c.close()


def await_service(address, message, trials):
    """Returns once GetStatus answers and GetStudy has the right counts."""
    def call(channel, method, request):
        return channel.unary_unary(
            f"/vlm.v1.Control/{method}", request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=message(f"{method}Response").FromString)(request, timeout=600)

    with grpc.insecure_channel(address) as channel:
        call(channel, "GetStatus", message("GetStatusRequest")())
        counts = call(channel, "GetStudy", message("GetStudyRequest")(study="big")).study.counts
    if counts.complete != trials:
        raise SystemExit(f"open: error: the study has {counts.complete} complete trials, not {trials}")


def memory_mb(pid):
    """(now, at most so far) of resident memory."""
    lines = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                 if ":" in line)
    return tuple(int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))


def measure(message, trials):
    """Prints the rows of one size. True: its figures are met."""
    running = Coordinator(log_level="warning", started=False)
    with running.dir:
        pathlib.Path(running.file).parent.mkdir()
        fill(running.file, trials)
        took, memory = [], []
        for start in range(1 + RESTARTS):
            began = time.monotonic()
            running.start()
            await_service(running.address, message, trials)
            took.append((time.monotonic() - began) * 1e3)
            time.sleep(1)  # Idle from here on.
            memory.append(memory_mb(running.process.pid))
            running.stop()
        row = f"open: {trials} trials of {PARAMS} parameters"
        print(f"{row}, a file of Optuna's, first start: {took[0]:.0f} ms to serving, RSS "
              f"{memory[0][0]:.0f} MB idle, at most {memory[0][1]:.0f} MB")
        rows = [(f"{row}, later starts: {statistics.median(took[1:]):.0f} ms to serving",
                 statistics.median(took[1:]), OPEN_FIGURE_MS.get(trials), "ms"),
                (f"{row}, later starts: RSS {memory[-1][0]:.0f} MB idle, at most {memory[-1][1]:.0f} MB",
                 memory[-1][0], RSS_FIGURE_MB.get(trials), "MB")]
        met = True
        for text, value, figure, unit in rows:
            if figure is None:
                print(text)
                continue
            met &= value <= figure
            print(f"{text} (figure: at most {figure} {unit}) {'met' if value <= figure else 'MISSED'}")
        sys.stdout.flush()
        return met


def main():
    sizes = [int(n) for n in sys.argv[1:]] or [100_000, 1_000_000]
    message = messages()
    return 0 if all([measure(message, n) for n in sizes]) else 1


if __name__ == "__main__":
    sys.exit(main())
