"""One model for several programs, over a Unix socket."""

import contextlib
import json
import signal
import socket
import struct
import subprocess as sp
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import frameloom
from frameloom.detect import Detector, _wire
from frameloom.detect._engine import Spec
from frameloom.detect._found import Found, Preparation, Wanted
from frameloom.detect._local import Local
from frameloom.detect._remote import Remote
from frameloom.detect._serve import BATCH, Batcher, Request, _is_there
from frameloom.detect._wire import answer_message, read, read_tensors, send, spec_message

from .conftest import LIMIT_S, ROOT, wait_until
from .graphs import Output, save

Array = npt.NDArray[Any]
FACES = ROOT / "target" / "test-media" / "centerface.onnx"
CELLS = 80 * 80 + 40 * 40 + 20 * 20
RED = np.tile(np.array([200, 0, 0], np.uint8), (640, 640, 1))
BLACK = np.zeros((640, 640, 3), np.uint8)
WANTED = {"conf": 0.4, "iou": None, "classes": None}
SPEC = Spec(
    name="m.onnx",
    title="any",
    device="cpu",
    preparation=Preparation(fit="stretch"),
    labels=("fish",),
    classes=1,
    size=None,
    longest=1024,
    dtype="float32",
    layout="NCHW",
)


class Served:
    """A program with `--serve`, and what it has said."""

    def __init__(self, path: Path, model: Path) -> None:
        command = [sys.executable, "-m", "frameloom.detect", "--serve", str(path), str(model)]
        self.process = sp.Popen(command, stderr=sp.PIPE, text=True)
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as said:
            self.lines.extend(said)

    def reports(self, since: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines[since:] if line.startswith("{")]

    def wait_for(self, what: str, is_so: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for a report that was made later than now."""
        # The next one may have been made before, and not been read.
        since = len(self.lines) + 1

        def was_said() -> bool:
            assert self.process.poll() is None, self.lines
            return any(is_so(report) for report in self.reports(since))

        wait_until(what, was_said)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        status = self.process.wait(LIMIT_S)
        self.reader.join()
        return status


@pytest.fixture
def serve() -> Iterator[Callable[[Path, Path], Served]]:
    started: list[Served] = []

    def start(path: Path, model: Path) -> Served:
        started.append(Served(path, model))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        one.reader.join()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the path of a model whose score is how red a picture is."""
    fixed, share = np.zeros((6, CELLS), np.float32), np.zeros((6, CELLS), np.float32)
    fixed[:4, 3] = 320, 320, 200, 100
    share[4, 3] = 1
    names = {"names": "{0: 'fish', 1: 'fowl'}"}
    return save(tmp_path / "m.onnx", {"o": Output(fixed, share)}, metadata=names)


def test_it_finds_what_the_model_finds(
    tmp_path: Path, model: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path = tmp_path / "socket"
    served = serve(path, model)
    with Detector.from_socket(path) as detector, Detector.from_socket(path, conf=0.9) as other:
        assert detector.labels == ("fish", "fowl")
        assert detector.summary == Detector(model).summary
        assert list(detector(RED)) == list(Detector(model)(RED)) != []
        assert [len(one) for one in detector.batch([BLACK, RED, RED])] == [0, 1, 1]
        assert len(other(RED)) == 0
        served.wait_for("both are connected", lambda report: report["clients"] == 2)
        with pytest.raises(frameloom.InvalidValue, match="no class 'foul'") as kept:
            Detector.from_socket(path, classes=["foul"])
        # It is gone though its error is kept, and with that all that it was raised in.
        served.wait_for("both are left", lambda report: report["clients"] == 2)
        assert kept.tb is not None
    served.wait_for("both are gone", lambda report: report["clients"] == 0)
    wait_until("all were counted", lambda: sum(one["frames"] for one in served.reports()) == 5)
    assert served.end() == 0
    assert not path.exists()
    reports = served.reports()
    assert all(set(one) == {"clients", "queue", "batches", "frames", "batch_ms"} for one in reports)
    assert any(one["batch_ms"] is not None and one["batch_ms"] > 0 for one in reports)


def test_pictures_of_any_shape_and_their_points(
    tmp_path: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path = tmp_path / "socket"
    serve(path, FACES)
    with frameloom.open(ROOT / "target" / "test-media" / "astronaut.png") as video:
        portrait = next(video).array
    with Detector.from_socket(path) as detector:
        both = detector.batch([portrait, portrait[:300]])
    alone = Detector(FACES).batch([portrait, portrait[:300]])
    assert [list(one) for one in both] == [list(one) for one in alone]
    assert len(both[0][0].points) == 5


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """Connect, and hear what the model is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(LIMIT_S)
        client.connect(str(path))
        assert "spec" in read(client)
        yield client


def asking(shape: list[int], wanted: object = WANTED) -> bytes:
    text = json.dumps({"shape": shape, "wanted": wanted}).encode()
    return struct.pack("<I", len(text)) + text


def test_what_is_refused_is_answered(
    tmp_path: Path, model: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path = tmp_path / "socket"
    serve(path, model)
    Detector.from_socket(path).close()
    other = "the other end of the socket is another program: "
    for said, cause in (
        (asking([1, 3, 10**9, 640]), other + "tensors of [1, 3, 1000000000, 640] are none of"),
        (asking([0, 3, 640, 640]), other + "tensors of [0, 3, 640, 640] are none of"),
        (asking([1, 1, 640, 640]), other + "tensors of [1, 1, 640, 640] are none of"),
        (asking([1, 3, 640, 640], {"conf": "x"}), other + "it doesn't say what it wants"),
        (struct.pack("<I", 2) + b"[]", other + "it sends no object"),
        (struct.pack("<I", 9999) + b"[" * 9999, other + "it sends no JSON"),
        (struct.pack("<I", 0xFFFFFFFF), other + "it sends too much"),
    ):
        with connected(path) as client:
            client.sendall(said)
            assert str(read(client)["error"]).startswith(cause)
            with pytest.raises((EOFError, ConnectionResetError)):
                read(client)


class Scripted:
    """Stands for a server: each connection is greeted and asks for what the next of some does."""

    def __init__(self, path: Path, *acts: Callable[[socket.socket], None]) -> None:
        self._acts = iter(acts)
        self.asked = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        for act in self._acts:
            client, _ = self.listener.accept()
            with client:
                send(client, spec_message(SPEC))
                with contextlib.suppress(OSError, EOFError):
                    act(client)
                    self.asked += 1

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        self.thread.join(LIMIT_S)


def close_unread(client: socket.socket) -> None:
    assert client.recv(4)


def refuse(client: socket.socket) -> None:
    assert client.recv(4)
    send(client, {"error": "not today"})


def answer(client: socket.socket) -> None:
    """Answer requests until the client closes."""
    while True:
        message = read(client)
        tensors = read_tensors(client, message, SPEC)
        found = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
        send(client, answer_message([found] * len(tensors)))


# More than a socket's buffer takes, so that the other end has to read it.
LARGE = np.zeros((2, 3, 1024, 1024), np.float32)


def remote(path: Path, timeout: float | None = None) -> tuple[Remote, list[float]]:
    slept: list[float] = []
    return Remote(path, timeout=timeout, sleep=slept.append, clock=lambda: sum(slept)), slept


def test_a_refusal_is_an_error_also_where_the_request_was_not_read(tmp_path: Path) -> None:
    with Scripted(tmp_path / "socket", refuse, answer):
        engine, slept = remote(tmp_path / "socket")
        with pytest.raises(frameloom.InvalidData, match="not today"):
            engine.run(LARGE, Wanted(0.4))
        assert not slept
        # The server has closed what it refused, and answers the next picture.
        assert len(engine.run(LARGE, Wanted(0.4))) == 2
        engine.close()


def test_a_server_that_dies_of_a_picture_is_not_asked_for_ever(tmp_path: Path) -> None:
    with Scripted(tmp_path / "socket", *[close_unread] * 5, answer) as server:
        engine, slept = remote(tmp_path / "socket")
        with pytest.raises(frameloom.InvalidData, match="gave no answer to a picture, 5 times"):
            engine.run(LARGE, Wanted(0.4))
        assert server.asked == 5 and slept == [0.05, 0.1, 0.2, 0.4]
        assert len(engine.run(LARGE, Wanted(0.4))) == 2
        engine.close()


def test_it_is_asked_again_for_no_longer_than_that(tmp_path: Path) -> None:
    with Scripted(tmp_path / "socket", *[close_unread] * 3):
        engine, slept = remote(tmp_path / "socket", 0.12)
        with pytest.raises(frameloom.TimedOut, match=r"no answer of the model's server within 0"):
            engine.run(LARGE, Wanted(0.4))
        assert slept == [0.05, 0.1]


def test_requests_have_no_more_bytes_than_a_server_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wire, "_LARGEST_REQUEST", 3 * LARGE[:1].nbytes)
    assert _wire.most_pictures(LARGE) == 3
    assert _wire.most_pictures(np.zeros((1, 3, 32, 32), np.uint8)) == _wire.MOST_PICTURES
    with Scripted(tmp_path / "socket", answer):
        engine, _ = remote(tmp_path / "socket")
        # As much at once would be refused: see `read_tensors`.
        assert len(engine.run(np.zeros((8, *LARGE.shape[1:]), np.float32), Wanted(0.4))) == 8
        monkeypatch.setattr(_wire, "_LARGEST_REQUEST", LARGE[:1].nbytes - 1)
        with pytest.raises(frameloom.InvalidData, match="more than a server of a model takes"):
            engine.run(LARGE, Wanted(0.4))
        engine.close()


def test_a_client_that_dies_or_says_nonsense_is_forgotten(
    tmp_path: Path, model: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path = tmp_path / "socket"
    served = serve(path, model)
    with Detector.from_socket(path) as detector:
        for rude in (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            struct.pack("<I", 2) + b"[]",
            struct.pack("<I", 2) + b"{}",
            struct.pack("<I", 10) + b"{",
            struct.pack("<I", 0xFFFFFFFF),
        ):
            with connected(path) as client:
                client.sendall(rude)
        # In the middle of its tensors.
        with connected(path) as client:
            client.sendall(asking([1, 3, 640, 640]) + bytes(1000))
        served.wait_for("only one is left", lambda report: report["clients"] == 1)
        assert len(detector(RED)) == 1


def test_a_server_that_is_gone_is_waited_for(
    tmp_path: Path, model: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path = tmp_path / "socket"
    said: list[str] = []
    found: list[int] = []

    is_killed = threading.Event()

    def work() -> None:
        with Detector.from_socket(path, log=said.append) as detector:
            found.append(len(detector(RED)))
            is_killed.wait(LIMIT_S)
            found.append(len(detector(RED)))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    wait_until("it waits", lambda: len(said) == 1)
    served = serve(path, model)
    wait_until("something was found", lambda: len(found) == 1)
    # Killed, it leaves its socket behind.
    served.end(signal.SIGKILL)
    is_killed.set()
    wait_until("it waits again", lambda: len(said) == 3)
    serve(path, model)
    wait_until("something was found again", lambda: len(found) == 2)
    thread.join(LIMIT_S)
    assert found == [1, 1]
    waiting = f"waiting for the model's server at {path}: "
    assert [line.startswith(waiting) for line in said] == [True, False, True, False]


def test_nobody_is_waited_for_longer_than_that(tmp_path: Path) -> None:
    with pytest.raises(frameloom.TimedOut, match=r"no server of a model within 0 s \(python3 -m"):
        Detector.from_socket(tmp_path / "none", timeout=0)


def test_another_model_behind_the_same_socket_is_an_error(
    tmp_path: Path, model: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path = tmp_path / "socket"
    served = serve(path, model)
    with Detector.from_socket(path) as detector:
        served.end()
        serve(path, FACES)
        with pytest.raises(frameloom.InvalidData, match="another model now"):
            detector(RED)


def test_the_program_uses_it(
    tmp_path: Path, model: Path, clip: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path, target = tmp_path / "socket", tmp_path / "out.mp4"
    serve(path, model)
    command = [sys.executable, "-m", "frameloom", "-i", str(clip), str(target), "--"]
    command += [sys.executable, "-m", "frameloom.detect", "--from", str(path), "--conf", "0.1"]
    done = sp.run(command, check=False, capture_output=True, text=True, timeout=2 * LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert "m.onnx: YOLO v8 to v12" in done.stderr
    with frameloom.open(target) as video:
        assert len(video) == 50


def test_what_can_not_be_served(
    tmp_path: Path, model: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path = tmp_path / "socket"
    serve(path, model)
    Detector.from_socket(path).close()

    def run(*words: object) -> tuple[int, str]:
        command = [sys.executable, "-m", "frameloom.detect", *map(str, words)]
        done = sp.run(command, check=False, capture_output=True, text=True, timeout=LIMIT_S)
        return done.returncode, done.stderr

    status, told = run("--serve", path, model)
    assert status == 1 and f"options: {path}: another server listens there" in told
    (tmp_path / "file").write_text("something else")
    status, told = run("--serve", tmp_path / "file", model)
    assert status == 1 and "address already in use" in told
    assert (tmp_path / "file").read_text() == "something else"
    status, told = run("--serve", tmp_path / ("x" * 120), model)
    assert status == 1 and "at most 100 bytes" in told
    for words in (["--serve", path], ["--serve", path, model, "--track"], ["--from", path, model]):
        status, told = run(*words)
        assert status == 2 and "error: " in told
    assert run("--serve", path, "--from", path)[0] == 2


def test_whatever_a_batch_fails_with_is_its_answer() -> None:
    def run(requests: list[tuple[Array, Wanted]]) -> list[list[Found] | frameloom.Error]:
        if len(requests[0][0]) == 2:
            raise MemoryError("4 GiB")
        return [[] for _ in requests]

    batcher = Batcher(run)
    batcher.clients = lambda: 1
    bad, good = request(2), request(1)
    for one in (bad, good):
        batcher._waiting.put(one)
        assert batcher.step()
        assert one.is_done.is_set()
    assert isinstance(bad.result, frameloom.InvalidData) and good.result == []
    assert bad.result.cause == "the model could not be used on this picture: MemoryError: 4 GiB"


def test_a_picture_that_can_not_be_read_is_an_error_of_its_own(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Local(model)
    decode = engine._family.decode

    def failing(outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        if wanted.conf == 0.9:
            raise IndexError("index 1 is out of bounds")
        return decode(outputs, item, wanted)

    monkeypatch.setattr(type(engine._family), "decode", staticmethod(failing))
    pictures = np.zeros((1, 3, 640, 640), np.float32)
    results = engine.run_all([(pictures, Wanted(0.4)), (pictures, Wanted(0.9))])
    assert isinstance(results[0], list) and len(results[0]) == 1
    assert isinstance(results[1], frameloom.InvalidData)
    assert isinstance(results[1].__cause__, IndexError)
    monkeypatch.setattr(engine, "_extra", [None])
    assert isinstance(engine.run_all([(pictures, Wanted(0.4))])[0], frameloom.InvalidData)


def test_what_nobody_waits_for_leaves_the_queue() -> None:
    seen: list[int] = []

    def run(requests: list[tuple[Array, Wanted]]) -> list[list[Found] | frameloom.Error]:
        seen.extend(len(tensors) for tensors, _ in requests)
        return [[] for _ in requests]

    batcher = Batcher(run)
    here, there = socket.socketpair()
    gone, closed = socket.socketpair()
    with here, there, gone:
        closed.close()
        waits, left = request(1), request(2)
        waits.is_wanted = lambda: _is_there(here)
        left.is_wanted = lambda: _is_there(gone)
        for one in (left, waits, left):
            batcher._waiting.put(one)
        assert batcher.step(idle=0) and not batcher.step(idle=0)
        assert seen == [1] and waits.result == []
        assert isinstance(left.result, frameloom.ConnectionFailed) and left.is_done.is_set()
        # One that waits for the batch behind, as it didn't fit into one, may go as well.
        late = request(2)
        late.is_wanted = waits.is_wanted
        for one in (request(BATCH - 1), late):
            batcher._waiting.put(one)
        assert batcher.step(idle=0) and not late.is_done.is_set()
        there.close()
        assert not batcher.step(idle=0) and seen == [1, BATCH - 1]
        assert isinstance(late.result, frameloom.ConnectionFailed)


def request(count: int = 1, side: int = 4) -> Request:
    return Request(np.zeros((count, 3, side, side), np.float32), Wanted(0.4))


def nothing(requests: list[tuple[Array, Wanted]]) -> list[list[Found] | frameloom.Error]:
    return [[] for _ in requests]


def test_a_batch_has_pictures_of_one_size_and_at_most_so_many() -> None:
    now = [0.0]
    batcher = Batcher(nothing, lambda: now[0])

    def asked(*requests: Request) -> None:
        for one in requests:
            batcher._waiting.put(one)

    def sizes() -> list[int]:
        return [len(one.tensors) for one in batcher.collect(0)]

    asked(*[request() for _ in range(BATCH + 2)])
    assert sizes() == [1] * BATCH
    # The clock stands still: whoever waits for more would wait for ever.
    batcher.clients = lambda: 2
    assert sizes() == [1, 1]
    asked(request(5), request(5))
    assert sizes() == [5]
    assert batcher.report()["queue"] == 1
    asked(request(1))
    assert sizes() == [5, 1]
    asked(request(), request(side=8))
    assert sizes() == [1]
    batcher.clients = lambda: 1
    assert sizes() == [1] and sizes() == []


def test_a_batch_waits_for_no_longer_than_so_long() -> None:
    times = iter([0.0, 0.005, 0.02, 0.02, 0.02])
    batcher = Batcher(nothing, lambda: next(times))
    for _ in range(2):
        batcher._waiting.put(request())
    # The second is there within 10 ms, and for the third no time is left.
    assert len(batcher.collect(0)) == 2


def test_each_gets_its_own_answer() -> None:
    failed = frameloom.InvalidData("process: broken")
    seen: list[int] = []

    def run(requests: list[tuple[Array, Wanted]]) -> list[list[Found] | frameloom.Error]:
        seen.append(len(requests))
        return [[] if wanted.conf < 0.5 else failed for _, wanted in requests]

    batcher = Batcher(run)
    batcher.clients = lambda: 2
    results: dict[float, Any] = {}

    def ask(conf: float) -> None:
        try:
            results[conf] = batcher.ask(Request(np.zeros((1, 3, 4, 4), np.float32), Wanted(conf)))
        except frameloom.Error as error:
            results[conf] = error

    threads = [threading.Thread(target=ask, args=(conf,)) for conf in (0.4, 0.6)]
    for thread in threads:
        thread.start()
    wait_until("both ask", lambda: batcher._waiting.qsize() == 2)
    assert batcher.step()
    for thread in threads:
        thread.join(LIMIT_S)
    assert results == {0.4: [], 0.6: failed} and seen == [2]
    assert batcher.report()["frames"] == 2 and batcher.report()["batches"] == 0
    assert not batcher.step(idle=0)
