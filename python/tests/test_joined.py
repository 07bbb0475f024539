"""Several files as one, and files at another speed. ffmpeg and PyAV are the judges."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import frameloom

from .conftest import CAMERA, Nginx, Publisher, ffmpeg, shown
from .hearing import first_loud, first_white, heard, level, pitch, tone

Publish = Callable[[str, str], Publisher]
FAST = {"preset": "ultrafast"}


# Several files as one


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of different codecs, sizes, shapes, rates and sounds, each with a tone of its own."""
    folder = tmp_path_factory.mktemp("three")
    first, second, third = folder / "a.mp4", folder / "b.mkv", folder / "c.webm"
    ffmpeg(
        "-f lavfi -i color=red:s=192x108:r=25:d=1 -f lavfi -i sine=f=400:d=1:r=48000"
        " -pix_fmt yuv420p -c:v libx264 -c:a aac -ac 2",
        first,
    )
    ffmpeg(
        "-f lavfi -i color=lime:s=100x100:r=10:d=2 -f lavfi -i sine=f=800:d=2:r=44100"
        " -pix_fmt yuv444p -c:v ffv1 -c:a flac -ac 1",
        second,
    )
    ffmpeg(
        "-f lavfi -i color=blue:s=320x180:r=30:d=1 -f lavfi -i sine=f=1600:d=1:r=48000"
        " -pix_fmt yuv420p -c:v libvpx -c:a libopus",
        third,
    )
    return [first, second, third]


def test_files_are_read_as_one(three: list[Path]) -> None:
    pieces: list[frameloom.AudioFrame] = []
    with frameloom.concat(three) as video:
        assert video.duration == pytest.approx(4, abs=0.1)
        assert (video.width, video.height) == (192, 108) and not video.is_live
        assert len(video) == pytest.approx(100, abs=3)
        frames = []
        for frame in video:
            frames.append((frame.time, frame.image[54, 96].astype(int), frame.image[54, 10]))
            assert frame.image.shape == (108, 192, 3)
            pieces += video.audio_frames
        pieces += video.audio_frames
        with pytest.raises(ValueError, match="sought"):
            video.seek(1)
        with pytest.raises(ValueError, match="sought"):
            video.frame_at(1)
    times = [time for time, *_ in frames]
    assert np.diff(times) == pytest.approx(0.04, abs=0.001)
    assert len(times) == pytest.approx(100, abs=3)
    colours = [int(middle.argmax()) for _, middle, _ in frames]
    changes = [times[n] for n in range(1, len(colours)) if colours[n] != colours[n - 1]]
    assert colours[0] == 0 and colours[-1] == 2
    assert changes == pytest.approx([1, 3], abs=0.06)
    # A square picture stands between black bars.
    bars = [edge.max() for time, _, edge in frames if 1.2 < time < 2.8]
    assert max(bars) < 20
    assert {(piece.rate, piece.channels) for piece in pieces} == {(48000, 2)}
    ends = [piece.time + piece.duration for piece in pieces]
    assert np.abs(np.array([piece.time for piece in pieces[1:]]) - ends[:-1]).max() < 0.025
    whole = np.concatenate([piece.array for piece in pieces])
    begin = pieces[0].time
    for middle, hertz in ((0.5, 400), (2, 800), (3.5, 1600)):
        at = round((middle - begin - 0.2) * 48000)
        assert pitch(whole[at : at + 19200], 48000) == pytest.approx(hertz, abs=5)


