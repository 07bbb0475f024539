"""The guide to models runs as it stands, with files for streams and a made-up model."""

import re
import shutil
import subprocess as sp
import sys
from pathlib import Path

import pytest

from .conftest import LIMIT_S, ROOT

GUIDE = (ROOT / "docs" / "models.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
MODEL = """
def detect(tensor):
    assert tensor.shape == (1, 3, 640, 640)
    yield (100, 200, 300, 400), "person 0.93"

def model(batch):
    assert batch.shape == (8, 3, 384, 640) and 0 < batch.mean() < 1
"""


def test_there_are_examples() -> None:
    assert len(CODE) == 4


@pytest.mark.parametrize("code", CODE)
def test_an_example(code: str, tmp_path: Path, clip: Path) -> None:
    shutil.copy(clip, tmp_path / "in.mp4")
    code = code.replace("rtmp://HOST/live/camera", "in.mp4")
    code = code.replace("rtmp://HOST/live/out", "out.mp4")
    done = sp.run(
        [sys.executable, "-c", MODEL + code],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    if "out.mp4" in code:
        assert (tmp_path / "out.mp4").stat().st_size > 0
