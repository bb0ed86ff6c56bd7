"""A study that begins with trials of an Optuna file and with enqueued ones, as Optuna sees it."""
import math
import subprocess

import optuna
import pytest

from coordinator import BIN, TEST_BIN, Coordinator

State = optuna.trial.TrialState

CONFIG = """
input_path: /data/captions.csv
n_trials: 4
study:
  name: second
  search_space:
    learning_rate: {type: float, low: 1.0e-4, high: 1.0e-1, log: true}
    batch_size: [8, 16]
    optimizer.schedule: [constant, cosine]
    optimizer.min_lr_ratio: {type: float, low: 0, high: 1, when: {optimizer.schedule: cosine}}
    num_blks: 3
  objectives:
    - {metric: val_loss, direction: minimize}
    - {metric: samples_per_s, direction: maximize}
  constraints:
    - {metric: peak_rss_mb, upper: 4000}
  enqueue:
    - {learning_rate: 1.0e-2, batch_size: 16}
    - {optimizer.schedule: cosine, optimizer.min_lr_ratio: 0.25}
"""


def make_first(folder):
    """A study of Optuna's own with every end a trial can come to."""
    study = optuna.create_study(storage=f"sqlite:///{folder}/first.db", study_name="first",
                                directions=["minimize", "maximize"],
                                sampler=optuna.samplers.RandomSampler(1))
    for number in range(6):
        trial = study.ask()
        trial.suggest_float("learning_rate", 1e-5, 1.0, log=True)
        trial.suggest_categorical("batch_size", [16, 8, 4])
        if trial.suggest_categorical("optimizer.schedule", ["cosine", "constant"]) == "cosine":
            trial.suggest_float("optimizer.min_lr_ratio", 0, 1)
        trial.suggest_int("num_blks", 3, 3)
        trial.set_constraint("memory", float(number - 3))
        if number == 4:
            study.tell(trial, state=State.FAIL)
        else:
            study.tell(trial, (math.inf if number == 5 else number, 100.0 - number))
    return study


def fits(trial):
    p = trial.params
    return (trial.state == State.COMPLETE and 1e-4 <= p["learning_rate"] <= 1e-1
            and p["batch_size"] in (8, 16))


class Place:
    """A coordinator, and a folder with Optuna's study of make_first()."""

    def __init__(self, folder):
        self.folder = folder
        self.first = make_first(folder)
        self.usable = [t for t in self.first.get_trials() if fits(t)]
        self.coordinator = Coordinator()

    def submit(self, text, *more):
        path = self.folder / "study.yaml"
        path.write_text(text)
        return subprocess.run(
            [BIN / "vlmctl", "--addr", self.coordinator.address, "submit", path, *more],
            capture_output=True, text=True, timeout=60)

    def load(self):
        return optuna.load_study(study_name="second", storage=self.coordinator.url)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.coordinator.stop()


def check_beginning(place, trials):
    copied = trials[:len(place.usable)]
    assert [t.state for t in copied] == [State.COMPLETE] * len(place.usable)
    for attribute in ("values", "params", "constraints"):
        assert [getattr(t, attribute) for t in copied] == \
            [getattr(t, attribute) for t in place.usable]


def test_seeds_and_enqueued_trials_are_optunas(place):
    assert place.usable
    seeded = CONFIG + "  seed_from: {optuna_db: first.db, study: first}\n"
    dry = place.submit(seeded, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert f"2 enqueued, {len(place.usable)} copied" in dry.stderr
    done = place.submit(seeded, "--paused")
    assert done.returncode == 0, done.stderr

    study = place.load()
    assert [d.name for d in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.metric_names == ["val_loss", "samples_per_s"]
    trials = study.get_trials()
    assert len(trials) == len(place.usable) + 2
    check_beginning(place, trials)
    waiting = trials[len(place.usable):]
    assert [t.state for t in waiting] == [State.WAITING] * 2
    assert [t.system_attrs["fixed_params"] for t in waiting] == [
        {"learning_rate": 0.01, "batch_size": 16},
        {"optimizer.schedule": "cosine", "optimizer.min_lr_ratio": 0.25}]


def test_a_worker_runs_what_was_enqueued_and_then_what_is_drawn(place):
    text = CONFIG.replace("/data/captions.csv", "/fake/steps=6,sleep_ms=1")
    for series in ("samples_per_s", "peak_rss_mb"):  # fake-trainer reports losses only.
        text = text.replace(series, "train_loss")
    done = place.submit(text + "  seed_from: {optuna_db: first.db, study: first}\n",
                        "--no-follow")
    assert done.returncode == 0, done.stderr
    worker = subprocess.Popen(
        [BIN / "vlm-worker", "--coordinator", place.coordinator.address, "--slots", "2",
         "--work-dir", place.folder / "worker", "--trainer", TEST_BIN / "fake-trainer"],
        stderr=subprocess.DEVNULL)
    try:
        place.coordinator.vlmctl("study", "watch", "second")
    finally:
        worker.terminate()
        worker.wait(30)

    trials = place.load().get_trials()
    check_beginning(place, trials)
    own = trials[len(place.usable):]
    assert len(own) == 4
    assert [t.state for t in own] == [State.COMPLETE] * 4
    assert own[0].params["learning_rate"] == 0.01 and own[0].params["batch_size"] == 16
    assert own[1].params["optimizer.schedule"] == "cosine"
    assert own[1].params["optimizer.min_lr_ratio"] == 0.25
    for trial in own:
        assert len(trial.values) == 2
        assert trial.constraints["train_loss"] == trial.values[1] - 4000
        cosine = trial.params["optimizer.schedule"] == "cosine"
        assert ("optimizer.min_lr_ratio" in trial.params) == cosine
        assert trial.params["num_blks"] == 3


def test_a_data_frame_of_optunas_is_a_table(place):
    frame = [["state", "values_0", "values_1", "params_learning_rate", "params_batch_size",
              "params_optimizer.schedule", "params_optimizer.min_lr_ratio", "params_num_blks"]]
    for t in place.first.get_trials():
        values = t.values or ["", ""]
        frame.append([t.state.name, *values, *(t.params.get(k[7:], "") for k in frame[0][3:])])
    table = "\n".join(",".join(str(cell) for cell in row) for row in frame)
    (place.folder / "trials.csv").write_text(table)

    done = place.submit(CONFIG + "  seed_from: {csv: trials.csv}\n", "--paused")

    assert done.returncode == 0, done.stderr
    trials = place.load().get_trials(states=[State.COMPLETE])
    assert [t.values for t in trials] == [t.values for t in place.usable]
    assert [t.params for t in trials] == [t.params for t in place.usable]


@pytest.mark.parametrize("source, word", [
    ("{optuna_db: first.db, study: frist}", "it has first"),
    ("{optuna_db: none.db, study: a}", "no file"),
    ("nothing", "no study \"nothing\""),
    ("{csv: first.db}", "first.db")])
def test_what_cannot_be_begun_with_is_refused_and_nothing_is_made(place, source, word):
    failed = place.submit(CONFIG + f"  seed_from: {source}\n", "--paused")
    assert failed.returncode != 0
    assert word in failed.stderr
    assert place.coordinator.vlmctl_json("study", "list") == []