def test_files_are_written_as_one(three: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "joined.mp4"
    with frameloom.concat(three) as video, video.output(target, options=FAST) as out:
        for frame in video:
            out.write(frame)
    times = shown(target)
    assert np.diff(times) == pytest.approx(0.04, abs=0.001)
    sound, begin = heard(target)
    assert len(sound) / 48000 == pytest.approx(times[-1] + 0.04, abs=0.1)
    for middle, hertz in ((0.5, 400), (2, 800), (3.5, 1600)):
        at = round((middle - begin - 0.2) * 48000)
        assert pitch(sound[at : at + 19200], 48000) == pytest.approx(hertz, abs=5)
    # Where the tone changes, the colour does.
    frames = list(frameloom.open(target))
    green = next(frame.time for frame in frames if frame.image[54, 96].argmax() == 1)
    heights = [pitch(sound[at : at + 2400], 48000) for at in range(0, len(sound) - 2400, 480)]
    higher = next(n for n, hertz in enumerate(heights) if hertz > 600) * 0.01 + 0.025 + begin
    assert higher == pytest.approx(green, abs=0.06)


def test_a_file_without_sound_is_silent_among_others(three: list[Path], tmp_path: Path) -> None:
    silent, target = tmp_path / "silent.mkv", tmp_path / "out.mkv"
    ffmpeg("-f lavfi -i color=s=64x64:r=25:d=1 -c:v libx264 -preset ultrafast", silent)
    with (
        frameloom.concat([three[0], silent, three[0]]) as video,
        video.output(target, options=FAST, audio_codec="flac") as out,
    ):
        for frame in video:
            out.write(frame)
    sound, begin = heard(target)
    at = [round((second - begin) * 48000) for second in (0.2, 0.8, 1.2, 1.8, 2.2, 2.8)]
    loud = [level(sound[a:b]) for a, b in zip(at[::2], at[1::2], strict=True)]
    assert loud[0] > 0.05 and loud[1] < 0.001 and loud[2] > 0.05


def test_what_cant_be_joined_is_told_at_once(three: list[Path], tmp_path: Path) -> None:
    with pytest.raises(frameloom.NotFound, match=r"missing\.mp4"):
        frameloom.concat([three[0], tmp_path / "missing.mp4"])
    with pytest.raises(ValueError, match="nothing to read"):
        frameloom.concat([])
    for one in (str(three[0]), three[0]):
        with pytest.raises(TypeError, match="list of sources"):
            frameloom.concat(one)  # type: ignore[arg-type]
    song = tmp_path / "song.wav"
    ffmpeg("-f lavfi -i sine=d=1", song)
    with pytest.raises(ValueError, match="no video in it"):
        frameloom.concat([three[0], song])
    with pytest.raises(ValueError, match="pipe"):
        frameloom.concat(["pipe:0", three[0]], options={"f": "matroska"})
    with (
        frameloom.concat(three) as video,
        pytest.raises(ValueError, match="copy"),
    ):
        video.output(tmp_path / "out.mkv", audio_codec="copy")
    assert len(list(frameloom.concat([three[0]]))) == 25


# Speed


@pytest.mark.parametrize("speed", [0.5, 2])
def test_a_speed_changes_times_and_keeps_the_pitch(
    clip: Path, tmp_path: Path, speed: float
) -> None:
    target = tmp_path / "out.mkv"
    with (
        frameloom.open(clip, speed=speed) as video,
        video.output(target, options=FAST, audio_codec="flac") as out,
    ):
        assert video.duration == pytest.approx(2 / speed, abs=0.05)
        assert video.rate == 25 * speed and len(video) == 50
        times = []
        for frame in video:
            times.append(frame.time)
            out.write(frame)
    assert times == pytest.approx([number / 25 / speed for number in range(50)])
    sound, begin = heard(target)
    assert begin == pytest.approx(0, abs=0.03)
    assert len(sound) / 44100 == pytest.approx(2 / speed, abs=0.06)
    assert pitch(sound[4410:-4410], 44100) == pytest.approx(440, abs=3)
    assert shown(target) == pytest.approx(times, abs=0.001)


def test_a_fast_video_is_sought_in_by_its_own_times(clip: Path) -> None:
    plain = frameloom.open(clip).frame_at(1.2).array
    with frameloom.open(clip, speed=2) as video:
        assert np.array_equal(video.frame_at(0.6).array, plain)
        video.seek(0.6)
        frame = video.read()
        assert frame is not None
        assert frame.time == pytest.approx(0.6) and np.array_equal(frame.array, plain)
    part = list(frameloom.open(clip, speed=2, start=0.5, duration=0.2))
    assert len(part) == 10 and part[0].time == 0


def test_sound_at_a_speed_is_in_sync(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    sound = tone(4)
    sound[:96000] = 0
    with frameloom.create(
        source, rate=25, audio=(48000, 2), audio_codec="flac", options=FAST
    ) as out:
        for number in range(100):
            out.write(np.full((64, 64, 3), 255 * (number >= 50), np.uint8))
            out.write_audio(sound[number * 1920 : (number + 1) * 1920])
    for speed in (0.5, 2):
        with frameloom.open_audio(source, speed=speed) as audio:
            whole = np.concatenate([piece.array for piece in audio])
        assert first_loud(whole, 48000) == pytest.approx(2 / speed, abs=0.05)
        frameloom.run(source, target, lambda a: None, speed=speed, output={"audio_codec": "flac"})
        ours, begin = heard(target)
        white = first_white(target)
        assert white == pytest.approx(2 / speed, abs=0.021)
        assert first_loud(ours, 48000) + begin == pytest.approx(white, abs=0.05)


def test_speeds_that_cant_be(clip: Path, nginx: Nginx, publish: Publish, tmp_path: Path) -> None:
    for speed in (0, -1, 1000, float("nan"), "fast"):
        with pytest.raises(ValueError, match="twice as fast"):
            frameloom.open(clip, speed=speed)  # type: ignore[arg-type]
    publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    with pytest.raises(ValueError, match=r"speed.*live"):
        frameloom.open(nginx.url("in"), speed=2)
    with (
        frameloom.open(clip, speed=2) as video,
        pytest.raises(ValueError, match="speed"),
    ):
        video.output(tmp_path / "out.mkv", audio_codec="copy")
