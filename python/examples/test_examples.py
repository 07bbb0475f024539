"""Each example run as a user would run it, without Frameloom: only the contract."""

import os
import re
import subprocess as sp
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).parent
WIDTH, HEIGHT, FRAMES = 90, 50, 5


def run(
    example: str, *args: str, stdin: bytes = b"", **env: str
) -> tuple[sp.CompletedProcess[bytes], str]:
    """Return the example's result, and what it said on stderr."""
    done = sp.run(
        [sys.executable, HERE / example, *args],
        input=stdin,
        capture_output=True,
        check=True,
        env={
            **os.environ,
            "FRAMELOOM_WIDTH": str(WIDTH),
            "FRAMELOOM_HEIGHT": str(HEIGHT),
            "FRAMELOOM_FRAME_BYTES": str(WIDTH * HEIGHT * 3),
            **env,
        },
    )
    return done, done.stderr.decode()


def noise(frames: int) -> npt.NDArray[np.uint8]:
    """So many frames, all different."""
    return np.random.default_rng(1).integers(0, 256, (frames, HEIGHT, WIDTH, 3), np.uint8)


class Edit(unittest.TestCase):
    def test_each_frame_comes_back_once_and_edited_in_part(self) -> None:
        frames = noise(FRAMES)
        done, _ = run("edit.py", stdin=frames.tobytes())
        edited = np.frombuffer(done.stdout, np.uint8).reshape(frames.shape)
        for before, after in zip(frames, edited, strict=True):
            changed = (before != after).any(axis=2).mean()
            self.assertGreater(changed, 0.1)
            self.assertLess(changed, 0.2)

    def test_an_incomplete_last_frame_is_not_written(self) -> None:
        done, _ = run("edit.py", stdin=noise(2).tobytes()[:-1])
        self.assertEqual(len(done.stdout), WIDTH * HEIGHT * 3)

    def test_no_picture_is_too_small(self) -> None:
        done, _ = run("edit.py", stdin=bytes(range(12)), FRAMELOOM_WIDTH="2", FRAMELOOM_HEIGHT="2")
        self.assertEqual(len(done.stdout), 12)


class ReadOnly(unittest.TestCase):
    def test_motion_is_told_from_stillness(self) -> None:
        first, second = noise(2)
        frames = np.stack([first, first, second, second])
        done, said = run("read_only.py", stdin=frames.tobytes())
        self.assertEqual(done.stdout, b"")
        self.assertEqual(
            said.splitlines(),
            ["frame 2: motion", "frame 3: still", "4 frames, 1 of them with motion"],
        )


class Recipe(unittest.TestCase):
    def test_it_edits_every_frame_of_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source, output = Path(folder, "in.mkv"), Path(folder, "out.flv")
            ffmpeg = ["ffmpeg", "-v", "error", "-nostdin"]
            clip = f"color=black:size={WIDTH}x{HEIGHT}:rate=24:duration=0.5"
            sp.run([*ffmpeg, "-f", "lavfi", "-i", clip, source], check=True)
            run("recipe.py", str(source), f"{WIDTH}x{HEIGHT}", str(output))
            raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
            decoded = sp.run([*ffmpeg, "-i", output, *raw], check=True, capture_output=True).stdout
            frames = np.frombuffer(decoded, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
            self.assertEqual(len(frames), 12)
            np.testing.assert_allclose(frames[-1, 4, 4], (255, 0, 128), atol=10)
            np.testing.assert_allclose(frames[-1, -4, -4], (0, 0, 0), atol=10)


class Documentation(unittest.TestCase):
    def test_every_example_says_how_to_run_it(self) -> None:
        for example in sorted(HERE.glob("*.py")):
            if not example.name.startswith("test_"):
                self.assertTrue(
                    re.search(rf"^ *.*python3 {example.name}", example.read_text(), re.M)
                )
