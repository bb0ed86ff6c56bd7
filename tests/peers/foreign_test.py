"""Other processes write Optuna's tables of the study file while a coordinator has it: what they do is
seen through the proxy and vlmctl within a second, and what we do is seen by them."""
import contextlib
import json
import multiprocessing
import random
import socket
import sqlite3
import subprocess
import time
import urllib.request

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from coordinator import PYTHON_BIN, within

MINIMIZE = optuna.study.StudyDirection.MINIMIZE


@pytest.fixture
def theirs(coordinator):
    storage = coordinator.rdb()
    yield storage
    storage.engine.dispose()


def shown(coordinator, study):
    return coordinator.vlmctl_json("trial", "list", study)


def test_each_step_of_a_python_study_is_seen_within_a_second(coordinator, proxy, theirs):
    study_id = theirs.create_new_study([MINIMIZE], "python")
    within(1, lambda: proxy.get_study_id_from_name("python") == study_id)
    theirs.set_study_user_attr(study_id, "a", [1, None])
    within(1, lambda: proxy.get_study_user_attrs(study_id) == {"a": [1, None]})
    trial_id = theirs.create_new_trial(study_id)
    within(1, lambda: proxy.get_trial(trial_id).state == TrialState.RUNNING)
    theirs.set_trial_param(trial_id, "x", 0.5, FloatDistribution(0, 1))
    within(1, lambda: proxy.get_trial(trial_id).params == {"x": 0.5})
    theirs.set_trial_intermediate_value(trial_id, 3, 0.25)
    within(1, lambda: proxy.get_trial(trial_id).intermediate_values == {3: 0.25})
    theirs.set_trial_system_attr(trial_id, "k", "v")
    within(1, lambda: proxy.get_trial(trial_id).system_attrs == {"k": "v"})
    theirs.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.125])
    within(1, lambda: proxy.get_trial(trial_id).state == TrialState.COMPLETE)
    assert proxy.get_all_trials(study_id) == theirs.get_all_trials(study_id)
    assert [t["state"] for t in shown(coordinator, "python")] == ["complete"]
    assert coordinator.vlmctl_json("study", "get", "python")["best_value"] == 0.125


def test_a_watcher_hears_of_it(coordinator, theirs):
    study_id = theirs.create_new_study([MINIMIZE], "watched")
    within(1, lambda: "watched" in coordinator.vlmctl("study", "list"))
    trial_id = theirs.create_new_trial(study_id)
    theirs.set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0])
    with sqlite3.connect(f"file:{coordinator.file}?mode=ro", uri=True) as file:
        within(1, lambda: file.execute(
            "SELECT kind FROM vlm_events WHERE study_id = ? ORDER BY sequence DESC LIMIT 1",
            (study_id,)).fetchone() in [("trial.completed",), ("study.best",)])


def test_a_deleted_study_is_gone_and_its_ids_are_not_used_again_by_us(coordinator, proxy, theirs):
    study_id = theirs.create_new_study([MINIMIZE], "short")
    trial_id = theirs.create_new_trial(study_id)
    within(1, lambda: proxy.get_trial(trial_id).number == 0)
    theirs.delete_study(study_id)

    def gone():
        with pytest.raises(KeyError):
            proxy.get_study_name_from_id(study_id)
        return True
    within(1, gone)
    fresh = proxy.create_new_study([MINIMIZE], "short")
    assert fresh > study_id
    assert proxy.create_new_trial(fresh) > trial_id


def write_trials(url, port, study_id, seed, results):
    """Adds 15 trials, through the file when there is no port, and returns their ids."""
    storage = (optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=port) if port
               else optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}}))
    pick, ids = random.Random(seed), []
    for _ in range(15):
        trial_id = storage.create_new_trial(study_id)
        ids.append(trial_id)
        storage.set_trial_param(trial_id, "x", pick.random(), FloatDistribution(0, 1))
        storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [pick.random()])
        time.sleep(pick.random() * 0.02)
    results.put(ids)


def test_writers_of_both_kinds_share_one_study(coordinator, proxy, theirs):
    study_id = proxy.create_new_study([MINIMIZE], "shared")
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    writers = [spawn.Process(target=write_trials, args=(
        coordinator.url, coordinator.port * (i % 2), study_id, i, results)) for i in range(6)]
    for writer in writers:
        writer.start()
    ids = [id for _ in writers for id in results.get(timeout=300)]
    for writer in writers:
        writer.join(30)
    assert len(set(ids)) == 90, "each id was given out once"
    trials = theirs.get_all_trials(study_id)
    assert sorted(ids) == [t._trial_id for t in trials]
    assert [t.number for t in trials] == list(range(90))
    assert all(t.state == TrialState.COMPLETE for t in trials)
    within(1, lambda: proxy.get_all_trials(study_id) == trials)


