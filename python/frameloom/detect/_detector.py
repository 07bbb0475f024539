"""A detector for one's own loop."""

import difflib
import os
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .. import _frameloom
from .._errors import InvalidValue
from ._detections import Detection, Detections, Image
from ._engine import STEP, Engine, Labels, Size, Spec
from ._fail import failure
from ._found import Array, Found, Wanted
from ._local import Local
from ._owner import MODEL
from ._remote import Remote


class Detector:
    """Finds things on frames by a model in the ONNX format, by onnxruntime.

    It knows models of the YOLO family (v5 to v12, X), RT-DETR, RF-DETR, DETR and CenterFace by what
    comes out of them, and prepares pictures as each was trained. `summary` says what it took a
    model for. Several threads may use one detector at once.

    model: path of the file.
    classes: names of the classes that are to be found; all where it is not given.
    labels: names of the model's classes, by number: a sequence, or the path of a text file with
        one a line. Without it they are those of the model's metadata; 80 classes without names are
        taken for COCO's.
    conf: how sure the model must be at least, from 0 to 1.
    iou: by how much boxes of one class overlap at most, from 0 to 1: of those that overlap more,
        the best one counts. Where it is not given, it is what the family of models has by default.
        It has no effect on models that see to that themselves.
    device: where the model runs: "cpu", "cuda", "cuda:1", "openvino", "coreml" or whatever else
        onnxruntime has; "auto" is "cuda" where it can be started, else "cpu".
    threads: how many threads of the processor a picture is spread over; onnxruntime's default, all
        cores, where it is not given.
    size: of a model that takes any size: width and height in pixels, or one number. Larger finds
        smaller things, and takes longer in proportion to the pixels. Where it is not given, it is
        what the model's metadata says, or 640. CenterFace's tensors follow the picture's shape, and
        it is the longer side.

    Raises `FileNotFoundError` where a file isn't there, and `ValueError` for one that is no model,
    for a model that nobody knows, for labels of another number than the model's, for classes that
    it doesn't have, and for a device that onnxruntime doesn't have.
    """

    def __init__(  # noqa: PLR0913 (all but the model have defaults)
        self,
        model: str | PathLike[str],
        *,
        classes: Sequence[str] | None = None,
        labels: Labels | None = None,
        conf: float = 0.4,
        iou: float | None = None,
        device: str = "auto",
        threads: int | None = None,
        size: Size | None = None,
    ) -> None:
        _check_share("conf", conf)
        _check_share("iou", iou)
        engine = Local(model, labels=labels, device=device, threads=threads, size=size)
        self._start(engine, classes, conf, iou)

    @classmethod
    def from_socket(  # noqa: PLR0913 (all have defaults)
        cls,
        path: str | PathLike[str] | None = None,
        *,
        classes: Sequence[str] | None = None,
        conf: float = 0.4,
        iou: float | None = None,
        timeout: float | None = None,
        log: Callable[[str], None] | None = None,
    ) -> Self:
        """Use the model of a server: `python -m frameloom.detect --serve PATH MODEL.onnx`.

        Several processes share one model so, and their frames become batches. A server that isn't
        there, or is gone, is waited for: for ever, or for `timeout` seconds.

        path: its Unix socket. Without it, that of the environment variable `FRAMELOOM_MODEL`, by
            which `frameloom serve` says where the `model` of a pipeline is.
        timeout: for how many seconds a server is waited for, at first and for each picture that it
            doesn't answer; for ever where it is not given. A stream waits along with it.
        log: gets a line when the server is waited for, and when it is there again.

        Raises `TimeoutError` once it was waited for long enough, and `ValueError` where neither
        `path` nor the environment says where it is. A picture for which five connections ended
        without an answer raises `ValueError`.
        """
        _check_share("conf", conf)
        _check_share("iou", iou)
        path = path or os.environ.get(MODEL) or None
        if path is None:
            cause = f"neither it nor {MODEL} in the environment says where the model is"
            raise failure(InvalidValue, "options", cause, option="path")
        detector = cls.__new__(cls)
        detector._start(Remote(path, timeout=timeout, say=log), classes, conf, iou)
        return detector

    def _start(
        self, engine: Engine, classes: Sequence[str] | None, conf: float, iou: float | None
    ) -> None:
        self._engine = engine
        try:
            self._wanted = Wanted(conf, iou, _numbers_of(classes, engine.spec.labels))
        except BaseException:
            engine.close()
            raise

    @property
    def summary(self) -> str:
        """What the model was taken for, its input's size, its classes and the device."""
        return self._engine.spec.summary

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the model's classes, by number; empty where nobody knows them."""
        return self._engine.spec.labels

    def __call__(self, frame: "_frameloom.Frame | Image") -> Detections:
        """Find things on a frame, or on an array (height, width, 3) of uint8 in RGB.

        Nothing of the frame is changed. Raises `ValueError` where the model can't be run, or what
        comes out of it isn't numbers.
        """
        return self.batch([frame])[0]

    def batch(self, frames: Iterable["_frameloom.Frame | Image"]) -> list[Detections]:
        """Find things on several frames, which go through the model together where it takes that.

        A model whose file says that it takes one picture gets them one by one.
        """
        pictures = [_frame_of(frame) for frame in frames]
        found: list[Detections] = [Detections()] * len(pictures)
        spec = self._engine.spec
        groups: dict[tuple[int, int], list[int]] = {}
        for n, picture in enumerate(pictures):
            groups.setdefault(_size_for(spec, picture), []).append(n)
        for size, members in groups.items():
            tensors = np.empty(_shape(spec, len(members), size), spec.dtype)
            transforms = [
                _fill(spec, pictures[n], size, tensors[k : k + 1]) for k, n in enumerate(members)
            ]
            results = self._engine.run(tensors, self._wanted)
            for n, transform, result in zip(members, transforms, results, strict=True):
                found[n] = Detections(_in_frame(result, transform, spec.labels))
        return found

    def close(self) -> None:
        """Give back what it holds; leaving a `with` block does the same."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _check_share(option: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise failure(InvalidValue, "options", f"{value:g} is not from 0 to 1", option=option)


def _numbers_of(classes: Sequence[str] | None, labels: Sequence[str]) -> tuple[int, ...] | None:
    """Return the numbers of some classes."""
    if classes is None:
        return None
    numbers = {label: n for n, label in enumerate(labels)}
    for name in classes:
        if name not in numbers:
            near = difflib.get_close_matches(name, labels, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else None
            if not labels:
                hint = "the model has no names: give it some by labels"
            cause = f"the model has no class {name!r}"
            raise failure(InvalidValue, "options", cause, option="classes", hint=hint)
    return tuple(numbers[name] for name in classes)


def _frame_of(picture: "_frameloom.Frame | Image") -> "_frameloom.Frame":
    if isinstance(picture, np.ndarray):
        return _frameloom.Frame.from_ndarray(picture)
    return picture


def _size_for(spec: Spec, picture: "_frameloom.Frame") -> tuple[int, int]:
    """Return width and height of the tensor for a picture."""
    if spec.size is not None:
        return spec.size
    width, height = picture.width, picture.height
    shrunk = min(1.0, spec.longest / max(width, height))
    across, down = (max(1, -int(-side * shrunk // STEP)) * STEP for side in (width, height))
    return across, down


def _shape(spec: Spec, count: int, size: tuple[int, int]) -> tuple[int, ...]:
    width, height = size
    return (count, 3, height, width) if spec.layout == "NCHW" else (count, height, width, 3)


def _fill(
    spec: Spec, picture: "_frameloom.Frame", size: tuple[int, int], out: Array
) -> "_frameloom.Transform":
    """Make the tensor of a picture, and return the way back."""
    wanted = spec.preparation
    options: dict[str, Any] = {
        "layout": spec.layout,
        "order": wanted.order,
        "scaling": wanted.scaling,
        "dtype": spec.dtype,
    }
    # A model of uint8 normalises by itself.
    if spec.dtype != "uint8":
        options |= {"scale": wanted.scale, "mean": wanted.mean, "std": wanted.std}
    if wanted.fit != "corner":
        return picture.tensor(size, fit=wanted.fit, fill=wanted.fill, out=out, **options)[1]
    ratio = min(size[0] / picture.width, size[1] / picture.height)
    width, height = (max(1, int(side * ratio)) for side in (picture.width, picture.height))
    part, transform = picture.tensor((width, height), fit="stretch", **options)
    # The bars are gray, so the order of the channels makes no difference to them.
    out[...] = wanted.fill[0] * (1 if spec.dtype == "uint8" else wanted.scale)
    if spec.layout == "NCHW":
        out[:, :, :height, :width] = part
    else:
        out[:, :height, :width] = part
    return transform


def _in_frame(
    found: Found, transform: "_frameloom.Transform", labels: Sequence[str]
) -> list[Detection]:
    """Return what was found on a tensor in pixels of its frame."""
    boxes = transform.to_frame(found.boxes)
    points: npt.NDArray[np.float64] | None = None
    if found.points is not None and found.points.size:
        flat = transform.to_frame(found.points.reshape(-1, 2))
        points = flat.reshape(found.points.shape)
    detections = []
    for n, (box, score, class_id) in enumerate(
        zip(boxes.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True)
    ):
        left, top, right, bottom = box
        # What lies in the bars of a letterbox alone is not in the frame.
        if right <= left or bottom <= top:
            continue
        detections.append(
            Detection(
                xyxy=(left, top, right, bottom),
                label=labels[class_id] if 0 <= class_id < len(labels) else str(class_id),
                score=score,
                class_id=class_id,
                points=() if points is None else tuple((x, y) for x, y in points[n].tolist()),
            )
        )
    return detections
