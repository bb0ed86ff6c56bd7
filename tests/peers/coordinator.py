"""A vlm-coordinator of its own for a test, and the ways into it: proxy, file, vlmctl."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import optuna

BIN = pathlib.Path(os.environ["VLM_BIN_DIR"])
PYTHON_BIN = pathlib.Path(sys.executable).parent
TEST_BIN = pathlib.Path(os.environ["VLM_TEST_BIN_DIR"])


def cpu_seconds(pid):
    """What the process has used, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Coordinator:
    def __init__(self, environment=None, log_level="info", started=True):
        self.dir = tempfile.TemporaryDirectory()
        self.file = self.dir.name + "/data/study.db"
        self.url = f"sqlite:///{self.file}"
        self.environment = {**os.environ, **(environment or {})}
        self.log_level = log_level
        self.port = 0
        self.process = None
        if started:
            self.start()

    def command(self):
        return [BIN / "vlm-coordinator", "--data", self.dir.name + "/data", "--listen",
                f"127.0.0.1:{self.port}", "--log-level", self.log_level]

    def start(self):
        """Again on the same port after stop() or kill()."""
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, text=True,
                                        env=self.environment)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), line
        self.address = line.split()[-1]
        self.port = int(self.address.rsplit(":", 1)[1])

    def proxy(self):
        storage = optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=self.port)
        storage.wait_server_ready(timeout=60)
        return storage

    def rdb(self):
        return optuna.storages.RDBStorage(self.url)

    def vlmctl(self, *args):
        done = subprocess.run([BIN / "vlmctl", "--addr", self.address, *args], text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def vlmctl_json(self, *args):
        return json.loads(self.vlmctl(*args, "-o", "json"))

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def stop(self):
        self.process.terminate()
        code = self.process.wait(20)
        self.process.stdout.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()

    def close(self):
        code = self.stop()
        self.dir.cleanup()
        assert code == 0, f"the coordinator ended with {code}"


def within(seconds, condition):
    """Waits until condition() is true; what it raises or returns last is the failure."""
    end = time.monotonic() + seconds
    while True:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, KeyError, LookupError) as error:
            last = error
        assert time.monotonic() < end, f"not within {seconds} s: {last!r}"
        time.sleep(0.02)
