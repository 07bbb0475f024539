"""What can't be is told in words: the expected and the given, the nearest name that exists."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frameloom


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (np.zeros((108, 190, 3), np.uint8), r"\(108, 192, 3\).*\(108, 190, 3\)"),
        (np.zeros((108, 192), np.uint8), r"\(108, 192, 3\).*\(108, 192\)"),
        (np.zeros((108, 192, 3), np.float32), r"uint8.*float32.*\* 255\)\.astype\(np\.uint8\)"),
        (np.zeros((108, 192, 3), np.int64), r"uint8.*int64.*clip\(0, 255\)"),
        (np.zeros((108, 192, 3), bool), r"uint8.*bool.*astype\(np\.uint8\) \* 255"),
        (np.zeros((108, 192, 4), np.uint8), r"pix_fmt=\"rgba\" has four channels"),
        (np.zeros((3, 108, 192), np.uint8), r"permute\(1, 2, 0\)"),
        (np.zeros((1, 108, 192, 3), np.uint8), r"a batch of one: array\[0\]"),
        ("a picture", r"uint8"),
        (None, r"uint8"),
    ],
)
def test_a_wrong_array_is_told(clip: Path, tmp_path: Path, given: object, told: str) -> None:
    with frameloom.open(clip) as video, video.output(tmp_path / "out.mkv") as out:
        frame = next(video)
        with pytest.raises(ValueError, match=told):
            out.write(given)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=told):
            frame.array = given  # type: ignore[assignment]
        out.write(frame)
    with frameloom.create(tmp_path / "new.mkv", size=(192, 108)) as writer:
        with pytest.raises(ValueError, match=told):
            writer.write(given)  # type: ignore[arg-type]
        writer.write(np.zeros((108, 192, 3), np.uint8))
    assert len(frameloom.open(tmp_path / "new.mkv")) == 1


class OfADevice:
    """As torch's tensors that are on a device or have gradients: numpy is refused them."""

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError("can't convert cuda:0 device type tensor to numpy.\nSecond line.")

    def detach(self) -> "OfADevice":
        return self

    def cpu(self) -> np.ndarray:
        return np.zeros((108, 192, 3), np.uint8)


class OnlyByDlpack:
    def __dlpack__(self, **_: object) -> object:
        raise BufferError("it is on a device")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


class Interrupting:
    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        raise KeyboardInterrupt


def test_what_numpy_fails_on_is_told_with_its_cure(clip: Path, tmp_path: Path) -> None:
    frame = next(frameloom.open(clip))
    _, transform = frame.tensor(64)
    given = OfADevice()
    uses: list[Callable[[Any], Any]] = [
        lambda given: setattr(frame, "array", given),
        frameloom.Frame.from_ndarray,
        lambda given: frame.set_region(0, 0, given),
        lambda given: frame.draw.mask(given, "red"),
        frame.draw.image,
        lambda given: frame.draw.polygon(given, "red"),
        transform.to_frame,
    ]
    for use in uses:
        with pytest.raises(ValueError, match=r"OfADevice .*cuda:0.*\.detach\(\)\.cpu\(\)") as told:
            use(given)
        assert isinstance(told.value.__cause__, TypeError) and "\n" not in str(told.value)
        with pytest.raises(KeyboardInterrupt):
            use(Interrupting())
    frame.array = given.detach().cpu()
    with pytest.raises(ValueError, match=r"OnlyByDlpack .*on a device") as by_dlpack:
        frame.array = OnlyByDlpack()
    assert isinstance(by_dlpack.value.__cause__, BufferError)
    with pytest.raises(ValueError, match=r"list .*every row has to have the same length"):
        frame.array = [[1, 2], [3]]


@pytest.mark.parametrize(
    "made",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[:, ::-1][:, ::-1],
        lambda a: np.ascontiguousarray(a[:, :, ::-1])[:, :, ::-1],
        lambda a: np.ascontiguousarray(a).data,
    ],
)
def test_arrays_that_can_be_copied_are(
    clip: Path, tmp_path: Path, made: Callable[[Any], Any]
) -> None:
    target = tmp_path / "out.mkv"
    picture = next(frameloom.open(clip)).array.copy()
    with frameloom.create(target, codec="ffv1") as writer:
        writer.write(made(picture))
    with frameloom.create(tmp_path / "plain.mkv", codec="ffv1") as writer:
        writer.write(picture)
    plain = next(frameloom.open(tmp_path / "plain.mkv")).array
    assert (next(frameloom.open(target)).array == plain).all()


