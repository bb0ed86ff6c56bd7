"""Client of vlm-coordinator.

    import vlmctl
    with vlmctl.connect("localhost:7747") as client:
        client.submit("config.yaml", name="demo")
        client.optimize("demo", lambda trial: train(**trial.params))
        print(client.best("demo").values)
"""
from vlmctl.client import AskedTrial, Client, connect
from vlmctl.errors import (AlreadyExists, BudgetUsedUp, DeadlineExceeded, InvalidArgument,
                           InvalidConfig, NotFound, Pruned, Unavailable, VlmError, WrongState)
from vlmctl.resources import Attempt, ConfigIssue, Event, Imported, Study, Trial

__version__ = "0.1.0"
__all__ = [
    "AlreadyExists", "AskedTrial", "Attempt", "BudgetUsedUp", "Client", "ConfigIssue",
    "DeadlineExceeded", "Event", "Imported", "InvalidArgument", "InvalidConfig", "NotFound", "Pruned",
    "Study", "Trial", "Unavailable", "VlmError", "WrongState", "connect",
]
