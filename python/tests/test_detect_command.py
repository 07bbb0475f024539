"""Detection as a COMMAND of the real program, judged by what ffmpeg decodes of its output."""

import io
import os
import re
import shutil
import subprocess as sp
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import frameloom
from frameloom.detect import Detection, Detections
from frameloom.detect._program import Hiding, Reports

from .conftest import CAMERA, LIMIT_S, ROOT, Nginx, Publisher
from .graphs import Output, save

Array = npt.NDArray[Any]
Publish = Callable[[str, str], Publisher]
FACES = ROOT / "target" / "test-media" / "centerface.onnx"
SIDE = 512
# Where the portrait's face is, and a part of it that has nothing to do with it.
FACE = np.s_[70:170, 190:262]
BESIDE = np.s_[330:500, 20:150]
CELLS = 80 * 80 + 40 * 40 + 20 * 20


def frames_of(path: Path, side: int = SIDE) -> Array:
    """Return what ffmpeg decodes of a file."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = sp.run(command, check=True, capture_output=True, timeout=LIMIT_S).stdout
    return np.frombuffer(decoded, np.uint8).reshape(-1, side, side, 3)


def run(source: Path, target: Path, *words: object, frameloom_words: tuple[str, ...] = ()) -> str:
    """Run the program with the COMMAND, and return what was said."""
    command = [sys.executable, "-m", "frameloom", "-y", "-i", str(source), *frameloom_words]
    command += ["-crf", "8", str(target), "--", sys.executable, "-m", "frameloom.detect"]
    command += map(str, words)
    done = sp.run(command, check=False, capture_output=True, text=True, timeout=2 * LIMIT_S)
    assert done.returncode == 0, done.stderr
    return done.stderr


def detail(pictures: Array) -> float:
    """How much neighbours differ: little where it is blurred."""
    return float(np.abs(np.diff(pictures.astype(int), axis=-2)).mean())


def assert_is_hidden(before: Array, after: Array) -> None:
    assert len(before) == len(after) > 0
    for old, new in zip(before, after, strict=True):
        assert detail(new[FACE]) < detail(old[FACE]) / 2
        assert detail(new[BESIDE]) > detail(old[BESIDE]) * 0.8
        assert np.abs(new[BESIDE].astype(int) - old[BESIDE]).mean() < 4


@pytest.mark.parametrize("how", ["blur", "pixelate"])
def test_a_face_is_hidden(face: Path, tmp_path: Path, how: str) -> None:
    target = tmp_path / "out.mp4"
    said = run(face, target, FACES, "--draw", how)
    assert "centerface.onnx: CenterFace, input 640 at the longer side" in said
    assert_is_hidden(frames_of(face), frames_of(target))


def test_boxes_are_drawn_unless_it_is_told_otherwise(face: Path, tmp_path: Path) -> None:
    drawn, plain = tmp_path / "drawn.mp4", tmp_path / "plain.mp4"
    run(face, drawn, FACES)
    run(face, plain, FACES, "--draw", "none")
    before = frames_of(face).astype(int)
    changed = np.abs(frames_of(drawn) - before).max(axis=3) > 60
    assert 500 < changed[5].sum() < 20000 and not changed[5, 250:].any()
    assert np.abs(frames_of(plain) - before).mean() < 2


def test_data_is_what_frameloom_draws(face: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    words = ("--draw=data", "--frame-size=256x256")
    run(face, target, FACES, frameloom_words=words)
    changed = np.abs(frames_of(target) - frames_of(face).astype(int)).max(axis=3) > 60
    assert all(500 < one.sum() < 20000 and not one[250:].any() for one in changed)


@pytest.mark.slow
def test_everything_is_hidden_by_the_formats_that_a_command_may_have(
    face: Path, tmp_path: Path
) -> None:
    plain = detail(frames_of(face)[0][FACE])
    for name in ("bgr24", "yuv420p", "gray"):
        target = tmp_path / f"{name}.mp4"
        words = (f"--frame-format={name}", "--frame-transport=shm")
        run(face, target, FACES, "--draw", "blur", frameloom_words=words)
        after = frames_of(target)
        assert all(detail(new[FACE]) < plain / 2 for new in after)


def test_classes_labels_and_tracking(tmp_path: Path, clip: Path) -> None:
    found = np.zeros((6, CELLS), np.float32)
    found[:, 3] = 320, 320, 200, 100, 0.9, 0
    found[:, 4] = 100, 320, 100, 100, 0, 0.9
    model = save(tmp_path / "m.onnx", {"output0": found})
    labels = tmp_path / "labels.txt"
    labels.write_text("fish\nfowl\n")
    words = ["--labels", labels, "--classes", "fowl", "--track", "--conf", "0.5", "--threads", "1"]
    said = run(clip, tmp_path / "out.mp4", model, *words, "--device", "cpu", "--iou", "0.5")
    assert "m.onnx: YOLO v8 to v12, input 640x640, 2 classes (fish, fowl), on cpu" in said
    assert len(frameloom.open(tmp_path / "out.mp4")) == 50


def wrong(*words: object, status: int = 1) -> str:
    """Run it as a COMMAND of which no frame is ever read, and return its line."""
    command = [sys.executable, "-m", "frameloom.detect", *map(str, words)]
    env = {**os.environ, "FRAMELOOM_WIDTH": "64", "FRAMELOOM_HEIGHT": "64"}
    env |= {"FRAMELOOM_PIX_FMT": "rgb24", "FRAMELOOM_FRAME_BYTES": str(64 * 64 * 3)}
    env |= {"FRAMELOOM_RATE": "25"}
    done = sp.run(
        command, check=False, capture_output=True, text=True, timeout=LIMIT_S, input="", env=env
    )
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    return done.stderr


def test_errors_are_one_line(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"o": np.zeros((6, CELLS), np.float32)})
    other = save(tmp_path / "o.onnx", {"depth": np.zeros((1, 640, 640), np.float32)})
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"no model")
    labels = tmp_path / "labels.txt"
    labels.write_text("fish\n")
    for words, expected in (
        ([tmp_path / "none.onnx"], f"options: {tmp_path}/none.onnx: no such file or directory"),
        ([junk], f"options: {junk}: onnxruntime can't read it as a model: "),
        ([other], f"options: {other}: nobody knows these outputs: depth [1, 1, 640, 640]"),
        ([model, "--labels", labels], f"options: {labels}: 1 name, and the model has 2 classes"),
        (
            [model, "--device", "abacus"],
            "options: --device: onnxruntime has no device 'abacus'; it has cpu",
        ),
        ([model, "--classes", "cat"], "options: --classes: the model has no class 'cat'"),
    ):
        told = wrong(*words)
        assert told.count("\n") == 1 and told.startswith(f"frameloom.detect: {expected}"), told


def test_nothing_would_be_hidden_where_data_alone_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRAMELOOM_ANSWER", "data")
    told = wrong(FACES, "--draw", "blur")
    assert told.startswith("frameloom.detect: options: --draw: blur hides nothing where")


def test_what_would_be_shown_unhidden_is_refused_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = save(tmp_path / "m.onnx", {"o": np.zeros((6, CELLS), np.float32)})
    monkeypatch.setenv("FRAMELOOM_UNEDITED", "shown-by-default")
    for how in ("blur", "pixelate"):
        # It says so before it has looked for a model.
        said = wrong(tmp_path / "none.onnx", "--draw", how)
        assert said == (
            f"frameloom.detect: options: --draw: with {how}, faces would be shown while it starts,"
            " fails or is slow: frames then go out as they came (give frameloom --on-error=hold)\n"
        )
    assert wrong(model, status=0).count("\n") == 1
    for unedited, expected in (
        ("shown", "frames go out with nothing hidden, as --on-error, --on-slow or --deadline says"),
        ("", "doesn't say whether frames are shown"),
        ("held", ""),
        ("none", ""),
    ):
        monkeypatch.setenv("FRAMELOOM_UNEDITED", unedited)
        lines = wrong(model, "--draw", "blur", status=0).splitlines()
        assert len(lines) == (2 if expected else 1)
        assert expected in lines[0] and lines[-1].startswith("frameloom.detect: m.onnx: YOLO")


def test_frameloom_says_what_becomes_of_unedited_frames(clip: Path, tmp_path: Path) -> None:
    say = ["sh", "-c", "echo it=$FRAMELOOM_UNEDITED. >&2; cat"]
    for words, expected in (
        ([], "none"),
        (["--on-error=hold"], "held"),
        (["--on-error=restart"], "shown"),
        (["--deadline=10s"], "shown"),
    ):
        command = [sys.executable, "-m", "frameloom", "-y", *words, "-i", str(clip)]
        command += [str(tmp_path / "out.mp4"), "--", *say]
        done = sp.run(command, check=False, capture_output=True, text=True, timeout=LIMIT_S)
        assert f"it={expected}." in done.stderr, done.stderr


def test_of_a_live_stream_nothing_is_shown_that_a_script_would_have_hidden(
    nginx: Nginx, publish: Publish, tmp_path: Path
) -> None:
    publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    target, script = tmp_path / "out.mkv", tmp_path / "hide.sh"
    script.write_text(f'exec "{sys.executable}" -m frameloom.detect "{FACES}" --draw blur\n')

    def hidden(*words: str) -> sp.CompletedProcess[str]:
        command = [sys.executable, "-m", "frameloom", "-y", *words, "-i", nginx.url("in")]
        command += ["-frames:v", "3", str(target), "--", "sh", str(script)]
        return sp.run(command, check=False, capture_output=True, text=True, timeout=2 * LIMIT_S)

    done = hidden()
    assert done.returncode == 1 and "(give frameloom --on-error=hold)" in done.stderr, done.stderr
    assert not target.exists() or target.stat().st_size == 0 or len(frames_of(target, 1)) == 0
    done = hidden("--on-error=hold")
    assert done.returncode == 0 and "centerface.onnx: CenterFace" in done.stderr, done.stderr
    assert "faces would be shown" not in done.stderr


def test_wrong_usage(tmp_path: Path) -> None:
    for words in ([], ["m.onnx", "--draw", "circles"], ["m.onnx", "--conf", "40"], ["a", "b"]):
        assert "usage: python3 -m frameloom.detect" in wrong(*words, status=2)
    for words in (["--threads", "0"], ["--size", "a"], ["--iou", "x"], ["--nothing"]):
        assert "error: " in wrong("m.onnx", *words, status=2)


def test_nothing_to_do_is_no_error(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"o": np.zeros((6, CELLS), np.float32)})
    assert wrong(model, status=0).startswith("frameloom.detect: m.onnx: YOLO")


class Failing:
    """Finds a box, but fails where it is told to."""

    def __init__(self, *fails: bool) -> None:
        self.fails = iter(fails)

    def __call__(self, frame: object) -> Detections:
        if next(self.fails):
            raise RuntimeError("out of memory")
        return Detections([Detection((20, 20, 40, 40), "face", 0.9, 0)])


def hiding(*fails: bool) -> tuple[Hiding, io.StringIO, list[float]]:
    said, now = io.StringIO(), [0.0]
    return Hiding(Failing(*fails), "pixelate", Reports(said, lambda: now[0])), said, now


def noise(seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)


def answers(hide: Callable[[Any], Detections], count: int) -> list[Array]:
    given = []
    for seed in range(count):
        frame = frameloom.Frame.from_ndarray(noise(seed))
        hide(frame)
        given.append(frame.array)
    return given


def test_a_frame_on_which_the_detector_fails_is_never_shown() -> None:
    hide, said, _ = hiding(False, True, True, False)
    first, second, third, fourth = answers(hide, 4)
    assert (first[20:40, 20:40] != noise(0)[20:40, 20:40]).any()
    np.testing.assert_array_equal(first[:10], noise(0)[:10])
    np.testing.assert_array_equal(second, first)
    np.testing.assert_array_equal(third, first)
    np.testing.assert_array_equal(fourth[:10], noise(3)[:10])
    assert said.getvalue().count("\n") == 1 and "RuntimeError: out of memory" in said.getvalue()


def test_before_anything_was_hidden_a_failure_shows_black() -> None:
    hide, _, _ = hiding(True, False)
    first, second = answers(hide, 2)
    assert first.max() == 0 and second.max() > 200


def test_failures_are_told_in_sum() -> None:
    hide, said, now = hiding(*[True] * 9)
    answers(hide, 5)
    now[0] = 10.0
    answers(hide, 1)
    lines = said.getvalue().splitlines()
    assert len(lines) == 2 and "; 1 frame hidden" in lines[0] and "; 5 frames hidden" in lines[1]


def test_a_model_that_fails_on_a_frame_shows_the_last_one(tmp_path: Path) -> None:
    """Through the real program: of white frames this model's numbers are none."""
    found = np.zeros((5, CELLS), np.float32)
    share = np.zeros((5, CELLS), np.float32)
    # The largest number is 3.4e38: the sum for white is beyond it.
    found[:, 9], share[4, 9] = (320, 320, 64, 64, 1e38), 3e38
    model = save(tmp_path / "m.onnx", {"o": Output(found, share)}, metadata={"names": "['x']"})
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with frameloom.create(source, size=(64, 64), rate=5, codec="ffv1") as out:
        for level in (60, 255, 255, 60):
            out.write(np.full((64, 64, 3), level, np.uint8))
    said = run(source, target, model, "--draw", "blur")
    assert "isn't numbers" in said
    shown = frames_of(target, 64)
    assert len(shown) == 4 and shown.max() < 100


