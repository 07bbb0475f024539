"""Live streams: real nginx between ffmpeg, Python and whoever watches."""

import asyncio
import subprocess as sp
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import frameloom

from .conftest import CAMERA, LIMIT_S, Nginx, Publisher, shown, wait_until

Publish = Callable[[str, str], Publisher]
FAST = {"preset": "ultrafast"}


def test_the_recipe_keeps_audio_and_timestamps(
    nginx: Nginx, publish: Publish, film: Path, tmp_path: Path
) -> None:
    recorded = tmp_path / "recorded.flv"
    # It comes before its publisher and waits for it.
    recorder = sp.Popen(
        ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", nginx.url("out"), "-c", "copy", recorded]
    )
    nginx.wait_for_player("out")
    publish(
        f"-re -i {film} -vf scale=640:360 -c:v libx264 -preset ultrafast -g 12 -c:a aac -ac 2",
        nginx.url("in"),
    )
    nginx.wait_for_publisher("in")
    read: list[float] = []
    with (
        frameloom.open(nginx.url("in"), on_loss="end", on_slow="block") as video,
        video.output(nginx.url("out"), options=FAST) as out,
    ):
        assert video.is_live
        for frame in video:
            frame.array[10:50, 10:200] = 255
            out.write(frame)
            read.append(frame.time)
    assert recorder.wait(LIMIT_S) == 0
    assert len(read) > 50 and np.diff(read) == pytest.approx(0.04, abs=0.002)
    video_times, audio_times = shown(recorded), shown(recorded, "a")
    # nginx begins a player's stream with a keyframe; all that it sends comes whole.
    assert len(video_times) > len(read) - 60
    assert np.diff(video_times) == pytest.approx(0.04, abs=0.002)
    assert np.diff(audio_times).max() < 0.05
    assert abs(video_times[-1] - audio_times[-1]) < 0.3
    for frame in frameloom.open(recorded):
        assert frame.array[14:48, 14:196].min() >= 225


def test_a_loop_goes_on_when_the_publisher_comes_back(nginx: Nginx, publish: Publish) -> None:
    first = publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    times: list[float] = []
    lost_at = None
    with ThreadPoolExecutor(1) as pool, frameloom.open(nginx.url("in"), stall_timeout=2) as video:
        for frame in video:
            times.append(frame.time)
            if len(times) == 20:
                first.kill()
                lost_at = len(times)
                coming = pool.submit(come_back, nginx, publish, video)
            if video.stats.reconnects and len(times) > lost_at_plus(lost_at):
                break
        coming.result(LIMIT_S)
        # On a busy machine frames are left out as well, and that is an event.
        told = [event.name for event in video.events if event.name.startswith("input_")]
        assert told[:2] == ["input_lost", "input_back"]
        assert video.stats.input == "ok"
    assert times == sorted(times)


def lost_at_plus(lost_at: int | None) -> int:
    return 10_000 if lost_at is None else lost_at + 20


def come_back(nginx: Nginx, publish: Publish, video: frameloom.Video) -> None:
    wait_until("the loss is seen", lambda: video.stats.input == "lost")
    publish(CAMERA, nginx.url("in"))


def test_slow_code_drops_frames_and_is_told_so(nginx: Nginx, publish: Publish) -> None:
    publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    pause = threading.Event()
    with frameloom.open(nginx.url("in")) as video:
        for count, _ in enumerate(video):
            pause.wait(0.2)  # five times as long as a frame is shown
            if video.stats.frames_dropped and count > 5:
                break
        assert "frames_dropped" in [event.name for event in video.events]


