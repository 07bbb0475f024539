"""Many streams, and their frames in batches."""

import subprocess as sp
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import frameloom

from .conftest import LIMIT_S, wait_until


def test_batches_have_every_frame_of_files(clip: Path) -> None:
    counts = [0, 0, 0]
    with frameloom.open_all([clip, clip, clip]) as streams:
        assert len(streams) == 3 and [stream.number for stream in streams] == [0, 1, 2]
        for batch in streams.batches(size=2):
            assert 1 <= len(batch) <= 2
            assert len({frame.stream for frame in batch}) == len(batch)
            for frame in batch:
                assert frame.stream is not None
                assert frame.index == counts[frame.stream.number]
                counts[frame.stream.number] += 1
    assert counts == [50, 50, 50]


def test_a_batch_is_one_tensor(clip: Path) -> None:
    with frameloom.open_all([clip, clip]) as streams:
        for batch in streams.batches(wait=5):
            tensor, transforms = batch.tensor((64, 64), fit="stretch", dtype="uint8")
            assert tensor.shape == (len(batch), 3, 64, 64) and tensor.dtype == np.uint8
            assert len(transforms) == len(batch)
            for piece, frame in zip(tensor, batch, strict=True):
                assert np.array_equal(piece, frame.tensor(64, fit="stretch", dtype="uint8")[0][0])
            out = np.zeros((len(batch), 64, 64, 3), np.float32)
            made, _ = batch.tensor(64, layout="NHWC", out=out)
            assert made is out and out.max() > 0


def test_what_a_batch_is_to_fill_has_a_place_for_each_frame(clip: Path) -> None:
    with frameloom.open_all([clip, clip]) as streams:
        batch = next(batch for batch in streams.batches(wait=5) if len(batch) == 2)
        for shape, layout in [
            ((3, 3, 64, 64), "NCHW"),
            ((1, 3, 64, 64), "NCHW"),
            ((3, 64, 64), "NCHW"),
            ((2, 64, 64, 3), "NCHW"),
            ((2, 3, 64, 64), "NHWC"),
            ((2, 3, 64, 63), "NCHW"),
            ((), "NCHW"),
        ]:
            wanted = (2, 3, 64, 64) if layout == "NCHW" else (2, 64, 64, 3)
            with pytest.raises(ValueError, match="out: expected") as raised:
                batch.tensor(64, layout=layout, out=np.zeros(shape, np.float32))
            assert str(wanted) in str(raised.value) and str(shape) in str(raised.value)
        with pytest.raises(ValueError, match="out"):
            batch.tensor(64, out=[np.zeros((3, 64, 64), np.float32)] * 2)
        with pytest.raises(ValueError, match="layout: 'CHWN' is none of"):
            batch.tensor(64, layout="CHWN", out=np.zeros((2, 3, 64, 64), np.float32))
        expected, _ = batch.tensor(64)
        made, transforms = batch.tensor(64, out=None)
        assert np.array_equal(made, expected) and len(transforms) == 2
        half, _ = batch.tensor(64, out=np.zeros((2, 3, 64, 64), np.float16))
        assert half.dtype == np.float16 and np.allclose(half, expected, atol=1e-3)


def test_a_slow_thread_sees_what_is_new_of_each_stream(clip: Path) -> None:
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
    sizes: list[int] = []
    darkest: list[int] = []
    asked, took = threading.Event(), threading.Event()

    def work() -> None:
        asked.set()
        while (batch := streams.latest(size=2)) is not None:
            sizes.append(len(batch))
            tensor, _ = batch.tensor(64, dtype="uint8")
            darkest.append(int(tensor.max((1, 2, 3)).min()))
            for frame in batch:
                assert frame.stream is not None
                seen[frame.stream.number].append(frame.index)
            took.set()

    with frameloom.open_all([clip, clip, clip]) as streams:
        with pytest.raises(TimeoutError, match=r"no frame came within 0\.01 s"):
            streams.latest(timeout=0.01)
        thread = threading.Thread(target=work)
        thread.start()
        asked.wait()
        for number, batch in enumerate(streams.batches()):
            for frame in batch:
                frame.array[:] = 0
            if number % 10 == 0:
                took.clear()
                took.wait(0.2)
        thread.join(LIMIT_S)
        assert not thread.is_alive() and streams.latest() is None
    assert all(indices == sorted(set(indices)) and indices for indices in seen.values())
    assert min(sizes) > 0 and max(sizes) <= 2
    assert min(darkest) > 0, "the loop paints a frame black after it was taken"


def test_nobody_waits_for_the_newest_of_streams_that_are_closed(clip: Path) -> None:
    found: list[object] = []
    asked = threading.Event()

    def work() -> None:
        asked.set()
        found.append(streams.latest())

    streams = frameloom.open_all([clip])
    thread = threading.Thread(target=work)
    thread.start()
    asked.wait()
    streams.close()
    thread.join(LIMIT_S)
    assert found == [None] and streams.latest() is None


