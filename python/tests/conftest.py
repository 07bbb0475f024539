"""What the tests share: a film, nginx with its RTMP module, ffmpeg as the other end."""

import os
import shutil
import signal
import socket
import struct
import subprocess as sp
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
# Far more than anything here should take on a busy machine.
LIMIT_S = 60.0

# A shell starts what runs behind an & with Ctrl-C ignored, and whatever that starts inherits it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_until(what: str, is_so: Callable[[], bool], limit: float = LIMIT_S) -> None:
    """Return once `is_so` says so."""
    until = time.monotonic() + limit
    while not is_so():
        assert time.monotonic() < until, f"not within {limit:.0f} s: {what}"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def film() -> Path:
    path = os.environ.get("FRAMELOOM_TEST_FILM", "target/test-media/bigbuckbunny.mp4")
    found = ROOT / path
    assert found.is_file(), f"no {found}: run script/setup --tests"
    return found


@pytest.fixture(scope="session")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames of a portrait."""
    picture = ROOT / "target" / "test-media" / "astronaut.png"
    assert picture.is_file(), f"no {picture}: run script/setup --tests"
    path = tmp_path_factory.mktemp("face") / "face.mp4"
    ffmpeg(f"-loop 1 -i {picture} -frames:v 10 -pix_fmt yuv420p -c:v libx264", path)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 50 moving pictures with B-frames, beside sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    ffmpeg(
        "-f lavfi -i testsrc2=s=192x108:r=25:d=2 -f lavfi -i sine=d=2 -pix_fmt yuv420p"
        " -c:v libx264 -bf 2 -g 10 -c:a aac",
        path,
    )
    return path


def ffmpeg(words: str | list[str], target: Path | str) -> None:
    given = words.split() if isinstance(words, str) else words
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *given, str(target)]
    sp.run(command, check=True, timeout=LIMIT_S)


def turn(upright: Path, size: tuple[int, int], degrees: int, turned: Path) -> None:
    """Write an MP4 that asks players to turn its picture to the right, by its track's matrix.

    ffmpeg's own option for that has changed its name (ISO/IEC 14496-12, 8.3.2 has the matrix).
    """
    one = 1 << 16
    width, height = (side * one for side in size)
    matrix = {
        90: (0, one, 0, -one, 0, 0, height, 0, 1 << 30),
        180: (-one, 0, 0, 0, -one, 0, width, height, 1 << 30),
        270: (0, -one, 0, one, 0, 0, 0, width, 1 << 30),
    }
    content = bytearray(upright.read_bytes())
    struct.pack_into(">9i", content, content.index(b"tkhd") + 44, *matrix[degrees])
    turned.write_bytes(content)


def shown(path: Path | str, stream: str = "v") -> list[float]:
    """When each packet of a stream is to be shown, in seconds, in that order."""
    command = ["ffprobe", "-v", "error", "-select_streams", stream]
    command += ["-show_entries", "packet=pts_time", "-of", "csv=p=0", str(path)]
    told = sp.run(command, check=True, timeout=LIMIT_S, capture_output=True, text=True).stdout
    return sorted(float(line.strip(",")) for line in told.split() if line.strip(","))


class Nginx:
    """A running server on a loopback port of its own."""

    def __init__(self, folder: Path) -> None:
        assert Path(MODULE).is_file(), f"no {MODULE}: run script/setup --tests"
        self.folder = folder
        for _ in range(10):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = int(probe.getsockname()[1])
            if self._start():
                return
        pytest.fail("nginx found no free port")

    def _start(self) -> bool:
        at, conf = self.folder, self.folder / "nginx.conf"
        conf.write_text(
            f"load_module {MODULE}; daemon off; master_process off; pid {at}/pid;"
            f" error_log {at}/log info; events {{ worker_connections 256; }}"
            f" rtmp {{ server {{ listen 127.0.0.1:{self.port}; chunk_size 4096; out_queue 4096;"
            f" application live {{ live on; publish_notify on; drop_idle_publisher 20s; }} }} }}"
        )
        command = [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(at), "-c", str(conf)]
        self.server = sp.Popen([*command, "-e", str(at / "log")])
        pid = self.folder / "pid"
        # It writes its pid once it has bound the port.
        wait_until("nginx starts", lambda: pid.is_file() or self.server.poll() is not None)
        return self.server.poll() is None

    def url(self, stream: str) -> str:
        return f"rtmp://127.0.0.1:{self.port}/live/{stream}"

    def logged(self, what: str) -> int:
        """How often it has logged this."""
        log = self.folder / "log"
        return log.read_text(errors="replace").count(what) if log.is_file() else 0

    def wait_for_publisher(self, stream: str, times: int = 1) -> None:
        what = f" publish: name='{stream}'"
        wait_until(f"{stream} is published", lambda: self.logged(what) >= times)

    def wait_for_player(self, stream: str, times: int = 1) -> None:
        what = f"play: name='{stream}'"
        wait_until(f"{stream} is played", lambda: self.logged(what) >= times)

    def close(self) -> None:
        self.server.kill()
        self.server.wait()

    def come_back(self) -> None:
        """Start again, where it was, after `close`."""
        (self.folder / "pid").unlink(missing_ok=True)
        # Whoever connects from there meanwhile has the port for a moment.
        wait_until("nginx has its port again", self._start)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    folder = tmp_path / "nginx"
    folder.mkdir()
    server = Nginx(folder)
    yield server
    server.close()


class Publisher:
    """An ffmpeg that publishes at the stream's own speed."""

    def __init__(self, words: str, url: str) -> None:
        command = ["ffmpeg", "-v", "error", "-nostdin", *words.split(), "-f", "flv", url]
        self.process = sp.Popen(command)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


CAMERA = (
    "-re -f lavfi -i testsrc2=s=192x108:r=25 -re -f lavfi -i sine -pix_fmt yuv420p"
    " -c:v libx264 -preset ultrafast -tune zerolatency -g 25 -c:a aac"
)


@pytest.fixture
def publish() -> Iterator[Callable[[str, str], Publisher]]:
    """Publish until the test ends."""
    started: list[Publisher] = []

    def start(words: str, url: str) -> Publisher:
        publisher = Publisher(words, url)
        started.append(publisher)
        return publisher

    yield start
    for publisher in started:
        publisher.kill()