def test_a_closed_output_and_a_closed_video(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip) as video, video.output(tmp_path / "out.mkv") as out:
        frame = next(video)
        out.write(frame)
    with pytest.raises(ValueError, match=r"out\.mkv is closed"):
        out.write(frame)
    with pytest.raises(ValueError, match="closed"):
        video.read()
    with pytest.raises(ValueError, match="closed"):
        video.output(tmp_path / "more.mkv")
    with pytest.raises(ValueError, match="closed"):
        video.seek(0)
    assert frame.array.shape == (108, 192, 3)
    writer = frameloom.create(tmp_path / "new.mkv")
    writer.write(frame)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match=r"new\.mkv is closed"):
        writer.write(frame)


def test_a_frame_of_another_video(clip: Path, tmp_path: Path) -> None:
    other = next(frameloom.open(clip))
    with frameloom.open(clip) as video, video.output(tmp_path / "out.mkv") as out:
        out.write(next(video))
        with pytest.raises(ValueError, match="another video"):
            out.write(other)
        out.write(other.array, time=0.04)


def test_before_the_first_frame_and_behind_it(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip) as video, video.output(tmp_path / "out.mkv") as out:
        with pytest.raises(ValueError, match="before a frame was read"):
            out.write(np.zeros((108, 192, 3), np.uint8))
        frame = next(video)
        out.write(frame)
        # One that comes later takes what was read before, and leaves it out.
        with video.output(tmp_path / "more.mkv") as more:
            assert not more.closed
            more.write(frame, time=0.02)
            for frame in video:
                more.write(frame)
        with pytest.raises(ValueError, match="closed"):
            more.write(frame)
    assert 10 < len(frameloom.open(tmp_path / "more.mkv")) < 50


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"preroll": -1}, ValueError, "preroll: -1"),
        ({"preroll": float("nan")}, ValueError, "preroll: NaN"),
        ({"preroll": "soon"}, ValueError, "preroll"),
        ({"preroll": 1, "codec": "libx264"}, ValueError, "packets are kept, not frames"),
        ({"preroll": 1, "audio_codec": "flac"}, ValueError, "the sound is encoded"),
        ({"preroll": 1, "size": (96, 54)}, ValueError, "the video is encoded"),
        ({"preroll": 1, "codec": "nosuch"}, ValueError, "nosuch"),
        ({"codec": "copy"}, ValueError, "codec="),
        ({"prerol": 1}, TypeError, "did you mean preroll"),
    ],
)
def test_an_output_that_cant_begin_before(
    clip: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with frameloom.open(clip, preroll=2) as video:
        next(video)
        with pytest.raises(error, match=told):
            video.output(tmp_path / "out.mkv", **options)
        # The video is none the worse.
        assert len(list(video)) == 49
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize("preroll", [-1, float("nan"), float("inf"), "soon"])
def test_packets_that_cant_be_kept(clip: Path, preroll: float | str) -> None:
    with pytest.raises(ValueError, match="preroll"):
        frameloom.open(clip, preroll=preroll)


def test_preroll_where_nothing_is_kept(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip) as video:
        with pytest.raises(ValueError, match=r"open the input with preroll=10"):
            video.output(tmp_path / "before.mkv", preroll=1)
        next(video)
        with pytest.raises(ValueError, match=r"open the input with preroll=10"):
            video.output(tmp_path / "behind.mkv", preroll=1)


def test_frames_into_an_output_that_is_copied(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip, preroll=2) as video:
        out = video.output(tmp_path / "out.mkv", preroll=1)
        for frame in video:
            with pytest.raises(ValueError, match="leave preroll= out"):
                out.write(frame)
    assert out.closed and len(frameloom.open(tmp_path / "out.mkv")) == 50


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"on_slo": "latest"}, TypeError, "did you mean on_slow"),
        ({"sise": (1, 1)}, TypeError, "did you mean size"),
        ({"preset": "fast"}, TypeError, "options="),
        ({"fps": 25}, TypeError, "it is rate here"),
        ({"codec": "libx264"}, TypeError, r"run\(\) as output=\{'codec'"),
        ({"size": (64, -36)}, ValueError, r"size: \(64, -36\)"),
        ({"size": (64,)}, ValueError, r"size: \(64,\)"),
        ({"on_slow": "latst"}, ValueError, "did you mean latest"),
        ({"pix_fmt": "rgb42"}, ValueError, "did you mean rgb24"),
        ({"size": "huge"}, ValueError, "size"),
        ({"rate": 0}, ValueError, "rate"),
        ({"start": -1}, ValueError, "start"),
        ({"duration": 0}, ValueError, "duration= must be more than 0"),
        ({"loop": -3}, ValueError, "loop"),
        ({"format": "mp5"}, ValueError, "format"),
        ({"options": {"nosuch": 1}}, ValueError, "nosuch"),
        ({"on_loss": "hold", "no_reconnect": True}, ValueError, "can't go together"),
        ({"on_error": "restart"}, ValueError, "COMMAND"),
    ],
)
def test_wrong_options_of_open(
    clip: Path, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        frameloom.open(clip, **options)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"codecs": "libx264"}, TypeError, "did you mean codec"),
        ({"codec": "libx265x"}, ValueError, "libx265"),
        ({"codec": "copy"}, ValueError, "copy"),
        ({"options": {"preset": "fastt"}}, ValueError, "fast"),
        ({"audio": False, "options": {"vn": "", "sn": ""}}, ValueError, "nothing to write"),
        ({"overwrite": False}, FileExistsError, r"exists already \(overwrite=True overwrites it"),
        ({"on_loss": "hold"}, TypeError, r"one of open\(\)"),
    ],
)
def test_wrong_options_of_an_output(
    clip: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    target = tmp_path / "out.mkv"
    target.write_bytes(b"here")
    with frameloom.open(clip) as video:
        with pytest.raises(error, match=told), video.output(target, **options):
            next(video)
        assert target.read_bytes() == b"here"
    with pytest.raises(TypeError, match="did you mean size"):
        frameloom.create(target, siz=(1, 1))  # type: ignore[call-arg]


def test_errors_are_the_builtins_too(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no film " * 1000)
    with pytest.raises(FileNotFoundError) as missing:
        frameloom.open(tmp_path / "none.mp4")
    assert isinstance(missing.value, frameloom.Error)
    assert (missing.value.stage, missing.value.hint) == ("input", "is the path right?")
    assert missing.value.url and missing.value.url.endswith("none.mp4")
    with pytest.raises(frameloom.InvalidData) as invalid:
        frameloom.open(text)
    # As a traceback shows it.
    assert traceback.format_exception_only(invalid.value)[0].startswith("frameloom.InvalidData: ")
    with pytest.raises(ValueError, match='format="flv"'):
        frameloom.create(tmp_path / "out.unknown")
    with pytest.raises(frameloom.Error):
        frameloom.create(tmp_path / "no" / "folder" / "out.mp4")
    with pytest.raises(TypeError, match="/dev/video3"):
        frameloom.open(3)  # type: ignore[arg-type]


def test_what_edit_raises_comes_whole(clip: Path, tmp_path: Path) -> None:
    def edit(array: np.ndarray) -> None:
        raise LookupError("in the middle")

    with pytest.raises(LookupError, match="in the middle") as raised:
        frameloom.run(clip, tmp_path / "out.mkv", edit)
    names = [entry.name for entry in raised.traceback]
    assert names[-1] == "edit"


def test_a_film_that_breaks_off_is_told_behind_its_frames(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.ts"
    frameloom.run(
        film, tmp_path / "whole.ts", lambda a: None, output={"options": {"preset": "ultrafast"}}
    )
    whole = (tmp_path / "whole.ts").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    assert 20 < sum(1 for _ in frameloom.open(broken)) < 132