def test_frames_are_written_to_their_own_stream(clip: Path, tmp_path: Path) -> None:
    with frameloom.open_all([clip, clip], size=(96, 54)) as streams:
        for stream in streams:
            stream.output(tmp_path / f"{stream.number}.mkv", codec="ffv1")
        for batch in streams.batches():
            for frame in batch:
                assert frame.stream is not None
                frame.draw.fill((0, 0, 96, 54), "red" if frame.stream.number else "blue")
                frame.write()
    for number, color in enumerate([(0, 0, 255), (255, 0, 0)]):
        frames = list(frameloom.open(tmp_path / f"{number}.mkv"))
        assert len(frames) == 50 and frames[0].shape == (54, 96, 3)
        assert np.abs(frames[0].image[20, 20].astype(int) - color).max() < 4


def is_written(frame: frameloom.Frame) -> bool:
    try:
        frame.write()
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("preroll", [0, 1])
def test_an_output_of_a_stream_is_closed_while_the_stream_goes_on(
    clip: Path, tmp_path: Path, preroll: int
) -> None:
    target = tmp_path / "part.mkv"
    with frameloom.open_all([clip], preroll=1, options={"stream_loop": 5}) as streams:
        out: frameloom.StreamOutput | None = None
        count = 0
        for batch in streams.batches():
            for frame in batch:
                count += 1
                if count == 20:
                    out = streams[0].output(target, preroll=preroll)
                    # It is opened on the side, and a file is read as fast as it goes.
                    is_open = target.exists if preroll else partial(is_written, frame)
                    wait_until("it is open", is_open)
                elif not preroll and out is not None and not out.closed:
                    frame.write()
                if count == 220:
                    assert out is not None
                    out.close()
                    assert out.closed
                    recorded = list(frameloom.open(target))
                    assert 100 < len(recorded) <= 280 and recorded[0].time == 0
    assert count == 300


def test_a_stream_that_is_not_there_harms_no_other(clip: Path) -> None:
    with frameloom.open_all([clip, "no/such/file.mp4"]) as streams:
        count = sum(len(batch) for batch in streams.batches())
        assert count == 50
        error = streams[1].error
        assert error is not None and "no/such/file.mp4" in error and streams[0].error is None
        streams[1].remove()
        assert len(streams) == 1
        with pytest.raises(IndexError):
            streams[1]
    with pytest.raises(ValueError, match="closed"):
        streams.add(clip)


def test_a_stream_is_added_while_others_run(clip: Path) -> None:
    with frameloom.open_all([clip]) as streams:
        counts: dict[int, int] = {}
        for batch in streams.batches():
            for frame in batch:
                assert frame.stream is not None
                counts[frame.stream.number] = counts.get(frame.stream.number, 0) + 1
            if counts == {0: 10}:
                streams.add(clip)
    assert counts == {0: 50, 1: 50}


def test_what_can_not_be_is_an_error(clip: Path) -> None:
    with pytest.raises(TypeError, match="sized"):
        frameloom.open_all([clip], sized=(2, 2))  # type: ignore[call-arg]
    for one in (str(clip), clip, b"in.mp4"):
        with pytest.raises(TypeError, match="list of sources"):
            frameloom.open_all(one)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rgb42"):
        frameloom.open_all([clip], pix_fmt="rgb42")
    with frameloom.open(clip) as video:
        frame = next(iter(video))
    assert frame.stream is None
    with pytest.raises(ValueError, match="no batch"):
        frame.write()
    with frameloom.open_all([clip]) as streams, pytest.raises(ValueError, match="size"):
        streams.batches(size=0)


def test_outputs_are_finished_when_python_ends(clip: Path, tmp_path: Path) -> None:
    program = f"""
import frameloom
streams = frameloom.open_all([{str(clip)!r}])
streams[0].output("kept.mp4")
for number, batch in enumerate(streams.batches()):
    for frame in batch:
        frame.write()
    if number == 20:
        raise SystemExit(0)
"""
    sp.run([sys.executable, "-c", program], check=True, cwd=tmp_path, timeout=LIMIT_S)
    assert len(list(frameloom.open(tmp_path / "kept.mp4"))) >= 20


def test_streams_that_nobody_holds_are_closed(clip: Path, tmp_path: Path) -> None:
    streams = frameloom.open_all([clip])
    stream = streams[0]
    batches = streams.batches()
    del streams
    assert len(next(batches)) == 1
    del batches
    with pytest.raises(ValueError, match="closed"):
        stream.output(tmp_path / "late.mp4")
