"""The connection: deadlines, retries with the same request id, errors as exceptions."""
import time
import uuid

import grpc

from vlmctl import errors
from vlmctl._proto.vlm.v1 import control_pb2, control_pb2_grpc

# As the coordinator's own programs; see common/channel.h.
_OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
]
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


class Rpc:
    """One channel to a coordinator. Thread-safe."""

    def __init__(self, addr, token, timeout_s, retry_s):
        self._channel = grpc.insecure_channel(addr, options=_OPTIONS)
        self._stub = control_pb2_grpc.ControlStub(self._channel)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._timeout_s = timeout_s
        self._retry_s = retry_s

    def close(self):
        self._channel.close()

    def call(self, method, request):
        """A unary call. One that changes something gets a request id, so that it may be sent again
        while nobody answers; the coordinator does it once."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid.uuid4())
        return self._until_answered(lambda: getattr(self._stub, method)(
            request, timeout=self._timeout_s, metadata=self._metadata))

    def upload(self, method, header, parts):
        """A client stream without a deadline; parts() gives its messages, once for each time that it
        is sent. The first one holds `header`, which gets the request id."""
        header.request_id = str(uuid.uuid4())
        return self._until_answered(lambda: getattr(self._stub, method)(
            parts(), metadata=self._metadata))

    def _until_answered(self, send):
        give_up = time.monotonic() + self._retry_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return send()
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() + pause > give_up:
                    raise _translate(error) from None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def stream(self, method, request):
        """A server stream without a deadline; raises errors of this package."""
        call = getattr(self._stub, method)(request, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise _translate(error) from None
        finally:
            call.cancel()


def _translate(error):
    """A refused configuration carries a list of its faults."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and error.code() == grpc.StatusCode.INVALID_ARGUMENT:
            details = control_pb2.ValidateResponse()
            try:
                details.ParseFromString(value)
            except Exception:  # pylint: disable=broad-except  # Somebody else's details.
                break
            from vlmctl.resources import ConfigIssue
            return errors.InvalidConfig(error.details(),
                                        [ConfigIssue.of(issue) for issue in details.issues])
    return errors.from_rpc(error)
