"""Much of everything: memory stays flat, and nothing crashes."""

import gc
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import frameloom

from .conftest import CAMERA, Nginx, Publisher


def resident_mib() -> float:
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def array_of(frame: frameloom.Frame) -> np.ndarray:
    return frame.array


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.slow
def test_a_thousand_opens_and_closes(clip: Path) -> None:
    def once(number: int) -> None:
        if number % 3 == 0:
            with frameloom.open(clip) as video:
                next(video)
        elif number % 3 == 1:
            video = frameloom.open(clip)
            assert next(video).array.any()
            del video
        else:
            frameloom.open(clip)

    for number in range(100):
        once(number)
    before, running = resident_mib(), threads()
    for number in range(1000):
        once(number)
    assert resident_mib() < before + 20
    assert threads() <= running


@pytest.mark.slow
def test_ten_thousand_frames_held_and_dropped_at_random(clip: Path) -> None:
    chance = random.Random(1)
    held: list[tuple[np.ndarray, int]] = []
    seen, low = 0, None
    for frame in frameloom.open(clip, loop=True, size=(64, 36)):
        seen += 1
        if chance.random() < 0.7:
            array = frame.array
            array[:] = seen % 251
            held.append((array[:, chance.randrange(32) :], seen % 251))
        while len(held) > 50 or (held and chance.random() < 0.3):
            array, value = held.pop(chance.randrange(len(held)))
            assert (array == value).all()
        if seen == 1000:
            low = resident_mib()
        if seen == 10_000:
            break
    assert seen == 10_000 and low is not None
    assert resident_mib() < low + 20


def test_four_threads_read_four_streams(
    nginx: Nginx, publish: Callable[[str, str], Publisher]
) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        publish(CAMERA, nginx.url(name))
        nginx.wait_for_publisher(name)
    counts = dict.fromkeys(names, 0)

    def read(name: str) -> None:
        with frameloom.open(nginx.url(name)) as video:
            for frame in video:
                assert frame.array.shape == (108, 192, 3)
                counts[name] += 1
                if counts[name] == 50:
                    break

    readers = [threading.Thread(target=read, args=(name,)) for name in names]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert counts == dict.fromkeys(names, 50)


def test_threads_may_share_a_video_and_a_frame(clip: Path) -> None:
    video = frameloom.open(clip, loop=4)
    seen: list[int] = []

    def read() -> None:
        while (frame := video.read()) is not None:
            with ThreadPoolExecutor(2) as lookers:
                one, other = lookers.map(array_of, [frame, frame])
            assert np.shares_memory(one, other)
            seen.append(frame.pts)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert len(seen) == 200 and len(set(seen)) == 200
