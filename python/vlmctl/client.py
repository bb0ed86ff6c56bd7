"""The client: studies, trials, search as a service."""
import json
import os
import pathlib
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Union

import grpc

from vlmctl import errors, exchange
from vlmctl._proto.vlm.v1 import control_pb2, study_pb2
from vlmctl.asked import AskedTrial, as_values
from vlmctl.frame import trials_frame
from vlmctl.resources import ConfigIssue, Event, Imported, Study, Trial, to_param_value
from vlmctl.rpc import Rpc

TrialId = Union[int, str]  # A trial_id, or "study/number".
Config = Union[str, "os.PathLike[str]", Mapping[str, Any]]


def connect(addr: Optional[str] = None, *, token: Optional[str] = None, timeout_s: float = 30,
            retry_s: float = 30) -> "Client":
    """A client of the coordinator at "host:port" or "unix:/path"; without one of $VLMCTL_ADDR.

    Connects with the first call. `timeout_s` bounds each call; while nobody answers, a call is sent
    again for `retry_s`, and whatever it changes is changed once.
    """
    addr = addr or os.environ.get("VLMCTL_ADDR")
    if not addr:
        raise ValueError("no coordinator: connect(\"host:port\"), or set VLMCTL_ADDR")
    return Client(Rpc(addr, token, timeout_s, retry_s))


