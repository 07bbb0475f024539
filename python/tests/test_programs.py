"""Programs that start ffmpeg, with frameloom in its place: what they do is the same.

What each of them reads and writes is compared: the pictures, their times, and every sample of
sound. Some can't do all that others do. ffmpegcv knows pictures alone, without sound. What vidgear
reads, it reads by OpenCV and not by ffmpeg; what it cuts and joins, it does by command lines of the
caller's.
"""

import json
import math
import os
import shutil
import subprocess as sp
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from .conftest import LIMIT_S, ROOT, ffmpeg, turn

PROGRAMS = ["ffmpeg-python"]
SLOW_PROGRAMS = ["ffmpegcv", "imageio", "moviepy", "pydub", "scikit-video", "vidgear"]
# Seconds that the time of a packet may differ by: half of a frame.
NEAR_S = 0.02
# Levels that colours may differ by: the conversion is more exact than ffmpeg's.
NEAR_COLOR = 2.5
# How far pictures of written files are above what differs, in dB, for the same reason. The picture
# before or behind the right one is at 18 to 22.
NEAR_DB = 24
# Files that differ by more: ffmpeg 5 takes gray of full range for gray of video's range where a
# picture is in gray alone, and brings pictures to 256 fixed colors by another pattern of dots.
LESS_NEAR_DB = {"gray.avi": 20, "c.gif": 18}
# The same of sound that an encoder has made: we copy what nobody changes, and ffmpeg encodes it.
NEAR_SOUND_DB = 20
LOSSLESS = ["pcm_s16le", "flac"]


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


@dataclass
class Content:
    """One stream of a file: what it is, when its packets are, and what is seen or heard."""

    kind: dict[str, Any]
    times: list[float] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)
    pieces: list[np.ndarray] = field(default_factory=list)

    @property
    def samples(self) -> np.ndarray:
        """Of all channels, a row for each."""
        return np.concatenate(self.pieces, axis=1)


def kind_of(stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    told = {"type": stream.type, "codec": context.codec.canonical_name}
    if stream.type == "video":
        return told | {"size": (context.width, context.height), "rate": stream.average_rate}
    return told | {"rate": context.sample_rate, "channels": context.layout.nb_channels}


def content(path: Path) -> list[Content]:
    with av.open(str(path)) as container:
        found = [Content(kind_of(stream)) for stream in container.streams]
        resamplers = [av.AudioResampler("s16p") for _ in found]
        for packet in container.demux():
            here = found[packet.stream_index]
            if packet.pts is not None:
                here.times.append(float(packet.pts * packet.time_base))
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    here.pictures.append(frame.to_ndarray(format="rgb24"))
                elif isinstance(frame, av.AudioFrame):
                    resampler = resamplers[packet.stream_index]
                    here.pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
    for here in found:
        here.times.sort()
    return found


def ratio(expected: np.ndarray, found: np.ndarray, peak: float | None = None) -> float:
    """Return how far the signal, or its peak, is above what is different, in dB."""
    different = float(((found.astype(float) - expected) ** 2).mean())
    signal = float((expected.astype(float) ** 2).mean()) if peak is None else peak**2
    return math.inf if different == 0 else 10 * math.log10(max(signal, 1) / different)


def check_file(theirs: Path, ours: Path) -> None:
    name = f"{ours.parent.parent.name}: {ours.name}"
    for expected, found in zip(content(theirs), content(ours), strict=True):
        assert found.kind == expected.kind, name
        assert len(found.times) == len(expected.times), name
        times = zip(expected.times, found.times, strict=True)
        assert max(abs(a - b) for a, b in times) <= NEAR_S, name
        if found.kind["type"] == "video":
            assert expected.pictures, name
            pictures = zip(expected.pictures, found.pictures, strict=True)
            ratios = [ratio(a, b, 255) for a, b in pictures]
            assert min(ratios) >= LESS_NEAR_DB.get(ours.name, NEAR_DB), f"{name}: {ratios}"
        else:
            assert found.samples.shape == expected.samples.shape, name
            near = math.inf if found.kind["codec"] in LOSSLESS else NEAR_SOUND_DB
            assert ratio(expected.samples, found.samples) >= near, name


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
