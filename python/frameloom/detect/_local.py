"""A model that runs in this process, by onnxruntime."""

from collections.abc import Iterator, Sequence
from itertools import islice
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._errors import Error, InvalidData, InvalidValue
from . import _detr, _faces, _yolo
from ._coco import COCO
from ._engine import STEP, Labels, Size, Spec, not_read, read_labels
from ._fail import failure, library, unexpected
from ._found import Array, Found, Wanted
from ._look import LARGEST_SIZE, Family, Look, labels_of, size_of

_DTYPES = {"float": "float32", "float16": "float16", "uint8": "uint8"}
_USUAL_SIZE = 640
# A fixed size below this was left by whoever wrote the file; models for it take any.
_LEAST_SIZE = 64
# So many pictures at most go through a model at once.
_MOST_AT_ONCE = 32
# Later ones may take what earlier ones know better.
_RECOGNISE = (_faces.recognise, _detr.recognise, _yolo.recognise)


def _devices(runtime: Any) -> dict[str, str]:
    """Onnxruntime's providers by the names that devices have here; not those of other machines."""
    providers = [name for name in runtime.get_available_providers() if not name.startswith("Azure")]
    return {name.removesuffix("ExecutionProvider").lower(): name for name in providers}


def _provider(runtime: Any, device: str) -> tuple[str, list[Any]]:
    """Return the name of the device, and what onnxruntime is to be given for it."""
    name, _, number = device.lower().partition(":")
    has = _devices(runtime)
    if name == "auto":
        name = "cuda" if "cuda" in has else "cpu"
    if name not in has or (number and not number.isdecimal()):
        cause = f"onnxruntime has no device {device!r}; it has {', '.join(sorted(has))}"
        hint = "pip install onnxruntime-gpu" if name in ("cuda", "tensorrt") else None
        raise failure(InvalidValue, "options", cause, option="device", hint=hint)
    provider: Any = (has[name], {"device_id": number}) if number else has[name]
    return name, [provider, *([has["cpu"]] if name != "cpu" else [])]


