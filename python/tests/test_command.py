"""Programs behind `--` that read their frames by `frameloom.command.frames()`."""

import subprocess as sp
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import frameloom
import frameloom.command

from .conftest import LIMIT_S, ffmpeg

PROGRAM = Path(sys.executable).with_name("frameloom")


@pytest.fixture(scope="module")
def lossless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("command") / "in.mkv"
    ffmpeg("-f lavfi -i testsrc2=s=192x108:r=10:d=1 -pix_fmt yuv420p -c:v ffv1", path)
    return path


def run(source: Path, out: Path, loop: str, *options: str) -> sp.CompletedProcess[str]:
    """Run it with a loop over the frames as COMMAND."""
    body = f"import frameloom.command\nfor frame in frameloom.command.frames():\n    {loop}"
    command = [str(PROGRAM), "-y", *options, "-i", str(source), "-c:v", "ffv1", str(out)]
    command += ["--", sys.executable, "-c", body]
    return sp.run(command, check=False, capture_output=True, text=True, timeout=LIMIT_S)


def pictures(path: Path, pix_fmt: str = "yuv420p") -> list[npt.NDArray[Any]]:
    with frameloom.open(path, pix_fmt=pix_fmt) as video:
        return [frame.image.copy() for frame in video]


WAYS = [[], ["--frame-transport=shm"]]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_only_read_is_untouched(lossless: Path, tmp_path: Path, way: list[str]) -> None:
    out = tmp_path / "out.mkv"
    done = run(lossless, out, "frame.image.sum(), frame.tensor(64), print(frame.shape)", *way)
    assert done.returncode == 0, done.stderr
    # What is printed is no frame.
    assert done.stderr.count("(108, 192, 3)") == 10
    assert all(map(np.array_equal, pictures(lossless), pictures(out)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "gray", "yuv444p"])
def test_arrays_are_edited_and_replaced(
    lossless: Path, tmp_path: Path, way: list[str], pix_fmt: str
) -> None:
    expected = pictures(lossless, pix_fmt)
    for loop in ("frame.array[:] = 255 - frame.array", "frame.array = 255 - frame.image"):
        out = tmp_path / "out.mkv"
        done = run(lossless, out, loop, *way, f"--frame-format={pix_fmt}")
        assert done.returncode == 0, done.stderr
        made = pictures(out, pix_fmt)
        assert len(made) == 10
        for was, now in zip(expected, made, strict=True):
            apart = np.abs((255 - was).astype(int) - now)
            if pix_fmt == "yuv444p":
                # In the file a colour is that of four pixels.
                assert apart[0].max() == 0 and apart[1:].mean() < 4
            else:
                # Gray is of full range, and luma in the file is not.
                assert apart.max() <= (2 if pix_fmt == "gray" else 0)


@pytest.mark.parametrize("way", WAYS)
def test_drawing_is_on_what_is_given_back(lossless: Path, tmp_path: Path, way: list[str]) -> None:
    out = tmp_path / "out.mkv"
    loop = "frame.draw.fill((20, 20, 60, 60), 'white')"
    done = run(lossless, out, loop, *way, "--frame-format=yuv420p")
    assert done.returncode == 0, done.stderr
    for was, now in zip(pictures(lossless), pictures(out), strict=True):
        assert (now[20:60, 20:60] == 235).all()
        assert np.array_equal(was[60:108], now[60:108])


def test_data_is_drawn(lossless: Path, tmp_path: Path) -> None:
    out, loop = tmp_path / "out.mkv", "frame.data = {'boxes': [{'xyxy': frame.image[0, 0, :0]}]}"
    done = run(lossless, out, loop, "--draw=data")
    assert done.returncode == 1 and "can't be drawn" in done.stderr
    loop = (
        "import numpy as np; frame.data = {'boxes': [{'xyxy': np.array([10, 10, 40, 40]), "
        "'score': np.float32(0.5)}], 'n': np.int64(3)}"
    )
    for way in WAYS:
        done = run(lossless, out, loop, "--draw=data", "--frame-size=96x54", *way)
        assert done.returncode == 0, done.stderr
        for was, now in zip(pictures(lossless), pictures(out), strict=True):
            # The picture is twice as large as what the program saw.
            assert (was[:108] != now[:108])[20, 30:70].mean() > 0.9
            assert np.array_equal(was[90:108], now[90:108])


@pytest.mark.parametrize("way", WAYS)
def test_all_that_a_frame_takes_as_data_goes_out(
    lossless: Path, tmp_path: Path, way: list[str]
) -> None:
    # 63 KiB in UTF-8, and 126 KiB with an escape for each letter.
    box = "{'xyxy': [10, 10, 40, 40]}"
    loop = f"frame.data = {{'boxes': [{box}], 'seen': chr(0x4e2d) * 21500}}"
    for options in (["--draw=data"], []):
        out = tmp_path / "out.mkv"
        done = run(lossless, out, loop, *options, *way)
        assert done.returncode == 0, done.stderr
        for was, now in zip(pictures(lossless), pictures(out), strict=True):
            assert np.array_equal(was, now) is not bool(options)


def test_a_failure_is_that_of_the_program(lossless: Path, tmp_path: Path) -> None:
    done = run(lossless, tmp_path / "out.mkv", "raise KeyError('faces')")
    assert done.returncode == 1 and "KeyError: 'faces'" in done.stderr


def test_it_is_for_a_command() -> None:
    with pytest.raises(ValueError, match=r"start it by .frameloom"):
        next(frameloom.command.frames())


def test_a_frame_may_be_made_of_an_array() -> None:
    array = np.zeros((48, 64, 3), np.uint8)
    frame = frameloom.Frame.from_ndarray(array)
    assert frame.shape == (48, 64, 3) and frame.pix_fmt == "rgb24" and frame.data is None
    frame.draw.fill((0, 0, 8, 8), "white")
    assert (array[:8, :8] == 255).all() and not array[8:].any()
    tensor, _ = frame.tensor((64, 48))
    assert tensor.shape == (1, 3, 48, 64) and tensor[0, :, :8, :8].min() == 1
    array[40:] = 255
    assert frame.tensor((64, 48))[0][0, :, 40:].min() == 1
    bgr = frameloom.Frame.from_ndarray(np.full((4, 6, 3), (255, 0, 0), np.uint8), "bgr24")
    assert (bgr.to_ndarray("rgb24") == (0, 0, 255)).all()
    for wrong in (array[:, :, 0], array.astype(np.float32), np.zeros((0, 3, 3), np.uint8)):
        with pytest.raises((ValueError, TypeError)):
            frameloom.Frame.from_ndarray(wrong)


def test_data_goes_along_with_a_frame(clip: Path) -> None:
    with frameloom.open(clip) as video:
        frame = video.read()
    assert frame is not None and frame.data is None
    frame.data = {"boxes": [{"xyxy": np.arange(4.0), "label": "é"}], "score": np.float32(0.5)}
    kept = {"boxes": [{"xyxy": [0, 1, 2, 3], "label": "é"}], "score": 0.5}
    assert frame.data == kept and frame.copy().data == kept
    frame.draw.data(frame.data)
    for wrong in ([1], "text", {"a": float("nan")}, {"a": object()}, {"a": "x" * 65536}):
        with pytest.raises((ValueError, TypeError)):
            frame.data = wrong  # type: ignore[assignment]
    assert frame.data == kept
    frame.data = None
    assert frame.data is None
    with pytest.raises(ValueError, match="can't be drawn"):
        frame.draw.data({"boxes": 7})
