"""Trials as a pandas frame, with the columns of Optuna's trials_dataframe()."""


def trials_frame(trials, objectives):
    """One row a trial. ImportError: pandas is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("trials_frame() needs pandas: pip install pandas") from error
    values = ["value"] if objectives == 1 else [f"values_{i}" for i in range(objectives)]
    rows = []
    for trial in trials:
        row = {"number": trial.number}
        for i, name in enumerate(values):
            row[name] = trial.values[i] if i < len(trial.values) else None
        row["datetime_start"] = trial.start_time
        row["datetime_complete"] = trial.end_time
        row["duration"] = (trial.end_time - trial.start_time
                           if trial.start_time and trial.end_time else None)
        row.update({f"params_{name}": value for name, value in trial.params.items()})
        row.update({f"user_attrs_{name}": value for name, value in trial.user_attributes.items()})
        row["state"] = trial.state.upper()
        rows.append(row)
    frame = pandas.DataFrame(rows)
    if frame.empty:
        return pandas.DataFrame(columns=["number", *values, "datetime_start", "datetime_complete",
                                         "duration", "state"])
    params = sorted(c for c in frame.columns if c.startswith("params_"))
    attributes = sorted(c for c in frame.columns if c.startswith("user_attrs_"))
    for column in values:
        frame[column] = frame[column].astype(float)
    for column in ("datetime_start", "datetime_complete"):
        frame[column] = pandas.to_datetime(frame[column], utc=True)
    frame["duration"] = pandas.to_timedelta(frame["duration"])
    return frame[["number", *values, "datetime_start", "datetime_complete", "duration", *params,
                  *attributes, "state"]]
