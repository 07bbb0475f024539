"""The type stubs against what was built."""

import subprocess as sp
import sys
from pathlib import Path

from .conftest import ROOT


def test_the_stubs_are_right(tmp_path: Path) -> None:
    # What Python 3.13 adds to every dataclass, which mypy does not know of an older one.
    allowed = tmp_path / "allowed"
    allowed.write_text(r".*\.__replace__" "\n")
    command = [sys.executable, "-m", "mypy.stubtest", "frameloom"]
    command += ["--mypy-config-file", str(ROOT / "pyproject.toml")]
    command += ["--allowlist", str(allowed), "--ignore-unused-allowlist"]
    done = sp.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_public_is_documented() -> None:
    code = """
import frameloom, inspect
for name in frameloom.__all__:
    thing = getattr(frameloom, name)
    assert inspect.getdoc(thing), name
    for member, value in vars(thing).items() if inspect.isclass(thing) else ():
        assert member.startswith("_") or inspect.getdoc(value), f"{name}.{member}"
"""
    sp.run([sys.executable, "-c", code], check=True)
