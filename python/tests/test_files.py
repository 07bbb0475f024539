"""Files: reading, editing, writing, cutting, seeking."""

import asyncio
import gc
import os
import pickle
import subprocess as sp
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import tvm_ffi

import frameloom

from .conftest import LIMIT_S, ffmpeg, shown, turn

FAST = {"preset": "ultrafast"}


def pictures(path: Path) -> list[npt.NDArray[np.uint8]]:
    return [frame.array for frame in frameloom.open(path)]


def beside_audio(path: Path) -> list[float]:
    """When each frame is to be shown, counted from the first packet of the sound."""
    begin = shown(path, "a")[0]
    return [at - begin for at in shown(path)]


def checksums(path: Path) -> list[str]:
    """Of every decoded picture, in the codec's own format."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-f", "framemd5", "-"]
    told = sp.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line for line in told.splitlines() if not line.startswith("#")]
    return [line.rsplit(",", 1)[1].strip() for line in lines]


def test_every_frame_comes_with_its_time(clip: Path) -> None:
    with frameloom.open(clip) as video:
        assert (video.width, video.height, video.rate) == (192, 108, Fraction(25))
        assert len(video) == 50 and not video.is_live
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(50))
    for number, frame in enumerate(frames):
        assert frame.pts * frame.time_base == Fraction(number, 25)
        assert frame.time == pytest.approx(number / 25)
        assert frame.array.shape == (108, 192, 3) and frame.array.dtype == np.uint8
        assert frame.array.flags.writeable and frame.array.flags.c_contiguous
    assert [frame.index for frame in frames if frame.key_frame] == [0, 10, 20, 30, 40]


MATRICES = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114), None: (0.299, 0.114)}


def exact_rgb(frame: av.VideoFrame, kr: float, kb: float) -> npt.NDArray[np.float64]:
    """By the formulas of the standards, from limited range; chroma stands for all its pixels.

    What is blacker than black is black.
    """
    width, height = frame.width, frame.height
    planes = frame.to_ndarray().astype(float).reshape(-1)
    luma = np.maximum(planes[: width * height].reshape(height, width) - 16, 0) / 219
    rest = (planes[width * height :].reshape(2, height // 2, width // 2) - 128) / 224
    blue, red = rest.repeat(2, axis=1).repeat(2, axis=2)
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    rgb: npt.NDArray[np.float64] = np.clip(np.stack([r, g, b], axis=2), 0, 1) * 255
    return rgb


@pytest.mark.parametrize("matrix", list(MATRICES))
def test_frames_equal_those_of_pyav(tmp_path: Path, film: Path, matrix: str | None) -> None:
    # PyAV decodes, and numpy converts: its own conversion is off by up to 3 levels.
    source = tmp_path / "source.mp4"
    tags = f"-colorspace {matrix} -color_range tv" if matrix else ""
    ffmpeg(f"-i {film} -t 1 -an -vf scale=640:360 -pix_fmt yuv420p -c:v libx264 {tags}", source)
    ours = pictures(source)
    with av.open(str(source)) as container:
        theirs = [exact_rgb(frame, *MATRICES[matrix]) for frame in container.decode(video=0)]
    assert len(ours) == len(theirs) == 25
    for mine, their in zip(ours, theirs, strict=True):
        assert np.abs(mine - their).max() <= 2


def test_what_is_edited_is_written_and_the_audio_is_the_same(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with frameloom.open(clip) as video, video.output(target, codec="ffv1") as out:
        for frame in video:
            frame.array[10:50, 10:100] = 255
            out.write(frame)
    assert video.stats.frames_in == video.stats.frames_edited == video.stats.frames_out == 50
    for before, after in zip(pictures(clip), pictures(target), strict=True):
        assert after[12:48, 12:98].min() >= 253
        assert np.abs(after[60:].astype(int) - before[60:]).mean() < 1.5
    assert beside_audio(target) == pytest.approx(beside_audio(clip), abs=0.002)
    assert len(shown(target, "a")) == len(shown(clip, "a"))


def test_frames_that_are_only_read_go_out_as_they_came(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with frameloom.open(clip) as video, video.output(target, codec="ffv1") as out:
        for frame in video:
            if frame.index % 2:
                assert not frame.image.flags.writeable
                with pytest.raises(ValueError, match="read-only"):
                    frame.image[0, 0] = 1
            out.write(frame)
    assert video.stats.frames_edited == 0
    assert checksums(target) == checksums(clip)


def test_frames_may_be_left_out_and_held_back(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with frameloom.open(clip) as video, video.output(target, codec="ffv1") as out:
        batch: list[frameloom.Frame] = []
        for frame in video:
            if frame.index % 5 == 0:
                continue
            batch.append(frame)
            if len(batch) == 8:
                for held in batch:
                    out.write(held)
                batch.clear()
        for held in batch:
            out.write(held)
    everything = checksums(clip)
    assert checksums(target) == [md5 for n, md5 in enumerate(everything) if n % 5]


def test_leaving_the_loop_early_finishes_the_output(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with frameloom.open(clip) as video, video.output(target, options=FAST) as out:
        for frame in video:
            if frame.index == 20:
                break
            out.write(frame)
    assert len(shown(target)) == 20
    assert shown(target, "a")[-1] < 1.0


def test_an_error_in_the_block_finishes_the_output_and_is_raised(
    clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    with (
        pytest.raises(ZeroDivisionError),
        frameloom.open(clip) as video,
        video.output(target, options=FAST) as out,
    ):
        for frame in video:
            _ = 1 / (frame.index - 30)
            out.write(frame)
    assert len(shown(target)) == 30


def test_several_outputs_get_what_is_written_to_each(clip: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.mkv", tmp_path / "other.mkv"
    with (
        frameloom.open(clip) as video,
        video.output(one, codec="ffv1") as first,
        video.output(other, codec="ffv1", audio=False) as second,
    ):
        for frame in video:
            first.write(frame)
            if frame.index % 2:
                frame.array[:] = 200
                second.write(frame)
    assert checksums(one) == checksums(clip)
    assert len(pictures(other)) == 25
    assert all(np.abs(array.astype(int) - 200).max() <= 2 for array in pictures(other))
    assert shown(one, "a") and not shown(other, "a")


def test_an_array_takes_the_last_frames_place(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with frameloom.open(clip, pix_fmt="gray") as video, video.output(target, codec="ffv1") as out:
        for frame in video:
            assert frame.array.shape == (108, 192)
            out.write(np.full((108, 192), frame.index, np.uint8))
    for number, frame in enumerate(frameloom.open(target, pix_fmt="gray")):
        assert np.abs(frame.array.astype(int) - number).max() <= 1
    assert beside_audio(target) == pytest.approx(beside_audio(clip), abs=0.002)


@pytest.mark.parametrize(
    ("pix_fmt", "shape"),
    [
        ("bgr24", (108, 192, 3)), ("rgba", (108, 192, 4)), ("bgra", (108, 192, 4)),
        ("yuv420p", (162, 192)), ("nv12", (162, 192)), ("gray", (108, 192)),
    ],
)  # fmt: skip
def test_formats(clip: Path, tmp_path: Path, pix_fmt: str, shape: tuple[int, ...]) -> None:
    target = tmp_path / "out.mkv"
    with (
        frameloom.open(clip, pix_fmt=pix_fmt, duration=0.4) as video,
        video.output(target, codec="ffv1") as out,
    ):
        for frame in video:
            assert frame.array.shape == shape and frame.pix_fmt == pix_fmt
            out.write(frame)
    first, rgb = pictures(target)[0].astype(int), pictures(clip)[0].astype(int)
    if pix_fmt == "bgr24":
        bgr = next(frameloom.open(clip, pix_fmt="bgr24")).array
        assert (bgr[:, :, ::-1] == rgb).all()
    if pix_fmt != "gray":
        assert np.abs(first - rgb).mean() < 1.5


def test_yuv_is_laid_out_as_pyavs(clip: Path) -> None:
    with av.open(str(clip)) as container:
        theirs = next(container.decode(video=0)).to_ndarray()
    assert (next(frameloom.open(clip, pix_fmt="yuv420p")).array == theirs).all()


def test_size_rate_and_part(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip, size=(96, 54), rate=10, start=0.4, duration=1.0) as video:
        assert (video.width, video.height, video.rate, len(video)) == (96, 54, Fraction(10), 10)
        frames = list(video)
    assert [round(frame.time, 3) for frame in frames] == [n / 10 for n in range(10)]
    assert all(frame.array.shape == (54, 96, 3) for frame in frames)
    with pytest.raises(ValueError, match=r"the input is 2\.0 s long"):
        frameloom.open(clip, start=100)
    target = tmp_path / "small.mp4"
    frameloom.run(clip, target, lambda array: None, size=(96, 54), output={"options": FAST})
    assert frameloom.open(target).width == 96


def test_a_loop_repeats(clip: Path) -> None:
    video = frameloom.open(clip, loop=3)
    assert len(video) == 150
    times = [frame.time for frame in video]
    assert len(times) == 150 and times == sorted(times)


def test_seeking_is_exact(clip: Path) -> None:
    plain = pictures(clip)
    video = frameloom.open(clip)
    for number in (33, 0, 12, 49):
        video.seek(number / 25)
        frame = next(video)
        assert frame.time == pytest.approx(number / 25)
        assert (frame.array == plain[number]).all()
    video.seek(0.5)  # between two frames
    assert next(video).time == pytest.approx(0.52)
    for time, number in [(0.0, 0), (0.3, 7), (0.999, 24), (1.0, 25), (0.2, 5), (1.99, 49)]:
        frame = video.frame_at(time)
        assert frame.time == pytest.approx(number / 25), time
        assert (frame.array == plain[number]).all(), time
    assert next(video).time == pytest.approx(0.56), "frame_at has moved the loop"
    with pytest.raises(ValueError, match="shorter"):
        video.frame_at(3)
    with frameloom.open(clip, start=1.0) as part:
        part.seek(0.2)
        assert (next(part).array == plain[30]).all()
        assert (part.frame_at(0.4).array == plain[35]).all()


@pytest.mark.parametrize("name", ["raw.h264", "raw.mpeg4.m4v"])
def test_what_has_no_index_of_times_is_read_from_its_start(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    codec = "libx264 -bf 2 -g 250" if name.endswith("264") else "mpeg4 -bf 2"
    ffmpeg(f"-f lavfi -i testsrc2=s=64x48:r=25:d=2 -pix_fmt yuv420p -c:v {codec}", source)
    plain = pictures(source)
    video = frameloom.open(source)
    for number in (30, 2, 49):
        video.seek(frameloom_time(source, number))
        assert (next(video).array == plain[number]).all(), number
        assert (video.frame_at(frameloom_time(source, number)).array == plain[number]).all(), number
    assert len(pictures_of(frameloom.open(source, loop=2))) == 100


def frameloom_time(path: Path, number: int) -> float:
    return [frame.time for frame in frameloom.open(path)][number]


def pictures_of(video: frameloom.Video) -> list[npt.NDArray[np.uint8]]:
    return [frame.array for frame in video]


def test_a_seek_that_fails_leaves_the_video_as_it_was(clip: Path) -> None:
    video = frameloom.open(clip)
    first = next(video)
    with pytest.raises(ValueError, match=r"the input is 2\.0 s long"):
        video.seek(5)
    assert not video.closed
    assert next(video).index == first.index + 1
    video.seek(1)
    assert next(video).time == 1.0


def test_one_picture_and_numbered_pictures_are_videos(tmp_path: Path) -> None:
    ffmpeg("-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 -start_number 1", tmp_path / "%02d.png")
    photo = tmp_path / "01.png"
    plain = pictures(photo)
    assert len(plain) == 1
    assert (frameloom.open(photo).frame_at(0).array == plain[0]).all()
    assert len(pictures_of(frameloom.open(photo, start=0))) == 1
    assert len(pictures_of(frameloom.open(photo, loop=5))) == 5
    numbered = tmp_path / "%02d.png"
    plain = pictures(numbered)
    video = frameloom.open(numbered)
    for number in (7, 0, 9, 3):
        assert (video.frame_at(number / 25).array == plain[number]).all()
        video.seek(number / 25)
        assert (next(video).array == plain[number]).all()


def test_a_video_is_played_once_at_least(clip: Path) -> None:
    for times in (0, -1, -2):
        with pytest.raises(ValueError, match="once at least"):
            frameloom.open(clip, loop=times)
    assert len(pictures_of(frameloom.open(clip, loop=1))) == 50
    assert len(pictures_of(frameloom.open(clip, loop=False))) == 50


def test_a_video_that_is_closed_gives_no_frames_and_says_so(clip: Path) -> None:
    video = frameloom.open(clip)
    frames = list(video)
    assert len(frames) == 50 and list(video) == [], "at its end it goes on being at its end"
    video.close()
    with pytest.raises(ValueError, match="closed"):
        next(video)
    with pytest.raises(ValueError, match="closed"):
        list(video)


def test_frames_are_written_in_the_order_of_showing(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip) as video, video.output(tmp_path / "out.mkv", codec="ffv1") as out:
        frames = [next(video) for _ in range(5)]
        out.write(frames[0])
        out.write(frames[3])
        with pytest.raises(ValueError, match="order of showing"):
            out.write(frames[1])
        out.write(frames[4])
    kept = checksums(clip)
    assert checksums(tmp_path / "out.mkv") == [kept[0], kept[3], kept[4]]


def test_a_video_with_outputs_can_not_be_sought_in(clip: Path, tmp_path: Path) -> None:
    video = frameloom.open(clip)
    video.output(tmp_path / "out.mkv")
    with pytest.raises(ValueError, match="outputs"):
        video.seek(1)


def test_a_writer_makes_the_recipes_file(tmp_path: Path) -> None:
    target = tmp_path / "out.flv"
    with frameloom.create(target, size=(960, 540), rate=24, options=FAST) as out:
        for number in range(48):
            out.write(np.full((540, 960, 3), 5 * number, np.uint8))
        assert out.frames == 48
    assert shown(target) == pytest.approx([n / 24 for n in range(48)], abs=0.001)
    for number, array in enumerate(pictures(target)):
        assert np.abs(array.astype(int) - 5 * number).max() <= 4


def test_run_takes_what_edit_returns(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    stats = frameloom.run(clip, target, lambda array: 255 - array, output={"codec": "ffv1"})
    assert (stats.frames_in, stats.frames_out, stats.input) == (50, 50, "ok")
    for before, after in zip(pictures(clip), pictures(target), strict=True):
        assert np.abs(255 - before.astype(int) - after).mean() < 2.5


def test_arrays_outlive_everything(clip: Path) -> None:
    plain = [array.copy() for array in pictures(clip)]
    arrays, views = [], []
    for frame in frameloom.open(clip):
        arrays.append(frame.array)
        views.append(frame.array[4:20, 3:9])
        del frame
    gc.collect()
    for array, view, before in zip(arrays, views, plain, strict=True):
        assert (array == before).all() and (view == before[4:20, 3:9]).all()
    # A view alone holds its memory too.
    views = [frame.array[4:20] for frame in frameloom.open(clip)]
    assert all((view == before[4:20]).all() for view, before in zip(views, plain, strict=True))


def test_numpy_and_dlpack_share_the_memory(clip: Path) -> None:
    frame = next(frameloom.open(clip))
    assert np.shares_memory(np.asarray(frame), frame.array)
    assert np.shares_memory(np.from_dlpack(frame), frame.array)
    assert memoryview(frame.array.data).nbytes == 108 * 192 * 3
    assert np.array(frame, dtype=np.float32).dtype == np.float32
    assert np.shares_memory(np.asarray(frame, dtype=np.uint8), frame.array)
    assert not np.shares_memory(np.array(frame, copy=True), frame.array)
    with pytest.raises(ValueError, match="copy"):
        np.array(frame, dtype=np.float32, copy=False)


def test_a_consumer_of_dlpack_shares_the_memory_for_as_long_as_it_has_it(
    clip: Path, tmp_path: Path
) -> None:
    video = frameloom.open(clip)
    frame = next(video)
    tensor = tvm_ffi.from_dlpack(frame)
    assert (tuple(tensor.shape), str(tensor.dtype)) == ((108, 192, 3), "uint8")
    seen = np.from_dlpack(tensor)
    seen[20:40] = 99
    assert (frame.array[20:40] == 99).all()
    kept = frame.array.copy()
    del frame, seen
    # The memory of frames that nobody has any more is used again, and this isn't such a one.
    for later in video:
        later.array.fill(0)
    assert (np.from_dlpack(tensor) == kept).all()
    with frameloom.create(tmp_path / "out.mkv", codec="ffv1") as out:
        out.write(tensor)
    assert np.abs(next(frameloom.open(tmp_path / "out.mkv")).array[21:39] - 99.0).max() <= 2


@pytest.mark.skipif(sys.version_info < (3, 12), reason="classes have no __buffer__ before")
def test_a_frame_has_the_buffer_protocol(clip: Path, tmp_path: Path) -> None:
    frame = next(frameloom.open(clip))
    view = memoryview(frame)
    assert (view.shape, view.format, view.readonly) == ((108, 192, 3), "B", False)
    assert np.shares_memory(np.frombuffer(memoryview(frame), np.uint8), frame.array)
    view[5, 6, 1] = 77
    assert frame.array[5, 6, 1] == 77
    assert bytes(frame) == frame.array.tobytes()
    (tmp_path / "pixels").write_bytes(frame)
    assert (tmp_path / "pixels").stat().st_size == 108 * 192 * 3


def test_the_audio_comes_as_packets_beside_the_frames(clip: Path) -> None:
    ours: list[frameloom.AudioPacket] = []
    video = frameloom.open(clip)
    for _frame in video:
        ours += video.audio
    ours += video.audio
    with av.open(str(clip)) as container:
        theirs = [packet for packet in container.demux(audio=0) if packet.size]
        assert video.audio_extradata == container.streams.audio[0].codec_context.extradata
    assert [packet.data for packet in ours] == [bytes(packet) for packet in theirs]
    assert [packet.time for packet in ours] == pytest.approx(
        [float((packet.pts or 0) * packet.time_base) for packet in theirs], abs=0.03
    )


def test_python_may_end_at_any_time(clip: Path, tmp_path: Path) -> None:
    # Nothing is closed: what was written is whole all the same, and nothing crashes or hangs.
    code = """
