"""`script/budget`, with programs in the place of the compiler and valgrind."""

import os
import subprocess as sp
from pathlib import Path

import pytest

from .conftest import LIMIT_S, ROOT

BASELINE = ROOT / "benches" / "budget" / "baseline.txt"


def budget(folder: Path, collected: str, *arguments: str) -> sp.CompletedProcess[str]:
    compiler = BASELINE.read_text().splitlines()[0]
    said = {"cargo": "", "rustc": compiler, "valgrind": f"==1== Collected : {collected}"}
    for name, text in said.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{text}'\n")
        program.chmod(0o755)
    command = [str(ROOT / "script" / "budget"), *arguments]
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    return sp.run(command, env=env, check=False, capture_output=True, text=True, timeout=LIMIT_S)


@pytest.mark.parametrize("collected", ["0", ""])
@pytest.mark.parametrize("arguments", [[], ["--write"]])
def test_a_job_in_which_nothing_is_counted_fails(
    tmp_path: Path, collected: str, arguments: list[str]
) -> None:
    before = BASELINE.read_text()
    done = budget(tmp_path, collected, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "counted nothing in convert" in done.stderr
    assert BASELINE.read_text() == before


def test_a_job_is_judged_by_its_count(tmp_path: Path) -> None:
    assert budget(tmp_path, "1").returncode == 0
    done = budget(tmp_path, "999999999999")
    assert done.returncode == 1 and "above its baseline" in done.stderr
