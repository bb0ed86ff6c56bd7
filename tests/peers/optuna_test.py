"""While a coordinator works on a study, Optuna and optuna-dashboard read its file."""
import json
import math
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import optuna

BIN = pathlib.Path(os.environ["VLM_BIN_DIR"])
TEST_BIN = pathlib.Path(os.environ["VLM_TEST_BIN_DIR"])
PYTHON_BIN = pathlib.Path(sys.executable).parent
State = optuna.trial.TrialState


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class PeersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.coordinator = subprocess.Popen(
            [BIN / "vlm-coordinator", "--data", cls.dir.name + "/data", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, text=True)
        address = cls.coordinator.stdout.readline().split()[-1]
        cls.driver = subprocess.Popen([TEST_BIN / "peers-driver", address], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        assert cls.driver.stdout.readline() == "ready\n"
        cls.url = f"sqlite:///{cls.dir.name}/data/study.db"

    @classmethod
    def tearDownClass(cls):
        cls.driver.stdin.close()
        cls.driver.wait(20)
        cls.driver.stdout.close()
        cls.coordinator.terminate()
        cls.coordinator.wait(20)
        cls.coordinator.stdout.close()
        cls.dir.cleanup()

    def report(self):
        self.driver.stdin.write("\n")
        self.driver.stdin.flush()
        self.assertEqual(self.driver.stdout.readline(), "reported\n")

    def load(self):
        return optuna.load_study(study_name="peers", storage=self.url)

    def test_states_and_values(self):
        trials = self.load().get_trials()
        self.assertEqual([t.state for t in trials[:7]],
                         [State.COMPLETE, State.COMPLETE, State.PRUNED, State.FAIL, State.COMPLETE,
                          State.FAIL, State.RUNNING])
        self.assertEqual([t.number for t in trials], list(range(len(trials))))
        self.assertEqual(trials[0].value, 0.5)
        self.assertEqual(trials[2].value, 0.75)
        self.assertEqual(trials[4].value, math.inf)
        self.assertIsNone(trials[5].value)

    def test_best_trial_and_metric_name(self):
        study = self.load()
        self.assertEqual(study.best_trial.number, 1)
        self.assertEqual(study.best_value, 0.25)
        self.assertEqual(study.direction, optuna.study.StudyDirection.MINIMIZE)
        self.assertEqual(study.metric_names, ["val_loss"])

    def test_parameters_are_of_their_types_and_ranges(self):
        for trial in self.load().get_trials():
            self.assertEqual(list(trial.params), ["learning_rate", "dropout", "n_layer", "batch_size",
                                                  "optimizer.schedule", "amp_enabled"])
            self.assertIsInstance(trial.params["learning_rate"], float)
            self.assertIsInstance(trial.params["n_layer"], int)
            self.assertIn(trial.params["batch_size"], [8, 16, 32])
            self.assertIn(trial.params["optimizer.schedule"], ["constant", "cosine"])
            self.assertIsInstance(trial.params["amp_enabled"], bool)
            self.assertEqual(trial.distributions["learning_rate"],
                             optuna.distributions.FloatDistribution(0.001, 0.1, log=True))
            self.assertEqual(trial.distributions["n_layer"],
                             optuna.distributions.IntDistribution(1, 8))
            for name, distribution in trial.distributions.items():
                internal = distribution.to_internal_repr(trial.params[name])
                self.assertTrue(distribution._contains(internal), name)

    def test_intermediate_values_grow_while_it_runs(self):
        before = self.load().get_trials()[6].intermediate_values
        self.assertEqual(before[10], 0.6)
        self.report()
        after = self.load().get_trials()[6].intermediate_values
        self.assertEqual(len(after), len(before) + 1)

    def test_times_are_utc_and_in_order(self):
        for trial in self.load().get_trials():
            if trial.datetime_complete is not None:
                self.assertLessEqual(trial.datetime_start, trial.datetime_complete)
            self.assertLess(abs(time.time() - trial.datetime_start.timestamp()), 600)

    def test_a_sampler_of_theirs_can_go_on_from_our_trials(self):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=1))
        study.add_trials(t for t in self.load().get_trials() if t.state.is_finished())
        trial = study.ask(self.load().get_trials()[0].distributions)
        self.assertIn("learning_rate", trial.params)

    def test_dataframe_and_importance_views(self):
        self.assertEqual(len(self.load().get_trials(states=[State.COMPLETE])), 3)
        summaries = optuna.get_all_study_summaries(storage=self.url)
        self.assertEqual([s.study_name for s in summaries], ["peers"])

    def test_command_line(self):
        def run(*args):
            done = subprocess.run([PYTHON_BIN / "optuna", *args, "--storage", self.url], text=True,
                                  capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout
        self.assertIn("peers", run("studies", "-f", "json"))
        best = json.loads(run("best-trial", "--study-name", "peers", "-f", "json"))
        self.assertEqual(best["number"], 1)

    def test_dashboard(self):
        port = free_port()
        dashboard = subprocess.Popen(
            [PYTHON_BIN / "optuna-dashboard", self.url, "--host", "127.0.0.1", "--port", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def get(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
                return json.load(response)
        try:
            for _ in range(300):
                try:
                    studies = get("/api/studies")
                    break
                except OSError:
                    self.assertIsNone(dashboard.poll(), "the dashboard has ended")
                    time.sleep(0.1)
            study = studies["study_summaries"][0]
            self.assertEqual(study["study_name"], "peers")
            detail = get(f"/api/studies/{study['study_id']}")
            self.assertEqual(detail["trials"][0]["state"], "Complete")
            self.assertEqual(detail["best_trials"][0]["number"], 1)
            self.report()
        finally:
            dashboard.terminate()
            dashboard.wait(20)

    def test_they_leave_our_file_readable_for_us(self):
        """What the readers did (tables, versions) does not keep the coordinator from going on."""
        self.load()
        self.report()
        self.assertIsNone(self.coordinator.poll())


if __name__ == "__main__":
    unittest.main()
