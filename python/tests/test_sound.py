"""Sound: read, edited and written. ffmpeg and PyAV are the judges."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

import frameloom

from .conftest import CAMERA, LIMIT_S, Nginx, Publisher, ffmpeg, shown, wait_until
from .hearing import Sound, first_loud, first_white, heard, level, pitch, tone

Publish = Callable[[str, str], Publisher]
FAST = {"preset": "ultrafast"}


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of pictures with stereo sound that nothing was lost of."""
    path = tmp_path_factory.mktemp("exact") / "exact.mkv"
    ffmpeg(
        "-f lavfi -i testsrc2=s=192x108:r=25:d=2 -f lavfi -i aevalsrc="
        "0.4*sin(2*PI*330*t)|0.2*sin(2*PI*550*t):s=48000:d=2 -pix_fmt yuv420p -c:v libx264"
        " -preset ultrafast -c:a flac",
        path,
    )
    return path


# Reading


def test_sound_beside_the_frames_is_every_sample(exact: Path) -> None:
    pieces: list[frameloom.AudioFrame] = []
    with frameloom.open(exact) as video:
        assert video.audio_frames == []
        for _ in video:
            pieces += video.audio_frames
        pieces += video.audio_frames
    theirs, begin = heard(exact)
    assert {(piece.rate, piece.channels) for piece in pieces} == {(48000, 2)}
    assert np.array_equal(np.concatenate([piece.array for piece in pieces]), theirs)
    assert pieces[0].time == pytest.approx(begin) and pieces[0].array.dtype == np.float32
    ends = [piece.time + piece.duration for piece in pieces]
    assert [piece.time for piece in pieces[1:]] == pytest.approx(ends[:-1])
    assert "AudioFrame at 0.000 s" in repr(pieces[0]) and pieces[0].samples > 0


def test_packets_and_samples_are_of_the_same_sound(clip: Path) -> None:
    packets, pieces = 0, 0
    with frameloom.open(clip) as video:
        for _ in video:
            packets += len(video.audio)
            pieces += len(video.audio_frames)
        packets, pieces = packets + len(video.audio), pieces + len(video.audio_frames)
        assert video.stats.audio_dropped == 0
    assert packets == len(shown(clip, "a"))
    # A decoder may keep the first packet to itself.
    assert packets - 1 <= pieces <= packets


def test_sound_alone_is_every_sample(exact: Path) -> None:
    theirs, _ = heard(exact)
    with frameloom.open_audio(exact) as audio:
        assert (audio.rate, audio.channels, audio.is_live) == (48000, 2, False)
        assert audio.duration == pytest.approx(2, abs=0.01)
        ours = [piece.array for piece in audio]
        assert audio.read() is None
    assert audio.closed and audio.stats.frames_in == 0
    assert np.array_equal(np.concatenate(ours), theirs)
    with pytest.raises(ValueError, match="closed"):
        audio.read()


def test_a_part_of_the_sound_begins_to_the_sample(exact: Path) -> None:
    theirs, _ = heard(exact)
    with frameloom.open_audio(exact, start=0.5, duration=1) as audio:
        part = np.concatenate([piece.array for piece in audio])
    assert np.array_equal(part, theirs[24000:72000])


