"""Studies to and from files: Optuna databases, JSON and CSV, as `vlmctl study export` and `import`."""
import os
import pathlib

from google.protobuf import json_format

from vlmctl._proto.vlm.v1 import control_pb2, study_pb2
from vlmctl.trials_csv import trials_from_csv, trials_to_csv

FORMATS = ("csv", "json", "optuna-db")
_ENDINGS = {".csv": "csv", ".json": "json", ".db": "optuna-db", ".sqlite": "optuna-db",
            ".sqlite3": "optuna-db"}
_PIECE = 1 << 20
_TRIALS_BYTES = 8 << 20  # Of trials in one message, about.


def format_of(path, given):
    if given:
        if given not in FORMATS:
            raise ValueError(f"format is one of {', '.join(FORMATS)}, not {given!r}")
        return given
    found = _ENDINGS.get(pathlib.Path(path).suffix)
    if found is None:
        raise ValueError(f"{str(path)!r} does not say what it is; give format= one of "
                         + ", ".join(FORMATS))
    return found


def write_whole(path, data):
    """Written aside and moved into place."""
    path = pathlib.Path(path)
    aside = path.with_name(f"{path.name}.part{os.getpid()}")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def to_json(study, spec, trials):
    whole = control_pb2.WholeStudy(study=study, spec=spec, trials=trials)
    return json_format.MessageToJson(whole, preserving_proto_field_name=True, indent=1) + "\n"


def from_json(text):
    whole = control_pb2.WholeStudy()
    try:
        json_format.Parse(text, whole)
    except json_format.ParseError as error:
        raise ValueError(f"not an export of a study: {error}") from None
    if not whole.trials and not whole.HasField("study"):
        raise ValueError("not an export of a study: it has no study and no trials")
    return whole


def to_csv(study, trials):
    return trials_to_csv(trials, max(1, len(study.directions)))


def check_database(path):
    """ValueError: no SQLite database, or one that another program is writing."""
    with open(path, "rb") as file:
        if not file.read(16) == b"SQLite format 3\0":
            raise ValueError(f"{path} is no SQLite database")
    log = pathlib.Path(f"{path}-wal")
    if log.exists() and log.stat().st_size > 0:
        raise ValueError(f"{log} holds changes that are not in the database yet: another program has "
                         "it open. Close that, or copy the file with SQLite's backup")


def database_parts(header, path):
    yield control_pb2.ImportStudyRequest(header=header)
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            yield control_pb2.ImportStudyRequest(database=piece)


def trial_parts(header, trials):
    yield control_pb2.ImportStudyRequest(header=header)
    part = control_pb2.ImportStudyRequest()
    size = 0
    for trial in trials:
        part.trials.trials.append(trial)
        size += trial.ByteSize()
        if size >= _TRIALS_BYTES:
            yield part
            part = control_pb2.ImportStudyRequest()
            size = 0
    if size:
        yield part


def read_file(path, kind, header, space):
    """The parts of an import of JSON or CSV; what the file says completes the header."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    try:
        if kind == "csv":
            trials, objectives = trials_from_csv(text, space)
            while not header.append and len(header.directions) < objectives:
                header.directions.append(study_pb2.DIRECTION_MINIMIZE)
        else:
            whole = from_json(text)
            trials = whole.trials
            if not header.append:
                header.directions.extend([] if header.directions else whole.study.directions)
                header.metric = header.metric or whole.study.metric
            header.study = header.study or whole.study.name
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not header.study:
        raise ValueError("the file names no study; give name= or into=")
    return trial_parts(header, trials)
