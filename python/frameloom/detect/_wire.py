"""What a server of a model and its clients say to each other on a socket.

Everything is a message: the length of a JSON object, 4 bytes, the object, and the tensors that it
announces. The server says what its model is. From then on the client sends a request, and the
server its answer, one after the other.
"""

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from .._errors import Error, InvalidData
from ._engine import Spec
from ._fail import failure
from ._found import Array, Found, Preparation, Wanted

_LENGTH = struct.Struct("<I")
# An answer of 32 pictures with 300 things of 17 points each is a tenth of this.
_LONGEST_MESSAGE = 64 << 20
# So many bytes of tensors at most are in one request: 32 pictures of 1280x1280 in 32 bits.
_LARGEST_REQUEST = 640 << 20
MOST_PICTURES = 32


def broken(cause: str) -> Error:
    """Return the error for what doesn't follow the protocol."""
    return failure(
        InvalidData, "process", f"the other end of the socket is another program: {cause}"
    )


def receive(connection: socket.socket, count: int) -> bytearray:
    """Read so many bytes, or raise `EOFError` where the other end is gone."""
    data = bytearray(count)
    into(connection, memoryview(data))
    return data


def into(connection: socket.socket, memory: memoryview) -> None:
    """Fill the memory, or raise `EOFError` where the other end is gone."""
    while memory:
        count = connection.recv_into(memory)
        if not count:
            raise EOFError
        memory = memory[count:]


def send(
    connection: socket.socket, message: Mapping[str, Any], tensors: Array | None = None
) -> None:
    """Send a message and its tensors."""
    text = json.dumps(message).encode()
    connection.sendall(_LENGTH.pack(len(text)) + text)
    if tensors is not None:
        connection.sendall(np.ascontiguousarray(tensors).data.cast("B"))


def read(connection: socket.socket) -> dict[str, Any]:
    """Read a message."""
    (length,) = _LENGTH.unpack(receive(connection, _LENGTH.size))
    if length > _LONGEST_MESSAGE:
        raise broken("it sends too much")
    try:
        message = json.loads(receive(connection, length))
    except (ValueError, RecursionError):
        raise broken("it sends no JSON") from None
    if not isinstance(message, dict):
        raise broken("it sends no object")
    return message


def spec_message(spec: Spec) -> dict[str, Any]:
    """Return what a server says first."""
    return {"spec": asdict(spec)}


def spec_of(message: Mapping[str, Any]) -> Spec:
    """Return what a server's model is."""
    try:
        said = dict(message["spec"])
        wanted: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in said.pop("preparation").items()
        }
        said["labels"] = tuple(said["labels"])
        said["size"] = tuple(said["size"]) if said["size"] else None
        return Spec(**said, preparation=Preparation(**wanted))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise broken("it doesn't say what its model is") from None


def most_pictures(tensors: Array) -> int:
    """Return how many of some pictures go into one request."""
    one = max(1, tensors[:1].nbytes)
    if one > _LARGEST_REQUEST:
        cause = f"tensors of {list(tensors.shape[1:])} are more than a server of a model takes"
        hint = "start the server with a smaller --size"
        raise failure(InvalidData, "process", cause, hint=hint)
    return min(MOST_PICTURES, _LARGEST_REQUEST // one)


def request_message(tensors: Array, wanted: Wanted) -> dict[str, Any]:
    """Return what announces some tensors."""
    return {"shape": tensors.shape, "wanted": asdict(wanted)}


def wanted_of(message: Mapping[str, Any]) -> Wanted:
    """Return what is wanted of the tensors of a request."""
    try:
        said = message["wanted"]
        iou, classes = said["iou"], said["classes"]
        return Wanted(
            conf=float(said["conf"]),
            iou=None if iou is None else float(iou),
            classes=None if classes is None else tuple(int(n) for n in classes),
        )
    except (KeyError, TypeError, ValueError):
        raise broken("it doesn't say what it wants") from None


def read_tensors(connection: socket.socket, message: Mapping[str, Any], spec: Spec) -> Array:
    """Read the tensors of a request, if they are such as the model takes."""
    shape = message.get("shape")
    if not isinstance(shape, list) or len(shape) != 4 or not all(isinstance(n, int) for n in shape):
        raise broken("it doesn't say what its tensors are")
    count, *picture = shape
    channels, *sides = picture if spec.layout == "NCHW" else [picture[2], *picture[:2]]
    fits = channels == 3 and all(side > 0 for side in sides)
    if spec.size is not None:
        fits = fits and tuple(sides) == spec.size[::-1]
    bytes_ = int(np.prod(shape, dtype=object)) * np.dtype(spec.dtype).itemsize
    if not fits or not 0 < count <= MOST_PICTURES or bytes_ > _LARGEST_REQUEST:
        raise broken(f"tensors of {shape} are none of this model's")
    tensors = np.empty(shape, spec.dtype)
    into(connection, tensors.data.cast("B"))
    return tensors


def error_message(error: Exception) -> dict[str, Any]:
    """Return what answers a request that came to nothing."""
    if isinstance(error, Error):
        return {"error": error.cause}
    return {"error": " ".join(f"{type(error).__name__}: {error}".split())}


def answer_message(found: Sequence[Found]) -> dict[str, Any]:
    """Return what answers a request."""
    return {
        "found": [
            {
                "boxes": one.boxes.tolist(),
                "scores": one.scores.tolist(),
                "class_ids": one.class_ids.tolist(),
                "points": None if one.points is None else one.points.tolist(),
            }
            for one in found
        ]
    }


def found_of(message: Mapping[str, Any], count: int) -> list[Found]:
    """Return what was found on each of so many pictures."""
    if "error" in message:
        raise failure(InvalidData, "process", str(message["error"]))
    try:
        found = [
            Found(
                boxes=np.array(one["boxes"], np.float32).reshape(-1, 4),
                scores=np.array(one["scores"], np.float32),
                class_ids=np.array(one["class_ids"], np.int64),
                points=_points(one["points"], len(one["boxes"])),
            )
            for one in message["found"]
        ]
    except (KeyError, TypeError, ValueError):
        raise broken("it doesn't say what it found") from None
    if len(found) != count:
        raise broken("it answers something else")
    return found


def _points(points: Any, count: int) -> Array | None:
    return None if points is None else np.array(points, np.float32).reshape(count, -1, 2)