def test_a_file_of_sound_alone(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    ffmpeg("-f lavfi -i sine=d=1:r=44100", song)
    with frameloom.open_audio(song) as audio:
        assert audio.channels == 1
        pieces = [piece.array for piece in audio]
    assert np.array_equal(np.concatenate(pieces), heard(song)[0])
    with pytest.raises(frameloom.InvalidData, match="open_audio"):
        frameloom.open(song)


def test_pictures_alone_have_no_sound(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mkv"
    ffmpeg("-f lavfi -i testsrc2=s=64x64:d=1 -c:v libx264 -preset ultrafast", silent)
    with pytest.raises(frameloom.InvalidData, match="no sound"):
        frameloom.open_audio(silent)
    with frameloom.open(silent) as video:
        assert [video.audio_frames for _ in video][-1] == []


def test_a_reader_that_is_left_ends(exact: Path) -> None:
    audio = frameloom.open_audio(exact, loop=True)
    next(audio)
    audio.close()
    audio.close()
    stopped = frameloom.open_audio(exact, loop=True)
    next(stopped)
    stopped.stop()
    assert list(stopped) == []


def test_live_sound_is_read_and_what_is_left_is_counted(nginx: Nginx, publish: Publish) -> None:
    publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    with frameloom.open(nginx.url("in")) as video:
        got: list[float] = []
        seen: list[float] = []
        # Both are on one clock: each comes to where the other has been.
        while len(got) <= 60 or len(seen) <= 10 or seen[-1] < got[60] or got[-1] < seen[10]:
            frame = video.read()
            assert frame is not None and frame.time < LIMIT_S
            seen.append(frame.time)
            got += [piece.time for piece in video.audio_frames]
        assert got == sorted(got) and got[-1] < LIMIT_S
    with frameloom.open_audio(nginx.url("in")) as audio:
        assert audio.is_live and audio.duration is None
        pieces = [audio.read(timeout=30) for _ in range(40)]
        assert all(piece is not None and piece.rate == 44100 for piece in pieces)


def test_sound_that_nobody_takes_in_time_is_counted(tmp_path: Path) -> None:
    # 1024 packets are kept, and these are of 10 ms each.
    long = tmp_path / "long.mkv"
    ffmpeg(
        "-f lavfi -i color=s=64x64:r=5:d=30 -f lavfi -i sine=d=30:r=48000 -c:v libx264"
        " -preset ultrafast -c:a libopus -frame_duration 10",
        long,
    )
    with frameloom.open(long) as video:
        first = video.read()
        assert first is not None
        assert video.audio_frames
        for _ in video:
            pass
        kept = len(video.audio_frames)
        dropped = video.stats.audio_dropped
    assert 1000 <= kept <= 1024
    assert dropped > 1500


# Editing


def test_edited_sound_is_quieter_and_in_sync(exact: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    times: list[float] = []

    def quieter(array: Sound, time: float) -> None:
        times.append(time)
        assert array.shape[1] == 2 and array.dtype == np.float32
        array *= 0.25

    stats = frameloom.run(
        exact, target, None, edit_audio=quieter, output={"audio_codec": "pcm_f32le"}
    )
    before, began = heard(exact)
    after, begins = heard(target)
    assert np.array_equal(after, before * np.float32(0.25))
    assert begins == pytest.approx(began, abs=0.001)
    assert times == sorted(times) and times[0] == 0
    # Nobody touched the pictures: they are the same packets.
    assert stats.frames_out == 50 and stats.frames_edited == 0
    with av.open(str(exact)) as source, av.open(str(target)) as copied:
        packets = [[bytes(p) for p in c.demux(video=0) if p.size] for c in (source, copied)]
    assert packets[0] == packets[1]


def test_sound_that_is_only_heard_stays_bit_for_bit(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    # 24 bits are more than float32 holds of loud samples in some codecs' ways.
    ffmpeg(
        "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -f lavfi -i anoisesrc=d=1:r=48000 -c:v libx264"
        " -preset ultrafast -c:a pcm_s32le",
        source,
    )
    seen: list[float] = []
    frameloom.run(
        source,
        target,
        None,
        edit_audio=lambda array: seen.append(level(array)),
        output={"audio_codec": "pcm_s32le"},
    )
    assert seen
    with av.open(str(source)) as one, av.open(str(target)) as other:
        first, second = (
            np.concatenate([frame.to_ndarray().ravel() for frame in c.decode(audio=0)])
            for c in (one, other)
        )
    assert np.array_equal(first, second)


def test_frames_and_sound_are_edited_together(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"

    def white(array: npt.NDArray[np.uint8]) -> None:
        array[:20] = 255

    def silent(array: Sound) -> Sound:
        return np.zeros_like(array)

    frameloom.run(
        clip, target, white, edit_audio=silent, output={"options": FAST, "audio_codec": "flac"}
    )
    sound, _ = heard(target)
    assert level(sound) == 0 and len(sound) == pytest.approx(2 * 44100, abs=2048)
    frames = [frame.image for frame in frameloom.open(target)]
    assert len(frames) == 50 and frames[20][2:18].min() > 230


def test_what_raises_stops_a_file_with_its_own_error(clip: Path, tmp_path: Path) -> None:
    class OwnError(Exception):
        pass

    def fail(array: Sound, time: float) -> None:
        if time > 0.5:
            raise OwnError("out of tune")

    for edit in (None, lambda array: None):
        with pytest.raises(OwnError, match="out of tune"):
            frameloom.run(clip, tmp_path / "out.mkv", edit, edit_audio=fail)


def test_what_raises_passes_with_bypass_and_hold(
    exact: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, _ = heard(exact)
    for policy in ("bypass", "hold"):
        target = tmp_path / f"{policy}.mkv"
        calls: list[int] = []

        def sometimes(array: Sound, calls: list[int] = calls) -> None:
            calls.append(1)
            if len(calls) % 2:
                raise RuntimeError("the model is busy")
            array *= 0.5

        caplog.clear()
        stats = frameloom.run(
            exact,
            target,
            None,
            edit_audio=sometimes,
            on_error=policy,
            output={"audio_codec": "pcm_f32le"},
        )
        assert stats.errors == (len(calls) + 1) // 2
        after, _ = heard(target)
        assert len(after) == len(before)
        assert level(before) * 0.5 < level(after) < level(before)
        told = [record for record in caplog.records if record.name == "frameloom"]
        assert told and told[0].exc_info and "pieces of sound" in told[0].getMessage()


@pytest.mark.parametrize(
    ("answer", "mentions"),
    [
        (lambda a: a[:-1], "as the sound had"),
        (lambda a: a[:, :1], r"shape \(n, 2\)"),
        (lambda a: a.astype(np.float64), r"array.astype\(np.float32\)"),
        (lambda a: a * np.float32(np.nan), "not a number"),
        (lambda _: "loud", "float32 or int16"),
    ],
)
def test_what_is_no_sound_is_told(
    exact: Path, tmp_path: Path, answer: Callable[[Sound], Any], mentions: str
) -> None:
    with pytest.raises(ValueError, match=mentions):
        frameloom.run(exact, tmp_path / "out.mkv", None, edit_audio=answer)


def test_whole_numbers_are_taken_for_sound(exact: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    frameloom.run(
        exact,
        target,
        None,
        edit_audio=lambda a: (a * 0.5 * 32768).astype(np.int16),
        output={"audio_codec": "pcm_s16le"},
    )
    assert level(heard(target)[0]) == pytest.approx(level(heard(exact)[0]) / 2, rel=0.001)


def test_a_run_without_code_is_refused(exact: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="edit_audio"):
        frameloom.run(exact, tmp_path / "out.mkv", None)


def test_sound_is_edited_before_the_first_frame_or_not_at_all(exact: Path) -> None:
    with frameloom.open(exact) as video:
        with pytest.raises(TypeError, match="function"):
            video.edit_audio("loud")  # type: ignore[arg-type]
        video.read()
        with pytest.raises(ValueError, match="before the first frame"):
            video.edit_audio(lambda array, time: None)


def test_a_live_streams_sound_is_edited(nginx: Nginx, publish: Publish, tmp_path: Path) -> None:
    publisher = publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    target = tmp_path / "out.mkv"
    calls: list[float] = []

    def silent(array: Sound, time: float) -> None:
        calls.append(time)
        array[:] = 0
        if len(calls) == 100:
            publisher.kill()

    frameloom.run(
        nginx.url("in"),
        target,
        None,
        edit_audio=silent,
        on_loss="end",
        output={"audio_codec": "flac"},
    )
    sound, _ = heard(target)
    assert len(sound) > 80 * 1024
    # What came at once, or while the machine had no time for it, went by unedited.
    pieces = np.split(sound[: len(sound) // 1024 * 1024], len(sound) // 1024)
    assert sum(level(piece) < 0.001 for piece in pieces) > 20
    video, audio = shown(target), shown(target, "a")
    assert abs(video[-1] - audio[-1]) < 0.5


# Writing


def test_own_sound_goes_beside_own_pictures_bit_for_bit(tmp_path: Path) -> None:
    target = tmp_path / "made.mkv"
    sound = tone(2)
    white, black = np.full((64, 64, 3), 255, np.uint8), np.zeros((64, 64, 3), np.uint8)
    with frameloom.create(
        target, rate=25, audio=(48000, "stereo"), audio_codec="pcm_f32le", options=FAST
    ) as out:
        for number in range(50):
            out.write(white if number >= 25 else black)
            out.write_audio(sound[number * 1920 : (number + 1) * 1920])
    ours, begin = heard(target)
    assert np.array_equal(ours, sound) and begin == 0
    assert len(shown(target)) == 50
    assert first_white(target) == 1


@pytest.mark.parametrize("name", ["made.mp4", "made.flv", "made.webm", "made.ts"])
def test_own_sound_is_in_sync_in_every_container(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    sound = tone(3)
    sound[:48000] = 0
    with frameloom.create(target, rate=25, audio=(48000, 2)) as out:
        for number in range(75):
            out.write(np.full((64, 64, 3), 255 * (number >= 25), np.uint8))
            out.write_audio(sound[number * 1920 : (number + 1) * 1920])
    ours, begin = heard(target)
    with av.open(str(target)) as container:
        rate = container.streams.audio[0].rate
        zero = min(shown(target)[0], begin)
    loud = first_loud(ours, rate) + begin - zero
    assert loud == pytest.approx(first_white(target), abs=2 * 1024 / 48000)


def test_all_pictures_first_and_then_all_sound(tmp_path: Path) -> None:
    target = tmp_path / "made.mkv"
    with frameloom.create(target, audio=(48000, "mono"), audio_codec="flac", options=FAST) as out:
        for _ in range(100):
            out.write(np.zeros((64, 64, 3), np.uint8))
        out.write_audio((tone(4, channels=1) * 32767).astype(np.int16))
    ours, _ = heard(target)
    assert len(ours) == 4 * 48000 and len(shown(target)) == 100
    assert pitch(ours, 48000) == pytest.approx(440, abs=1)


def test_sound_may_pause_and_end_early_or_late(tmp_path: Path) -> None:
    for seconds in (0.5, 3):
        target = tmp_path / f"{seconds}.mkv"
        with frameloom.create(
            target, audio=(48000, "stereo"), audio_codec="pcm_f32le", options=FAST
        ) as out:
            out.write_audio(tone(0.25))
            out.write_audio(tone(0.25), time=seconds)
            for _ in range(50):
                out.write(np.zeros((64, 64, 3), np.uint8))
        ours, _ = heard(target)
        assert len(ours) == round((seconds + 0.25) * 48000)
        pause = ours[12000 + 480 : round(seconds * 48000) - 480]
        assert level(ours[:12000]) > 0.3 and level(ours[-12000:]) > 0.3
        assert level(pause) == 0
        assert len(shown(target)) == 50


def test_sound_alone_is_written(tmp_path: Path) -> None:
    for name in ("made.wav", "made.flac", "made.mp3"):
        target = tmp_path / name
        with frameloom.create(target, audio=(44100, 1)) as out:
            for _ in range(10):
                out.write_audio(tone(0.1, 44100, channels=1)[:, 0])
            with pytest.raises(ValueError, match="sound alone"):
                out.write(np.zeros((64, 64, 3), np.uint8))
        ours, _ = heard(target)
        assert len(ours) == pytest.approx(44100, abs=3000)
        assert level(ours) == pytest.approx(0.353, abs=0.03)
    video_left_out = tmp_path / "made.mkv"
    with frameloom.create(
        video_left_out, audio=(48000, 2), options={"vn": True, "c:a": "flac"}
    ) as out:
        out.write_audio(tone(1))
    assert shown(video_left_out) == [] and np.abs(heard(video_left_out)[0] - tone(1)).max() < 1e-4


def test_pictures_alone_though_sound_was_promised(tmp_path: Path) -> None:
    target = tmp_path / "made.mkv"
    with frameloom.create(target, audio=(48000, 2), options=FAST) as out:
        for _ in range(10):
            out.write(np.zeros((64, 64, 3), np.uint8))
    assert len(shown(target)) == 10 and shown(target, "a") == []


def test_pictures_have_times_of_their_own(tmp_path: Path) -> None:
    target = tmp_path / "made.mkv"
    times = [0.25, 0.3, 1.5, 1.52, 4.0]
    with frameloom.create(target, options=FAST) as out:
        for time in times:
            out.write(np.zeros((64, 64, 3), np.uint8), time=time)
        out.write(np.zeros((64, 64, 3), np.uint8))
        assert out.frames == 6
        for wrong in (4.04, 1.0):
            with pytest.raises(ValueError, match="s"):
                out.write(np.zeros((64, 64, 3), np.uint8), time=wrong)
        assert out.frames == 6
    assert shown(target) == pytest.approx([*times, 4.04], abs=0.001)


@pytest.mark.parametrize(
    ("audio", "mentions"),
    [
        ((48000, "quadro"), "no channel layout 'quadro'"),
        ((48000, 0), "no channel layout"),
        ((0, "stereo"), "no rate of sound"),
        (48000, "samples a second and channels"),
        ((48000, "stereo", 2), "samples a second and channels"),
        (("fast", "stereo"), "samples a second and channels"),
    ],
)
def test_sound_that_cant_be_is_refused(tmp_path: Path, audio: object, mentions: str) -> None:
    with pytest.raises(ValueError, match=mentions):
        frameloom.create(tmp_path / "made.mkv", audio=audio)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "mentions"),
    [
        (np.zeros((2, 100), np.float32), r"array\.T"),
        (np.zeros((100, 2)), r"array\.astype\(np\.float32\)"),
        (np.zeros((100, 2), np.int32), r"\(array / 2\*\*31\)"),
        (np.zeros((100, 2), np.uint8), r"array - 128"),
        (np.zeros(100, np.float32), r"np\.repeat\(array\[:, None\], 2"),
        (np.zeros((100, 1), np.float32), r"np\.repeat\(array, 2"),
        (np.zeros((1, 100, 2), np.float32), r"shape \(1, 100, 2\)"),
        (np.full((100, 2), np.inf, np.float32), "nan_to_num"),
    ],
)
def test_wrong_arrays_are_told_with_the_cure(
    tmp_path: Path, given: npt.ArrayLike, mentions: str
) -> None:
    out = frameloom.create(tmp_path / "made.mkv", audio=(48000, "stereo"), options=FAST)
    with pytest.raises(ValueError, match=mentions):
        out.write_audio(given)
    # It goes on.
    out.write(np.zeros((64, 64, 3), np.uint8))
    out.write_audio(np.zeros((0, 2), np.float32))
    out.write_audio(tone(0.1))
    out.close()
    assert len(heard(tmp_path / "made.mkv")[0]) >= 4800


def test_sound_follows_itself_and_ends_with_the_file(tmp_path: Path) -> None:
    out = frameloom.create(tmp_path / "made.mkv", audio=(48000, "stereo"), options=FAST)
    out.write(np.zeros((64, 64, 3), np.uint8))
    out.write_audio(tone(1), time=1)
    with pytest.raises(ValueError, match="times rise"):
        out.write_audio(tone(1), time=1.5)
    with pytest.raises(ValueError, match="silence"):
        out.write_audio(tone(1), time=1_700_000_000)
    out.write_audio(tone(1), time=2)
    out.close()
    with pytest.raises(ValueError, match="closed"):
        out.write_audio(tone(1))
    plain = frameloom.create(tmp_path / "plain.mkv", options=FAST)
    with pytest.raises(ValueError, match=r"audio=\(48000"):
        plain.write_audio(tone(1))
    plain.write(np.zeros((64, 64, 3), np.uint8))
    plain.close()


def test_a_format_without_sound_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sound goes into"):
        frameloom.create(tmp_path / "made.gif", audio=(48000, "stereo"))


def test_own_sound_takes_the_place_of_the_inputs(clip: Path, tmp_path: Path) -> None:
    target, other = tmp_path / "out.mkv", tmp_path / "other.mkv"
    sound = tone(2)
    with (
        frameloom.open(clip) as video,
        video.output(target, audio=(48000, 2), audio_codec="pcm_f32le", options=FAST) as out,
        video.output(other, options=FAST) as beside,
    ):
        for frame in video:
            out.write(frame)
            beside.write(frame)
            at = round(frame.time * 48000)
            out.write_audio(sound[at : at + 1920])
        with pytest.raises(ValueError, match="input's sound"):
            beside.write_audio(sound)
    ours, begin = heard(target)
    assert begin == 0 and np.array_equal(ours, sound)
    assert len(shown(target)) == len(shown(other)) == 50
    assert len(shown(other, "a")) == len(shown(clip, "a"))


def test_own_sound_may_stay_away_or_stop_with_the_loop(clip: Path, tmp_path: Path) -> None:
    for written in (0, 3):
        target = tmp_path / f"{written}.mkv"
        with (
            frameloom.open(clip) as video,
            video.output(target, audio=(48000, 2), audio_codec="flac", options=FAST) as out,
        ):
            for frame in video:
                out.write(frame)
                if frame.index < written:
                    out.write_audio(tone(0.04))
                if frame.index == 10:
                    break
        with pytest.raises(ValueError, match="closed"):
            out.write_audio(tone(0.04))
        assert len(shown(target)) == 11
        assert bool(shown(target, "a")) == bool(written)
    with pytest.raises(ValueError, match="copy"):
        frameloom.open(clip).output(
            tmp_path / "out.mkv", audio=(48000, 2), audio_codec="copy", options=FAST
        )


def test_a_published_video_has_its_sound(nginx: Nginx, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.flv"
    enough = threading.Event()
    sound = tone(0.04)

    def record() -> None:
        ffmpeg(f"-i {nginx.url('made')} -t 2 -c copy", recorded)
        enough.set()

    pause = threading.Event()
    with frameloom.create(
        nginx.url("made"), rate=25, audio=(48000, "stereo"), options={**FAST, "g": 25}
    ) as out:
        recorder = threading.Thread(target=record)
        recorder.start()

        def one_more() -> bool:
            out.write(np.zeros((64, 64, 3), np.uint8))
            out.write_audio(sound)
            pause.wait(0.04)
            return enough.is_set()

        wait_until("it is recorded", one_more)
    recorder.join()
    assert level(heard(recorded)[0][4800:]) > 0.2
    assert abs(shown(recorded)[-1] - shown(recorded, "a")[-1]) < 0.5


def test_a_full_disk_is_told_though_an_end_was_asked_for(tmp_path: Path) -> None:
    out = frameloom.create(
        "/dev/full", format="nut", audio=(48000, "stereo"), options={**FAST, "t": 3600}
    )
    picture = np.random.default_rng(1).integers(0, 255, (256, 256, 3), np.uint8)
    with pytest.raises(frameloom.Error, match=r"(?i)no space"):
        for number in range(2000):
            out.write(picture)
            out.write_audio(tone(0.04), time=number * 0.04)
    with contextlib.suppress(frameloom.Error):
        out.close()


def test_the_last_sound_of_a_faster_file_comes_beside_an_output(clip: Path, tmp_path: Path) -> None:
    alone = sum(piece.samples for piece in frameloom.open_audio(clip, speed=2))
    taken: list[int] = []
    with frameloom.open(clip, speed=2) as video, video.output(tmp_path / "fast.mkv") as out:
        for frame in video:
            out.write(frame)
            taken += [piece.samples for piece in video.audio_frames]

        def is_all_there() -> bool:
            taken.extend(piece.samples for piece in video.audio_frames)
            return sum(taken) >= alone

        wait_until("the last sound is there", is_all_there)
    assert sum(taken) == alone > 40_000
