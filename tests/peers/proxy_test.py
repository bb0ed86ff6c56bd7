"""Optuna through the coordinator's storage service: what its own suite does not ask."""
import json
import math
import multiprocessing
import threading
import wsgiref.simple_server
import urllib.request
from datetime import datetime, timedelta, timezone

import grpc
import optuna
import optuna_dashboard
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages._grpc.auto_generated import api_pb2, api_pb2_grpc
from optuna.trial import TrialState

from coordinator import Coordinator, within

MINIMIZE = optuna.study.StudyDirection.MINIMIZE
NAN, INF = math.nan, math.inf


@pytest.fixture
def stub(coordinator):
    with grpc.insecure_channel(coordinator.address) as channel:
        yield api_pb2_grpc.StorageServiceStub(channel)


def refused(code, call, *parts):
    """The call fails with this code and a message that has these parts."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert error.value.code() == code, error.value
    for part in parts:
        assert part in error.value.details()


def same(a, b):
    """Equal in value and in type; NaN equals NaN."""
    return type(a) is type(b) and (a == b or (a != a and b != b))


# ---- what goes in comes out ----

CHOICES = [None, True, False, 0, 1, 1.0, -7, 2**53 + 1, 2**70, 0.1, 1e-5, 1e16, 1e300, NAN, INF, -INF,
           "", "caf\u00e9 \U0001f600 \"quoted\" \\ \n", [1, "two", None], {"a": 1.5}]


def test_choices_of_every_kind_keep_value_and_type(coordinator, proxy):
    study_id = proxy.create_new_study([MINIMIZE])
    for choice in CHOICES:
        trial_id = proxy.create_new_trial(study_id)
        name = f"x{trial_id}"
        proxy.set_trial_param(trial_id, name, 0.0, CategoricalDistribution([choice]))
        proxy.set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0])
        for storage in (proxy, coordinator.rdb()):
            assert same(storage.get_trial(trial_id).params[name], choice), choice
    coordinator.stop()
    coordinator.start()
    trials = coordinator.proxy().get_all_trials(study_id)
    assert all(same(next(iter(t.params.values())), c) for t, c in zip(trials, CHOICES))


def test_values_outside_the_range_and_odd_ranges_stay(coordinator, proxy):
    study_id = proxy.create_new_study([MINIMIZE])
    trial_id = proxy.create_new_trial(study_id)
    given = {"f": (9.5, FloatDistribution(0, 1)), "s": (0.25, FloatDistribution(0, 1, step=0.25)),
             "l": (1e-8, FloatDistribution(1e-9, 1, log=True)), "i": (99, IntDistribution(-3, 7, step=2)),
             "n": (INF, FloatDistribution(-INF, INF)), "p": (5e-324, FloatDistribution(5e-324, 1.7e308))}
    for name, (value, distribution) in given.items():
        proxy.set_trial_param(trial_id, name, value, distribution)
    for storage in (proxy, coordinator.rdb()):
        trial = storage.get_trial(trial_id)
        assert trial.distributions == {n: d for n, (_, d) in given.items()}
        assert all(trial.params[n] == v for n, (v, _) in given.items())


def test_trials_written_through_the_proxy_read_the_same_from_the_file(coordinator, proxy):
    study = optuna.create_study(storage=proxy, directions=["minimize", "maximize"])
    study.set_user_attr("note", {"a": [1, NAN]})
    study.set_metric_names(["loss", "accuracy"])

    def objective(trial):
        trial.suggest_float("x", -1, 1)
        trial.suggest_int("n", 1, 64, log=True)
        trial.suggest_categorical("c", ["a", None, 2.5])
        trial.set_user_attr("t\u00e9st", "v")
        return trial.number, -trial.number

    study.optimize(objective, n_trials=12)
    study.enqueue_trial({"x": 0.5})
    theirs = coordinator.rdb()
    assert theirs.get_all_trials(study._study_id) == proxy.get_all_trials(study._study_id)
    assert theirs.get_study_user_attrs(study._study_id)["note"]["a"][0] == 1
    assert theirs.get_study_system_attrs(study._study_id) == proxy.get_study_system_attrs(
        study._study_id)
    assert theirs.get_study_directions(study._study_id) == study.directions


def test_a_restarted_coordinator_serves_the_same_trials(coordinator, proxy):
    study = optuna.create_study(storage=proxy)
    study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=5)
    study.ask()
    study.enqueue_trial({"x": 1})
    before = proxy.get_all_trials(study._study_id)
    coordinator.kill()
    coordinator.start()
    fresh = coordinator.proxy()
    assert fresh.get_all_trials(study._study_id) == before
    assert fresh.create_new_trial(study._study_id) > max(t._trial_id for t in before)


def test_times_of_both_forms_are_taken_and_the_old_one_is_given():
    running = Coordinator({"TZ": "Asia/Tokyo"})
    try:
        with grpc.insecure_channel(running.address) as channel:
            stub = api_pb2_grpc.StorageServiceStub(channel)
            study_id = stub.CreateNewStudy(api_pb2.CreateNewStudyRequest(study_name="t")).study_id
            for text in ("2026-01-02 12:04:05.000006", "2026-01-02T03:04:05.000006+00:00",
                         "2026-01-02T03:04:05.000006Z", "2026-01-02T04:04:05.000006+01:00"):
                template = api_pb2.Trial(state=api_pb2.COMPLETE, values=[1], datetime_start=text)
                trial_id = stub.CreateNewTrial(api_pb2.CreateNewTrialRequest(
                    study_id=study_id, template_trial=template)).trial_id
                trial = stub.GetTrial(api_pb2.GetTrialRequest(trial_id=trial_id)).trial
                assert trial.datetime_start == "2026-01-02 12:04:05.000006"
            for text in ("yesterday", "infinite-future", "2026-13-01 00:00:00.0", "2026-01-01"):
                template = api_pb2.Trial(state=api_pb2.RUNNING, datetime_start=text)
                refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.CreateNewTrial(
                    api_pb2.CreateNewTrialRequest(study_id=study_id, template_trial=template)), text)
            trial_id = stub.CreateNewTrial(api_pb2.CreateNewTrialRequest(
                study_id=study_id, template_trial_is_none=True)).trial_id
            start = stub.GetTrial(api_pb2.GetTrialRequest(trial_id=trial_id)).trial.datetime_start
            tokyo = datetime.strptime(start, "%Y-%m-%d %H:%M:%S.%f").replace(
                tzinfo=timezone(timedelta(hours=9)))
            assert abs((datetime.now(timezone.utc) - tokyo).total_seconds()) < 60
    finally:
        running.close()


# ---- what is refused ----

def test_what_would_make_a_study_unreadable_is_refused(coordinator, proxy, stub):
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    study_id = proxy.create_new_study([MINIMIZE])
    trial_id = proxy.create_new_trial(study_id)

    def state(state, values=()):
        return lambda: stub.SetTrialStateValues(api_pb2.SetTrialStateValuesRequest(
            trial_id=trial_id, state=state, values=values))

    def param(value, distribution):
        return lambda: stub.SetTrialParameter(api_pb2.SetTrialParameterRequest(
            trial_id=trial_id, param_name="x", param_value_internal=value, distribution=distribution))

    def template(**fields):
        return lambda: stub.CreateNewTrial(api_pb2.CreateNewTrialRequest(
            study_id=study_id, template_trial=api_pb2.Trial(**fields)))

    two = '{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}'
    number = '{"name": "FloatDistribution", "attributes": {"low": 0, "high": 1, "log": false, "step": null}}'
    refused(invalid, state(api_pb2.COMPLETE, [NAN]), "NaN")
    refused(invalid, state(77), "77")
    for index in (2, -1, INF, NAN):
        refused(invalid, param(index, two))
    refused(invalid, param(NAN, number), "NaN")
    for text in ("", "{", "null", '{"name": "NoDistribution", "attributes": {}}',
                 '{"name": "FloatDistribution", "attributes": {"low": 2, "high": 1}}',
                 '{"name": "IntDistribution", "attributes": {"low": 0, "high": 5, "log": true}}',
                 '{"name": "CategoricalDistribution", "attributes": {"choices": []}}'):
        refused(invalid, param(0, text), "distribution")
    refused(invalid, template(values=[NAN]), "NaN")
    refused(invalid, template(params={"x": 0}), "no distribution")
    refused(invalid, template(params={"x": 5}, distributions={"x": two}), "index 5")
    refused(invalid, template(state=9), "9")
    refused(invalid, template(user_attributes={"a": "{"}), "JSON")
    assert len(proxy.get_all_trials(study_id)) == 1
    assert coordinator.rdb().get_all_trials(study_id) == proxy.get_all_trials(study_id)


def test_attributes_must_be_json_and_names_have_a_limit(proxy, stub):
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    study_id = proxy.create_new_study([MINIMIZE])
    trial_id = proxy.create_new_trial(study_id)
    for text in ("", "{", "[1,]", "nan", "01", "'a'", '"\n"', '"\\x"', "1 2", "[" * 100000):
        refused(invalid, lambda: stub.SetTrialUserAttribute(api_pb2.SetTrialUserAttributeRequest(
            trial_id=trial_id, key="k", value=text)), "JSON")
        refused(invalid, lambda: stub.SetStudySystemAttribute(
            api_pb2.SetStudySystemAttributeRequest(study_id=study_id, key="k", value=text)), "JSON")
    for text in ("NaN", " -Infinity ", '{"a": [1e5, -0.0, "\\ud83d"]}', "123456789012345678901234567890"):
        stub.SetTrialUserAttribute(api_pb2.SetTrialUserAttributeRequest(
            trial_id=trial_id, key="k", value=text))
        assert repr(proxy.get_trial(trial_id).user_attrs["k"]) == repr(json.loads(text))
    longest = "\u00e9" * 512
    proxy.set_study_user_attr(study_id, longest, 1)
    proxy.create_new_study([MINIMIZE], longest)
    refused(invalid, lambda: proxy.set_study_user_attr(study_id, longest + "x", 1), "513 characters")
    refused(invalid, lambda: proxy.create_new_study([MINIMIZE], longest + "x"), "513 characters")
    with pytest.raises(ValueError):
        proxy.set_trial_param(trial_id, longest + "x", 0.5, FloatDistribution(0, 1))
    refused(invalid, lambda: stub.CreateNewStudy(
        api_pb2.CreateNewStudyRequest(study_name="d", directions=[5])), "5")


def test_an_oversized_message_is_refused_and_the_next_is_served(proxy):
    study_id = proxy.create_new_study([MINIMIZE])
    refused(grpc.StatusCode.RESOURCE_EXHAUSTED,
            lambda: proxy.set_study_user_attr(study_id, "k", "x" * (65 << 20)))
    proxy.set_study_user_attr(study_id, "k", "x" * (5 << 20))
    assert len(proxy.get_study_user_attrs(study_id)["k"]) == 5 << 20


# ---- many clients ----

def pop_all(port, study_id, results):
    storage = optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=port)
    won = []
    while True:
        waiting = storage.get_all_trials(study_id, deepcopy=False, states=(TrialState.WAITING,))
        if not waiting:
            break
        for trial in waiting:
            if storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                won.append(trial.number)
                break
    results.put(won)


def test_each_waiting_trial_is_taken_once(coordinator, proxy):
    study = optuna.create_study(storage=proxy)
    for i in range(200):
        study.enqueue_trial({"x": i})
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    clients = [spawn.Process(target=pop_all, args=(coordinator.port, study._study_id, results))
               for _ in range(8)]
    for client in clients:
        client.start()
    won = [results.get(timeout=300) for _ in clients]
    for client in clients:
        client.join(30)
    assert sorted(number for numbers in won for number in numbers) == list(range(200))
    assert sum(1 for numbers in won if numbers) > 1, "it was no race"


def optimize(port, name):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name=name, storage=optuna.storages.GrpcStorageProxy(
        host="127.0.0.1", port=port))

    def objective(trial):
        x = trial.suggest_float("x", -5, 5)
        for step in range(3):
            trial.report(x * x + step, step)
            if trial.should_prune():
                raise optuna.TrialPruned()
        return x * x

    study.optimize(objective, n_trials=20)


@pytest.mark.parametrize("workers", [1, 4])
def test_optimize_with_its_default_sampler_and_pruner(coordinator, proxy, workers):
    study = optuna.create_study(storage=proxy, study_name=f"optimize-{workers}")
    spawn = multiprocessing.get_context("spawn")
    clients = [spawn.Process(target=optimize, args=(coordinator.port, study.study_name))
               for _ in range(workers)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(300)
        assert client.exitcode == 0
    trials = study.get_trials()
    assert [t.number for t in trials] == list(range(20 * workers))
    assert all(t.state.is_finished() and t.state != TrialState.FAIL for t in trials)
    assert study.best_value < 1
    assert coordinator.rdb().get_all_trials(study._study_id) == trials
    shown = coordinator.vlmctl_json("study", "best", study.study_name)
    assert shown["values"][0] == study.best_value or shown["value"] == study.best_value


# ---- the same studies ----

def test_vlmctl_sees_a_study_of_the_proxy(coordinator, proxy, tmp_path):
    study = optuna.create_study(storage=proxy, study_name="seen", direction="maximize")
    study.optimize(lambda t: t.suggest_categorical("c", [None, [1], "z"]) and 1.0 or 0.5, n_trials=4)
    assert "seen" in coordinator.vlmctl("study", "list")
    assert coordinator.vlmctl_json("study", "get", "seen")["name"] == "seen"
    assert len(coordinator.vlmctl_json("trial", "list", "seen")) == 4
    assert "c = " in coordinator.vlmctl("study", "best", "seen")
    coordinator.vlmctl("plot", "history", "seen", "--out", str(tmp_path / "h.svg"))
    assert (tmp_path / "h.svg").stat().st_size > 0
    coordinator.vlmctl("study", "delete", "seen", "--yes")
    with pytest.raises(KeyError):
        proxy.get_study_id_from_name("seen")


def constrained(trial):
    x = trial.suggest_float("x", -1, 1)
    trial.set_constraint("x", 0.25 - x)  # The best values are not feasible.
    return x * x


def test_the_best_trial_of_a_constrained_study_is_optunas(coordinator, proxy):
    sampler = optuna.samplers.RandomSampler(seed=1)
    for direction in ("minimize", "maximize"):
        study = optuna.create_study(storage=proxy, study_name=f"bounds-{direction}",
                                    direction=direction, sampler=sampler)
        study.optimize(constrained, n_trials=15)
        assert any(t.constraints["x"] > 0 for t in study.trials)
        for _ in range(2):
            shown = coordinator.vlmctl_json("study", "get", study.study_name)
            assert shown["best_trial_number"] == study.best_trial.number
            assert shown["best_value"] == study.best_value
            best = coordinator.vlmctl_json("study", "best", study.study_name)
            assert best["number"] == study.best_trial.number and best["infeasible"] is False
            coordinator.stop()
            coordinator.start()
    two = optuna.create_study(storage=proxy, study_name="bounds-two", sampler=sampler,
                              directions=["minimize", "maximize"])
    two.set_metric_names(["loss", "speed"])
    two.optimize(lambda t: (constrained(t), t.suggest_int("speed", 0, 9)), n_trials=30)
    front = coordinator.vlmctl_json("study", "best", "bounds-two", "--pareto")
    assert sorted(t["number"] for t in front) == sorted(t.number for t in two.best_trials)
    infeasible = {t.number for t in two.trials if t.constraints["x"] > 0}
    listed = coordinator.vlmctl_json("trial", "list", "bounds-two")
    assert {t["number"] for t in listed if t["infeasible"]} == infeasible


def test_metric_names_of_theirs_are_shown(coordinator, proxy, tmp_path):
    one = optuna.create_study(storage=proxy, study_name="named-one")
    one.set_metric_names(["loss \u00e4"])
    one.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=2)
    assert "(loss \u00e4)" in coordinator.vlmctl("study", "best", "named-one")
    two = optuna.create_study(storage=proxy, study_name="named-two", directions=["minimize"] * 2)
    two.optimize(lambda t: (t.suggest_float("x", 0, 1),) * 2, n_trials=3)
    pictures = []
    for names in (None, ["loss", "speed"]):
        if names:
            two.set_metric_names(names)
        out = tmp_path / "front.svg"
        coordinator.vlmctl("plot", "pareto", "named-two", "--out", str(out))
        pictures.append(out.read_bytes())
    assert pictures[0] != pictures[1]
    assert "(speed)" in coordinator.vlmctl("study", "best", "named-two")


def test_what_people_enqueue_with_vlmctl_their_loop_tries(coordinator, proxy, tmp_path):
    study = optuna.create_study(storage=proxy, study_name="enqueued")
    coordinator.vlmctl("trial", "enqueue", "enqueued", "x=0.5", "layers=3", "kind=relu", "drop=null")
    ideas = tmp_path / "ideas.yaml"
    ideas.write_text("- {x: -1, kind: '7'}\n- {x: 77}\n")
    coordinator.vlmctl("trial", "enqueue", "enqueued", "--file", str(ideas))
    assert [t.state for t in study.trials] == [TrialState.WAITING] * 3
    assert study.trials[0].system_attrs["fixed_params"] == {"x": 0.5, "layers": 3, "kind": "relu",
                                                            "drop": None}
    assert coordinator.rdb().get_all_trials(study._study_id) == study.trials

    def objective(trial):
        trial.suggest_int("layers", 1, 9)
        trial.suggest_categorical("kind", ["relu", "gelu", "7"])
        trial.suggest_categorical("drop", [None, 0.5])
        return trial.suggest_float("x", -2, 2)

    study.optimize(objective, n_trials=3)
    assert study.trials[0].params == {"x": 0.5, "layers": 3, "kind": "relu", "drop": None}
    assert study.trials[1].params["x"] == -1 and study.trials[1].params["kind"] == "7"
    assert study.trials[2].params["x"] == 77  # Optuna warns and takes it.


def test_dashboard_over_the_proxy(coordinator, proxy):
    study = optuna.create_study(storage=proxy, study_name="dash")
    study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=3)
    app = optuna_dashboard.wsgi(coordinator.proxy())

    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *args):
            pass

    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def call(path, method="GET", body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}{path}", method=method,
                                         data=body and json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response) if response.status != 204 else None

    try:
        assert "dash" in [s["study_name"] for s in call("/api/studies")["study_summaries"]]
        detail = call(f"/api/studies/{study._study_id}")
        assert [t["state"] for t in detail["trials"]] == ["Complete"] * 3
        call(f"/api/studies/{study._study_id}/note", "PUT", {"body": "hello", "version": 1})
        assert "hello" in json.dumps(proxy.get_study_system_attrs(study._study_id))
        renamed = call(f"/api/studies/{study._study_id}/rename", "POST", {"study_name": "renamed"})
        assert renamed["study_id"] > study._study_id
        assert len(proxy.get_all_trials(renamed["study_id"])) == 3
    finally:
        server.shutdown()
        server.server_close()
