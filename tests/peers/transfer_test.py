"""Studies between Optuna's own files and ours: import, export, delete and restore."""
import json
import math
import os
import pathlib
import subprocess
import tempfile
import unittest

import optuna

BIN = pathlib.Path(os.environ["VLM_BIN_DIR"])
State = optuna.trial.TrialState
D = optuna.distributions
optuna.logging.set_verbosity(optuna.logging.ERROR)


def make_study(url, name, directions):
    """Every kind of range, every way to end, attributes."""
    study = optuna.create_study(storage=url, study_name=name, directions=directions,
                                sampler=optuna.samplers.RandomSampler(seed=3))
    for n in range(12):
        trial = study.ask()
        trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        trial.suggest_float("drop", 0, 0.5, step=0.05)
        trial.suggest_int("layers", 1, 12)
        trial.suggest_int("width", 8, 512, log=True)
        trial.suggest_categorical("kind", ["a", 1, 2.5, True, None])
        if n % 2:
            trial.suggest_float("sometimes", -1, 1)
        trial.set_user_attr("note", {"n": n, "x": [1.5, None, "é"]})
        if n == 3:
            study.tell(trial, state=State.FAIL)
        elif n == 4 and len(directions) == 1:
            trial.report(0.5, 2)
            trial.report(math.nan, 5)
            trial.report(0.25, 7)
            study.tell(trial, state=State.PRUNED)
        else:
            study.tell(trial, [math.inf if n == 5 else n / 7] * len(directions))
    study.ask()  # Still running: it is not imported.
    return study


def ended(study):
    return [t for t in study.get_trials() if t.state.is_finished()]


class TransferTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.coordinator = subprocess.Popen(
            [BIN / "vlm-coordinator", "--data", cls.dir.name + "/data", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, text=True)
        cls.address = cls.coordinator.stdout.readline().split()[-1]
        cls.live = f"sqlite:///{cls.dir.name}/data/study.db"
        cls.theirs = cls.dir.name + "/theirs.db"
        cls.one = make_study(f"sqlite:///{cls.theirs}", "one", ["maximize"])
        cls.two = make_study(f"sqlite:///{cls.theirs}", "two", ["minimize", "maximize"])

    @classmethod
    def tearDownClass(cls):
        cls.coordinator.terminate()
        cls.coordinator.wait(20)
        cls.coordinator.stdout.close()
        cls.dir.cleanup()

    def vlmctl(self, *args, code=0):
        done = subprocess.run([BIN / "vlmctl", "--addr", self.address, *args], text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def assert_equal_trials(self, left, right):
        self.assertEqual(len(left), len(right))
        for a, b in zip(left, right):
            self.assertEqual((a.state, a.params, a.distributions, a.user_attrs, a.values),
                             (b.state, b.params, b.distributions, b.user_attrs, b.values))
            self.assertEqual([type(v) for v in a.params.values()],
                             [type(v) for v in b.params.values()])
            self.assertEqual(list(a.params), list(b.params))
            self.assertEqual(repr(a.intermediate_values), repr(b.intermediate_values))
            self.assertEqual(a.datetime_complete, b.datetime_complete)

    def test_a_study_comes_in_and_goes_out_unchanged(self):
        for study, name in ((self.one, "one"), (self.two, "two")):
            self.vlmctl("study", "import", self.theirs, "--source-study", name)
            found = optuna.load_study(study_name=name, storage=self.live)
            self.assertEqual(found.directions, study.directions)
            self.assert_equal_trials(found.get_trials(), ended(study))
            out = f"{self.dir.name}/{name}-out.db"
            self.vlmctl("study", "export", name, "--out", out)
            again = optuna.load_study(study_name=name, storage=f"sqlite:///{out}")
            self.assert_equal_trials(again.get_trials(), ended(study))

    def test_json_and_csv_come_back(self):
        self.vlmctl("study", "import", self.theirs, "--source-study", "one", "--name", "files")
        for ending in ("json", "csv"):
            out = f"{self.dir.name}/files.{ending}"
            self.vlmctl("study", "export", "files", "--out", out)
            self.vlmctl("study", "import", out, "--name", f"from-{ending}", "--direction",
                        "maximize")
        self.assert_equal_trials(
            optuna.load_study(study_name="from-json", storage=self.live).get_trials(),
            ended(self.one))
        csv = optuna.load_study(study_name="from-csv", storage=self.live).get_trials()
        for a, b in zip(csv, ended(self.one)):
            self.assertEqual((a.state, a.values, a.user_attrs), (b.state, b.values, b.user_attrs))
            self.assertEqual(a.params["lr"], b.params["lr"])
            self.assertEqual(a.params["layers"], b.params["layers"])
            self.assertEqual("sometimes" in a.params, "sometimes" in b.params)

    def test_a_deleted_study_is_gone_for_optuna_and_comes_back(self):
        self.vlmctl("study", "import", self.theirs, "--source-study", "one", "--name", "gone")
        before = optuna.load_study(study_name="gone", storage=self.live)
        trials, study_id = before.get_trials(), before._study_id
        self.vlmctl("study", "delete", "gone", "--yes")
        with self.assertRaises(KeyError):
            optuna.load_study(study_name="gone", storage=self.live)
        self.assertEqual([s["name"] for s in json.loads(
            self.vlmctl("study", "list", "--deleted", "-o", "json"))], ["gone"])
        self.vlmctl("study", "restore", "gone")
        after = optuna.load_study(study_name="gone", storage=self.live)
        self.assertEqual(after._study_id, study_id)
        self.assert_equal_trials(after.get_trials(), trials)
        self.assertEqual([t._trial_id for t in after.get_trials()], [t._trial_id for t in trials])
        self.vlmctl("study", "delete", "gone", "--yes", "--purge")
        self.vlmctl("study", "restore", "gone", code=3)

    def test_wrong_files_are_named(self):
        self.assertIn("one, two", self.vlmctl("study", "import", self.theirs, code=2))
        self.vlmctl("study", "import", self.theirs, "--source-study", "nobody", code=3)
        text = self.dir.name + "/text.db"
        pathlib.Path(text).write_text("no database")
        self.assertIn("no SQLite database", self.vlmctl("study", "import", text, code=2))


if __name__ == "__main__":
    unittest.main()
