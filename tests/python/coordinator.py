"""For tests: the package installed as people do it, and a coordinator of one's own."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["VLM_SOURCE_DIR"])
BIN = pathlib.Path(os.environ["VLM_BIN_DIR"])

SPACE = {
    "input_path": "data.csv", "cuda_enabled": False, "hyperparameter_tuning": True,
    "study": {"sampler": {"name": "random"}, "search_space": {
        "learning_rate": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
        "n_embd": {"type": "categorical", "choices": [128, 256, 512]}}},
}


def config(n_trials=6, **study):
    return {**SPACE, "n_trials": n_trials, "study": {**SPACE["study"], **study}}


def install():
    """pip install ./python into a fresh environment that has the dependencies; its site-packages."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vlm-python-"))
    for name in ("python", "proto"):  # Building leaves files beside the sources.
        shutil.copytree(SOURCE / name, folder / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    ours = next(pathlib.Path(p) for p in sys.path if p.endswith("site-packages"))
    fresh = folder / "venv" / ours.relative_to(sys.prefix)
    (fresh / "dependencies.pth").write_text(f"{ours}\n")
    subprocess.run([sys.executable, "-m", "pip", "--python", folder / "venv/bin/python", "install",
                    "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
                    "--disable-pip-version-check", folder / "python"], check=True)
    return folder, fresh


class CoordinatorTest(unittest.TestCase):
    """A coordinator for the whole class; each test takes its own study names."""
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.address = "127.0.0.1:0"
        cls.start()

    @classmethod
    def start(cls):
        cls.process = subprocess.Popen(
            [BIN / "vlm-coordinator", "--data", cls.folder.name + "/data", "--listen", cls.address],
            stdout=subprocess.PIPE, text=True)
        cls.address = cls.process.stdout.readline().split()[-1]

    @classmethod
    def stop(cls, kill=False):
        if kill:
            cls.process.kill()
        else:
            cls.process.terminate()
        cls.process.wait(20)
        cls.process.stdout.close()

    @classmethod
    def tearDownClass(cls):
        cls.stop()
        cls.folder.cleanup()
