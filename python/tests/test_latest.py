"""The newest frame for another thread, and frames that are copied."""

import subprocess as sp
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import frameloom

from .conftest import LIMIT_S


def test_a_slow_thread_sees_what_is_new(clip: Path) -> None:
    seen: list[int] = []
    brightest: list[int] = []
    asked, took = threading.Event(), threading.Event()

    def work() -> None:
        asked.set()
        while (frame := video.latest()) is not None:
            brightest.append(int(frame.image.max()))
            seen.append(frame.index)
            took.set()

    with frameloom.open(clip) as video:
        thread = threading.Thread(target=work)
        thread.start()
        asked.wait()
        count = 0
        for frame in video:
            frame.array[:] = 0
            count += 1
            if count % 10 == 0:
                # What came meanwhile is not seen by a thread that is slower.
                took.clear()
                took.wait(0.2)
    thread.join()
    assert count == 50
    assert seen == sorted(set(seen)) and 0 < len(seen) <= 50
    assert min(brightest) > 0, "the loop paints a frame black after it was read"


def test_a_wait_for_the_newest_has_an_end(clip: Path) -> None:
    with frameloom.open(clip) as video:
        with pytest.raises(TimeoutError):
            video.latest(timeout=0.01)
        for _ in video:
            pass
        newest = video.latest()
        assert newest is not None and newest.index == 49
        assert video.latest() is None
    assert video.latest() is None


def test_a_copy_is_of_its_own(clip: Path) -> None:
    with frameloom.open(clip) as video:
        frame = next(iter(video))
    assert frame.shape == (108, 192, 3) == frame.array.shape
    copy = frame.copy()
    frame.array[:] = 7
    copy.draw.fill((0, 0, 50, 50), "red")
    assert frame.array.max() == 7 and copy.image[10, 10].tolist() != [7, 7, 7]
    assert (copy.index, copy.pts) == (frame.index, frame.pts)


def test_a_frame_is_saved_as_an_image(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip) as video:
        frame = next(iter(video))
    frame.draw.fill((0, 0, 50, 50), "red")
    for name, most in (("x.png", 0), ("x.jpg", 12), ("12:30.bmp", 0)):
        path = tmp_path / name
        frame.save(path)
        picture = cv2.imread(str(path))
        assert picture is not None
        seen = picture[:, :, ::-1].astype(int)
        assert np.abs(seen - frame.image).mean() <= most, name
    png = cv2.imdecode(np.frombuffer(frame._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    assert png is not None
    assert np.array_equal(png[:, :, ::-1], frame.image)
    with pytest.raises(ValueError, match="no name of an image"):
        frame.save(tmp_path / "x.mp4")
    with pytest.raises(FileNotFoundError):
        frame.save(tmp_path / "nowhere" / "x.png")


def test_a_region_is_read_and_replaced_by_itself(clip: Path) -> None:
    with frameloom.open(clip) as video:
        frame = next(iter(video))
    before = frame.image.copy()
    part = frame.region(31, 21, 60, 40)
    assert np.array_equal(part, before[21:61, 31:91])
    frame.set_region(31, 21, 255 - part)
    after = frame.image
    assert np.abs(after[22:60, 32:90].astype(int) - (255 - part)[1:-1, 1:-1]).mean() < 40
    assert np.array_equal(after[:20], before[:20]) and np.array_equal(after[:, 93:], before[:, 93:])
    array = frame.array
    frame.set_region(0, 0, np.full((8, 8, 3), 255, np.uint8))
    assert frame.array is array and array[:8, :8].min() >= 254
    with pytest.raises(ValueError, match="not within a frame of 192x108"):
        frame.region(190, 0, 3, 3)
    with pytest.raises(ValueError, match="shape"):
        frame.set_region(0, 0, np.zeros((3, 3), np.uint8))


def test_an_array_has_any_format_and_size(clip: Path) -> None:
    with frameloom.open(clip) as video:
        frame = next(iter(video))
    small = frame.to_ndarray("bgr24", width=96, height=54)
    assert small.shape == (54, 96, 3)
    means = frame.image.reshape(54, 2, 96, 2, 3).mean(axis=(1, 3))[:, :, ::-1]
    assert np.abs(small - means).mean() < 2
    assert frame.to_ndarray("gray").shape == (108, 192)
    assert frame.to_ndarray(width=400).shape == (108, 400, 3)
    assert np.array_equal(frame.to_ndarray("bgr24", size=(96, 54)), small)
    assert np.array_equal(frame.to_ndarray("bgr24", size="96x54"), small)
    with pytest.raises(ValueError, match="size has both"):
        frame.to_ndarray(size=(96, 54), width=96)
    with pytest.raises(ValueError, match="a size"):
        frame.to_ndarray(size=(96, 0, 4))  # type: ignore[arg-type]
    small[:] = 0
    assert frame.image.max() > 0
    with pytest.raises(ValueError, match="no format"):
        frame.to_ndarray("rgb42")


@pytest.mark.parametrize(
    ("sides", "told"),
    [
        ({"width": 10**6, "height": 10**6}, "1000000x1000000 pixels is too large"),
        ({"width": 2**32 - 1, "height": 2**32 - 1}, "too large"),
        ({"height": 2**31}, "too large"),
        ({"width": 2**32}, "width: 4294967296"),
        ({"width": -1}, "width: -1"),
        ({"width": 0, "height": 4}, "width: 0"),
        ({"height": 0}, "height: 0"),
    ],
)
def test_a_size_that_no_picture_has_is_an_error(
    clip: Path, sides: dict[str, Any], told: str
) -> None:
    frame = next(frameloom.open(clip))
    with pytest.raises(ValueError, match=told):
        frame.to_ndarray(**sides)
    assert frame.to_ndarray(width=None, height=None).shape == (108, 192, 3)


def test_memory_that_does_not_suffice_is_an_error(clip: Path) -> None:
    # A process of its own: the limit can't be lifted again.
    program = f"""
import resource
import frameloom

frame = next(frameloom.open({str(clip)!r}))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000,) * 2)
try:
    frame.to_ndarray(width=20_000, height=20_000)
except MemoryError as error:
    assert "(20000, 20000, 3)" in str(error), error
    assert frame.to_ndarray(width=96).shape == (108, 96, 3)
    print("told")
"""
    command = [sys.executable, "-c", program]
    done = sp.run(command, check=True, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.stdout == "told\n"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ((-1, 0, 4, 4), "x: -1"),
        ((0, -2, 4, 4), "y: -2"),
        ((0, 0, -3, 4), "width: -3"),
        ((0, 0, 4, 0), "height: 0"),
        ((2**40, 0, 4, 4), "x: 1099511627776"),
    ],
)
def test_a_region_that_can_not_be_is_told_by_its_number(
    clip: Path, place: tuple[int, int, int, int], told: str
) -> None:
    frame = next(frameloom.open(clip))
    with pytest.raises(ValueError, match=told):
        frame.region(*place)
    if told[0] in "xy":
        with pytest.raises(ValueError, match=told):
            frame.set_region(*place[:2], np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(TypeError, match="'x'"):
        frame.region("left", 0, 4, 4)  # type: ignore[arg-type]