def test_bypass_passes_what_edit_fails_on(
    nginx: Nginx, publish: Publish, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    calls: list[int] = []

    def edit(array: np.ndarray) -> None:
        calls.append(1)
        if len(calls) == 60:
            publisher.kill()
        if len(calls) % 2:
            raise RuntimeError("the model is out of memory")

    stats = frameloom.run(
        nginx.url("in"), tmp_path / "out.mkv", edit, on_loss="end", output={"options": FAST}
    )
    assert stats.errors >= 30 and stats.frames_out >= 60
    told = [record for record in caplog.records if record.name == "frameloom"]
    assert told and told[0].exc_info
    assert isinstance(told[0].exc_info[1], RuntimeError)


def test_events_are_recorded_with_what_came_before(
    nginx: Nginx, publish: Publish, tmp_path: Path
) -> None:
    publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    target = tmp_path / "event.mp4"
    with frameloom.open(nginx.url("in"), preroll=3, size=(96, 54)) as video:
        begun = next(video).time
        opened = begun + 2.5
        for _ in range(2):
            assert next(frame for frame in video if frame.time > opened)
            with video.output(target, preroll=2) as event:
                closed = next(frame for frame in video if frame.time > opened + 1).time
                assert event.stats is not None and event.stats.state == "ok"
            assert event.closed
            frames = list(frameloom.open(target))
            assert frames[0].key_frame and frames[0].time == 0
            assert (frames[0].width, frames[0].height) == (192, 108), "it is the stream itself"
            # Packets come before their frames, by as much as this loop is behind. What is certain
            # is that the 2 s before the newest one are there, and what came from then on.
            assert frames[-1].time > 2
            video_times, audio_times = shown(target), shown(target, "a")
            assert np.diff(video_times) == pytest.approx(0.04, abs=0.003)
            assert np.diff(audio_times).max() < 0.05
            assert audio_times[0] < 0.05 and abs(video_times[-1] - audio_times[-1]) < 0.2
            opened = closed + 1
        assert next(video).time > closed
        assert not video.closed


def test_an_output_comes_and_goes_while_a_stream_goes_on(
    nginx: Nginx, publish: Publish, tmp_path: Path
) -> None:
    publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    with frameloom.open(nginx.url("in")) as video:
        for number in range(2):
            frames = [next(video) for _ in range(10)]
            with video.output(tmp_path / f"{number}.mkv", options=FAST) as out:
                assert out.stats is not None and out.stats.state == "ok"
                for _ in range(40):
                    frames.append(next(video))
                    out.write(frames[-1])
            recorded = list(frameloom.open(tmp_path / f"{number}.mkv"))
            assert 20 < len(recorded) <= 40 and recorded[0].time == 0
            # The last frame that was written is the last one in it.
            apart = np.abs(recorded[-1].array.astype(int) - frames[-1].array).mean()
            assert apart < 8, apart
            assert shown(tmp_path / f"{number}.mkv", "a")
        later = next(video)
        with pytest.raises(ValueError, match="closed"):
            out.write(later)


def write_until(out: frameloom.Writer, what: str, is_so: Callable[[], bool]) -> None:
    """Write pictures at their own speed until `is_so` says so."""
    picture = np.full((108, 192, 3), 200, np.uint8)
    pause = threading.Event()

    def one_more() -> bool:
        out.write(picture)
        pause.wait(0.04)
        return is_so()

    wait_until(what, one_more)


def test_a_stream_of_arrays_goes_on_when_its_server_comes_back(
    nginx: Nginx, tmp_path: Path
) -> None:
    with frameloom.create(nginx.url("out"), options=FAST) as out:
        write_until(out, "it is published", lambda: out.frames >= 10)
        nginx.wait_for_publisher("out")
        nginx.close()
        write_until(out, "the loss is seen", lambda: out.stats.state == "lost")
        nginx.come_back()
        write_until(out, "it is back", lambda: out.stats.state == "ok")
        recorded = tmp_path / "recorded.flv"
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", nginx.url("out")]
        with sp.Popen([*command, "-c", "copy", "-frames:v", "25", recorded]) as recorder:
            write_until(out, "it is played", lambda: recorder.poll() is not None)
    assert [event.name for event in out.events] == ["output_lost", "output_back"]
    assert out.stats.reconnects == 1 and out.stats.packets_dropped > 0
    read = list(frameloom.open(recorded))
    assert len(read) == 25 and read[0].key_frame
    assert np.diff([frame.time for frame in read]) == pytest.approx(0.04, abs=0.002)
    assert all(abs(frame.image.mean() - 200) < 3 for frame in read)


@pytest.mark.parametrize("policy", [{"no_reconnect": True}, {"reconnect_for": 0.6}, {}])
def test_a_stream_of_arrays_whose_server_stays_away(nginx: Nginx, policy: dict[str, Any]) -> None:
    out = frameloom.create(nginx.url("out"), options=FAST, **policy)
    write_until(out, "it is published", lambda: out.frames >= 10)
    nginx.wait_for_publisher("out")
    nginx.close()
    if policy:
        with pytest.raises(frameloom.Error) as told:
            write_until(out, "it is given up", lambda: False)
        assert ("not back within 0.6 s" in str(told.value)) == ("reconnect_for" in policy)
        out.close()
    else:
        write_until(out, "the loss is seen", lambda: out.stats.state == "lost")
        with pytest.raises(frameloom.Error):
            out.close()
    assert out.closed


def test_a_bad_server_is_told_by_output(nginx: Nginx, clip: Path, tmp_path: Path) -> None:
    with frameloom.open(clip) as video:
        with pytest.raises(ConnectionError) as told:
            video.output("rtmp://127.0.0.1:1/live/S3cretKey")
        assert isinstance(told.value, frameloom.Error) and told.value.stage == "output"
        assert "S3cretKey" not in f"{told.value} {told.value.args}"
        with pytest.raises(frameloom.Error):
            video.output(nginx.url("out").replace("/live/", "/nosuch/"))
        # Nothing is lost by that.
        with video.output(tmp_path / "out.mkv") as out:
            for frame in video:
                out.write(frame)
    assert len(frameloom.open(tmp_path / "out.mkv")) == 50


def test_an_output_is_there_before_the_first_frame_and_goes_with_its_video(
    nginx: Nginx, clip: Path
) -> None:
    video = frameloom.open(clip)
    out = video.output(nginx.url("out"), options=FAST)
    nginx.wait_for_publisher("out")
    video.close()
    assert out.closed
    wait_until("it is gone", lambda: nginx.logged("disconnect") > 0)
    # The name is free again.
    with frameloom.open(clip) as video, video.output(nginx.url("out"), options=FAST) as out:
        for frame in video:
            out.write(frame)
    assert video.stats.frames_out == 50


@pytest.mark.parametrize("first", ["slow", "failing"])
def test_what_goes_by_unedited_is_of_the_size_that_was_asked_for(
    nginx: Nginx, publish: Publish, tmp_path: Path, first: str
) -> None:
    publisher = publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    target = tmp_path / "out.mkv"
    policies = {"on_slow": "bypass", "deadline": 0.2, "on_error": "bypass", "on_loss": "end"}
    options: dict[str, Any] = policies
    with (
        frameloom.open(nginx.url("in"), size=(96, 54), **options) as video,
        video.output(target, options=FAST) as out,
    ):
        for count, frame in enumerate(video):
            assert frame.array.shape == (54, 96, 3)
            if count == 0 and first == "slow":
                wait_until("it is too late", lambda: video.stats.frames_bypassed >= 10)
            elif count == 0:
                assert video.failed("it was the first")
                continue
            out.write(frame)
            if count == 40:
                publisher.kill()
    assert video.stats.frames_bypassed or video.stats.errors
    with frameloom.open(target) as written:
        assert (written.width, written.height) == (96, 54)
        assert sum(frame.array.shape == (54, 96, 3) for frame in written) > 40


# Two seconds at their own speed, as a camera's.
MOVING: dict[str, Any] = {"format": "lavfi", "realtime": True}
SOURCE = "testsrc2=s=160x120:r=25:d=2"


def assert_nothing_is_seen_unedited(target: Path) -> None:
    with frameloom.open(target, pix_fmt="gray") as written:
        shares = [float((frame.image < 48).mean()) for frame in written]
    assert len(shares) == 50
    # Black, or the card: dark, with a few light letters. The source has all levels.
    assert min(shares) > 0.7, f"frame {shares.index(min(shares))} was seen"


@pytest.mark.parametrize("way", ["run", "loop"])
def test_under_hold_no_picture_is_seen_on_which_the_code_failed(tmp_path: Path, way: str) -> None:
    target, calls = tmp_path / "out.mkv", 0

    def edit(array: npt.NDArray[np.uint8]) -> None:
        nonlocal calls
        calls += 1
        if calls < 5 or calls % 3 == 0:
            raise RuntimeError("no face")
        array[:] = 0

    policies: dict[str, Any] = {**MOVING, "on_error": "hold", "on_slow": "block"}
    if way == "run":
        stats = frameloom.run(SOURCE, target, edit, output={"options": FAST}, **policies)
    else:
        with (
            frameloom.open(SOURCE, **policies) as video,
            video.output(target, options=FAST) as out,
        ):
            for frame in video:
                try:
                    edit(frame.array)
                except RuntimeError as error:
                    assert video.failed(str(error))
                else:
                    out.write(frame)
        stats = video.stats
    assert calls == 50 and stats.frames_bypassed == 0
    assert stats.errors == stats.frames_held == 4 + 15
    assert_nothing_is_seen_unedited(target)


@pytest.mark.parametrize("deadline", [None, 0.02])
def test_under_hold_no_picture_is_seen_that_the_code_was_too_slow_for(
    tmp_path: Path, deadline: float | None
) -> None:
    target = tmp_path / "out.mkv"
    with (
        frameloom.open(SOURCE, on_slow="hold", deadline=deadline, **MOVING) as video,
        video.output(target, options=FAST) as out,
    ):

        def has_read(enough: int) -> bool:
            return video.stats.frames_in >= enough

        for count, frame in enumerate(video):
            if count in (0, 3):
                # Without a deadline, those behind it leave once it is answered, and count then.
                enough = video.stats.frames_in + 6
                wait_until("frames come behind it", partial(has_read, enough))
            frame.array[:] = 0
            out.write(frame)
    assert video.stats.frames_held > 5 and video.stats.frames_bypassed == 0
    assert_nothing_is_seen_unedited(target)


def test_asyncio_reads_several_streams_at_once(nginx: Nginx, publish: Publish) -> None:
    for name in ("one", "two"):
        publish(CAMERA, nginx.url(name))
        nginx.wait_for_publisher(name)

    async def read(name: str) -> int:
        count = 0
        with frameloom.open(nginx.url(name)) as video:
            async for frame in video:
                count += 1
                assert frame.array.shape == (108, 192, 3)
                if count == 15:
                    break
        return count

    async def both() -> tuple[int, int]:
        return await asyncio.gather(read("one"), read("two"))

    assert tuple(asyncio.run(both())) == (15, 15)


def test_a_lost_stream_stops_no_loop_over_several(nginx: Nginx, publish: Publish) -> None:
    for name in ("one", "two"):
        camera = publish(CAMERA, nginx.url(name))
        nginx.wait_for_publisher(name)
    videos = [frameloom.open(nginx.url(name), on_slow="block") for name in ("one", "two")]
    assert all(video.read(timeout=LIMIT_S) for video in videos)
    camera.kill()
    missed, read = 0, 0
    while missed == 0 or read < 10:
        for number, video in enumerate(videos):
            try:
                frame = video.read(timeout=0.3)
                assert frame is not None
                read += number == 0
            except TimeoutError as error:
                assert number == 1 and isinstance(error, frameloom.TimedOut)
                missed += 1
    for video in videos:
        video.close()


INTERRUPTED = """
    import os, signal, sys, threading, time
    import frameloom
    sent = []
    def interrupt(delay=0.4):
        def send():
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        timer = threading.Timer(delay, send)
        timer.daemon = True
        timer.start()
    def told():
        print(time.monotonic() - sent[0])
    url = sys.argv[1]
"""

STATES = {
    "opening": """
        interrupt()
        try: frameloom.open(url + "nobody", open_timeout=60)
        except KeyboardInterrupt: told()
    """,
    "waiting for a frame": """
        video = frameloom.open(url + "in")
        next(video)
        interrupt()
        try:
            for frame in video: pass
        except KeyboardInterrupt: told()
        video.close()
    """,
    "waiting for a lost stream": """
        video = frameloom.open(url + "in", stall_timeout=0.3)
        next(video)
        print("kill", flush=True)
        sys.stdin.readline()
        interrupt(1.0)
        try:
            for frame in video: pass
        except KeyboardInterrupt: told()
        video.close()
    """,
    "connecting an output": """
        import socket
        silent = socket.create_server(("127.0.0.1", 0))
        video = frameloom.open(url + "in")
        interrupt()
        try: video.output(f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live/out")
        except KeyboardInterrupt: told()
        video.close()
    """,
    "writing to a lost server": """
        import numpy as np
        out = frameloom.create(url + "out", rate=50, options={"preset": "ultrafast"})
        picture = np.zeros((108, 192, 3), np.uint8)
        out.write(picture)
        print("close", flush=True)
        while out.stats.state == "ok":
            out.write(picture)
            time.sleep(0.02)
        interrupt()
        try:
            while True:
                out.write(picture)
                time.sleep(0.02)
        except KeyboardInterrupt: told()
        try: out.close()
        except frameloom.Error: pass
    """,
    "finishing": """
        import numpy as np
        options = {"preset": "veryslow", "rc-lookahead": 250, "threads": 1}
        writer = frameloom.create(sys.argv[2], size=(1920, 1080), options=options)
        picture = np.random.default_rng(1).integers(0, 255, (1080, 1920, 3), np.uint8)
        # They wait in the encoder, and take it far longer than this test may.
        for number in range(40): writer.write(np.roll(picture, number))
        interrupt(0.5)
        try: writer.close()
        except KeyboardInterrupt: told()
        sys.stdout.flush()
        os._exit(0)
    """,
    "writing": """
        import numpy as np
        writer = frameloom.create(sys.argv[2], size=(1920, 1080), options={"preset": "slow"})
        picture = np.random.default_rng(1).integers(0, 255, (1080, 1920, 3), np.uint8)
        interrupt(1.0)
        try:
            while True: writer.write(picture)
        except KeyboardInterrupt: told()
        sys.stdout.flush()
        os._exit(0)
    """,
}


@pytest.mark.parametrize("state", list(STATES))
def test_ctrl_c_is_quick(state: str, nginx: Nginx, publish: Publish, tmp_path: Path) -> None:
    publisher = publish(CAMERA, nginx.url("in"))
    nginx.wait_for_publisher("in")
    code = textwrap.dedent(INTERRUPTED) + textwrap.dedent(STATES[state])
    words = [sys.executable, "-X", "dev", "-c", code, nginx.url(""), str(tmp_path / "out.mp4")]
    with sp.Popen(words, stdout=sp.PIPE, stdin=sp.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        first = process.stdout.readline()
        if first == "close\n":
            nginx.wait_for_publisher("out")
            nginx.close()
            first = process.stdout.readline()
        if first == "kill\n":
            publisher.kill()
            process.stdin.write("\n")
            process.stdin.flush()
            first = process.stdout.readline()
        assert process.wait(LIMIT_S) == 0
    # 0.2 s are promised; the machine may be busy.
    assert float(first) < 1.0, first


def test_no_secret_is_told(nginx: Nginx) -> None:
    with pytest.raises(frameloom.Error) as raised:
        frameloom.open("rtmp://user:passw0rd@127.0.0.1:1/live/S3cretKey?token=t0ken")
    told = f"{raised.value} {raised.value!r} {raised.value.url} {raised.value.args}"
    for secret in ("passw0rd", "S3cretKey", "t0ken"):
        assert secret not in told
    assert isinstance(raised.value, ConnectionError)
    with pytest.raises(TimeoutError):
        frameloom.open(nginx.url("nobody"), open_timeout=0.5)
