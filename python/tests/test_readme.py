"""What the README says to copy runs as it stands, with files in the place of streams."""

import os
import re
import shutil
import subprocess as sp
import sys
from pathlib import Path

import pytest

from .conftest import LIMIT_S, ROOT

README = (ROOT / "README.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
# A server has no end.
COMMANDS = re.findall(r"^((?: {4}frameloom (?!serve).*\n(?: {6}.*\n)*)+)", README, re.MULTILINE)
WEBCAM = "-f v4l2 -framerate 30 -video_size 1280x720 -i /dev/video0"


def of_files(text: str) -> str:
    """Return the same, with files for streams, and no device and size that a machine may lack."""
    text = text.replace("rtmp://HOST/live/camera", "in.mp4")
    text = re.sub(r"rtmp://HOST/live/(\w+)", r"\1.flv", text)
    # A file is never lost, and the option for that is refused.
    text = re.sub(r" --on-loss=\w+", "", text)
    text = text.replace(WEBCAM, "-f lavfi -t 1 -i testsrc2=s=192x108")
    return text.replace("1280x720", "192x108")


def run(words: list[str], text: str, folder: Path, clip: Path) -> None:
    """Run it in a folder with what it needs, and see that it makes every file that it names."""
    shutil.copy(clip, folder / "in.mp4")
    for name in ("edit.py", "read_only.py"):
        shutil.copy(ROOT / "python" / "examples" / name, folder)
    shutil.copy(ROOT / "target" / "test-media" / "centerface.onnx", folder / "faces.onnx")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = sp.run(
        [*words, text],
        check=False,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
    )
    assert done.returncode == 0, f"{text}\n{done.stderr}"
    for name in re.findall(r"\b\w+\.(?:flv|gif|mkv|mp4)\b", text):
        assert (folder / name).stat().st_size > 0, name


def test_there_are_recipes() -> None:
    assert len(COMMANDS) >= 9 and len(CODE) == 2
    assert README.count(WEBCAM) == 1


@pytest.mark.parametrize("text", COMMANDS)
def test_a_recipe(text: str, tmp_path: Path, clip: Path) -> None:
    run(["bash", "-euo", "pipefail", "-c"], of_files(text), tmp_path, clip)


@pytest.mark.parametrize("text", CODE)
def test_a_block_of_python(text: str, tmp_path: Path, clip: Path) -> None:
    run([sys.executable, "-c"], of_files(text), tmp_path, clip)
