"""A trial that this program trains."""
import math

from vlmctl.resources import Trial


class AskedTrial:
    """From Client.ask(). Ends with tell(), or as a context manager:

        with client.ask("demo") as trial:
            for step, loss in enumerate(train(**trial.params)):
                if trial.report(step, loss):
                    trial.tell(state="pruned")
                    break
            else:
                trial.tell(loss)

    An exception inside ends it as failed, Pruned as pruned; both leave the block.
    """

    def __init__(self, client, trial):
        self._client = client
        self._trial = trial
        self._told = None

    @property
    def trial(self) -> Trial:
        """The trial as it was when it was asked, and once it is told as it ended."""
        return self._told or self._trial

    @property
    def number(self) -> int:
        return self._trial.number

    @property
    def params(self):
        return dict(self._trial.params)

    @property
    def told(self) -> bool:
        return self._told is not None

    def report(self, step, value) -> bool:
        """Stores an intermediate value; True: stop and tell state="pruned". A step's first value
        stays."""
        return self._client.report(self._trial.trial_id, step, value)

    def tell(self, values=None, state=None, *, constraints=()) -> Trial:
        """Ends the trial: with a value (or one an objective) as complete unless `state` is "pruned"
        or "fail". A value of NaN ends it as failed. `constraints` say by how much each one is
        violated, 0 or less if it holds; a study that names constraints wants one for each."""
        self._told = self._client.tell(self._trial.trial_id, values, state, constraints=constraints)
        return self._told

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        from vlmctl.errors import Pruned
        if self.told:
            return
        if error is None:
            self.tell(state="fail")
            raise RuntimeError(f"trial {self.number} was never told a value and has failed")
        self.tell(state="pruned" if isinstance(error, Pruned) else "fail")


def as_values(values, state):
    """What a caller gave as (list of floats, state)."""
    if values is None:
        numbers = []
    elif hasattr(values, "__iter__"):
        numbers = [float(v) for v in values]
    else:
        numbers = [float(values)]
    if state is None:
        state = "complete"
        if values is None or any(math.isnan(v) for v in numbers):
            state = "fail"
    if state == "fail":
        numbers = []
    if state not in ("complete", "pruned", "fail"):
        raise ValueError(f'state is "complete", "pruned" or "fail", not {state!r}')
    return numbers, state
