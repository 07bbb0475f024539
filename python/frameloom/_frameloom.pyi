"""Frameloom's compiled part: import `frameloom` instead."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias, final, type_check_only

import numpy as np
import numpy.typing as npt

__all__ = [
    "Audio",
    "AudioFrame",
    "AudioPacket",
    "Batch",
    "Batches",
    "Draw",
    "Event",
    "Frame",
    "Output",
    "OutputStats",
    "Stats",
    "Stream",
    "StreamOutput",
    "Streams",
    "Transform",
    "Video",
    "Writer",
    "command_line",
    "concat",
    "create",
    "open",
    "open_all",
    "open_audio",
    "probe",
]

_Path: TypeAlias = str | PathLike[str]
_Rate: TypeAlias = int | float | Fraction | str
_Size: TypeAlias = tuple[int, int] | str
_Seconds: TypeAlias = float | str
_Array: TypeAlias = npt.NDArray[np.uint8]

@type_check_only
class _HasDLPack(Protocol):
    def __dlpack__(self, *, stream: None = ...) -> Any: ...

_Pixels: TypeAlias = npt.ArrayLike | _HasDLPack
_Color: TypeAlias = str | Sequence[int]
_Sound: TypeAlias = tuple[int, str | int]

@final
class Frame:
    """One decoded picture, and where it belongs in time.

    Nothing is converted before you look at it. `array` is the picture to change, `image` the same
    read-only; a frame of which only `image` was used goes out as it was decoded.
    """

    @property
    def array(self) -> _Array:
        """The picture as a writable array of uint8.

        (height, width, 3) for rgb24 and bgr24, (height, width, 4) for rgba and bgra, (height,
        width) for gray; (height * 3 / 2, width) for yuv420p, nv12 and nv21, (height * 2, width)
        for yuv422p and nv16, (3, height, width) for yuv444p, (height * 3, width) for nv24. What is
        changed in it is what an output gets. Assign an array of the same shape to replace it;
        another raises `ValueError`. It stays valid for as long as it is held.
        """

    @array.setter
    def array(self, value: _Pixels) -> None: ...
    @property
    def image(self) -> _Array:
        """The same picture, read-only: a frame of which nothing else was used stays untouched."""

    @property
    def stream(self) -> Stream | None:
        """The stream that it is of, where it came in a batch; else `None`."""

    def write(self) -> None:
        """Give it to the outputs of its stream. Only for frames of a batch.

        One that is not written before its stream's next frame comes is left out of them.
        """

    @staticmethod
    def from_ndarray(array: _Pixels, format: str = "rgb24") -> Frame:
        """A frame of your own pixels, an array of uint8 as `array` describes it for `format`.

        It shares their memory: what is drawn on the frame is drawn on the array.
        """

    @property
    def data(self) -> dict[str, Any] | None:
        """What code knows of the frame, and sends along with it; `None` where there is nothing.

        A dictionary that can be written as a JSON object of 64 KiB at most; numbers and arrays of
        numpy are taken for those of Python. What is changed in it counts once it is assigned. Its
        keys `boxes`, `lines`, `points` and `text` are what `draw.data` draws.
        """

    @data.setter
    def data(self, value: Mapping[str, Any] | None) -> None: ...
    @staticmethod
    def _of_command(array: _Array, format: str, width: int, height: int) -> Frame: ...
    @staticmethod
    def _shape_of(format: str, width: int, height: int) -> tuple[int, ...]: ...
    @property
    def _is_changed(self) -> bool: ...
    @property
    def _data_json(self) -> str | None: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""

    def copy(self) -> Frame:
        """A frame of its own: what is changed in one of the two is not changed in the other."""

    def region(self, x: int, y: int, width: int, height: int) -> _Array:
        """A new array of some pixels: only they are converted.

        Their upper left corner is at `x`, `y`.
        """

    def set_region(self, x: int, y: int, array: _Pixels) -> None:
        """Replace the pixels whose upper left corner is at `x`, `y`: only they are converted.

        Raises `ValueError` where the array doesn't fit into the frame there.
        """

    def save(self, path: _Path) -> None:
        """Write the picture to an image file, as `x.jpg` or `x.png`, over one that is there.

        Raises `ValueError` for a name that is no image's.
        """

    def _repr_png_(self) -> bytes: ...
    def to_ndarray(
        self,
        format: str | None = None,
        *,
        size: _Size | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> _Array:
        """A new array of the picture, in another format or size where they are given.

        `size` is (width, height) in pixels; or give one of `width` and `height` alone. Where it
        shrinks, a pixel is the mean of what it covers. Raises `ValueError` for a size that no
        picture has, `MemoryError` where there is no memory for it.
        """

    def tensor(
        self,
        size: int | tuple[int, int],
        *,
        fit: Literal["letterbox", "stretch", "crop"] = "letterbox",
        fill: Sequence[int] | npt.NDArray[Any] = (114, 114, 114),
        scaling: Literal["area", "bilinear"] = "area",
        layout: Literal["NCHW", "NHWC"] = "NCHW",
        order: Literal["RGB", "BGR"] = "RGB",
        dtype: npt.DTypeLike | None = None,
        scale: float | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        region: Sequence[float] | None = None,
        out: npt.NDArray[Any] | None = None,
    ) -> tuple[npt.NDArray[Any], Transform]:
        """The picture as a model reads it, and the way back to the picture.

        It is made in one pass over the codec's own planes. Where `array` was asked for, it is made
        of what stands in there, which costs a conversion more.

        size: width and height in pixels; one number for a square.
        fit: `letterbox` keeps the picture's shape, with bars of the colour `fill` (red, green,
            blue); `stretch` doesn't keep it; `crop` keeps it and leaves out what lies beside the
            middle.
        scaling: `area` is the mean of what a pixel covers; `bilinear` lies between the two
            nearest samples of each axis, as OpenCV's resize does without being asked.
        layout: `NCHW` has a plane for each channel, `NHWC` the channels side by side; N is 1.
        order: that of the channels.
        dtype: `float32` (where `out` doesn't say), `float16` or `uint8`.
        scale, mean, std: each value from 0 to 255 becomes (value * scale - mean) / std. `scale`
            is 1/255 where nothing is said, and 1 for uint8; `mean` and `std` are one number or
            one for each channel, in the tensor's order.
        region: left, top, right and bottom of the part of the picture that is taken, in pixels.
        out: a contiguous array of that shape, with or without the first axis, that is filled and
            returned: `batch[n]`, for one.
        """

    @property
    def draw(self) -> Draw:
        """Draws on the picture: boxes, text, blur and more.

        Where `array` was not asked for before, it draws into the codec's own planes and nothing is
        converted; where it was, on that array.
        """

    @property
    def time(self) -> float:
        """When it is to be shown, in seconds; 0 is where the input starts."""

    @property
    def pts(self) -> int:
        """When it is to be shown, in units of `time_base`."""

    @property
    def time_base(self) -> Fraction:
        """The unit of `pts`, in seconds."""

    @property
    def duration(self) -> float:
        """How long it is to be shown, in seconds; 0 where the stream doesn't say."""

    @property
    def key_frame(self) -> bool:
        """Whether the codec coded it without reference to another."""

    @property
    def index(self) -> int:
        """Its number since the video was opened or sought, from 0; dropped frames count.

        Of a frame from `frame_at` it says nothing.
        """

    @property
    def width(self) -> int:
        """Pixels across."""

    @property
    def height(self) -> int:
        """Pixels down."""

    @property
    def pix_fmt(self) -> str:
        """FFmpeg's name of the array's format."""

    @property
    def codec_pix_fmt(self) -> str:
        """FFmpeg's name of the codec's own format."""

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """The array, for numpy and whatever takes what numpy takes."""

    def __buffer__(self, flags: int, /) -> memoryview:
        """The array's memory by the buffer protocol: `memoryview(frame)` in Python 3.12 or newer.

        Before, it is `memoryview(frame.array)`.
        """

    def __dlpack__(self, **options: Any) -> Any:
        """The array's memory by DLPack, for torch and others."""

    def __dlpack_device__(self) -> tuple[int, int]:
        """Where the memory is: the processor's."""

@final
class Draw:
    """Draws on a frame, anti-aliased: `frame.draw`.

    Places are in pixels from the upper left corner, and may lie between pixels; a rectangle is
    left, top, right and bottom. What lies outside the picture is not drawn, nor is what has a NaN
    in it. A colour is a name of FFmpeg's (`"red"`, `"#ff8000"`, `"white@0.5"`), or red, green, blue
    and, where given, opacity, each 0 to 255.
    """

    def box(
        self,
        xyxy: Sequence[float] | npt.NDArray[Any],
        label: str = "",
        *,
        color: _Color = (255, 200, 0),
        width: float = 2.0,
        label_size: float = 16.0,
        font: _Path | None = None,
    ) -> None:
        """A box round something that was found, and its label, which keeps inside the picture.

        The label stands above the upper left corner on the box's colour, or within the box where
        the picture ends above. `font` is a TrueType or OpenType file; the embedded one has the
        Latin, Greek, Cyrillic and Hebrew letters.
        """

    def rectangle(
        self, xyxy: Sequence[float] | npt.NDArray[Any], color: _Color, *, width: float = 2.0
    ) -> None:
        """The edges of a rectangle, by a line half of which lies on either side of them."""

    def fill(self, xyxy: Sequence[float] | npt.NDArray[Any], color: _Color) -> None:
        """A rectangle, filled."""

    def line(
        self, start: Sequence[float], end: Sequence[float], color: _Color, *, width: float = 2.0
    ) -> None:
        """A straight line with round ends."""

    def polyline(self, points: npt.ArrayLike, color: _Color, *, width: float = 2.0) -> None:
        """A line through points, (n, 2); a dot through one."""

    def polygon(self, points: npt.ArrayLike, color: _Color) -> None:
        """What lies between corners, (n, 2), filled."""

    def circle(
        self, center: Sequence[float], radius: float, color: _Color, *, width: float | None = None
    ) -> None:
        """A circle, filled; where `width` is given, its line alone."""

    def text(
        self,
        at: Sequence[float],
        text: str,
        *,
        size: float = 24.0,
        color: _Color = "white",
        background: _Color | None = None,
        font: _Path | None = None,
    ) -> None:
        """Text whose upper left corner is at `at`, `size` pixels high, in one line or several."""

    def image(self, array: _Pixels, at: Sequence[int] = (0, 0), *, opacity: float = 1.0) -> None:
        """A picture whose upper left corner is at `at`.

        (height, width, 3) is RGB, (height, width, 4) RGB with its opacity, (height, width) gray.
        """

    def mask(
        self,
        mask: npt.ArrayLike,
        color: _Color,
        *,
        opacity: float = 0.5,
        at: Sequence[int] = (0, 0),
    ) -> None:
        """A colour where a mask, (height, width), says so.

        The mask is of bool, of uint8 from 0 to 255, or of numbers from 0 to 1. Its upper left
        corner is at `at`.
        """

    def data(self, data: Mapping[str, Any], *, size: _Size | None = None) -> None:
        """The `boxes`, `lines`, `points` and `text` of a dictionary, as `Frame.data` has them.

        {"boxes": [{"xyxy": [10, 20, 110, 220], "label": "person", "score": 0.9, "id": 3}],
         "lines": [{"points": [[0, 0], [50, 90]], "color": "#00ff80", "width": 3}],
         "points": [{"xy": [40, 60], "radius": 4}],
         "text": [{"xy": [8, 8], "text": "2 persons", "size": 24, "background": "black@0.5"}]}

        Places are in pixels of a picture of `size`, this one by default; where all of one place's
        numbers lie between 0 and 1, they are parts of its width and height.

        Raises a `frameloom.Error` where one of these keys has another kind of value.
        """

    def blur(self, xyxy: Sequence[float] | npt.NDArray[Any], radius: float | None = None) -> None:
        """What lies within a rectangle, blurred.

        `radius` is how far a pixel is spread, in pixels; an eighth of the longer side where it is
        not given.
        """

    def pixelate(
        self, xyxy: Sequence[float] | npt.NDArray[Any], block: float | None = None
    ) -> None:
        """What lies within a rectangle, in blocks of one colour each.

        `block` is their side in pixels; an eighth of the longer side where it is not given.
        """

@final
class Batch:
    """Frames of different streams, at most one of each. It is a sequence of frames."""

    @property
    def frames(self) -> list[Frame]:
        """Its frames; those whose stream waited longest come first."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Frame]: ...
    def tensor(
        self, size: int | tuple[int, int], **keywords: Any
    ) -> tuple[npt.NDArray[Any], list[Transform]]:
        """What a model reads of all frames, (n, 3, height, width), and the way back for each.

        The keywords are those of `Frame.tensor`; `out` has a place for each frame, and no more.
        """

@final
class Batches:
    """The batches of some streams: an iterator. Made by `Streams.batches`."""

    def __iter__(self) -> Batches: ...
    def __next__(self) -> Batch: ...

@final
class Stream:
    """One stream of `open_all`."""

    @property
    def number(self) -> int:
        """Its number, from 0 in the order in which streams were added."""

    @property
    def url(self) -> str:
        """Its URL, without what is secret in it."""

    @property
    def error(self) -> str | None:
        """Why it is over; `None` while it isn't, and where it simply ended."""

    def output(
        self,
        target: _Path,
        *,
        codec: str | None = None,
        audio_codec: str | None = None,
        bit_rate: int | str | None = None,
        format: str | None = None,
        size: _Size | None = None,
        rate: _Rate | None = None,
        audio: bool = True,
        overwrite: bool = True,
        preroll: _Seconds | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> StreamOutput:
        """Add an output, at any time, for what is written of this stream and its sound.

        Nobody waits for it: where it can't be opened, a warning says so. The arguments are those of
        `Video.output`.
        """

    def write(self, frame: Frame) -> None:
        """Give a frame of this stream to its outputs: what `frame.write()` does."""

    def remove(self) -> None:
        """End it and finish its outputs, while the others go on."""

@final
class StreamOutput:
    """An output of one stream of `open_all`. Made by `Stream.output`."""

    def close(self) -> None:
        """Finish it, with all that was written to it, while the stream goes on.

        Raises what went wrong with it and wasn't told before.
        """

    @property
    def target(self) -> str:
        """The URL or path, without secrets."""

    @property
    def closed(self) -> bool:
        """Whether it is closed, or could not be opened."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]: ...

@final
class Streams:
    """Streams that run side by side: made by `open_all`. None waits for another."""

    def add(self, source: _Path) -> Stream:
        """Add a stream, while the others run."""

    def batches(self, size: int = 8, wait: _Seconds | None = None) -> Batches:
        """Batches of frames, at most one of each stream: the newest that it has.

        A batch is given out once it has `size` frames or one of every stream that runs, and `wait`
        seconds (20 ms) behind its first at the latest; earlier, where a live stream that is in it
        has its next frame already. A stream that is lost or not there yet is not waited for.
        """

    def latest(self, size: int = 8, timeout: _Seconds | None = None) -> Batch | None:
        """The newest frames that a loop over `batches` on another thread has taken.

        At most one of each stream, and at most `size`, as they were when they were taken. Each is
        returned once: the next call waits for a newer one, at most for `timeout` seconds. `None`
        once there are no more. So a model that is slower than the streams sees what is new, and the
        loop goes on at their rates.

        Raises `TimeoutError` where none came in time.
        """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Stream]: ...
    def __getitem__(self, number: int, /) -> Stream: ...
    def close(self) -> None:
        """End all streams and finish their outputs."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
        /,
    ) -> bool: ...

@final
class Transform:
    """The way between a picture and the tensor that was made of it by `Frame.tensor`."""

    def to_frame(self, places: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Boxes or points of the tensor as boxes or points of the picture, in pixels.

        The last axis is left, top, right, bottom, or x and y. What lies outside the picture is
        moved to its edge; NaN stays NaN.
        """

    def to_tensor(self, places: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The other way round from `to_frame`; nothing is moved to an edge."""

    @property
    def scale(self) -> tuple[float, float]:
        """How many pixels of the tensor a pixel of the picture is, across and down."""

    @property
    def offset(self) -> tuple[float, float]:
        """Where in the tensor the picture's upper left corner would be, in pixels."""

@final
class Video:
    """A file or stream that is open: an iterator of its frames. Made by `open`."""

    def read(self, timeout: _Seconds | None = None) -> Frame | None:
        """The next frame; `None` where there are no more. It waits for a live stream that is lost.

        With `timeout` it waits for so many seconds at most; a frame that comes later is the next
        one's.

        Raises `TimeoutError` where none came in time, `ValueError` once the video is closed.
        """
    def latest(self, timeout: _Seconds | None = None) -> Frame | None:
        """The newest frame that a loop on another thread has read; `None` once there are no more.

        It is as it was when it was read, and is returned once: the next call waits for a newer one,
        at most for `timeout` seconds. So a model that is slower than the stream sees what is new,
        and the loop goes on at the stream's rate.

        Raises `TimeoutError` where none came in time.
        """
    def _poll(self) -> Frame | Literal[False] | None: ...
    def __iter__(self) -> Iterator[Frame]: ...
    def __next__(self) -> Frame: ...
    def __aiter__(self) -> AsyncIterator[Frame]: ...
    def output(
        self,
        target: _Path,
        *,
        codec: str | None = None,
        audio_codec: str | None = None,
        bit_rate: int | str | None = None,
        format: str | None = None,
        size: _Size | None = None,
        rate: _Rate | None = None,
        audio: bool | _Sound = True,
        overwrite: bool = True,
        preroll: _Seconds | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Output:
        """Add an output, at any time: a file, or a URL to publish to.

        It gets the frames that are written to it and the input's audio beside them. One that is
        added while frames are read begins with those that the input brings from then on; what was
        read before is left out of it. A server is connected to at once; a file is made when there
        is something to write. `bit_rate` is in bits a second, `size` is (width, height), `options`
        are FFmpeg's by its names, as {"preset": "fast", "g": 50}. `audio=False` leaves the sound
        out; with samples a second and channels, as in (48000, "stereo"), it is your own, which
        `Output.write_audio` writes: only of outputs that are added before the first frame is read.

        With `preroll` it begins so many seconds ago, at a keyframe, with what `open(..., preroll=)`
        keeps, or with as much of it as there is, and goes on by itself until it is closed: video
        and sound are copied as they come, and no frames are written to it.

        Raises a `frameloom.Error` where options contradict each other, the file may not be written,
        or the server can't be reached or refuses.
        """

    def seek(self, time: _Seconds) -> None:
        """Go on with the first frame at `time` or behind it, in seconds.

        A file without an index of times is read from its start. Raises `ValueError` for a live
        stream, where there are outputs, whose time can't go back, and where the file ends before
        `time`; the loop over the frames can then go on where it was.
        """

    def frame_at(self, time: _Seconds) -> Frame:
        """The frame that is shown at `time`, in seconds: the last one that isn't later.

        It leaves the loop over the frames where it is. Raises `ValueError` behind the end and for a
        live stream.
        """

    @property
    def info(self) -> dict[str, Any]:
        """What is in it, as `frameloom probe` tells it."""

    @property
    def stats(self) -> Stats:
        """The counters as they are now."""

    @property
    def audio(self) -> list[AudioPacket]:
        """The audio packets that were read since this was asked last, as they came.

        They are read with the frames: ask for them in the loop. The last 1024 are kept.
        """

    @property
    def audio_frames(self) -> list[AudioFrame]:
        """The sound that was read since this was asked last, decoded.

        It is read with the frames: ask for it in the loop. It belongs to them by its times, and may
        come somewhat before or after them. The last 1024 packets are kept, some 20 s; once you have
        asked, what goes before you ask again is counted (`stats.audio_dropped`). `open_audio` reads
        sound without the pictures.
        """

    def edit_audio(
        self, edit: Callable[[npt.NDArray[np.float32], float], npt.NDArray[Any] | None]
    ) -> None:
        """Have `edit(array, time)` called with every piece of the sound that outputs get.

        The array is of float32, (n, channels), from -1 to 1; `edit` changes it in place or returns
        another of the same shape. The time is in seconds. It runs on a thread of its own, and what
        it raises follows `on_error`. Sound of a live stream that it is too slow for goes by
        unedited. Call this before the first frame is read.
        """

    @property
    def _stops_at_error(self) -> bool: ...
    def _pass_frames(self) -> None: ...
    def _run(self) -> None: ...
    @property
    def audio_extradata(self) -> bytes | None:
        """What a decoder of the audio needs besides the packets; `None` where there is no audio."""

    @property
    def events(self) -> list[Event]:
        """What has happened so far: losses, what was dropped, failures. The last 1000 are kept."""

    @property
    def width(self) -> int | None:
        """Pixels across, of the frames that are read."""

    @property
    def height(self) -> int | None:
        """Pixels down, of the frames that are read."""

    @property
    def rate(self) -> Fraction | None:
        """Frames a second; `None` where the stream doesn't say."""

    @property
    def duration(self) -> float | None:
        """How long what is read is, in seconds; `None` where that isn't known."""

    @property
    def is_live(self) -> bool:
        """Whether it runs at its own speed and has no end that is known."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def stop(self) -> None:
        """Have the loop over the frames end, from any thread."""

    def close(self) -> None:
        """Finish every output and close it. What of the input wasn't read is left out.

        Raises the first thing that went wrong and wasn't told before.
        """

    def failed(self, message: str) -> bool:
        """Say that your code failed on the last frame.

        `True` where the policy is to go on: the frame goes out unedited, and is counted.
        """

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]: ...
    def __len__(self) -> int:
        """How many frames it has.

        The container's own number; duration times rate, where it has none or where a part, a
        repetition or another rate was asked for. `TypeError` where that isn't known either.
        """

    def __bool__(self) -> Literal[True]: ...

@final
class Output:
    """Where frames of a video go: a file, or a stream that is published. Made by `Video.output`."""

    def write(self, frame: Frame | _Pixels, *, time: _Seconds | None = None) -> None:
        """Write a frame of this output's video, or an array in place of the last frame's picture.

        `time` (seconds) has it shown at another time than the frame's: frames are written in the
        order of showing, each at a time of its own. It waits while the output is behind. Raises
        `ValueError` for an array of another shape or type, a frame of another video, one that isn't
        shown behind the last one, where the output is closed, and where it has a `preroll`.
        """

    def write_audio(self, array: npt.ArrayLike, *, time: _Seconds | None = None) -> None:
        """Write sound of your own, for an output with `audio=(48000, "stereo")`.

        It is an array as `Writer.write_audio` takes it. Arrays follow each other without a gap,
        from 0 on; `time` (seconds, on the frames' clock) has one begin later, with silence before
        it. It waits while the output is behind. Write it beside the frames, once the first was
        read. Raises `ValueError` as `Writer.write_audio` does.
        """

    def close(self) -> None:
        """Finish it, with all that was written to it, while the stream goes on.

        At the end of the input, the last output ends the video too. Raises what went wrong with it
        and wasn't told before.
        """

    @property
    def stats(self) -> OutputStats | None:
        """Whether the server is there, what it missed; `None` before the first frame is read."""

    @property
    def target(self) -> str:
        """The URL or path, without secrets."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]: ...

@final
class Writer:
    """A new video, made of arrays. Made by `create`."""

    def write(self, array: Frame | _Pixels, *, time: _Seconds | None = None) -> None:
        """Write one picture: an array of uint8, as `Frame.array` describes it, or a `Frame`.

        `time` (seconds) is when it is shown, up to the next one; times rise. A picture without one
        follows the last at the rate. Give times from the first picture on: the first decides how
        fine they are.

        It waits while the encoder or the server is behind. Raises `ValueError` for an array of
        another shape or type, a time that isn't behind the last one, and where it is closed; the
        `frameloom.Error` that ended it.
        """

    def write_audio(self, array: npt.ArrayLike, *, time: _Seconds | None = None) -> None:
        """Write sound, where the video was created with `audio`.

        It is an array of float32 (from -1 to 1) or int16, (n, channels), or (n,) for one channel.
        Arrays follow each other without a gap; `time` (seconds) has one begin later, with silence
        before it. Write it beside the pictures: what is written of the one waits for the other.

        It waits while the encoder or the server is behind. Raises `ValueError` for an array of
        another shape or type, for samples that are no numbers, for a time before the end of what
        was written, and where it is closed.
        """

    def close(self) -> None:
        """Write what is still held back and close the output.

        Raises a `frameloom.Error` where it can't be written, or the server is lost and not back.
        """

    @property
    def target(self) -> str:
        """The URL or path, without secrets."""

    @property
    def frames(self) -> int:
        """Pictures written so far."""

    @property
    def stats(self) -> OutputStats:
        """Whether the server is there, and what it missed, as it is now."""

    @property
    def events(self) -> list[Event]:
        """What has happened so far: losses and returns of the server. The last 1000 are kept."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]: ...

@final
class Stats:
    """The counters of a video at one moment. Times are in milliseconds."""

    @property
    def elapsed_ms(self) -> int:
        """Since the video was opened."""

    @property
    def time_ms(self) -> int:
        """How far the furthest output has got."""

    @property
    def duration_ms(self) -> int | None:
        """How far it will get, where that is known."""

    @property
    def frames_in(self) -> int:
        """Frames decoded."""

    @property
    def frames_out(self) -> int:
        """Frames written, counted for each output."""

    @property
    def frames_edited(self) -> int:
        """Frames whose pixels were replaced."""

    @property
    def frames_dropped(self) -> int:
        """Frames dropped before your code saw them, because it was too slow."""

    @property
    def frames_skipped(self) -> int:
        """Frames left out so that your code gets what is live.

        They came at once, or before your code was there.
        """

    @property
    def frames_held(self) -> int:
        """Pictures shown again while the input was lost."""

    @property
    def frames_copied(self) -> int:
        """Frames that went out as the packets in which they came: nobody touched them."""

    @property
    def frames_late(self) -> int:
        """Frames that came when held pictures had taken their place."""

    @property
    def audio_dropped(self) -> int:
        """Packets of sound that you ask for and did not take in time."""

    @property
    def input_offset_ms(self) -> int | None:
        """What gives an output's timestamp when added to the input's, now; None where unknown."""

    @property
    def frames_bypassed(self) -> int:
        """Frames that went out unedited."""

    @property
    def frames_unwritten(self) -> int:
        """Frames that were read and given to no output."""

    @property
    def errors(self) -> int:
        """Failures of your code that did not end the run."""

    @property
    def packets_in(self) -> int:
        """Packets read."""

    @property
    def packets_corrupt(self) -> int:
        """Packets that were damaged."""

    @property
    def packets_out(self) -> int:
        """Packets written."""

    @property
    def bytes_out(self) -> int:
        """Bytes of packets written."""

    @property
    def fps(self) -> float:
        """Frames written a second, over the last seconds."""

    @property
    def speed(self) -> float:
        """Stream time for each second of real time."""

    @property
    def bit_rate(self) -> int:
        """Bits written a second, over the last seconds."""

    @property
    def latency_ms(self) -> float | None:
        """From a packet's arrival to its frame's departure: median of the last 10 s."""

    @property
    def latency_p99_ms(self) -> float | None:
        """The same, 99th percentile."""

    @property
    def reconnects(self) -> int:
        """Times an end was opened again."""

    @property
    def packets_dropped(self) -> int:
        """Packets that outputs missed."""

    @property
    def input(self) -> str:
        """Whether the input is there: "ok" or "lost"."""

    @property
    def outputs(self) -> list[OutputStats]:
        """Each output."""

@final
class OutputStats:
    """The counters of one output."""

    @property
    def state(self) -> str:
        """Whether it is there: "ok" or "lost"."""

    @property
    def reconnects(self) -> int:
        """Times it was opened again."""

    @property
    def packets_dropped(self) -> int:
        """Packets that it missed."""

@final
class AudioPacket:
    """One packet of the input's audio, as it came."""

    @property
    def data(self) -> bytes:
        """The bytes, as the codec made them."""

    @property
    def time(self) -> float | None:
        """When it is to be heard, in seconds, on the clock of the frames; `None` if not said."""

    @property
    def duration(self) -> float:
        """How long it is to be heard, in seconds; 0 where it doesn't say."""

@final
class AudioFrame:
    """A piece of decoded sound, and where it belongs in time."""

    @property
    def array(self) -> npt.NDArray[np.float32]:
        """The samples, (n, channels), from -1 to 1."""

    @property
    def time(self) -> float:
        """When the first sample is to be heard, in seconds, on the clock of the frames."""

    @property
    def duration(self) -> float:
        """How long it is to be heard, in seconds."""

    @property
    def rate(self) -> int:
        """Samples a second of each channel."""

    @property
    def channels(self) -> int:
        """How many channels there are."""

    @property
    def samples(self) -> int:
        """How many samples each channel has."""

@final
class Audio:
    """The sound of a file or stream that is open: an iterator. Made by `open_audio`."""

    def read(self, timeout: _Seconds | None = None) -> AudioFrame | None:
        """The next piece of sound; `None` where there is no more.

        It waits for a live stream that is lost, with `timeout` for so many seconds at most.

        Raises `TimeoutError` where none came in time, `ValueError` once it is closed.
        """

    def __iter__(self) -> Self: ...
    def __next__(self) -> AudioFrame: ...
    @property
    def rate(self) -> int:
        """Samples a second of each channel, as the header says."""

    @property
    def channels(self) -> int:
        """How many channels there are, as the header says."""

    @property
    def info(self) -> dict[str, Any]:
        """What is in it, as `frameloom probe` tells it."""

    @property
    def stats(self) -> Stats:
        """The counters as they are now."""

    @property
    def events(self) -> list[Event]:
        """What has happened so far: losses and returns of a stream. The last 1000 are kept."""

    @property
    def duration(self) -> float | None:
        """How long what is read is, in seconds; `None` where that isn't known."""

    @property
    def is_live(self) -> bool:
        """Whether it runs at its own speed and has no end that is known."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def stop(self) -> None:
        """Have the loop over it end, from any thread."""

    def close(self) -> None:
        """Close it. What wasn't read is left out."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]: ...

@final
class Event:
    """Something that happened to a running video."""

    @property
    def name(self) -> str:
        """What happened.

        One of "input_lost", "input_back", "output_lost", "output_back", "packets_dropped",
        "frames_dropped", "frames_skipped", "frames_bypassed", "code_failed", "clock_jumped" or
        "input_changed".
        """

    @property
    def time(self) -> float:
        """When: seconds since the video was opened."""

    @property
    def message(self) -> str:
        """In words."""

def open(
    source: _Path,
    *,
    pix_fmt: str = "rgb24",
    size: _Size | None = None,
    rate: _Rate | None = None,
    start: _Seconds | None = None,
    duration: _Seconds | None = None,
    loop: bool | int | None = None,
    realtime: bool = False,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
    on_loss: Literal["hold", "slate", "end"] | None = None,
    slate: _Path | None = None,
    on_slow: Literal["latest", "block", "bypass", "hold"] | None = None,
    deadline: _Seconds | None = None,
    on_error: Literal["bypass", "stop", "hold"] | None = None,
    on_resize: Literal["fit", "restart"] | None = None,
    on_untouched: Literal["encode", "copy"] | None = None,
    untouched_after: _Seconds | None = None,
    reconnect_for: _Seconds | None = None,
    no_reconnect: bool = False,
    stall_timeout: _Seconds | None = None,
    open_timeout: _Seconds | None = None,
    wait_for_inputs: Literal["all", "any"] | None = None,
    preroll: _Seconds | None = None,
    speed: float | None = None,
    live: Literal["auto"] | bool = "auto",
) -> Video:
    """Open a file or a stream and read its frames.

    A live stream that is lost is opened again, for ever by default, and the loop over its frames
    simply goes on.

    `pix_fmt` is the arrays' format: "rgb24", "bgr24" (OpenCV's), "gray", "rgba", "bgra",
    "yuv420p", "nv12" and the like. `size` (width, height) scales the frames, `rate` (frames a
    second) repeats or leaves out frames, `start` and `duration` (seconds) cut, `loop` plays it so
    often, or for ever with `True`, `realtime` reads a file at its own speed. `format` and `options`
    are FFmpeg's for the input. `progress` shows on stderr how far a loop over the frames is.
    `speed` plays a file faster (2.0: twice as fast) or slower: pictures and sound, which keeps its
    pitch; all times are then those of the faster or slower video.

    The policies have the names of the command line: what happens while the input is lost
    (`on_loss`), to frames that your code is too slow for (`on_slow`), when it fails (`on_error`).
    `preroll` is how long the newest packets are kept, in at most 64 MiB, for outputs that begin
    with them. Times are in seconds. `live` says whether the input counts as live; by default what
    was opened decides.

    Raises a `frameloom.Error` where it can't be opened, `ValueError` for a value that can't be,
    `TypeError` for an argument that doesn't exist, with the nearest that does.
    """

def create(
    target: _Path,
    *,
    size: _Size | None = None,
    rate: _Rate | None = None,
    pix_fmt: str = "rgb24",
    audio: _Sound | None = None,
    codec: str | None = None,
    audio_codec: str | None = None,
    bit_rate: int | str | None = None,
    format: str | None = None,
    overwrite: bool = True,
    options: Mapping[str, Any] | None = None,
    reconnect_for: _Seconds | None = None,
    no_reconnect: bool = False,
) -> Writer:
    """Create a video, a file or a URL to publish to, of arrays that you write.

    Every array is shown for 1/rate seconds, 1/25 by default. The first one tells the size, where
    none is given. What is published is to be written at its own speed: nothing else slows it down.

    With `audio`, samples a second and channels as in (48000, "stereo"), it has sound, which
    `Writer.write_audio` writes; in a format for sound alone, as WAV or FLAC, it has nothing else.

    A server that is lost is connected to again, for ever or for `reconnect_for` seconds, or not at
    all with `no_reconnect`. What is written meanwhile is missed; the stream goes on with a
    keyframe. A file's first failure is its end.

    Raises a `frameloom.Error` where it can't be opened, which for a server means at once. RTSP is
    told what comes before it answers: there, it is raised by a later `write` or at the end.
    """

def concat(
    sources: Sequence[_Path],
    *,
    pix_fmt: str = "rgb24",
    size: _Size | None = None,
    rate: _Rate | None = None,
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
    on_error: Literal["bypass", "stop", "hold"] | None = None,
    speed: float | None = None,
) -> Video:
    """Several files as one video, one after the other: times go on where the one before ended.

    Frames are brought to the first one's size, with black bars where the shape differs (or to
    `size`, then, without keeping the shape), and to its frame rate, or to `rate`; sound to its rate
    and channels. A file without sound is silent, and where the first has none, there is none. Each
    is opened once at the start, so that one that can't be read raises at once. `speed` and
    `options` are for all of them; the other arguments are those of `open`.

    Raises what `open` does, and `ValueError` for no source, a live stream or a pipe.
    """

def open_audio(
    source: _Path,
    *,
    start: _Seconds | None = None,
    duration: _Seconds | None = None,
    loop: bool | int | None = None,
    realtime: bool = False,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    on_loss: Literal["hold", "slate", "end"] | None = None,
    reconnect_for: _Seconds | None = None,
    no_reconnect: bool = False,
    stall_timeout: _Seconds | None = None,
    open_timeout: _Seconds | None = None,
    speed: float | None = None,
    live: Literal["auto"] | bool = "auto",
) -> Audio:
    """Open the sound of a file or a stream and read it; pictures are not decoded.

    They needn't be there. A file is read as fast as you take its sound. Of a live stream the last
    20 s or so are kept for you; what isn't taken by then is dropped, oldest first, and counted
    (`stats.audio_dropped`). While it is lost, silence comes in its place. The arguments are those
    of `open`, as far as they are about sound.

    Raises a `frameloom.Error` where it can't be opened or has no sound.
    """

def open_all(
    sources: Sequence[_Path],
    *,
    pix_fmt: str = "rgb24",
    size: _Size | None = None,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    on_loss: Literal["hold", "slate", "end"] | None = None,
    slate: _Path | None = None,
    on_slow: Literal["latest", "block", "bypass", "hold"] | None = None,
    deadline: _Seconds | None = None,
    on_error: Literal["bypass", "stop", "hold"] | None = None,
    on_resize: Literal["fit", "restart"] | None = None,
    on_untouched: Literal["encode", "copy"] | None = None,
    untouched_after: _Seconds | None = None,
    reconnect_for: _Seconds | None = None,
    no_reconnect: bool = False,
    stall_timeout: _Seconds | None = None,
    open_timeout: _Seconds | None = None,
    wait_for_inputs: Literal["all", "any"] | None = None,
    preroll: _Seconds | None = None,
    speed: float | None = None,
    live: Literal["auto"] | bool = "auto",
) -> Streams:
    """Open many streams at once.

    Each is opened by itself and, where it is live, tried until it is there; one that is lost comes
    back. The arguments are those of `open`, for all of them.
    """

def probe(
    source: _Path, *, format: str | None = None, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is in a file or stream, as `frameloom probe` tells it.

    Raises a `frameloom.Error` where it can't be opened.
    """

def command_line(words: Sequence[str]) -> int:
    """Run the command line with these words, the program's name first; its exit status."""