import sys, threading
import frameloom
video = frameloom.open(sys.argv[1])
out = video.output(sys.argv[2], codec="ffv1")
for frame in video:
    out.write(frame)
    if frame.index == 19:
        break
endless = frameloom.open("testsrc2=s=64x36:r=1/100", format="lavfi", realtime=True)
began = threading.Event()
def read():
    for frame in endless:
        began.set()
threading.Thread(target=read, daemon=True).start()
began.wait()
writer = frameloom.create(sys.argv[3], codec="ffv1")
writer.write(frame)
"""
    new = tmp_path / "new.mkv"
    target = tmp_path / "out.mkv"
    words = [sys.executable, "-X", "dev", "-X", "faulthandler", "-c", code, str(clip)]
    sp.run([*words, str(target), str(new)], check=True, timeout=LIMIT_S)
    assert len(checksums(new)) == 1
    assert checksums(target) == checksums(clip)[:20]


def test_reprs_tell_something(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip) as video, video.output(tmp_path / "out.mkv") as out:
        assert "192x108 25.00 fps, 2.00 s" in repr(video)
        frame = next(video)
        assert repr(frame) == "<frameloom.Frame 0 at 0.000 s, 192x108 yuv420p key>"
        assert "out.mkv open" in repr(out)
        assert "0 dropped" in repr(video.stats)
    assert "closed" in repr(video) and "closed" in repr(out)


def test_progress_is_shown(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sum(1 for _ in frameloom.open(clip, progress=True)) == 50
    told = capsys.readouterr().err
    assert "100%" in told and "frames/s" in told


def test_info_is_what_probe_tells(clip: Path) -> None:
    info = frameloom.open(clip).info
    assert info == frameloom.probe(clip)
    video = next(stream for stream in info["streams"] if stream["kind"] == "video")
    assert (video["codec"], video["frames"]) == ("h264", 50)


def test_errors_cross_processes() -> None:
    with pytest.raises(frameloom.NotFound) as raised:
        frameloom.open("/nowhere/film.mp4")
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value) and again.url == "/nowhere/film.mp4"


def test_the_command_line_is_the_same_program(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    program = Path(sys.executable).with_name("frameloom")
    for words in ([sys.executable, "-m", "frameloom"], [str(program)]):
        run = sp.run([*words, "-v", "error", "-y", "-i", clip, "-c:v", "ffv1", target], check=False)
        assert run.returncode == 0 and checksums(target) == checksums(clip)
        wrong = sp.run([*words, "-i"], check=False, capture_output=True, text=True)
        assert wrong.returncode == 2 and wrong.stderr.startswith("frameloom: ")


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_picture_has_one_size_everywhere(clip: Path, tmp_path: Path, degrees: int) -> None:
    upright, turned = tmp_path / "upright.mp4", tmp_path / "turned.mp4"
    ffmpeg(f"-i {clip} -an -c copy", upright)
    turn(upright, (192, 108), degrees, turned)
    width, height = (192, 108) if degrees == 180 else (108, 192)
    video = frameloom.open(turned)
    assert (video.width, video.height) == (width, height)
    first = next(video)
    assert first.array.shape == (height, width, 3)
    assert (video.width, video.height) == (first.width, first.height)
    shown_first = video.frame_at(0)
    assert (shown_first.array == first.array).all()
    # A tensor is made of the codec's planes, which lie as they were coded, not of the array.
    tensor, transform = video.frame_at(0).tensor(
        (width, height), fit="stretch", dtype="uint8", layout="NHWC"
    )
    off = np.abs(tensor[0].astype(int) - first.image)
    assert off.mean() < 1.5, "it is not the turned picture"
    assert transform.to_frame([width, height]).tolist() == [width, height]
    assert f"{width}x{height}" in repr(video)
    assert next(frameloom.open(turned, size=(40, 20))).array.shape == (20, 40, 3)
    assert frameloom.open(turned, size=(40, 20)).frame_at(0).array.shape == (20, 40, 3)


def test_a_size_that_changes_midway_is_that_of_each_frame(tmp_path: Path) -> None:
    parts = []
    for number, size in enumerate(("64x48", "96x32")):
        parts.append(tmp_path / f"{number}.ts")
        ffmpeg(f"-f lavfi -i testsrc2=s={size}:d=1 -c:v libx264 -bf 0 -g 5", parts[-1])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = frameloom.open(joined)
    read = []
    for frame in video:
        assert frame.array.shape == (frame.height, frame.width, 3)
        assert (video.width, video.height) == (frame.width, frame.height)
        read.append(frame)
    assert {(frame.width, frame.height) for frame in read} == {(64, 48), (96, 32)}
    for frame in read[::7]:
        found = video.frame_at(frame.time)
        assert (found.width, found.height) == (frame.width, frame.height)
        assert (found.array == frame.array).all()


def test_a_frame_is_written_once_for_one_time(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with frameloom.open(clip, duration=1) as video, video.output(target, options=FAST) as out:
        for frame in video:
            out.write(frame)
            with pytest.raises(ValueError, match="two frames are written for"):
                out.write(frame)
            with pytest.raises(ValueError, match="two frames are written for"):
                out.write(frame.array)
    assert np.diff(shown(target)) == pytest.approx(0.04, abs=0.001)


def test_a_frame_is_shown_again_at_a_time_of_its_own(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with frameloom.open(clip, duration=1) as video, video.output(target, options=FAST) as out:
        for frame in video:
            out.write(frame)
            out.write(frame, time=frame.time + 0.02)
    assert np.diff(beside_audio(target)) == pytest.approx(0.02, abs=0.002)


def test_names_are_bytes(clip: Path, tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    named = Path(os.fsdecode(raw))
    named.write_bytes(clip.read_bytes())
    target = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mkv"))
    names: list[Any] = [raw, os.fsdecode(raw), named]
    for name in names:
        assert len(frameloom.open(name)) == 50
        frameloom.run(name, target, lambda array: None, output={"options": FAST})
        assert target.stat().st_size > 1000
        target.unlink()
    with pytest.raises(FileNotFoundError, match="caf\N{REPLACEMENT CHARACTER}"):
        frameloom.open(named.with_suffix(".mov"))


def test_a_path_is_a_path(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("12:30.mp4", "rtmp:x.mp4", "-"):
        Path(name).write_bytes(clip.read_bytes())
        assert len(frameloom.open(Path(name))) == 50, name
    with frameloom.create(Path("12:31.mp4")) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    assert Path("12:31.mp4").stat().st_size > 0


def test_raw_video_is_written_as_its_container_has_it(tmp_path: Path) -> None:
    target = tmp_path / "out.y4m"
    picture = np.full((48, 64, 3), (200, 20, 90), np.uint8)
    with frameloom.create(target) as writer:
        for _ in range(3):
            writer.write(picture)
    read = pictures(target)
    assert len(read) == 3
    assert np.abs(read[1].astype(int) - picture).max() <= 3


def test_a_flag_that_is_false_is_as_if_it_were_not_there(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    options: dict[str, Any] = {**FAST, "an": False, "vn": False, "sn": True}
    frameloom.run(clip, target, lambda array: None, output={"options": options})
    assert shown(target) and shown(target, "a")
    options["an"] = True
    frameloom.run(clip, target, lambda array: None, output={"options": options})
    assert not shown(target, "a")
    with pytest.raises(FileExistsError), frameloom.open(clip) as video:
        video.output(target, options={"y": False})
    with frameloom.open(clip, options={"an": False}) as video:
        assert video.info["streams"][1]["selected"]


def test_a_wait_may_have_an_end(clip: Path) -> None:
    video = frameloom.open(clip)
    assert sum(1 for _ in iter(lambda: video.read(timeout=LIMIT_S), None)) == 50
    assert video.read(timeout=0) is None
    with pytest.raises(ValueError, match="timeout"):
        video.read(timeout=-1)
    video.close()
    with pytest.raises(ValueError, match="closed"):
        video.read(timeout=1)


def test_a_wait_that_is_given_up_loses_nothing(clip: Path, tmp_path: Path) -> None:
    source, pipe = tmp_path / "film.mkv", tmp_path / "pipe"
    ffmpeg(f"-i {clip} -c copy", source)
    os.mkfifo(pipe)
    gave_up = threading.Event()

    def feed() -> None:
        film = source.read_bytes()
        with pipe.open("wb") as writing:
            writing.write(film[: len(film) * 3 // 4])
            writing.flush()
            gave_up.wait(LIMIT_S)
            writing.write(film[len(film) * 3 // 4 :])

    async def read() -> list[int]:
        seen: list[int] = []
        with frameloom.open(pipe, format="matroska") as video:
            frames = aiter(video)
            while True:
                try:
                    seen.append((await asyncio.wait_for(anext(frames), 0.3)).index)
                except TimeoutError:
                    gave_up.set()
                except StopAsyncIteration:
                    return seen

    threading.Thread(target=feed, daemon=True).start()
    assert asyncio.run(read()) == list(range(50))
    assert gave_up.is_set()


def test_an_output_tells_how_it_is(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip) as video, video.output(tmp_path / "out.mp4", options=FAST) as out:
        states = [out.stats and out.stats.state]
        for frame in video:
            out.write(frame)
            states.append(out.stats and out.stats.state)
    assert states == [None, *["ok"] * 50]


def test_outputs_come_and_go_while_frames_are_read(clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip, loop=6) as video:
        seen = [next(video) for _ in range(20)]
        for number in range(3):
            target = tmp_path / f"{number}.mkv"
            with video.output(target, codec="ffv1") as out:
                for _ in range(60):
                    seen.append(next(video))
                    out.write(seen[-1])
            assert out.closed and out.stats is not None
            recorded = list(frameloom.open(target))
            # What was read before it came is left out; of what was written later, nothing is.
            assert 20 < len(recorded) <= 60 and recorded[0].time == 0
            for frame, written in zip(recorded, seen[-len(recorded) :], strict=True):
                assert np.array_equal(frame.image, written.image)
            assert abs(shown(target)[-1] - shown(target, "a")[-1]) < 0.1
        # It goes on, without an output.
        assert len(seen) + len(list(video)) == 300


def test_an_output_that_is_closed_before_the_first_frame_is_none(
    clip: Path, tmp_path: Path
) -> None:
    with frameloom.open(clip) as video:
        first = video.output(tmp_path / "first.mkv")
        with video.output(tmp_path / "second.mkv") as second:
            first.close()
            assert first.closed and not second.closed
            for frame in video:
                second.write(frame)
        assert second.stats is not None and first.stats is None
    assert len(frameloom.open(tmp_path / "second.mkv")) == 50
    assert not (tmp_path / "first.mkv").exists()


def test_a_part_is_recorded_as_it_is_with_what_came_before(tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    picture = "-f lavfi -i testsrc2=s=192x108:r=25:d=12 -pix_fmt yuv420p"
    ffmpeg(f"-f lavfi -i sine=d=12 {picture} -c:v libx264 -g 25 -sc_threshold 0 -c:a aac", source)
    with frameloom.open(source, preroll=3) as video:
        frame = next(frame for frame in video if frame.index == 120)
        with video.output(tmp_path / "part.mp4", preroll=2) as part:
            frame = next(frame for frame in video if frame.index == 150)
        assert part.closed
        assert len(list(video)) == 300 - 151
    recorded = list(frameloom.open(tmp_path / "part.mp4"))
    assert recorded[0].key_frame and recorded[0].time == 0
    pictures = [frame.array.tobytes() for frame in frameloom.open(source)]
    begin = pictures.index(recorded[0].array.tobytes())
    assert begin % 25 == 0 and begin <= 120 + 30 - 50 and begin + len(recorded) > frame.index
    # It ends in the order of decoding: before its last pictures there may be others missing.
    for frame, expected in zip(recorded[:-4], pictures[begin:], strict=False):
        assert frame.array.tobytes() == expected


FORKED = """
import os, sys, frameloom, numpy as np
def child(use):
    number = os.fork()
    if number == 0:
        try:
            use()
        except ValueError as error:
            os._exit(0 if "before a fork" in str(error) else 3)
        except BaseException:
            os._exit(4)
        os._exit(5)
    assert os.waitpid(number, 0)[1] == 0, use
