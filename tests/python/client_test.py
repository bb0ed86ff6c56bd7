"""The Python client against a real coordinator."""
import concurrent.futures
import json
import math
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import unittest

import coordinator
from coordinator import CoordinatorTest, config

vlmctl = None  # Imported once it is installed.


def setUpModule():
    global vlmctl, installed
    installed, packages = coordinator.install()
    sys.path.insert(0, str(packages))
    import vlmctl as package
    vlmctl = package
    assert pathlib.Path(package.__file__).is_relative_to(packages), package.__file__


def tearDownModule():
    shutil.rmtree(installed)


class ClientTest(CoordinatorTest):
    def setUp(self):
        self.client = vlmctl.connect(self.address)
        self.name = self._testMethodName[5:]
        self.addCleanup(self.client.close)

    def submit(self, n_trials=6, **study):
        return self.client.submit(config(n_trials, **study), name=self.name)

    # Studies.

    def test_submit_of_a_dict_and_of_a_file(self):
        study = self.submit(4)
        self.assertEqual((study.name, study.state, study.n_trials), (self.name, "active", 4))
        self.assertEqual(study.directions, ["minimize"])
        path = pathlib.Path(self.folder.name) / "from_file.yaml"
        path.write_text("input_path: data.csv\nn_trials: 3\nhyperparameter_tuning: true\n")
        self.assertEqual(self.client.submit(path, overrides=["n_trials=5"]).n_trials, 5)
        self.assertEqual(self.client.study("from_file").n_trials, 5)
        self.assertIn(self.name, [s.name for s in self.client.studies()])

    def test_a_wrong_configuration_names_every_fault(self):
        with self.assertRaises(vlmctl.InvalidConfig) as caught:
            self.client.submit({"input_path": "a.csv", "n_trails": 3, "batch_size": "many"})
        faults = {issue.key: issue for issue in caught.exception.issues if not issue.warning}
        self.assertEqual(set(faults), {"n_trails", "batch_size"})
        self.assertIn("n_trials", faults["n_trails"].suggestion)
        self.assertTrue(self.client.validate({"n_trails": 3}))
        self.assertFalse([i for i in self.client.validate(config()) if not i.warning])

    def test_a_taken_name(self):
        self.submit()
        with self.assertRaises(vlmctl.AlreadyExists):
            self.submit()
        again = self.client.submit(config(), name=self.name, exist_ok=True)
        self.assertEqual(again.name, self.name)

    def test_pause_edit_resume_cancel_delete(self):
        self.submit()
        self.assertEqual(self.client.pause(self.name).state, "paused")
        with self.assertRaises(vlmctl.WrongState):
            self.client.ask(self.name)
        self.assertEqual(self.client.edit(self.name, n_trials=9, parallelism=2).n_trials, 9)
        self.assertEqual(self.client.resume(self.name).parallelism, 2)
        with self.assertRaises(vlmctl.InvalidArgument):
            self.client.edit(self.name, n_trials=0)
        self.assertEqual(self.client.cancel(self.name).state, "cancelled")
        self.client.delete(self.name)
        with self.assertRaises(vlmctl.NotFound):
            self.client.study(self.name)
        self.assertEqual(self.client.restore(self.name).state, "cancelled")
        self.client.delete(self.name, purge=True)
        with self.assertRaises(vlmctl.NotFound):
            self.client.restore(self.name)

    def test_the_next_suggestion_uses_an_edited_range(self):
        self.submit()
        self.client.ask(self.name).tell(1)
        narrow = {"type": "float", "low": 0.02, "high": 0.03, "log": True}
        self.client.edit(self.name, search_space={"learning_rate": narrow})
        for _ in range(3):
            rate = self.client.ask(self.name).params["learning_rate"]
            self.assertTrue(0.02 <= rate <= 0.03, rate)
        for wrong in ({"learning_rate": {**narrow, "log": False}}, {"learning_rate": [1, 2]},
                      {"learning_rate": {**narrow, "low": 9.0}}, {"nobody": narrow},
                      {"n_embd": [128, 256]}):
            with self.assertRaises(vlmctl.InvalidArgument, msg=wrong):
                self.client.edit(self.name, search_space=wrong)

    # Files.

    def train(self, n_trials=4, **study):
        """A study with a trial of each end, one of them infeasible."""
        self.submit(n_trials + 1, **study)
        for number in range(n_trials):
            trial = self.client.ask(self.name)
            trial.report(5, 0.1 / (number + 3))
            if number == 1:
                trial.tell(state="pruned")
            elif number == 2:
                trial.tell(state="fail")
            else:
                trial.tell(1 / (number + 3), constraints=[1.0 - number, -2])
        self.client.ask(self.name)  # Runs.

    def compared(self, study):
        return [(t.state, t.params, t.values, t.intermediate_values, t.infeasible)
                for t in self.client.trials(study) if t.ended]

    def test_a_study_goes_to_files_and_comes_back(self):
        self.train()
        for ending in ("db", "json", "csv"):
            path = pathlib.Path(self.folder.name) / f"{self.name}.{ending}"
            self.client.export(self.name, path)
            made = self.client.import_study(path, name=f"{self.name}-{ending}")
            left_out = 0 if ending == "db" and made.left_out == 0 else 1
            self.assertEqual((made.added, made.left_out), (4, left_out), ending)
            before, after = self.compared(self.name), self.compared(made.study.name)
            if ending == "csv":  # Has no reports, and nothing to say about constraints.
                before = [(*row[:3], {}, False) for row in before]
            self.assertEqual(after, before, ending)
            again = self.client.import_study(path, into=made.study.name)
            self.assertEqual(again.study.counts["complete"], 4, ending)

    def test_files_are_those_of_the_command_line(self):
        self.train()
        vlmctl_program = [coordinator.BIN / "vlmctl", "--addr", self.address, "study", "export",
                          self.name, "--out"]
        for ending in ("csv", "json"):
            ours = pathlib.Path(self.folder.name) / f"ours.{ending}"
            theirs = pathlib.Path(self.folder.name) / f"theirs.{ending}"
            self.client.export(self.name, ours)
            subprocess.run([*vlmctl_program, theirs], check=True, stdout=subprocess.DEVNULL)
            if ending == "csv":
                self.assertEqual(ours.read_text(), theirs.read_text())
            else:
                same = [json.loads(path.read_text()) for path in (ours, theirs)]
                for whole in same:
                    del whole["study"]["elapsed_s"]  # Of the moment.
                self.assertEqual(*same)

    def test_files_that_are_something_else_are_named(self):
        path = pathlib.Path(self.folder.name) / "wrong"
        for content, name, fault in (
                (b"number\n1\n", "a.csv", 'there is no column "value"'),
                (b"", "a.csv", "the file is empty"),
                (b"value,state\n1,COMPLETE\n2,DONE\n", "a.csv", "row 3, column state: 'DONE' is no state"),
                (b"value,params_x\n1,2\n1\n", "a.csv", "row 3 has 1 fields, the header 2"),
                (b"value,datetime_start\n1,noon\n", "a.csv", "column datetime_start: 'noon' is no time"),
                (b"value\nmuch\n", "a.csv", "column value"),
                (b'value\n"1', "a.csv", "row 2"),
                (b"{}", "a.json", "it has no study and no trials"),
                (b"[1", "a.json", "not an export of a study"),
                (b"value\n1\n", "a.db", "is no SQLite database"),
                (b"value\n1\n", "a.txt", "does not say what it is")):
            file = path.with_name(name)
            file.write_bytes(content)
            with self.assertRaises(ValueError, msg=content) as caught:
                self.client.import_study(file, name=self.name)
            self.assertIn(fault, str(caught.exception))
        file.with_suffix(".csv").write_bytes(b"value\n1\n")
        with self.assertRaisesRegex(ValueError, "names no study"):
            self.client.import_study(file.with_suffix(".csv"))
        with self.assertRaisesRegex(ValueError, "new study or into"):
            self.client.import_study(file, name="a", into="b", format="csv")
        with self.assertRaises(vlmctl.NotFound):
            self.client.import_study(file, into="nobody", format="csv")
        with self.assertRaises(vlmctl.NotFound):
            self.client.export("nobody", path.with_suffix(".db"))
        self.assertFalse(path.with_suffix(".db").exists())
        with self.assertRaises(vlmctl.NotFound):
            self.client.study(self.name)

    # Ask and tell.

    def test_constraints(self):
        bounds = [{"name": "memory", "metric": "peak_rss_mb", "upper": 100}]
        self.submit(constraints=bounds)
        asked = self.client.ask(self.name)
        for wrong in ([], [1, 2], [math.nan], [math.inf]):
            with self.assertRaises(vlmctl.InvalidArgument, msg=wrong):
                asked.tell(0.1, constraints=wrong)
        self.assertTrue(asked.tell(0.1, constraints=[3]).infeasible)
        with self.assertRaises(vlmctl.WrongState):
            self.client.best(self.name)
        self.client.ask(self.name).tell(0.7, constraints=[-1])
        self.assertEqual(self.client.best(self.name).number, 1)
        self.assertEqual(self.client.study(self.name).best_value, 0.7)

    def test_ask_report_tell(self):
        self.submit()
        with self.client.ask(self.name) as trial:
            self.assertGreaterEqual(trial.params["learning_rate"], 1e-4)
            self.assertIn(trial.params["n_embd"], [128, 256, 512])
            self.assertFalse(trial.report(1, 0.9))
            self.assertFalse(trial.report(1, 0.1))  # A step's first value stays.
            trial.report(2, math.nan)
            ended = trial.tell(0.5)
        self.assertEqual((ended.state, ended.value), ("complete", 0.5))
        stored = self.client.trial(f"{self.name}/0")
        self.assertEqual(stored.intermediate_values[1], 0.9)
        self.assertTrue(math.isnan(stored.intermediate_values[2]))
        self.assertEqual(self.client.best(self.name).number, 0)

    def test_how_trials_end(self):
        self.submit(7)
        with self.assertRaises(ZeroDivisionError):
            with self.client.ask(self.name):
                raise ZeroDivisionError
        with self.assertRaises(vlmctl.Pruned):
            with self.client.ask(self.name) as trial:
                trial.report(3, 0.7)
                raise vlmctl.Pruned
        with self.assertRaises(RuntimeError):
            with self.client.ask(self.name):
                pass
        self.client.ask(self.name).tell(math.nan)
        self.client.ask(self.name).tell(math.inf)
        self.client.ask(self.name).tell(state="fail")
        self.client.ask(self.name).tell([2])
        trials = self.client.trials(self.name)
        self.assertEqual([t.state for t in trials], ["fail", "pruned", "fail", "fail", "complete",
                                                     "fail", "complete"])
        self.assertEqual(trials[1].value, 0.7)  # The last report.
        self.assertEqual(trials[4].value, math.inf)
        self.assertEqual(self.client.best(self.name).number, 6)

    def test_wrong_ends_are_refused_and_change_nothing(self):
        self.submit()
        asked = self.client.ask(self.name)
        with self.assertRaises(vlmctl.InvalidArgument):
            self.client.tell(asked.trial.trial_id, [1.0, 2.0])
        with self.assertRaises(vlmctl.InvalidArgument):
            self.client.tell(asked.trial.trial_id, math.nan, "complete")
        with self.assertRaises(ValueError):
            asked.tell(1, state="finished")
        with self.assertRaises(vlmctl.InvalidArgument):
            asked.report(-1, 0.5)
        self.assertEqual(self.client.trial(asked.trial.trial_id).state, "running")
        asked.tell(1)
        with self.assertRaises(vlmctl.WrongState):
            asked.tell(2)
        with self.assertRaises(vlmctl.WrongState):
            asked.report(1, 0.5)
        for trial in (10 ** 12, f"{self.name}/99", "nobody/0"):
            with self.assertRaises(vlmctl.NotFound):
                self.client.tell(trial, 1)
        with self.assertRaises(vlmctl.InvalidArgument):
            self.client.tell("no trial at all", 1)

    def test_optimize_until_the_budget_is_used_up(self):
        self.submit(5)

        def objective(trial):
            if trial.number == 1:
                raise vlmctl.Pruned
            return abs(math.log10(trial.params["learning_rate"]) + 3)
        self.assertEqual(self.client.optimize(self.name, objective, n_trials=2), 2)
        self.assertEqual(self.client.optimize(self.name, objective), 3)
        with self.assertRaises(vlmctl.BudgetUsedUp):
            self.client.ask(self.name)
        counts = self.client.study(self.name).counts
        self.assertEqual((counts["complete"], counts["pruned"]), (4, 1))

    def test_pruning_is_decided_by_the_coordinator(self):
        self.submit(8, pruner={"name": "median", "n_startup_trials": 2, "n_warmup_steps": 0})
        for _ in range(3):
            with self.client.ask(self.name) as trial:
                self.assertFalse(trial.report(1, 1.0))
                trial.tell(1.0)
        with self.client.ask(self.name) as trial:
            self.assertTrue(trial.report(1, 5.0))
            trial.tell(state="pruned")
        self.assertEqual(self.client.trials(self.name, states=["pruned"])[0].value, 5.0)

    def test_enqueued_values_come_first(self):
        self.submit()
        waiting = self.client.enqueue(self.name, {"learning_rate": 0.01, "n_embd": 256})
        self.assertEqual(waiting.state, "waiting")
        self.client.enqueue(self.name, {"n_embd": 512})
        self.assertEqual(self.client.ask(self.name).params, {"learning_rate": 0.01, "n_embd": 256})
        self.assertEqual(self.client.ask(self.name).params["n_embd"], 512)
        for params in ({"n_embd": 200}, {"learning_rate": 7.0}, {"nobody": 1},
                       {"learning_rate": "fast"}):
            with self.assertRaises(vlmctl.InvalidArgument):
                self.client.enqueue(self.name, params)
        with self.assertRaises(TypeError):
            self.client.enqueue(self.name, {"n_embd": object()})

    def test_many_askers_get_different_trials(self):
        self.submit(80)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = list(pool.map(
                lambda _: self.client.optimize(self.name, lambda t: t.params["learning_rate"]),
                range(8)))
        self.assertEqual(sum(done), 80)
        trials = self.client.trials(self.name)
        self.assertEqual([t.number for t in trials], list(range(80)))
        self.assertEqual({t.state for t in trials}, {"complete"})

    def test_a_repeated_request_id_asks_once(self):
        self.submit()
        from vlmctl._proto.vlm.v1 import control_pb2
        request = control_pb2.AskRequest(request_id=f"{self.name}-1", study=self.name)
        first = self.client._rpc.call("Ask", request).trial
        self.assertEqual(self.client._rpc.call("Ask", request).trial.trial_id, first.trial_id)
        tell = control_pb2.TellRequest(request_id=f"{self.name}-2", trial=str(first.trial_id),
                                       state=3, values=[1.5])
        for _ in range(2):
            self.assertEqual(list(self.client._rpc.call("Tell", tell).trial.values), [1.5])
        self.assertEqual(len(self.client.trials(self.name)), 1)

    # Looking.

    def test_best_importance_and_frame(self):
        self.submit(30)
        self.client.optimize(self.name, lambda t: math.log10(t.params["learning_rate"]) ** 2)
        best = self.client.best_trials(self.name, 3)
        self.assertEqual([t.value for t in best], sorted(t.value for t in best))
        importance = self.client.importance(self.name)
        self.assertEqual(list(importance)[0], "learning_rate")
        self.assertAlmostEqual(sum(importance.values()), 1)
        frame = self.client.trials_frame(self.name)
        self.assertEqual(list(frame.columns), [
            "number", "value", "datetime_start", "datetime_complete", "duration",
            "params_learning_rate", "params_n_embd", "state"])
        self.assertEqual(len(frame), 30)
        self.assertEqual(frame["value"].idxmin(), best[0].number)
        self.assertEqual(set(frame["state"]), {"COMPLETE"})
        self.assertGreaterEqual(frame["duration"].min().total_seconds(), 0)

    def test_an_empty_study_has_no_best_and_an_empty_frame(self):
        self.submit()
        with self.assertRaises(vlmctl.WrongState):
            self.client.best(self.name)
        with self.assertRaises(vlmctl.WrongState):
            self.client.importance(self.name)
        self.assertEqual(len(self.client.trials_frame(self.name)), 0)

    def test_watch_ends_with_the_study(self):
        self.submit(3)
        seen = []
        thread = threading.Thread(target=lambda: seen.extend(self.client.watch(self.name)))
        thread.start()
        self.client.optimize(self.name, lambda t: 1.0 * t.number)
        thread.join(30)
        self.assertFalse(thread.is_alive())
        self.assertEqual(seen[-1].study.state, "completed")
        self.assertEqual([e.trial.number for e in seen if e.kind == "trial.completed"], [0, 1, 2])

    def test_unknown_names(self):
        for call in (self.client.study, self.client.trials, self.client.best, self.client.ask,
                     self.client.pause, self.client.delete):
            with self.assertRaises(vlmctl.NotFound):
                call("nobody")
        with self.assertRaises(ValueError):
            self.client.trials(self.name, states=["sleeping"])


class FaultTest(CoordinatorTest):
    def test_calls_wait_for_a_restarted_coordinator_and_nothing_is_lost(self):
        with vlmctl.connect(self.address) as client:
            client.submit(config(40), name="restart")
            told = []

            def objective(trial):
                told.append(trial.number)
                time.sleep(0.02)
                return float(trial.number)
            worker = threading.Thread(target=client.optimize, args=("restart", objective))
            worker.start()
            while len(told) < 10:
                time.sleep(0.01)
            self.stop(kill=True)
            self.start()
            worker.join(60)
            self.assertFalse(worker.is_alive())
            trials = client.trials("restart")
            self.assertEqual([t.values for t in trials], [[float(i)] for i in range(40)])
            self.assertEqual(told, list(range(40)))

    def test_nobody_there(self):
        with vlmctl.connect("127.0.0.1:1", retry_s=0.3) as client:
            with self.assertRaises(vlmctl.Unavailable):
                client.studies()
        with self.assertRaises(ValueError):
            vlmctl.connect()


if __name__ == "__main__":
    unittest.main()
