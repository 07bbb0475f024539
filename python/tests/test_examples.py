"""Every example of the package, run as a user runs it, and what came of it."""

import re
import subprocess as sp
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import frameloom

from .conftest import LIMIT_S, ROOT, ffmpeg, shown
from .graphs import save

EXAMPLES = ROOT / "python" / "examples"


def run(name: str, *words: object) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = sp.run(command, check=False, capture_output=True, text=True, timeout=2 * LIMIT_S)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return done.stdout


def test_no_example_is_long() -> None:
    for path in EXAMPLES.glob("*.py"):
        if path.name not in ("edit.py", "read_only.py", "recipe.py", "test_examples.py"):
            assert len(path.read_text().splitlines()) < 60, path.name


def test_the_recipe(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.flv"
    run("recipe_rewritten.py", clip, target)
    frames = [frame.array for frame in frameloom.open(target)]
    assert len(frames) == 50 and frames[25][14:48, 14:188].min() > 225
    assert shown(target, "a")


def test_blurring(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    run("blur_region.py", film, target, 100, 100, 400, 300)
    before = frameloom.open(film).frame_at(3).array.astype(int)
    after = frameloom.open(target).frame_at(3).array.astype(int)
    inside, outside = np.s_[130:370, 130:470], np.s_[450:, :]

    def detail(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture, axis=1)).mean())

    assert detail(after[inside]) < detail(before[inside]) / 2
    assert np.abs(after[outside] - before[outside]).mean() < 5


def test_faces(tmp_path: Path, face: Path) -> None:
    target = tmp_path / "out.mp4"
    told = run("faces.py", face, target)
    assert int(told.split()[0]) >= 5
    assert len(frameloom.open(target)) == 10