video = frameloom.open(sys.argv[1])
out = video.output(sys.argv[2])
def started():
    child(lambda: next(video))
    child(lambda: video.read(timeout=1))
    child(lambda: video.seek(1))
    child(lambda: video.frame_at(1))
    child(lambda: video.output(sys.argv[2] + ".mkv"))
    child(lambda: out.write(np.zeros((108, 192, 3), np.uint8)))
    child(lambda: writer.write(np.zeros((48, 64, 3), np.uint8)))
writer = frameloom.create(sys.argv[2] + ".mp4")
started()
writer.write(np.zeros((48, 64, 3), np.uint8))
for number, frame in enumerate(video):
    video.frame_at(0.2) if number == 3 else None
    started() if number == 5 else None
    out.write(frame)
    if number == 8 and os.fork() == 0:
        # It ends as any program does, and opens what it wants for itself.
        assert len(list(frameloom.open(sys.argv[1]))) == 50
        sys.exit()
    if number == 8:
        assert os.wait()[1] == 0
out.close()
writer.close()
print(number)
"""


def test_what_was_open_before_a_fork_is_not_in_the_child(clip: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKED, str(clip), str(tmp_path / "out.mkv")]
    done = sp.run(command, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    assert (done.returncode, done.stdout) == (0, "49\n"), done.stderr
    assert len(frameloom.open(tmp_path / "out.mkv")) == 50
