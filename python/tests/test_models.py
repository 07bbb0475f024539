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

def boxes_of(tensor):
    assert tensor.shape[1:] == (3, 384, 640)
    return [[(100, 50, 300, 200)] for _ in tensor]

def model(batch):
    assert batch.shape == (8, 3, 384, 640) and 0 < batch.mean() < 1
"""


def test_there_are_examples() -> None:
    assert len(CODE) == 6


@pytest.mark.parametrize("code", CODE)
def test_an_example(code: str, tmp_path: Path, clip: Path) -> None:
    shutil.copy(clip, tmp_path / "in.mp4")
    code = re.sub(r"rtmp://HOST/live/(?:camera|a|b)\b", "in.mp4", code)
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
    outputs = ["out.mp4"] if "out.mp4" in code else []
    outputs += ["out0.mp4", "out1.mp4"] if "stream.output" in code else []
    for output in outputs:
        assert (tmp_path / output).stat().st_size > 0
