"""Programs that start ffmpeg, with frameloom in its place: what they do is the same."""

import json
import os
import shutil
import subprocess as sp
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import LIMIT_S, ROOT, ffmpeg, turn

PROGRAMS = ["imageio", "ffmpeg-python", "ffmpegcv", "scikit-video"]
SLOW_PROGRAMS = ["moviepy", "vidgear", "pydub"]
# Seconds that the time of a packet may differ by: half of a frame.
NEAR_S = 0.02
# Levels that colours may differ by: the conversion is more exact than ffmpeg's.
NEAR_COLOR = 2.5


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return folders with an ffmpeg and an ffprobe: the system's, and frameloom."""
    theirs, ours = (tmp_path_factory.mktemp(name) for name in ("theirs", "ours"))
    for name in ("ffmpeg", "ffprobe"):
        program = shutil.which(name)
        assert program, f"no {name}: run script/setup --tests"
        (theirs / name).symlink_to(program)
    frameloom = Path(sys.executable).with_name("frameloom")
    assert frameloom.is_file(), f"no {frameloom}: run script/test"
    (ours / "ffmpeg").symlink_to(frameloom)
    (ours / "ffprobe").symlink_to(frameloom)
    return theirs, ours


def run(program: str, tools: Path, folder: Path, clips: tuple[Path, Path]) -> dict[str, Any]:
    folder.mkdir()
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    tool = str(tools / "ffmpeg")
    environment = os.environ | {"PATH": path, "FFMPEG_BINARY": tool, "IMAGEIO_FFMPEG_EXE": tool}
    script = ROOT / "python" / "tests" / "programs.py"
    command = [sys.executable, str(script), program, str(folder), *map(str, clips)]
    limit = 5 * LIMIT_S
    run = sp.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=limit
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def numbers(value: Any) -> list[float]:
    return [n for part in value for n in numbers(part)] if isinstance(value, list) else [value]


def streams(path: Path) -> list[dict[str, Any]]:
    """Return what is in a file: its streams, the times of packets and the length of sound."""
    entries = "stream=index,codec_type,codec_name,width,height,sample_rate,channels,avg_frame_rate"
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries"]
    command += [f"{entries}:packet=stream_index,pts_time", str(path)]
    told = json.loads(sp.run(command, check=True, capture_output=True, timeout=LIMIT_S).stdout)
    found: list[dict[str, Any]] = told["streams"]
    for stream in found:
        times = [
            float(packet["pts_time"])
            for packet in told["packets"]
            if packet["stream_index"] == stream["index"] and "pts_time" in packet
        ]
        stream["times"] = sorted(times)
        if stream["codec_type"] == "audio":
            raw = ["ffmpeg", "-v", "error", "-i", str(path), "-map", f"0:{stream['index']}"]
            raw += ["-f", "s16le", "-"]
            decoded = sp.run(raw, check=True, capture_output=True, timeout=LIMIT_S).stdout
            stream["samples"] = len(decoded) // 2 // stream["channels"]
    return found


def check_file(theirs: Path, ours: Path) -> None:
    alike = ["codec_type", "codec_name", "width", "height", "sample_rate", "channels"]
    pairs = list(zip(streams(theirs), streams(ours), strict=True))
    for expected, found in pairs:
        for name in alike:
            assert found.get(name) == expected.get(name), f"{ours.name}: {name}"
        if expected["codec_type"] == "video":
            assert len(found["times"]) == len(expected["times"]), ours.name
            times = zip(expected["times"], found["times"], strict=True)
            assert max(abs(a - b) for a, b in times) <= NEAR_S, ours.name
        else:
            missing = abs(found["samples"] - expected["samples"])
            assert missing <= NEAR_S * int(expected["sample_rate"]), ours.name


@pytest.mark.parametrize(
    "program", [*PROGRAMS, *(pytest.param(slow, marks=pytest.mark.slow) for slow in SLOW_PROGRAMS)]
)
def test_what_a_program_does_is_the_same(
    program: str, places: tuple[Path, Path], clip: Path, tmp_path: Path
) -> None:
    upright, turned = tmp_path / "upright.mp4", tmp_path / "turned.mp4"
    ffmpeg(f"-i {clip} -c copy", upright)
    turn(upright, (192, 108), 90, turned)
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    expected = run(program, places[0], theirs, (clip, turned))
    found = run(program, places[1], ours, (clip, turned))
    assert len(expected) >= 10 and list(found) == list(expected)
    for name, done in expected.items():
        assert "failed" not in done, f"{program} fails with ffmpeg, too: {name}: {done}"
        assert "failed" not in found[name], f"{name}: {found[name]}"
        assert found[name].get("same") == done.get("same"), name
        near = zip(numbers(done.get("near", [])), numbers(found[name].get("near", [])), strict=True)
        assert all(abs(a - b) <= NEAR_COLOR for a, b in near), f"{name}: {done} {found[name]}"
    names = sorted(path.name for path in theirs.iterdir())
    assert names == sorted(path.name for path in ours.iterdir())
    for name in names:
        check_file(theirs / name, ours / name)