def _first_line(error: BaseException) -> str:
    """Onnxruntime's reason without its prefix of brackets and codes."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rpartition("] : ")[2][:300]


class Local:
    """A model that runs in this process."""

    def __init__(
        self,
        model: str | PathLike[str],
        *,
        labels: Labels | None = None,
        device: str = "auto",
        threads: int | None = None,
        size: Size | None = None,
    ) -> None:
        self._path = fspath(model)
        self._runtime = library("onnxruntime", "a model")
        if threads is not None and threads < 1:
            raise failure(InvalidValue, "options", "at least 1", option="threads")
        self._threads = threads
        self._device, self._providers = _provider(self._runtime, device)
        self._asked_device = device
        given = None if labels is None else read_labels(labels)
        self._session = self._open(self._read())
        if self._has_a_placeholder():
            self._session = self._open(self._of_any_size())
        self._metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._look_at_inputs(size)
        self._family = self._recognise(given)
        self.spec = self._make_spec(given, labels, size)

    def _read(self) -> str:
        """See that the file is there: onnxruntime's own words for that are long."""
        try:
            with Path(self._path).open("rb") as file:
                if not file.read(1):
                    raise failure(InvalidData, "options", "the file is empty", url=self._path)
        except OSError as error:
            raise not_read(self._path, error) from None
        return self._path

    def _open(self, model: str | bytes) -> Any:
        options = self._runtime.SessionOptions()
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        # Threads that wait by spinning would take the decoder's and the encoder's time.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            session = self._runtime.InferenceSession(model, options, providers=self._providers)
        except Exception as error:
            cause = f"onnxruntime can't read it as a model: {_first_line(error)}"
            raise failure(InvalidData, "options", cause, url=self._path) from None
        started = session.get_providers()[0]
        wanted = _devices(self._runtime)[self._device]
        if started != wanted:
            if self._asked_device.lower() != "auto":
                cause = f"onnxruntime could not start {self._device} on this machine"
                raise failure(InvalidValue, "options", cause, option="device")
            self._device = "cpu"
            self._providers = [_devices(self._runtime)["cpu"]]
        return session

    def _has_a_placeholder(self) -> bool:
        """Whether the picture's size in the file is one that nobody means."""
        shape = self._session.get_inputs()[0].shape
        return len(shape) == 4 and all(isinstance(n, int) and n < _LEAST_SIZE for n in shape[1:])

    def _of_any_size(self) -> bytes:
        """Return the same model without the sizes that its file claims."""
        onnx = library("onnx", "a model whose size is to be changed")
        model = onnx.load(self._path)
        name = self._session.get_inputs()[0].name
        for value in model.graph.input:
            if value.name == name:
                dims = value.type.tensor_type.shape.dim
                for n, dim in enumerate(dims):
                    if n != 1:
                        dim.dim_param = f"size_{n}"
        for value in [*model.graph.output, *model.graph.value_info]:
            value.type.tensor_type.ClearField("shape")
        content: bytes = model.SerializeToString()
        return content

    def _look_at_inputs(self, size: Size | None) -> None:
        inputs = self._session.get_inputs()
        self._input = inputs[0]
        self._extra = inputs[1:]
        shape = list(self._input.shape)
        text = f"{self._input.name} {_shape(shape)}"
        kind = self._input.type.removeprefix("tensor(").removesuffix(")")
        axes = {"orig_target_sizes": 2, "pixel_mask": 3}
        unknown = [one for one in self._extra if axes.get(one.name) != len(one.shape)]
        if len(shape) != 4 or 3 not in (shape[1], shape[3]) or kind not in _DTYPES or unknown:
            others = "".join(f", {one.name} {_shape(one.shape)}" for one in self._extra)
            cause = f"its inputs are no picture: {text} of {kind}{others}"
            raise failure(InvalidData, "options", cause, url=self._path)
        self._dtype = _DTYPES[kind]
        self._layout = "NCHW" if shape[1] == 3 else "NHWC"
        down, across = shape[2:4] if shape[1] == 3 else shape[1:3]
        self._batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
        asked = _pair_of(size)
        sides = [n if isinstance(n, int) and n > 0 else None for n in (across, down)]
        self._is_fixed = all(sides)
        if asked and any(side and side != one for side, one in zip(sides, asked, strict=True)):
            cause = f"this model takes {_shape([across, down])} alone"
            raise failure(InvalidValue, "options", cause, option="size")
        usual = asked or size_of(self._metadata) or (_USUAL_SIZE, _USUAL_SIZE)
        width, height = (-(-one // STEP) * STEP for one in usual)
        self._size = (sides[0] or width, sides[1] or height)

    def _recognise(self, given: tuple[str, ...] | None) -> Family:
        """Run an empty picture through it: what comes out tells the family."""
        gray = np.full(self._shape(1), 0.45, self._dtype)
        look = Look(
            inputs=[one.name for one in self._session.get_inputs()],
            names=[one.name for one in self._session.get_outputs()],
            outputs=self._outputs(gray),
            size=self._size,
            metadata=self._metadata,
            labels=given,
        )
        for recognise in _RECOGNISE:
            family = recognise(look)
            if family is not None:
                return family
        outputs = zip(look.names, look.outputs, strict=True)
        told = ", ".join(f"{name} {_shape(output.shape)}" for name, output in outputs)
        cause = f"nobody knows these outputs: {told}"
        hint = "known are YOLO v5 to v12 and X, RT-DETR, RF-DETR, DETR and CenterFace, as detectors"
        raise failure(InvalidData, "options", cause, url=self._path, hint=hint)

    def _make_spec(
        self,
        given: tuple[str, ...] | None,
        labels: Labels | None,
        size: Size | None,
    ) -> Spec:
        family = self._family
        if given is not None and family.classes and len(given) != family.classes:
            has = f"{len(given)} name{'s' * (len(given) != 1)}"
            where = fspath(labels) if isinstance(labels, str | PathLike) else None
            cause = f"{has}, and the model has {family.classes} class{'es' * (family.classes != 1)}"
            raise failure(InvalidValue, "options", cause, url=where, option="labels")
        known = labels_of(self._metadata) or ()
        if family.classes and len(known) != family.classes:
            known = ()
        usual = COCO if family.classes == len(COCO) else ()
        names = given or known or family.labels or usual
        follows = (
            family.preparation.follows_shape and not self._is_fixed and not isinstance(size, tuple)
        )
        return Spec(
            name=Path(self._path).name,
            title=family.title,
            device=self._device,
            preparation=family.preparation,
            labels=names,
            classes=family.classes or len(names),
            size=None if follows else self._size,
            longest=max(self._size),
            dtype=self._dtype,
            layout=self._layout,
        )

    def _shape(self, count: int) -> tuple[int, ...]:
        width, height = self._size
        if self._layout == "NCHW":
            return count, 3, height, width
        return count, height, width, 3

    def _outputs(self, tensors: Array) -> list[Array]:
        """Run as many pictures as the model takes at once, of which the last may be empty."""
        count = len(tensors)
        if self._batch is not None and count != self._batch:
            padded = np.zeros((self._batch, *tensors.shape[1:]), tensors.dtype)
            padded[:count] = tensors
            tensors, count = padded, self._batch
        height, width = tensors.shape[2:] if self._layout == "NCHW" else tensors.shape[1:3]
        feed: dict[str, npt.NDArray[Any]] = {self._input.name: tensors}
        for extra in self._extra:
            if extra.name == "orig_target_sizes":
                feed[extra.name] = np.tile(np.array([width, height], np.int64), (count, 1))
            else:
                sides = [
                    n if isinstance(n, int) else m
                    for n, m in zip(extra.shape[1:], (height, width), strict=True)
                ]
                feed[extra.name] = np.ones((count, *sides), np.int64)
        try:
            return [_numbers(output) for output in self._session.run(None, feed)]
        except Exception as error:
            cause = f"onnxruntime could not run the model: {_first_line(error)}"
            raise failure(InvalidData, "process", cause, url=self._path) from None

    def _decoded(self, tensors: Array, wanted: Sequence[Wanted]) -> Iterator[Found | Error]:
        """Run pictures, as many at once as the model takes, and read each one's numbers."""
        step = self._batch or _MOST_AT_ONCE
        for start in range(0, len(tensors), step):
            part = tensors[start : start + step]
            try:
                outputs = self._outputs(part)
            except Exception as error:
                yield from [unexpected(error)] * len(part)
                continue
            for item in range(len(part)):
                try:
                    yield self._family.decode(outputs, item, wanted[start + item])
                except Exception as error:
                    yield unexpected(error)

    def run_all(self, requests: list[tuple[Array, Wanted]]) -> list[list[Found] | Error]:
        """Run what several ask for together, pictures of one size: each has its own answer."""
        pictures = [tensors for tensors, _ in requests]
        tensors = pictures[0] if len(pictures) == 1 else np.concatenate(pictures)
        wanted = [one for part, one in requests for _ in range(len(part))]
        found = self._decoded(tensors, wanted)
        answers: list[list[Found] | Error] = []
        for part, _ in requests:
            own = list(islice(found, len(part)))
            failed = next((one for one in own if isinstance(one, Error)), None)
            answers.append(failed or [one for one in own if isinstance(one, Found)])
        return answers

    def run(self, tensors: Array, wanted: Wanted) -> list[Found]:
        """Return what was found on each of some pictures of one size."""
        (answer,) = self.run_all([(tensors, wanted)])
        if isinstance(answer, Error):
            raise answer
        return answer

    def close(self) -> None:
        """Nothing is held that Python doesn't give back by itself."""


def _numbers(output: Any) -> Array:
    """Return an output, or nothing in its place where it is none of numbers."""
    is_numbers = isinstance(output, np.ndarray) and output.dtype.kind in "fiub"
    return output if is_numbers else np.empty(0, np.float32)


def _pair_of(size: Size | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else size
    if len(pair) != 2 or not all(STEP <= one <= LARGEST_SIZE for one in pair):
        cause = f"a width and a height from {STEP} to {LARGEST_SIZE} pixels"
        raise failure(InvalidValue, "options", cause, option="size")
    return pair


def _shape(shape: Sequence[Any]) -> str:
    """Return a shape as people write it: [1, 84, 8400]."""
    return "[" + ", ".join("?" if n is None else str(n) for n in shape) + "]"
