"""A model that runs for several processes of this machine: the server's side."""

import json
import os
import queue
import select
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from .._errors import ConnectionFailed, Error, InvalidValue
from ._engine import Spec
from ._fail import failure, unexpected
from ._found import Array, Found, Wanted
from ._local import Local
from ._wire import (
    answer_message,
    error_message,
    read,
    read_tensors,
    send,
    spec_message,
    wanted_of,
)

MOST_CLIENTS = 64
# A batch is run with so many pictures, or this long behind its first.
BATCH = 8
BATCH_WAIT_S = 0.01
# A client that has begun to send or is to read an answer, and does nothing for so long, is gone.
_STALLED_S = 10.0
_REPORT_S = 1.0


@dataclass
class Request:
    """Some pictures of one client, and what became of them."""

    tensors: Array
    wanted: Wanted
    is_wanted: Callable[[], bool] = lambda: True
    """Whether anybody waits for it."""
    is_done: threading.Event = field(default_factory=threading.Event)
    result: list[Found] | Error | None = None

    def end(self, result: list[Found] | Error) -> None:
        """Answer it."""
        self.result = result
        self.is_done.set()

    def give_up(self) -> None:
        """Leave it unanswered: its client is gone."""
        self.end(failure(ConnectionFailed, "process", "the client is gone"))


