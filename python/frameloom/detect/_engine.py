"""What runs a model, and what is to be known of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol

from .._errors import Error, InvalidData, NotFound
from ._fail import failure
from ._found import Array, Found, Preparation, Wanted

# What a size must be a multiple of where a model takes any.
STEP = 32
Size = int | tuple[int, int]
Labels = str | PathLike[str] | Sequence[str]


@dataclass(frozen=True)
class Spec:
    """What whoever prepares pictures for a model has to know of it."""

    name: str
    title: str
    device: str
    preparation: Preparation
    labels: tuple[str, ...]
    """Names of the classes; empty where nobody knows them."""
    classes: int
    """How many classes; 0 where nobody knows."""
    size: tuple[int, int] | None
    """Width and height of its tensors; `None` where the picture's shape decides."""
    longest: int
    """The longer side, where the picture's shape decides."""
    dtype: str
    layout: str
    """NCHW or NHWC."""

    @property
    def summary(self) -> str:
        """What was taken for what, in one line."""
        size = (
            f"{self.size[0]}x{self.size[1]}" if self.size else f"{self.longest} at the longer side"
        )
        first = ", ".join(self.labels[:5]) + (", ..." if len(self.labels) > 5 else "")
        count = f"{self.classes} class{'es' * (self.classes != 1)}" if self.classes else "classes"
        classes = f"{count} ({first})" if first else f"{count} without names"
        return f"{self.name}: {self.title}, input {size}, {classes}, on {self.device}"


class Engine(Protocol):
    """What runs tensors through a model."""

    @property
    def spec(self) -> Spec:
        """What to know of the model."""

    def run(self, tensors: Array, wanted: Wanted) -> list[Found]:
        """Return what was found on each of some pictures of one size."""

    def close(self) -> None:
        """Give back what it holds."""


def read_labels(labels: Labels) -> tuple[str, ...]:
    """Return names of classes: those of a file, one a line, or a sequence of names."""
    if not isinstance(labels, str | PathLike):
        return tuple(str(label) for label in labels)
    path = fspath(labels)
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise failure(InvalidData, "options", "it is no text in UTF-8", url=path) from None
    except OSError as error:
        raise not_read(path, error) from None
    names = tuple(" ".join(line.split()) for line in lines)
    while names and not names[-1]:
        names = names[:-1]
    return names


def not_read(path: str, error: OSError) -> Error:
    return failure(NotFound, "options", (error.strerror or str(error)).lower(), url=path)