def test_without_frameloom_it_says_how_it_is_run(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"o": np.zeros((6, CELLS), np.float32)})
    env = {name: value for name, value in os.environ.items() if not name.startswith("FRAMELOOM_")}
    done = sp.run(
        [sys.executable, "-m", "frameloom.detect", str(model)],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=env,
        stdin=sp.DEVNULL,
    )
    assert done.returncode == 1 and "frameloom" in done.stderr and "Traceback" not in done.stderr


GUIDE = (ROOT / "docs" / "detect.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^((?: {4}frameloom (?:-i|--draw).*\n(?: {6}.*\n)*)+)", GUIDE, re.MULTILINE)
# What it shows of a server runs in test_detect_serve.py.
ALONE = [text for text in COMMANDS if "--from" not in text]


def guided(words: list[str], folder: Path, clip: Path) -> None:
    """Run what the guide says, with files for streams and a made-up model."""
    shutil.copy(clip, folder / "in.mp4")
    found = np.zeros((84, CELLS), np.float32)
    found[:, 3] = 320, 320, 200, 100, 0.9, *[0] * 79
    save(folder / "yolo11n.onnx", {"output0": found})
    shutil.copy(FACES, folder)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = sp.run(
        words,
        check=False,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert any((folder / name).is_file() for name in ("out.mp4", "out.flv"))


def test_the_guide_has_examples() -> None:
    assert len(CODE) == 3 and len(COMMANDS) == 4


@pytest.mark.parametrize("code", CODE)
def test_a_loop_of_the_guide(code: str, tmp_path: Path, clip: Path) -> None:
    code = code.replace("rtmp://HOST/live/camera", "in.mp4")
    guided([sys.executable, "-c", code.replace("rtmp://HOST/live/out", "out.mp4")], tmp_path, clip)


@pytest.mark.parametrize("text", ALONE)
def test_a_command_of_the_guide(text: str, tmp_path: Path, clip: Path) -> None:
    text = text.replace("rtmp://HOST/live/camera", "in.mp4")
    text = text.replace("rtmp://HOST/live/out", "out.flv")
    guided(["bash", "-euo", "pipefail", "-c", text], tmp_path, clip)