class Batcher:
    """Runs what several clients ask for together. Each has at most one request in it."""

    def __init__(
        self,
        run: Callable[[list[tuple[Array, Wanted]]], list[list[Found] | Error]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._clock = clock
        self.clients: Callable[[], int] = lambda: MOST_CLIENTS
        """How many there are: once all of them have asked, nobody is waited for."""
        self._waiting: queue.Queue[Request] = queue.Queue(MOST_CLIENTS)
        self._next: Request | None = None
        self._lock = threading.Lock()
        self._batches, self._pictures, self._seconds = 0, 0, 0.0

    def ask(self, request: Request) -> list[Found]:
        """Wait for what a request gives. Called on the client's thread."""
        self._waiting.put(request)
        request.is_done.wait()
        if isinstance(request.result, Error):
            raise request.result
        assert request.result is not None
        return request.result

    def _take(self, timeout: float) -> Request | None:
        try:
            return self._waiting.get(timeout=timeout) if timeout > 0 else self._waiting.get_nowait()
        except queue.Empty:
            return None

    def _next_wanted(self, timeout: float) -> Request | None:
        """Return the next request of those whose clients are still there."""
        while (request := self._take(timeout)) is not None and not request.is_wanted():
            request.give_up()
        return request

    def collect(self, idle: float) -> list[Request]:
        """Return what is run together: pictures of one size, the one that waits longest first."""
        first, self._next = self._next, None
        if first is not None and not first.is_wanted():
            first.give_up()
            first = None
        first = first or self._next_wanted(idle)
        if first is None:
            return []
        batch, count = [first], len(first.tensors)
        until = self._clock() + BATCH_WAIT_S
        while count < BATCH and len(batch) < self.clients():
            request = self._next_wanted(until - self._clock())
            if request is None:
                break
            count += len(request.tensors)
            if count > BATCH or request.tensors.shape[1:] != first.tensors.shape[1:]:
                self._next = request
                break
            batch.append(request)
        return batch

    def step(self, idle: float = 0.1) -> bool:
        """Run one batch, if somebody asks within `idle` seconds."""
        batch = self.collect(idle)
        if not batch:
            return False
        start = self._clock()
        results = self._results(batch)
        with self._lock:
            self._batches += 1
            self._pictures += sum(len(request.tensors) for request in batch)
            self._seconds += self._clock() - start
        for request, result in zip(batch, results, strict=True):
            request.end(result)
        return True

    def _results(self, batch: list[Request]) -> list[list[Found] | Error]:
        """Run it. Whatever it fails with is the answer to it: other batches come after it."""
        try:
            return self._run([(request.tensors, request.wanted) for request in batch])
        except Exception as error:
            return [unexpected(error)] * len(batch)

    def report(self) -> dict[str, float | int | None]:
        """Return what was done since this was asked last."""
        with self._lock:
            batches, pictures, seconds = self._batches, self._pictures, self._seconds
            self._batches, self._pictures, self._seconds = 0, 0, 0.0
        waiting = self._waiting.qsize() + (self._next is not None)
        per_batch = round(seconds / batches * 1000, 3) if batches else None
        return {"queue": waiting, "batches": batches, "frames": pictures, "batch_ms": per_batch}


class Server:
    """Listens on a Unix socket, with a thread for each client."""

    def __init__(self, path: str, spec: Spec, batcher: Batcher) -> None:
        self._path = path
        self._spec = spec
        self._batcher = batcher
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = _listen(path)
        self._is_closed = False
        batcher.clients = lambda: self.clients

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def start(self) -> None:
        """Accept clients from now on, on a thread of its own."""
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                # Out of descriptors, for one; or it was closed.
                time.sleep(0.1)
                continue
            with self._lock:
                is_full = len(self._clients) >= MOST_CLIENTS
                if not is_full:
                    self._clients.add(client)
            if is_full:
                _refuse(client)
            else:
                name = f"client {client.fileno()}"
                threading.Thread(target=self._serve, args=(client,), name=name, daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(_STALLED_S)
            send(client, spec_message(self._spec))
            while True:
                self._answer(client)
        except (OSError, EOFError):
            # It is gone: the others go on.
            pass
        except Exception as error:
            # It does what no client does, or asks for too much. What else it sent stays unread.
            with suppress(OSError):
                send(client, error_message(error))
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _answer(self, client: socket.socket) -> None:
        """Wait for a request, however long the client has none, and answer it."""
        client.settimeout(None)
        if not client.recv(1, socket.MSG_PEEK):
            raise EOFError
        client.settimeout(_STALLED_S)
        message = read(client)
        wanted = wanted_of(message)
        tensors = read_tensors(client, message, self._spec)
        request = Request(tensors, wanted, lambda: _is_there(client))
        try:
            answer = answer_message(self._batcher.ask(request))
        except Error as error:
            answer = error_message(error)
        send(client, answer)

    def close(self) -> None:
        """Stop listening, and end all clients."""
        self._is_closed = True
        Path(self._path).unlink(missing_ok=True)
        with self._lock:
            clients = list(self._clients)
        # That wakes whoever waits for them; closing alone doesn't.
        for one in (self._listener, *clients):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _is_there(client: socket.socket) -> bool:
    """Whether the other end is open. It has nothing to say while it waits for an answer."""
    poll = select.poll()
    try:
        poll.register(client, select.POLLIN)
        return not poll.poll(0) or bool(client.recv(1, socket.MSG_PEEK))
    except (OSError, ValueError):
        return False


def _refuse(client: socket.socket) -> None:
    with suppress(OSError), client:
        client.settimeout(1.0)
        send(client, {"error": f"it has {MOST_CLIENTS} clients"})


def _listen(path: str) -> socket.socket:
    """Listen on a path that only this user may connect to."""
    if len(path.encode()) > 100:
        cause = "the path of a socket has at most 100 bytes"
        raise failure(InvalidValue, "options", cause, url=path)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError as error:
        listener.close()
        cause = (error.strerror or str(error)).lower()
        raise failure(InvalidValue, "options", cause, url=path, option="serve") from None
    finally:
        os.umask(mask)
    listener.listen(MOST_CLIENTS)
    return listener


def _remove_stale(path: str) -> None:
    """Remove a socket that a server has left which is no more."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
        except OSError:
            pass
        else:
            cause = "another server listens there"
            raise failure(InvalidValue, "options", cause, url=path, option="serve")


def serve(path: str, engine: Local) -> None:
    """Serve a model until the process is asked to end."""
    batcher = Batcher(engine.run_all)
    server = Server(path, engine.spec, batcher)
    is_ending = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        is_ending.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    server.start()
    try:
        told = time.monotonic()
        while not is_ending.is_set():
            batcher.step()
            if time.monotonic() - told >= _REPORT_S:
                told = time.monotonic()
                line = {"clients": server.clients, **batcher.report()}
                print(json.dumps(line), file=sys.stderr, flush=True)
    finally:
        server.close()
