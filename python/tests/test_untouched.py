"""Packets of frames that nobody touches go out as they are."""

import subprocess as sp
from pathlib import Path

import numpy as np
import pytest

import frameloom

from .conftest import ffmpeg


def packets(path: Path) -> list[str]:
    """Hash each packet of video."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-c", "copy"]
    done = sp.run([*command, "-f", "framemd5", "-"], check=True, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    return [line.split(",")[5].strip() for line in lines]


@pytest.fixture(scope="module")
def gops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gops") / "gops.mp4"
    ffmpeg(
        "-f lavfi -i testsrc2=s=192x108:r=25:d=4 -c:v libx264 -g 25 -pix_fmt yuv420p"
        " -preset veryfast",
        path,
    )
    return path


def test_a_loop_that_draws_on_some_frames_copies_the_rest(gops: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with (
        frameloom.open(gops, on_untouched="copy", untouched_after=0) as video,
        video.output(target) as out,
    ):
        for frame in video:
            # What only looks touches nothing.
            assert frame.image.any() and frame.tensor(64)[0].any()
            if frame.index == 60:
                frame.draw.fill((0, 0, 40, 40), "red")
            out.write(frame)
    assert 75 < video.stats.frames_copied < 100 and video.stats.frames_edited == 1
    was, now = packets(gops), packets(target)
    assert len(now) == 100
    assert now[:50] == was[:50] and now[75:] == was[75:]
    assert set(now[61:75]).isdisjoint(was)
    with frameloom.open(target) as video:
        red = [
            bool(np.abs(frame.image[20, 20] - np.array([255, 0, 0])).max() < 30) for frame in video
        ]
    assert [number for number, is_red in enumerate(red) if is_red] == [60]


def test_a_frame_that_is_not_written_is_left_out(gops: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with (
        frameloom.open(gops, on_untouched="copy", untouched_after=0) as video,
        video.output(target) as out,
    ):
        for frame in video:
            if frame.index != 30:
                out.write(frame)
    was, now = packets(gops), packets(target)
    assert len(now) == 99
    assert now[:25] == was[:25] and now[49:] == was[50:]


def test_pixels_of_your_own_are_no_packets(gops: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with (
        frameloom.open(gops, on_untouched="copy") as video,
        video.output(target) as out,
    ):
        for frame in video:
            out.write(frame.image if frame.index < 50 else frame)
        copied = video.stats.frames_copied
    assert copied <= 25 and len(packets(target)) == 100


def test_what_is_no_policy_is_named(gops: Path) -> None:
    with pytest.raises(ValueError, match="on_untouched"):
        frameloom.open(gops, on_untouched="leave")  # type: ignore[arg-type]
