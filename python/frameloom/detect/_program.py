"""The program behind `python -m frameloom.detect`."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, TextIO

from .. import _frameloom
from .._errors import Error, InvalidValue
from ..command import frames
from ._detections import HOW, Detections
from ._detector import Detector
from ._fail import failure
from ._local import Local
from ._owner import MODEL, end_with_stdin
from ._redactor import Redactor
from ._serve import serve
from ._track import Tracker

_PROGRAM = "frameloom.detect"
_REPEAT_S = 10.0
# What a server decides, and what its clients do.
_OF_MODELS = {"model", "labels", "device", "threads", "size"}
_OF_FRAMES = {"classes", "conf", "iou", "track", "draw", "data"}


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _size(text: str) -> int | tuple[int, int]:
    sides = [int(side) for side in text.lower().split("x")]
    if len(sides) == 1:
        return sides[0]
    width, height = sides
    return width, height


def parser() -> argparse.ArgumentParser:
    """Return what reads the program's arguments."""
    made = argparse.ArgumentParser(
        prog="python3 -m frameloom.detect",
        description="A COMMAND that finds things on every frame by a model in the ONNX format.",
        epilog="frameloom -i IN OUT -- python3 -m frameloom.detect MODEL.onnx --classes person. "
        f"Without MODEL.onnx and --from, ${MODEL} is the SOCKET: frameloom serve sets it.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("model", metavar="MODEL.onnx", nargs="?", help="YOLO, RT-DETR, RF-DETR, CenterFace, ...")
    add("--classes", type=_names, metavar="NAME,...", help="find these alone (default: all)")
    add("--labels", metavar="FILE", help="names of the classes, one a line (default: the model's)")
    add("--conf", type=_share, default=0.4, metavar="0..1", help="least score (default: 0.4)")
    add("--iou", type=_share, metavar="0..1", help="most overlap (default: the family's)")
    add("--track", action="store_true", help="number things from frame to frame")
    add("--draw", choices=HOW, default="boxes", help="what is drawn (default: boxes)")
    add("--data", action="store_true", help="give Frameloom what was found")
    add("--device", default="auto", help="cpu, cuda, cuda:1, ... (default: cuda if there, or cpu)")
    add("--threads", type=_count, metavar="N", help="threads of the processor (default: all)")
    add("--size", type=_size, metavar="N|WxH", help="of models that take any (default: 640)")
    add("--serve", metavar="SOCKET", help="run the model for several programs with --from")
    add("--from", dest="socket", metavar="SOCKET", help="use the model of one with --serve")
    return made


def _read(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments, and refuse those that say nothing to each other."""
    reader = parser()
    arguments = reader.parse_args(words)
    given = {name for name, value in vars(arguments).items() if value != reader.get_default(name)}
    if arguments.serve is not None and arguments.socket is not None:
        reader.error("--serve and --from exclude each other")
    other = "--from"
    if arguments.socket is None and arguments.serve is None and arguments.model is None:
        arguments.socket, other = os.environ.get(MODEL) or None, MODEL
    if arguments.socket is not None:
        unused = given & _OF_MODELS
    elif arguments.model is None:
        reader.error("the following arguments are required: MODEL.onnx")
    else:
        other, unused = "--serve", given & _OF_FRAMES if arguments.serve is not None else set()
    if unused:
        names = ", ".join("MODEL.onnx" if one == "model" else f"--{one}" for one in sorted(unused))
        reader.error(f"{names} can't be given with {other}")
    return arguments


def one_line(error: Error) -> str:
    """Return the error as the command line has it: options by their names there."""
    about = error.url if error.url is not None else error.option and f"--{error.option}"
    text = ": ".join([error.stage, *([about] if about else []), error.cause])
    return text + (f" ({error.hint})" if error.hint else "")


class Reports:
    """What is said on stderr: a failure at once, the next ones in sum every ten seconds."""

    def __init__(
        self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._clock = clock
        self._count = 0
        self._since: float | None = None

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"{_PROGRAM}: {text}", file=self._out or sys.stderr, flush=True)

    def failed(self, text: str) -> None:
        """Count a failure, and say how many there were once it is time."""
        self._count += 1
        now = self._clock()
        if self._since is not None and now - self._since < _REPEAT_S:
            return
        frames = f"{self._count} frame{'s' * (self._count != 1)}"
        self.say(f"{text}; {frames} hidden as a whole: the last hidden one is shown instead")
        self._since, self._count = now, 0


class Boxes:
    """Draws what was found, or nothing. A failure ends the program: Frameloom knows what then."""

    def __init__(self, detect: Callable[[Any], Detections], how: Literal["boxes", "none"]) -> None:
        self._detect = detect
        self._how = how

    def __call__(self, frame: "_frameloom.Frame") -> Detections:
        """Detect, and draw."""
        detections = self._detect(frame)
        detections.draw(frame, self._how)
        return detections


class Hiding:
    """Hides what was found. A frame on which that fails is never shown as it came."""

    def __init__(
        self,
        detect: Callable[[Any], Detections],
        how: Literal["blur", "pixelate"],
        reports: Reports,
    ) -> None:
        self._detect = detect
        self._redactor = Redactor(how)
        self._reports = reports
        self._last: _frameloom.Frame | None = None

    def __call__(self, frame: "_frameloom.Frame") -> Detections:
        """Detect, and hide; or show the last frame on which that was possible, or black."""
        try:
            detections = self._detect(frame)
            self._redactor(frame, detections)
            self._last = frame.copy()
        except Exception as error:
            told = (
                one_line(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
            )
            self._reports.failed(told)
            self._cover(frame)
            return Detections()
        return detections

    def _cover(self, frame: "_frameloom.Frame") -> None:
        if self._last is not None and self._last.shape == frame.shape:
            frame.array = self._last.array
        else:
            frame.draw.fill((0, 0, frame.width, frame.height), "black")


def _edit(
    detector: Callable[[Any], Detections], arguments: argparse.Namespace, reports: Reports
) -> Callable[["_frameloom.Frame"], Detections]:
    """Return what is done with each frame."""
    detect = detector
    if arguments.track:
        tracker = Tracker()

        def tracked(frame: "_frameloom.Frame") -> Detections:
            return tracker(detector(frame))

        detect = tracked
    if arguments.draw in ("blur", "pixelate"):
        return Hiding(detect, arguments.draw, reports)
    return Boxes(detect, arguments.draw)


def _given(arguments: argparse.Namespace, names: set[str]) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in names}


def _follow_frameloom(arguments: argparse.Namespace) -> None:
    """Give data alone where that is what Frameloom draws of, and refuse to hide nothing there."""
    if os.environ.get("FRAMELOOM_ANSWER") != "data" or arguments.serve is not None:
        return
    if arguments.draw in ("blur", "pixelate"):
        cause = f"{arguments.draw} hides nothing where Frameloom's own option is --draw=data"
        hint = "leave --draw=data out"
        raise failure(InvalidValue, "options", cause, option="draw", hint=hint)
    arguments.draw, arguments.data = "none", True


def _see_that_all_is_hidden(arguments: argparse.Namespace, reports: Reports) -> None:
    """Refuse to start where frames that never get here would be shown, unless that was asked for.

    What hides can only hide what it is given. While it starts, is started again or is too slow, it
    is Frameloom that decides. Where Frameloom has seen by the words of the command that it hides
    something, it holds the last picture. A script that starts this, or Python's own `runpy`, has
    other words, so that what counts is what Frameloom says here. It ends a run whose COMMAND ends
    before its first answer, and nothing was shown until then.
    """
    unedited = os.environ.get("FRAMELOOM_UNEDITED")
    if arguments.draw not in ("blur", "pixelate") or arguments.serve is not None:
        return
    if unedited == "shown-by-default":
        cause = "faces would be shown while it starts, fails or is slow"
        cause = f"with {arguments.draw}, {cause}: frames then go out as they came"
        hint = "give frameloom --on-error=hold"
        raise failure(InvalidValue, "options", cause, option="draw", hint=hint)
    if unedited == "shown":
        asked = "as --on-error, --on-slow or --deadline says"
        reports.say(f"whenever it fails or is slow, frames go out with nothing hidden, {asked}")
    elif unedited not in ("held", "none") and "FRAMELOOM_WIDTH" in os.environ:
        reports.say(
            "this version of frameloom doesn't say whether frames are shown while nothing hides "
            "what is on them; give it --on-error=hold"
        )


def _run(arguments: argparse.Namespace, reports: Reports) -> None:
    _follow_frameloom(arguments)
    _see_that_all_is_hidden(arguments, reports)
    if arguments.serve is not None:
        end_with_stdin()
        engine = Local(arguments.model, **_given(arguments, _OF_MODELS - {"model"}))
        reports.say(engine.spec.summary)
        serve(arguments.serve, engine)
        return
    wanted = _given(arguments, {"classes", "conf", "iou"})
    if arguments.socket is not None:
        detector = Detector.from_socket(arguments.socket, log=reports.say, **wanted)
    else:
        wanted |= _given(arguments, _OF_MODELS - {"model"})
        detector = Detector(arguments.model, **wanted)
    with detector:
        edit = _edit(detector, arguments, reports)
        reports.say(detector.summary)
        for frame in frames():
            detections = edit(frame)
            if arguments.data:
                frame.data = detections.data()


def main(words: Sequence[str] | None = None) -> int:
    """Run the program with some arguments, and return its exit status."""
    arguments = _read(words)
    reports = Reports()
    try:
        _run(arguments, reports)
    except Error as error:
        reports.say(one_line(error))
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    return 0