class Client:
    """Thread-safe. A context manager; close() ends the connection."""

    def __init__(self, rpc: Rpc):
        self._rpc = rpc

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._rpc.close()

    # Studies.

    def submit(self, config: Config, *, name: str = "", overrides: Sequence[str] = (),
               paused: bool = False, exist_ok: bool = False, strict: bool = False) -> Study:
        """Makes a study out of a configuration: a path, or the file's content as a dict.

        InvalidConfig names every fault; AlreadyExists unless `exist_ok`.
        """
        text, path = _read_config(config)
        request = control_pb2.SubmitRequest(
            config_text=text, config_path=path, overrides=overrides, name=name, paused=paused,
            if_not_exists=exist_ok, strict=strict, owner=_login())
        return Study.of(self._rpc.call("Submit", request).study)

    def validate(self, config: Config, *, overrides: Sequence[str] = (),
                 strict: bool = False) -> List[ConfigIssue]:
        """Faults and warnings of a configuration; empty if there are none."""
        text, path = _read_config(config)
        request = control_pb2.ValidateRequest(config_text=text, config_path=path,
                                              overrides=overrides, strict=strict)
        return [ConfigIssue.of(issue) for issue in self._rpc.call("Validate", request).issues]

    def study(self, study: str = "") -> Study:
        """By name, number or unique prefix; without one the active or newest study."""
        return Study.of(self._rpc.call("GetStudy", control_pb2.GetStudyRequest(study=study)).study)

    def studies(self, *, active_only: bool = False) -> List[Study]:
        """All studies, newest first."""
        request = control_pb2.ListStudiesRequest(active_only=active_only)
        return [Study.of(m) for m in self._pages("ListStudies", request, "studies")]

    def pause(self, study: str) -> Study:
        return self._update(study, action=control_pb2.UpdateStudyRequest.ACTION_PAUSE)

    def resume(self, study: str) -> Study:
        return self._update(study, action=control_pb2.UpdateStudyRequest.ACTION_RESUME)

    def cancel(self, study: str) -> Study:
        return self._update(study, action=control_pb2.UpdateStudyRequest.ACTION_CANCEL)

    def edit(self, study: str, *, n_trials: Optional[int] = None,
             timeout_s: Optional[float] = None, parallelism: Optional[int] = None,
             search_space: Optional[Mapping[str, Any]] = None) -> Study:
        """Changes the budget, or ranges of the search space, also of a running study; ranges as in
        the configuration, such as {"learning_rate": {"type": "float", "low": 1e-5, "high": 1e-3}}."""
        given = {"n_trials": n_trials, "timeout_s": timeout_s, "parallelism": parallelism}
        if search_space:
            given["search_space"] = [f"{name}={json.dumps(value, allow_nan=False)}"
                                     for name, value in search_space.items()]
        return self._update(study, **{k: v for k, v in given.items() if v is not None})

    def delete(self, study: str, *, cancel: bool = False, purge: bool = False) -> None:
        """For some days restore() undoes it, unless `purge`. WrongState while attempts run, unless
        `cancel`."""
        self._rpc.call("DeleteStudy", control_pb2.DeleteStudyRequest(study=study, cancel=cancel,
                                                                     purge=purge))

    def restore(self, study: str, *, name: str = "") -> Study:
        """A deleted study comes back, with its ids; an active one paused."""
        request = control_pb2.RestoreStudyRequest(study=study, name=name)
        return Study.of(self._rpc.call("RestoreStudy", request).study)

    # Files.

    def export(self, study: str, path: Union[str, "os.PathLike[str]"], *, format: str = "") -> None:
        """Writes a study as an Optuna database ("optuna-db"), "json" or "csv", by the file's ending
        unless `format` says it."""
        kind = exchange.format_of(path, format)
        if kind == "optuna-db":
            request = control_pb2.ExportStudyRequest(study=study)
            pieces = [piece.database for piece in self._rpc.stream("ExportStudy", request)]
            return exchange.write_whole(path, b"".join(pieces))
        found = self._rpc.call("GetStudy", control_pb2.GetStudyRequest(study=study))
        request = control_pb2.ListTrialsRequest(study=found.study.name)
        trials = list(self._pages("ListTrials", request, "trials"))
        text = (exchange.to_csv(found.study, trials) if kind == "csv"
                else exchange.to_json(found.study, found.spec, trials))
        exchange.write_whole(path, text.encode())

    def import_study(self, path: Union[str, "os.PathLike[str]"], *, name: str = "", into: str = "",
                     format: str = "", source_study: str = "", directions: Sequence[str] = (),
                     metric: str = "") -> Imported:
        """Adds the ended trials of an Optuna database, a CSV or an export: to a new study `name`, or
        `into` one that exists, whose budget grows by them. All or nothing. `source_study` names one of
        several in a database; `directions` and `metric` are of a new study. ValueError: the file is
        not what it should be."""
        kind = exchange.format_of(path, format)
        if name and into:
            raise ValueError("give name= for a new study or into= for one that exists")
        if into and (directions or metric):
            raise ValueError("directions= and metric= are for a new study; into= adds to one that has "
                             "them")
        header = control_pb2.ImportStudyRequest.Header(
            study=name, source_study=source_study, metric=metric, owner=_login(),
            directions=[_direction(d) for d in directions])
        space = {}
        if into:
            found = self._rpc.call("GetStudy", control_pb2.GetStudyRequest(study=into))
            header.study, header.append = found.study.name, True
            space = {p.name: p.distribution for p in found.spec.search_space}
        if kind == "optuna-db":
            exchange.check_database(path)
            answer = self._rpc.upload("ImportStudy", header,
                                      lambda: exchange.database_parts(header, path))
        else:
            parts = list(exchange.read_file(path, kind, header, space))
            answer = self._rpc.upload("ImportStudy", header, lambda: iter(parts))
        return Imported(Study.of(answer.study), answer.added, answer.left_out)

    # Trials.

    def trial(self, trial: TrialId) -> Trial:
        """With its attempts and intermediate values."""
        request = control_pb2.GetTrialRequest(trial=str(trial))
        return Trial.of(self._rpc.call("GetTrial", request).trial)

    def trials(self, study: str = "", *, states: Sequence[str] = ()) -> List[Trial]:
        """By number; `states` such as "complete" or "pruned" leave the others out."""
        request = control_pb2.ListTrialsRequest(study=study, states=[_state(s) for s in states])
        return [Trial.of(m) for m in self._pages("ListTrials", request, "trials")]

    def trials_frame(self, study: str = ""):
        """All trials as a pandas frame with the columns of Optuna's trials_dataframe()."""
        found = self.study(study)
        return trials_frame(self.trials(found.name), len(found.directions))

    def best(self, study: str = "") -> Trial:
        """The best complete trial of a study with one objective that violates no constraint.
        WrongState: there is none yet."""
        return self.best_trials(study, 1)[0]

    def best_trials(self, study: str = "", count: int = 1) -> List[Trial]:
        """The best so many, best first; of several objectives the Pareto front."""
        request = control_pb2.BestTrialsRequest(study=study, count=count)
        return [Trial.of(m) for m in self._rpc.call("BestTrials", request).trials]

    def importance(self, study: str = "", *, objective: Optional[int] = None,
                   evaluator: str = "ped-anova") -> Dict[str, float]:
        """How much each parameter mattered, most important first: for reaching the best trials
        ("ped-anova") or for the value ("fanova", of one objective)."""
        if evaluator not in ("ped-anova", "fanova"):
            raise ValueError(f'evaluator is "ped-anova" or "fanova", not {evaluator!r}')
        kind = "EVALUATOR_" + evaluator.upper().replace("-", "_")
        request = control_pb2.GetImportanceRequest(study=study, evaluator=kind)
        if objective is not None:
            request.objective = objective
        return {m.name: m.value for m in self._rpc.call("GetImportance", request).importances}

    def enqueue(self, study: str, params: Mapping[str, Any]) -> Trial:
        """A trial with these values waits to be run next; names left out are sampled. In a study
        of another program, such as one of Optuna's, the values may be any: its own loop takes them."""
        request = control_pb2.EnqueueTrialRequest(study=study)
        for name, value in params.items():
            request.params[name].CopyFrom(to_param_value(value))
        return Trial.of(self._rpc.call("EnqueueTrial", request).trial)

    def stop(self, trial: TrialId) -> Trial:
        request = control_pb2.StopTrialRequest(trial=str(trial))
        return Trial.of(self._rpc.call("StopTrial", request).trial)

    def retry(self, trial: TrialId) -> Trial:
        """Runs an ended trial's configuration again, as a new trial."""
        request = control_pb2.RetryTrialRequest(trial=str(trial))
        return Trial.of(self._rpc.call("RetryTrial", request).trial)

    # Search as a service.

    def ask(self, study: str) -> AskedTrial:
        """The next trial for this program to train. BudgetUsedUp: there is none."""
        try:
            answer = self._rpc.call("Ask", control_pb2.AskRequest(study=study))
        except errors.VlmError as error:
            if error.code == grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise errors.BudgetUsedUp(str(error), error.code) from None
            raise
        return AskedTrial(self, Trial.of(answer.trial))

    def tell(self, trial: TrialId, values=None, state: Optional[str] = None, *,
             constraints: Sequence[float] = ()) -> Trial:
        """Ends an asked trial; see AskedTrial.tell."""
        numbers, state = as_values(values, state)
        request = control_pb2.TellRequest(trial=str(trial), state=_state(state), values=numbers,
                                          constraints=[float(c) for c in constraints])
        return Trial.of(self._rpc.call("Tell", request).trial)

    def report(self, trial: TrialId, step: int, value: float) -> bool:
        """Stores an intermediate value of an asked trial; True: it should be pruned."""
        request = control_pb2.ReportValueRequest(trial=str(trial), step=step, value=float(value))
        return self._rpc.call("ReportValue", request).should_prune

    def optimize(self, study: str, objective: Callable[[AskedTrial], Any],
                 n_trials: Optional[int] = None) -> int:
        """Asks, calls `objective`, tells what it returns, until the budget is used up (or `n_trials`
        are done); returns how many. Pruned ends a trial as pruned; any other exception ends it as
        failed and goes on to the caller."""
        done = 0
        while n_trials is None or done < n_trials:
            try:
                asked = self.ask(study)
            except errors.BudgetUsedUp:
                break
            try:
                with asked:
                    value = objective(asked)
                    if not asked.told:
                        asked.tell(value)
            except errors.Pruned:
                pass
            done += 1
        return done

    def watch(self, study: str = "", *, sequence: int = 0) -> Iterator[Event]:
        """Events in commit order, those of one study until it has ended. 0 starts with the present
        state; another `sequence` goes on after that event. A lost connection is taken up again."""
        while True:
            request = control_pb2.WatchRequest(study=study, sequence=sequence)
            try:
                for answer in self._rpc.stream("Watch", request):
                    for message in answer.events:
                        event = Event.of(message)
                        yield event
                        if study and event.study is not None and event.study.ended:
                            return
                    sequence = max(sequence, answer.sequence)
            except errors.VlmError as error:
                # Cut off, or too slow a reader: both go on after the last sequence.
                if error.code not in (grpc.StatusCode.UNAVAILABLE,
                                      grpc.StatusCode.RESOURCE_EXHAUSTED):
                    raise
            self.study(study) if study else self.studies()  # Waits until it answers, or raises.

    # Parts.

    def _update(self, study, **fields) -> Study:
        request = control_pb2.UpdateStudyRequest(study=study, **fields)
        return Study.of(self._rpc.call("UpdateStudy", request).study)

    def _pages(self, method, request, field):
        while True:
            page = self._rpc.call(method, request)
            yield from getattr(page, field)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def _read_config(config):
    if isinstance(config, Mapping):
        # JSON is YAML; paths inside start at the working directory.
        return json.dumps(config, allow_nan=False), os.path.join(os.getcwd(), "study.yaml")
    path = pathlib.Path(config)
    return path.read_text(encoding="utf-8"), str(path.resolve())


def _state(name):
    try:
        return study_pb2.TrialState.Value(f"TRIAL_STATE_{name.upper()}")
    except ValueError:
        raise ValueError(f"{name!r} is no trial state; there are waiting, running, complete, "
                         "pruned and fail") from None


def _direction(name):
    if name not in ("minimize", "maximize"):
        raise ValueError(f"{name!r} is neither minimize nor maximize")
    return study_pb2.Direction.Value(f"DIRECTION_{name.upper()}")


def _login():
    import getpass
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
