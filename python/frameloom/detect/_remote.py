"""A model that runs in another process of this machine: the client's side."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from os import PathLike, fspath
from typing import Any

from .._errors import InvalidData, InvalidValue, TimedOut
from ._engine import Spec
from ._fail import failure
from ._found import Array, Found, Wanted
from ._wire import found_of, most_pictures, read, request_message, send, spec_of

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0
# A server that says nothing for so long is no server: a model takes less for a batch.
_SILENCE_S = 60.0
# A request that so many connections end on instead of answering it is one that the server dies of.
_MOST_TRIES = 5


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
        self.spec = self._connect(self._until())

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

    def _until(self) -> float | None:
        return None if self._timeout is None else self._clock() + self._timeout

    def _connect(self, until: float | None) -> Spec:
        """Connect, however long that takes, or until then."""
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
                    raise self._late("no server of a model") from None
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

    def _late(self, cause: str) -> TimedOut:
        hint = f"python3 -m frameloom.detect --serve {self._path} MODEL.onnx"
        cause = f"{cause} within {self._timeout:g} s"
        return failure(TimedOut, "process", cause, url=self._path, hint=hint)

    def run(self, tensors: Array, wanted: Wanted) -> list[Found]:
        """Return what was found on each of some pictures of one size."""
        found: list[Found] = []
        step = most_pictures(tensors)
        with self._lock:
            for start in range(0, len(tensors), step):
                found += self._ask(tensors[start : start + step], wanted)
        return found

    def _ask(self, tensors: Array, wanted: Wanted) -> list[Found]:
        """Ask until there is an answer. A server that is gone is asked again when it is back."""
        until, wait = self._until(), _FIRST_WAIT_S
        for number in range(_MOST_TRIES):
            if number:
                # A server that closes whatever asks it would be asked at full speed.
                self._sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)
            if self._connection is None:
                self._connect(until)
            assert self._connection is not None
            try:
                answer = self._exchange(self._connection, tensors, wanted)
            except (OSError, EOFError):
                self.close()
            except BaseException:
                # What is left on the connection is no answer to anything.
                self.close()
                raise
            else:
                return found_of(answer, len(tensors))
            if until is not None and self._clock() >= until:
                raise self._late("no answer of the model's server")
        cause = f"the model's server gave no answer to a picture, {_MOST_TRIES} times"
        raise failure(InvalidData, "process", cause, url=self._path)

    def _exchange(
        self, connection: socket.socket, tensors: Array, wanted: Wanted
    ) -> dict[str, Any]:
        # A server that refuses a request doesn't read all of it, and has said why.
        with suppress(BrokenPipeError, ConnectionResetError):
            send(connection, request_message(tensors, wanted), tensors)
        return read(connection)

    def close(self) -> None:
        """Close the connection; the next picture opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
