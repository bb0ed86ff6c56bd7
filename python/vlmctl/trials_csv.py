"""Trials as CSV with the columns of `vlmctl study export`, which are those of Optuna's
trials_dataframe(); times are RFC 3339 UTC, the duration is seconds, user attributes are JSON texts."""
import csv
import datetime
import io
import json
import math
import re

from vlmctl._proto.vlm.v1 import study_pb2
from vlmctl.resources import param_value


def _exact(number):
    """Reads back to the same number."""
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return repr(number)


def _time(stamp):
    if stamp.seconds == 0 and stamp.nanos == 0:
        return ""
    at = datetime.datetime.fromtimestamp(stamp.seconds, datetime.timezone.utc)
    fraction = f"{stamp.nanos:09}".rstrip("0")
    return f"{at:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + "Z"


def _duration(trial):
    if not trial.HasField("start_time") or not trial.HasField("end_time"):
        return ""
    start, end = trial.start_time, trial.end_time
    return _exact(((end.seconds - start.seconds) * 10**9 + end.nanos - start.nanos) / 1e9)


def _text(value):
    kind = value.WhichOneof("kind")
    if kind == "float_value":
        return _exact(value.float_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    return "null" if kind in (None, "null_value") else str(getattr(value, kind))


def trials_to_csv(trials, objectives):
    params = list(dict.fromkeys(p.name for t in trials for p in t.params))
    attributes = sorted({key for t in trials for key in t.user_attributes})
    values = ["value"] if objectives == 1 else [f"values_{i}" for i in range(objectives)]
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(["number", *values, "datetime_start", "datetime_complete", "duration",
           *(f"params_{name}" for name in params), *(f"user_attrs_{name}" for name in attributes),
           "state"])
    for trial in trials:
        given = {p.name: _text(p.value) for p in trial.params}
        told = [_exact(v) for v in trial.values] + [""] * objectives
        write([trial.number, *told[:objectives], _time(trial.start_time), _time(trial.end_time),
               _duration(trial), *(given.get(name, "") for name in params),
               *(trial.user_attributes.get(name, "") for name in attributes),
               study_pb2.TrialState.Name(trial.state)[len("TRIAL_STATE_"):]])
    return out.getvalue()


def trials_from_csv(text, space):
    """(trials, number of objectives). Needed is a column of values. Without `state` a row is COMPLETE,
    or FAIL without a value. A parameter's range is that of `space` (name: Distribution), or the
    narrowest that holds its column. ValueError names row and column."""
    try:
        table = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        rows = [row for row in table if row]
    except csv.Error as error:
        raise ValueError(f"row {table.line_num}: {error}") from None
    if not rows:
        raise ValueError("the file is empty; it needs a header")
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} fields, the header {len(header)}")
    table = [dict(zip(header, row)) for row in rows[1:]]
    values = sorted((c for c in header if c == "value" or re.fullmatch(r"values_\d+", c)),
                    key=lambda c: int(c[7:] or 0))
    if not values:
        raise ValueError('there is no column "value" (or "values_0", ...)')
    params = [c for c in header if c.startswith("params_")]
    ranges = {c: space.get(c[7:]) or _range_of([row[c] for row in table]) for c in params}
    trials = []
    for number, row in enumerate(table):
        trial = study_pb2.Trial(number=number)
        column = ""
        try:
            for column in values:
                if row[column] and not math.isnan(float(row[column])):
                    trial.values.append(float(row[column]))
            column = "state"
            state = row.get(column) or ("COMPLETE" if trial.values else "FAIL")
            trial.state = _state(state)
            for column in params:
                if row[column]:
                    trial.params.add(name=column[7:], value=_value(ranges[column], row[column]),
                                     distribution=ranges[column])
            for column in (c for c in header if c.startswith("user_attrs_")):
                if row[column]:
                    trial.user_attributes[column[11:]] = _json(row[column])
            for column, stamp in (("datetime_start", trial.start_time),
                                  ("datetime_complete", trial.end_time)):
                if row.get(column):
                    _read_time(row[column], stamp)
        except ValueError as error:
            raise ValueError(f"row {number + 2}, column {column}: {error}") from None
        trials.append(trial)
    return trials, len(values)


def _state(text):
    name = f"TRIAL_STATE_{text.upper()}"
    if name not in study_pb2.TrialState.keys() or name == "TRIAL_STATE_UNSPECIFIED":
        raise ValueError(f"{text!r} is no state; COMPLETE, PRUNED and FAIL are")
    return study_pb2.TrialState.Value(name)


def _number(text):
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(text):
    return re.fullmatch(r"\s*[+-]?\d+\s*", text) and -2**63 <= int(text) < 2**63


def _range_of(cells):
    texts = sorted({text for text in cells if text})
    numbers = [_number(text) for text in texts]
    out = study_pb2.Distribution()
    if texts and all(map(_whole, texts)):
        out.int_distribution.low, out.int_distribution.high = min(map(int, texts)), max(map(int, texts))
        out.int_distribution.step = 1
    elif texts and None not in numbers:
        out.float_distribution.low, out.float_distribution.high = min(numbers), max(numbers)
    else:
        choices = out.categorical_distribution.choices
        choices.extend(study_pb2.ParamValue(string_value=text) for text in texts)
    return out


def _value(range_, text):
    kind = range_.WhichOneof("kind")
    if kind == "int_distribution":
        if not _whole(text):
            raise ValueError(f"{text!r} is no whole number")
        return study_pb2.ParamValue(int_value=int(text))
    number = _number(text)
    if kind == "float_distribution":
        if number is None:
            raise ValueError(f"{text!r} is no finite number")
        return study_pb2.ParamValue(float_value=number)
    choices = range_.categorical_distribution.choices
    for choice in choices:
        value = param_value(choice)
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        if _text(choice) == text or numeric and number == value:
            return choice
    raise ValueError(f"{text!r} is none of the choices {', '.join(map(_text, choices))}")


def _json(text):
    """A text that is no JSON is a string."""
    try:
        json.loads(text)
        return text
    except ValueError:
        return json.dumps(text)


def _read_time(text, stamp):
    try:
        stamp.FromJsonString(text.replace(" ", "T") + ("" if re.search("[Zz+]", text) else "Z"))
    except ValueError:
        raise ValueError(f"{text!r} is no time") from None
