"""A model that runs in another process of this machine: the client's side."""

import socket
import threading
import time
from collections.abc import Callable
from os import PathLike, fspath

from .._errors import InvalidData, InvalidValue, TimedOut
from ._engine import Spec
from ._fail import failure
from ._found import Array, Found, Wanted
from ._wire import MOST_PICTURES, found_of, read, request_message, send, spec_of

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0
# A server that says nothing for so long is no server: a model takes less for a batch.
_SILENCE_S = 60.0


class Remote:
    """A model of a server on a Unix socket. Where the server is gone, it is waited for."""

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        timeout: float | None = None,
        say: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = fspath(path)
        # A path of a socket is at most 107 bytes long on Linux.
        if len(self._path.encode()) > 100:
            cause = "the path of a socket has at most 100 bytes"
            raise failure(InvalidValue, "options", cause, url=self._path)
        self._timeout = timeout
        self._say = say or (lambda text: None)
        self._sleep, self._clock = sleep, clock
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._spec: Spec | None = None
        self.spec = self._connect()

    def _try(self) -> Spec:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_SILENCE_S)
            connection.connect(self._path)
            hello = read(connection)
            if "error" in hello:
                raise ConnectionRefusedError(str(hello["error"]))
            spec = spec_of(hello)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return spec

    def _connect(self) -> Spec:
        """Connect, however long that takes."""
        until = None if self._timeout is None else self._clock() + self._timeout
        wait, was_told = _FIRST_WAIT_S, False
        while True:
            try:
                spec = self._try()
                break
            except (OSError, EOFError) as error:
                if not was_told:
                    reason = getattr(error, "strerror", None) or str(error) or "it closed"
                    self._say(f"waiting for the model's server at {self._path}: {reason.lower()}")
                    was_told = True
                if until is not None and self._clock() >= until:
                    cause = f"no server of a model within {self._timeout:g} s"
                    hint = f"python3 -m frameloom.detect --serve {self._path} MODEL.onnx"
                    raise failure(TimedOut, "process", cause, url=self._path, hint=hint) from None
            self._sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
        if self._spec is not None and spec != self._spec:
            self.close()
            cause = "the server has another model now"
            raise failure(InvalidData, "process", cause, url=self._path)
        if was_told:
            self._say(f"connected to the model's server at {self._path}")
        self._spec = spec
        return spec

    def run(self, tensors: Array, wanted: Wanted) -> list[Found]:
        """Return what was found on each of some pictures of one size."""
        found: list[Found] = []
        with self._lock:
            for start in range(0, len(tensors), MOST_PICTURES):
                found += self._ask(tensors[start : start + MOST_PICTURES], wanted)
        return found

    def _ask(self, tensors: Array, wanted: Wanted) -> list[Found]:
        while True:
            if self._connection is None:
                self._connect()
            assert self._connection is not None
            try:
                send(self._connection, request_message(tensors, wanted), tensors)
                return found_of(read(self._connection), len(tensors))
            except (OSError, EOFError):
                # The server is gone, with what it had of this: it is asked again when it is back.
                self.close()

    def close(self) -> None:
        """Close the connection; the next picture opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