def test_reading_text(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with frameloom.create(film, pix_fmt="bgr24", rate=5) as out:
        for number in range(15):
            picture = np.full((180, 480, 3), 255, np.uint8)
            text = "FRAMELOOM" if number < 8 else "GOODBYE"
            cv2.putText(picture, text, (40, 110), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 4)
            out.write(picture)
    told = run("read_text.py", film, 1)
    assert "FRAMELOOM" in told and "GOODBYE" in told


def test_motion(film: Path) -> None:
    lines = run("motion.py", film).splitlines()
    assert len(lines) == 5
    assert any(float(line.split()[2].rstrip("%")) > 1 for line in lines)


def test_recording_on_detection(tmp_path: Path) -> None:
    source = tmp_path / "yard.mkv"
    # Somebody walks by from 4 s to 6 s, and from 12 s to 14 s.
    walker = "overlay=x='mod(t,8)*40':y=40:enable='between(mod(t,8),4,6)'"
    yard, man = "color=gray:s=320x180:r=25:d=18", "color=white:s=60x80:r=25:d=18"
    graph = f"{yard}[yard];{man}[man];[yard][man]{walker}"
    words = ["-v", "error", "-f", "lavfi", "-i", graph, "-f", "lavfi", "-i", "sine=d=18"]
    codecs = ["-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    sp.run(["ffmpeg", *words, *codecs, source], check=True)
    told = run("record_on_detection.py", source, tmp_path, 2, 1)
    assert told.count("begins") == 2 and told.count("is over") == 2, told
    for number in (1, 2):
        event = tmp_path / f"event-{number}.mp4"
        frames = [frame.array for frame in frameloom.open(event)]
        bright = [frame.max() > 200 for frame in frames]
        # What came before it is there, from a keyframe on, and what came behind it.
        seen = bright.index(True)
        assert 20 <= seen <= 90 and not any(bright[:seen]) and not bright[-1], (number, seen)
        assert sum(bright) == pytest.approx(50, abs=2)
        # It ends in the order of decoding: before its last pictures there may be others missing.
        times = shown(event)[:-4]
        assert times[0] == 0 and np.diff(times) == pytest.approx(0.04, abs=0.002)
        # Up to four pictures of B-frames, and a piece of sound.
        assert abs(shown(event)[-1] - shown(event, "a")[-1]) < 0.2


def test_making_a_video(tmp_path: Path) -> None:
    target = tmp_path / "waves.mp4"
    run("make_video.py", target, 1)
    video = frameloom.open(target)
    assert (len(video), video.width, video.rate) == (30, 640, Fraction(30))
    assert next(video).array.std() > 20


def test_a_snapshot_and_a_gif(film: Path, tmp_path: Path) -> None:
    picture, animation = tmp_path / "shot.png", tmp_path / "small.gif"
    run("snapshot_and_gif.py", film, 2, picture, animation)
    shot = cv2.imread(str(picture))
    assert shot is not None
    plain = frameloom.open(film, pix_fmt="bgr24").frame_at(2).array
    assert np.abs(shot.astype(int) - plain).max() <= 2
    assert len(list(frameloom.open(animation))) == 20


def test_speech(tmp_path: Path) -> None:
    source, target = tmp_path / "spoken.mkv", tmp_path / "out.mkv"
    words = "one two three four five six seven eight nine ten"
    voice = tmp_path / "voice.wav"
    ffmpeg(["-f", "lavfi", "-i", f"flite=text='{words}'"], voice)
    ffmpeg(
        f"-f lavfi -i color=gray:s=320x180:r=10:d=9 -i {voice} -af adelay=3000:all=1,apad -t 9"
        " -pix_fmt yuv420p -c:v libx264 -c:a flac",
        source,
    )
    model = ROOT / "target" / "test-media" / "silero_vad.onnx"
    told = run("speech.py", source, target, model)
    captions = [bool(frame.array[10:42, 10:100].max() > 200) for frame in frameloom.open(target)]
    assert told == f"speech in {sum(captions)} frames\n"
    assert not any(captions[:25]) and sum(captions[35:55]) > 12 and not any(captions[80:])


@pytest.mark.slow
def test_many_streams(clip: Path, film: Path) -> None:
    for name in ("many_streams.py", "many_streams_asyncio.py"):
        told = run(name, clip, film)
        assert told.count(str(clip)) == 2 and told.count(str(film)) == 6


def test_faces_with_an_opencv_that_has_no_cascades(tmp_path: Path, face: Path) -> None:
    start = """
import runpy, sys, cv2, numpy
if hasattr(cv2, "CascadeClassifier"):
    del cv2.CascadeClassifier
class Model:
    def setInputSize(self, size):
        self.size = size
    def detect(self, image):
        assert self.size == (image.shape[1], image.shape[0])
        return 1, numpy.full((1, 15), 20, numpy.float32)
cv2.FaceDetectorYN = type("FaceDetectorYN", (), {"create": staticmethod(lambda *_: Model())})
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    command = [sys.executable, "-c", start, str(EXAMPLES / "faces.py"), str(face)]
    command.append(str(tmp_path / "out.mp4"))
    done = sp.run(command, check=False, capture_output=True, text=True, timeout=2 * LIMIT_S)
    assert done.returncode == 1 and "opencv-contrib-python-headless" in done.stderr
    command.append("yunet.onnx")
    done = sp.run(command, check=False, capture_output=True, text=True, timeout=2 * LIMIT_S)
    assert (done.returncode, done.stdout) == (0, "10 faces\n"), done.stderr


def test_detecting_at_the_full_rate(tmp_path: Path, film: Path) -> None:
    target = tmp_path / "out.mp4"
    cells = 80 * 80 + 40 * 40 + 20 * 20
    found = np.zeros((5, cells), np.float32)
    found[:, 3] = 320, 320, 200, 100, 0.9
    model = save(tmp_path / "m.onnx", {"o": found}, metadata={"names": "{0: 'rabbit'}"})
    told = run("detect_fast.py", model, film, target)
    frames, seen = map(int, re.findall(r"(\d+) (?:frames|of them)", told))
    assert "1 class (rabbit)" in told and frames == len(frameloom.open(target)) == 132
    assert 1 <= seen <= 132
    # The box is twice as large in the film, without the bars of the tensor.
    before = frameloom.open(film).frame_at(4).array.astype(int)
    changed = np.abs(frameloom.open(target).frame_at(4).array - before).max(axis=2) > 40
    assert changed[260:460, 438:442].mean() > 0.5 and changed[560:].mean() < 0.01


def test_hiding_faces(tmp_path: Path, face: Path) -> None:
    target = tmp_path / "out.mp4"
    told = run("hide_faces.py", ROOT / "target" / "test-media" / "centerface.onnx", face, target)
    assert told == "10 faces hidden\n"
    before, after = (frameloom.open(path).frame_at(0.2).array for path in (face, target))
    detail = [
        np.abs(np.diff(one[70:170, 190:262].astype(int), axis=1)).mean() for one in (before, after)
    ]
    assert detail[1] < detail[0] / 2


def test_many_cameras_have_one_model(clip: Path, face: Path, tmp_path: Path) -> None:
    cameras = (clip, face) * 4
    run("many_cameras_one_model.py", f"{tmp_path}/found-", *cameras)
    for number, source in enumerate(cameras):
        was, now = frameloom.open(source), frameloom.open(tmp_path / f"found-{number}.mp4")
        assert len(now) == len(was)
        edges = np.abs(next(iter(now)).image.astype(int) - next(iter(was)).image)
        # A box and its label, and most of the picture as it was.
        assert edges.max() > 60 and np.median(edges) < 8


def test_torch_has_frames_without_a_copy(clip: Path, tmp_path: Path) -> None:
    """With what the example uses of torch, made of numpy: torch is larger than all else here."""
    (tmp_path / "torch.py").write_text("""
import contextlib, types
import numpy as np
no_grad = contextlib.nullcontext
class Scores(np.ndarray):
    def softmax(self, axis):
        powers = np.exp(self - self.max(axis, keepdims=True))
        return powers / powers.sum(axis, keepdims=True)
class Model:
    def eval(self):
        return self
    def __call__(self, tensor):
        assert tensor.shape == (1, 3, 224, 224) and tensor.dtype == np.float32
        return np.array([[1.0, 3.0, 2.0]]).view(Scores)
jit = types.SimpleNamespace(load=lambda path: Model())
from_dlpack = np.from_dlpack
""")
    target = tmp_path / "out.mp4"
    start = "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]"
    start += "; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", start, tmp_path, EXAMPLES / "torch_model.py"]
    command += ["model.pt", clip, target]
    done = sp.run(
        [*map(str, command)], check=False, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    assert len(frameloom.open(target)) == 50