def test_a_transaction_in_the_middle_makes_us_wait_and_nothing_else(coordinator, proxy):
    study_id = proxy.create_new_study([MINIMIZE], "locked")
    with contextlib.closing(sqlite3.connect(coordinator.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (?, 'k', '1')",
                      (study_id,))
        with pytest.raises(Exception):  # A deadline of its own, so that the test goes on.
            proxy._stub.CreateNewTrial(optuna.storages._grpc.client.api_pb2.CreateNewTrialRequest(
                study_id=study_id, template_trial_is_none=True), timeout=2)
        other.execute("COMMIT")
    trial_id = proxy.create_new_trial(study_id)
    assert proxy.get_trial(trial_id).state == TrialState.RUNNING
    assert proxy.get_study_user_attrs(study_id) == {"k": 1}
    assert coordinator.process.poll() is None


def test_an_idle_coordinator_costs_next_to_nothing(coordinator):
    time.sleep(0.5)
    before, start = coordinator.cpu_seconds(), time.monotonic()
    time.sleep(5)
    assert (coordinator.cpu_seconds() - before) / (time.monotonic() - start) < 0.01


def test_what_they_do_while_we_are_away_is_there_afterwards(coordinator):
    theirs = coordinator.rdb()
    kept, lost = (theirs.create_new_study([MINIMIZE], name) for name in ("kept", "lost"))
    within(1, lambda: "lost" in coordinator.vlmctl("study", "list"))
    coordinator.stop()
    theirs.delete_study(lost)
    trial_id = theirs.create_new_trial(kept)
    theirs.set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0])
    theirs.engine.dispose()
    coordinator.start()
    proxy = coordinator.proxy()
    assert [t._trial_id for t in proxy.get_all_trials(kept)] == [trial_id]
    assert "lost" not in coordinator.vlmctl("study", "list")


def test_a_file_that_stays_locked_is_named_with_the_remedy(coordinator):
    coordinator.stop()
    with contextlib.closing(sqlite3.connect(coordinator.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = subprocess.run(coordinator.command(), text=True, capture_output=True, timeout=60)
        other.execute("ROLLBACK")
    coordinator.start()
    assert done.returncode == 1
    assert coordinator.file in done.stderr
    assert "another program holds its lock" in done.stderr


def test_an_upgrade_of_the_schema_under_us_ends_us_before_we_write(coordinator):
    def revision(name):
        with contextlib.closing(sqlite3.connect(coordinator.file)) as file, file:
            file.execute("UPDATE alembic_version SET version_num = ?", (name,))

    revision("v9.0.0.a")
    within(2, lambda: coordinator.process.poll() is not None)
    coordinator.process.stdout.close()
    revision("v3.2.0.a")
    coordinator.start()
    assert "kept" in coordinator.vlmctl("study", "list")


def test_command_line_of_optuna_on_the_file(coordinator, proxy):
    study = optuna.create_study(storage=proxy, study_name="cli")
    study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=3)

    def run(*args):
        done = subprocess.run([PYTHON_BIN / "optuna", *args, "--storage", coordinator.url], text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert "cli" in [s["name"] for s in run("studies", "-f", "json")]
    assert run("best-trial", "--study-name", "cli", "-f", "json")["number"] == study.best_trial.number
    space = json.dumps({"x": {"name": "FloatDistribution",
                              "attributes": {"low": 0, "high": 1, "step": None, "log": False}}})
    asked = run("ask", "--study-name", "cli", "--search-space", space, "-f", "json")
    within(1, lambda: study.get_trials()[asked["number"]].params == asked["params"])


def test_the_dashboard_on_the_file_renames_and_notes(coordinator, proxy):
    study = optuna.create_study(storage=proxy, study_name="before")
    study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=4)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    dashboard = subprocess.Popen([PYTHON_BIN / "optuna-dashboard", coordinator.url, "--host",
                                  "127.0.0.1", "--port", str(port)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def call(path, method="GET", body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method,
                                         data=body and json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response) if response.status != 204 else None

    def up():
        with contextlib.suppress(OSError):
            return call("/api/studies")

    try:
        within(60, up)
        call(f"/api/studies/{study._study_id}/note", "PUT", {"body": "hello", "version": 1})
        within(1, lambda: "hello" in json.dumps(proxy.get_study_system_attrs(study._study_id)))
        renamed = call(f"/api/studies/{study._study_id}/rename", "POST", {"study_name": "after"})
        within(1, lambda: proxy.get_study_id_from_name("after") == renamed["study_id"])
        within(1, lambda: "before" not in coordinator.vlmctl("study", "list"))
        assert len(shown(coordinator, "after")) == 4
    finally:
        dashboard.terminate()
        dashboard.wait(20)
