"""Studies, trials and events as plain read-only objects: snapshots, not live views."""
import dataclasses
import datetime
import json
from typing import Any, Dict, List, Optional

from vlmctl._proto.vlm.v1 import study_pb2


def _time(stamp, is_set) -> Optional[datetime.datetime]:
    if not is_set:
        return None
    return stamp.ToDatetime(tzinfo=datetime.timezone.utc)


def _name(enum, number, prefix) -> str:
    return enum.Name(number)[len(prefix):].lower()


def param_value(value) -> Any:
    """A ParamValue as the Python value that it stands for."""
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "json_value":
        return json.loads(value.json_value)
    return getattr(value, kind)


def to_param_value(value) -> study_pb2.ParamValue:
    """And back. TypeError: a type that no parameter has."""
    if hasattr(value, "item"):  # numpy's scalars
        value = value.item()
    if value is None:
        return study_pb2.ParamValue(null_value=True)
    if isinstance(value, bool):
        return study_pb2.ParamValue(bool_value=value)
    if isinstance(value, int):
        return study_pb2.ParamValue(int_value=value)
    if isinstance(value, float):
        return study_pb2.ParamValue(float_value=value)
    if isinstance(value, str):
        return study_pb2.ParamValue(string_value=value)
    raise TypeError(f"a parameter is a number, a string, a bool or None, not {type(value).__name__}")


@dataclasses.dataclass(frozen=True)
class Study:
    study_id: int
    name: str
    state: str                 # active, paused, completed, cancelled, failed
    reason: str
    directions: List[str]      # minimize or maximize, one an objective
    metric: str
    metrics: List[str]         # with several objectives: what each value is
    n_trials: int
    timeout_s: float           # 0: none
    parallelism: int           # 0: as many as there are slots
    counts: Dict[str, int]     # of trials, by state
    best_value: Optional[float]
    best_trial_number: Optional[int]
    owner: str
    create_time: Optional[datetime.datetime]
    end_time: Optional[datetime.datetime]
    elapsed_s: float

    @property
    def ended(self) -> bool:
        return self.state in ("completed", "cancelled", "failed")

    @staticmethod
    def of(message) -> "Study":
        best = message.HasField("best_value")
        counts = message.counts
        return Study(
            message.study_id, message.name,
            _name(study_pb2.StudyState, message.state, "STUDY_STATE_"), message.reason,
            [_name(study_pb2.Direction, d, "DIRECTION_") for d in message.directions],
            message.metric, list(message.metrics), message.n_trials, message.timeout_s, message.parallelism,
            {k: getattr(counts, k) for k in ("waiting", "running", "complete", "pruned", "fail")},
            message.best_value if best else None, message.best_trial_number if best else None,
            message.owner, _time(message.create_time, message.HasField("create_time")),
            _time(message.end_time, message.HasField("end_time")), message.elapsed_s)


@dataclasses.dataclass(frozen=True)
class Attempt:
    number: int
    state: str
    failure_class: str  # empty: none
    reason: str


@dataclasses.dataclass(frozen=True)
class Trial:
    trial_id: int
    study_id: int
    number: int
    state: str  # waiting, running, complete, pruned, fail
    reason: str
    params: Dict[str, Any]
    values: List[float]
    intermediate_values: Dict[int, float]
    last_points: Dict[str, float]   # newest point of each series
    last_step: Optional[int]
    checkpoint_id: Optional[str]
    start_time: Optional[datetime.datetime]
    end_time: Optional[datetime.datetime]
    user_attributes: Dict[str, Any]
    attempts: List[Attempt]         # only of Client.trial()
    infeasible: bool                # it violates a constraint

    @property
    def value(self) -> Optional[float]:
        """The value of a study with one objective."""
        return self.values[0] if self.values else None

    @property
    def ended(self) -> bool:
        return self.state in ("complete", "pruned", "fail")

    @staticmethod
    def of(m) -> "Trial":
        return Trial(
            m.trial_id, m.study_id, m.number, _name(study_pb2.TrialState, m.state, "TRIAL_STATE_"),
            m.reason, {p.name: param_value(p.value) for p in m.params}, list(m.values),
            {v.step: v.value for v in m.intermediate_values}, dict(m.last_points),
            m.last_step if m.last_step >= 0 else None, m.checkpoint.checkpoint_id or None,
            _time(m.start_time, m.HasField("start_time")),
            _time(m.end_time, m.HasField("end_time")),
            {k: json.loads(v) for k, v in m.user_attributes.items()},
            [Attempt(a.number, _name(study_pb2.AttemptState, a.state, "ATTEMPT_STATE_"),
                     _name(study_pb2.FailureClass, a.failure_class, "FAILURE_CLASS_")
                     if a.failure_class else "", a.reason) for a in m.attempts],
            m.infeasible)


@dataclasses.dataclass(frozen=True)
class Imported:
    study: Study
    added: int     # trials
    left_out: int  # trials that have not ended


@dataclasses.dataclass(frozen=True)
class Event:
    sequence: int   # resume with Client.watch(..., sequence=...)
    kind: str       # study.created, trial.started, trial.progress, trial.pruned, ...
    message: str
    study_id: int
    trial_id: int   # 0: about no trial
    study: Optional[Study]
    trial: Optional[Trial]

    @staticmethod
    def of(m) -> "Event":
        which = m.WhichOneof("resource")
        return Event(m.sequence, m.kind, m.message, m.study_id, m.trial_id,
                     Study.of(m.study) if which == "study" else None,
                     Trial.of(m.trial) if which == "trial" else None)


@dataclasses.dataclass(frozen=True)
class ConfigIssue:
    file: str
    line: int      # 0: not in the file
    column: int
    key: str
    message: str
    suggestion: str
    warning: bool

    @staticmethod
    def of(m) -> "ConfigIssue":
        return ConfigIssue(m.file, m.line, m.column, m.key, m.message, m.suggestion, m.warning)
