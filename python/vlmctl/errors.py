"""What can go wrong, one class for each way to react."""
import grpc


class VlmError(Exception):
    """An answer of the coordinator other than success; `code` is gRPC's."""

    def __init__(self, message, code=grpc.StatusCode.UNKNOWN):
        super().__init__(message)
        self.code = code


class NotFound(VlmError):
    """No such study or trial."""


class AlreadyExists(VlmError):
    """A study of that name is there."""


class InvalidArgument(VlmError):
    """A value that the call does not take; the message names it."""


class InvalidConfig(InvalidArgument):
    """The configuration is wrong; `issues` names every fault with its line and remedy."""

    def __init__(self, message, issues):
        super().__init__(message, grpc.StatusCode.INVALID_ARGUMENT)
        self.issues = issues


class WrongState(VlmError):
    """The study or trial is in a state in which this cannot be done."""


class BudgetUsedUp(VlmError):
    """The study grants no more trials."""


class Unavailable(VlmError):
    """Nobody answered within the time of retries."""


class DeadlineExceeded(VlmError):
    """No answer in time. The outcome is not known: the same call with the same request id tells."""


class Pruned(Exception):
    """Raise it in an objective to end its trial as pruned."""


_CLASSES = {
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.FAILED_PRECONDITION: WrongState,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}


def from_rpc(error):
    """The exception for a grpc.RpcError."""
    return _CLASSES.get(error.code(), VlmError)(error.details() or str(error.code()), error.code())
