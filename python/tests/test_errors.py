"""Errors speak Python: keywords and `options=`, never the command line's spellings, and errno."""

import errno
import pickle
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import frameloom

# `--reconnect-for`, ` -ca_file`, `(-y`.
COMMAND_LINE = re.compile(r"(?<![\w\"'])--?[A-Za-z]")


def judged(raised: pytest.ExceptionInfo[Any]) -> frameloom.Error:
    """Check what holds for every error, and give it back."""
    error = raised.value
    assert isinstance(error, frameloom.Error)
    said = [str(error), error.cause, error.hint or "", error.option or ""]
    for text in said:
        assert not COMMAND_LINE.search(text), text
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error)
    assert (again.stage, again.url, again.option) == (error.stage, error.url, error.option)
    if isinstance(error, OSError):
        assert isinstance(again, OSError) and again.errno == error.errno
        assert error.filename == error.url and error.strerror == error.cause
    return error


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """Listen on the port it gives; whoever connects gets `answer` and is then ignored."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"on_loss": "hodl"}, "on_loss"),
        ({"on_slow": "fast"}, "on_slow"),
        ({"on_error": "ignore"}, "on_error"),
        ({"on_error": "restart"}, "on_error"),
        ({"on_resize": "grow"}, "on_resize"),
        ({"deadline": 0}, "deadline"),
        ({"stall_timeout": "soon"}, "stall_timeout"),
        ({"reconnect_for": "long"}, "reconnect_for"),
        ({"open_timeout": "never"}, "open_timeout"),
        ({"no_reconnect": True, "on_loss": "hold"}, "no_reconnect"),
        ({"no_reconnect": True, "reconnect_for": 3}, "reconnect_for"),
        ({"on_loss": "end", "reconnect_for": 3}, "reconnect_for"),
        ({"slate": "card.png", "on_loss": "hold"}, "slate"),
        ({"slate": "card.png", "no_reconnect": True}, "slate"),
        ({"on_slow": "latest", "deadline": 0.04}, "deadline"),
        ({"format": "mp5"}, "format"),
        ({"duration": 0}, "duration"),
        ({"start": "soon"}, "start"),
        ({"loop": True, "format": "mp5"}, "format"),
        ({"options": {"s": "0x0"}}, 'options["s"]'),
        ({"options": {"pix_fmt": "rgb42"}}, 'options["pix_fmt"]'),
        ({"options": {"nosuch": 1}}, 'options["nosuch"]'),
        ({"options": {"vf": "hflip"}}, 'options["vf"]'),
        ({"options": {"map": "0:a"}}, 'options["map"]'),
        ({"options": {"crf": 20}}, 'options["crf"]'),
        ({"options": {"an": True, "vn": True, "sn": True, "dn": True}}, 'options["an"]'),
        ({"options": {"c:v": "h265x"}}, 'options["c:v"]'),
        ({"options": {"preset:s": "fast"}}, 'options["preset:s"]'),
        ({"options": {"video_size": "64x36"}}, 'options["s"]'),
    ],
)
def test_options_of_an_input_in_pythons_words(
    clip: Path, options: dict[str, Any], option: str
) -> None:
    with pytest.raises(ValueError) as raised:
        frameloom.open(clip, **options)
    assert judged(raised).option == option


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"codec": "libx265x"}, "codec"),
        ({"codec": "copy"}, "codec"),
        ({"codec": "copy", "size": (64, 36)}, "codec"),
        ({"codec": "copy", "rate": 10}, "codec"),
        ({"codec": "copy", "options": {"vf": "hflip"}}, "codec"),
        ({"audio_codec": "libx264"}, "audio_codec"),
        ({"size": "huge"}, "size"),
        ({"rate": 0}, "rate"),
        ({"format": "mp5"}, "format"),
        ({"audio": False, "options": {"vn": True, "sn": True}}, "audio"),
        ({"options": {"c": "libx264"}}, "codec"),
        ({"options": {"preset": "fastt"}}, 'options["preset"]'),
        ({"options": {"preset:v": "fastt"}}, 'options["preset:v"]'),
        ({"options": {"crf:a": 3}}, 'options["crf:a"]'),
        ({"options": {"stream_loop": 1}}, 'options["stream_loop"]'),
        ({"options": {"frames:v": 0}}, 'options["frames:v"]'),
        ({"options": {"ac": 99}}, 'options["ac"]'),
        ({"options": {"ss": 3, "to": 2}}, 'options["to"]'),
    ],
)
def test_options_of_an_output_in_pythons_words(
    clip: Path, tmp_path: Path, options: dict[str, Any], option: str
) -> None:
    with (
        pytest.raises(ValueError) as raised,
        frameloom.open(clip) as video,
        video.output(tmp_path / "out.mkv", **options),
    ):
        next(video)
    assert judged(raised).option == option


def of_a_missing_file(folder: Path) -> None:
    frameloom.open(folder / "none.mp4")


def of_a_missing_folder(folder: Path) -> None:
    frameloom.create(folder / "no" / "out.mp4", size=(64, 36), rate=25)


def of_a_file_that_is_there(folder: Path) -> None:
    (folder / "there.mp4").write_bytes(b"here")
    frameloom.create(folder / "there.mp4", overwrite=False)


def of_a_closed_port(folder: Path) -> None:
    frameloom.open("rtmp://127.0.0.1:1/live/x")


def of_a_closed_port_by_libav(folder: Path) -> None:
    frameloom.open("http://127.0.0.1:1/x.flv")


def of_an_output_on_a_closed_port(folder: Path) -> None:
    frameloom.create("rtmp://127.0.0.1:1/live/x", size=(64, 36), rate=25)


def of_a_silent_server(folder: Path) -> None:
    with server(b"") as port:
        frameloom.open(f"rtmp://127.0.0.1:{port}/live/x", open_timeout=0.3)


@pytest.mark.parametrize(
    ("provoke", "builtin", "number", "hint"),
    [
        (of_a_missing_file, FileNotFoundError, errno.ENOENT, "is the path right"),
        (of_a_missing_folder, FileNotFoundError, errno.ENOENT, "create the folder"),
        (of_a_file_that_is_there, FileExistsError, errno.EEXIST, "overwrite=True overwrites it"),
        (of_a_closed_port, ConnectionError, errno.ECONNREFUSED, "is a server running there"),
        (of_a_closed_port_by_libav, ConnectionError, errno.ECONNREFUSED, "is a server running"),
        (of_an_output_on_a_closed_port, ConnectionError, errno.ECONNREFUSED, "allow publishing"),
        (of_a_silent_server, TimeoutError, errno.ETIMEDOUT, "open_timeout= sets the limit"),
    ],
)
def test_builtins_have_their_errno(
    tmp_path: Path,
    provoke: Callable[[Path], None],
    builtin: type[OSError],
    number: int,
    hint: str,
) -> None:
    with pytest.raises(builtin) as raised:
        provoke(tmp_path)
    error = judged(raised)
    assert raised.value.errno == number
    assert error.hint and hint in error.hint


def test_hints_name_arguments(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_bytes(b"\x00\x01 no film " * 1000)
    with pytest.raises(frameloom.Error) as raised:
        frameloom.open(text)
    assert isinstance(raised.value, frameloom.InvalidData)
    assert 'raw input needs format=, options={"s": ...}' in str(judged(raised))
    with pytest.raises(frameloom.Error) as raised:
        frameloom.create(tmp_path / "out.unknown")
    assert 'format="flv"' in str(judged(raised))
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        with pytest.raises(frameloom.Error) as raised:
            frameloom.open(f"rtmps://127.0.0.1:{port}/live/x")
        told = str(judged(raised))
    assert 'options={"ca_file": ...} names' in told and 'options={"tls_verify": 0}' in told


def test_a_value_that_cannot_be_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"g": "1e30"}, 'options["g"]', "a whole number from -2147483648"),
        ({"b:v": -5}, "bit_rate", "from 0 on"),
        ({"flags": "+cgopp"}, 'options["flags"]', "did you mean cgop"),
        ({"preset": "nonsense"}, 'options["preset"]', "ultrafast"),
        ({"preset": "fast\0er"}, 'options["preset"]', ""),
    ]
    for options, option, hint in cases:
        with pytest.raises(frameloom.InvalidValue) as raised:
            frameloom.create(out, size=(64, 36), rate=25, options=options)
        error = judged(raised)
        assert error.stage == "options"
        assert error.option == option
        assert hint in (error.hint or "")
        assert not out.exists()
    with pytest.raises(frameloom.InvalidValue) as raised:
        # It is not there, which would be told if it were opened.
        frameloom.open("/no/such/input.mp4", options={"probesize": 1})
    assert "from 32" in str(judged(raised))


def test_what_is_lost_says_how_long_it_was_tried() -> None:
    with server(b"") as port:
        url = f"rtmp://127.0.0.1:{port}/live/x"
        with pytest.raises(frameloom.Error) as raised:
            frameloom.open(url, open_timeout=0.2, reconnect_for=0.1)
    judged(raised)
