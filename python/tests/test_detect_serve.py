"""One model for several programs, over a Unix socket."""

import json
import signal
import socket
import struct
import subprocess as sp
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import frameloom
from frameloom.detect import Detector
from frameloom.detect._found import Found, Wanted
from frameloom.detect._serve import BATCH, Batcher, Request

from .conftest import LIMIT_S, ROOT, wait_until
from .graphs import Output, save

Array = npt.NDArray[Any]
FACES = ROOT / "target" / "test-media" / "centerface.onnx"
CELLS = 80 * 80 + 40 * 40 + 20 * 20
RED = np.tile(np.array([200, 0, 0], np.uint8), (640, 640, 1))
BLACK = np.zeros((640, 640, 3), np.uint8)


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
        self.lines.extend(self.process.stderr)

    def wait_for(self, what: str, is_so: Callable[[dict[str, Any]], bool]) -> None:
        def was_said() -> bool:
            assert self.process.poll() is None, self.lines
            reports = [json.loads(line) for line in self.lines if line.startswith("{")]
            return any(is_so(report) for report in reports)

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
        with pytest.raises(frameloom.InvalidValue, match="no class 'foul'"):
            Detector.from_socket(path, classes=["foul"])
    served.wait_for("both are gone", lambda report: report["clients"] == 0)
    assert served.end() == 0
    assert not path.exists()
    reports = [json.loads(line) for line in served.lines if line.startswith("{")]
    assert all(set(one) == {"clients", "queue", "batches", "frames", "batch_ms"} for one in reports)
    assert sum(one["frames"] for one in reports) == 5
    assert any(one["batch_ms"] is not None and one["batch_ms"] > 0 for one in reports)


def test_pictures_of_any_shape_and_their_points(
    tmp_path: Path, serve: Callable[[Path, Path], Served]
) -> None:
    path = tmp_path / "socket"
    serve(path, FACES)
    portrait = next(iter(frameloom.open(ROOT / "target" / "test-media" / "astronaut.png"))).array
    with Detector.from_socket(path) as detector:
        both = detector.batch([portrait, portrait[:300]])
    alone = Detector(FACES).batch([portrait, portrait[:300]])
    assert [list(one) for one in both] == [list(one) for one in alone]
    assert len(both[0][0].points) == 5


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
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(str(path))
                assert client.recv(4)
                client.sendall(rude)
        # In the middle of its tensors.
        request = {"shape": [1, 3, 640, 640], "wanted": {"conf": 0.4, "iou": None, "classes": None}}
        for shape in ([1, 3, 640, 640], [1, 3, 10**9, 640], [0, 3, 640, 640], [1, 1, 640, 640]):
            text = json.dumps({**request, "shape": shape}).encode()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(str(path))
                assert client.recv(4)
                client.sendall(struct.pack("<I", len(text)) + text + bytes(1000))
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
    assert len(frameloom.open(target)) == 50


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
