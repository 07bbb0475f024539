"""What the guides to Python and to COMMANDs show runs as it stands, with files for streams."""

import re
import subprocess as sp
import sys
from pathlib import Path

import numpy as np
import pytest

import frameloom

from .conftest import LIMIT_S, ROOT

SIZE = (96, 54)


def blocks(guide: str) -> list[str]:
    """Return the programs in a guide."""
    text = (ROOT / "docs" / guide).read_text()
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(words: list[str], folder: Path) -> None:
    """Run a program in a folder."""
    done = sp.run(words, check=False, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr


def make_clip(path: Path) -> None:
    """Make two seconds of dark, one of bright, and two of dark pictures."""
    settings = {"g": 10, "preset": "ultrafast"}
    with frameloom.create(path, size=SIZE, rate=10, options=settings) as out:
        for number in range(50):
            level = 200 if 20 <= number < 30 else 30
            out.write(np.full((SIZE[1], SIZE[0], 3), level, np.uint8))


def test_python_records_what_was_seen(tmp_path: Path) -> None:
    (code,) = blocks("python.md")
    make_clip(tmp_path / "in.mp4")
    run([sys.executable, "-c", code.replace("rtmp://HOST/live/camera", "in.mp4")], tmp_path)
    (event,) = tmp_path.glob("event-*.mp4")
    means = [frame.image.mean() for frame in frameloom.open(event)]
    assert max(means) > 190 and means[0] < 40, means


@pytest.mark.parametrize("code", [one for one in blocks("command.md") if "AUDIO" not in one])
def test_a_command_for_frames(code: str, tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4")
    (tmp_path / "program.py").write_text(code)
    words = [sys.executable, "-m", "frameloom", "-i", "in.mp4", "-c:v", "ffv1", "out.mkv", "--"]
    run([*words, sys.executable, "program.py"], tmp_path)
    before, after = (list(frameloom.open(tmp_path / name)) for name in ("in.mp4", "out.mkv"))
    assert len(before) == len(after) == 50
    off = np.abs(before[0].image.astype(int) - after[0].image)
    assert off.max() > 100 and off[44:, :30].max() < 8


def test_a_command_for_sound(tmp_path: Path, clip: Path) -> None:
    (code,) = (one for one in blocks("command.md") if "AUDIO" in one)
    (tmp_path / "louder.py").write_text(code)
    words = [sys.executable, "-m", "frameloom", "-i", str(clip), "-vn", "-c:a", "pcm_f32le"]
    words += ["--audio-format=f32le", f"--audio-command={sys.executable} louder.py", "out.wav"]
    run(words, tmp_path)
    before, after = (
        np.concatenate([piece.array for piece in frameloom.open_audio(path)])
        for path in (clip, tmp_path / "out.wav")
    )
    assert before.shape == after.shape and np.abs(before).max() > 0.01
    assert np.allclose(after, np.clip(2 * before, -1, 1), atol=1e-6)
