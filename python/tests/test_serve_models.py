"""One model of the file of `frameloom serve` for several pipelines, by `frameloom.detect`."""

import json
import os
import re
import signal
import subprocess as sp
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frameloom
from frameloom.detect import Detector

from .conftest import LIMIT_S, wait_until
from .graphs import Output, save

CELLS = 80 * 80 + 40 * 40 + 20 * 20


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the path of a model that finds a fish on every picture."""
    fixed, share = np.zeros((5, CELLS), np.float32), np.zeros((5, CELLS), np.float32)
    fixed[:, 3] = 320, 320, 200, 100, 0.9
    names = {"names": "{0: 'fish'}"}
    return save(tmp_path / "m.onnx", {"o": Output(fixed, share)}, metadata=names)


class Server:
    """A `frameloom serve` with a file."""

    def __init__(self, file: Path) -> None:
        command = [sys.executable, "-m", "frameloom", "serve", str(file)]
        command += ["--rtmp-listen=none", "--http-listen=127.0.0.1:0"]
        self.process = sp.Popen(command, stderr=sp.PIPE, text=True)
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        found: list[str] = []

        def is_up() -> bool:
            assert self.process.poll() is None, self.lines
            found.extend(re.findall(r"page: +(http://\S+)/", "".join(self.lines)))
            return bool(found)

        wait_until("it says where it is", is_up)
        self.url = found[0]

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as said:
            self.lines.extend(said)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=LIMIT_S) as answer:
            text: str = answer.read().decode()
            return text

    def shown(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get(f"/api/v1/{path}"))
        return found


@pytest.fixture
def start() -> Iterator[Callable[[Path], Server]]:
    servers: list[Server] = []

    def start(file: Path) -> Server:
        servers.append(Server(file))
        return servers[-1]

    yield start
    for one in servers:
        one.process.kill()
        one.process.wait()
        one.reader.join()


def pipeline(name: str, target: Path, *words: str) -> str:
    command = json.dumps([sys.executable, "-m", "frameloom.detect", *words])
    return (
        f'[pipelines.{name}]\ninput = "testsrc2=size=192x108:rate=5"\n'
        f'input_options = {{ f = "lavfi", re = true }}\noutputs = [{json.dumps(str(target))}]\n'
        f'output_options = {{ preset = "ultrafast" }}\ncommand = {command}\nmodel = "fish"\n'
    )


def test_two_pipelines_share_a_model(
    tmp_path: Path, model: Path, start: Callable[[Path], Server]
) -> None:
    file = tmp_path / "frameloom.toml"
    command = json.dumps([sys.executable, "-m", "frameloom.detect"])
    file.write_text(
        f"[models.fish]\nfile = {json.dumps(str(model))}\ncommand = {command}\n"
        'options = { threads = 1, device = "cpu" }\n'
        + pipeline("a", tmp_path / "a.mkv")
        + pipeline("b", tmp_path / "b.mkv", "--conf", "0.5")
    )
    server = start(file)

    def edited(name: str) -> int:
        stats = server.shown(f"pipelines/{name}")["stats"]
        return 0 if stats is None else int(stats["frames_edited"])

    def fish() -> dict[str, Any]:
        return server.shown("models/fish")

    def is_used() -> bool:
        stats = fish()["stats"]
        return stats is not None and stats["clients"] == 2 and stats["frames"] > 5

    wait_until("both are drawn on", lambda: edited("a") > 5 and edited("b") > 5)
    wait_until("both use it", is_used)
    before = fish()
    assert before["state"] == "running" and before["stats"]["batch_ms"] > 0
    metrics = server.get("/metrics")
    assert 'frameloom_model_clients{model="fish"} 2' in metrics
    batches = re.search(r'frameloom_model_batches_total{model="fish"} (\d+)', metrics)
    assert batches is not None and int(batches[1]) > 0

    os.kill(before["pid"], signal.SIGKILL)
    wait_until("it is started again", lambda: fish()["restarts"] == 1)
    wait_until("both use it again", is_used)
    so_far = edited("a"), edited("b")
    wait_until("a goes on", lambda: edited("a") > so_far[0] + 5)
    wait_until("b goes on", lambda: edited("b") > so_far[1] + 5)
    after = fish()
    assert after["pid"] != before["pid"] and after["error"] is None
    assert [server.shown(f"pipelines/{name}")["restarts"] for name in "ab"] == [0, 0]

    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(LIMIT_S) == 0, server.lines
    assert not Path(f"/proc/{after['pid']}").exists()


def test_another_model_behind_the_name_is_taken_up(
    tmp_path: Path, model: Path, start: Callable[[Path], Server]
) -> None:
    other = save(
        tmp_path / "other.onnx",
        {"o": Output(np.zeros((6, CELLS), np.float32), np.zeros((6, CELLS), np.float32))},
        metadata={"names": "{0: 'fish', 1: 'fowl'}"},
    )
    file = tmp_path / "frameloom.toml"

    def text(model: Path) -> str:
        command = json.dumps([sys.executable, "-m", "frameloom.detect"])
        table = f"[models.fish]\nfile = {json.dumps(str(model))}\ncommand = {command}\n"
        return table + pipeline("a", tmp_path / "a.mkv")

    file.write_text(text(model))
    server = start(file)

    def said(what: str) -> bool:
        lines = server.shown("pipelines/a/log?lines=500")["lines"]
        return any(what in line["text"] for line in lines)

    wait_until("it uses the model", lambda: said("m.onnx: YOLO v8 to v12"))
    file.write_text(text(other))
    server.process.send_signal(signal.SIGHUP)
    wait_until("it has seen the change", lambda: said("the server has another model now"))
    wait_until("it uses the other one", lambda: said("other.onnx: YOLO v8 to v12"))
    assert server.shown("models/fish")["restarts"] == 0


def served(path: Path, model: Path, env: dict[str, str] | None = None) -> sp.Popen[str]:
    command = [sys.executable, "-m", "frameloom.detect", "--serve", str(path), str(model)]
    return sp.Popen(command, stdin=sp.PIPE, stderr=sp.PIPE, text=True, env=env)


def test_it_ends_with_its_stdin_where_it_is_asked_to(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "socket"
    with served(path, model, env={**os.environ, "FRAMELOOM_END_WITH_STDIN": "1"}) as process:
        wait_until("it listens", path.exists)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0
    assert not path.exists()
    # A shell that starts it in the background closes its stdin, too.
    with served(path, model) as process:
        wait_until("it listens", path.exists)
        assert process.stdin is not None and process.stderr is not None
        process.stdin.close()
        # Two reports: a second later it is still there.
        reports = (line for line in process.stderr if line.startswith("{"))
        assert next(reports) and next(reports)
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def test_the_environment_says_where_the_model_is(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "socket"
    monkeypatch.delenv("FRAMELOOM_MODEL", raising=False)
    with pytest.raises(frameloom.InvalidValue, match="nor FRAMELOOM_MODEL in the environment"):
        Detector.from_socket()
    monkeypatch.setenv("FRAMELOOM_MODEL", str(path))
    with served(path, model) as process:
        with Detector.from_socket() as detector:
            assert detector.labels == ("fish",)
        process.terminate()
        process.wait(LIMIT_S)


def test_the_program_takes_options_about_frames_alone_then() -> None:
    def run(*words: object, where: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "frameloom.detect", *map(str, words)]
        environment = {**os.environ, "FRAMELOOM_MODEL": where}
        done = sp.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env=environment,
            stdin=sp.DEVNULL,
        )
        return done.returncode, done.stderr

    status, told = run("--threads", 2, "--size", 320, where="/nowhere")
    assert status == 2
    assert "--size, --threads can't be given with FRAMELOOM_MODEL" in told
    # Words go before the environment.
    status, told = run("none.onnx", where="/nowhere")
    assert status == 1 and "none.onnx" in told
    status, told = run(where="")
    assert status == 2 and "MODEL.onnx" in told
    # There is no socket for it to wait at.
    status, told = run(where="/" + "x" * 120)
    assert status == 1 and "at most 100 bytes" in told
